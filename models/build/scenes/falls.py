"""Falls: a body that loses its balance, drops ever faster, strikes the floor and lies there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from models.build.scenes.moves import SITTING, entering, start
from models.build.scenes.stage import Stage
from models.build.scenes.track import LEAD_S, Track

if TYPE_CHECKING:
    import numpy as np

WAYS: Final = ("forward", "backward", "left", "right", "collapse", "trip", "chair", "bed", "slip")

_PRONE: Final = {
    "slack": 1.0, "pitch": 1.5, "bend": 0.0, "nod": -0.3,
    "left_thigh": 0.05, "left_knee": 0.1, "left_apart": 0.15,
    "right_thigh": 0.1, "right_knee": 0.3, "right_apart": 0.3,
    "left_arm": 0.1, "left_out": 2.2, "left_turn": -1.4, "left_elbow": 0.9,
    "right_arm": 0.1, "right_out": 1.3, "right_turn": -1.4, "right_elbow": 1.2,
}  # fmt: skip
_ON_BACK: Final = {
    "slack": 1.0, "pitch": -1.5, "bend": 0.1, "left_thigh": 0.5, "right_thigh": 0.25,
    "left_knee": 0.9, "right_knee": 0.5, "left_out": 0.9, "right_out": 0.7, "left_arm": 0.2,
    "right_arm": 0.2,
}  # fmt: skip
_ON_SIDE: Final = {
    "slack": 1.0,
    "bend": 0.35, "left_thigh": 0.7, "right_thigh": 0.4, "left_knee": 0.9, "right_knee": 0.7,
    "left_arm": 0.9, "right_arm": 0.7, "left_elbow": 0.8, "right_elbow": 0.9,
}  # fmt: skip


def fall(stage: Stage, rng: np.random.Generator, seconds: float) -> Track:
    """Fall in any way at any time of the clip, lie, and perhaps try to get up.

    Marks `fall` from the loss of balance until the body stands again.
    """
    way = str(rng.choice(WAYS))
    if (way == "bed" and stage.bed is None) or (way == "chair" and stage.seat is None):
        way = "collapse"
    before = LEAD_S + float(rng.uniform(0.05, 0.5)) * (seconds - LEAD_S)
    track = _before(stage, rng, way, before)
    if track.now < LEAD_S:  # came early: the fall belongs into the clip
        track.hold(before - track.now)
    since = track.now
    slow = float(rng.uniform(0.85, 1.35))
    drop(track, rng, way, slow)
    settle(track, rng)
    until = math.inf
    while track.now < seconds:
        track.hold(float(rng.uniform(0.6, 3.0)))
        if rng.random() < 0.5:
            _stir(track, rng)
        elif rng.random() < 0.12:
            until = _get_up(track, rng)
            break
    return track.mark("fall", since, until)


def _before(stage: Stage, rng: np.random.Generator, way: str, before: float) -> Track:
    """Bring somebody to where the fall begins, about `before` seconds later."""
    if way == "chair" and stage.seat is not None:
        x, z, yaw, _ = stage.seat
        return Track(x=x, z=z, yaw=yaw, pitch=-0.1, **SITTING).hold(before)
    if way == "bed" and stage.bed is not None:
        x = float(stage.bed.low[0] + stage.bed.high[0]) / 2
        yaw = float(rng.choice([-1.0, 1.0])) * math.pi / 2
        high = float(stage.bed.high[1])
        z = float(stage.bed.low[2]) + 0.3
        return Track(x=x, z=z, yaw=yaw, support=high, anchor=0.0, **_ON_BACK).hold(before)
    if way == "trip" or rng.random() < 0.3:
        goal = stage.near(rng, 0.3)
        side = stage.across(rng, 1.2 * before)[0]
        track = Track(x=side[0], z=side[1])
        track.walk(*goal, speed=max(math.dist(side, goal) / max(before, 0.3), 0.6), gait=0.95)
        return track
    if rng.random() < 0.5:
        return entering(stage, rng, before)
    track = start(stage, rng)
    track.hold(0.5 * before)
    kind = rng.random()
    if kind < 0.3:
        track.to(0.3 * before, right_arm=0.6, right_elbow=2.2)
    return track.hold(max(before - track.now, 0.05))


def drop(track: Track, rng: np.random.Generator, way: str, slow: float) -> None:
    """Add the key poses of a fall of kind `way`: 0.7 to 1.6 s for most, times `slow`."""
    if way in {"forward", "backward", "left", "right"} and rng.random() < 0.6:
        _stagger(track, rng, slow)
    ahead = {"forward": 0.0, "trip": 0.55}.get(way, 0.0) * float(rng.uniform(0.6, 1.2))
    x = track.get("x") + ahead * math.sin(track.get("yaw"))
    z = track.get("z") + ahead * math.cos(track.get("yaw"))
    if way in {"forward", "trip"}:
        track.to(0.45 * slow, "drop", pitch=0.5, left_arm=1.5, right_arm=1.6, left_elbow=0.4,
                 left_knee=0.8, right_knee=0.5, left_thigh=0.5, bend=0.1)  # fmt: skip
        track.to(0.4 * slow, "drop", x=x, z=z, gait=0.0, **_PRONE)
    elif way in {"backward", "slip"}:
        fast = 0.7 if way == "slip" else 1.0
        feet = 0.35 if way == "slip" else 0.0
        track.to(0.4 * slow * fast, "drop", pitch=-0.55, bend=0.4, left_thigh=1.1, right_thigh=1.0,
                 left_knee=1.0, right_knee=0.7, left_arm=1.1, right_arm=0.9, left_out=0.8,
                 right_out=0.9, x=track.get("x") + feet * math.sin(track.get("yaw")),
                 z=track.get("z") + feet * math.cos(track.get("yaw")))  # fmt: skip
        track.to(0.45 * slow * fast, "drop", **_ON_BACK)
    elif way in {"left", "right", "chair"}:
        sign = {"left": -1.0, "right": 1.0}.get(way, float(rng.choice([-1.0, 1.0])))
        arm = {"left_out": 1.3} if sign < 0 else {"right_out": 1.3}
        track.to(0.45 * slow, "drop", roll=0.5 * sign, left_knee=0.6, right_knee=0.6,
                 left_thigh=0.4, right_thigh=0.3, **arm)  # fmt: skip
        track.to(0.45 * slow, "drop", roll=1.5 * sign, pitch=float(rng.normal(0, 0.15)), **_ON_SIDE)
    elif way == "bed":
        track.to(0.4 * slow, roll=0.9, **_ON_SIDE)
        track.to(0.35 * slow, "drop", support=0.0, z=track.get("z") - 0.75, roll=2.6)
    else:
        _collapse(track, rng, slow)


def _collapse(track: Track, rng: np.random.Generator, slow: float) -> None:
    """Faint: the knees give way, the trunk folds, then the body tips over."""
    sign = float(rng.choice([-1.0, 1.0]))
    track.to(0.3 * slow, nod=0.5, bend=0.3, left_knee=0.3, right_knee=0.3, left_thigh=0.2)
    track.to(0.5 * slow, "drop", left_knee=2.1, right_knee=2.0, left_thigh=1.0, right_thigh=0.9,
             bend=0.7, pitch=0.1, roll=0.15 * sign)  # fmt: skip
    last = _PRONE if rng.random() < 0.4 else {**_ON_SIDE, "roll": 1.45 * sign, "pitch": 0.1}
    track.to(0.5 * slow, "drop", **last)


def _stagger(track: Track, rng: np.random.Generator, slow: float) -> None:
    for _ in range(int(rng.integers(1, 3))):
        track.to(
            0.25 * slow, lean=float(rng.normal(0, 0.25)), pitch=float(rng.normal(0, 0.15)),
            left_out=float(rng.uniform(0.2, 1.2)), right_out=float(rng.uniform(0.2, 1.2)),
            phase=track.get("phase") + 0.3, gait=0.4,
            x=track.get("x") + float(rng.normal(0, 0.1)),
            z=track.get("z") + float(rng.normal(0, 0.1)),
        )  # fmt: skip


def settle(track: Track, rng: np.random.Generator) -> None:
    """Bounce a little on the floor and come to rest with the limbs anywhere."""
    track.to(0.1, "snap", lift=float(rng.uniform(0.0, 0.05)), nod=0.15)
    track.to(0.15, lift=0.0, gait=0.0, nod=0.0)
    track.to(
        float(rng.uniform(0.2, 0.6)),
        left_out=float(rng.uniform(0.1, 1.3)), right_out=float(rng.uniform(0.1, 1.3)),
        left_knee=float(rng.uniform(0.0, 1.2)), left_elbow=float(rng.uniform(0.1, 1.3)),
    )  # fmt: skip


def _stir(track: Track, rng: np.random.Generator) -> None:
    """Move a limb or the head, as somebody hurt does."""
    track.to(
        float(rng.uniform(0.3, 0.9)),
        right_arm=track.get("right_arm") + float(rng.normal(0, 0.5)),
        left_knee=float(rng.uniform(0.0, 1.3)), right_knee=float(rng.uniform(0.0, 1.0)),
        nod=float(rng.normal(0, 0.2)), bend=float(rng.uniform(0, 0.4)),
    )  # fmt: skip


def _get_up(track: Track, rng: np.random.Generator) -> float:
    """Get up by way of sitting and crouching; return when the body stands."""
    pace = float(rng.uniform(0.8, 1.6))
    sitting = SITTING | {"bend": 0.6, "slack": 0.0}
    track.to(pace, **sitting, pitch=-0.1, roll=0.0, right_out=0.7)
    track.to(pace, left_thigh=1.8, right_thigh=1.6, left_knee=2.1, right_knee=2.0, pitch=0.3)
    track.rest(pace)
    return track.now
