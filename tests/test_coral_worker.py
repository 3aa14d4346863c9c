"""Real workers on an Edge TPU of plain C that fails in mid-run: the home stays watched."""

from __future__ import annotations

from pathlib import Path

import pytest
from edgetpu.fake import library
from edgetpu.fake_models import write
from keeper import Keeper, turn_until
from made_clips import numbered, write_clip

from edgehome import coral
from edgehome.config.types import MotionConfig, RuntimeConfig
from edgehome.recognizer.trial import FRAMES
from edgehome.types import Delegate

AT_WORK = FRAMES + 10
"""The invocation at which the stick fails: the trial comes before, with a count of its own."""
RATE, CLIP_S, LONG_S = 5, 300, 180


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_clip(tmp_path / "c.mp4", map(numbered, range(RATE * CLIP_S)), rate=RATE)


def keeper(folder: Path, model: Path, clip: Path, stick: Path) -> Keeper:
    """Return one that is told of the Edge TPU as the supervisor is."""
    runtime = RuntimeConfig(Delegate.EDGETPU, str(stick), threads=1)
    motion = MotionConfig(gate=False)
    return Keeper(folder, model=model, source=clip, runtime=runtime, motion=motion)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (f"FAIL_AFTER={AT_WORK}", "edgetpu_lost"),
        (f"CRASH_AFTER={AT_WORK}", "edgetpu_crashed"),
        (f"HANG_AFTER={AT_WORK}", "edgetpu_hung"),
    ],
)
def test_an_edge_tpu_that_fails_at_work_gives_way_to_the_cpu_and_is_used_again(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch, fault: str, code: str
) -> None:
    monkeypatch.setattr(coral, "LOST_S", 3.0)
    model, stick = write(tmp_path / "model"), library(tmp_path, fault)
    with keeper(tmp_path / "state", model, clip, stick) as node:
        turn_until([node], lambda _: node.ready, LONG_S)
        assert node.ready[0].delegate == Delegate.EDGETPU
        turn_until([node], lambda _: len(node.ready) > 1, LONG_S)
        after = node.ready[1]
        assert after.delegate == Delegate.CPU
        assert after.degraded
        assert after.degraded.code == code
        seen = len(node.frames)
        turn_until([node], lambda _: len(node.frames) > seen + 5, LONG_S)
        library(tmp_path)  # it is put back
        turn_until([node], lambda _: len(node.ready) > 2, LONG_S)
        assert node.ready[2].delegate == Delegate.EDGETPU
        assert node.ready[2].degraded is None
        seen = len(node.frames)
        turn_until([node], lambda _: len(node.frames) > seen + AT_WORK + 5, LONG_S)
        assert node.ends == 2
        assert node.state.get("quarantined", []) == [], "the model is not to blame"


def test_a_stick_that_stays_away_keeps_nobody_from_watching(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials go on by the side; the one worker on the CPU is never ended for them."""
    monkeypatch.setattr(coral, "MISSED_S", (1.0,))
    model, stick = write(tmp_path / "model"), library(tmp_path, "ABSENT")
    with keeper(tmp_path / "state", model, clip, stick) as node:
        turn_until([node], lambda _: node.ready, LONG_S)
        assert node.ready[0].degraded
        assert node.ready[0].degraded.code == "edgetpu_no_device"
        told = [len(node.reports)]
        for _ in range(2):
            turn_until([node], lambda _: len(node.reports) > told[-1], LONG_S)
            told.append(len(node.reports))
        assert node.when("edgetpu_no_device") is not None
        assert (node.ends, len(node.ready)) == (0, 1)
        assert len(node.frames) > RATE
