"""How a person looks: skin, hair, clothes and build, as capsules over the joints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.build.scenes.body import JOINT, Floats
from models.build.scenes.surface import Colour, tint

SKINS: Final = ((0.92, 0.74, 0.62), (0.8, 0.6, 0.46), (0.6, 0.42, 0.3), (0.38, 0.26, 0.19))
HAIRS: Final = ((0.07, 0.06, 0.05), (0.16, 0.1, 0.06), (0.35, 0.24, 0.13), (0.6, 0.58, 0.55))


@dataclass(frozen=True)
class Look:
    """The capsules of one person: joint pairs, radii and colours."""

    height: float
    """Metres."""
    joints: np.ndarray
    """Indices into body.JOINTS of each capsule's two ends, (capsules, 2)."""
    radii: Floats
    """Metres at each end, (capsules, 2)."""
    colours: Floats
    """Red, green, blue, 0 to 1, (capsules, 3)."""
    stripes: Floats
    """Stripes along each capsule, 0 for none, (capsules,)."""
    near: Floats
    """Metres by which a capsule is painted as if it were nearer, (capsules,)."""


def dressed(rng: np.random.Generator, *, infrared: bool = False, child: bool = False) -> Look:
    """Return somebody of any height, build and clothes; grey where the light is infrared."""
    height = float(rng.uniform(1.1, 1.4) if child else np.clip(rng.normal(1.71, 0.09), 1.5, 1.95))
    stout = float(np.clip(rng.normal(1.05, 0.12), 0.85, 1.4))
    parts = _parts(rng)
    names, radii, colours, stripes, near = zip(*parts, strict=True)
    dyed = np.array(colours, dtype=np.float32)
    if infrared:  # dyes look alike in infrared: most cloth is bright
        dyes, which = np.unique(dyed, axis=0, return_inverse=True)
        grey = 0.3 + 0.6 * dyes.mean(axis=1) + 0.12 * rng.standard_normal(len(dyes))
        grey = np.clip(grey, 0.15, 0.95)[which.reshape(-1)]
        dyed = np.repeat(grey[:, None], 3, axis=1).astype(np.float32)
    return Look(
        height=height,
        joints=np.array([[JOINT[first], JOINT[second]] for first, second in names]),
        radii=np.array(radii, dtype=np.float32) * np.float32(height * stout),
        colours=dyed,
        stripes=np.array(stripes, dtype=np.float32),
        near=np.array(near, dtype=np.float32),
    )


_Part = tuple[tuple[str, str], tuple[float, float], Colour, float, float]


def _parts(rng: np.random.Generator) -> list[_Part]:
    skin = SKINS[int(rng.integers(len(SKINS)))]
    hair = HAIRS[int(rng.choice(len(HAIRS), p=[0.45, 0.25, 0.15, 0.15]))]
    if rng.random() < 0.12:  # a cap or a scarf
        hair = tint(rng, value=(0.1, 0.9), most=0.8)
    top = tint(rng, value=(0.08, 0.95), most=0.9)
    legs = tint(rng, value=(0.06, 0.7) if rng.random() < 0.8 else (0.5, 0.9), most=0.5)
    shoes = tint(rng, value=(0.05, 0.9), most=0.3)
    striped = float(rng.uniform(4, 9)) if rng.random() < 0.2 else 0.0
    parts: list[_Part] = []
    parts += _trunk(rng, skin, hair, top=top, legs=legs, striped=striped)
    bare_arms = rng.random() < 0.4
    bare_legs = rng.random() < 0.12
    for side in ("left", "right"):
        parts += _arm(side, top, skin if bare_arms else top, skin, striped)
        parts += _leg(side, legs, skin if bare_legs else legs, shoes)
    kind = rng.random()
    if kind < 0.1:  # a skirt or a long coat
        parts += [
            (("pelvis", f"{side}_knee"), (0.075, 0.085), legs, 0.0, 0.04)
            for side in ("left", "right")
        ]
    elif kind < 0.18:  # a bag on the back
        parts.append((("chest", "waist"), (0.08, 0.075), tint(rng, value=(0.1, 0.8)), 0.0, -0.2))
    return parts


def _trunk(
    rng: np.random.Generator,
    skin: Colour,
    hair: Colour,
    *,
    top: Colour,
    legs: Colour,
    striped: float,
) -> list[_Part]:
    parts: list[_Part] = [
        (("left_hip", "right_hip"), (0.062, 0.062), legs, 0.0, 0.0),
        (("pelvis", "waist"), (0.072, 0.074), top, striped / 2, 0.02),
        (("waist", "chest"), (0.074, 0.084), top, striped, 0.04),
        (("chest", "neck"), (0.08, 0.042), top, 0.0, 0.03),
        (("left_shoulder", "right_shoulder"), (0.041, 0.041), top, 0.0, 0.03),
        (("neck", "head"), (0.032, 0.034), skin, 0.0, 0.0),
        (("head", "face"), (0.058, 0.052), skin, 0.0, 0.02),
        (("head", "crown"), (0.055, 0.058), hair, 0.0, 0.02),
    ]
    if rng.random() < 0.3:  # long hair
        parts.append((("crown", "neck"), (0.055, 0.045), hair, 0.0, -0.05))
    return parts


def _arm(side: str, top: Colour, sleeve: Colour, skin: Colour, striped: float) -> list[_Part]:
    return [
        ((f"{side}_shoulder", f"{side}_elbow"), (0.037, 0.03), top, striped, 0.02),
        ((f"{side}_elbow", f"{side}_wrist"), (0.028, 0.021), sleeve, 0.0, 0.04),
        ((f"{side}_wrist", f"{side}_hand"), (0.022, 0.02), skin, 0.0, 0.06),
    ]


def _leg(side: str, legs: Colour, shank: Colour, shoes: Colour) -> list[_Part]:
    return [
        ((f"{side}_hip", f"{side}_knee"), (0.056, 0.038), legs, 0.0, 0.0),
        ((f"{side}_knee", f"{side}_ankle"), (0.037, 0.026), shank, 0.0, 0.0),
        ((f"{side}_ankle", f"{side}_toe"), (0.028, 0.022), shoes, 0.0, 0.0),
    ]
