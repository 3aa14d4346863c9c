"""The form of a model that Google's compiler made for an Edge TPU, and what may be wrong with one.

`model_edgetpu.tflite` lies beside `model.tflite`, whose manifest holds its SHA-256 under `edgetpu`.
Labels, heads and the embedding are those of the model; what the compiler left out of the Edge TPU's
one operator runs on the CPU. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from edgehome.types import ModelError, Problem

if TYPE_CHECKING:
    from pathlib import Path

    from edgehome.recognizer.manifest import Manifest

GUIDE = "docs/how-to/coral.md has more."

NO_FORM, FILE = "edgetpu_no_form", "edgetpu_file"
NO_LIBRARY, NO_ENTRY, NO_DEVICE = "edgetpu_no_library", "edgetpu_no_entry", "edgetpu_no_device"
OTHER_ABI, LOST = "edgetpu_other_abi", "edgetpu_lost"
HUNG, CRASHED, WRONG = "edgetpu_hung", "edgetpu_crashed", "edgetpu_wrong"

NOT_THERE = {NO_FORM, NO_LIBRARY, NO_DEVICE}
"""A node without a Coral: no fault where none was asked for."""

_WORDS = {
    NO_FORM: (
        "The model has no form for an Edge TPU ({why})",
        "Make one: edgehome models export MODEL --for edgetpu; or set runtime.delegate to cpu.",
    ),
    FILE: (
        "The model's form for an Edge TPU is not to be used ({why})",
        "Import it again: edgehome models import FILE --for MODEL.",
    ),
    NO_LIBRARY: (
        "The Edge TPU's library cannot be loaded ({why})",
        "Install libedgetpu for this runtime, or name its file in runtime.library.",
    ),
    NO_ENTRY: (
        "What runtime.library names is not an Edge TPU's library ({why})",
        "Name libedgetpu.so.1, or its path, in runtime.library.",
    ),
    NO_DEVICE: (
        "No Edge TPU was found ({why})",
        "Plug the Coral in, best into a USB 3 port, and run sudo ./install.sh --coral once.",
    ),
    OTHER_ABI: (
        "The Edge TPU's library does not fit this runtime ({why})",
        "Install the build of libedgetpu that was made for this runtime's version.",
    ),
    LOST: (
        "The Edge TPU stopped answering ({why})",
        "Was it pulled out, or does it lack power? It is tried again within minutes.",
    ),
    HUNG: (
        "The Edge TPU hangs ({why})",
        "Pull the Coral out and plug it in again; the library may not fit this runtime.",
    ),
    CRASHED: (
        "The Edge TPU's library crashes ({why})",
        "Install the build of libedgetpu that was made for this runtime's version.",
    ),
    WRONG: (
        "The Edge TPU computes something else than the CPU ({why})",
        "Compile the model's form for it anew, from what edgehome models export writes.",
    ),
}


def edgetpu_problem(code: str, why: str) -> Problem:
    """Return what is wrong with an Edge TPU, while the CPU does its work."""
    message, remedy = _WORDS[code]
    said = " ".join(why.split())[:200].rstrip(".")
    return Problem(
        code, f"{message.format(why=said)}, so the model runs on the CPU.", f"{remedy} {GUIDE}"
    )


def edgetpu_error(code: str, why: str) -> ModelError:
    """Return the same as an error."""
    problem = edgetpu_problem(code, why)
    return ModelError(problem.code, problem.message, problem.remedy)


def edgetpu_file(model: Path) -> Path:
    """Return where a model's form for an Edge TPU lies, as Google's compiler names it."""
    return model.with_name(f"{model.stem}_edgetpu.tflite")


def has_form(model: Path) -> bool:
    """Return whether a model's manifest names a form for an Edge TPU; reads that alone."""
    try:
        fields = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(fields, dict) and bool(fields.get("edgetpu"))


def load_edgetpu(model: Path, manifest: Manifest) -> bytes:
    """Return the model's form for an Edge TPU, held to the manifest's hash.

    Raises ModelError (`edgetpu_no_form`, `edgetpu_file`).
    """
    if not manifest.edgetpu:
        raise edgetpu_error(NO_FORM, f"the manifest of {model.name} names none")
    file = edgetpu_file(model)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise edgetpu_error(FILE, f"{file.name}: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != manifest.edgetpu:
        raise edgetpu_error(FILE, f"{file.name} is not the file that the manifest names")
    return data
