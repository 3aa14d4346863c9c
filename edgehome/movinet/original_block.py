"""One bottleneck of an original graph: through it, around it, and their sum."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edgehome.movinet.architecture import Layer
from edgehome.movinet.original_gate import read_gate
from edgehome.movinet.original_layers import only, read_step, require
from edgehome.movinet.weights import Weight
from edgehome.recognizer import tflite_file as tflite

if TYPE_CHECKING:
    from edgehome.movinet.original_graph import OriginalGraph
    from edgehome.movinet.original_layers import Step
    from edgehome.recognizer.tflite_file import Operator

_DEPTHWISE = tflite.DEPTHWISE_CONV_2D

_NONE = Layer(0, 1, 0, 1)


@dataclass(slots=True)
class Bottleneck:
    """What was found of one layer; names are those of `weights` less the `bI.lJ.`."""

    given: int
    """Channels in."""
    value: int
    """What goes in and, when all is read, what comes out."""
    layer: Layer = _NONE
    channels: int = 0
    """Channels out."""
    weights: dict[str, Weight] = field(default_factory=dict)
    values: dict[str, int] = field(default_factory=dict)
    """What each step gives, after its activation; the sum under the empty name."""
    sixth: float = 1.0
    """What the gate's ReLU6 is multiplied with in the file; folded into `project` here."""
    activations: set[str] = field(default_factory=set)

    def take(self, name: str, step: Step, weight: Weight | None = None) -> Step:
        """Note a step under its name, and return it."""
        self.weights[name] = step.weight if weight is None else weight
        self.values[name] = step.value
        if name not in {"skip", "project", "excite"}:
            self.activations.add(step.activation)
        return step


def read_bottleneck(graph: OriginalGraph, value: int, given: int) -> Bottleneck:
    """Return the layer that a value with that many channels goes into.

    Raises ModelError (`model_refused`) where the graph is built otherwise.
    """
    found = Bottleneck(given, value)
    expand, around = _branches(graph, found)
    spatial = _spatial(graph, found, expand)
    last, time = _temporal(graph, found, spatial)
    width = len(expand.weight.bias)
    found.layer = Layer(width, time, spatial.weight.kernel.shape[1], _stride(spatial))
    gated = last.value
    if len(last.users) > 1:
        gate = read_gate(graph, last.value, last.users, width)
        found.take("squeeze", gate.squeeze)
        found.take("excite", gate.excite)
        if gate.position is not None:
            found.weights["position"] = factor(gate.position)
        found.values["gated"], gated, found.sixth = gate.gated, gate.gated, gate.sixth
    project = found.take("project", read_step(graph, only(graph.users(gated), "a projection")))
    kernel, bias = project.weight.kernel, project.weight.bias
    found.weights["project"] = Weight(kernel * kernel.dtype.type(found.sixth), bias)
    found.channels = len(bias)
    require(kernel.shape[1:] == (1, 1, width), f"a projection has a kernel of {kernel.shape}")
    plain = found.layer.stride == 1 and given == found.channels
    require(plain != bool(around), "the way around a block is not the one that its shape needs")
    _sum(graph, found, {project.value, around.value if around else value})
    return found


def factor(number: float) -> Weight:
    """Return one number as a weight."""
    return Weight(np.full(1, number, np.float32), np.zeros(1, np.float32))


def _branches(graph: OriginalGraph, found: Bottleneck) -> tuple[Step, Step | None]:
    """Return the expansion, and the convolution on the way around the block if there is one."""
    users = graph.users(found.value)
    require(len(users) == 2, f"a block's input is used {len(users)} times, not twice")
    steps = [read_step(graph, user) for user in users if user.code == tflite.CONV_2D]
    inside = [step for step in steps if step.users and step.users[0].code == _DEPTHWISE]
    require(len(inside) == 1, "a block does not begin with one expansion")
    expand = found.take("expand", _pointwise(inside[0], found.given))
    around = [step for step in steps if step is not expand]
    pool = next((user for user in users if user.code == tflite.AVERAGE_POOL_2D), None)
    if pool:
        _check_pool(pool)
        following = only(graph.users(pool.outputs[0]), "a convolution after the average pool")
        around = [read_step(graph, following)]
    if not around:
        return expand, None
    skip = found.take("skip", _pointwise(around[0], found.given))
    require(skip.activation == "none", f"the way around a block ends in {skip.activation}")
    return expand, skip


def _pointwise(step: Step, given: int) -> Step:
    shape = step.weight.kernel.shape
    require(shape[1:] == (1, 1, given), f"a kernel has the shape {shape}, not 1x1x{given}")
    require(step.window is not None and step.window.stride == (1, 1), "a 1x1 convolution strides")
    return step


def _check_pool(pool: Operator) -> None:
    window = pool.window
    require(
        window is not None
        and window.same
        and window.extent == (3, 3)
        and window.stride == (2, 2)
        and pool.activation == "none",
        "the pool around a block is not 3x3 with stride 2 and padding SAME",
    )


def _spatial(graph: OriginalGraph, found: Bottleneck, expand: Step) -> Step:
    """Return the depthwise convolution in space."""
    step = read_step(graph, only(expand.users, "a depthwise convolution"))
    shape, window = step.weight.kernel.shape, step.window
    require(
        step.code == _DEPTHWISE and shape == (1, shape[1], shape[1], len(expand.weight.bias)),
        f"a depthwise kernel has the shape {shape}",
    )
    require(
        window is not None and window.same and window.extent == (1, 1),
        "a depthwise convolution is dilated, or not padded as SAME",
    )
    return found.take("spatial", step, Weight(step.weight.kernel[0], step.weight.bias))


def _stride(step: Step) -> int:
    down, across = step.window.stride if step.window else (0, 0)
    require(down == across, "a stride is not the same down and across")
    return down


def _temporal(graph: OriginalGraph, found: Bottleneck, spatial: Step) -> tuple[Step, int]:
    """Return the step whose value goes on, and how many frames it sees."""
    joined = spatial.users[0] if spatial.users else None
    if joined is None or joined.code != tflite.CONCATENATION:
        return spatial, 1
    only(spatial.users, "joining the past frames")
    require(
        len(joined.inputs) == 2
        and graph.value(joined.inputs[1]) == spatial.value
        and graph.value(joined.inputs[0]) in graph.inputs,
        "past frames are not joined as state first, newest frame second",
    )
    following = [user for user in graph.users(joined.outputs[0]) if user.code == _DEPTHWISE]
    step = read_step(graph, only(following, "a temporal convolution"))
    shape, window = step.weight.kernel.shape, step.window
    width = len(spatial.weight.bias)
    require(shape == (1, shape[1], 1, width), f"a temporal kernel has the shape {shape}")
    frames = graph.shape(joined.outputs[0])[1:2]
    require(
        window is not None
        and not window.same
        and (window.stride, window.extent) == ((1, 1), (1, 1))
        and frames == (shape[1],),
        "a temporal convolution is not one over all the frames that it is given",
    )
    found.take("temporal", step, Weight(step.weight.kernel[0, :, 0], step.weight.bias))
    return step, shape[1]


def _sum(graph: OriginalGraph, found: Bottleneck, ways: set[int]) -> None:
    """Go on to the sum of the way through and the way around."""
    operator = only(graph.users(found.values["project"]), "the sum after a projection")
    require(
        operator.code == tflite.ADD
        and operator.activation == "none"
        and {graph.value(i) for i in operator.inputs if i >= 0} == ways,
        "a block does not end in the sum of its two ways",
    )
    found.value = found.values[""] = operator.outputs[0]
