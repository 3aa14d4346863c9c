"""Brings a model that is compiled already to where a node reads it, with its manifest and heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgehome.heads.names import FOLDER, head_files, heads_beside
from edgehome.models.selftest import SelfTest, self_test_apart
from edgehome.models.verify import Finding, verify
from edgehome.recognizer.compiled import read_interface
from edgehome.recognizer.edgetpu import edgetpu_file, load_edgetpu
from edgehome.recognizer.manifest import Manifest, load_model
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.statefile import write_atomically
from edgehome.types import ModelError

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied, and how the model does on this machine."""

    path: Path
    """The new model file; its manifest and the folder `heads` are beside it."""
    manifest: Manifest
    heads: tuple[str, ...]
    """Names of the head files that came with it."""
    left_out: tuple[str, ...]
    """Why other heads did not, each a sentence."""
    tested: SelfTest

    def fields(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {
            "file": str(self.path),
            "sha256": self.manifest.sha256,
            "labels": len(self.manifest.labels),
            "heads": list(self.heads),
            "left_out": list(self.left_out),
            "self_test": asdict(self.tested),
        }


def is_compiled(source: Path) -> bool:
    """Return whether the file is one that edgehome runs as it is."""
    try:
        read_interface(TfliteFile(source.read_bytes()))
    except (ModelError, OSError):
        return False
    return True


def copy_model(source: Path, folder: Path, name: str, *, step: Step) -> Copied:
    """Try a compiled file on this machine and copy it; `step` is told what is being done.

    Raises ModelError (that of `load_model` and of the self-test; `manifest_invalid` where there
    is none, `model_refused`, `model_disagrees`) and OSError; nothing is written then.
    """
    manifest, data = load_model(source)
    if not manifest.pinned:
        raise ModelError(
            "manifest_invalid",
            f"{source} is compiled already, and its manifest {source.stem}.json is not beside it.",
            "Copy both files, or import the published one that it was made of.",
        )
    step("running a frame")
    heads, left_out = _heads(source, manifest.embedding, list(verify(source)))
    step("comparing with float32")
    tested = self_test_apart(source)
    if not tested.good:
        raise ModelError(
            "model_disagrees",
            f"{source} does not say on this machine what it said where it was made: it agrees "
            f"with float32 to {tested.correlation:.4f} and strays by {tested.drift:.4f}.",
            "Copy it again, with its manifest; nothing was written.",
        )
    path = folder / f"{name}.tflite"
    files = {folder / FOLDER / head.name: head.read_bytes() for head in heads}
    if manifest.edgetpu:
        files[edgetpu_file(path)] = load_edgetpu(source, manifest)
    step("writing")
    manifest_data = source.with_suffix(".json").read_bytes()
    write_files(files | {path: data, path.with_suffix(".json"): manifest_data})
    return Copied(path, manifest, tuple(head.stem for head in heads), left_out, tested)


def write_files(files: Mapping[Path, bytes]) -> None:
    """Write files for everybody to read, one after the other, each whole. Raises OSError.

    Put a model's manifest last: a model without the right one is refused, never run.
    """
    for path, content in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
        path.chmod(0o644)


def _heads(source: Path, space: str, findings: list[Finding]) -> tuple[list[Path], tuple[str, ...]]:
    """Return the head files that fit this space of embeddings, and what is wrong with others.

    Raises ModelError (`model_refused`) for what was found of the model itself.
    """
    bad = next((found for found in findings if not found.good and found.part != "head"), None)
    if bad:
        raise ModelError("model_refused", f"{source}: {bad.message}.", bad.remedy)
    of_heads = [found for found in findings if found.part == "head"]
    pairs = list(zip(head_files(source), of_heads, strict=True))
    of_space = {path for _, path in heads_beside(source, space)}
    fitting = [path for path, found in pairs if found.good and path in of_space]
    return fitting, tuple(found.message for _, found in pairs if not found.good)
