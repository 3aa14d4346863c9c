"""Hangs and crashes of real workers: found, ended, told and recovered in time.

`EDGEHOME_TEST_LONG=1` makes it a hundred hangs, and a thousand crashes.
"""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import time
from array import array
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from keeper import Keeper, turn_until, with_faults

from edgehome.ladder import BACKOFF_S, RESULT_S, Rung
from edgehome.messages import Probabilities, encode
from edgehome.orders import Settings
from edgehome.process import WorkerProcess
from edgehome.statefile import FileWriter
from edgehome.types import Scores

LONG = bool(os.environ.get("EDGEHOME_TEST_LONG"))
ROUNDS = 25 if LONG else 1
CRASHES = 1000 if LONG else 100
HANGS = {
    "stopped process": signal.SIGSTOP,
    "camera": signal.SIGUSR1,
    "model": signal.SIGUSR2,
    "model that holds the interpreter's lock": signal.SIGRTMIN,
}
FOUND_S, ENDED_S, RECOVERED_S = 5.0, 10.0, 15.0
HOUR_S = 3600.0


class Hang:
    """One worker that hangs; times in seconds since."""

    def __init__(self, keeper: Keeper, number: int) -> None:
        self.keeper = keeper
        self._pid = keeper.pid
        os.kill(self._pid, number)
        self.since_s = time.monotonic()
        self.ended_s: float | None = None

    def recovered(self) -> bool:
        if self.ended_s is None and self.keeper.ends:
            self.ended_s = time.monotonic() - self.since_s
        return self.ended_s is not None and self.keeper.frames[-1] > self.since_s + self.ended_s

    def found_s(self) -> float:
        found_s = self.keeper.when("worker_hung", self.since_s)
        assert found_s is not None, self.keeper.reports
        return found_s - self.since_s

    def recovered_s(self) -> float:
        assert self.ended_s is not None
        after_s = self.since_s + self.ended_s
        return min(at_s for at_s in self.keeper.frames if at_s > after_s) - self.since_s


def test_whatever_hangs_is_found_in_5_s_ended_in_10_and_recovered_in_15(
    tmp_path: Path,
    box_model: Path,
    rendered: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with_faults(monkeypatch)
    clip = rendered / "room-day-fight.mp4"
    figures = []
    for turn in range(ROUNDS):
        keepers = [
            Keeper(tmp_path / f"{turn}-{n}", model=box_model, source=clip)
            for n in range(len(HANGS))
        ]
        for keeper in keepers:
            keeper.__enter__()
        try:
            turn_until(keepers, lambda keeper: len(keeper.frames) >= 3, 60)
            hangs = [Hang(k, n) for k, n in zip(keepers, HANGS.values(), strict=True)]
            by_keeper = dict(zip(keepers, hangs, strict=True))
            turn_until(keepers, lambda keeper, of=by_keeper: of[keeper].recovered(), 60)  # type: ignore[misc]
            for name, hang in zip(HANGS, hangs, strict=True):
                assert hang.ended_s is not None
                figures.append((name, hang.found_s(), hang.ended_s, hang.recovered_s()))
        finally:
            for keeper in keepers:
                keeper.__exit__()
    with capsys.disabled():
        print(f"\n{len(figures)} hangs, longest times in seconds (found, ended, recovered):")
        for name in HANGS:
            of_this = [times for who, *times in figures if who == name]
            found, ended, again = (max(column) for column in zip(*of_this, strict=True))
            print(f"  {name}: {found:.2f}, {ended:.2f}, {again:.2f}")
    assert len(figures) == ROUNDS * len(HANGS)
    assert max(found for _, found, _, _ in figures) <= FOUND_S
    assert max(ended for _, _, ended, _ in figures) <= ENDED_S
    assert max(again for *_, again in figures) <= RECOVERED_S


class Pretender(WorkerProcess):
    """A worker whose packets the test writes, and whose process does nothing."""

    def __init__(self, _settings: Settings) -> None:
        ours, self.theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        super().__init__(subprocess.Popen(["sleep", "600"]), ours)

    def see(self, number: int, time_s: float) -> None:
        at = datetime.fromtimestamp(1e9 + time_s, UTC)
        self.theirs.send(encode(Scores(time_s, at, Probabilities({}, array("f")), frame=number)))


def test_an_accelerated_hour_of_slow_and_uneven_frames_gives_no_false_alarm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Gaps up to the limit, and the keeper itself held up now and then for as long as it likes."""
    chance = random.Random(1)
    now = [1000.0]
    started: list[Pretender] = []

    def spawn(settings: Settings) -> WorkerProcess:
        started.append(Pretender(settings))
        return started[-1]

    with Keeper(
        tmp_path, model=tmp_path / "m", source="pi", clock=lambda: now[0], spawn=spawn
    ) as keeper:
        turn_until([keeper], lambda _: started and keeper.vision._worker, 5)
        number = held_up = 0
        while now[0] < 1000 + HOUR_S:
            number += 1
            started[0].see(number, now[0])
            keeper.turn(0)
            gap_s = chance.choice([0.2, 0.2, 0.2, 1.0, chance.uniform(0, RESULT_S - 0.05)])
            for _ in range(4):
                now[0] += gap_s / 4
                keeper.turn(0)
            if chance.random() < 0.01:
                now[0] += chance.uniform(RESULT_S + 2, 60)
                held_up += 1
                keeper.turn(0)
        with capsys.disabled():
            print(f"\nan hour, {number} frames, held up {held_up} times: no false alarm")
        assert held_up > 10
        assert len(keeper.frames) == number
        assert [report for report in keeper.reports if report[2]] == []
        assert len(started) == 1
        os.kill(started[0].pid, signal.SIGKILL)
        started[0].theirs.close()


def test_a_worker_that_repeats_its_last_frame_for_ever_counts_as_hung(tmp_path: Path) -> None:
    now = [0.0]
    started: list[Pretender] = []

    def spawn(settings: Settings) -> WorkerProcess:
        started.append(Pretender(settings))
        return started[-1]

    with Keeper(
        tmp_path, model=tmp_path / "m", source="pi", clock=lambda: now[0], spawn=spawn
    ) as keeper:
        turn_until([keeper], lambda _: started and keeper.vision._worker, 5)
        while not keeper.when("worker_hung"):
            started[0].see(7, now[0])
            keeper.turn(0)
            now[0] += 0.2
            assert now[0] < 10
        assert now[0] < FOUND_S + 0.5
        os.kill(started[0].pid, signal.SIGKILL)
        started[0].theirs.close()


class CountingWriter(FileWriter):
    """Counts the bytes that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = self.writes = 0

    def put(self, path: Path, data: bytes) -> None:
        self.bytes += len(data)
        self.writes += 1
        super().put(path, data)


def crash(_settings: Settings) -> WorkerProcess:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(["/bin/sh", "-c", "ulimit -c 0; kill -SEGV $$"])
    ours.setblocking(False)
    return WorkerProcess(process, ours)


def test_after_crash_upon_crash_it_still_tries_every_30_s_and_has_hardly_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Real processes that die of SIGSEGV, and a clock that leaps over the pauses."""
    now = [0.0]
    starts: list[float] = []
    model = tmp_path / "m.tflite"
    model.write_bytes(b"kills")

    def spawn(settings: Settings) -> WorkerProcess:
        starts.append(now[0])
        return crash(settings)

    writer = CountingWriter()
    with Keeper(
        tmp_path, model=model, source="pi", clock=lambda: now[0], spawn=spawn, writer=writer
    ) as keeper:
        while keeper.ends < CRASHES:
            ends = keeper.ends
            turn_until([keeper], lambda _, ends=ends: keeper.ends > ends, 10)  # type: ignore[misc]
            if keeper.vision._ladder.rung is Rung.WAITING:
                now[0] = keeper.vision.deadline_s
            assert keeper.vision.attended()
        count = keeper.vision.restarts
    pauses = [after - before for before, after in pairwise(starts)]
    with capsys.disabled():
        print(
            f"\n{count} crashes: at last a start every {pauses[-1]:.0f} s; "
            f"{writer.writes} state writes, {writer.bytes} bytes"
        )
    assert count == CRASHES
    assert pauses[: len(BACKOFF_S)] == list(BACKOFF_S)
    assert set(pauses[len(BACKOFF_S) :]) == {30.0}
    assert writer.bytes <= 100_000
    assert (tmp_path / "state.json").stat().st_size < 1000
