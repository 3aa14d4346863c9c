"""Teaching an activity from a handful of examples: what is learnt, and what is said of it."""

from __future__ import annotations

import math
import time
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lessons import RATE, SPACE, WIDTH, example, general, lesson, seconds

from edgehome.heads.faults import faults_of
from edgehome.heads.head import Head, fields_of
from edgehome.teaching.honesty import HeldOut, hold_out, tail_of, told_apart, wilson
from edgehome.teaching.learner import fit, windows_in, windows_of
from edgehome.teaching.lesson import MOST_EXAMPLES, Lesson, example_of
from edgehome.teaching.taught import Taught, Wish, teach
from edgehome.teaching.words import alarms
from edgehome.types import Problem


def head_of(taught: Taught) -> Head:
    assert taught.head is not None, taught.says
    return taught.head


def test_an_activity_is_told_from_normal_that_nobody_showed() -> None:
    head = head_of(teach(lesson(5, 5), general()))
    rng = np.random.default_rng(99)
    acted = [windows_in(seconds(rng, act=0.6), RATE) for _ in range(20)]
    calm = [windows_in(seconds(rng), RATE) for _ in range(20)]
    assert np.mean([head.probability(w).max() >= head.threshold for w in acted]) >= 0.8
    assert np.mean([head.probability(w).max() >= head.threshold for w in calm]) <= 0.1


def test_what_was_learnt_is_a_head_file_without_faults() -> None:
    head = head_of(teach(lesson(4, 4), general()))
    assert faults_of(fields_of(head)) == []
    assert head.width == WIDTH
    assert 0 < head.threshold < 1


def test_the_same_lesson_gives_the_same_head_to_the_last_bit() -> None:
    first, second = (head_of(teach(lesson(4, 4), general())) for _ in range(2))
    assert np.array_equal(first.weights, second.weights)
    assert fields_of(first) == fields_of(second)


@pytest.mark.parametrize(
    ("yes", "no", "words"),
    [
        (0, 0, "3 more examples and 20 s more of normal"),
        (2, 4, "1 more example."),
        (3, 1, "14 s more of normal."),
    ],
)
def test_too_little_is_refused_with_what_is_missing(yes: int, no: int, words: str) -> None:
    taught = teach(lesson(yes, no), general())
    assert taught.head is None
    assert taught.missing is not None
    assert taught.missing.code == "lesson_short"
    assert taught.missing.remedy
    assert words in taught.says


def test_a_model_without_general_negatives_needs_more_of_the_home_s_normal() -> None:
    assert "96 s more of normal" in teach(lesson(5, 4), None).says
    head = head_of(teach(lesson(5, 20), None))
    acted = windows_in(seconds(np.random.default_rng(99), act=0.6), RATE)
    assert head.probability(acted).max() >= head.threshold


def test_an_activity_that_is_nothing_but_normal_says_so_and_hardly_ever_fires() -> None:
    said = []
    for seed in range(8):
        taught = teach(lesson(6, 6, act=0.0, seed=seed), general(seed + 100))
        assert taught.figures is not None
        said.append(taught.figures.distinct)
        if not taught.figures.distinct:
            assert "cannot be told from normal" in taught.says
    assert sum(said) <= 2  # one in twenty by chance, were the pieces independent


def test_the_words_are_those_of_the_figures() -> None:
    taught = teach(lesson(10, 6, act=0.8), general())
    assert taught.figures is not None
    assert taught.figures.distinct
    assert f"finds about {taught.figures.found} of 10" in taught.says
    assert "36 s of normal" in taught.says
    assert head_of(taught).card["figures"]["found"] == taught.figures.found


def test_a_wish_for_fewer_false_alarms_never_lowers_the_threshold() -> None:
    given_ = lesson(8, 8, act=0.3)
    levels = [
        head_of(teach(given_, general(), Wish(alarms_a_day=rate))).threshold
        for rate in (100, 10, 1, 0.1)
    ]
    assert levels == sorted(levels)


def test_a_false_alert_that_was_normal_scores_lower_afterwards() -> None:
    rng = np.random.default_rng(7)
    lookalike = seconds(rng, act=0.0)
    lookalike[:, : WIDTH // 8] += 0.35  # a part of what the activity shows, all the time
    lookalike[:, -8:] += 0.4  # and something of its own
    before = head_of(teach(lesson(5, 5), general()))
    new = example(rng, shows=False)
    taken = replace(new, codes=np.clip(lookalike / new.step, 0, 255).astype(np.uint8))
    added = lesson(5, 5).add([taken], "")
    assert not isinstance(added, Problem)
    after = head_of(teach(added, general()))
    windows = windows_of(taken, RATE)
    gap = [h.probability(windows).max() - h.threshold for h in (before, after)]
    assert gap[0] > 0 > gap[1]


def test_one_false_alert_that_was_judged_changes_more_than_one_more_of_many_normal_ones() -> None:
    rng = np.random.default_rng(8)
    many = lesson(5, 60)
    alert = seconds(rng, act=0.4)
    alert[:, -8:] += 0.3  # something of its own, by which it can be known
    rises = {}
    for source in ("unmarked", "feedback"):
        judged = example_of(alert, shows=False, occasion="x", source=source)
        taught = many.add([judged], "2026-11-23T12:00")
        assert not isinstance(taught, Problem)
        head = head_of(teach(taught, general()))
        once_more = windows_in(alert * np.float32(1.02), RATE)
        shown = [windows_of(e, RATE) for e in taught.shown if e.shows]
        lowest = min(float(head.probability(one).max()) for one in shown)
        rises[source] = float(head.probability(once_more).max()), lowest, head.threshold
    again, lowest, threshold = rises["feedback"]
    assert again < rises["unmarked"][0] - 0.1
    assert again < threshold < lowest, "what was shown is still told apart"


def test_held_out_scores_do_not_know_what_they_score() -> None:
    """Without its own example nothing knows of an activity that was shown once."""
    rng = np.random.default_rng(3)
    odd = seconds(rng)
    odd[:, -6:] += 2.0
    yes = [windows_in(seconds(rng, act=0.6), RATE) for _ in range(4)] + [windows_in(odd, RATE)]
    no = [windows_in(seconds(rng), RATE) for _ in range(4)]
    held = hold_out(yes, no, general(), [str(i) for i in range(9)])
    seen = fit(yes, no, general())
    assert seen(yes[4]).max() > held.yes[4] + 0.5
    alike = hold_out([*yes, yes[4]], no, general(), [*"01234", "4", *"5678"])
    assert alike.yes[4] == pytest.approx(alike.yes[5], abs=1e-4)
    assert alike.yes[5] < seen(yes[4]).max()  # its twin of the same occasion did not teach it


def test_examples_of_one_occasion_alone_are_still_judged() -> None:
    rng = np.random.default_rng(3)
    yes = [windows_in(seconds(rng, act=0.6), RATE) for _ in range(4)]
    held = hold_out(yes, [], general(), ["same"] * 4)
    assert np.isfinite(held.yes).all()


@pytest.mark.parametrize(("found", "of", "low", "high"), [(8, 10, 0.490, 0.943), (0, 5, 0, 0.434)])
def test_the_interval_of_a_share_is_wilson_s(found: int, of: int, low: float, high: float) -> None:
    assert wilson(found, of) == pytest.approx((low, high), abs=1e-3)


def test_the_reckoned_rate_is_that_of_a_tail_that_is_known() -> None:
    """Pieces whose excess is exponential: what one in 10,000 reaches is reckoned from 300."""
    errors = []
    for seed in range(40):
        pieces = np.random.default_rng(seed).exponential(1.0, 300)
        errors.append(tail_of(pieces).score(1, 10_000) - math.log(10_000))
    assert abs(np.mean(errors)) < 0.4
    tail = tail_of(np.random.default_rng(1).exponential(1.0, 300))
    low, high = tail.between(5.0, 10_000)
    assert low < tail.rate(5.0, 10_000) < high
    assert low < 10_000 * math.exp(-5.0) < high


def test_chance_is_not_taken_for_an_activity() -> None:
    taken = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        scores = rng.normal(size=60)
        no = tuple(np.array([score]) for score in scores[5:10])
        taken += told_apart(HeldOut(scores[:5], no, scores[10:]))
    assert taken / 200 <= 0.07


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0.001, "less than one false alarm a day"),
        (1.0, "about one false alarm a day"),
        (4.2, "about 4 false alarms a day"),
        (24.0, "about 1 false alarm an hour"),
        (240.0, "about 10 false alarms an hour"),
    ],
)
def test_rates_are_said_as_a_person_would(rate: float, words: str) -> None:
    assert alarms(rate) == words


@settings(max_examples=25, deadline=None)
@given(
    yes=st.integers(0, 7),
    no=st.integers(0, 7),
    act=st.floats(0, 2),
    seed=st.integers(0, 1000),
    wish=st.floats(0.01, 100),
)
def test_every_lesson_gives_a_sound_head_or_a_reason(
    yes: int, no: int, act: float, seed: int, wish: float
) -> None:
    taught = teach(lesson(yes, no, act=act, seed=seed), general(seed), Wish(wish))
    assert (taught.head is None) == (taught.missing is not None)
    assert taught.says
    if taught.head is not None and taught.figures is not None:
        assert faults_of(fields_of(taught.head)) == []
        assert 0 <= taught.figures.found <= yes
        low, high = taught.figures.found_interval
        assert 0 <= low <= taught.figures.found / yes <= high + 1e-9 <= 1 + 1e-9
        assert taught.figures.alarms_interval[0] <= taught.figures.alarms_interval[1]


@settings(max_examples=50, deadline=None)
@given(acts=st.lists(st.sampled_from(["yes", "no", "remove", "undo"]), max_size=20))
def test_undoing_gives_back_every_earlier_version(acts: list[str]) -> None:
    rng = np.random.default_rng(0)
    now = Lesson("dance", SPACE, RATE)
    before: list[list[int]] = []
    for act in acts:
        seen = [id(e.codes) for e in now.shown]
        if act == "undo":
            undone = now.undo()
            assert isinstance(undone, Problem) == (not before)
            if not isinstance(undone, Problem):
                now = undone
                assert [id(e.codes) for e in now.shown] == before.pop()
            continue
        if act == "remove":
            if not seen:
                continue
            now = now.remove([0], "")
        else:
            added = now.add([example(rng, shows=act == "yes")], "")
            assert not isinstance(added, Problem)
            now = added
        before.append(seen)


def test_a_full_lesson_says_so() -> None:
    one = example(np.random.default_rng(0), shows=True)
    full = Lesson("dance", SPACE, RATE).add([one] * MOST_EXAMPLES, "")
    assert not isinstance(full, Problem)
    refused = full.add([one], "")
    assert isinstance(refused, Problem)
    assert refused.code == "lesson_full"


def test_twenty_examples_take_less_than_two_seconds_and_twenty_megabytes() -> None:
    """Processor time: what others do on this machine is theirs."""
    given_, shipped = lesson(10, 10, width=480, act=0.3), general(width=480, clips=110)
    spent = []
    for _ in range(3):
        begin = time.process_time()
        assert teach(given_, shipped).head is not None
        spent.append(time.process_time() - begin)
    assert sorted(spent)[1] < 2.0
    tracemalloc.start()
    teach(given_, shipped)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20e6
