"""The restart ladder, quarantine and reboot: hours of trouble, no waiting."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgehome.ladder import BACKOFF_S, CAMERA_S, Action, CrashCount, Ladder, Rung
from edgehome.quarantine import Choice, Quarantine, file_sha256
from edgehome.reboot import Reboot
from edgehome.statefile import StateFile


def running(now_s: float = 100.0) -> Ladder:
    ladder = Ladder(now_s)
    assert ladder.step(now_s) is Action.START
    ladder.started(now_s)
    return ladder


def test_a_silent_worker_is_asked_then_killed_then_reported() -> None:
    ladder = running(100)
    ladder.result(110)
    assert ladder.step(114.4) is Action.NOTHING
    assert ladder.step(114.5) is Action.TERMINATE
    assert ladder.step(115.4) is Action.NOTHING
    assert ladder.step(115.5) is Action.KILL
    assert ladder.step(120.4) is Action.NOTHING
    assert ladder.step(120.5) is Action.REPORT_STUCK
    assert ladder.step(10_000) is Action.NOTHING
    assert ladder.rung is Rung.STUCK
    ladder.exited(10_001)
    assert ladder.step(10_001) is Action.START


def test_a_worker_may_take_its_time_until_its_first_frame_only() -> None:
    ladder = running(0)
    assert ladder.step(59) is Action.NOTHING
    assert ladder.step(60) is Action.TERMINATE
    ladder = running(0)
    ladder.result(30)
    assert ladder.step(34.5) is Action.TERMINATE


def test_a_keeper_who_was_held_up_gives_the_worker_its_time_anew_and_once_only() -> None:
    ladder = running(0)
    ladder.result(10)
    assert ladder.step(30) is Action.NOTHING, "nobody looked for 20 seconds"
    assert ladder.step(34.4) is Action.NOTHING
    assert ladder.step(37) is Action.TERMINATE, "it is late again, but it has heard nothing"
    ladder = running(0)
    for second in range(0, 1000, 20):
        assert ladder.step(second) is Action.NOTHING
        ladder.result(second)


def test_a_start_that_hangs_is_told_once_and_is_not_made_twice() -> None:
    ladder = Ladder(0)
    assert ladder.step(0) is Action.START
    assert ladder.step(1) is Action.NOTHING
    assert ladder.step(60) is Action.REPORT_SLOW
    assert ladder.step(10_000) is Action.NOTHING
    assert not ladder.overdue(10_000)
    ladder.started(10_001)
    assert ladder.step(10_061) is Action.TERMINATE


def test_whoever_hurries_need_not_wait_for_the_pause() -> None:
    ladder = running(0)
    for _ in range(6):
        ladder.exited(1)
    assert ladder.step(2) is Action.NOTHING
    ladder.hurry(2)
    assert ladder.step(2) is Action.START
    ladder.hurry(3)
    assert ladder.step(3) is Action.NOTHING, "a worker that runs is left alone"


def test_a_step_that_nobody_makes_is_overdue() -> None:
    ladder = running(0)
    ladder.result(10)
    assert not ladder.overdue(15.5)
    assert ladder.overdue(15.6)


def test_results_keep_a_worker_alive_for_ever() -> None:
    ladder = running(0)
    for tenth in range(0, 100_000, 2):
        ladder.result(tenth / 10)
        assert ladder.step(tenth / 10) is Action.NOTHING


def test_the_pause_grows_to_thirty_seconds_and_it_never_gives_up() -> None:
    ladder = Ladder(0)
    now_s = 0.0
    pauses = []
    for _ in range(1000):
        assert ladder.step(now_s) is Action.START
        ladder.started(now_s)
        pause_s = ladder.exited(now_s)
        pauses.append(pause_s)
        if pause_s:
            assert ladder.step(now_s + pause_s - 0.01) is Action.NOTHING
        now_s += pause_s
    assert tuple(pauses[:6]) == BACKOFF_S == (0, 1, 2, 5, 10, 30)
    assert set(pauses[6:]) == {30}
    assert ladder.restarts == 1000


def test_a_minute_of_frames_makes_the_next_pause_short_again() -> None:
    ladder = running(0)
    for _ in range(5):
        ladder.exited(0)
        ladder.started(0)
    for second in range(61):
        ladder.result(second)
    assert ladder.exited(61) == 0


def test_a_few_frames_do_not_make_the_next_pause_short_again() -> None:
    ladder = running(0)
    for pause_s in BACKOFF_S:
        ladder.result(1)
        ladder.result(2)
        assert ladder.exited(2) == pause_s
        ladder.started(2)


def test_three_crashes_within_ten_minutes_are_one_too_many() -> None:
    count = CrashCount()
    assert [count.crashed(t, "a") for t in (0, 300)] == [False, False]
    assert not count.crashed(300, "b")
    assert count.crashed(600, "a")
    slow = CrashCount()
    assert not any(slow.crashed(t, "a") for t in range(0, 6000, 301))


@pytest.fixture
def memory(tmp_path: Path) -> StateFile:
    state = StateFile(tmp_path / "state.json")
    state.load()
    return state


def test_a_model_that_kills_its_workers_gives_way_to_the_one_before(
    tmp_path: Path, memory: StateFile
) -> None:
    old, new = tmp_path / "old.tflite", tmp_path / "new.tflite"
    old.write_bytes(b"old")
    new.write_bytes(b"new")
    quarantine = Quarantine(memory)
    quarantine.worked(quarantine.choose(old))
    for second in (1, 2):
        quarantine.crashed(second, quarantine.choose(new))
    assert quarantine.choose(new) == Choice(new, file_sha256(new))
    quarantine.crashed(3, quarantine.choose(new))
    chosen = quarantine.choose(new)
    assert chosen.model == old
    assert chosen.problem
    assert chosen.problem.code == "model_quarantined"
    again = StateFile(tmp_path / "state.json")
    again.load()
    assert Quarantine(again).choose(new).model == old, "it survives a restart"
    new.write_bytes(b"corrected")
    assert Quarantine(again).choose(new) == Choice(new, file_sha256(new))


def test_with_no_model_before_it_the_bad_one_is_still_tried(
    tmp_path: Path, memory: StateFile
) -> None:
    only = tmp_path / "only.tflite"
    only.write_bytes(b"only")
    quarantine = Quarantine(memory)
    for second in range(3):
        quarantine.crashed(second, quarantine.choose(only))
    chosen = quarantine.choose(only)
    assert chosen.model == only
    assert chosen.problem
    assert file_sha256(tmp_path / "none") == ""


def test_a_reboot_is_asked_for_only_when_allowed_and_three_times_a_day(
    tmp_path: Path, memory: StateFile
) -> None:
    note = tmp_path / "reboot-requested"
    now = [1e9]
    reboot = Reboot(note, memory, lambda: now[0])
    assert "allow_reboot" in reboot.request(allowed=False)
    assert not note.exists()
    for _ in range(3):
        assert reboot.request(allowed=True) == "The Pi is about to reboot."
        assert note.exists()
        note.unlink()
    assert "did not help" in reboot.request(allowed=True)
    assert not note.exists()
    now[0] -= 365 * 86400  # a clock that lost its time gives no new reboots
    assert "did not help" in reboot.request(allowed=True)
    now[0] += 366 * 86400
    assert reboot.request(allowed=True) == "The Pi is about to reboot."


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b'{"armed": "yes"}', b"[" * 100_000]
)
def test_a_broken_state_file_is_as_good_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    state = StateFile(path)
    state.load()
    assert state.get("armed", True) is True
    state.set("armed", False)
    again = StateFile(path)
    again.load()
    assert again.get("armed", True) is False


def test_a_camera_at_fault_is_tried_again_every_five_seconds() -> None:
    ladder, now_s, pauses = Ladder(0.0), 0.0, []
    for _ in range(8):
        assert ladder.step(now_s) is Action.START
        ladder.started(now_s)
        pauses.append(ladder.exited(now_s, most_s=CAMERA_S))
        now_s += pauses[-1]
    assert pauses == [0, 1, 2, 5, 5, 5, 5, 5]


def test_a_worker_that_said_why_it_ends_and_does_not_is_killed_two_seconds_later() -> None:
    ladder = Ladder(0.0)
    ladder.step(0.0)
    ladder.started(0.0)
    ladder.result(10.0)
    ladder.ending(13.0)
    assert ladder.step(14.9) is Action.NOTHING
    assert ladder.step(15.0) is Action.KILL
    assert ladder.rung is Rung.KILLING
    assert ladder.exited(15.1) == 0
