"""What one person does: walking, sitting, bending, lying down, running, carrying, ringing."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from models.build.scenes.stage import Spot, Stage
from models.build.scenes.track import Track

SITTING: Final = {
    "left_thigh": 1.5, "right_thigh": 1.5, "left_knee": 1.5, "right_knee": 1.5,
    "bend": 0.1, "left_arm": 0.5, "right_arm": 0.5, "left_elbow": 0.9, "right_elbow": 0.9,
    "left_turn": 0.4, "right_turn": 0.4,
}  # fmt: skip
CROUCHED: Final = {
    "left_thigh": 1.9, "right_thigh": 1.7, "left_knee": 2.2, "right_knee": 2.1, "bend": 0.5,
    "pitch": 0.25, "left_arm": 0.8, "right_arm": 0.9,
}  # fmt: skip
SUPINE: Final = {
    "slack": 1.0, "pitch": -1.5, "bend": 0.05, "left_thigh": 0.15, "right_thigh": 0.15,
    "left_knee": 0.2,
    "right_knee": 0.2, "left_out": 0.3, "right_out": 0.3, "anchor": 0.0, "nod": 0.15,
}  # fmt: skip
CARRYING: Final = {
    "left_arm": 0.55, "right_arm": 0.55, "left_elbow": 1.1, "right_elbow": 1.1,
    "left_out": 0.12, "right_out": 0.12, "swing": 0.0,
}  # fmt: skip


def start(stage: Stage, rng: np.random.Generator, spot: Spot | None = None) -> Track:
    """Return a track of somebody who stands at `spot`, or near the centre, facing anywhere."""
    x, z = spot or stage.near(rng, 0.6)
    return Track(x=x, z=z, yaw=float(rng.uniform(-math.pi, math.pi)))


def entering(stage: Stage, rng: np.random.Generator, seconds: float) -> Track:
    """Return a track that walks to near the centre within about `seconds`, or is there already."""
    if rng.random() < 0.4 or seconds < 1.5:
        return start(stage, rng).hold(float(rng.uniform(0.1, 0.5) * seconds))
    here = stage.across(rng, 4.0)[0]
    goal = stage.near(rng, 0.5)
    away = math.dist(here, goal)
    track = Track(x=here[0], z=here[1])
    speed = max(float(rng.normal(1.15, 0.15)), 0.7)
    return track.walk(*goal, speed=max(speed, min(away / seconds, 1.9)), gait=0.95)


def walk(stage: Stage, rng: np.random.Generator, seconds: float) -> Track:
    """Walk by, from side to side or here and there."""
    first, last = stage.across(rng, 5.0 if stage.outdoors else 3.0)
    track = Track(x=first[0], z=first[1], yaw=0.0)
    if rng.random() < 0.35:
        track.hold(float(rng.uniform(0, 0.4) * seconds))
    speed, gait = float(np.clip(rng.normal(1.15, 0.25), 0.5, 1.8)), float(rng.uniform(0.7, 1.1))
    while track.now < seconds:
        goal = last if rng.random() < 0.6 else stage.near(rng, 2.5)
        track.walk(*goal, speed=speed, gait=gait)
        first, last = last, first
        if rng.random() < 0.4:
            _linger(track, rng)
        track.hold(0.1)
    return track


def run(stage: Stage, rng: np.random.Generator, seconds: float) -> Track:
    """Run through, and perhaps back."""
    first, last = stage.across(rng, 7.0 if stage.outdoors else 3.0)
    track = Track(x=first[0], z=first[1]).hold(float(rng.uniform(0, 0.35) * seconds))
    while track.now < seconds:
        track.walk(*last, speed=float(rng.uniform(2.4, 4.0)), gait=float(rng.uniform(1.4, 1.8)))
        first, last = last, first
        track.hold(float(rng.uniform(0.1, 2.0)))
    return track


def stand(stage: Stage, rng: np.random.Generator, seconds: float) -> Track:
    """Stand about: look around, use a telephone, stretch, step aside."""
    track = start(stage, rng)
    while track.now < seconds:
        _linger(track, rng)
        if rng.random() < 0.25:
            track.walk(*stage.near(rng, 1.0), speed=0.8, gait=0.7)
    return track


def _linger(track: Track, rng: np.random.Generator) -> None:
    kind = int(rng.integers(6))
    pace = float(rng.uniform(0.5, 1.0))
    if kind == 0:  # telephone at the ear, or a drink
        track.to(pace, right_arm=0.6, right_elbow=2.3, right_turn=0.3, nod=0.1)
    elif kind == 1:  # reads what it holds
        track.to(pace, right_arm=0.4, right_elbow=1.5, left_arm=0.4, left_elbow=1.4, nod=0.5)
    elif kind == 2:  # stretches, or reaches up to a shelf
        track.to(pace, right_arm=2.8, left_arm=float(rng.uniform(0, 2.8)))
    elif kind == 3:
        track.turn(track.get("yaw") + float(rng.normal(0, 1.2)), pace)
    elif kind == 4:
        track.to(pace, look=float(rng.normal(0, 0.6)), lean=float(rng.normal(0, 0.08)))
    else:
        track.rest(pace)
    track.hold(float(rng.uniform(0.3, 2.0)))
    if rng.random() < 0.6:
        track.rest(0.6)


def sit(stage: Stage, rng: np.random.Generator, seconds: float) -> Track:
    """Sit down on the chair, the bed or the floor, stay, and perhaps get up again."""
    x, z, yaw, low = _seat(stage, rng)
    if rng.random() < 0.3:
        track = Track(x=x, z=z, yaw=yaw, **SITTING)
    else:
        track = entering(stage, rng, 0.35 * seconds)
        track.walk(x, z, speed=1.0, gait=0.85).turn(yaw)
    while track.now < seconds:
        _sit_down(track, rng, low=low)
        for _ in range(int(rng.integers(1, 4))):
            _fidget(track, rng)
        if rng.random() < 0.6:
            track.to(0.5, pitch=0.3, bend=0.5).rest(float(rng.uniform(0.6, 1.2)))
            track.hold(float(rng.uniform(0.2, 1.5)))
    return track


def _seat(stage: Stage, rng: np.random.Generator) -> tuple[float, float, float, bool]:
    """Return x, z and yaw of a seat, and whether it is the floor."""
    kind = rng.random()
    if stage.bed is not None and kind < 0.35:
        x = float(rng.uniform(stage.bed.low[0] + 0.4, stage.bed.high[0] - 0.4))
        return x, float(stage.bed.low[2]) - 0.12, math.pi, False
    if stage.seat is not None and kind < 0.8:
        return stage.seat[0], stage.seat[1], stage.seat[2], False
    x, z = stage.near(rng, 0.8)
    return x, z, float(rng.uniform(-math.pi, math.pi)), True


def _sit_down(track: Track, rng: np.random.Generator, *, low: bool) -> None:
    pace = float(rng.uniform(0.8, 1.6))
    if low:
        track.to(pace, **CROUCHED, right_out=0.5)
        track.to(
            pace, **(SITTING | {"left_thigh": 1.8, "right_thigh": 1.8, "bend": 0.5}),
            pitch=-0.2, left_apart=0.5, right_apart=0.5,
        ).to(0.2, left_knee=2.2, right_knee=2.2)  # fmt: skip
        return
    track.to(0.4 * pace, pitch=0.35, bend=0.5, left_thigh=0.6, right_thigh=0.6,
             left_knee=0.7, right_knee=0.7)  # fmt: skip
    track.to(0.6 * pace, **SITTING, pitch=-0.1)


def _fidget(track: Track, rng: np.random.Generator) -> None:
    track.to(
        float(rng.uniform(0.3, 0.8)),
        left_elbow=float(rng.uniform(0.3, 2.2)), right_elbow=float(rng.uniform(0.3, 2.2)),
        right_arm=float(rng.uniform(0.1, 1.0)), bend=float(rng.uniform(0.0, 0.7)),
        look=float(rng.normal(0, 0.5)), nod=float(rng.uniform(-0.1, 0.5)),
    ).hold(float(rng.uniform(0.3, 2.0)))  # fmt: skip


def pick_up(stage: Stage, rng: np.random.Generator, seconds: float) -> Track:
    """Bend or crouch for something on the floor, tie a shoe, and stand up again."""
    track = entering(stage, rng, 0.4 * seconds)
    while track.now < seconds:
        pace = float(rng.uniform(0.5, 1.1))
        kind = rng.random()
        if kind < 0.5:  # bends over
            track.to(pace, pitch=0.6, bend=1.2, left_thigh=0.7, right_thigh=0.7, left_knee=0.35,
                     right_knee=0.35, right_arm=1.3, left_arm=1.0, nod=0.3)  # fmt: skip
        elif kind < 0.8:
            track.to(pace, **CROUCHED)
        else:  # on one knee
            track.to(pace, left_thigh=1.6, left_knee=1.6, right_thigh=0.0, right_knee=1.6,
                     bend=0.9, left_arm=0.9, right_arm=0.9, pitch=0.1)  # fmt: skip
        track.hold(float(rng.uniform(0.2, 1.6))).rest(pace)
        if rng.random() < 0.5:
            _linger(track, rng)
        if rng.random() < 0.5:
            track.walk(*stage.near(rng, 1.5), speed=1.0)
    return track


def lie_down(stage: Stage, rng: np.random.Generator, seconds: float) -> Track:
    """Lie down, slowly, on the bed or the floor; turn over; perhaps sit up."""
    base, x, z, yaw = _couch(stage, rng)
    turned = yaw + rng.choice([-1.0, 1.0]) * math.pi / 2
    flat = {"support": base, "x": x, "z": z + (0.5 if base else 0.0), **SUPINE}
    if rng.random() < 0.25:
        track = Track(yaw=turned, **flat)
    else:
        track = entering(stage, rng, 0.3 * seconds)
        track.walk(x, z, speed=1.0, gait=0.85).turn(yaw)
        _sit_down(track, rng, low=not base)
        pace = float(rng.uniform(1.2, 2.6))
        track.to(0.4 * pace, pitch=-0.6, yaw=(yaw + turned) / 2, support=0.6 * base, x=x,
                 z=(z + flat["z"]) / 2, anchor=0.4, left_thigh=1.2, right_thigh=1.2)  # fmt: skip
        track.to(0.6 * pace, yaw=turned, **flat)
    while track.now < seconds:
        track.hold(float(rng.uniform(0.5, 3.0)))
        track.to(
            float(rng.uniform(0.5, 1.5)), roll=float(rng.choice([0.0, 0.9, -0.9])),
            left_knee=float(rng.uniform(0, 1.4)), left_thigh=float(rng.uniform(0, 0.9)),
            right_arm=float(rng.uniform(0, 1.6)), right_elbow=float(rng.uniform(0, 1.6)),
        )  # fmt: skip
    return track


def _couch(stage: Stage, rng: np.random.Generator) -> tuple[float, float, float, float]:
    """Return the height of what one lies on, and x, z and yaw of somebody about to sit on it."""
    if stage.bed is not None and rng.random() < 0.75:
        middle = float(stage.bed.low[0] + stage.bed.high[0]) / 2
        return float(stage.bed.high[1]), middle, float(stage.bed.low[2]) - 0.1, math.pi
    x, z = stage.near(rng, 0.6)
    return 0.0, x, z, float(rng.uniform(-math.pi, math.pi))


def carry(stage: Stage, rng: np.random.Generator, seconds: float) -> Track:
    """Carry a box in, put it down, and go, or the other way round."""
    first, last = stage.across(rng, 4.0)
    track = Track(x=first[0], z=first[1], **CARRYING)
    goal = stage.near(rng, 0.5)
    while track.now < seconds:
        track.walk(*goal, speed=float(rng.uniform(0.8, 1.2)), gait=0.8)
        if rng.random() < 0.5:
            track.to(0.8, pitch=0.4, bend=0.9, left_thigh=0.9, right_thigh=0.9, left_knee=0.8,
                     right_knee=0.8).hold(0.3)  # fmt: skip
            track.rest(0.8, **CARRYING)
        track.hold(float(rng.uniform(0.1, 1.0)))
        goal = last if rng.random() < 0.7 else stage.near(rng, 1.5)
    return track


def ring(stage: Stage, rng: np.random.Generator, seconds: float) -> Track:
    """Come to the door (or the camera, where that is the bell), ring, wait, and go."""
    first, last = stage.across(rng, 4.0)
    if stage.door is not None:
        x, z, yaw = stage.door
    else:
        x, z = stage.inside(*stage.centre)
        yaw = stage.facing((x, z))
    track = Track(x=first[0], z=first[1]).walk(x, z, speed=1.2).turn(yaw)
    while track.now < seconds:
        track.to(0.5, right_arm=1.3, right_elbow=0.4).hold(0.4).rest(0.5)
        for _ in range(int(rng.integers(1, 4))):
            _linger(track, rng)
        if rng.random() < 0.4:
            track.walk(*last, speed=1.2).hold(9.0)
    return track


def exercise(stage: Stage, rng: np.random.Generator, seconds: float) -> Track:
    """Exercise or dance: squats, jumping jacks, press-ups, swaying with the arms up."""
    track = start(stage, rng).rest(0.2)
    kind = int(rng.integers(4))
    pace = float(rng.uniform(0.3, 0.8))
    while track.now < seconds:
        if kind == 0:
            track.to(pace, **(CROUCHED | {"left_arm": 1.5, "right_arm": 1.5})).rest(pace)
        elif kind == 1:
            arms = {"left_out": 2.8, "right_out": 2.8, "left_apart": 0.45, "right_apart": 0.45}
            track.to(0.6 * pace, **arms, lift=0.08).rest(0.6 * pace)
        elif kind == 2:
            down = {"pitch": 1.45, "anchor": 1.0, "left_arm": 1.5, "right_arm": 1.5}
            track.to(1.5 * pace, **down, left_elbow=0.2, right_elbow=0.2)
            track.to(pace, left_elbow=1.6, right_elbow=1.6, left_arm=0.6, right_arm=0.6)
        else:
            track.to(pace, lean=float(rng.normal(0, 0.2)), twist=float(rng.normal(0, 0.5)),
                     left_arm=float(rng.uniform(0, 2.5)), right_arm=float(rng.uniform(0, 2.5)),
                     left_thigh=float(rng.uniform(0, 0.6)), left_knee=float(rng.uniform(0, 0.8)),
                     yaw=track.get("yaw") + float(rng.normal(0, 0.4)))  # fmt: skip
    return track
