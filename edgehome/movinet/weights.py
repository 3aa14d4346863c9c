"""The numbers of a stream MoViNet, in float32 and ready to compile.

Batch normalisation, the residual scale and every constant factor are folded into kernels and
biases, so that what is left of a network is convolutions, activations, sums and means. Names:

    stem                   conv        kernel (stem, 3, 3, 3)
    bI.lJ.expand           conv 1x1    kernel (expand, 1, 1, in)
    bI.lJ.spatial          depthwise   kernel (space, space, expand)
    bI.lJ.temporal         depthwise   kernel (time, expand), oldest frame first; where time > 1
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
a .tflite file. `expand`, `spatial`, `temporal`, `head.project` and `head.hidden` are followed by the
activation, `stem` too; `project`, `skip` and `head.logits` by none.
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
activation function. `bI.lJ` itself is the sum of `project` and the way around it; `image` is 0 to 1,
`embedding` the mean of `head.project`, `logits` the output."""
