"""From scores to onsets and offsets."""

from __future__ import annotations

from array import array

import pytest

from edgehome.config.conditions import Activity, ActivityCondition, AnyCondition, MotionCondition
from edgehome.events import group_score
from edgehome.messages import Probabilities, places_of
from edgehome.types import Mode, Scores
from tests.rules.scene import NOON, Scene, activity, rule

FIGHTING = Activity("fighting", ("slap", "kick"))


def test_an_activity_begins_at_above_and_ends_at_below() -> None:
    scene = Scene(rule())
    scene.show(1, slap=0.59)
    scene.show(1, slap=0.6)
    scene.show(1, slap=0.41)
    scene.show(1, slap=0.4)
    assert scene.edges() == [(1.0, "onset"), (3.0, "offset")]
    onset, offset = (event for _, event in scene.events)
    assert (onset.score, onset.threshold, onset.activity) == (0.6, 0.6, "slap")
    assert (offset.score, offset.threshold) == (0.4, 0.4)
    assert (onset.time_s, onset.at) == (1001.0, scene.alerts[0][1].at)


def test_labels_of_a_group_add_up_and_stay_a_probability() -> None:
    assert group_score(Scores(0, NOON, {"slap": 0.4, "kick": 0.3}), FIGHTING) == pytest.approx(0.7)
    assert group_score(Scores(0, NOON, {"slap": 0.7, "kick": 0.6}), FIGHTING) == 1.0
    assert group_score(Scores(0, NOON, {"walk": 1.0}), FIGHTING) == 0.0


def test_a_label_counts_by_its_weight() -> None:
    weighted = Activity("fighting", ("slap", "kick"), (1.0, 0.5))
    scores = Scores(0, NOON, {"slap": 0.2, "kick": 0.6})
    assert group_score(scores, weighted) == pytest.approx(0.5)


def test_a_label_over_a_window_of_its_own_has_a_name_of_its_own() -> None:
    scores = Scores(
        0, NOON, {"slap": 0.1, "kick": 0.1, "slap@3s": 0.2, "kick@3s": 0.3, "slap@0.5s": 0.9}
    )
    assert group_score(scores, FIGHTING) == pytest.approx(0.2)
    assert group_score(scores, FIGHTING, 3.0) == pytest.approx(0.5)
    # A label that is not told over that window, such as a small head's, is taken as it is.
    assert group_score(scores, FIGHTING, 0.5) == pytest.approx(0.9 + 0.1)


def test_two_rules_may_look_back_over_different_windows_at_one_activity() -> None:
    quick = rule(activity("slap", look_back_s=1.0), name="Quick")
    scene = Scene(quick, rule(name="Slow"))
    scene.show(1, **{"slap@1s": 0.9, "slap": 0.2})
    scene.show(1, **{"slap@1s": 0.9, "slap": 0.9})
    assert [(now, alert.rule) for now, alert in scene.alerts] == [(0, "Quick"), (1, "Slow")]


def test_a_row_of_probabilities_says_the_same_as_a_mapping() -> None:
    """The one is what a worker sends, and is read by place; the other is what people write."""
    conditions = (
        activity("slap"),
        ActivityCondition(activity=FIGHTING, above=0.5),
        ActivityCondition(activity=Activity("w", ("kick", "slap"), (2.0, 0.5)), above=0.7),
        ActivityCondition(activity=FIGHTING, look_back_s=3.0, above=0.3),
        ActivityCondition(activity=Activity("gone", ("gone", "slap")), above=0.3),
        ActivityCondition(activity=Activity("half", ("slap",), (0.5,)), above=0.3),
        activity("nowhere"),
    )
    rules = [rule(condition, name=f"{n}") for n, condition in enumerate(conditions)]
    by_name, by_place = Scene(*rules, smoothing_s=0.3), Scene(*rules, smoothing_s=0.3)
    places = places_of(["kick", "slap@3s", "slap"])
    other = places_of(["slap", "kick", "slap@3s"])
    for n in range(60):
        found = {"kick": n % 7 / 8, "slap@3s": n % 5 / 8, "slap": n % 9 / 8}
        order = other if n % 20 > 10 else places
        row = Probabilities(order, array("f", [found[label] for label in order]))
        for scene, probabilities in ((by_name, found), (by_place, row)):
            frame = Scores(n * 0.2, NOON, probabilities)
            scene.note(scene.engine.update(frame, Mode.AWAY))
    assert [(e.activity, e.edge, e.time_s) for _, e in by_name.events] == [
        (e.activity, e.edge, e.time_s) for _, e in by_place.events
    ]
    assert {event.activity for _, event in by_name.events} == {
        "slap",
        "fighting",
        "w",
        "gone",
        "half",
    }


def test_smoothing_keeps_a_single_frame_from_being_an_onset() -> None:
    scene = Scene(rule(), smoothing_s=1.0)
    scene.show(0.2, slap=1.0)
    scene.show(2, slap=0.0)
    assert scene.edges() == []
    scene.show(2, slap=1.0)
    assert [edge for _, edge in scene.edges()] == ["onset"]


def test_smoothing_goes_by_time_not_by_frames() -> None:
    slow, fast = (Scene(rule(), smoothing_s=1.0) for _ in range(2))
    for n in range(1, 6):
        slow.engine.update(Scores(n * 0.2, NOON, {"slap": 0.5}), Mode.AWAY)
    for n in range(2, 11):
        fast.engine.update(Scores(n * 0.1, NOON, {"slap": 0.5}), Mode.AWAY)
    (score,) = (status.score for status in slow.engine.statuses())
    assert score == pytest.approx(0.5 * (1 - 2.718281828**-1.0))
    assert fast.engine.statuses()[0].score == pytest.approx(score)


def test_two_rules_may_watch_one_activity_with_thresholds_of_their_own() -> None:
    low = rule(activity("slap", above=0.3, below=0.2), name="Low")
    high = rule(activity("slap", above=0.8, below=0.5), name="High")
    scene = Scene(low, high)
    scene.show(1, slap=0.5)
    scene.show(1, slap=0.9)
    scene.show(1, slap=0.45)
    assert [(now, alert.rule) for now, alert in scene.alerts] == [(0.0, "Low"), (1.0, "High")]
    assert (scene.state("Low"), scene.state("High")) == ("firing", "inactive")


def test_a_score_that_is_no_number_is_as_if_nothing_was_seen() -> None:
    scene = Scene(rule(), smoothing_s=0.2)
    scene.show(2, slap=0.9)
    scene.show(0.2, slap=float("nan"))
    assert scene.edges()[-1] == (2.0, "offset")
    scene.show(2, slap=0.9)
    assert scene.edges()[-1][1] == "onset", "and it does not stay so"


def test_motion_is_not_smoothed_and_has_two_thresholds_of_its_own() -> None:
    scene = Scene(rule(MotionCondition(motion=0.2, below=0.1)), smoothing_s=5.0)
    for motion in (0.19, 0.2, 0.11, 0.1):
        scene.motion = motion
        scene.show(1)
    assert scene.states() == [(1.0, "firing"), (3.0, "inactive")]
    assert scene.events == [], "motion is no activity"


def test_the_strongest_activity_is_one_that_goes_on() -> None:
    scene = Scene(rule(AnyCondition(conditions=(activity("a", above=0.9), activity("b")))))
    scene.show(0.2, a=0.8, b=0.5)
    assert scene.engine.strongest() == ("", 0.8)
    scene.show(0.2, a=0.8, b=0.7)
    assert scene.engine.strongest() == ("b", 0.7)
    assert Scene().engine.strongest() == ("", 0.0)
