"""A human figure: named pose fields, joints by forward kinematics, gait, and feet on the floor.

World axes: x to one side, y up, z away from the camera's wall; metres and radians. A body faces +z
at yaw 0, and +x is then its left. Segment lengths are fractions of the body's height after Drillis
and Contini (1966), the table that gait textbooks reprint.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

FIELDS: Final = (
    "x", "z", "support", "lift", "anchor", "yaw", "pitch", "roll",
    "bend", "lean", "twist", "nod", "look",
    "left_arm", "left_out", "left_turn", "left_elbow",
    "right_arm", "right_out", "right_turn", "right_elbow",
    "left_thigh", "left_apart", "left_knee",
    "right_thigh", "right_apart", "right_knee",
    "gait", "phase", "swing", "slack",
)  # fmt: skip
"""What a pose is made of: place, whole-body tilt, trunk, head, arms, legs, walking.

`support` is the height in metres of what the body rests on, `lift` how far above it is (a jump).
`anchor` 1 means that (x, z) is between the feet, 0 that it is under the pelvis. `gait` is the size
of the steps (0 none, 1 walking, about 1.6 running), `phase` counts double steps, `swing` scales the
arms. `slack` 1 lets the trunk lie on the support and the limbs give way, 0 lets limbs carry it.
"""
INDEX: Final = {name: place for place, name in enumerate(FIELDS)}

JOINTS: Final = (
    "pelvis", "waist", "chest", "neck", "head",
    "left_shoulder", "left_elbow", "left_wrist", "left_hand",
    "right_shoulder", "right_elbow", "right_wrist", "right_hand",
    "left_hip", "left_knee", "left_ankle", "left_toe",
    "right_hip", "right_knee", "right_ankle", "right_toe", "crown", "face",
)  # fmt: skip
JOINT: Final = {name: place for place, name in enumerate(JOINTS)}

_ARMS: Final = [
    JOINT[f"{side}_{part}"] for side in ("left", "right") for part in ("elbow", "wrist", "hand")
]
_TRUNK: Final = [JOINT[name] for name in ("pelvis", "waist", "chest", "head")]

STANDING: Final = {
    "anchor": 1.0, "swing": 1.0,
    "left_out": 0.1, "right_out": 0.1, "left_elbow": 0.15, "right_elbow": 0.15,
    "left_apart": 0.05, "right_apart": 0.05,
}  # fmt: skip
"""The fields of somebody who stands at ease; those not named are 0."""

_FLESH: Final = np.array(
    [
        0.08, 0.07, 0.075, 0.03, 0.06, 0.04, 0.025, 0.02, 0.02, 0.04, 0.025, 0.02, 0.02,
        0.06, 0.035, 0.03, 0.02, 0.06, 0.035, 0.03, 0.02, 0.05, 0.05,
    ],
    dtype=np.float32,
)  # fmt: skip
"""How far the body reaches below each joint when it rests on it, in body heights."""


def pose(**fields: float) -> Floats:
    """Return the pose vector of somebody standing, with `fields` changed."""
    vector = np.zeros(len(FIELDS), dtype=np.float32)
    for name, value in {**STANDING, **fields}.items():
        vector[INDEX[name]] = value
    return vector


def joints(poses: Floats, height: float) -> Floats:
    """Return the joints in world metres, (times, joints, 3), of poses (times, fields)."""
    angles = _walking(poses)
    points = _limbs(angles) * np.float32(height)
    flesh = _FLESH * np.float32(height)
    under = points[:, :, 1] - flesh
    slack = angles[:, INDEX["slack"]]
    lowest = under.min(axis=1) * (1 - slack) + under[:, _TRUNK].min(axis=1) * slack
    feet = 0.5 * (points[:, JOINT["left_ankle"]] + points[:, JOINT["right_ankle"]])
    anchor = angles[:, INDEX["anchor"], None]
    shift = np.empty((len(poses), 3), dtype=np.float32)
    shift[:, 0] = angles[:, INDEX["x"]] - (anchor * feet)[:, 0]
    shift[:, 1] = angles[:, INDEX["support"]] + angles[:, INDEX["lift"]] - lowest
    shift[:, 2] = angles[:, INDEX["z"]] - (anchor * feet)[:, 2]
    points += shift[:, None, :]
    floor = angles[:, INDEX["support"], None] + 0.7 * flesh
    limp = (0.6 * slack)[:, None]  # arms of somebody who lies sink to the floor
    points[:, _ARMS, 1] = points[:, _ARMS, 1] * (1 - limp) + floor[:, _ARMS] * limp
    points[:, :, 1] = np.maximum(points[:, :, 1], floor)
    return points


def _walking(poses: Floats) -> Floats:
    """Add the swing of legs, arms and trunk that the gait asks for: sines of the step's phase."""
    out = poses.copy()
    size = poses[:, INDEX["gait"]]
    turn = 2 * np.pi * poses[:, INDEX["phase"]]
    arms = size * poses[:, INDEX["swing"]]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        swing = sign * np.sin(turn)
        # The knee bends while its leg swings forward, most before the thigh is in front.
        bend = np.clip(sign * np.cos(turn), 0, None)
        out[:, INDEX[f"{side}_thigh"]] += size * (0.45 * swing + 0.12)
        out[:, INDEX[f"{side}_knee"]] += size * (0.12 + 0.95 * bend)
        out[:, INDEX[f"{side}_arm"]] -= arms * 0.45 * swing
        out[:, INDEX[f"{side}_elbow"]] += arms * 0.25 + 0.9 * np.clip(arms - 1.1, 0, None)
    out[:, INDEX["twist"]] += 0.12 * size * np.sin(turn)
    out[:, INDEX["roll"]] += 0.03 * size * np.sin(turn)
    out[:, INDEX["bend"]] += 0.05 * size**2
    return out


def _limbs(angles: Floats) -> Floats:
    """Return the joints around the pelvis at the origin, in body heights."""
    points = np.zeros((len(angles), len(JOINTS), 3), dtype=np.float32)
    field = {name: angles[:, place] for name, place in INDEX.items()}
    pelvis: Floats = _y(field["yaw"]) @ _x(field["pitch"]) @ _z(field["roll"])
    waist: Floats = pelvis @ _x(0.5 * field["bend"]) @ _z(field["lean"])
    chest: Floats = waist @ _x(0.5 * field["bend"]) @ _y(field["twist"])
    head = chest @ _y(field["look"]) @ _x(field["nod"])
    points[:, JOINT["waist"]] = waist[:, :, 1] * 0.1
    points[:, JOINT["chest"]] = points[:, JOINT["waist"]] + chest[:, :, 1] * 0.13
    points[:, JOINT["neck"]] = points[:, JOINT["chest"]] + chest[:, :, 1] * 0.07
    points[:, JOINT["head"]] = (
        points[:, JOINT["neck"]] + head[:, :, 1] * 0.085 + head[:, :, 2] * 0.012
    )
    points[:, JOINT["crown"]] = (
        points[:, JOINT["head"]] + head[:, :, 1] * 0.028 - head[:, :, 2] * 0.022
    )
    points[:, JOINT["face"]] = points[:, JOINT["head"]] + head[:, :, 2] * 0.02
    for side, sign in (("left", 1.0), ("right", -1.0)):
        _arm(points, field, chest, side, sign)
        _leg(points, field, pelvis, side, sign)
    return points


def _arm(points: Floats, field: dict[str, Floats], chest: Floats, side: str, sign: float) -> None:
    shoulder = points[:, JOINT["chest"]] + chest[:, :, 1] * 0.045 + chest[:, :, 0] * (sign * 0.108)
    upper = chest @ _x(-field[f"{side}_arm"]) @ _z(sign * field[f"{side}_out"])
    fore = upper @ _y(-sign * field[f"{side}_turn"]) @ _x(-field[f"{side}_elbow"])
    points[:, JOINT[f"{side}_shoulder"]] = shoulder
    points[:, JOINT[f"{side}_elbow"]] = shoulder - upper[:, :, 1] * 0.178
    points[:, JOINT[f"{side}_wrist"]] = points[:, JOINT[f"{side}_elbow"]] - fore[:, :, 1] * 0.146
    points[:, JOINT[f"{side}_hand"]] = points[:, JOINT[f"{side}_wrist"]] - fore[:, :, 1] * 0.06


def _leg(points: Floats, field: dict[str, Floats], pelvis: Floats, side: str, sign: float) -> None:
    hip = pelvis[:, :, 0] * (sign * 0.052)
    thigh = pelvis @ _x(-field[f"{side}_thigh"]) @ _z(sign * field[f"{side}_apart"])
    shank = thigh @ _x(field[f"{side}_knee"])
    points[:, JOINT[f"{side}_hip"]] = hip
    points[:, JOINT[f"{side}_knee"]] = hip - thigh[:, :, 1] * 0.245
    ankle = points[:, JOINT[f"{side}_knee"]] - shank[:, :, 1] * 0.24
    points[:, JOINT[f"{side}_ankle"]] = ankle
    points[:, JOINT[f"{side}_toe"]] = ankle + shank[:, :, 2] * 0.1 - shank[:, :, 1] * 0.018


def _x(angle: Floats) -> Floats:
    return _rotation(angle, 1, 2)


def _y(angle: Floats) -> Floats:
    return _rotation(angle, 2, 0)


def _z(angle: Floats) -> Floats:
    return _rotation(angle, 0, 1)


def _rotation(angle: Floats, first: int, second: int) -> Floats:
    """Return the matrices (times, 3, 3) that turn axis `first` towards axis `second`."""
    matrix = np.zeros((len(angle), 3, 3), dtype=np.float32)
    matrix[:, 3 - first - second, 3 - first - second] = 1
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix[:, first, first] = cosine
    matrix[:, second, second] = cosine
    matrix[:, second, first] = sine
    matrix[:, first, second] = -sine
    return matrix
