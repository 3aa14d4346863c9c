"""A MoViNet over a whole clip at once, in numpy and float64: what a stream must come to.

Written from the paper and from TensorFlow's definition of SAME padding, without edgehome's
compiler: no states, no folding of time into height, no running means.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgehome.movinet.architecture import Architecture
from edgehome.movinet.weights import Weights

Array = np.ndarray[Any, np.dtype[np.float64]]


def run(architecture: Architecture, weights: Weights, frames: Array) -> dict[str, Array]:
    """Return embedding (frames, width) and logits (frames, classes), pooled from the first on.

    `frames` are (frames, size, size, 3), 0 to 1.
    """
    active = _ACTIVATIONS[architecture.activation]
    x = active(_conv(frames, weights, "stem", stride=2))
    for name, layer, _, _ in architecture.places():
        skip = x
        if f"{name}.skip" in weights:
            skip = _pool(x) if layer.stride == 2 else x
            skip = _conv(skip, weights, f"{name}.skip")
        x = active(_conv(x, weights, f"{name}.expand"))
        x = active(_spatial(x, weights, f"{name}.spatial", layer.stride))
        if layer.time > 1:
            x = active(_temporal(x, weights, f"{name}.temporal"))
        if architecture.squeeze_excite:
            x = x * _gate(x, weights, name, architecture)
        x = _conv(x, weights, f"{name}.project") + skip
    x = active(_conv(x, weights, "head.project"))
    found = {"embedding": x.mean((1, 2))}
    if architecture.classes:
        hidden = weights["head.hidden"]
        y = _ACTIVATIONS[architecture.hidden_activation](
            _so_far(found["embedding"]) @ hidden.kernel.T + hidden.bias
        )
        found["logits"] = y @ weights["head.logits"].kernel.T + weights["head.logits"].bias
    return found


def _relu6(x: Array) -> Array:
    return np.clip(x, 0, 6)


def _hard_swish(x: Array) -> Array:
    return x * _relu6(x + 3) / 6


def _swish(x: Array) -> Array:
    return x / (1 + np.exp(-x))


_ACTIVATIONS = {"relu6": _relu6, "hard_swish": _hard_swish, "swish": _swish}


def _so_far(x: Array) -> Array:
    counts = np.arange(1, len(x) + 1).reshape(-1, *[1] * (x.ndim - 1))
    return np.asarray(x.cumsum(0) / counts)


def _gate(x: Array, weights: Weights, name: str, architecture: Architecture) -> Array:
    """Return six times a hard sigmoid: the kernel of `project` has the sixth."""
    now = x.mean((1, 2), keepdims=True)
    both = np.concatenate((_so_far(now), now), -1)
    if architecture.positional:
        both = both + weights[f"{name}.position"].kernel * _places(len(x), both.shape[-1])
    reduced = _conv(both, weights, f"{name}.squeeze")
    reduced = _ACTIVATIONS[architecture.activation](reduced)
    return _relu6(_conv(reduced, weights, f"{name}.excite"))


def _places(frames: int, width: int) -> Array:
    """Return the code of each frame's place in time, (frames, 1, 1, width)."""
    angles = np.arange(frames)[:, None] / 10_000 ** (2 * np.arange(width // 2) / width)
    return np.concatenate((np.sin(angles), np.cos(angles)), -1)[:, None, None]


def _windows(x: Array, size: int, stride: int, fill: float) -> Array:
    """Return what each place sees: (frames, height, width, channels, size, size)."""
    pads = []
    for length in x.shape[1:3]:
        total = max((-(-length // stride) - 1) * stride + size - length, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(x, ((0, 0), *pads, (0, 0)), constant_values=fill)
    seen = np.lib.stride_tricks.sliding_window_view(padded, (size, size), (1, 2))
    return seen[:, ::stride, ::stride]


def _conv(x: Array, weights: Weights, name: str, stride: int = 1) -> Array:
    weight = weights[name]
    seen = _windows(x, weight.kernel.shape[1], stride, 0.0)
    return (
        np.asarray(np.einsum("thwcij,oijc->thwo", seen, weight.kernel, optimize=True)) + weight.bias
    )


def _spatial(x: Array, weights: Weights, name: str, stride: int) -> Array:
    weight = weights[name]
    seen = _windows(x, weight.kernel.shape[0], stride, 0.0)
    return np.asarray(np.einsum("thwcij,ijc->thwc", seen, weight.kernel)) + weight.bias


def _temporal(x: Array, weights: Weights, name: str) -> Array:
    weight = weights[name]
    time = len(weight.kernel)
    padded = np.concatenate((np.zeros((time - 1, *x.shape[1:])), x))
    total = sum(padded[i : i + len(x)] * weight.kernel[i] for i in range(time))
    return np.asarray(total) + weight.bias


def _pool(x: Array) -> Array:
    return np.asarray(np.nanmean(_windows(x, 3, 2, np.nan), (4, 5)))
