"""Short home-camera scenes, rendered: people who walk, sit, lie down, fall, fight, in any light.

`render` makes one clip of a kind that is asked for, `scene` one that is drawn for training. All
follows from the seed: the same arguments give the same pixels with the same numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.build.scenes import plan, props
from models.build.scenes.body import JOINT, joints
from models.build.scenes.figure import dressed
from models.build.scenes.film import Cast, Film, Puppet, embodied
from models.build.scenes.plan import KINDS, LIGHTS, PLACES
from models.build.scenes.rooms import room
from models.build.scenes.stage import Stage
from models.build.scenes.sways import Sways
from models.build.scenes.track import LEAD_S, Track
from models.build.scenes.yards import porch

__all__ = [
    "KINDS",
    "LABELS",
    "LIGHTS",
    "PLACES",
    "RESERVED",
    "ReservedSeedError",
    "render",
    "scene",
]

LABELS: Final = ("fall", "fighting", "person")
RESERVED: Final = range(900_000_000, 900_100_000)
"""Seeds of the clips in the box and of tests: nothing is trained on them."""
SEEN_SHARE: Final = 0.003
"""Share of the picture that people must cover to count as seen."""

AIMED: Final = 0.85
"""Share of clips in which the camera looks where most happens; in the others it may miss some."""

Clip = NDArray[np.uint8]
Labels = dict[str, NDArray[np.bool_]]


class ReservedSeedError(ValueError):
    """A seed that is kept for the clips in the box was to be trained on."""


def render(
    kind: str,
    seed: int,
    *,
    frames: int,
    rate: float = 10.0,
    size: int = 172,
    place: str | None = None,
    light: str | None = None,
    quiet: bool = False,
) -> tuple[Clip, Labels]:
    """Return a clip, uint8 RGB (frames, size, size, 3), and per label a flag for each frame.

    `rate` is in frames a second, `size` in pixels, a multiple of 4. `place` and `light` are drawn
    from the seed where they are not given; `quiet` means a good camera, with hardly any noise.
    Labels are `fall` (from the loss of balance until the person stands again), `fighting` and
    `person`, each only where people are seen. Raises ValueError for what cannot be rendered.
    """
    _check(kind, frames=frames, rate=rate, size=size, place=place, light=light)
    rng = np.random.default_rng([seed, *kind.encode()])
    places, drawn = KINDS[kind].places, (rng.random(), str(rng.choice(LIGHTS, p=_LIGHT)))
    where, light = place or places[int(drawn[0] * len(places))], light or drawn[1]
    stage = (room if where == "room" else porch)(rng, light, size)
    # A clip begins in the midst of things: how people stand at first must not give them away.
    times = (LEAD_S + np.arange(frames) / rate).astype(np.float32)
    cast, tracks = _cast(kind, stage, times, light, rng)
    if tracks and rng.random() < AIMED:
        _aim(stage, tracks, times, rng)
    wind = float(rng.uniform(0.3, 2.0)) if rng.random() < 0.5 else 0.0
    sensor = plan.sensor(rng, light, size, quiet=quiet)
    film = Film(stage, cast, sensor, Sways(stage, rng, wind))
    gains = plan.gains(rng, times, light, film.brightness)
    shown = [
        film.frame(*now) for now in zip(range(frames), times.tolist(), gains.tolist(), strict=True)
    ]
    clip = np.stack([picture for picture, _ in shown])
    return clip, _labels(tracks, times, np.array([share for _, share in shown], np.float32))


def scene(
    seed: int, *, frames: int, rate: float = 10.0, size: int = 172
) -> tuple[str, Clip, Labels]:
    """Return the kind, clip and labels of a scene drawn for training; see `render`.

    Raises ReservedSeedError for the seeds of the clips in the box.
    """
    if seed in RESERVED:
        raise ReservedSeedError(f"seed {seed} is kept for the clips in the box: train on another")
    weights = np.array([kind.weight for kind in KINDS.values()])
    rng = np.random.default_rng([seed, 1])
    kind = str(rng.choice(list(KINDS), p=weights / weights.sum()))
    return kind, *render(kind, seed, frames=frames, rate=rate, size=size)


_LIGHT: Final = (0.6, 0.18, 0.22)


def _check(
    kind: str, *, frames: int, rate: float, size: int, place: str | None, light: str | None
) -> None:
    if kind not in KINDS:
        raise ValueError(f"no scenes of kind {kind!r}: there are {', '.join(KINDS)}")
    if place is not None and place not in PLACES:
        raise ValueError(f"no place {place!r}: there are {', '.join(PLACES)}")
    if light is not None and light not in LIGHTS:
        raise ValueError(f"no light {light!r}: there are {', '.join(LIGHTS)}")
    if frames < 1 or not rate > 0 or size < 32 or size % 4:
        raise ValueError(f"cannot render {frames} frames at {rate} a second, {size} pixels wide")


def _cast(
    kind: str, stage: Stage, times: NDArray[np.float32], light: str, rng: np.random.Generator
) -> tuple[Cast, list[Track]]:
    """Return everything that moves in a scene of a kind, and the tracks of its people."""
    cast, infrared = Cast(), light == "infrared"
    move, shutter = KINDS[kind].move, float(rng.uniform(0.01, 0.045 if light == "day" else 0.08))
    tracks: list[Track] = []
    if move is not None:
        played = move(stage, rng, float(times[-1]) + 0.5)
        tracks = list(played) if isinstance(played, Sequence) else [played]
    for track in tracks:
        child = kind in {"walk", "run", "stand"} and rng.random() < 0.1
        look = dressed(rng, infrared=infrared, child=child)
        cast.puppets.append(embodied(track, look, times, shutter, rng))
    if kind == "carry":
        cast.crates.append(props.carried(cast.puppets[0].points, rng))
    if kind == "car" or (stage.road and rng.random() < 0.12):
        boxes, wheels = props.car(times, stage.road or (stage.centre[1] + 1.5, 12.0), rng)
        cast.crates += boxes
        cast.wheels.append(wheels)
    if kind == "pet" or rng.random() < 0.03:
        points, look = props.pet(times, stage.across(rng, 3.0), rng)
        later = points + np.gradient(points, times, axis=0) * shutter if len(times) > 1 else points
        cast.puppets.append(Puppet(points, later.astype(np.float32), look, person=False))
    return cast, tracks


def _aim(
    stage: Stage, tracks: list[Track], times: NDArray[np.float32], rng: np.random.Generator
) -> None:
    """Turn the camera to the middle of what happens: of the marked spans, where there are any."""
    spots = []
    for track in tracks:
        spans = [(since, until) for _, since, until in track.marks] or [(0.0, float(times[-1]) + 1)]
        if track.marks or not any(other.marks for other in tracks):
            during = times[[any(a <= t < b for a, b in spans) for t in times]]
            if during.size:
                points = joints(track.at(during), 1.7)[:, JOINT["chest"]]
                spots.append(0.5 * (points.min(axis=0) + points.max(axis=0)))
    if spots:
        x, _, z = np.mean(spots, axis=0) + rng.normal(0, 0.12, 3)
        stage.aim((float(x), float(z)), float(rng.uniform(0.5, 0.95)))


def _labels(tracks: list[Track], times: NDArray[np.float32], shares: NDArray[np.float32]) -> Labels:
    seen = shares > SEEN_SHARE
    labels = {name: np.zeros(len(times), dtype=np.bool_) for name in LABELS}
    labels["person"] = seen
    for track in tracks:
        for name, since, until in track.marks:
            labels[name] |= seen & (times >= since) & (times < until)
    return labels
