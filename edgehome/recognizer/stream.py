"""Drives an interpreter one frame at a time: the picture in, the states carried, tensors out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edgehome.types import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from edgehome.recognizer.interface import Interface, State
    from edgehome.recognizer.tflite_file import Tensor, TfliteFile

_PIXEL_VALUES = 256


class StreamModel:
    """A stream model in an interpreter, with its states.

    Tensors are reached by `interpreter.tensor(index)`, which gives a view of the runtime's own
    buffer when it is called. Such a view must not be kept: while one lives, `invoke()` raises
    RuntimeError. So each is taken anew for every frame and dropped at once, which costs about a
    microsecond; copies between addresses taken once would save 1 % of a step and be unsafe.

    A state is carried by one copy from the buffer it came out in to the buffer it goes in by; a
    state that the graph hands through has one buffer for both and none is made. LiteRT's
    CompiledModel, which could swap the two instead, was measured at the same speed within noise
    (0.076 against 0.075 of the same reference), and crashed on truncated files.
    """

    def __init__(
        self,
        *,
        interpreter: Any,  # noqa: ANN401
        graph: TfliteFile,
        interface: Interface,
        low: float,
        high: float,
    ) -> None:
        self._interpreter = interpreter
        self._tensors = graph.tensors
        self._image = interpreter.tensor(interface.image)
        self._values = pixel_values(graph.tensors[interface.image], low, high)
        self._carried = [
            (interpreter.tensor(state.input), interpreter.tensor(state.output))
            for state in interface.states
            if state.input != state.output
        ]

    @property
    def carried_bytes(self) -> int:
        """Return the bytes that are copied from frame to frame."""
        return sum(given().nbytes for given, _made in self._carried)

    def zero(self, states: Iterable[State]) -> None:
        """Set states to zero: to the stored value that stands for zero where it is quantised."""
        for state in states:
            zero_point = self._tensors[state.input].zero_point
            self._interpreter.tensor(state.input)()[...] = zero_point[0] if zero_point else 0

    def step(self, image: NDArray[np.uint8]) -> None:
        """Run one frame, uint8 RGB (size, size, 3), and carry the states to the next."""
        # With mode="clip", which cannot clip here, numpy writes to the buffer without a copy.
        np.take(self._values, image, out=self._image()[0, 0], mode="clip")
        self._interpreter.invoke()
        for given, made in self._carried:
            np.copyto(given(), made())

    def read(self, index: int) -> NDArray[np.float32]:
        """Return a tensor's real values, flat, as a copy."""
        tensor = self._tensors[index]
        values: NDArray[np.float32] = self._interpreter.get_tensor(index).ravel().astype(np.float32)
        if not tensor.scale:
            return values
        zero_point = tensor.zero_point[0] if tensor.zero_point else 0
        return (values - np.float32(zero_point)) * np.float32(tensor.scale[0])


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
