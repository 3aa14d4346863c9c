"""The supervisor's side of the unusual: what is kept, handed on, and told to the home."""

from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from broker import Listener, wait_for
from daemon import STATE, Daemon, problems, wait_for_alerts

from edgehome.errands import Errands
from edgehome.messages import Ready
from edgehome.normality import (
    KeptNormal,
    Normality,
    Verdict,
    encode_kept,
)
from edgehome.normalkeeper import FILE, NormalKeeper
from edgehome.orders import decode_request
from edgehome.statefile import FileWriter
from edgehome.types import Alert, Problem, Severity

SLOW_S = 60.0
BEGUN = Problem("normal_model", "Another model.", "Nothing needs to be done.")
READY = Ready(("walking",), 5.0, "ab" * 32, "x", None, embedding="made")
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
ALERT = Alert(
    id="a", at=AT, rule="Odd", label="unusual", severity=Severity.WARNING, message="", score=0.0,
    since=AT - timedelta(seconds=4),
)  # fmt: skip


class Home:
    """A keeper between a worker and the home."""

    def __init__(self, folder: Path, errands: Errands, writer: FileWriter) -> None:
        self.errands = errands
        self.keeper = NormalKeeper(folder / FILE, errands, writer)
        self.told: list[bytes] = []
        self.problems: list[Problem | None] = []
        self.keeper.attach(self._tell, lambda _origin, problem: self.problems.append(problem))

    def _tell(self, packets: list[bytes]) -> bool:  # type: ignore[override]
        self.told += packets
        return True

    def read(self) -> None:
        wait_for(lambda: self.errands.collect() or self.keeper._data is not None, 5)


@pytest.fixture
def home(tmp_path: Path):  # noqa: ANN201
    with FileWriter() as writer, Errands() as errands:
        yield Home(tmp_path, errands, writer)


def test_a_worker_gets_what_was_kept_once_and_the_next_one_what_the_last_one_said(
    home: Home, tmp_path: Path
) -> None:
    home.read()
    home.keeper.ready(READY)
    home.keeper.ready(READY)
    assert home.told == [encode_kept(b"")]
    home.keeper.said(Normality(0.4, b"learnt"))
    assert home.keeper.learnt == 0.4
    wait_for(lambda: (tmp_path / FILE).exists() and (tmp_path / FILE).read_bytes() == b"learnt", 5)
    home.keeper.worker_gone()
    assert home.keeper.learnt is None
    home.keeper.ready(READY)
    assert home.told[-1] == encode_kept(b"learnt")


def test_a_worker_that_is_there_before_the_file_was_read_gets_it_then(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"kept")
    reading = threading.Event()
    with FileWriter() as writer, Errands() as errands:
        errands.put(lambda: reading.wait(10), lambda _: None)
        home = Home(tmp_path, errands, writer)
        home.keeper.ready(READY)
        assert home.told == []
        reading.set()
        home.read()
        assert home.told == [encode_kept(b"kept")]


def test_a_model_without_an_embedding_learns_nothing(home: Home) -> None:
    home.read()
    home.keeper.ready(Ready(("walking",), 5.0, "ab" * 32, "x", None))
    assert (home.told, home.keeper.learnt) == ([], None)
    home.keeper.leave_out(ALERT)
    assert home.told == []


def test_an_alert_is_left_out_and_learnt_when_it_was_nothing(home: Home) -> None:
    home.read()
    home.keeper.ready(READY)
    home.keeper.leave_out(ALERT)
    home.keeper.judged_normal(ALERT)
    spans = [decode_request(packet) for packet in home.told[1:]]
    assert [span.verdict for span in spans] == [Verdict.OPEN, Verdict.NORMAL]  # type: ignore[union-attr]
    at = AT.timestamp()
    assert {(span.since, span.until) for span in spans} == {(at - 34, at + 30)}  # type: ignore[union-attr]


def test_what_was_judged_is_told_again_to_a_worker_that_may_not_have_kept_it(home: Home) -> None:
    home.read()
    home.keeper.leave_out(ALERT)
    home.keeper.ready(READY)
    home.keeper.judged_normal(ALERT)
    told = home.told[1:]
    assert len(told) == 2
    for data, again in ((b"one", told), (b"two", [])):
        home.keeper.said(Normality(0.5, data))
        home.keeper.worker_gone()
        home.told.clear()
        home.keeper.ready(READY)
        assert home.told == [encode_kept(data), *again]


def test_what_began_anew_is_a_problem_until_the_next_half_hour(home: Home) -> None:
    home.read()
    home.keeper.ready(READY)
    home.keeper.said(Normality(0.0, b"new", BEGUN))
    home.keeper.said(Normality(0.01))
    assert home.problems == [BEGUN]
    home.keeper.said(Normality(0.02, b"newer"))
    assert home.problems == [BEGUN, None]


def test_a_file_that_cannot_be_read_costs_what_was_learnt_and_no_more(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with FileWriter() as writer, Errands() as errands:
        home = Home(tmp_path, errands, writer)
        home.read()
        home.keeper.ready(READY)
        assert decode_request(home.told[0]) == KeptNormal(b"")


def test_a_node_keeps_what_it_learnt_over_a_stop_and_a_killed_worker(
    daemon: Daemon, listener: Listener
) -> None:
    file = daemon.state / FILE
    daemon.start()
    wait_for_alerts(listener, 1, SLOW_S)
    wait_for(lambda: listener.heard(STATE)[-1].json["normal"] == "learning, 0 %", SLOW_S, "told")
    assert not file.exists()
    daemon.end()
    first = file.read_bytes()
    assert first.startswith(b"EHNORM")
    daemon.start()
    wait_for_alerts(listener, 2, SLOW_S)
    worker = daemon.worker()
    assert worker
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: daemon.worker() not in {None, worker}, SLOW_S, "another worker")
    wait_for_alerts(listener, len(listener.heard(f"{STATE[:-5]}alert")) + 2, SLOW_S)
    assert not {code for code in problems(listener) if code.startswith("normal")}
    daemon.end()
    assert file.read_bytes() != first


def test_a_broken_file_is_told_and_learnt_anew(daemon: Daemon, listener: Listener) -> None:
    daemon.state.mkdir(parents=True)
    (daemon.state / FILE).write_bytes(b"EHNORM2\n and nonsense")
    daemon.start()
    wait_for(lambda: "normal_broken" in problems(listener), SLOW_S, "told")
    wait_for(lambda: (daemon.state / FILE).read_bytes()[-8:] != b"nonsense", SLOW_S, "replaced")
    assert daemon.alive()
