"""Drives a compiled file as the recogniser does, as plainly as can be: for tests only."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from edgehome.movinet.graph import SIGNATURE
from edgehome.recognizer.litert import open_interpreter
from edgehome.recognizer.tflite_file import TfliteFile

Array = np.ndarray[Any, Any]


class Driver:
    """One stream: states and sums over a window, from image to logits."""

    def __init__(self, data: bytes, *, window: int = 1_000_000, threads: int = 1) -> None:
        graph = TfliteFile(data)
        (signature,) = graph.signatures
        assert signature.key == SIGNATURE
        self.inputs, self.outputs, self.tensors = signature.inputs, signature.outputs, graph.tensors
        self.interpreter = open_interpreter(data, threads=threads)
        self.states = [name for name in self.outputs if name in self.inputs]
        self.means = [name for name in self.outputs if name.endswith(".mean")]
        self.window = window
        self.reset()

    def view(self, index: int) -> Array:
        """Return the runtime's own memory; not to be kept over an invoke."""
        return self.interpreter.tensor(index)()

    def reset(self) -> None:
        for name in self.states:
            index = self.inputs[name]
            self.view(index)[...] = (self.tensors[index].zero_point or (0,))[0]
        self.past: deque[dict[str, Array]] = deque(maxlen=max(0, self.window - 1))
        self.frames = 0
        self.sums: dict[str, Array] = {}

    def left_outside_xnnpack(self) -> list[str]:
        """Return what shows that the one delegate does not do all the work; empty: it does."""
        nodes = self.interpreter._get_ops_details()
        delegates = [node for node in nodes if node["op_name"] == "DELEGATE"]
        if len(delegates) != 1:
            return [f"{len(delegates)} partitions"]
        inputs, outputs = (set(delegates[0][key].tolist()) for key in ("inputs", "outputs"))
        computed = {index for node in nodes[:-1] for index in node["outputs"].tolist()}
        return [
            *(f"made outside: {self.tensors[i].name}" for i in inputs & computed),
            *(f"made outside: {n}" for n, i in self.outputs.items() if i not in outputs),
        ]

    def step(self, image: Array) -> dict[str, Array]:
        """Look at an RGB picture, uint8 (size, size, 3); return all that is not a state."""
        self.view(self.inputs["image"])[0] = (image ^ 0x80).view(np.int8)
        if "inverse" in self.inputs:
            self.view(self.inputs["inverse"])[...] = 1 / (len(self.past) + 1)
        for name in self.inputs:
            if name == "sum" or name.endswith(".sum"):
                self.view(self.inputs[name])[...] = self.sums.get(name, 0)
            if name.endswith(".position"):
                width = self.tensors[self.inputs[name]].shape[-1]
                self.view(self.inputs[name])[...] = _places(self.frames, width)
        self.frames += 1
        self.interpreter.invoke()
        found = {
            name: self.view(index).copy()
            for name, index in self.outputs.items()
            if name not in self.states
        }
        for name in self.states:
            state, newest = self.view(self.inputs[name]), self.view(self.outputs[name])
            rows = newest.shape[1]
            state[:, :-rows] = state[:, rows:].copy()
            state[:, -rows:] = newest
        self._remember(found)
        return found

    def _remember(self, found: dict[str, Array]) -> None:
        now = {"sum": found["embedding"].reshape(-1).astype(np.float64)}
        for name in self.means:
            now[f"{name.removesuffix('.mean')}.sum"] = found[name].reshape(-1).astype(np.float64)
        leaving = self.past[0] if self.past and len(self.past) == self.past.maxlen else None
        for name, value in now.items():
            total = self.sums.get(name, 0) + value
            self.sums[name] = total - leaving[name] if leaving else total
        self.past.append(now)


def _places(frame: int, width: int) -> Array:
    angles = frame / 10_000 ** (2 * np.arange(width // 2) / width)
    return np.concatenate((np.sin(angles), np.cos(angles)))
