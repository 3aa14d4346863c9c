"""What a file that edgehome compiled takes and gives, as `movinet.compiler` lays it out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgehome.types import ModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgehome.recognizer.tflite_file import Tensor, TfliteFile

_RANK = 4
_RANK_OF_VIDEO = 5
_OUTPUTS = {"head.logits": "logits"}
"""Tensors that are offered under another name."""


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

    def stands_for(self, other: Interface) -> bool:
        """Return whether it takes the same picture, and gives embedding and logits of one size."""
        ours, theirs = (
            (each.size, each.classes, [mean.width for mean in each.means]) for each in (self, other)
        )
        return ours == theirs


def read_interface(model: TfliteFile) -> Interface:
    """Return the interface of a compiled file.

    Raises ModelError: `model_not_compiled` for a stream model that is to be imported first, and
    `model_not_stream` for anything else.
    """
    given, made = _names(model)
    shapes = [model.tensors[index].shape for index in given.values()]
    if any(len(shape) == _RANK_OF_VIDEO for shape in shapes):
        raise ModelError(
            "model_not_compiled",
            "This is a model as it was published, not yet one that edgehome runs.",
            "Run: edgehome models import FILE, and name what that writes in recognizer.model.",
        )
    if "image" not in given or "embedding" not in made:
        raise _not_stream("it takes no image, or gives no embedding")
    logits = made.get("logits")
    interface = Interface(
        image=given["image"],
        size=_size(model.tensors[given["image"]]),
        states=tuple(State(n, i, made[n]) for n, i in given.items() if n in made),
        means=_means(model, given, made),
        inverse=given.get("inverse"),
        positions=tuple(i for n, i in given.items() if n.endswith("position")),
        logits=logits,
        classes=math.prod(model.tensors[logits].shape) if logits is not None else 0,
    )
    _check(model, given, interface)
    return interface


def _names(model: TfliteFile) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """Return the inputs and the outputs by name.

    Google's compiler for the Edge TPU is of the year in which signatures came, and may drop them;
    then the tensors' own names tell, as `movinet` gives them.
    """
    if model.signatures:
        return model.signatures[0].inputs, model.signatures[0].outputs
    given = {model.tensors[index].name: index for index in model.inputs}
    if "image:in" not in given:
        raise _not_stream("it has no signature that names its inputs")
    made = {model.tensors[index].name: index for index in model.outputs}
    return (
        {name.removesuffix(":in"): index for name, index in given.items()},
        {_OUTPUTS.get(n, n).removesuffix("/newest"): index for n, index in made.items()},
    )


def _size(picture: Tensor) -> int:
    """Return the height and width of the picture."""
    shape = picture.shape
    if picture.dtype != "i1" or len(shape) != _RANK or shape != (1, shape[1], shape[1], 3):
        stored = picture.dtype or "a type that is not known"
        raise _not_stream(f"its picture is {stored} {shape} instead of i1 (1, size, size, 3)")
    return shape[1]


def _check(model: TfliteFile, given: Mapping[str, int], interface: Interface) -> None:
    """Raise ModelError for tensors that are not of the type or the shape they are driven with."""
    known = [interface.image, interface.inverse, *interface.positions]
    known += [state.past for state in interface.states] + [m.earlier for m in interface.means]
    strange = [name for name, index in given.items() if index not in known]
    if strange:
        raise _not_stream(f"it asks for {strange[0]!r}, which edgehome does not know")
    for state in interface.states:
        past, newest = model.tensors[state.past], model.tensors[state.newest]
        if not _follow(past, newest):
            raise _not_stream(
                f"its state {state.name} is {past.dtype} {past.shape}, "
                f"and its newest frame {newest.dtype} {newest.shape}"
            )
    numbers = {index: mean.width for mean in interface.means for index in (mean.now, mean.earlier)}
    numbers |= {interface.inverse: 1, interface.logits: interface.classes}
    numbers |= {index: math.prod(model.tensors[index].shape) for index in interface.positions}
    for index, count in numbers.items():
        tensor = None if index is None else model.tensors[index]
        if tensor and (tensor.dtype != "f4" or math.prod(tensor.shape) != count or count < 1):
            raise _not_stream(f"{tensor.name} is {tensor.dtype} {tensor.shape}, not {count} f4")


def _follow(past: Tensor, newest: Tensor) -> bool:
    """Whether the newest frame can be moved up into the past ones as it is."""
    return (
        past.dtype in {"i1", "f4"}
        and (past.dtype, past.scale, past.zero_point)
        == (newest.dtype, newest.scale, newest.zero_point)
        and len(past.shape) == len(newest.shape) == _RANK
        and (past.shape[0], *past.shape[2:]) == (newest.shape[0], *newest.shape[2:])
        and 0 < newest.shape[1] <= past.shape[1]
        and past.shape[1] % newest.shape[1] == 0
    )


def _means(
    model: TfliteFile, given: Mapping[str, int], made: Mapping[str, int]
) -> tuple[Mean, ...]:
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
