"""Writes a stream MoViNet as a .tflite file that looks at one frame at a time.

The states are in the caller's hands: each input `bI.lJ` holds the frames that a temporal
convolution still sees, oldest first, and the output of the same name is the newest of them. Means
over time are the caller's too, in float32, so that nothing drifts: the graph adds this frame to
the sum that it is given and multiplies by the inverse of the count. In full:

inputs
    image         int8 (1, size, size, 3): the RGB picture's bytes xor 0x80
    bI.lJ         cpu: (1, (time - 1) * height, width, channels), frames below one another
                  tpu: (1, time - 1, height * width, channels)
                  int8 in int8 files, else float32; in int8, zero is its zero point
    sum, inverse  float32 (1, 1, 1, embedding), (1, 1, 1, 1); where there are classes
outputs
    embedding     float32 (1, embedding)
    bI.lJ         cpu: (1, height, width, channels); tpu: (1, 1, height * width, channels)
    logits        float32 (1, classes); where there are classes
"""

from __future__ import annotations

from typing import Literal

from edgehome.movinet.architecture import Architecture, Layer
from edgehome.movinet.graph import Tensor
from edgehome.movinet.layers import FloatLayers, Int8Layers
from edgehome.movinet.operators import Operators
from edgehome.movinet.weights import Ranges, Weights

Precision = Literal["int8", "dyn", "float32"]
Form = Literal["cpu", "tpu"]


def compile_movinet(
    architecture: Architecture,
    weights: Weights,
    ranges: Ranges,
    *,
    precision: Precision,
    form: Form,
    expose: bool = False,
) -> bytes:
    """Return a .tflite file; `ranges` are only needed for int8.

    With `expose`, every activation that a range could be given for is an output too, as
    `activation/NAME`.
    """
    return _Compiler(architecture, weights, ranges, precision, form, expose=expose).compile()


class _Compiler:
    def __init__(
        self,
        architecture: Architecture,
        weights: Weights,
        ranges: Ranges,
        precision: Precision,
        form: Form,
        *,
        expose: bool,
    ) -> None:
        self._architecture = architecture
        self._graph = Operators(f"edgehome MoViNet {architecture.name}, {precision}, {form}")
        activation = architecture.activation
        self._layers: FloatLayers
        if precision == "int8":
            self._layers = Int8Layers(self._graph, weights, activation, ranges)
        else:
            dynamic = precision == "dyn"
            self._layers = FloatLayers(self._graph, weights, activation, dynamic=dynamic)
        self._weights = weights
        self._form = form
        self._expose = expose

    def compile(self) -> bytes:
        layers, architecture = self._layers, self._architecture
        x = layers.image(architecture.size)
        x = self._seen("stem", layers.conv(x, "stem", stride=2, active=True))
        for name, layer, _, _ in architecture.places():
            x = self._seen(name, self._bottleneck(x, name, layer))
        x = self._seen("head.project", layers.conv(x, "head.project", active=True))
        embedding = self._seen("embedding", layers.mean(x, "embedding"))
        self._graph.output("embedding", embedding)
        if architecture.classes:
            self._classify(embedding)
        return self._graph.finish()

    def _bottleneck(self, given: Tensor, name: str, layer: Layer) -> Tensor:
        layers = self._layers
        x = self._seen(f"{name}.expand", layers.conv(given, f"{name}.expand", active=True))
        x = layers.spatial(x, f"{name}.spatial", stride=layer.stride)
        x = self._seen(f"{name}.spatial", x)
        if layer.time > 1:
            x = self._seen(f"{name}.temporal", self._temporal(x, name, layer))
        x = self._seen(f"{name}.project", layers.conv(x, f"{name}.project", active=False))
        return layers.add(self._way_around(given, name, layer), x, name)

    def _way_around(self, given: Tensor, name: str, layer: Layer) -> Tensor:
        if f"{name}.skip" not in self._weights:
            return given
        if layer.stride > 1:
            given = self._layers.pool(given, f"{name}.pool")
        return self._seen(f"{name}.skip", self._layers.conv(given, f"{name}.skip", active=False))

    def _temporal(self, frame: Tensor, name: str, layer: Layer) -> Tensor:
        """Convolve this frame with those before, and offer it as the newest state."""
        graph, past = self._graph, layer.time - 1
        _, height, width, channels = frame.shape
        if self._form == "cpu":
            shape = (1, past * height, width, channels)
            dilation = height
        else:
            shape = (1, past, height * width, channels)
            dilation = 1
            frame = graph.reshape(frame, (1, 1, height * width, channels), f"{name}/newest")
        state = graph.input(name, shape, frame.kind, frame.scale)
        graph.output(name, frame)
        frames = graph.concatenate((state, frame), 1, f"{name}/frames")
        x = self._layers.temporal(frames, f"{name}.temporal", dilation=dilation)
        if self._form == "tpu":
            x = graph.reshape(x, (1, height, width, channels), f"{name}/picture")
        return x

    def _classify(self, embedding: Tensor) -> None:
        graph, layers = self._graph, self._layers
        earlier = graph.input("sum", (1, 1, 1, self._architecture.embedding), "float32")
        inverse = graph.input("inverse", (1, 1, 1, 1), "float32")
        mean = graph.multiply(graph.add(earlier, embedding, "total", None), inverse, "mean", None)
        hidden = self._seen("head.hidden", layers.dense(mean, "head.hidden", active=True))
        graph.output(
            "logits", self._seen("logits", layers.dense(hidden, "head.logits", active=False))
        )

    def _seen(self, name: str, tensor: Tensor) -> Tensor:
        if self._expose:
            self._graph.output(f"activation/{name}", tensor)
        return tensor
