"""The history of alerts and near misses, and the answers that it gives."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_line import edgehome

from edgehome.explain import choose, explain_alert, lines_of
from edgehome.history import CURRENT, OLDER, History, decode, encode, read_history
from edgehome.types import Alert, Evidence, NearMiss, Severity

AT = datetime(2026, 3, 22, 22, 14, 3, tzinfo=UTC)
EVIDENCE = (
    Evidence("climbing above", "0.83", "0.6", met=True, since=AT - timedelta(seconds=5)),
    Evidence("for", "5.2s", "5s", met=True),
    Evidence("armed", "home", "away", met=False),
)
ALERT = Alert(
    id="3f2a77",
    at=AT,
    rule="Climber",
    label="climbing",
    severity=Severity.CRITICAL,
    message="Somebody climbs <over> the fence",
    score=0.83,
    evidence=EVIDENCE,
    since=AT - timedelta(seconds=5),
    model="ab" * 32,
    config="cd" * 32,
)
MISS = NearMiss(
    at=AT + timedelta(minutes=1),
    rule="Climber",
    reason="too_short",
    message="would have fired at 22:15:05, but `for: 5s` was held only 3.2 s",
    evidence=EVIDENCE,
)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    with History(tmp_path) as history:
        history.add(ALERT)
        history.add(MISS)
    assert list(read_history(tmp_path)) == [ALERT, MISS]


def test_records_of_an_earlier_run_are_kept(tmp_path: Path) -> None:
    for record in (ALERT, MISS):
        with History(tmp_path) as history:
            history.add(record)
    assert list(read_history(tmp_path)) == [ALERT, MISS]


def test_two_files_hold_the_newest_and_no_more(tmp_path: Path) -> None:
    records = [replace(ALERT, id=f"{number:06}") for number in range(100)]
    size = len(encode(ALERT))
    with History(tmp_path, max_bytes=10 * size) as history:
        for record in records:
            history.add(record)
    kept = [record.id for record in read_history(tmp_path) if isinstance(record, Alert)]
    assert kept == [record.id for record in records[-len(kept) :]]
    assert 10 <= len(kept) <= 20
    assert sum((tmp_path / name).stat().st_size for name in (CURRENT, OLDER)) <= 20 * size


def test_spoiled_lines_are_passed_over(tmp_path: Path) -> None:
    whole = encode(ALERT)
    (tmp_path / CURRENT).write_bytes(
        b"\xff\x00\n" + whole[: len(whole) // 2] + b"\n[]\n{}\n" + encode(MISS) + b'{"kind":"alert"'
    )
    assert list(read_history(tmp_path)) == [MISS]


def test_no_line_however_spoiled_raises() -> None:
    chance = random.Random(0)
    lines = [encode(ALERT), encode(MISS)]
    for _ in range(3000):
        line = bytearray(chance.choice(lines))
        for _ in range(chance.randint(1, 4)):
            line[chance.randrange(len(line))] = chance.randrange(256)
        record = decode(bytes(line))
        if record:
            list(lines_of(record))
            encode(record)


def test_a_disk_that_refuses_keeps_nobody_from_work(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with History(tmp_path / "not there") as history:
        for _ in range(5):
            history.add(ALERT)
    assert sum("cannot be written" in message for message in caplog.messages) == 1


def test_an_alert_is_explained_by_the_conditions_that_held() -> None:
    assert explain_alert(ALERT) == (
        "Climber fired at 22:14:03: climbing above 0.83 (asked: 0.6, since 22:13:58); "
        "for 5.2s (asked: 5s)."
    )
    assert "stands for 7 more" in explain_alert(replace(ALERT, folded=7))


def test_what_is_asked_for_is_chosen() -> None:
    records = [ALERT, MISS, replace(MISS, rule="Fight")]
    assert choose(records) == records
    assert choose(records, alert_id="3f") == [ALERT]
    assert choose(records, alert_id="4") == []
    assert choose(records, near_misses=True) == records[1:]
    assert choose(records, rule="Climber") == [ALERT, MISS]
    assert choose(records, since=AT + timedelta(seconds=1)) == records[1:]


def state_with(tmp_path: Path, *records: Alert | NearMiss) -> Path:
    with History(tmp_path) as history:
        for record in records:
            history.add(record)
    return tmp_path


def test_the_command_explains_an_alert_with_each_condition(tmp_path: Path) -> None:
    state = state_with(tmp_path, ALERT, MISS)
    done = edgehome("explain", "3f2", "--state", str(state))
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "2026-03-22 22:14:03  ALERT      Climber [critical]: Somebody climbs <over> the fence",
        "    holds          climbing above  0.83  (asked: 0.6)   since 22:13:58",
        "    holds          for             5.2s  (asked: 5s)",
        "    does not hold  armed           home  (asked: away)",
        "    id 3f2a77, model abababababab, config cdcdcdcdcdcd",
    ]


def test_the_command_says_what_came_close(tmp_path: Path) -> None:
    now = datetime.now().astimezone()
    old = replace(MISS, at=now - timedelta(hours=2), message="too old")
    state = state_with(tmp_path, ALERT, old, replace(MISS, at=now))
    done = edgehome("explain", "--since", "1h", "--near-misses", "--state", str(state))
    assert done.returncode == 0
    assert "`for: 5s` was held only 3.2 s" in done.stdout
    assert "ALERT" not in done.stdout
    assert "too old" not in done.stdout
    lines = edgehome("explain", "--since", "1h", "--json", "--state", str(state)).stdout
    assert [json.loads(line)["reason"] for line in lines.splitlines()] == ["too_short"]


def test_the_command_says_when_there_is_nothing(tmp_path: Path) -> None:
    done = edgehome("explain", "--state", str(tmp_path))
    assert (done.returncode, "no node has run" in done.stdout) == (0, True)
    (tmp_path / "history.jsonl").touch()
    done = edgehome("explain", "--state", str(tmp_path))
    assert (done.returncode, done.stdout[:7]) == (0, "Nothing")
    done = edgehome("explain", "beef", "--state", str(tmp_path))
    assert done.returncode == 66
    assert "No alert with an id that begins with 'beef'" in done.stderr
    done = edgehome("explain", "--since", "5", "--state", str(tmp_path))
    assert done.returncode == 64
    assert "did you mean '5s'" in done.stderr
