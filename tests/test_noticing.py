"""The worker's side of the unusual, on made-up days; and what is said of it between processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from edgehome.messages import MessageError, decode, encode
from edgehome.normality import (
    MOST_NORMAL_BYTES,
    JudgedSpan,
    KeptNormal,
    Normality,
    Verdict,
    encode_judged,
    encode_kept,
)
from edgehome.noticing import KEEP_S, MOVED, Noticing
from edgehome.novelty.normal import Key
from edgehome.novelty.normalfile import LARGEST_BYTES, decode_normal
from edgehome.orders import decode_request
from edgehome.types import CameraState, Problem, Scores

WIDTH = 32
KEY = Key("ab" * 32, "here")
BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
DAY_S = 86_400
MOVED_STATE = frozenset({CameraState.MOVED})


class Model:
    """What it looks at is set from outside."""

    def __init__(self) -> None:
        self.embedding: Any = np.zeros(0, np.float32)
        self.taught = ("dance",)


class Place:
    """A camera before which something happens, and who hears of it."""

    def __init__(self, kept: bytes | None = b"", key: Key = KEY) -> None:
        self.model = Model()
        self.said: list[Normality] = []
        self.noticing = Noticing(self.model, key, self.said.append)  # type: ignore[arg-type]
        self.rng = np.random.default_rng(1)
        self.acts = self.rng.gamma(2.0, 0.2, (8, WIDTH)).astype(np.float32)
        self.time_s = 0.0
        if kept is not None:
            self.noticing.obey(KeptNormal(kept))

    def see(self, act: Any = None, camera: frozenset[CameraState] = frozenset()) -> Scores:
        """Show a frame of an act; of nothing that moves for None."""
        self.time_s += 2.0 if act is None else 0.2
        if act is not None:
            noise = self.rng.normal(0, 0.05, WIDTH)
            self.model.embedding = (act + noise).clip(0).astype(np.float32)
        seen = Scores(
            self.time_s,
            BEGIN + timedelta(seconds=self.time_s),
            {"walking": 0.6, "dance": 0.1},
            still=act is None,
            motion=0.1,
            camera=camera,
        )
        return self.noticing.look(seen)

    def live(self, days: float) -> None:
        """Let the same eight things happen each day, twenty times."""
        until_s = self.time_s + days * DAY_S
        while self.time_s < until_s:
            if self.time_s // 4320 != (self.time_s - 2) // 4320:
                act = self.acts[self.rng.integers(len(self.acts))]
                for _ in range(50):
                    self.see(act)
            self.see()

    def happen(self, act: Any, seconds: float = 8.0) -> list[Scores]:
        return [self.see(act) for _ in range(int(seconds * 5))]

    def kept(self) -> bytes:
        return next(said.data for said in reversed(self.said) if said.data)


@pytest.fixture(scope="module")
def learnt() -> bytes:
    """Five days of a place, as they are kept."""
    place = Place()
    place.live(5)
    place.noticing.end()
    return place.kept()


def strange() -> Any:
    return np.random.default_rng(99).gamma(2.0, 0.6, WIDTH).astype(np.float32)


def test_until_it_is_told_what_was_kept_it_says_nothing() -> None:
    place = Place(kept=None)
    place.happen(place.acts[0])
    place.noticing.end()
    assert place.said == []


def test_a_model_without_an_embedding_leaves_scores_as_they_are() -> None:
    place = Place()
    seen = Scores(1.0, BEGIN, {"walking": 0.5})
    for place.model.embedding in (None, np.zeros(0, np.float32)):
        assert place.noticing.look(seen) is seen


def test_after_some_days_what_never_came_is_rare_and_what_always_comes_is_not(
    learnt: bytes,
) -> None:
    place = Place(learnt)
    place.time_s = 5 * DAY_S
    usual = []
    for act in place.acts:
        usual.append(max(scores.unusual for scores in place.happen(act)))
        place.time_s += 60
    assert np.median(usual) < 1
    found = max(place.happen(strange()), key=lambda scores: scores.unusual)
    assert found.unusual > 7
    assert found.episode > 0
    assert "most like" in found.resembles
    assert "walking 0.60" in found.resembles
    assert "activity new" in found.resembles


def test_each_percent_is_told_and_all_of_it_every_half_hour() -> None:
    place = Place()
    place.live(1.05)
    percents = [int(said.learnt * 100) for said in place.said]
    assert percents == sorted(percents)
    assert percents[-1] in {33, 34, 35}
    whole = [said for said in place.said if said.data]
    assert len(whole) == int(1.05 * DAY_S / KEEP_S)
    assert all(len(said.data) <= LARGEST_BYTES == MOST_NORMAL_BYTES for said in whole)


def test_the_next_worker_goes_on_where_the_last_one_was(learnt: bytes) -> None:
    place = Place(learnt)
    place.time_s = 5 * DAY_S
    place.see(place.acts[0])
    assert [(said.learnt, said.begun) for said in place.said] == [(1.0, None)]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (replace(KEY, model="cd" * 32), "normal_model"),
        (replace(KEY, position="x"), "normal_position"),
    ],
)
def test_another_model_or_place_begins_anew_and_says_so(learnt: bytes, key: Key, code: str) -> None:
    place = Place(learnt, key)
    place.see(place.acts[0])
    (said,) = place.said
    assert said.begun
    assert (said.begun.code, said.learnt) == (code, 0.0)
    assert not isinstance(decode_normal(said.data, key, WIDTH), Problem)


def test_a_broken_file_begins_anew_and_says_so(learnt: bytes) -> None:
    place = Place(learnt[:-7])
    place.see(place.acts[0])
    assert place.said[0].begun
    assert place.said[0].begun.code == "normal_broken"


def test_a_camera_whose_view_is_not_the_place_s_teaches_nothing(learnt: bytes) -> None:
    place = Place(learnt)
    place.time_s = 5 * DAY_S
    place.see(place.acts[0])
    for state in CameraState:
        for _ in range(200):
            assert place.see(strange(), frozenset({state})).unusual == 0
    place.noticing.end()
    before, after = (decode_normal(data, KEY, WIDTH) for data in (learnt, place.kept()))
    assert not isinstance(before, Problem)
    assert not isinstance(after, Problem)
    assert after.totals.windows == before.totals.windows
    assert after.totals.watched_days == pytest.approx(before.totals.watched_days, abs=1e-4)


def test_a_camera_that_was_moved_for_good_learns_anew_and_one_that_was_put_back_does_not(
    learnt: bytes,
) -> None:
    place = Place(learnt)
    place.time_s = 5 * DAY_S
    place.see()
    place.see(place.acts[0])
    for _ in range(100):
        place.see(None, MOVED_STATE)
    place.see(place.acts[0])
    assert [said.begun for said in place.said] == [None]
    for _ in range(150):
        place.see(None, MOVED_STATE)
    place.see(place.acts[0])
    assert place.said[-1].begun is MOVED
    assert place.said[-1].learnt == 0


def test_an_alert_s_time_is_not_learnt_until_it_is_judged_and_outlives_a_restart() -> None:
    place = Place()
    place.live(0.1)
    at = (BEGIN + timedelta(seconds=place.time_s)).timestamp()
    place.happen(strange())
    place.noticing.obey(JudgedSpan(at - 1, at + 10, Verdict.OPEN))
    place.noticing.end()
    place = Place(place.kept())
    place.time_s = 0.2 * DAY_S
    place.see(place.acts[0])
    before = place.noticing
    before.end()
    normal = decode_normal(place.kept(), KEY, WIDTH)
    assert not isinstance(normal, Problem)
    assert len(normal.held) >= 5
    before.obey(JudgedSpan(at - 1, at + 10, Verdict.NORMAL))
    before.end()
    judged = decode_normal(place.kept(), KEY, WIDTH)
    assert not isinstance(judged, Problem)
    assert len(judged.held) == 0
    assert judged.totals.windows >= normal.totals.windows + 5


def test_what_was_judged_to_be_normal_is_unusual_no_more_and_what_was_not_still_is(
    learnt: bytes,
) -> None:
    found = {}
    for verdict in Verdict:
        place = Place(learnt)
        place.time_s = 5 * DAY_S + 10
        at = (BEGIN + timedelta(seconds=place.time_s)).timestamp()
        assert max(scores.unusual for scores in place.happen(strange(), 12)) > 7
        place.noticing.obey(JudgedSpan(at - 1, at + 14, Verdict.OPEN))
        for _ in range(100):
            place.see(place.acts[0])
            place.time_s += 5
        place.noticing.obey(JudgedSpan(at - 1, at + 14, verdict))
        place.time_s += DAY_S
        found[verdict] = max(scores.unusual for scores in place.happen(strange(), 12))
    assert found[Verdict.NORMAL] < 1
    assert found[Verdict.OPEN] > 7


def test_what_is_judged_at_once_counts_for_what_was_not_learnt_yet_and_is_still_to_come(
    learnt: bytes,
) -> None:
    place = Place(learnt)
    place.time_s = 5 * DAY_S + 10
    at = (BEGIN + timedelta(seconds=place.time_s)).timestamp()
    span = JudgedSpan(at - 1, at + 14, Verdict.OPEN)
    place.happen(strange(), 6)
    place.noticing.obey(span)
    place.noticing.obey(replace(span, verdict=Verdict.NORMAL))
    place.happen(strange(), 6)
    assert any(said.data for said in place.said), "kept at once"
    place.noticing.end()
    place = Place(place.kept())
    place.time_s = 6 * DAY_S + 10
    assert max(scores.unusual for scores in place.happen(strange(), 12)) < 1


def test_what_is_judged_before_the_first_frame_is_not_lost(learnt: bytes) -> None:
    place = Place(learnt)
    place.time_s = 5 * DAY_S + 10
    at = (BEGIN + timedelta(seconds=place.time_s)).timestamp()
    place.noticing.obey(JudgedSpan(at - 1, at + 20, Verdict.OPEN))
    place.happen(strange(), 12)
    place.noticing.end()
    kept = decode_normal(place.kept(), KEY, WIDTH)
    assert not isinstance(kept, Problem)
    assert len(kept.held) >= 15


def test_a_clock_that_jumps_by_years_and_back_leaves_what_is_known(learnt: bytes) -> None:
    place = Place(learnt)
    for jump_s in (5 * DAY_S, 3000 * DAY_S, 5 * DAY_S + 600):
        place.time_s = jump_s
        place.happen(place.acts[2], 30)
    place.noticing.end()
    before, after = (decode_normal(data, KEY, WIDTH) for data in (learnt, place.kept()))
    assert not isinstance(before, Problem)
    assert not isinstance(after, Problem)
    assert after.moments.days.sum() > 0.8 * before.moments.days.sum()
    assert after.learnt == 1


def test_a_worker_that_is_ended_while_it_learns_tells_nothing_half_done() -> None:
    place = Place()
    place.see(place.acts[0])

    def end(*_: object) -> Iterator[float]:
        raise SystemExit(0)

    place.noticing._normal.step = end  # type: ignore[union-attr,method-assign,assignment]
    count = len(place.said)
    with pytest.raises(SystemExit):
        place.see(place.acts[0])
    place.noticing.end()
    assert len(place.said) == count


@pytest.mark.parametrize(
    "said",
    [Normality(0.314), Normality(1.0, b"\n\x00bytes\n"), Normality(0.0, b"x", MOVED)],
)
def test_what_the_worker_says_of_it_arrives(said: Normality) -> None:
    assert decode(encode(said), {}) == said


def test_what_the_supervisor_says_of_it_arrives() -> None:
    assert decode_request(encode_kept(b"\n{\x00")) == KeptNormal(b"\n{\x00")
    assert decode_request(encode_kept(b"")) == KeptNormal(b"")
    span = JudgedSpan(1.5, 9.0, Verdict.NORMAL)
    assert decode_request(encode_judged(span)) == span


@pytest.mark.parametrize(
    "packet",
    [
        b'{"kind": "normality", "learnt": 1.5, "begun": null}\n',
        b'{"kind": "normality", "learnt": "x", "begun": null}\n',
        b'{"kind": "normality", "learnt": 0.5}\n',
        b'{"kind": "normality", "learnt": 0.5, "begun": {"code": 1}}\n',
        b'{"kind": "normality", "learnt": 0.5, "begun": null}\n' + b"x" * (MOST_NORMAL_BYTES + 1),
    ],
)
def test_nonsense_of_the_worker_is_refused(packet: bytes) -> None:
    with pytest.raises(MessageError):
        decode(packet, {})


@pytest.mark.parametrize(
    "packet",
    [
        b'{"judged": {"since": -1, "until": 2, "verdict": "open"}}',
        b'{"judged": {"since": 1, "until": 1e300, "verdict": "open"}}',
        b'{"judged": {"since": 1, "until": 2, "verdict": "good"}}',
        b'{"judged": 1}',
        b'{"normal": "all"}\nx',
        b'{"normal": true}\n' + bytes(MOST_NORMAL_BYTES + 1),
    ],
)
def test_nonsense_of_the_supervisor_is_refused(packet: bytes) -> None:
    with pytest.raises(MessageError):
        decode_request(packet)
