"""MoViNet A0 to A5 as tables of blocks.

Numbers are those of the paper (Kondratyuk et al., MoViNets, CVPR 2021, https://arxiv.org/abs/2103.11511,
appendix C) as the authors' own code states them (tensorflow/models, official/projects/movinet).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Activation = Literal["relu6", "hard_swish"]
HiddenActivation = Literal["relu6", "hard_swish", "swish"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One bottleneck: expand 1x1, depthwise in space, depthwise in time, [gate], project 1x1."""

    expand: int
    """Channels inside."""
    time: int
    """Frames that the causal temporal convolution sees; 1: there is none."""
    space: int
    """Width and height of the spatial depthwise convolution."""
    stride: int
    """In space; in time it is always 1."""


@dataclass(frozen=True, slots=True)
class Block:
    """Layers with the same number of output channels."""

    channels: int
    layers: tuple[Layer, ...]


@dataclass(frozen=True, slots=True)
class Architecture:
    """A stream MoViNet, all but its numbers."""

    name: str
    """`a0` to `a5`."""
    size: int
    """Height and width of a frame, in pixels."""
    stem: int
    """Channels after the first convolution, 3x3 with stride 2."""
    blocks: tuple[Block, ...]
    embedding: int
    """Channels of the last 1x1 convolution, whose spatial mean is a frame's embedding."""
    hidden: int
    """Width of the layer between the pooled embedding and the logits."""
    classes: int = 0
    """Labels of the built-in head; 0: it has none, nor the hidden layer."""
    activation: Activation = "relu6"
    hidden_activation: HiddenActivation = "relu6"
    """After the hidden layer; Google's hard-swish files have the plain swish, x * sigmoid(x)."""
    squeeze_excite: bool = False
    """Whether each layer is gated by its frame's mean and by the mean of all frames so far."""
    positional: bool = False
    """Whether a code of the frame's place in time is added to both means (A3 to A5)."""

    def places(self) -> Iterator[tuple[str, Layer, int, int]]:
        """Yield each layer as its name `b0.l0`, itself, and its channels in and out."""
        given = self.stem
        for number, block in enumerate(self.blocks):
            for position, layer in enumerate(block.layers):
                yield f"b{number}.l{position}", layer, given, block.channels
                given = block.channels


def _block(channels: int, *layers: tuple[int, int, int, int]) -> Block:
    return Block(channels, tuple(Layer(*layer) for layer in layers))


A0 = Architecture(
    name="a0",
    size=172,
    stem=8,
    blocks=(
        _block(8, (24, 1, 5, 2)),
        _block(32, (80, 3, 3, 2), (80, 3, 3, 1), (80, 3, 3, 1)),
        _block(56, (184, 5, 3, 2), (112, 3, 3, 1), (184, 3, 3, 1)),
        _block(56, (184, 5, 3, 1), (184, 3, 3, 1), (184, 3, 3, 1), (184, 3, 3, 1)),
        _block(104, (384, 5, 3, 2), (280, 1, 5, 1), (280, 1, 5, 1), (344, 1, 5, 1)),
    ),
    embedding=480,
    hidden=2048,
)
