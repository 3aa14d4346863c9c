"""Fights: blows, kicks, pushes, wrestling, chasing, somebody beaten on the floor, onlookers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from models.build.scenes.company import closer, facing_pair
from models.build.scenes.falls import drop, settle
from models.build.scenes.moves import start
from models.build.scenes.stage import Stage
from models.build.scenes.track import Track

if TYPE_CHECKING:
    import numpy as np

GUARD: Final = {
    "left_arm": 0.9, "right_arm": 0.7, "left_elbow": 1.8, "right_elbow": 2.0, "left_turn": 0.5,
    "right_turn": 0.5, "bend": 0.2, "left_thigh": 0.4, "left_knee": 0.4, "right_thigh": -0.15,
    "right_knee": 0.3, "left_apart": 0.12, "right_apart": 0.12,
}  # fmt: skip
_CLINCH: Final = {
    "left_arm": 1.3, "right_arm": 1.2, "left_elbow": 0.9, "right_elbow": 1.0, "left_turn": 0.4,
    "right_turn": 0.4, "bend": 0.45, "pitch": 0.2, "left_thigh": 0.5, "left_knee": 0.5,
    "right_thigh": -0.3, "right_knee": 0.4,
}  # fmt: skip


def fight(stage: Stage, rng: np.random.Generator, seconds: float) -> list[Track]:
    """Two people fight, or two pairs, sometimes with others around; marks `fighting`."""
    tracks = _pair(stage, rng, seconds, 0.4)
    if rng.random() < 0.15:
        tracks += _pair(stage, rng, seconds, 1.8)
    return tracks + _others(stage, rng, seconds)


def _pair(stage: Stage, rng: np.random.Generator, seconds: float, reach: float) -> list[Track]:
    first, second = facing_pair(stage, rng, float(rng.uniform(0.8, 1.1)), reach)
    if rng.random() < 0.4:
        _quarrel(first, second, rng, float(rng.uniform(0.1, 0.6)) * seconds)
    since = first.now
    for track in (first, second):
        track.to(0.2, "snap", **GUARD)
    fierce = float(rng.uniform(0.75, 1.3))
    down = False
    while min(first.now, second.now) < seconds:
        _together(first, second)
        if rng.random() < 0.5:
            first, second = (first, second) if down else (second, first)
        down = _exchange(first, second, rng, fierce, down=down)
    return [first.mark("fighting", since), second.mark("fighting", since)]


def _together(first: Track, second: Track) -> None:
    late = max(first.now, second.now)
    for track in (first, second):
        if late - track.now > 0.03:
            track.hold(late - track.now)


def _quarrel(first: Track, second: Track, rng: np.random.Generator, seconds: float) -> None:
    """Threaten and point; the hands are high but nobody is touched."""
    for track in (first, second):
        while track.now < seconds:
            track.to(
                float(rng.uniform(0.2, 0.4)), right_arm=float(rng.uniform(0.4, 1.5)),
                right_elbow=float(rng.uniform(0.1, 1.5)), left_elbow=float(rng.uniform(0.1, 1.4)),
                left_arm=float(rng.uniform(0.0, 0.8)), bend=float(rng.uniform(0, 0.25)),
            )  # fmt: skip


def _exchange(
    first: Track, second: Track, rng: np.random.Generator, fierce: float, *, down: bool
) -> bool:
    """Let `first` attack `second` in one way; return whether `second` is on the floor after it."""
    if down:
        _beat(first, second, rng, fierce)
        return True
    kind = rng.random()
    _approach(first, second, 0.55 if kind < 0.75 else 0.4)
    if kind < 0.42:
        _punch(first, second, rng, fierce)
    elif kind < 0.54:
        _kick(first, second, rng, fierce)
    elif kind < 0.7:
        _push(first, second, rng, fierce)
    elif kind < 0.93:
        _wrestle(first, second, rng, fierce)
    elif kind < 0.97:
        _chase(first, second, rng)
    else:
        _throw(first, second, rng, fierce)
        return True
    return False


def _approach(first: Track, second: Track, reach: float) -> None:
    """Turn to each other and close in, if they are further apart than a blow reaches."""
    dx, dz = second.get("x") - first.get("x"), second.get("z") - first.get("z")
    away, heading = math.hypot(dx, dz), math.atan2(dx, dz)
    first.turn(heading, 0.08)
    second.turn(heading + math.pi, 0.08)
    if away > reach + 0.15:
        closer(first, 0.25 if away < 1.4 else 0.45, away - reach)
    elif away < reach - 0.2:
        closer(second, 0.25, away - reach)
    _together(first, second)


def _punch(first: Track, second: Track, rng: np.random.Generator, fierce: float) -> None:
    for _ in range(int(rng.integers(1, 5))):
        side = str(rng.choice(["left", "right"]))
        sign = 1.0 if side == "left" else -1.0
        wide = float(rng.uniform(0.0, 1.0)) if rng.random() < 0.4 else 0.1
        there, back = (
            float(rng.uniform(0.1, 0.18)) / fierce,
            float(rng.uniform(0.12, 0.25)) / fierce,
        )
        first.to(0.1, twist=0.45 * sign, **{f"{side}_arm": 0.3, f"{side}_elbow": 2.1})
        first.to(there, "snap", twist=-0.75 * sign, bend=0.25, pitch=0.15,
                 **{f"{side}_arm": 1.5, f"{side}_elbow": 0.15, f"{side}_out": wide})  # fmt: skip
        first.to(back, **{**GUARD, f"{side}_out": 0.1}, twist=0.0, pitch=0.0)
        second.to(0.1 + 0.6 * there)
        if rng.random() < 0.7:
            _struck(second, rng, there + back)
        else:  # wards it off
            second.to(there, "snap", left_arm=1.5, left_elbow=1.9, right_elbow=2.3, right_arm=1.2)
        _together(first, second)


def _struck(track: Track, rng: np.random.Generator, seconds: float) -> None:
    """Reel from a blow."""
    yaw, back = track.get("yaw"), float(rng.uniform(0.05, 0.3))
    track.to(0.12, "snap", nod=-0.5, bend=-0.15, pitch=-0.2, twist=float(rng.normal(0, 0.5)),
             lean=float(rng.normal(0, 0.2)), gait=0.4, phase=track.get("phase") + 0.25,
             x=track.get("x") - back * math.sin(yaw),
             z=track.get("z") - back * math.cos(yaw))  # fmt: skip
    low = {"bend": 0.9, "nod": 0.4} if rng.random() < 0.25 else {"bend": 0.2, "nod": 0.0}
    track.to(max(seconds - 0.12, 0.15), **(GUARD | low), pitch=0.0, twist=0.0, lean=0.0, gait=0.0)


def _kick(first: Track, second: Track, rng: np.random.Generator, fierce: float) -> None:
    side = str(rng.choice(["left", "right"]))
    high = float(rng.uniform(0.9, 1.6))
    first.to(0.15 / fierce, anchor=0.0, **{f"{side}_thigh": 0.9, f"{side}_knee": 1.6})
    first.to(0.15 / fierce, "snap", pitch=-0.25, **{f"{side}_thigh": high, f"{side}_knee": 0.1})
    second.to(0.22 / fierce)
    _struck(second, rng, 0.4)
    first.to(0.3 / fierce, anchor=1.0, pitch=0.0, **GUARD)
    _together(first, second)


def _push(first: Track, second: Track, rng: np.random.Generator, fierce: float) -> None:
    first.to(0.12, left_arm=0.9, right_arm=0.9, left_elbow=1.9, right_elbow=1.9)
    first.to(0.15 / fierce, "snap", left_arm=1.5, right_arm=1.5, left_elbow=0.15, right_elbow=0.15,
             pitch=0.3)  # fmt: skip
    second.to(0.2)
    yaw, back = second.get("yaw"), float(rng.uniform(0.4, 1.0))
    second.to(0.5 / fierce, "snap", pitch=-0.25, left_out=0.8, right_out=0.7, gait=0.8,
              phase=second.get("phase") - 0.8, x=second.get("x") - back * math.sin(yaw),
              z=second.get("z") - back * math.cos(yaw))  # fmt: skip
    for track in (first, second):
        track.to(0.2, **GUARD, pitch=0.0, gait=0.0, left_out=0.1, right_out=0.1)
    _together(first, second)


def _wrestle(first: Track, second: Track, rng: np.random.Generator, fierce: float) -> None:
    """Hold each other and pull, round and round, by jerks."""
    x, z = ((first.get(name) + second.get(name)) / 2 for name in ("x", "z"))
    angle = first.get("yaw")
    for _ in range(int(rng.integers(2, 6))):
        angle += float(rng.normal(0, 0.55))
        x, z = x + float(rng.normal(0, 0.14)), z + float(rng.normal(0, 0.14))
        pace = float(rng.uniform(0.15, 0.35)) / fierce
        for track, way in ((first, angle), (second, angle + math.pi)):
            turn = math.atan2(math.sin(way - track.get("yaw")), math.cos(way - track.get("yaw")))
            jerk = {
                "yaw": track.get("yaw") + turn, "x": x - 0.26 * math.sin(way),
                "z": z - 0.26 * math.cos(way), "gait": 0.5,
                "phase": track.get("phase") + float(rng.uniform(0.2, 0.6)),
                "bend": float(rng.uniform(0.2, 1.0)), "lean": float(rng.normal(0, 0.25)),
                "left_arm": float(rng.uniform(0.7, 1.9)), "right_arm": float(rng.uniform(0.7, 1.9)),
            }  # fmt: skip
            track.to(pace, "snap", **(_CLINCH | jerk))
    for track in (first, second):
        track.to(0.2, **GUARD, gait=0.0, lean=0.0, pitch=0.0)


def _chase(first: Track, second: Track, rng: np.random.Generator) -> None:
    """One runs, the other after."""
    yaw = second.get("yaw") + math.pi + float(rng.normal(0, 0.5))
    away = float(rng.uniform(1.0, 2.2))
    x, z = second.get("x") + away * math.sin(yaw), second.get("z") + away * math.cos(yaw)
    second.walk(x, z, speed=3.0, gait=1.5)
    first.to(0.2).walk(x - 0.5 * math.sin(yaw), z - 0.5 * math.cos(yaw), speed=3.2, gait=1.5)
    for track in (first, second):
        track.to(0.15, **GUARD)
    _together(first, second)


def _throw(first: Track, second: Track, rng: np.random.Generator, fierce: float) -> None:
    """Bring the other to the floor."""
    first.to(0.2, "snap", **_CLINCH)
    second.to(0.2)
    drop(second, rng, str(rng.choice(["backward", "left", "right"])), 0.8 / fierce)
    settle(second, rng)
    first.to(0.5, bend=0.6, left_arm=1.0, right_arm=1.0, left_elbow=0.5, right_elbow=0.5)
    _together(first, second)


def _beat(first: Track, second: Track, rng: np.random.Generator, fierce: float) -> None:
    """Kick or hit somebody who lies and shields the head."""
    if rng.random() < 0.5:
        first.to(0.15, anchor=0.0, right_thigh=-0.6, right_knee=0.9, bend=0.2)
        first.to(0.14 / fierce, "snap", right_thigh=0.8, right_knee=0.1)
        first.to(0.25, right_thigh=0.0, right_knee=0.2, anchor=1.0)
    else:
        first.to(0.25, bend=1.1, pitch=0.4, left_thigh=0.8, right_thigh=0.6, left_knee=1.0,
                 right_knee=0.9, right_arm=2.4, right_elbow=1.2)  # fmt: skip
        first.to(0.13 / fierce, "snap", right_arm=0.9, right_elbow=0.2, bend=1.3)
        first.to(0.2, right_arm=1.8, right_elbow=1.3)
    second.to(0.25).to(0.15, "snap", bend=float(rng.uniform(0.2, 0.9)), left_arm=2.2, right_arm=2.0,
                       left_elbow=1.9, right_elbow=1.8, left_thigh=float(rng.uniform(0.6, 1.4)),
                       right_thigh=float(rng.uniform(0.4, 1.4)))  # fmt: skip
    _together(first, second)


def _others(stage: Stage, rng: np.random.Generator, seconds: float) -> list[Track]:
    """Sometimes others stand around, look on, or come between."""
    if rng.random() < 0.6:
        return []
    people = []
    for _ in range(int(rng.integers(1, 4))):
        angle, away = float(rng.uniform(0, 2 * math.pi)), float(rng.uniform(1.2, 2.4))
        forward = stage.view.axes[2]
        if math.sin(angle) * forward[0] + math.cos(angle) * forward[2] < -0.2:
            angle += math.pi  # nobody stands between the camera and the fight
        spot = stage.inside(
            stage.centre[0] + away * math.sin(angle), stage.centre[1] + away * math.cos(angle)
        )
        track = start(stage, rng, spot)
        while track.now < seconds:
            track.turn(angle + math.pi + float(rng.normal(0, 0.2)), 0.5)
            if rng.random() < 0.3:
                closer(track, 0.6, float(rng.uniform(-0.4, 0.5)))
            track.to(0.4, right_arm=float(rng.uniform(0, 1.0)), left_arm=float(rng.uniform(0, 0.8)),
                     right_elbow=float(rng.uniform(0.2, 1.4)))  # fmt: skip
            track.hold(float(rng.uniform(0.2, 1.0)))
        people.append(track)
    return people
