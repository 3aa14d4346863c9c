"""What a stream model as Google publishes it takes and gives: a picture, its states, the logits.

For running such a file as it is, beside ours: `bench` and `models import` compare the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.types import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgehome.recognizer.tflite_file import Signature, Tensor, TfliteFile

_RANK_OF_VIDEO = 5
_PIXEL_VALUES = 256
_REMEDY = "Use a MoViNet whose name says stream, exported with its states as inputs and outputs."


@dataclass(frozen=True, slots=True)
class State:
    """One memory of the model: what it gives after a frame it is given with the next."""

    name: str
    input: int
    """Tensor index."""
    output: int
    """Tensor index; the same as `input` for a state that the graph hands through unused."""


@dataclass(frozen=True, slots=True)
class PublishedInterface:
    """The tensors by which a stream model is driven."""

    image: int
    """Tensor index; (1, 1, size, size, 3)."""
    size: int
    """Height and width in pixels."""
    logits: int
    """Tensor index; (1, classes)."""
    classes: int
    states: tuple[State, ...]


def read_published(model: TfliteFile) -> PublishedInterface:
    """Return the interface of a model that its signature describes, whatever its key is.

    The picture is the input called `image`, or else the only five-dimensional input that is no
    state; the logits are the only output that is no state. Raises ModelError
    (`model_not_stream`) when the model has no states or is not made for single frames.
    """
    if not model.signatures:
        raise _not_stream("it has no signature that names its inputs")
    signature = model.signatures[0]
    states = tuple(
        State(name, index, signature.outputs[name])
        for name, index in signature.inputs.items()
        if name in signature.outputs
    )
    if not states:
        raise _not_stream("none of its inputs comes back as an output, so it has no states")
    image = _image(model, signature)
    shape = model.tensors[image].shape
    if len(shape) != _RANK_OF_VIDEO or shape[:2] != (1, 1) or shape[2] != shape[3]:
        raise _not_stream(f"its picture has shape {shape} instead of (1, 1, size, size, 3)")
    logits = _only([i for n, i in signature.outputs.items() if n not in signature.inputs], "output")
    scores = model.tensors[logits].shape
    if not scores:
        raise _not_stream("its output is a single number")
    return PublishedInterface(image, shape[2], logits, scores[-1], states)


def _image(model: TfliteFile, signature: Signature) -> int:
    if "image" in signature.inputs:
        return signature.inputs["image"]
    others = {n: i for n, i in signature.inputs.items() if n not in signature.outputs}
    videos = [i for i in others.values() if len(model.tensors[i].shape) == _RANK_OF_VIDEO]
    return _only(videos, "picture")


def _only(found: list[int], what: str) -> int:
    if len(found) != 1:
        raise _not_stream(f"it has {len(found)} inputs or outputs that could be its {what}")
    return found[0]


def _not_stream(why: str) -> ModelError:
    return ModelError("model_not_stream", f"this is not a stream model: {why}.", _REMEDY)


def pixel_values(tensor: Tensor, low: float, high: float) -> NDArray[Any]:
    """Return what each of the 256 pixel values becomes in the image input, as it is stored.

    Raises ModelError (`model_refused`) when the input is neither uint8, int8 nor float32.
    """
    real = low + (high - low) * np.arange(_PIXEL_VALUES) / (_PIXEL_VALUES - 1)
    if tensor.dtype == "f4":
        return real.astype(np.float32)
    if tensor.dtype not in {"u1", "i1"} or len(tensor.scale) != 1:
        raise ModelError(
            "model_refused",
            f"The model file is refused: its picture is stored as {tensor.dtype or 'unknown'}.",
            "Use a model whose picture is uint8, int8 or float32.",
        )
    stored = np.round(real / tensor.scale[0]) + tensor.zero_point[0]
    limits = np.iinfo(tensor.dtype)
    return np.clip(stored, limits.min, limits.max).astype(tensor.dtype)
