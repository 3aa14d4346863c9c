"""What people do together in peace: talk, embrace, shake hands, pass by, dance, hand over."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from models.build.scenes.moves import SITTING, entering, stand, walk
from models.build.scenes.stage import Stage
from models.build.scenes.track import Track

if TYPE_CHECKING:
    import numpy as np


def facing_pair(
    stage: Stage, rng: np.random.Generator, apart: float, reach: float = 0.4, /, **fields: float
) -> tuple[Track, Track]:
    """Return two who face each other `apart` metres away, within `reach` of the centre."""
    x, z = stage.near(rng, reach)
    right = stage.view.axes[0]
    angle = math.atan2(right[0], right[2]) + float(rng.normal(0, 0.6))
    step = (0.5 * apart * math.sin(angle), 0.5 * apart * math.cos(angle))
    first = Track(x=x - step[0], z=z - step[1], yaw=angle, **fields)
    return first, Track(x=x + step[0], z=z + step[1], yaw=angle + math.pi, **fields)


def closer(
    track: Track, seconds: float, metres: float, ease: str = "smooth", /, **fields: float
) -> None:
    """Step `metres` the way the body faces (back where negative)."""
    yaw = track.get("yaw")
    track.to(0.5 * seconds, ease, gait=0.5, phase=track.get("phase") + 0.25,
             x=track.get("x") + 0.5 * metres * math.sin(yaw),
             z=track.get("z") + 0.5 * metres * math.cos(yaw), **fields)  # fmt: skip
    track.to(0.5 * seconds, "linear", gait=0.0, phase=track.get("phase") + 0.25,
             x=track.get("x") + 0.5 * metres * math.sin(yaw),
             z=track.get("z") + 0.5 * metres * math.cos(yaw))  # fmt: skip


def talk(stage: Stage, rng: np.random.Generator, seconds: float) -> list[Track]:
    """Two or three people talk with their hands."""
    pair = list(facing_pair(stage, rng, float(rng.uniform(0.7, 1.3))))
    if rng.random() < 0.3:
        x, z = stage.near(rng, 1.2)
        middle = (
            (pair[0].get("x") + pair[1].get("x")) / 2,
            (pair[0].get("z") + pair[1].get("z")) / 2,
        )
        yaw = math.atan2(middle[0] - x, middle[1] - z)
        if math.dist(middle, (x, z)) > 0.6:
            pair.append(Track(x=x, z=z, yaw=yaw))
    lively = float(rng.uniform(0.2, 1.2))
    for track in pair:
        while track.now < seconds:
            _gesture(track, rng, lively)
    return pair


def _gesture(track: Track, rng: np.random.Generator, lively: float) -> None:
    if rng.random() < 0.4:
        track.rest(0.5).hold(float(rng.uniform(0.3, 2.5)))
        return
    for _ in range(int(rng.integers(1, 4))):
        track.to(
            float(rng.uniform(0.25, 0.6)),
            right_arm=float(rng.uniform(0.1, 0.9)) * lively,
            left_arm=float(rng.uniform(0.0, 0.8)) * lively,
            right_elbow=float(rng.uniform(0.6, 1.9)), left_elbow=float(rng.uniform(0.2, 1.7)),
            nod=float(rng.normal(0, 0.12)), twist=float(rng.normal(0, 0.12)),
        )  # fmt: skip


def embrace(stage: Stage, rng: np.random.Generator, seconds: float) -> list[Track]:
    """Two people come together, embrace for a while and part."""
    pair = facing_pair(stage, rng, 1.4)
    wait = float(rng.uniform(0.0, 0.4)) * seconds
    arms = {"left_arm": 1.2, "right_arm": 1.4, "left_elbow": 1.2, "right_elbow": 1.1,
            "left_turn": 0.7, "right_turn": 0.7, "left_out": 0.2, "right_out": 0.2}  # fmt: skip
    stay, pace = float(rng.uniform(0.8, 3.5)), float(rng.uniform(0.7, 1.2))
    for track, side in zip(pair, (-0.1, 0.1), strict=True):
        track.hold(wait)
        closer(track, pace, 0.52, **arms, lean=side)
        track.to(0.4, bend=0.15, nod=0.15)
        for _ in range(2):
            track.to(0.5 * stay, lean=side + float(rng.normal(0, 0.04)))
        track.rest(0.7)
        closer(track, 0.8, -0.4)
        while track.now < seconds:
            _gesture(track, rng, 0.7)
    return list(pair)


def shake_hands(stage: Stage, rng: np.random.Generator, seconds: float) -> list[Track]:
    """Two people shake hands, clap hands high, or hand something over."""
    pair = facing_pair(stage, rng, float(rng.uniform(1.3, 1.6)))
    wait = float(rng.uniform(0.0, 0.5)) * seconds
    high = rng.random() < 0.25
    reach = {"right_arm": 2.2 if high else 1.0, "right_elbow": 0.5}
    for track in pair:
        track.hold(wait)
        closer(track, 0.8, 0.3)
        track.to(0.4, **reach)
        for _ in range(1 if high else 3):
            track.to(0.18, right_arm=reach["right_arm"] + 0.12).to(
                0.18, right_arm=reach["right_arm"]
            )
        track.rest(0.5)
        while track.now < seconds:
            _gesture(track, rng, 0.6)
    return list(pair)


def dance(stage: Stage, rng: np.random.Generator, seconds: float) -> list[Track]:
    """Two people dance together, arms on each other, turning slowly."""
    pair = facing_pair(
        stage, rng, 0.75, left_arm=1.1, right_arm=1.1, left_elbow=0.5, right_elbow=0.5
    )
    x, z = ((pair[0].get(name) + pair[1].get(name)) / 2 for name in ("x", "z"))
    angle, beat = pair[0].get("yaw"), float(rng.uniform(0.45, 0.8))
    side, turn = 1.0, float(rng.normal(0, 0.25))
    while pair[0].now < seconds:
        angle, side = angle + turn, -side
        for number, track in enumerate(pair):
            way = angle + number * math.pi
            track.to(beat, yaw=track.get("yaw") + turn, x=x - 0.37 * math.sin(way),
                     z=z - 0.37 * math.cos(way), lean=0.1 * side * (1 - 2 * number),
                     gait=0.25, phase=track.get("phase") + 0.5)  # fmt: skip
    return list(pair)


def crowd(stage: Stage, rng: np.random.Generator, seconds: float) -> list[Track]:
    """Several people at once, each for themselves: some pass, some stand, some come."""
    tracks = []
    for _ in range(int(rng.integers(2, 5))):
        kind = rng.random()
        move = walk if kind < 0.55 else stand if kind < 0.85 else entering
        tracks.append(move(stage, rng, seconds))
    return tracks


def visit(stage: Stage, rng: np.random.Generator, seconds: float) -> list[Track]:
    """One sits, another comes and stands by."""
    if stage.seat is None:
        return [stand(stage, rng, seconds), walk(stage, rng, seconds)]
    x, z, yaw, _ = stage.seat
    sitter = Track(x=x, z=z, yaw=yaw, **SITTING)
    while sitter.now < seconds:
        sitter.to(0.5, right_elbow=float(rng.uniform(0.4, 1.8)), nod=float(rng.normal(0, 0.2)))
        sitter.hold(float(rng.uniform(0.3, 2.0)))
    return [sitter, walk(stage, rng, seconds)]
