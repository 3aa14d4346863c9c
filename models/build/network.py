"""The student: a stream MoViNet in torch, over whole clips, with batch normalisation.

A clip goes through all at once: frames are a batch to everything but the temporal convolutions,
which see (time, height * width) as a picture. Zeros stand before the first frame, as a stream's
buffers hold zeros at its start, so frame by frame gives the same numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from edgehome.movinet.weights import Weight, Weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgehome.movinet.architecture import Architecture, Layer

_BN_MOMENTUM = 0.05


def _same(x: Tensor, kernel: int, stride: int) -> Tensor:
    """Pad as TensorFlow's SAME does: what is odd goes below and to the right."""
    pads = []
    for size in (x.shape[3], x.shape[2]):
        total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
        pads += [total // 2, total - total // 2]
    return functional.pad(x, pads)


class _Normalised(nn.Module):
    """A convolution without bias and the normalisation behind it."""

    conv: nn.Conv2d
    norm: nn.BatchNorm2d

    def _kernel(self, stored: Tensor) -> Tensor:
        """Return the kernel, (out, in, height, width) in torch, in the order of `Weights`."""
        raise NotImplementedError

    def _stored(self, kernel: Tensor) -> Tensor:
        """Return a kernel of `Weights` as torch has it."""
        raise NotImplementedError

    def folded(self) -> Weight:
        """Return kernel and bias with the normalisation in them, as `Weights` has them."""
        scale = self.norm.weight / torch.sqrt(self.norm.running_var + self.norm.eps)
        bias = self.norm.bias - self.norm.running_mean * scale
        kernel = self._kernel(self.conv.weight * scale[:, None, None, None])
        return Weight(kernel.detach().contiguous().numpy(), bias.detach().numpy())

    def take(self, weight: Weight) -> None:
        """Take numbers in which the normalisation is folded."""
        with torch.no_grad():
            self.conv.weight.copy_(self._stored(torch.from_numpy(weight.kernel.copy())))
            self.conv.bias = nn.Parameter(torch.from_numpy(weight.bias.copy()))
        self.norm = nn.Identity()


class Convolution(_Normalised):
    """A convolution over (frames, channels, height, width), normalised; then ReLU6 or nothing."""

    def __init__(
        self,
        given: int,
        made: int,
        size: int = 1,
        stride: int = 1,
        *,
        depthwise: bool = False,
        active: bool = True,
    ) -> None:
        super().__init__()
        self.size, self.stride, self.active, self.depthwise = size, stride, active, depthwise
        groups = given if depthwise else 1
        even = size // 2 if stride == 1 else 0
        self.conv = nn.Conv2d(given, made, size, stride, even, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(made, momentum=_BN_MOMENTUM)

    def forward(self, x: Tensor) -> Tensor:
        """Return (frames, made, height / stride, width / stride)."""
        if self.stride > 1:
            x = _same(x, self.size, self.stride)
        x = self.norm(self.conv(x))
        return functional.relu6(x) if self.active else x

    def _kernel(self, stored: Tensor) -> Tensor:
        return stored[:, 0].permute(1, 2, 0) if self.depthwise else stored.permute(0, 2, 3, 1)

    def _stored(self, kernel: Tensor) -> Tensor:
        return kernel.permute(2, 0, 1)[:, None] if self.depthwise else kernel.permute(0, 3, 1, 2)


class Temporal(_Normalised):
    """A causal depthwise convolution over the frames of each clip, normalised, ReLU6."""

    def __init__(self, channels: int, time: int) -> None:
        super().__init__()
        self.time = time
        self.conv = nn.Conv2d(channels, channels, (time, 1), groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels, momentum=_BN_MOMENTUM)

    def forward(self, x: Tensor, clips: int) -> Tensor:
        """Return the same shape, (clips * frames, channels, height, width)."""
        frames, channels, height, width = x.shape
        video = x.permute(0, 2, 3, 1).reshape(clips, frames // clips, height * width, channels)
        video = functional.pad(video, (0, 0, 0, 0, self.time - 1, 0)).permute(0, 3, 1, 2)
        video = functional.relu6(self.norm(self.conv(video)))
        return (
            video.permute(0, 2, 3, 1).reshape(frames, height, width, channels).permute(0, 3, 1, 2)
        )

    def _kernel(self, stored: Tensor) -> Tensor:
        return stored[:, 0, :, 0].T

    def _stored(self, kernel: Tensor) -> Tensor:
        return kernel.T[:, None, :, None]


class Bottleneck(nn.Module):
    """One layer of the tables, with the way around it."""

    def __init__(self, layer: Layer, given: int, made: int) -> None:
        super().__init__()
        inside = layer.expand
        self.stride = layer.stride
        self.expand = Convolution(given, inside)
        self.spatial = Convolution(inside, inside, layer.space, layer.stride, depthwise=True)
        self.temporal = Temporal(inside, layer.time) if layer.time > 1 else None
        self.project = Convolution(inside, made, active=False)
        around = layer.stride > 1 or given != made
        self.skip = Convolution(given, made, active=False) if around else None

    def forward(self, x: Tensor, clips: int) -> Tensor:
        """Return (clips * frames, made, height / stride, width / stride)."""
        y = self.spatial(self.expand(x))
        if self.temporal is not None:
            y = self.temporal(y, clips)
        y = self.project(y)
        if self.skip is None:
            return x + y
        if self.stride > 1:
            # Odd sizes are padded all around, even ones below and to the right, as SAME has it.
            odd = x.shape[2] % 2 == 1
            x = functional.avg_pool2d(
                x, 3, 2, padding=int(odd), ceil_mode=not odd, count_include_pad=False
            )
        return self.skip(x) + y


class Student(nn.Module):
    """The backbone: pictures to embeddings."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.architecture = architecture
        self.stem = Convolution(3, architecture.stem, 3, 2)
        self.layers = nn.ModuleList(
            Bottleneck(layer, given, made) for _, layer, given, made in architecture.places()
        )
        self._ends = [
            n + 1 == len(b.layers) for b in architecture.blocks for n in range(len(b.layers))
        ]
        last = architecture.blocks[-1].channels
        self.project = Convolution(last, architecture.embedding)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, clips: Tensor) -> Tensor:
        """Return embeddings, (clips, frames, embedding), of (clips, frames, 3, size, size)."""
        return self.maps(clips)[-1].mean((2, 3)).unflatten(0, clips.shape[:2])

    def maps(self, clips: Tensor) -> list[Tensor]:
        """Return what every block gives, and last what the embedding is the spatial mean of.

        Each is (clips * frames, channels, height, width).
        """
        count = clips.shape[0]
        x = self.stem(clips.flatten(0, 1).contiguous(memory_format=torch.channels_last))
        found = []
        for layer, last in zip(self.layers, self._ends, strict=True):
            x = layer(x, count)
            if last:
                found.append(x)
        return [*found, self.project(x)]

    def take(self, weights: Weights) -> Student:
        """Become a network with these folded numbers, for looking only, and return it."""
        for name, part in self._parts():
            part.take(weights[name])
        return self.eval().requires_grad_(requires_grad=False)

    def folded(self) -> dict[str, Weight]:
        """Return the numbers as the compiler takes them."""
        return {name: part.folded() for name, part in self._parts()}

    def _parts(self) -> Iterator[tuple[str, Convolution | Temporal]]:
        yield "stem", self.stem
        for (place, *_), layer in zip(self.architecture.places(), self.layers, strict=True):
            for name in ("expand", "spatial", "temporal", "project", "skip"):
                part = getattr(layer, name)
                if part is not None:
                    yield f"{place}.{name}", part
        yield "head.project", self.project
