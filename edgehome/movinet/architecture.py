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

# fmt: off
A1 = Architecture(
    name="a1",
    size=172,
    stem=16,
    blocks=(
        _block(16, (40, 1, 5, 2), (40, 3, 3, 1)),
        _block(40, (96, 3, 3, 2), (120, 3, 3, 1), (96, 3, 3, 1), (96, 3, 3, 1)),
        _block(64, (216, 5, 3, 2), (128, 3, 3, 1), (216, 3, 3, 1), (168, 3, 3, 1),
               (216, 3, 3, 1)),
        _block(64, (216, 5, 3, 1), (216, 3, 3, 1), (216, 3, 3, 1), (128, 3, 3, 1), (128, 1, 5, 1),
               (216, 3, 3, 1)),
        _block(136, (456, 5, 3, 2), (360, 1, 5, 1), (360, 1, 5, 1), (360, 1, 5, 1),
               (456, 1, 5, 1), (456, 3, 3, 1), (544, 1, 3, 1)),
    ),
    embedding=600,
    hidden=2048,
)

A2 = Architecture(
    name="a2",
    size=224,
    stem=16,
    blocks=(
        _block(16, (40, 1, 5, 2), (40, 3, 3, 1), (64, 3, 3, 1)),
        _block(40, (96, 3, 3, 2), (120, 3, 3, 1), (96, 3, 3, 1), (96, 3, 3, 1), (120, 3, 3, 1)),
        _block(72, (240, 5, 3, 2), (160, 3, 3, 1), (240, 3, 3, 1), (192, 3, 3, 1),
               (240, 3, 3, 1)),
        _block(72, (240, 5, 3, 1), (240, 3, 3, 1), (240, 3, 3, 1), (240, 3, 3, 1), (144, 1, 5, 1),
               (240, 3, 3, 1)),
        _block(144, (480, 5, 3, 2), (384, 1, 5, 1), (384, 1, 5, 1), (480, 1, 5, 1),
               (480, 1, 5, 1), (480, 3, 3, 1), (576, 1, 3, 1)),
    ),
    embedding=640,
    hidden=2048,
)

A3 = Architecture(
    name="a3",
    size=256,
    stem=16,
    blocks=(
        _block(16, (40, 1, 5, 2), (40, 3, 3, 1), (64, 3, 3, 1), (40, 3, 3, 1)),
        _block(48, (112, 3, 3, 2), (144, 3, 3, 1), (112, 3, 3, 1), (112, 1, 5, 1), (144, 3, 3, 1),
               (144, 3, 3, 1)),
        _block(80, (240, 5, 3, 2), (152, 3, 3, 1), (240, 3, 3, 1), (192, 3, 3, 1),
               (240, 3, 3, 1)),
        _block(88, (264, 5, 3, 1), (264, 3, 3, 1), (264, 3, 3, 1), (264, 3, 3, 1), (160, 1, 5, 1),
               (264, 3, 3, 1), (264, 3, 3, 1), (264, 3, 3, 1)),
        _block(168, (560, 5, 3, 2), (448, 1, 5, 1), (448, 1, 5, 1), (560, 1, 5, 1),
               (560, 1, 5, 1), (560, 3, 3, 1), (448, 1, 5, 1), (448, 1, 5, 1), (560, 3, 3, 1),
               (672, 1, 3, 1)),
    ),
    embedding=744,
    hidden=2048,
)

A4 = Architecture(
    name="a4",
    size=290,
    stem=24,
    blocks=(
        _block(24, (64, 1, 5, 2), (64, 3, 3, 1), (96, 3, 3, 1), (64, 3, 3, 1), (96, 3, 3, 1),
               (64, 3, 3, 1)),
        _block(56, (168, 3, 3, 2), (168, 3, 3, 1), (136, 3, 3, 1), (136, 3, 3, 1), (168, 3, 3, 1),
               (168, 3, 3, 1), (168, 3, 3, 1), (136, 1, 5, 1), (136, 3, 3, 1)),
        _block(96, (320, 5, 3, 2), (160, 3, 3, 1), (320, 3, 3, 1), (192, 3, 3, 1), (320, 3, 3, 1),
               (160, 3, 3, 1), (320, 3, 3, 1), (256, 3, 3, 1), (320, 3, 3, 1)),
        _block(96, (320, 5, 3, 1), (320, 3, 3, 1), (320, 3, 3, 1), (320, 3, 3, 1), (192, 1, 5, 1),
               (320, 3, 3, 1), (320, 3, 3, 1), (192, 3, 3, 1), (320, 3, 3, 1), (320, 3, 3, 1)),
        _block(192, (640, 5, 3, 2), (512, 1, 5, 1), (512, 1, 5, 1), (640, 1, 5, 1),
               (640, 1, 5, 1), (640, 3, 3, 1), (512, 1, 5, 1), (512, 1, 5, 1), (640, 1, 5, 1),
               (768, 1, 5, 1), (640, 1, 5, 1), (640, 3, 3, 1), (768, 3, 3, 1)),
    ),
    embedding=856,
    hidden=2048,
)

A5 = Architecture(
    name="a5",
    size=320,
    stem=24,
    blocks=(
        _block(24, (64, 1, 5, 2), (64, 1, 5, 1), (96, 3, 3, 1), (64, 3, 3, 1), (96, 3, 3, 1),
               (64, 3, 3, 1)),
        _block(64, (192, 5, 3, 2), (152, 3, 3, 1), (152, 3, 3, 1), (152, 3, 3, 1), (192, 3, 3, 1),
               (192, 3, 3, 1), (192, 3, 3, 1), (152, 3, 3, 1), (152, 3, 3, 1), (192, 3, 3, 1),
               (192, 3, 3, 1)),
        _block(112, (376, 5, 3, 2), (224, 3, 3, 1), (376, 3, 3, 1), (376, 3, 3, 1),
               (296, 3, 3, 1), (376, 3, 3, 1), (224, 3, 3, 1), (376, 3, 3, 1), (376, 3, 3, 1),
               (296, 3, 3, 1), (376, 3, 3, 1), (376, 3, 3, 1), (376, 3, 3, 1)),
        _block(120, (376, 5, 3, 1), (376, 3, 3, 1), (376, 3, 3, 1), (376, 3, 3, 1),
               (224, 1, 5, 1), (376, 3, 3, 1), (376, 3, 3, 1), (224, 3, 3, 1), (376, 3, 3, 1),
               (376, 3, 3, 1), (376, 3, 3, 1)),
        _block(224, (744, 5, 3, 2), (744, 3, 3, 1), (600, 1, 5, 1), (600, 1, 5, 1),
               (744, 1, 5, 1), (744, 1, 5, 1), (744, 3, 3, 1), (896, 1, 5, 1), (600, 1, 5, 1),
               (600, 1, 5, 1), (896, 1, 5, 1), (744, 1, 5, 1), (744, 3, 3, 1), (896, 1, 5, 1),
               (600, 1, 5, 1), (600, 1, 5, 1), (744, 1, 5, 1), (744, 3, 3, 1)),
    ),
    embedding=992,
    hidden=2048,
)
# fmt: on

ARCHITECTURES = (A0, A1, A2, A3, A4, A5)
"""All of them, the smallest first."""
