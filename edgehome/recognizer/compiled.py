"""What a file that edgehome compiled takes and gives, as `movinet.compiler` lays it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgehome.types import ModelError

if TYPE_CHECKING:
    from edgehome.recognizer.tflite_file import TfliteFile

_RANK_OF_PICTURE = 4
_RANK_OF_VIDEO = 5


@dataclass(frozen=True, slots=True)
class State:
    """The frames that one temporal convolution still sees."""

    name: str
    past: int
    """Tensor index of an input: the earlier frames, the oldest first, along dimension 1."""
    newest: int
    """Tensor index of an output: this frame."""


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over time that is kept outside the graph."""

    now: int
    """Tensor index of an output: this frame's part, float32, `width` numbers."""
    width: int
    earlier: int | None
    """Tensor index of an input: the sum of the earlier frames' parts; None where nobody asks."""


@dataclass(frozen=True, slots=True)
class Interface:
    """The tensors by which a compiled file is driven."""

    image: int
    """Tensor index; int8 (1, size, size, 3), the picture's bytes xor 0x80."""
    size: int
    """Height and width in pixels."""
    states: tuple[State, ...]
    means: tuple[Mean, ...]
    """The embedding first, then one for each squeeze-excite block."""
    inverse: int | None
    """Tensor index; one over the number of frames, this one included."""
    positions: tuple[int, ...]
    """Tensor indices of the codes of a frame's place in time; only A3 to A5 ask for them."""
    logits: int | None
    """Tensor index; None for a file without a classifier of its own."""
    classes: int

    @property
    def width(self) -> int:
        """Return how many numbers an embedding has."""
        return self.means[0].width


def read_interface(model: TfliteFile) -> Interface:
    """Return the interface of a compiled file.

    Raises ModelError: `model_not_compiled` for a stream model that is to be imported first, and
    `model_not_stream` for anything else.
    """
    if not model.signatures:
        raise _not_stream("it has no signature that names its inputs")
    given, made = model.signatures[0].inputs, model.signatures[0].outputs
    shapes = [model.tensors[index].shape for index in given.values()]
    if any(len(shape) == _RANK_OF_VIDEO for shape in shapes):
        raise ModelError(
            "model_not_compiled",
            "This is a model as it was published, not yet one that edgehome runs.",
            "Run: edgehome models import FILE, and name what that writes in recognizer.model.",
        )
    if "image" not in given or "embedding" not in made:
        raise _not_stream("it takes no image, or gives no embedding")
    shape = model.tensors[given["image"]].shape
    if len(shape) != _RANK_OF_PICTURE or shape[1] != shape[2] or shape[3] != 3:
        raise _not_stream(f"its picture has shape {shape} instead of (1, size, size, 3)")
    logits = made.get("logits")
    return Interface(
        image=given["image"],
        size=shape[1],
        states=tuple(State(n, i, made[n]) for n, i in given.items() if n in made),
        means=_means(model),
        inverse=given.get("inverse"),
        positions=tuple(i for n, i in given.items() if n.endswith("position")),
        logits=logits,
        classes=model.tensors[logits].shape[-1] if logits is not None else 0,
    )


def _means(model: TfliteFile) -> tuple[Mean, ...]:
    given, made = model.signatures[0].inputs, model.signatures[0].outputs
    pairs = [("embedding", "sum")]
    pairs += [(name, f"{name.removesuffix('mean')}sum") for name in made if name.endswith(".mean")]
    return tuple(
        Mean(made[now], model.tensors[made[now]].shape[-1], given.get(earlier))
        for now, earlier in pairs
    )


def _not_stream(why: str) -> ModelError:
    return ModelError(
        "model_not_stream",
        f"This is not a model that edgehome runs: {why}.",
        "Use the model that ships with edgehome, or import one: edgehome models import FILE.",
    )
