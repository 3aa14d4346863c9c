"""How the rules stand, as JSON-able data: for a restart, and for rules that outlive a reload.

Times are kept as ages before the last frame. What is broken, or of another rule, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

from edgehome.events import Events, Level, Score
from edgehome.rules.ages import age, moment, number, text, truth, wall_clock
from edgehome.rules.limit import Folded, Limit
from edgehome.rules.rule import Tracker
from edgehome.rules.states import State
from edgehome.rules.timing import Clock
from edgehome.types import Mode, Severity

VERSION = 1
AFTER_S = 86400.0
"""No alert is raised later than this after the last frame, in seconds: the wait is over by then."""
BROKEN = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What a memory of another shape can lead to."""


def of_clock(clock: Clock) -> dict[str, object]:
    """Return the time of the last frame, and the mode."""
    return {
        "version": VERSION,
        "time_s": clock.time_s,
        "at": _text(clock.at),
        "waiting_s": clock.waiting_s(),
        "mode": None if clock.mode is None else str(clock.mode),
    }


def of_scores(events: Events) -> dict[str, object]:
    """Return every score, and which of its levels hold."""
    kept: dict[str, object] = {
        _key(*key): [score.value, _active(score)] for key, score in events.scores().items()
    }
    return kept | {"motion": [events.motion.value, _active(events.motion)]}


def of_rules(trackers: Iterable[Tracker], clock: Clock) -> dict[str, object]:
    """Return how each rule stands, by name."""
    return {tracker.rule.name: _of_rule(tracker, clock) for tracker in trackers}


def of_limit(limit: Limit, clock: Clock) -> dict[str, object]:
    """Return what counts for the limit, and what it holds back."""
    return {
        "raised": [age(clock.true_s, then_s) for then_s in limit.raised_s],
        "last": {rule: age(clock.true_s, then_s) for rule, then_s in limit.last_s.items()},
        "folded": [_of_folded(folded) for folded in limit.folded.values()],
    }


def take_clock(kept: Mapping[str, Any], clock: Clock, gap_s: float) -> None:
    """Go on from the last frame, `gap_s` ago."""
    at = wall_clock(kept["at"])
    mode = None if kept["mode"] is None else Mode(kept["mode"])
    waiting_s = number(kept["waiting_s"])
    clock.at, clock.mode = at, mode
    if at:
        clock.begin(gap_s + waiting_s)


def take_scores(kept: Mapping[str, Any], events: Events) -> None:
    """Take over every score that is still watched."""
    for key, score in [(_key(*key), score) for key, score in events.scores().items()] + [
        ("motion", events.motion)
    ]:
        _try(_take_score, kept.get(key), score)


def take_rules(kept: Mapping[str, Any], trackers: Iterable[Tracker], clock: Clock) -> None:
    """Take over the states of rules that are what they were; mutes and intervals by name."""
    for tracker in trackers:
        found = kept.get(tracker.rule.name)
        if found is None:
            continue
        _try(_take_mute, found, tracker)
        _try(_take_alerted, found, tracker, clock)
        if not _try(_take_state, found, tracker, clock):
            tracker.begin_anew(clock.now())


def take_limit(kept: Mapping[str, Any], limit: Limit, clock: Clock, rules: Container[str]) -> None:
    """Take over what counts for the limit, and what it held back of rules that are still there."""
    # What was held back may have been raised after the last frame, while none came.
    raised_s = sorted(clock.true_s - number(item, least=-AFTER_S) for item in kept["raised"])
    last_s = {text(rule): clock.true_s - number(item) for rule, item in kept["last"].items()}
    folded = [_folded(item) for item in kept["folded"]]
    limit.raised_s.extend(raised_s)
    limit.last_s = {rule: then_s for rule, then_s in last_s.items() if rule in rules}
    limit.folded = {item.rule: item for item in folded if item.rule in rules}


def _of_rule(tracker: Tracker, clock: Clock) -> dict[str, object]:
    return {
        "definition": tracker.definition,
        "state": str(tracker.state),
        "since": _text(tracker.since_at),
        "over": age(clock.seen_s, tracker.over_s),
        "told": tracker.told,
        "alerted": age(clock.true_s, tracker.alerted_s),
        "muted": tracker.muted,
        "nodes": [
            {"holds": node.value, "since": _text(node.since), **node.remember(clock)}
            for node in tracker.tree.nodes
        ],
    }


def _take_mute(kept: Mapping[str, Any], tracker: Tracker) -> None:
    tracker.muted = truth(kept["muted"])


def _take_alerted(kept: Mapping[str, Any], tracker: Tracker, clock: Clock) -> None:
    tracker.alerted_s = moment(clock.true_s, kept["alerted"])


def _take_state(kept: Mapping[str, Any], tracker: Tracker, clock: Clock) -> None:
    if kept["definition"] != tracker.definition:
        raise ValueError("another rule of the same name")
    state, since_at = State(kept["state"]), wall_clock(kept["since"])
    over_s, told = moment(clock.seen_s, kept["over"]), truth(kept["told"])
    for node, item in zip(tracker.tree.nodes, kept["nodes"], strict=True):
        node.recall(item, clock)
        node.value, node.since = truth(item["holds"]), wall_clock(item["since"])
    tracker.state, tracker.since_at = state, since_at
    tracker.value = state is State.FIRING
    tracker.over_s, tracker.told = over_s, told


def _take_score(kept: Any, score: Score) -> None:  # noqa: ANN401 - anything may be in a file
    if kept is None:
        return
    value, active = kept
    if number(value) > 1:
        raise ValueError(f"{value!r} is no score")
    since = {name: wall_clock(at) for name, at in active.items()}
    levels = {_name(level): level for level in score.levels()}
    score.restore(float(value), {levels[name]: since[name] for name in levels if name in since})


def _of_folded(folded: Folded) -> dict[str, object]:
    return {
        "rule": folded.rule,
        "label": folded.label,
        "severity": str(folded.severity),
        "score": folded.score,
        "since": _text(folded.since),
        "count": folded.count,
    }


def _folded(kept: Mapping[str, Any]) -> Folded:
    """Return what was held back of a rule. Raises what `BROKEN` names."""
    since, count = wall_clock(kept["since"]), int(number(kept["count"]))
    if since is None or count < 1:
        raise ValueError("not held back")
    rule, label = text(kept["rule"]), text(kept["label"])
    return Folded(rule, label, Severity(kept["severity"]), number(kept["score"]), since, count)


def _try(take: Callable[..., None], *parts: object) -> bool:
    """Return whether a part of the memory was whole."""
    try:
        take(*parts)
    except BROKEN:
        return False
    return True


def _active(score: Score) -> dict[str, object]:
    return {_name(level): _text(level.since) for level in score.levels() if level.value}


def _name(level: Level) -> str:
    return f"{level.above!r} {level.below!r} {level.told}"


def _key(activity: object, look_back_s: float | None) -> str:
    return sha256(f"{activity!r} {look_back_s!r}".encode()).hexdigest()[:32]


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
