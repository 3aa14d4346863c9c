"""The first frames, and those while the light changes, are not taken for something that happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from edgehome.camera.exposure import SETTLE_S, Exposure
from edgehome.gate.gate import Gate
from edgehome.types import Frame

SPEED = 0.15
"""The share of the way that libcamera's controller goes each frame, as in imx708.json."""
FRAME_S = 0.1


def controller(light: Mapping[int, float], frames: int) -> Iterator[dict[str, Any]]:
    """Yield a frame's metadata as Raspberry Pi's controller exposes it.

    `light` is how bright the scene is, by the number of the frame from which on it is so.
    """
    wanted = exposure = 20_000.0 / light[0]
    for number in range(frames):
        wanted = 20_000.0 / light[number] if number in light else wanted
        exposure += (wanted - exposure) * SPEED
        gain = max(1.0, exposure / 66_666)
        yield {"ExposureTime": exposure / gain, "AnalogueGain": gain, "DigitalGain": 1.0}


def told(exposure: Exposure, frames: Iterator[dict[str, Any]]) -> list[bool]:
    return [exposure.settled(number * FRAME_S, each) for number, each in enumerate(frames)]


def lit() -> Exposure:
    exposure = Exposure()
    assert exposure.settled(-FRAME_S, {})
    return exposure


def test_a_camera_that_says_nothing_of_its_exposure_is_settled_from_the_first_frame() -> None:
    assert told(Exposure(), iter([{}] * 5)) == [True] * 5


@pytest.mark.parametrize(("key", "searching", "found"), [("AeState", 1, 2), ("AeLocked", 0, 1)])
def test_the_first_frames_count_once_the_camera_has_found_its_exposure(
    key: str, searching: int, found: int
) -> None:
    exposure = Exposure()
    frames = [{key: searching}] * 6 + [{key: found}] + [{key: searching}] * 3
    assert told(exposure, iter(frames)) == [False] * 6 + [True] * 4


def test_an_exposure_that_is_never_found_is_waited_for_two_seconds() -> None:
    said = told(Exposure(), iter([{"AeState": 1}] * 40))
    assert said.index(True) * FRAME_S == pytest.approx(SETTLE_S)
    assert all(said[said.index(True) :])


@pytest.mark.parametrize("brighter", [8.0, 1 / 8])
def test_a_light_that_is_switched_unsettles_the_exposure_until_it_has_followed(
    brighter: float,
) -> None:
    said = told(lit(), controller({0: 1.0, 20: brighter}, 60))
    assert said[:20] == [True] * 20
    assert not said[20]
    again = said.index(True, 20)
    assert 0.5 <= (again - 20) * FRAME_S <= SETTLE_S
    assert all(said[again:])


@pytest.mark.parametrize("brighter", [1.4, 1 / 1.4])
def test_somebody_who_walks_in_does_not(brighter: float) -> None:
    assert all(told(lit(), controller({0: 1.0, 20: brighter}, 60)))


def test_light_that_flickers_for_ever_does_not_blind_for_ever() -> None:
    frames = [{"ExposureTime": 1000 * (1 + number % 2), "AnalogueGain": 1} for number in range(100)]
    said = told(lit(), iter(frames))
    assert sum(said) > 0
    longest = max(len(run) for run in "".join("y" if each else "n" for each in said).split("y"))
    assert longest * FRAME_S <= SETTLE_S


def lamp(told_settled: bool) -> list[tuple[float, bool]]:
    """Return motion and stillness while a lamp goes on that the camera takes a second to follow."""
    random = np.random.default_rng(5)
    room = random.uniform(5, 90, (43, 43, 1)).repeat(4, axis=0).repeat(4, axis=1)
    gate = Gate(hold=5)
    looks = []
    for number in range(60):
        light = 1.0 if number < 30 else 1 + 11 * 0.55 ** (number - 30)
        image = (room * light + random.normal(0, 1, (172, 172, 3))).clip(0, 255).astype(np.uint8)
        settled = not told_settled or not 30 <= number < 38
        frame = Frame(number * 0.2, datetime(2026, 1, 2, tzinfo=UTC), image, settled=settled)
        look = gate.look(frame)
        looks.append((look.motion, look.still))
    return looks


def test_a_lamp_that_blinds_the_camera_is_no_motion_where_the_camera_tells_of_its_exposure() -> (
    None
):
    assert max(motion for motion, _ in lamp(told_settled=False)[30:]) > 0.01
    looks = lamp(told_settled=True)
    assert max(motion for motion, _ in looks[30:]) < 0.01
    assert looks[29][1]
    assert not any(still for _, still in looks[30:38])  # the model looks for itself
    assert looks[-1][1]
