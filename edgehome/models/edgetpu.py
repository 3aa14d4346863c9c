"""A model's way to an Edge TPU: written for Google's compiler, and taken back from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgehome.models.agreement import outputs
from edgehome.models.copying import Step, write_files
from edgehome.models.frames import scenes
from edgehome.movinet.edgetpu_rules import judge, summary
from edgehome.movinet.rearrange import for_edge_tpu
from edgehome.recognizer.compiled import read_interface
from edgehome.recognizer.edgetpu import edgetpu_file
from edgehome.recognizer.manifest import Manifest, load_model
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.types import ModelError

OPERATOR = b"edgetpu-custom-op"
"""What Google's compiler puts in the place of all that the Edge TPU does."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written for the compiler."""

    path: Path
    model: Path
    """What it was made of."""
    title: str
    pictures: int
    """On so many it was seen to say the same as the model, bit for bit."""
    rules: Mapping[str, Any]
    """What of it maps, by the compiler's published rules: `movinet.edgetpu_rules.summary`."""

    @property
    def command(self) -> str:
        """Return what is to be run on a desktop machine, in the folder with the file."""
        return f"edgetpu_compiler --show_operations {self.path.name}"

    @property
    def back(self) -> str:
        """Return what takes the compiler's file in, on the node."""
        return f"edgehome models import {self.path.stem}_edgetpu.tflite --for {self.model}"

    def fields(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "file": str(self.path),
            "pictures": self.pictures,
            "rules": dict(self.rules),
            "command": self.command,
            "then": self.back,
        }


@dataclass(frozen=True, slots=True)
class Adopted:
    """A compiler's file that a model has now beside it."""

    path: Path
    model: Path
    sha256: str

    def fields(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {"file": str(self.path), "model": str(self.model), "sha256": self.sha256}


def export_model(model: Path, folder: Path, *, step: Step) -> Exported:
    """Write the model as Google's compiler wants it; `step` is told what is being done.

    Raises ModelError (that of `load_model`, `model_refused`, `model_disagrees`) and OSError.
    """
    manifest, data = load_model(model)
    step("putting the weights in order")
    made = data
    if manifest.compiled.get("form") != "tpu":
        made = for_edge_tpu(data, str(manifest.compiled.get("architecture", manifest.name)))
    step("comparing the two")
    pictures = scenes(manifest.size)
    pairs = zip(outputs(data, pictures), outputs(made, pictures), strict=True)
    if not all(np.array_equal(one, other) for one, other in pairs):
        raise ModelError(
            "model_disagrees",
            f"{model.name} says something else in the form for an Edge TPU, so it is not written.",
            "This is a fault of edgehome's: please report it, with the model's manifest.",
        )
    path = folder / f"{model.stem}-tpu.tflite"
    step("writing")
    write_files({path: made})
    count = sum(len(scene) for scene in pictures)
    return Exported(path, model, manifest.name, count, summary(judge(made)))


def adopt(compiled: Path, model: Path) -> Adopted:
    """Put the compiler's file beside the model, and its hash into the model's manifest.

    Raises ModelError (that of `load_model`, `manifest_invalid`, `model_refused`) and OSError.
    """
    manifest, data = load_model(model)
    if not manifest.pinned:
        raise ModelError(
            "manifest_invalid",
            f"{model} has no manifest that could name its form for an Edge TPU.",
            "Import the model itself first: edgehome models import FILE.",
        )
    form = compiled.read_bytes()
    _check(compiled, form, data, manifest)
    sha256 = hashlib.sha256(form).hexdigest()
    about = model.with_suffix(".json")
    fields = json.loads(about.read_text(encoding="utf-8")) | {"edgetpu": sha256}
    text = json.dumps(fields, indent=2, ensure_ascii=False) + "\n"
    path = edgetpu_file(model)
    write_files({path: form, about: text.encode()})
    return Adopted(path, model, sha256)


def _check(compiled: Path, form: bytes, data: bytes, manifest: Manifest) -> None:
    """Raise ModelError for what is not this model as Google's compiler writes it."""
    theirs, ours = TfliteFile(form), TfliteFile(data)
    if OPERATOR not in form:
        raise _refused(
            f"{compiled.name} has nothing in it for an Edge TPU",
            "Run edgetpu_compiler on what edgehome models export wrote, and import its output.",
        )
    found, wanted = read_interface(theirs), read_interface(ours)
    states = [
        {(s.name, each.tensors[s.newest].scale, _bytes(each, s.past)) for s in interface.states}
        for each, interface in ((theirs, found), (ours, wanted))
    ]
    if not found.stands_for(wanted) or states[0] != states[1]:
        raise _refused(
            f"{compiled.name} was not made of {manifest.name}: pictures, states or embeddings "
            "are of other sizes or scales",
            "Export this very model again, and compile that.",
        )


def _bytes(graph: TfliteFile, index: int) -> int:
    return int(np.prod(graph.tensors[index].shape))


def _refused(why: str, remedy: str) -> ModelError:
    return ModelError("model_refused", f"{why}.", remedy)
