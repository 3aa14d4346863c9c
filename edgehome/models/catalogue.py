"""Public model files that `edgehome models fetch` knows: Google's MoViNet A0 to A2 for streams.

Addresses: Kaggle took over TensorFlow Hub's files with their version numbers and gives them as a
.tar.gz (tensorflow/examples, lite/examples/video_classification/raspberry_pi/setup.sh); the bucket
`tfhub-lite-models` and tfhub.dev, which came before it, gave the bare file. Versions are those of
tensorflow/tfhub.dev, assets/docs/tensorflow/models/movinet, where version 2 of the float16 files
mends a wrong architecture. The hash of a0 int8 is that of two copies with different histories.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

_KAGGLE = "https://www.kaggle.com"
_VARIATION = "{size}-stream-kinetics-600-classification-tflite-{precision}"
_HUB = "tensorflow/lite-model/movinet/{size}/stream/kinetics-600/classification/tflite/{precision}"
_LABELS = "https://raw.githubusercontent.com/tensorflow/models/{at}/official/projects/movinet/files"

Precision = Literal["int8", "float16"]


@dataclass(frozen=True, slots=True)
class PublicFile:
    """One file and where it lies."""

    file: str
    """Its name here."""
    addresses: tuple[str, ...]
    """URLs, the best first; each gives the file, or a .tar.gz that holds it."""
    sha256: str = ""
    """In hexadecimal; empty where nobody has vouched for one yet."""


@dataclass(frozen=True, slots=True)
class PublicModel:
    """A model, its labels, and what its manifest will say."""

    name: str
    """As it is asked for."""
    title: str
    model: PublicFile
    labels: PublicFile
    size: int
    """Height and width of a frame, in pixels."""
    rate: float
    """Frames a second."""
    licence: str
    source: str
    """A page about it, for people."""


KINETICS_600 = PublicFile(
    file="kinetics600_label_map.txt",
    addresses=tuple(
        _LABELS.format(at=at) + "/kinetics_600_labels.txt"
        for at in ("f8af2291cced43fc9f1d9b41ddbf772ae7b0d7d2", "master")
    ),
    sha256="8dfca4202520ea8291ce0242ef33b006d0a0772b409663c090a2876bc1978dcf",
)


def _movinet(size: str, pixels: int, precision: Precision, sha256: str = "") -> PublicModel:
    version = 1 if precision == "int8" else 2
    variation = _VARIATION.format(size=size, precision=precision)
    hub = _HUB.format(size=size, precision=precision)
    return PublicModel(
        name=f"movinet-{size}-{precision}",
        title=f"MoViNet-{size.upper()} stream, Kinetics-600, {precision}",
        model=PublicFile(
            file=f"movinet-{size}-stream-{precision}.tflite",
            addresses=(
                f"{_KAGGLE}/api/v1/models/google/movinet/tfLite/{variation}/{version}/download",
                f"https://storage.googleapis.com/tfhub-lite-models/{hub}/{version}.tflite",
                f"https://tfhub.dev/{hub}/{version}?lite-format=tflite",
            ),
            sha256=sha256,
        ),
        labels=KINETICS_600,
        size=pixels,
        rate=5.0,
        licence="Apache-2.0",
        source=f"{_KAGGLE}/models/google/movinet/tfLite/{variation}",
    )


_A0_INT8 = "6125b36e2485eeb5cc1fd6206cf5e5d70235593fbc84610d1dce97fe3aa9c2ac"

CATALOGUE: Mapping[str, PublicModel] = {
    model.name: model
    for model in (
        _movinet("a0", 172, "int8", _A0_INT8),
        _movinet("a1", 172, "int8"),
        _movinet("a2", 224, "int8"),
        _movinet("a0", 172, "float16"),
        _movinet("a1", 172, "float16"),
        _movinet("a2", 224, "float16"),
    )
}
"""By the name that is asked for."""
