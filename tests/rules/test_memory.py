"""What is kept over a restart; broken memories."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgehome.config.conditions import AtLeast, MotionCondition, NoneCondition, ThenCondition
from edgehome.types import Scores
from tests.rules.scene import NOON, Scene, activity, both, rule

CHAIN = ThenCondition(conditions=(activity("a"), activity("b")), gap_s=30.0)


def rich_scene() -> Scene:
    """Return a scene with something of everything in its memory."""
    scene = Scene(
        rule(activity("slap", for_s=3.0), name="For"),
        rule(activity("slap", at_least=AtLeast(2, 40)), name="Frames", repeat_interval_s=1.0),
        rule(activity("kick", count=3, window_s=60.0), name="Count"),
        rule(CHAIN, name="Then"),
        rule(both(MotionCondition(motion=0.1), NoneCondition(conditions=(CHAIN,))), name="Motion"),
        smoothing_s=0.3,
        limit=1,
        window_s=60.0,
    )
    scene.motion = 0.3
    scene.show(1, slap=0.9, kick=0.9, a=0.9)
    scene.show(1)
    scene.show(2, slap=0.9, kick=0.9)
    return scene


def kept_of(scene: Scene) -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(json.dumps(scene.engine.memory(), allow_nan=False))
    return kept


def test_a_memory_is_json_and_holds_everything() -> None:
    scene, other = rich_scene(), rich_scene()
    kept = kept_of(scene)
    other.engine = other.new_engine()
    other.engine.restore(kept, gap_s=0.2)
    other.base_s += 5.0
    for seconds, found in ((1.4, {"b": 0.9}), (2, {"slap": 0.9}), (2, {"kick": 0.9}), (61, {})):
        for one in (scene, other):
            one.show(seconds, **found)  # type: ignore[arg-type]
    assert scene.states("Then"), "the sequence went on"
    assert [(n, a.rule, a.message) for n, a in scene.alerts] == [
        (n, a.rule, a.message) for n, a in other.alerts
    ]
    strip = [(n, c.rule, c.new) for n, c in scene.changes]
    assert strip == [(n, c.rule, c.new) for n, c in other.changes]
    assert [(n, e.activity, e.edge) for n, e in scene.events] == [
        (n, e.activity, e.edge) for n, e in other.events
    ]


def test_evidence_tells_since_when_over_a_restart() -> None:
    scene = Scene(rule(activity("slap", for_s=3.0)))
    scene.show(2, slap=0.9)
    scene.restart(0.2)
    scene.show(2, slap=0.9)
    ((_, alert),) = scene.alerts
    assert (alert.since, alert.evidence[0].since) == (NOON, NOON)


def test_a_wait_for_frames_goes_on_over_a_restart_and_its_parts_add_up() -> None:
    for more, stays in ((15.0, True), (26.0, False)):
        scene = Scene(rule(resolve_after_s=60.0))
        scene.show(1, slap=0.9)
        scene.restart(5.0)
        scene.idle(5.0)
        assert scene.state() == "firing"
        scene.restart(more)
        scene.show(0.2, slap=0.5)
        assert (scene.state() == "firing") is stays


def test_a_whole_score_and_what_it_had_reached_go_over_a_restart() -> None:
    scene = Scene(
        rule(activity("slap", above=0.8, below=0.5), name="Narrow"),
        rule(activity("slap", above=0.7, below=0.3), name="Wide"),
    )
    scene.show(1, slap=1.0)
    scene.restart(0.2)
    scene.show(0.4, slap=0.55)
    assert [scene.state(name) for name in ("Wide", "Narrow")] == ["firing", "firing"]
    scene.show(0.4, slap=0.4)
    assert [scene.state(name) for name in ("Wide", "Narrow")] == ["firing", "inactive"]


def test_frames_are_counted_over_a_restart() -> None:
    scene = Scene(rule(activity("slap", at_least=AtLeast(3, 5))))
    scene.show(0.4, slap=0.9)
    scene.restart(0.2)
    scene.show(0.2)
    assert scene.state() == "inactive"
    scene.show(0.2, slap=0.9)
    assert scene.state() == "firing"


def test_nothing_was_held_back_is_nothing_to_tell() -> None:
    scene = Scene(rule(repeat_interval_s=1.0), limit=1, window_s=5.0)
    scene.show(2, slap=0.9)

    def none(kept: dict[str, Any]) -> dict[str, Any]:
        (folded,) = kept["limit"]["folded"]
        folded["count"] = 0
        return kept

    scene.restart(0.2, none)
    scene.show(9)
    assert [alert.message for _, alert in scene.alerts] == ["slap (90%)"]


def test_a_memory_of_an_engine_that_saw_nothing_keeps_its_mutes() -> None:
    scene = Scene(rule())
    scene.engine.mute("Fight", muted=True)
    kept = kept_of(scene)
    scene.engine = scene.new_engine()
    scene.engine.restore(kept, gap_s=100.0)
    scene.show(1, slap=0.9)
    assert (scene.alerts, scene.state()) == ([], "firing")


def test_a_rule_with_another_number_of_conditions_in_its_memory_begins_anew() -> None:
    scene = Scene(rule(activity("slap", at_least=AtLeast(5, 5), for_s=3.0)))
    scene.show(2, slap=0.9)

    def shorter(kept: dict[str, Any]) -> dict[str, Any]:
        kept["rules"]["Fight"]["nodes"].pop()
        return kept

    scene.restart(0.2, shorter)
    scene.show(2, slap=0.9)
    assert scene.states() == [(0.8, "pending"), (2.8, "pending")]


def test_one_that_was_held_back_alone_is_told_after_a_restart() -> None:
    scene = Scene(rule(repeat_interval_s=1.0), limit=1, window_s=5.0)
    scene.show(1.4, slap=0.9)
    scene.restart(0.2)
    scene.show(9)
    assert [alert.folded for _, alert in scene.alerts] == [0, 1]


def test_an_incident_that_was_over_before_a_restart_is_over_after_it() -> None:
    scene = Scene(
        rule(repeat_interval_s=1.0), rule(activity("kick"), name="Kick"), limit=1, window_s=60.0
    )
    scene.show(0.2, slap=0.9)
    scene.show(55)
    scene.restart(0.2)
    scene.show(0.2, kick=0.9)
    scene.show(8)
    scene.show(0.2, slap=0.9)
    assert [alert.rule for _, alert in scene.alerts] == ["Fight", "Kick", "Fight"]


def test_what_was_raised_while_no_frame_came_counts_for_the_limit_after_a_restart() -> None:
    scene = Scene(rule(repeat_interval_s=1.0), limit=1, window_s=2.0)
    scene.show(1.8, slap=0.9)
    scene.idle(1.0)
    assert [alert.folded for _, alert in scene.alerts] == [0, 1]
    scene.restart(0.4)
    scene.show(0.4, slap=0.9)
    assert len(scene.alerts) == 2


def test_a_rule_that_is_another_one_now_keeps_only_its_name() -> None:
    scene = Scene(rule(activity("slap", for_s=3.0)), smoothing_s=0.0)
    scene.show(2, slap=0.9)
    kept = kept_of(scene)
    scene.config = Scene(rule(activity("slap", for_s=2.4))).config
    scene.engine = scene.new_engine()
    scene.engine.restore(kept, gap_s=0.2)
    scene.show(5, slap=0.9)
    assert scene.times() == [4.4]


@pytest.mark.parametrize("gap_s", [float("nan"), float("inf"), -1.0, 1e300])
def test_a_gap_of_no_sensible_length_is_a_long_one(gap_s: float) -> None:
    scene = Scene(rule(activity("slap", for_s=3.0)))
    scene.show(2, slap=0.9)
    kept = kept_of(scene)
    scene.engine = scene.new_engine()
    scene.engine.restore(kept, gap_s=gap_s)
    scene.show(4, slap=0.9)
    assert scene.times() == [5.0]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of everything in a memory."""
    found = [path] if path else []
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            found += places(item, (*path, key))
    return found


def changed(kept: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(kept) if isinstance(kept, dict) else list(kept)
    copy[path[0]] = changed(kept[path[0]], path[1:], value)
    return copy


KEPT = kept_of(rich_scene())
anything = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5),
        st.sampled_from(["", "firing", "2026-06-01T12:00:00", "2026-06-01T12:00:00+00:00", 1e308]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)  # fmt: skip


def survives(kept: Any) -> Scene:
    """Restore a memory, and go on as if nothing had been wrong with it."""
    scene = rich_scene()
    scene.engine = scene.new_engine()
    scene.engine.restore(kept, gap_s=1.0)
    scene.alerts.clear()
    scene.motion = 0.0
    scene.show(6)
    scene.show(4, slap=0.9)
    assert scene.state("For") == "firing"
    assert [status.state for status in scene.engine.statuses()].count("firing") >= 1
    json.dumps(scene.engine.memory(), allow_nan=False)
    return scene


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(anything)
def test_a_memory_that_is_none_is_ignored(kept: Any) -> None:
    survives(kept)


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_memory_that_is_broken_in_one_place_is_ignored_there(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(places(KEPT)))
    survives(changed(KEPT, path, data.draw(anything)))


def test_a_rule_whose_memory_is_broken_does_not_cost_another_one_its_own() -> None:
    kept = changed(KEPT, ("rules", "Count"), {"muted": True, "nodes": [1, 2, 3]})
    scene = rich_scene()
    scene.engine = scene.new_engine()
    scene.engine.restore(kept, gap_s=0.2)
    scene.alerts.clear()
    scene.changes.clear()
    scene.show(2, slap=0.9)
    assert scene.states("For") == [(pytest.approx(5.4, abs=0.21), "firing")]
    assert [status.muted for status in scene.engine.statuses()][2]


def test_memory_stays_small_however_long_a_day_is() -> None:
    scene = rich_scene()
    sizes = []
    for _ in range(5):
        for n in range(600):
            scene.show(0.2, slap=0.9 * (n % 3 > 0), kick=0.9 * (n % 2), a=0.5, b=n % 7 / 7)
        sizes.append(len(json.dumps(scene.engine.memory())))
    assert max(sizes[1:]) < 1.1 * sizes[0]
    waiting = scene.engine._clock
    assert len(waiting.seen._heap) + len(waiting.true._heap) < 100


def test_a_wait_that_flickers_all_day_leaves_nothing_behind() -> None:
    scene = Scene(rule(activity("slap", for_s=86400.0)))
    for n in range(5000):
        frame = Scores(n * 0.2, NOON, {"slap": 0.9 * (n % 2)})
        scene.engine.update(frame, scene.mode)
    assert len(scene.engine._clock.seen._heap) == 1
