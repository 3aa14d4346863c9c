"""Makes a published stream MoViNet one that edgehome runs, and holds the two against each other.

Weights and calibrated ranges are read out of the file, and the same network is written in our own
graph. A ReLU6 network becomes int8 where that agrees with its float32, every other one keeps float
activations ("dyn"). What disagrees with the original is refused, and nothing is written.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from edgehome.models.agreement import Agreement, outputs
from edgehome.models.copying import Step, write_files
from edgehome.models.frames import scenes
from edgehome.models.published_run import published_outputs
from edgehome.models.selftest import LEAST_CORRELATION, packed
from edgehome.movinet.calibrate import measure_ranges, tightened
from edgehome.movinet.compiler import Form, Precision, compile_movinet
from edgehome.movinet.original import Original, read_original
from edgehome.recognizer.tflite_file import refused
from edgehome.types import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgehome.models.labels import Described

_LEAST_CORRELATION = {"int8": 0.6, "dynamic": 0.97, "float16": 0.99, "float32": 0.99}
"""Of our float32 with the original, by how the original computes: its own errors are no fault.

Google's int8 A0 has 0.96 on the bundled pictures, but int8 files of hard-swish networks were
measured at 0.7: their sums, int8 too, lose a part of every frame.
"""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import made."""

    path: Path
    original: Original
    precision: Precision
    with_float: Agreement
    """Of the file that was written, with float32 from the same weights."""
    with_original: Agreement
    """Of float32 from the same weights, with the original."""
    manifest: dict[str, Any]

    def fields(self, ratio: float) -> dict[str, Any]:
        """Return it as a JSON object, with the step's time as a share of the original's."""
        return {
            "file": str(self.path),
            "sha256": self.manifest["sha256"],
            "labels": len(self.manifest["labels"]),
            **{k: v for k, v in self.manifest["compiled"].items() if k != "reference"},
            "step_ratio": ratio,
        }


@dataclass(frozen=True, slots=True)
class Wish:
    """How a model is to be imported."""

    folder: Path
    name: str
    form: Form = "cpu"
    precision: Literal["auto", "int8", "dyn", "float32"] = "auto"


def import_model(source: Path, about: Described, wish: Wish, *, step: Step) -> Imported:
    """Read, compile, compare and write; `step` is told what is being done.

    Raises ModelError (`model_missing`, `model_refused`, `model_disagrees`) and OSError.
    """
    path = wish.folder / f"{wish.name}.tflite"
    if path.resolve() == source.resolve():
        raise ModelError(
            "model_refused",
            f"The compiled model would take the place of {source}, the published file.",
            "Give it another name: --name NAME.",
        )
    step("reading the weights")
    original = _read(source, about)
    pictures = scenes(original.architecture.size)
    step("running the original")
    theirs = list(published_outputs(source))
    step("compiling")
    reference = outputs(_compile(original, "float32", "cpu", pictures), pictures)
    with_original = Agreement.of(reference, theirs)
    _demand(with_original, original)
    compiled, precision, with_float = _choose(original, wish, pictures, reference, step)
    step("writing")
    agreement = {"with_float": asdict(with_float), "with_original": asdict(with_original)}
    manifest = _manifest(original, about, compiled, precision) | {
        "compiled": _facts(original, wish, precision, about.sha256)
        | {"agreement": agreement, "reference": packed(reference)}
    }
    _write(path, compiled, manifest)
    return Imported(path, original, precision, with_float, with_original, manifest)


def _read(source: Path, about: Described) -> Original:
    """Return the network in the file. Raises ModelError, which names the file."""
    try:
        return read_original(about.data, labels=len(about.labels) or None)
    except ModelError as error:
        raise ModelError(
            error.problem.code,
            f"{source}: {error.problem.message}",
            "Import a MoViNet-stream file, A0 to A5, as Google's tools write it; if it is one, "
            "copy or download it again.",
        ) from error


def name_for(source: Path, about: Described) -> str:
    """Return the name of the new file: `movinet-a0` where the space is known, else like the old."""
    return about.embedding.rpartition("-")[0] or f"{source.stem}-edgehome"


def _compile(
    original: Original, precision: Precision, form: Form, pictures: Sequence[NDArray[np.uint8]]
) -> bytes:
    architecture, weights = original.architecture, original.weights
    ranges = tightened(original.ranges)
    if precision == "int8" and not ranges:
        ranges = measure_ranges(architecture, weights, pictures)
    return compile_movinet(architecture, weights, ranges, precision=precision, form=form)


def _choose(
    original: Original,
    wish: Wish,
    pictures: Sequence[NDArray[np.uint8]],
    reference: Sequence[NDArray[np.float32]],
    step: Step,
) -> tuple[bytes, Precision, Agreement]:
    """Return the file, how it computes, and its agreement with float32."""
    tried: tuple[Precision, ...] = ("int8", "dyn")
    if wish.precision != "auto":
        tried = (wish.precision,)
    elif original.architecture.activation != "relu6":
        tried = ("dyn",)  # hard-swish ruins int8: a third of the labels agree at best
    for precision in tried:
        step(f"comparing {precision} with float32")
        compiled = _compile(original, precision, wish.form, pictures)
        agreement = Agreement.of(outputs(compiled, pictures), reference)
        if agreement.correlation >= LEAST_CORRELATION:
            return compiled, precision, agreement
    raise ModelError(
        "model_disagrees",
        f"Computed in {tried[-1]}, the model's logits correlate only to "
        f"{agreement.correlation:.3f} with float32, where {LEAST_CORRELATION} is asked for.",
        "Import it with --precision dyn or --precision float32.",
    )


def _demand(agreement: Agreement, original: Original) -> None:
    """Raise ModelError when ours is another network than the original."""
    least = _LEAST_CORRELATION[original.precision]
    if agreement.correlation < least:
        raise ModelError(
            "model_disagrees",
            f"Our graph of this model disagrees with the file itself: logits correlate to "
            f"{agreement.correlation:.3f} over {agreement.frames} frames, where a "
            f"{original.precision} file should reach {least}.",
            "It is a kind of network that edgehome does not know; nothing was written.",
        )


def _manifest(
    original: Original, about: Described, compiled: bytes, precision: Precision
) -> dict[str, Any]:
    architecture = original.architecture
    labels = list(about.labels) or [f"class {n}" for n in range(architecture.classes)]
    title = about.title.removesuffix(f", {precision}")
    return {
        "name": f"{title}, {precision}",
        "sha256": hashlib.sha256(compiled).hexdigest(),
        "labels": labels,
        "rate": about.rate,
        "size": architecture.size,
        "crop": "center",
        "range": [0, 1],
        "licence": about.licence or "unknown",
        "source": about.source,
        "embedding": about.embedding or f"movinet-{architecture.name}-{about.sha256[:12]}",
    }


def _facts(original: Original, wish: Wish, precision: Precision, sha256: str) -> dict[str, Any]:
    architecture = original.architecture
    return {
        "architecture": architecture.name,
        "activation": architecture.activation,
        "squeeze_excite": architecture.squeeze_excite,
        "precision": precision,
        "form": wish.form,
        "from": sha256,
    }


def _write(path: Path, compiled: bytes, manifest: dict[str, Any]) -> None:
    """Write the manifest last: a file without the right one is refused, never run."""
    if not compiled:
        raise refused("there is nothing to write")
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    write_files({path: compiled, path.with_suffix(".json"): text.encode()})
