"""Teaching a head, on embeddings made up so that the right answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from edgehome.heads.measures import auc
from edgehome.heads.selection import (
    Taught,
    calibrate,
    choose,
    folds_of,
    judge,
    make_head,
    unseen_scores,
    windows_of,
)
from edgehome.heads.statistics import clip_statistics
from edgehome.heads.training import Examples, Recipe, teach

RATE = 5.0
WIDTH = 16
ALL = float("inf")
RECIPE = Recipe(("mean",), 3.0, 0.1)
CARD = {"description": "made up", "trained_on": "-", "licence": "-", "limits": "-"}


def clip(
    rng: np.random.Generator, *, shows: bool, group: str, at: int = 0, by: float = 3.0
) -> Taught:
    """Return 40 frames in a place of its own look; component 0 is up while something happens."""
    place = np.random.default_rng(int(group)).normal(0, 2, WIDTH)
    frames = rng.normal(0, 1, (40, WIDTH)) + place
    frames[:, 0] = rng.normal(0, 1, 40)
    if shows:
        frames[at : at + 20, 0] += by
    return Taught([frames.astype(np.float32)], [(0, ALL, shows)], group)


def footage(count: int = 60, groups: int = 15, by: float = 3.0) -> list[Taught]:
    rng = np.random.default_rng(0)
    return [
        clip(rng, shows=n % 2 == 0, group=str(n % groups), at=int(rng.integers(20)), by=by)
        for n in range(count)
    ]


def examples(features: np.ndarray, positive: np.ndarray) -> Examples:
    stretch = np.arange(len(features))
    return Examples(features.astype(np.float32), stretch, positive, stretch)


def test_the_solver_finds_the_minimum_of_what_it_says_it_minimises() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 5))
    positive = features @ rng.normal(size=5) + rng.normal(size=200) > 0
    learnt = teach(examples(features, positive), Recipe(("mean",), 3.0, 0.1))
    inputs = (features - learnt.center) / learnt.scale
    weights = np.where(positive, 100 / positive.sum(), 100 / (~positive).sum())
    errors = 1 / (1 + np.exp(-(inputs @ learnt.weights + learnt.bias))) - positive
    slope = learnt.weights + 0.1 * (weights * errors) @ inputs
    assert np.abs(slope).max() < 2e-3
    assert abs(0.1 * (weights * errors).sum()) < 2e-3
    assert np.linalg.norm(learnt.weights) > 0.3


def test_more_features_than_examples_are_no_trouble() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(40, 1440))
    features[:, 7] += np.repeat([0, 8], 20)
    learnt = teach(examples(features, np.arange(40) >= 20), Recipe(("mean",), 3.0, 0.01))
    assert int(np.argmax(np.abs(learnt.weights))) == 7


def test_windows_belong_to_the_stretch_that_their_last_frame_is_in() -> None:
    view = np.arange(40, dtype=np.float32)[:, None]
    taught = Taught([view], [(0, 4.0, False), (4.2, ALL, True)], "0")
    windows = windows_of([taught], Recipe(("max",), 3.0, 1.0), RATE)
    ends = windows.examples.features[:, 0]
    assert ends[windows.examples.stretch == 0].tolist() == list(range(14, 21))
    assert ends[windows.examples.stretch == 1].tolist() == list(range(21, 40))
    assert windows.examples.positive.tolist() == [False, True]


def test_a_clip_shorter_than_the_window_gives_the_one_window_it_has() -> None:
    view = np.ones((6, WIDTH), np.float32)
    windows = windows_of([Taught([view], [(0, ALL, True)], "0")], RECIPE, RATE)
    assert windows.examples.features.shape == (1, WIDTH)
    beyond = Taught([view], [(90, 99, True), (0, ALL, False)], "0")
    assert windows_of([beyond], RECIPE, RATE).examples.positive.tolist() == [False]


def test_folds_never_split_a_group_and_each_has_both_kinds() -> None:
    made = windows_of(footage(), RECIPE, RATE).examples
    folds = folds_of(made, 5, seed=3)
    for group in np.unique(made.group):
        assert len(np.unique(folds[made.group == group])) == 1
    for fold in range(5):
        assert set(made.positive[folds == fold]) == {True, False}


def test_what_depends_on_the_place_alone_is_not_taken_for_knowledge() -> None:
    """Every place has one label: a head can only learn places, and validation must say so."""
    rng = np.random.default_rng(0)
    clips = [clip(rng, shows=False, group=str(n % 40)) for n in range(120)]
    clips = [Taught(c.views, [(0, ALL, int(c.group) % 2 == 0)], c.group) for c in clips]
    windows = windows_of(clips, RECIPE, RATE)
    learnt = teach(windows.examples.of(windows.teaching), RECIPE)
    positive = windows.examples.positive[windows.examples.stretch]
    assert auc(learnt(windows.examples.features), positive) > 0.75  # places, learnt by heart
    assert judge(windows, RECIPE).auc < 0.6


def test_holding_places_back_makes_a_head_care_less_about_where_it_is() -> None:
    windows = windows_of(footage(), RECIPE, RATE)
    positive = windows.examples.positive[windows.examples.stretch]
    group = windows.examples.group[windows.examples.stretch]

    def spread(places: float) -> float:
        recipe = Recipe(RECIPE.statistics, RECIPE.window_s, RECIPE.strength, places)
        scores = teach(windows.examples, recipe)(windows.examples.features)
        calm = [scores[~positive & (group == one)].mean() for one in np.unique(group[~positive])]
        return float(np.std(calm) / (scores[positive].mean() - scores[~positive].mean()))

    assert spread(30.0) < 0.9 * spread(0.0)


def test_taking_only_the_likeliest_windows_finds_a_short_event_in_a_long_clip() -> None:
    rng = np.random.default_rng(0)
    clips = []
    for number in range(60):
        frames = rng.normal(0, 1, (100, WIDTH)).astype(np.float32)
        if number % 2:
            frames[60:66, 0] += 1.6
        clips.append(Taught([frames], [(0, ALL, bool(number % 2))], str(number % 20)))
    every, some = (Recipe(("mean",), 1.2, 0.1, share=share) for share in (1.0, 0.1))
    windows = windows_of(clips, every, RATE)
    assert judge(windows, some).auc > judge(windows, every).auc + 0.05


def test_calibration_recovers_the_probability_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(0, 2, 20_000)
    positive = rng.random(20_000) < 1 / (1 + np.exp(-(0.7 * scores - 1.0)))
    slope, offset = calibrate(scores, positive)
    assert (slope, offset) == (pytest.approx(0.7, abs=0.05), pytest.approx(-1.0, abs=0.05))


def test_calibration_stays_finite_where_scores_separate_or_are_turned_round() -> None:
    scores, positive = np.array([-3.0, -2.0, 2.0, 3.0]), np.array([False, False, True, True])
    slope, offset = calibrate(scores, positive)
    assert 0 < slope < 10
    assert abs(offset) < 1
    assert calibrate(-scores, positive)[0] == 1e-3


def test_a_head_made_from_footage_knows_new_places_and_says_so_honestly() -> None:
    recipes = [Recipe(("mean",), 3.0, c, places) for places in (0.0, 30.0) for c in (0.01, 0.1)]
    clips = footage(120, 30)
    judged = choose(clips, RATE, recipes=recipes)
    assert judged[0].auc == max(one.auc for one in judged) > 0.9
    made = make_head(
        clips, judged[0].recipe, rate=RATE, name="fall", embedding="made-up", alarms_an_hour=1.0,
        card=CARD,
    )  # fmt: skip
    rng = np.random.default_rng(9)
    sure = {True: [], False: []}
    for number in range(100):
        new = clip(rng, shows=number % 2 == 0, group=str(1000 + number))
        statistics = clip_statistics(new.views[0], frames=made.frames(RATE), kinds=("mean",))
        best = float(made.probability(statistics[made.frames(RATE) - 1 :]).max())
        sure[number % 2 == 0].append(best)
    assert np.mean(np.array(sure[True])[:, None] > np.array(sure[False])) > 0.9
    figures = made.card["figures"]
    assert figures["positives"] == figures["negatives"] == 60
    assert figures["auc"] == pytest.approx(judged[0].auc, abs=0.03)
    assert 0.5 <= made.threshold <= 1
    # 60 negative clips of 26 full windows are 5 minutes: one alarm in them is 11.5 an hour.
    assert figures["alarms_an_hour"] == pytest.approx(3600 * RATE / (60 * 26), abs=0.01)


def test_unseen_scores_do_not_change_with_the_labels_of_their_own_group() -> None:
    clips = footage()
    windows = windows_of(clips, RECIPE, RATE)
    group = windows.examples.group[0]
    swapped = [
        Taught(c.views, [(0, ALL, not c.stretches[0][2])], c.group) if c.group == "0" else c
        for c in clips
    ]
    mine = (windows.examples.group == group)[windows.examples.stretch]
    before = unseen_scores(windows, RECIPE, 0)[mine]
    other = windows_of(swapped, RECIPE, RATE)
    if not np.array_equal(folds_of(windows.examples, 6, 0), folds_of(other.examples, 6, 0)):
        pytest.fail("the folds depend on which of a group's clips are positive")
    assert np.array_equal(unseen_scores(other, RECIPE, 0)[mine], before)


def test_what_only_teaches_is_not_judged_by() -> None:
    """Stretches that are easy to tell, or said to be what they are not, change no figure."""
    clips = footage()
    others = [
        Taught(c.views, [(0, ALL, not c.stretches[0][2])], f"rendered {n}", judged=False)
        for n, c in enumerate(clips)
    ]
    windows, both = windows_of(clips, RECIPE, RATE), windows_of([*clips, *others], RECIPE, RATE)
    assert np.array_equal(both.positive, windows.positive)
    assert len(both.examples.positive) == 2 * len(windows.examples.positive)
    scores = np.arange(len(both.examples.features), dtype=np.float64)
    mine = scores[: len(windows.examples.features)]
    assert np.array_equal(both.best(scores), windows.best(mine))
    for ours, theirs in zip(both.negatives(scores), windows.negatives(mine), strict=True):
        assert np.array_equal(ours, theirs)
    # They do teach: with every label the other way round, nothing can be told any more.
    assert judge(both, RECIPE).auc < judge(windows, RECIPE).auc - 0.2
