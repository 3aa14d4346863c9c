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
    sum           float32 (1, 1, 1, embedding): the embeddings of the frames before this one,
                  added up; where there are classes
    bI.lJ.sum     float32 (1, 1, 1, channels): the same of that layer's means over the picture;
                  where there is squeeze-excite
    bI.lJ.position  float32 (1, 1, 1, 2 * channels): the code of the frame's place in time, PE in
                  `weights`; where there is positional encoding
    inverse       float32 (1, 1, 1, 1): 1 through the number of frames, this one counted
outputs
    embedding     float32 (1, embedding)
    bI.lJ         cpu: (1, height, width, channels); tpu: (1, 1, height * width, channels)
    bI.lJ.mean    float32 (1, 1, 1, channels): this frame's mean over the picture
    logits        float32 (1, classes); where there are classes
"""

from __future__ import annotations

from typing import Literal

from edgehome.movinet.architecture import Architecture, Layer
from edgehome.movinet.graph import Tensor
from edgehome.movinet.int8 import Int8Layers
from edgehome.movinet.layers import FloatLayers, Follows
from edgehome.movinet.operators import Operators
from edgehome.movinet.weights import Ranges, Weights

Precision = Literal["int8", "dyn", "float32"]
Form = Literal["cpu", "tpu"]

EXPOSED = "activation/"
"""What the names of outputs begin with that are there to be measured."""


def compile_movinet(
    architecture: Architecture,
    weights: Weights,
    ranges: Ranges,
    *,
    precision: Precision,
    form: Form,
    expose: bool = False,
) -> bytes:
    """Return a .tflite file; `ranges` are only needed for int8, and there for every layer.

    With `expose`, every activation that a range could be given for is an output too, under its
    name after EXPOSED.
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
        self._layers: FloatLayers
        if precision == "int8":
            self._layers = Int8Layers(self._graph, weights, ranges, paired=form == "cpu")
        else:
            self._layers = FloatLayers(self._graph, weights, dynamic=precision == "dyn")
        self._weights = weights
        self._form = form
        self._expose = expose

    def compile(self) -> bytes:
        layers, architecture = self._layers, self._architecture
        x = layers.image(architecture.size)
        if architecture.classes or architecture.squeeze_excite:
            self._inverse = self._graph.input("inverse", (1, 1, 1, 1), "float32")
        x = self._seen("stem", layers.stem(x, architecture.activation))
        for name, layer, _, _ in architecture.places():
            x = self._seen(name, self._bottleneck(x, name, layer))
        x = self._conv(x, "head.project", architecture.activation)
        embedding = self._seen("embedding", layers.mean(x, "embedding", keep=False))
        self._graph.output("embedding", embedding)
        if architecture.classes:
            self._classify(embedding)
        return self._graph.finish()

    def _bottleneck(self, given: Tensor, name: str, layer: Layer) -> Tensor:
        activation = self._architecture.activation
        x = self._conv(given, f"{name}.expand", activation)
        x = self._layers.spatial(x, f"{name}.spatial", activation, stride=layer.stride)
        x = self._seen(f"{name}.spatial", x)
        if layer.time > 1:
            x = self._seen(f"{name}.temporal", self._temporal(x, name, layer))
        if self._architecture.squeeze_excite:
            x = self._seen(f"{name}.gated", self._gated(x, name))
        x = self._conv(x, f"{name}.project", "none")
        if f"{name}.skip" in self._weights:
            if layer.stride > 1:
                given = self._layers.pool(given, f"{name}.pool")
            given = self._conv(given, f"{name}.skip", "none")
        return self._layers.add(given, x, name)

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
            frame = self._layers.reshape(frame, (1, 1, height * width, channels), f"{name}/newest")
        state = graph.input(name, shape, frame.kind, frame.scale)
        graph.output(name, frame)
        x = self._layers.temporal(
            state, frame, f"{name}.temporal", self._architecture.activation, dilation=dilation
        )
        if self._form == "tpu":
            x = self._layers.reshape(x, (1, height, width, channels), f"{name}/picture")
        return x

    def _gated(self, x: Tensor, name: str) -> Tensor:
        """Let this frame's mean and that of all frames decide how much of each channel passes."""
        graph, layers = self._graph, self._layers
        now = self._seen(f"{name}.mean", layers.mean(x, f"{name}.mean", keep=True))
        graph.output(f"{name}.mean", now)
        means = graph.concatenate((self._over_time(now, f"{name}."), now), 3, f"{name}/means")
        if self._architecture.positional:
            place = graph.input(f"{name}.position", means.shape, "float32")
            factor = self._weights[f"{name}.position"].kernel.reshape(1, 1, 1, 1)
            factor_tensor = graph.constant(f"{name}/factor", factor)
            place = graph.multiply(place, factor_tensor, f"{name}/place", None)
            means = graph.add(means, place, f"{name}/placed", None)
        squeezed = layers.conv(means, f"{name}.squeeze", self._architecture.activation)
        gate = layers.conv(squeezed, f"{name}.excite", "relu6")
        return layers.gate(x, gate, f"{name}.gated")

    def _over_time(self, now: Tensor, prefix: str) -> Tensor:
        """Return the mean of this frame's value and the earlier ones, whose sum is an input."""
        graph = self._graph
        earlier = graph.input(f"{prefix}sum", (1, 1, 1, now.shape[-1]), "float32")
        total = graph.add(earlier, now, f"{prefix}total", None)
        return graph.multiply(total, self._inverse, f"{prefix}average", None)

    def _classify(self, embedding: Tensor) -> None:
        mean = self._over_time(embedding, "")
        x = self._layers.dense(mean, "head.hidden", self._architecture.hidden_activation)
        x = self._layers.dense(self._seen("head.hidden", x), "head.logits", "none")
        self._graph.output("logits", self._seen("logits", x))

    def _conv(self, given: Tensor, name: str, follows: Follows) -> Tensor:
        return self._seen(name, self._layers.conv(given, name, follows))

    def _seen(self, name: str, tensor: Tensor) -> Tensor:
        if self._expose:
            self._graph.output(EXPOSED + name, tensor)
        return tensor
