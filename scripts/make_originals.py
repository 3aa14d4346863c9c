"""Writes stream MoViNets with made-up weights as Google's own tools do, to test the reader with.

    python scripts/make_originals.py FOLDER [NAME ...]

It runs in an environment of its own, never on a node (Python 3.11; some minutes each on two cores):

    pip install "tensorflow-cpu==2.16.2" "tf-keras==2.16.0" "numpy<2" "protobuf<5" pyyaml \
        gin-config tf-slim opencv-python-headless tensorflow-hub tensorflow-model-optimization \
        tensorflow-datasets "tensorflow-metadata<1.16" pycocotools matplotlib
    pip install --no-deps "tf-models-official==2.16.0"

Every number differs from what a fresh network has: statistics of the batch norms, biases, residual
scales and the factor of the positional code too, so that nothing is hidden by zeros and ones.
They repeat themselves after a prime count, so that the files shrink to a hundredth in xz.
For each NAME there are NAME.PRECISION.tflite and NAME.npz: `logits` (frames, classes) of the float
network in TensorFlow, frame by frame, over the pictures of `frames(size)`.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FRAMES = 12
PERIOD = 61


@dataclass(frozen=True)
class Variant:
    """One network to make."""

    model: str
    size: int
    precisions: tuple[str, ...]
    classes: int = 7
    activation: str = "hard_swish"
    """With hard-swish go squeeze-excite and, after the hidden layer, the plain swish."""
    signature: str = "call"
    positional: bool = False


VARIANTS = {
    "a0": Variant("a0", 172, ("float32", "float16", "dynamic", "int8")),
    "a0-relu6": Variant(
        "a0", 172, ("float32", "dynamic", "int8", "int8io"), 9, "relu6", "serving_default"
    ),
    "a1": Variant("a1", 172, ("float32", "dynamic"), 11, signature="serving_default"),
    "a2": Variant("a2", 224, ("float32", "float16"), 600),
    "a3": Variant("a3", 256, ("float32", "dynamic"), 5, positional=True),
    "t0": Variant("t0", 172, ("dynamic",)),
}


def frames(size: int, count: int = FRAMES) -> NDArray[np.uint8]:
    """Return made-up pictures, (count, size, size, 3): patches of colour under noise."""
    random = np.random.default_rng(size)
    cell = -(-size // 8)
    patches = random.integers(0, 192, (count, 8, 8, 3)).repeat(cell, 1).repeat(cell, 2)
    noise = random.integers(0, 64, (count, size, size, 3))
    return (patches[:, :size, :size] + noise).astype(np.uint8)


def main() -> None:
    """Make the networks named on the command line, or all."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    context = importlib.import_module("tensorflow.python.autograph.core.ag_ctx")
    with context.ControlStatusCtx(context.Status.DISABLED):  # five times faster without
        for name in sys.argv[2:] or VARIANTS:
            make(folder, name, VARIANTS[name])


def make(folder: Path, name: str, variant: Variant) -> None:
    """Write one network in its precisions, and its logits."""
    tf = importlib.import_module("tensorflow")
    model = build(variant)
    change(model, seed=len(name))
    predict = step(model, variant.size)
    seen = list(run(model, predict, variant.size))
    np.savez(folder / f"{name}.npz", logits=np.concatenate([logits for _, logits in seen]))
    with tempfile.TemporaryDirectory() as saved:
        # The variables alone, not the Keras model, of which each layer would be traced by itself.
        held = tf.Module()
        held.held = model.variables
        tf.saved_model.save(held, saved, signatures={variant.signature: predict})
        for precision in variant.precisions:
            data = convert(saved, variant.signature, precision, [inputs for inputs, _ in seen])
            (folder / f"{name}.{precision}.tflite").write_bytes(data)
            print(name, precision, len(data), flush=True)


def step(model: Any, size: int) -> Any:  # noqa: ANN401
    """Return the function of one frame that the public export_saved_model writes."""
    tf = importlib.import_module("tensorflow")
    shape = (1, 1, size, size, 3)

    def predict(inputs: dict[str, Any]) -> dict[str, Any]:
        logits, states = model(inputs)
        return {**states, "logits": logits}

    inputs = {
        name: tf.TensorSpec(state.shape, name=name, dtype=state.dtype)
        for name, state in model.initial_state_specs(shape).items()
    }
    inputs["image"] = tf.TensorSpec(shape, dtype=model.dtype, name="image")
    return tf.function(predict, autograph=False).get_concrete_function(inputs)


def build(variant: Variant) -> Any:  # noqa: ANN401
    """Return the public code's network, its weights as they begin."""
    keras = importlib.import_module("tf_keras")
    movinet = importlib.import_module("official.projects.movinet.modeling.movinet")
    models = importlib.import_module("official.projects.movinet.modeling.movinet_model")
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    swish = variant.activation == "hard_swish"
    specification = keras.layers.InputSpec(shape=(1, 1, variant.size, variant.size, 3))
    backbone = movinet.Movinet(
        model_id=variant.model,
        causal=True,
        conv_type="2plus1d",
        se_type="2plus3d" if swish else "none",
        activation=variant.activation,
        gating_activation="hard_sigmoid",
        use_positional_encoding=variant.positional,
        input_specs=specification,
        use_sync_bn=False,
        use_external_states=True,
    )
    model = models.MovinetClassifier(
        backbone,
        num_classes=variant.classes,
        output_states=True,
        input_specs={"image": specification},
        activation="simple_swish" if swish else "relu6",
    )
    model.build((1, 1, variant.size, variant.size, 3))
    return model


def change(model: Any, seed: int) -> None:  # noqa: ANN401
    """Give every variable new numbers."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        shape, name = tuple(variable.shape), variable.name.partition(":")[0].rpartition("/")[2]
        if "kernel" in name:
            depthwise = "depthwise" in name
            count = np.prod(shape[:2]) if depthwise else np.prod(shape[:-1])
            numbers = kernel(random, shape, depthwise=depthwise) / count**0.5
        elif name == "scale":
            numbers = random.choice([-1, 1]) * random.uniform(0.3, 0.7, shape)
        elif name in {"gamma", "moving_variance"}:
            numbers = random.uniform(0.6, 1.6, 3)[np.arange(shape[0]) % 3]
        else:
            numbers = np.resize(random.normal(0, 0.3, PERIOD), shape)
        variable.assign(np.asarray(numbers, np.float32))


def kernel(
    random: np.random.Generator, shape: tuple[int, ...], *, depthwise: bool
) -> NDArray[np.float64]:
    """Return numbers that repeat in the order in which a .tflite file stores them."""
    period = random.normal(0, 1, PERIOD)
    numbers = np.resize(period - period.mean(), np.prod(shape))
    if depthwise:
        return numbers.reshape(shape)
    return np.moveaxis(numbers.reshape(shape[-1], *shape[:-1]), 0, -1)


def run(
    model: Any,  # noqa: ANN401
    predict: Any,  # noqa: ANN401
    size: int,
) -> Iterator[tuple[dict[str, Any], NDArray[np.float32]]]:
    """Yield, frame by frame, what goes into the network and the logits."""
    tf = importlib.import_module("tensorflow")
    states = model.init_states((1, 1, size, size, 3))
    for picture in frames(size):
        inputs = {**states, "image": (picture[None, None] / np.float32(255)).astype(np.float32)}
        states = dict(predict(**{key: tf.constant(value) for key, value in inputs.items()}))
        logits = states.pop("logits").numpy()
        yield {key: np.asarray(value) for key, value in inputs.items()}, logits


def convert(saved: str, signature: str, precision: str, samples: list[dict[str, Any]]) -> bytes:
    """Return the .tflite file; int8io has int8 in and out, int8 has float."""
    tf = importlib.import_module("tensorflow")
    converter = tf.lite.TFLiteConverter.from_saved_model(saved, signature_keys=[signature])
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision.startswith("int8"):
        converter.representative_dataset = lambda: ((signature, sample) for sample in samples)
    if precision == "int8io":
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = tf.int8
        converter.inference_output_type = tf.int8
    return bytes(converter.convert())


if __name__ == "__main__":
    main()
