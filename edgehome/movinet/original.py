"""Reads a stream MoViNet out of a .tflite file that Google's tools wrote.

It follows the graph from the image on: a convolution, bottlenecks for as long as a value is used
twice (through the block and around it), the head. Names and numbers of tensors play no part, so
that every file of that structure can be read: int8, dynamic range, float16 or float32, ReLU6 or
hard-swish, with squeeze-excite or without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, cast

from edgehome.movinet.architecture import ARCHITECTURES, Architecture
from edgehome.movinet.original_block import Bottleneck, read_bottleneck
from edgehome.movinet.original_graph import OriginalGraph
from edgehome.movinet.original_head import Head, flat, read_head
from edgehome.movinet.original_layers import Step, read_step, require
from edgehome.recognizer import tflite_file as tflite
from edgehome.recognizer.tflite_file import TfliteFile, refused

if TYPE_CHECKING:
    from edgehome.movinet.architecture import Activation, HiddenActivation
    from edgehome.movinet.weights import Ranges, Weight, Weights

Precision = Literal["int8", "dynamic", "float16", "float32"]

_MOST_LAYERS = 100
_KINDS = {"i2": "int16", "f2": "float16", "u1": "uint8", "i4": "int32", "": "of an unknown type"}


@dataclass(frozen=True, slots=True)
class Original:
    """What a file holds."""

    architecture: Architecture
    weights: Weights
    ranges: Ranges
    """As calibrated; only int8 files have any."""
    precision: Precision
    """How the file stores and computes: `dynamic` is int8 weights, float activations."""
    signature: str
    """The name by which the file is run, `serving_default` or `call`; empty where it has none."""


def read_original(data: bytes, *, labels: int | None = None) -> Original:
    """Return the network in the bytes of a .tflite file, checked for `labels` where given.

    Raises ModelError (`model_refused`), which says what was expected and what was found, for
    every file that is not a stream MoViNet A0 to A5 of the 2+1 dimensional kind.
    """
    file = TfliteFile(data)
    graph = OriginalGraph(file)
    image, stem = _stem(graph)
    given, value = len(stem.weight.bias), stem.value
    found: list[Bottleneck] = []
    while len(graph.users(value)) > 1 and len(found) < _MOST_LAYERS:
        found.append(read_bottleneck(graph, value, given))
        given, value = found[-1].channels, found[-1].value
    head = read_head(graph, value, given)
    architecture = _recognise(stem, found, head, graph.shape(image)[-2])
    if labels is not None and architecture.classes != labels:
        raise refused(f"it gives {architecture.classes} logits, {labels} labels were expected")
    weights, values = _named(architecture, stem, found, head)
    values["image"] = image
    ranges = {name: span for name, value in values.items() if (span := graph.range(value))}
    for (name, *_), layer in zip(architecture.places(), found, strict=True):
        if f"{name}.gated" in ranges:
            least, most = ranges[f"{name}.gated"]
            ranges[f"{name}.gated"] = (least / layer.sixth, most / layer.sixth)
    return Original(architecture, weights, ranges, _precision(graph, stem), _signature(file))


def _stem(graph: OriginalGraph) -> tuple[int, Step]:
    """Return the image's value and the first convolution."""
    users = {value: graph.users(value) for value in graph.inputs if graph.shape(value)[-1:] == (3,)}
    image = [
        value for value, [*by] in users.items() if [user.code for user in by] == [tflite.CONV_2D]
    ]
    require(len(image) == 1, "no input is an image that goes into one convolution")
    shape = graph.shape(image[0])
    require(
        len(shape) >= 4 and shape[-3] == shape[-2] and set(shape[:-3]) == {1},
        f"its image has the shape {shape}, not 1x1xSxSx3",
    )
    step = read_step(graph, users[image[0]][0])
    kind = graph.dtype(step.value)
    require(
        kind in {"f4", "i1"}, f"its activations are {_KINDS.get(kind, kind)}, not int8 or float32"
    )
    window, kernel = step.window, step.weight.kernel.shape
    require(kernel[1:] == (3, 3, 3), f"its first kernel has the shape {kernel}")
    require(
        window is not None and window.same and (window.stride, window.extent) == ((2, 2), (1, 1)),
        "its first convolution has not stride 2 and padding SAME",
    )
    return image[0], step


def _recognise(stem: Step, found: list[Bottleneck], head: Head, size: int) -> Architecture:
    """Return the architecture that has these layers."""
    layers = [(layer.layer, layer.channels) for layer in found]
    ends = (len(stem.weight.bias), len(head.project.weight.bias), len(head.hidden.weight.bias))
    for known in ARCHITECTURES:
        places = [(layer, channels) for _, layer, _, channels in known.places()]
        if (known.stem, known.embedding, known.hidden) == ends and places == layers:
            break
    else:
        widths = " ".join(str(layer.expand) for layer, _ in layers)
        raise refused(
            f"its layers are not those of MoViNet A0 to A5: {ends[0]} channels first, "
            f"{len(layers)} blocks of {widths}, {ends[1]} and {ends[2]} last"
        )
    gates = {"squeeze" in layer.weights for layer in found}
    codes = {"position" in layer.weights for layer in found}
    require(len(gates) == len(codes) == 1, "only some of its blocks have squeeze-excite")
    inside = {stem.activation, head.project.activation}.union(
        *(layer.activations for layer in found)
    )
    require(
        len(inside) == 1 and inside <= {"relu6", "hard_swish"},
        f"its activations are {' and '.join(sorted(inside))}, not all relu6 or all hard_swish",
    )
    hidden = head.hidden.activation
    require(
        hidden in {"relu6", "hard_swish", "swish"}, f"its hidden layer's activation is {hidden}"
    )
    return replace(
        known,
        size=size,
        classes=len(head.logits.weight.bias),
        activation=cast("Activation", inside.pop()),
        hidden_activation=cast("HiddenActivation", hidden),
        squeeze_excite=gates.pop(),
        positional=codes.pop(),
    )


def _named(
    architecture: Architecture, stem: Step, found: list[Bottleneck], head: Head
) -> tuple[dict[str, Weight], dict[str, int]]:
    """Return weights, and the values whose ranges are told, by the names in `weights`."""
    weights = {"stem": stem.weight}
    values = {"stem": stem.value}
    for (name, *_), layer in zip(architecture.places(), found, strict=True):
        weights |= {f"{name}.{part}": weight for part, weight in layer.weights.items()}
        values |= {f"{name}.{part}".rstrip("."): value for part, value in layer.values.items()}
    weights["head.project"] = head.project.weight
    weights["head.hidden"] = flat(head.hidden)
    weights["head.logits"] = flat(head.logits)
    values["head.project"], values["embedding"] = head.project.value, head.embedding
    values["head.hidden"], values["logits"] = head.hidden.value, head.logits.value
    return weights, values


def _precision(graph: OriginalGraph, stem: Step) -> Precision:
    if graph.dtype(stem.value) == "i1":
        return "int8"
    stored = {graph.stored(op.inputs[1]) for op in graph.layers()}
    return "dynamic" if "i1" in stored else "float16" if "f2" in stored else "float32"


def _signature(file: TfliteFile) -> str:
    return file.signatures[0].key if file.signatures else ""
