"""Each condition, alone and with others."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from itertools import pairwise

import pytest

from edgehome.config.conditions import (
    AfterBootCondition,
    AnyCondition,
    AtLeast,
    Between,
    BetweenCondition,
    CameraCondition,
    MotionCondition,
    NoneCondition,
    SunCondition,
    ThenCondition,
    UnusualCondition,
    WeekdaysCondition,
)
from edgehome.rules.words import duration
from edgehome.types import CameraState, SunDay, SunTimes
from tests.rules.scene import NOON, Scene, activity, both, rule

ALWAYS = AfterBootCondition(after_boot_s=0.0)


def test_all_needs_all() -> None:
    scene = Scene(rule(both(activity("a"), activity("b"))))
    scene.show(1, a=0.9)
    scene.show(1, b=0.9)
    scene.show(1, a=0.9, b=0.9)
    scene.show(1, b=0.9)
    assert scene.states() == [(2.0, "firing"), (3.0, "inactive")]


def test_any_needs_one_and_tells_which() -> None:
    scene = Scene(rule(AnyCondition(conditions=(activity("a"), activity("b")))))
    scene.show(1, b=0.9)
    scene.show(1, a=0.8)
    scene.show(1)
    assert scene.states() == [(0.0, "firing"), (2.0, "inactive")]
    assert [(alert.label, alert.score, alert.message) for _, alert in scene.alerts] == [
        ("b", 0.9, "b (90%)")
    ]


def test_none_holds_while_nothing_of_it_does() -> None:
    scene = Scene(rule(both(activity("a"), NoneCondition(conditions=(activity("b"),)))))
    scene.show(1, a=0.9, b=0.9)
    scene.show(1, a=0.9)
    scene.show(1, a=0.9, b=0.9)
    assert scene.states() == [(1.0, "firing"), (2.0, "inactive")]


def test_conditions_may_be_within_each_other() -> None:
    inner = AnyCondition(conditions=(both(activity("a"), activity("b")), activity("c")), for_s=1.0)
    scene = Scene(rule(both(inner, NoneCondition(conditions=(activity("d"),)))))
    scene.show(1, a=0.9, b=0.9)
    scene.show(1, c=0.9)
    assert scene.times() == [1.0], "the two of `any` made it a second without a break"


def test_at_least_counts_the_last_frames() -> None:
    scene = Scene(rule(activity("slap", at_least=AtLeast(2, 3))))
    for slap in (0.9, 0.1, 0.1, 0.9, 0.1, 0.9, 0.1, 0.1):
        scene.show(0.2, slap=slap)
    assert scene.states() == [(1.0, "firing"), (1.2, "inactive")]


def test_at_least_comes_before_for() -> None:
    """A flicker that `at_least` bridges is no break."""
    scene = Scene(rule(activity("slap", at_least=AtLeast(1, 3), for_s=1.0)))
    for slap in (0.9, 0.1, 0.1, 0.9, 0.1, 0.1, 0.9):
        scene.show(0.2, slap=slap)
    assert scene.states() == [(0.0, "pending"), (1.0, "firing")]


def test_count_holds_while_so_many_beginnings_are_within_the_window() -> None:
    scene = Scene(rule(activity("slap", count=3, window_s=10.0)))
    for _ in range(3):
        scene.show(1, slap=0.9)
        scene.show(1, slap=0.1)
    assert scene.state() == "firing"
    scene.show(6, slap=0.1)
    assert scene.states()[-2:] == [(4.0, "firing"), (10.2, "inactive")]
    scene.show(1, slap=0.9)
    assert scene.times() == [4.0], "of the three the first is too long ago"


def test_count_counts_beginnings_that_lasted_for() -> None:
    scene = Scene(rule(activity("slap", for_s=1.0, count=2, window_s=60.0)))
    for seconds in (1.4, 0.6, 0.6, 0.6, 1.4):
        scene.show(seconds, slap=0.9)
        scene.show(1, slap=0.1)
    assert len(scene.times()) == 1
    assert scene.times()[0] == pytest.approx(1.4 + 0.6 * 3 + 4 + 1)


def test_a_pending_count_is_pending_only_while_something_goes_on() -> None:
    scene = Scene(rule(activity("slap", count=2, window_s=10.0)))
    scene.show(1, slap=0.9)
    scene.show(1, slap=0.1)
    scene.show(1, slap=0.9)
    assert scene.states() == [(0.0, "pending"), (1.0, "inactive"), (2.0, "firing")]


def then(gap_s: float = 5.0, *names: str) -> ThenCondition:
    return ThenCondition(conditions=tuple(activity(name) for name in names or "ab"), gap_s=gap_s)


def test_then_fires_when_the_second_begins_soon_after_the_first() -> None:
    scene = Scene(rule(then()))
    scene.show(1, a=0.9)
    scene.show(4, c=0.9)
    scene.show(1, b=0.9)
    scene.show(1)
    assert scene.states() == [(5.0, "firing"), (6.0, "inactive")]


def test_then_needs_the_order() -> None:
    scene = Scene(rule(then()))
    scene.show(1, b=0.9)
    scene.show(1, a=0.9)
    scene.show(1)
    assert scene.alerts == []


def test_then_needs_a_beginning_and_not_at_the_same_moment() -> None:
    scene = Scene(rule(then()))
    scene.show(1, a=0.9, b=0.9)
    scene.show(1, b=0.9)
    assert scene.alerts == []


@pytest.mark.parametrize(("pause_s", "alerts"), [(4.8, 1), (5.0, 0)])
def test_the_gap_goes_from_the_last_moment_of_the_first(pause_s: float, alerts: int) -> None:
    """The last frame that shows it is 0.2 s before the pause begins."""
    scene = Scene(rule(then()))
    scene.show(60, a=0.9)
    scene.show(pause_s)
    scene.show(1, b=0.9)
    assert len(scene.alerts) == alerts


def test_the_second_may_begin_while_the_first_goes_on() -> None:
    scene = Scene(rule(then()))
    scene.show(60, a=0.9)
    scene.show(1, a=0.9, b=0.9)
    assert scene.times() == [60.0]


def test_then_starts_anew_once_its_last_has_ended() -> None:
    scene = Scene(rule(then(), repeat_interval_s=0.0))
    scene.show(1, a=0.9)
    scene.show(1, a=0.9, b=0.9)
    scene.show(1, a=0.9)
    scene.show(1, a=0.9, b=0.9)
    assert scene.times() == [1.0], "the first has not begun again"
    scene.show(1)
    scene.show(1, a=0.9)
    scene.show(1, b=0.9)
    assert scene.times() == [1.0, 6.0]


def test_then_may_have_more_than_two_stages() -> None:
    scene = Scene(rule(then(5.0, "a", "b", "c")))
    scene.show(1, a=0.9)
    scene.show(1, c=0.9)
    scene.show(1, b=0.9)
    assert scene.alerts == []
    scene.show(1, c=0.9)
    assert scene.times() == [3.0]


@pytest.mark.parametrize(("held_s", "alerts"), [(1.0, 0), (6.0, 1)])
def test_what_happens_meanwhile_does_not_move_the_gap(held_s: float, alerts: int) -> None:
    """The third, out of its turn, is no reason to look at the first as if it had just ended."""
    scene = Scene(rule(then(5.0, "a", "b", "c")))
    for n in range(50):
        now = n * 0.2
        a, c = 0.9 * (now < held_s), 0.9 * (2.0 <= now < 4.0 or now >= 8.0)
        scene.show(0.2, a=a, b=0.9 * (7.0 <= now < 7.8), c=c)
    assert len(scene.alerts) == alerts


def test_a_stage_that_comes_again_out_of_its_turn_does_not_renew_it() -> None:
    scene = Scene(rule(then(5.0, "a", "b", "c")))
    scene.show(1, a=0.9)
    scene.show(1, b=0.9)
    scene.show(20)
    scene.show(1, b=0.9)
    scene.show(1)
    scene.show(1, c=0.9)
    assert scene.alerts == []


def test_between_is_in_from_its_start_and_out_at_its_end() -> None:
    scene = Scene(
        rule(both(activity("slap"), BetweenCondition(between=Between.parse("12:01-12:02")))),
    )
    scene.show(180, slap=0.9)
    assert scene.states() == [(60.0, "firing"), (120.0, "inactive")]


def test_between_may_go_over_midnight_in_the_frames_own_zone() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    night = BetweenCondition(between=Between.parse("23:00-06:00"))
    for hour, fires in ((22, False), (23, True), (3, True), (6, False)):
        scene = Scene(rule(both(activity("slap"), night)), at=NOON.replace(hour=hour, tzinfo=zone))
        scene.show(1, slap=0.9)
        assert (scene.state() == "firing") is fires, hour


def test_weekdays_go_by_the_frames_own_day() -> None:
    monday = WeekdaysCondition(weekdays=(0,))
    scene = Scene(rule(both(ALWAYS, monday)), at=NOON.replace(hour=23, minute=59))
    scene.show(120)
    assert scene.states() == [(0.0, "firing"), (60.0, "inactive")]


def test_a_camera_condition_holds_in_any_of_its_states() -> None:
    states = (CameraState.COVERED, CameraState.DARK)
    scene = Scene(rule(CameraCondition(camera=states, for_s=1.0)))
    for camera in ((CameraState.MOVED,), (CameraState.DARK,), (CameraState.COVERED,), ()):
        scene.camera = frozenset(camera)
        scene.show(1)
    assert scene.states() == [(1.0, "pending"), (2.0, "firing"), (3.0, "inactive")]


def test_what_is_unusual_holds_from_its_days_on_and_not_while_that_is_being_learnt() -> None:
    scene = Scene(rule(UnusualCondition(unusual=7.0, for_s=0.4)))
    for scene.unusual in (0.0, 6.9, 7.0, 40.0, 6.9, 0.0):
        scene.show(1)
    assert scene.states() == [(2.0, "pending"), (2.4, "firing"), (4.0, "inactive")]
    ((_, alert),) = scene.alerts
    told = [(e.condition, e.value, e.threshold, e.met) for e in alert.evidence]
    assert told[0] == ("unusual", "once_a_week", "once_a_week", True)


def test_what_is_unusual_comes_once_in_an_episode_however_often_it_comes_back() -> None:
    scene = Scene(rule(UnusualCondition(unusual=7.0)))
    fired = []
    for scene.unusual, scene.episode, seconds in (
        (8.0, 1e9, 5), (0.0, 0.0, 8), (9.0, 1e9, 5), (0.0, 0.0, 20), (30.0, 1e9, 5),
        (0.0, 0.0, 300), (8.0, 1e9, 5), (0.0, 0.0, 300), (8.0, 2e9, 5),
    ):  # fmt: skip
        before = len(scene.alerts)
        scene.show(seconds)
        fired.append(len(scene.alerts) - before)
    assert fired == [1, 0, 0, 0, 0, 0, 0, 0, 1]
    assert scene.states()[1] == (28.0, "inactive")


def test_an_alert_on_the_unusual_says_what_it_resembles() -> None:
    scene = Scene(rule(UnusualCondition(unusual=7.0)))
    scene.unusual, scene.resembles = 8.25, "most like Sat 14:03; differs: activity new"
    scene.show(1)
    ((_, alert),) = scene.alerts
    value = alert.evidence[0].value
    assert value == "once in 8.25d; most like Sat 14:03; differs: activity new"


def test_an_alert_without_an_activity_says_what_went_on() -> None:
    """Unless the rule has words of its own."""
    rare = UnusualCondition(unusual=7.0)
    for when, words in (
        (rare, "unusual: once in 8.25d; most like Sat 14:03"),
        (CameraCondition(camera=(CameraState.COVERED,)), "camera: covered"),
        (both(MotionCondition(motion=0.2), rare), "motion (30%)"),
        (AnyCondition(conditions=(activity("slap"), rare)), "unusual: once in 8.25d; most"),
        (both(activity("hug"), rare), "hug (90%)"),
    ):
        scene = Scene(rule(when), rule(when, name="Own", message="Look: {label}"))
        scene.unusual, scene.resembles, scene.motion = 8.25, "most like Sat 14:03", 0.3
        scene.camera = frozenset({CameraState.COVERED})
        scene.show(1, hug=0.9)
        (_, alert), (_, own) = scene.alerts
        assert alert.message.startswith(words), alert
        assert own.message.startswith("Look: ")


def test_what_is_unusual_counts_in_groups_and_is_looked_at_anew_after_a_reload() -> None:
    rare = UnusualCondition(unusual=1.0)
    scene = Scene(rule(NoneCondition(conditions=(rare,)), name="Usual"))
    scene.unusual = 3.0
    scene.show(1)
    assert scene.state("Usual") == "inactive"
    then = ThenCondition(conditions=(activity("slap"), UnusualCondition(unusual=2.0)))
    scene.reload(rule(rare, name="Rare"), rule(then, name="After"))
    scene.show(0.4, slap=0.9)
    assert (scene.state("Rare"), scene.state("After")) == ("firing", "inactive")
    scene.unusual = 0.0
    scene.show(1)
    scene.unusual = 2.0
    scene.show(0.2)
    assert scene.state("After") == "firing"


def test_after_boot_waits_for_the_nodes_age() -> None:
    scene = Scene(rule(both(activity("slap"), AfterBootCondition(after_boot_s=60.0))))
    scene.show(100, slap=0.9)
    assert scene.times() == [60.0]


def test_after_boot_counts_from_a_restart_again_but_not_from_a_reload() -> None:
    waits = rule(both(activity("slap"), AfterBootCondition(after_boot_s=60.0)))
    scene = Scene(waits)
    scene.show(50, slap=0.9)
    scene.reload(waits, rule(name="Other"))
    scene.show(20, slap=0.9)
    assert scene.times("Fight") == [60.0]
    scene.restart(1.0)
    scene.show(0.2, slap=0.9)
    assert scene.state() == "inactive"


def sun_of(rises: int, sets: int) -> SunTimes:
    def day(day: date, zone: tzinfo) -> SunDay:
        at = datetime(day.year, day.month, day.day, tzinfo=zone)
        return SunDay(at + timedelta(hours=rises), at + timedelta(hours=sets), up=True)

    return day


def hours(condition: SunCondition, sun: SunTimes, month: int = 6) -> list[tuple[int, bool]]:
    """Return at which hours of a day and a half the condition changes, and to what."""
    found = []
    for hour in range(36):
        at = datetime(2026, month, 10, tzinfo=UTC) + timedelta(hours=hour)
        scene = Scene(rule(both(condition, ALWAYS)), at=at, sun=sun)
        scene.show(0.2)
        found.append((hour, scene.state() == "firing"))
    return [
        after for before, after in pairwise([(-1, found[0][1]), *found]) if before[1] != after[1]
    ]


@pytest.mark.parametrize(
    ("sun", "offset_s", "changes"),
    [
        ("after sunset", 0.0, [(5, False), (21, True), (29, False)]),
        ("after sunset", 7200.0, [(5, False), (23, True), (29, False)]),
        ("after sunset", -7200.0, [(5, False), (19, True), (29, False)]),
        ("before sunrise", 7200.0, [(7, False), (21, True), (31, False)]),
        ("after sunrise", 3600.0, [(6, True), (21, False), (30, True)]),
        ("before sunset", -3600.0, [(5, True), (20, False), (29, True)]),
        ("after sunset", 32400.0, []),
    ],
)
def test_the_sun_divides_the_day(
    sun: str, offset_s: float, changes: list[tuple[int, bool]]
) -> None:
    assert hours(SunCondition(sun=sun, offset_s=offset_s), sun_of(5, 21)) == changes


@pytest.mark.parametrize("up", [True, False])
def test_where_the_sun_neither_rises_nor_sets_it_is_day_or_night(up: bool) -> None:
    def always(_day: date, _zone: tzinfo) -> SunDay:
        return SunDay(None, None, up=up)

    for words, by_day in (("after sunset", False), ("before sunset", True)):
        scene = Scene(rule(both(SunCondition(sun=words), ALWAYS)), sun=always)
        scene.show(0.2)
        assert (scene.state() == "firing") is (by_day is up)


def test_without_a_location_no_condition_on_the_sun_holds() -> None:
    scene = Scene(rule(both(SunCondition(sun="after sunrise"), ALWAYS)))
    scene.show(0.2)
    assert scene.state() == "inactive"


def test_the_real_sun_sets_on_a_rule_in_utrecht() -> None:
    sun_at = pytest.importorskip("edgehome.sun").sun_at
    evening = datetime(2026, 6, 21, 21, 55, tzinfo=timezone(timedelta(hours=2)))
    dusk = rule(both(activity("slap"), SunCondition(sun="after sunset")))
    scene = Scene(dusk, at=evening, sun=sun_at(52.1, 5.1))
    scene.show(900, slap=0.9)
    (at,) = (alert.at for _, alert in scene.alerts)
    assert f"{at:%H:%M}" in {"22:03", "22:04", "22:05"}, "the almanac says 22:03"


def test_of_two_ages_the_older_one_is_reached_too() -> None:
    scene = Scene(
        rule(AfterBootCondition(after_boot_s=1.0), name="Soon"),
        rule(AfterBootCondition(after_boot_s=3.0), name="Later"),
    )
    scene.show(5)
    assert (scene.times("Soon"), scene.times("Later")) == ([1.0], [3.0])


@pytest.mark.parametrize(("gap_s", "fires"), [(0.1, False), (0.2, True)])
def test_a_step_that_ended_a_frame_ago_is_a_frame_ago(gap_s: float, fires: bool) -> None:
    steps = ThenCondition(conditions=(activity("slap"), activity("kick")), gap_s=gap_s)
    scene = Scene(rule(steps))
    scene.show(1, slap=0.9)
    scene.show(1, kick=0.9)
    assert bool(scene.alerts) is fires


def test_the_sun_goes_by_the_clock_of_the_place() -> None:
    india = timezone(timedelta(hours=5, minutes=30))
    at = datetime(2026, 6, 1, 20, 59, 59, tzinfo=india)
    scene = Scene(rule(SunCondition(sun="after sunset")), at=at, sun=sun_of(5, 21))
    scene.show(3)
    assert scene.times() == [1.0]


@pytest.mark.parametrize(
    ("offset_s", "words"),
    [(0.0, "after sunset"), (1800.0, "after sunset +30m"), (-1800.0, "after sunset -30m")],
)
def test_evidence_has_the_words_of_the_file(offset_s: float, words: str) -> None:
    sun = SunCondition(sun="after sunset", offset_s=offset_s)
    inner = AnyCondition(conditions=(both(activity("slap"), sun), activity("kick")))
    scene = Scene(rule(inner), at=NOON + timedelta(hours=11), sun=sun_of(5, 21))
    scene.show(1, slap=0.9)
    ((_, alert),) = scene.alerts
    assert [(e.condition, e.threshold) for e in alert.evidence] == [
        ("any", "any"), ("all", "all"), ("slap above", "0.6"), ("sun", words),
        ("kick above", "0.6"),
    ]  # fmt: skip


def test_nothing_at_all_is_no_second() -> None:
    assert duration(0.0) == "0s"
