"""Recorded scores: what is written is what is read, and what is wrong is said with its line."""

from __future__ import annotations

import json
import random
import time
from array import array
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from traces import frames, header, write_trace

from edgehome.config.types import Config
from edgehome.messages import Probabilities, places_of
from edgehome.replay.play import Clip
from edgehome.replay.recorder import TraceSink, TraceWriter
from edgehome.replay.trace import TraceError, TraceFile, clip_names
from edgehome.rules import RuleEngine
from edgehome.types import CameraState, Scores

AT = datetime(2026, 11, 22, 23, 10, tzinfo=UTC)
LABELS = ("fall", "person")


def read(path: Path, start: datetime | None = None) -> list[Scores]:
    with TraceFile(path) as trace:
        return list(trace.frames(start))


def made_scores(seed: int, count: int = 200) -> list[Scores]:
    chance = random.Random(seed)
    places = places_of(LABELS)
    row = array("f", [0.0, 0.0])
    found = []
    for number in range(count):
        if chance.random() < 0.8:
            row = array("f", [chance.random() ** chance.choice((1, 5, 20)) for _ in LABELS])
        time_s = number * 0.2
        states = [state for state in CameraState if chance.random() < 0.05]
        found.append(
            Scores(
                time_s, AT + timedelta(seconds=time_s), Probabilities(places, row), number + 1,
                motion=chance.choice((0.0, chance.random())), still=chance.random() < 0.1,
                camera=frozenset(states), unusual=chance.choice((0.0, chance.random() * 40)),
            )
        )  # fmt: skip
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_trace_gives_the_very_numbers_that_were_recorded(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "trace.jsonl"
    given = made_scores(seed)
    clip = Clip("a.mp4", AT, 5.0, iter(given), labels=LABELS)
    engine = RuleEngine(Config(), period_s=0.2, identify=str)
    with TraceWriter(path) as writer:
        sink = TraceSink(writer, Config())
        sink.begin(clip, engine)
        for scores in given:
            sink.frame(scores)
    found = read(path)
    for one, other in zip(given, found, strict=True):
        assert dict(one.probabilities) == dict(other.probabilities)
        assert (one.time_s, one.at, one.motion) == (other.time_s, other.at, other.motion)
        assert one.unusual == other.unusual
        assert (one.still, one.camera, one.frame) == (other.still, other.camera, other.frame)


def test_scores_that_stay_the_same_are_not_written_again(tmp_path: Path) -> None:
    path = write_trace(
        tmp_path / "t.jsonl", [header(["fall"]), {"t": 0, "s": [0.5]}, {"t": 0.2}, {"t": 0.4}]
    )
    assert [scores.probabilities["fall"] for scores in read(path)] == [0.5, 0.5, 0.5]


def test_the_wall_clock_of_a_trace_can_step_and_be_moved(tmp_path: Path) -> None:
    path = write_trace(
        tmp_path / "t.jsonl",
        [
            header(["fall"], start="2026-11-22T23:10:00+00:00"), {"t": 0}, {"t": 1},
            {"t": 2, "at": "2027-11-22T23:10:02+00:00"}, {"t": 3},
        ],
    )  # fmt: skip
    assert [s.at.year for s in read(path)] == [2026, 2026, 2027, 2027]
    assert read(path)[-1].at == datetime(2027, 11, 22, 23, 10, 3, tzinfo=UTC)
    moved = read(path, AT)
    assert [s.at - AT for s in moved] == [timedelta(seconds=n) for n in range(4)]


def test_a_file_holds_several_clips(tmp_path: Path) -> None:
    path = write_trace(
        tmp_path / "t.jsonl",
        [header(["fall"], clip="a.mp4"), *frames(0.1, 0.2), header(["fall"], clip="b.mp4"),
         *frames(0.3)],
    )  # fmt: skip
    assert clip_names(path) == ["a.mp4", "b.mp4"]
    with TraceFile(path) as trace:
        assert trace.header is not None
        assert trace.header.clip == "a.mp4"
        assert len(list(trace.frames())) == 2
        assert trace.header.clip == "b.mp4"
        assert len(list(trace.frames())) == 1
        assert trace.header is None


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"t": 0.4, "s": [0.1]', "it is not JSON"),
        ("[1, 2]", "it is not a JSON object"),
        ("{}", "t, the frame's time in seconds, is missing"),
        ('{"t": 0.1}', "t is 0.1, and the frame before had 0.2"),
        ('{"t": 1e400}', "t is inf"),
        ('{"t": "now"}', "it is not a line of recorded scores"),
        ('{"t": null, "s": 1}', "is missing"),
        ('{"t": 1, "s": [0.1, 0.2]}', "2 probabilities for 1 labels"),
        ('{"t": 1, "s": [1.5]}', "not between 0 and 1"),
        ('{"t": 1, "s": [NaN]}', "NaN is not a number"),
        ('{"t": 1, "s": ["a"]}', "it is not a line of recorded scores"),
        ('{"t": 1, "s": 3}', "it is not a line of recorded scores"),
        ('{"t": 1, "m": -0.1}', "m is -0.1"),
        ('{"t": 1, "u": -1}', "u is -1"),
        ('{"t": 1, "u": 1e400}', "u is inf"),
        ('{"t": 1, "m": [1]}', "it is not a line of recorded scores"),
        ('{"t": 1, "camera": ["cuvered"]}', "'cuvered' is not a valid CameraState"),
        ('{"t": 1, "at": "2026-11-22T10:00"}', "has no zone"),
        ('{"t": 1, "at": 5}', "it is not a line of recorded scores"),
        ("[" * 100_000, "it is not a line of recorded scores"),
        ('{"kind": "trace"}', "it is of version None; known is 1"),
        ('{"kind": "trace", "version": 1}', "labels is missing"),
    ],
)
def test_a_wrong_line_is_said_with_its_number(tmp_path: Path, line: str, said: str) -> None:
    path = write_trace(tmp_path / "t.jsonl", [header(["fall"]), *frames(0.1, 0.2)])
    with path.open("a") as file:
        file.write(line + "\n")
    with pytest.raises(TraceError) as caught:
        read(path)
    assert f"{path}:4: " in str(caught.value)
    assert said in str(caught.value)
    assert caught.value.problem.code == "trace_invalid"


@pytest.mark.parametrize(
    "changes",
    [
        {"labels": "fall"}, {"labels": ["a", "a"]}, {"labels": [1]}, {"rate": 0}, {"rate": "x"},
        {"rate": None}, {"start": "2026-11-22T10:00"}, {"start": "soon"}, {"start": 3},
        {"thresholds": []}, {"thresholds": {"a": 2}}, {"thresholds": {"a": "b"}}, {"kind": "x"},
    ],
)  # fmt: skip
def test_a_wrong_header_is_said(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = write_trace(tmp_path / "t.jsonl", [{**header(["fall"]), **changes}])
    with pytest.raises(TraceError, match=r"t\.jsonl:1: "):
        read(path)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"\xff\xfe", b"kind: trace\n"])
def test_what_is_no_trace_at_all_is_said(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(data)
    with pytest.raises(TraceError):
        read(path)
    with pytest.raises(TraceError, match="Cannot read"):
        read(tmp_path / "none.jsonl")


def test_broken_bytes_never_end_in_anything_but_a_trace_error(tmp_path: Path) -> None:
    """Six hundred traces with a few bytes changed each: read, or refused with a line."""
    path = write_trace(tmp_path / "t.jsonl", [header(["fall"]), *frames(*[0.25] * 20)])
    whole = path.read_bytes()
    chance = random.Random(1)
    refused, placed = 0, True
    for _ in range(600):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data)
        try:
            read(path)
        except TraceError as error:
            refused += 1
            placed = placed and f"{path}:" in str(error)
    assert placed
    assert refused > 300


def test_a_line_of_twenty_scores_is_read_in_some_ten_microseconds(tmp_path: Path) -> None:
    chance = random.Random(3)
    lines = [header([f"label {n}" for n in range(20)])]
    for number in range(5_000):
        row = [float(f"{chance.random():.8g}") for _ in range(20)]
        lines.append({"t": round(number * 0.2, 1), "s": row, "m": 0.01})
    path = write_trace(tmp_path / "t.jsonl", lines)
    best = 1e9
    for _ in range(3):
        began_s = time.process_time()
        assert sum(1 for _ in read(path)) == 5_000
        best = min(best, time.process_time() - began_s)
    print(f"{best / 5_000 * 1e6:.1f} microseconds a line")
    assert best / 5_000 < 40e-6  # 6.3 on the build machine (EPYC)


def test_what_was_recorded_is_text_that_people_can_read(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with TraceWriter(path) as writer:
        sink = TraceSink(writer, Config())
        engine = RuleEngine(Config(), period_s=0.2, identify=str)
        sink.begin(Clip("a.mp4", AT, 5.0, iter(()), labels=("fall",)), engine)
        row = Probabilities(places_of(("fall",)), array("f", [0.1]))
        still = Scores(0.4, AT, row, motion=0.5, still=True, camera=frozenset([CameraState.DARK]))
        sink.frame(still)
    last = path.read_text().splitlines()[-1]
    assert last == '{"t": 0.4, "s": [0.1], "m": 0.5, "still": true, "camera": ["dark"]}'
    assert json.loads(last)["s"] == [0.1]
