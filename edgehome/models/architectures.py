"""Which MoViNet a file is, told by the states that its graph carries from frame to frame."""

from __future__ import annotations

from collections import Counter

from edgehome.movinet import architecture
from edgehome.movinet.architecture import Architecture
from edgehome.recognizer.tflite_file import TfliteFile

_RANK_OF_VIDEO = 5


def architecture_of(graph: TfliteFile) -> str:
    """Return `a0` to `a5` for a file as Google's tools write it, or "" when none fits.

    Each temporal convolution has one state, (1, frames, height, width, channels), so the frames
    and channels of all of them tell the networks apart.
    """
    if not graph.signatures:
        return ""
    signature = graph.signatures[0]
    shapes = [
        graph.tensors[index].shape
        for name, index in signature.inputs.items()
        if name in signature.outputs and "pool" not in name
    ]
    found = Counter((s[1], s[-1]) for s in shapes if len(s) == _RANK_OF_VIDEO)
    known = [value for value in vars(architecture).values() if isinstance(value, Architecture)]
    return next((network.name for network in known if _states(network) == found), "")


def _states(network: Architecture) -> Counter[tuple[int, int]]:
    layers = [layer for _, layer, _, _ in network.places()]
    return Counter((layer.time - 1, layer.expand) for layer in layers if layer.time > 1)
