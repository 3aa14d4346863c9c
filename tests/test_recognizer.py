"""The recogniser on the real Kinetics-600 network and real clips."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_model import frames, softmax, steps

from edgehome.camera import open_clip
from edgehome.movinet.published import pixel_values, read_published
from edgehome.recognizer.litert import open_interpreter
from edgehome.recognizer.recognizer import Recognizer
from edgehome.recognizer.tflite_file import TfliteFile

RATE = 5.0
LABELS = 600
ARM_WRESTLING = 11  # its place in Kinetics-600
Image = np.ndarray[Any, np.dtype[np.uint8]]
Scores = np.ndarray[Any, np.dtype[np.float32]]


def images(clip: Path, size: int = 172) -> list[Image]:
    """Return the clip's pictures as the node would see them."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with open_clip(clip, size=size, rate=RATE, start=start) as camera:
        return [frame.image for frame in camera.frames()]


@pytest.fixture(scope="module")
def wrestling(clips: Path) -> list[Image]:
    return images(clips / "kinetics" / "mmaction2_demo.mp4")


@pytest.fixture(scope="module")
def street(clips: Path) -> list[Image]:
    """80 s of pedestrians."""
    return images(clips / "normal" / "opencv_vtest.mp4")


@pytest.fixture(scope="module")
def recognizer(k600_model: Path) -> Iterator[Recognizer]:
    with Recognizer(k600_model, threads=1) as opened:
        yield opened


def test_it_says_arm_wrestling_of_arm_wrestling(
    recognizer: Recognizer, wrestling: list[Image]
) -> None:
    scores = steps(recognizer, wrestling)
    assert recognizer.labels[scores[-1].argmax()] == "arm wrestling"
    assert scores[-1].max() > 0.9
    assert scores.shape == (len(wrestling), LABELS)
    assert np.allclose(scores.sum(axis=1), 1, atol=1e-5)
    assert recognizer.degraded is None
    assert recognizer.warm == pytest.approx(min(1, len(wrestling) / 50))


@pytest.mark.parametrize("ensemble", [2, 3])
def test_an_ensemble_says_it_too(k600_model: Path, wrestling: list[Image], ensemble: int) -> None:
    with Recognizer(k600_model, threads=1, ensemble=ensemble) as recognizer:
        scores = steps(recognizer, wrestling)
    assert scores[-1].argmax() == ARM_WRESTLING
    assert scores[-1].max() > 0.5


def test_it_gives_the_same_bytes_every_time(
    recognizer: Recognizer, k600_model: Path, wrestling: list[Image]
) -> None:
    first = steps(recognizer, wrestling)
    assert steps(recognizer, wrestling).tobytes() == first.tobytes()
    with Recognizer(k600_model, threads=1) as another:
        assert steps(another, wrestling).tobytes() == first.tobytes()


def test_a_shorter_window_says_what_a_recogniser_of_that_window_says(
    k600_model: Path, wrestling: list[Image], street: list[Image]
) -> None:
    """To the rounding of the graph's own classifier, which computes in eight bits."""
    pictures = [*wrestling[-20:], *street[:30]]
    with Recognizer(k600_model, threads=1, shorter_s=(3.0,)) as recognizer:
        scores = steps(recognizer, pictures)
        assert recognizer.labels[LABELS + ARM_WRESTLING] == "arm wrestling@3s"
    with Recognizer(k600_model, threads=1, window_s=3.0) as alone:
        expected = steps(alone, pictures)
    assert np.allclose(scores[:, LABELS:], expected, atol=0.05)
    long, short = scores[-1, ARM_WRESTLING], scores[-1, LABELS + ARM_WRESTLING]
    assert short < long / 2  # three seconds after the last of it has left the shorter window


# An always-on camera: 20 minutes of the street, the 80 s clip over and over.

TWENTY_MINUTES = 20 * 60 * int(RATE)
SECOND_MINUTE = slice(60 * int(RATE), 2 * 60 * int(RATE))
LAST_MINUTE = slice(-60 * int(RATE), None)


def kept(top: list[float]) -> float:
    """Return how much of the second minute's confidence the last minute has."""
    return float(np.median(top[LAST_MINUTE]) / np.median(top[SECOND_MINUTE]))


def test_scores_do_not_decay_in_twenty_minutes(recognizer: Recognizer, street: list[Image]) -> None:
    """The second and the last minute show other parts of the loop; so loops are compared too."""
    recognizer.reset()
    top = []
    for frame in frames(islice(cycle(street), TWENTY_MINUTES)):
        top.append(float(recognizer.step(frame).max()))
        assert recognizer.embedding is not None
        assert np.isfinite(recognizer.embedding).all()
    assert 0.8 <= kept(top) <= 1.2
    loop = len(street)
    at = len(top) // loop * loop
    assert np.allclose(top[at - loop : at], top[loop : 2 * loop], atol=1e-5)


def test_the_published_file_left_to_itself_does_decay(
    k600_original: Path, street: list[Image]
) -> None:
    """What the test above is there to notice; five minutes are enough."""
    data = k600_original.read_bytes()
    graph = TfliteFile(data)
    published, signature = read_published(graph), graph.signatures[0]
    names = {index: name for name, index in [*signature.inputs.items(), *signature.outputs.items()]}
    runner = open_interpreter(data, threads=1).get_signature_runner(signature.key)
    details = runner.get_input_details()
    values = pixel_values(graph.tensors[published.image], 0.0, 1.0)
    image = names[published.image]
    states = {n: np.zeros(d["shape"], d["dtype"]) for n, d in details.items() if n != image}
    top = []
    for picture in islice(cycle(street), TWENTY_MINUTES // 4):
        states = runner(**states, **{image: values[picture][np.newaxis, np.newaxis]})
        top.append(float(softmax(states.pop(names[published.logits])).max()))
    assert kept(top) < 0.5


MEMORY_PROBE = """
import sys
from datetime import UTC, datetime
from pathlib import Path
import av, numpy
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Frame
with Recognizer(Path(sys.argv[1])) as recognizer, av.open(sys.argv[2]) as clip:
    for number, picture in enumerate(clip.decode(video=0)):
        image = picture.reformat(width=172, height=172, format="rgb24").to_ndarray()
        recognizer.step(Frame(time_s=number / 10, at=datetime.now(UTC), image=image))
    print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def test_camera_and_recogniser_together_stay_under_120_mb(k600_model: Path, clips: Path) -> None:
    clip = clips / "kinetics" / "mmaction2_demo.mp4"
    done = subprocess.run(
        [sys.executable, "-c", MEMORY_PROBE, k600_model, clip],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[1],
    )
    peak_mb = int(done.stdout) / 1024
    print(f"peak resident memory: {peak_mb:.0f} MB")
    assert peak_mb < 120
