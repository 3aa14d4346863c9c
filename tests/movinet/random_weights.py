"""Weights of no meaning, with which every activation stays of the order of one."""

from __future__ import annotations

import numpy as np

from edgehome.movinet.architecture import Architecture
from edgehome.movinet.weights import Weight


def random_weights(architecture: Architecture, seed: int) -> dict[str, Weight]:
    """Return a network's weights by name, the same for the same seed."""
    generator = np.random.default_rng(seed)

    def weight(*shape: int, fan_in: int, out: int, gain: float = 2.0) -> Weight:
        kernel = generator.normal(0, np.sqrt(gain / fan_in), shape).astype(np.float32)
        return Weight(kernel, generator.normal(0, 0.1, out).astype(np.float32))

    def pointwise(out: int, given: int, gain: float = 2.0) -> Weight:
        return weight(out, 1, 1, given, fan_in=given, out=out, gain=gain)

    stem, width = architecture.stem, architecture.embedding
    weights = {"stem": weight(stem, 3, 3, 3, fan_in=27, out=stem)}
    for name, layer, given, out in architecture.places():
        inner, space = layer.expand, layer.space
        weights[f"{name}.expand"] = pointwise(inner, given)
        weights[f"{name}.spatial"] = weight(space, space, inner, fan_in=space**2, out=inner)
        if layer.time > 1:
            weights[f"{name}.temporal"] = weight(layer.time, inner, fan_in=layer.time, out=inner)
        if architecture.squeeze_excite:
            reduced = max(8, inner // 4 // 8 * 8)
            weights[f"{name}.squeeze"] = pointwise(reduced, 2 * inner)
            weights[f"{name}.excite"] = pointwise(inner, reduced)
            weights[f"{name}.excite"].bias[:] += 3  # of the hard sigmoid
        if architecture.positional:
            weights[f"{name}.position"] = Weight(np.float32([0.5]), np.float32([]))
        weights[f"{name}.project"] = pointwise(out, inner, gain=0.5)
        if architecture.squeeze_excite:
            weights[f"{name}.project"].kernel[:] /= 6  # of the hard sigmoid
        if layer.stride > 1 or given != out:
            weights[f"{name}.skip"] = pointwise(out, given, gain=1.0)
    weights["head.project"] = pointwise(width, architecture.blocks[-1].channels)
    if architecture.classes:
        hidden, classes = architecture.hidden, architecture.classes
        weights["head.hidden"] = weight(hidden, width, fan_in=width, out=hidden)
        weights["head.logits"] = weight(classes, hidden, fan_in=hidden, out=classes)
    return weights
