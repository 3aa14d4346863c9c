"""The numbers of a stream MoViNet, in float32 and ready to compile.

Batch normalisation, the residual scale and every constant factor are folded into kernels and
biases, so that what is left of a network is convolutions, activations, sums and means. Names:

    stem                   conv        kernel (stem, 3, 3, 3)
    bI.lJ.expand           conv 1x1    kernel (expand, 1, 1, in)
    bI.lJ.spatial          depthwise   kernel (space, space, expand)
    bI.lJ.temporal         depthwise   kernel (time, expand), oldest frame first; where time > 1
    bI.lJ.position         factor      kernel (1,); where there is positional encoding
    bI.lJ.squeeze          conv 1x1    kernel (reduced, 1, 1, 2 * expand), mean of all frames
                                       first, this frame's second; where there is squeeze-excite
    bI.lJ.excite           conv 1x1    kernel (expand, 1, 1, reduced)
    bI.lJ.project          conv 1x1    kernel (out, 1, 1, expand)
    bI.lJ.skip             conv 1x1    kernel (out, 1, 1, in), after a 3x3 average pool where
                                       the stride is 2; where stride > 1 or in != out
    head.project           conv 1x1    kernel (embedding, 1, 1, in)
    head.hidden            dense       kernel (hidden, embedding); where there are classes
    head.logits            dense       kernel (classes, hidden)

Every one has a bias, (channels out,). Kernels of convolutions are (out, height, width, in), as in
a .tflite file.

Activations. The network's own (`Architecture.activation`) follows `stem`, `expand`, `spatial`,
`temporal`, `squeeze` and `head.project`. `head.hidden` has one of its own
(`Architecture.hidden_activation`). `excite` is followed by ReLU6, whichever the network's is: the
gate is that of a hard sigmoid, relu6(x + 3) / 6, whose 3 lies in the bias of `excite` and whose
sixth in the kernel of `project`, so that the block is project(temporal *
relu6(excite(squeeze(means)))). `project`, `skip` and `head.logits` are followed by nothing.

Edges. Convolutions in space are padded as TensorFlow's SAME: the output is ceil(size / stride)
wide, the padding needed is max((out - 1) * stride + kernel - size, 0), and where that is odd the
extra row and column of zeros lie below and to the right. With stride 2 and an even size (172, 86,
22) the 3x3 kernel so begins at the first pixel, with nothing above it. The average pool before
`skip` is laid out in the same way, and divides by the number of pixels that lie inside the
picture: 9, but 6 along an edge that needed padding and 4 in its corner.

Time. A temporal convolution sees `time` - 1 past outputs of `spatial` (after its activation) and
the newest one; before the first frame all of them are zero. The code of a frame's place in time,
added to both means before `squeeze`, is `position` times PE, with frames counted from 0 and for
width W = 2 * expand: PE[i] = sin(frame / 10000^(2i/W)) for i < W/2, then cos of the same angles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Weight:
    """One layer's numbers."""

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]


Weights = Mapping[str, Weight]
"""By name, as above."""

Ranges = Mapping[str, tuple[float, float]]
"""Least and greatest value of an activation by the name of the layer it comes out of, after its
activation function. `bI.lJ` itself is the sum of `project` and the way around it, `bI.lJ.gated`
the product that goes into `project` where there is squeeze-excite (times 6, as above); `image` is
0 to 1, `embedding` the mean of `head.project`, `logits` the output."""
