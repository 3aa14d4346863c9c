"""Cuts a stream model's graph down to what a frame needs: from the picture to its embedding.

A file made for float32 inputs and outputs quantises its picture and every state on the way in and
dequantises every state on the way out. Here the picture and the states are handed over as the
graph stores them, a quarter of the bytes and the same bits; and the pooling and the classifier,
which run outside (see `head`), are left out.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edgehome.recognizer import tflite_file as tflite

if TYPE_CHECKING:
    from edgehome.recognizer.interface import Interface, State
    from edgehome.recognizer.tflite_file import Operator, TfliteFile


@dataclass(frozen=True, slots=True)
class Trimmed:
    """A smaller graph and how it is driven."""

    data: bytes
    """A .tflite file with the same tensors, so their indices still hold."""
    interface: Interface
    """Its picture and its states; the logits are no longer computed."""


def trim(model: TfliteFile, interface: Interface, embedding: int) -> Trimmed | None:
    """Return the graph up to the embedding; None when it has operators that work unseen.

    States that the graph only hands through, and those of the head, are left out.
    """
    if any(not operator.outputs for operator in model.operators):
        return None
    graph = _Graph(model)
    states = [s for s in interface.states if s.input != s.output and not s.is_head]
    states = [graph.stored_state(state) for state in states]
    image = graph.stored_input(interface.image)
    inputs = [image, *(state.input for state in states)]
    outputs = [embedding, *(state.output for state in states)]
    data = model.rewired(inputs=inputs, outputs=outputs, keep=graph.needed(outputs, set(inputs)))
    return Trimmed(data, replace(interface, image=image, states=tuple(states)))


class _Graph:
    def __init__(self, model: TfliteFile) -> None:
        self._model = model
        self._users: dict[int, list[Operator]] = defaultdict(list)
        self._maker: dict[int, int] = {}
        for position, operator in enumerate(model.operators):
            for index in operator.inputs:
                self._users[index].append(operator)
            for index in operator.outputs:
                self._maker[index] = position

    def stored_input(self, index: int) -> int:
        """Return the quantised tensor that an input is only turned into, or the input itself."""
        users = self._users[index]
        if len(users) == 1 and users[0].code == tflite.QUANTIZE:
            return users[0].outputs[0]
        return index

    def stored_state(self, state: State) -> State:
        """Return the state as the graph stores it, if that is the same coming and going."""
        given = self.stored_input(state.input)
        position = self._maker.get(state.output)
        if given == state.input or position is None or self._users[state.output]:
            return state
        maker = self._model.operators[position]
        if maker.code != tflite.DEQUANTIZE:
            return state
        made = maker.inputs[0]
        first, second = self._model.tensors[given], self._model.tensors[made]
        same = (first.dtype, first.scale, first.zero_point) == (
            second.dtype,
            second.scale,
            second.zero_point,
        )
        return replace(state, input=given, output=made) if same else state

    def needed(self, outputs: list[int], inputs: set[int]) -> set[int]:
        """Return the positions of the operators between the inputs and the outputs."""
        found, wanted = set[int](), list(outputs)
        while wanted:
            index = wanted.pop()
            position = self._maker.get(index)
            if index in inputs or position is None or position in found:
                continue
            found.add(position)
            wanted += self._model.operators[position].inputs
        return found
