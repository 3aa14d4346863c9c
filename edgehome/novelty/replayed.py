"""A home's days made of clips: daily life that was filmed for minutes, replayed for weeks.

Each clip is an activity with an hour of its own and a share of the day, a few often and many
seldom (Zipf). Every coming takes a piece of it, another strength (5 %), some of another clip
(a share drawn anew, mostly little: people do things in new ways), noise a frame, and the light of
the hour and of the weeks: a shift along two fixed directions.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from edgehome.novelty.normal import Normal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float32]

DAY_S = 86_400.0
_LEAST_FRAMES = 12
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Frame:
    """A replayed frame with motion."""

    embedding: Vector
    at: float
    """Seconds from the first midnight."""
    hour: float


@dataclass(frozen=True, slots=True)
class Habits:
    """How a home lives."""

    comings: float = 25.0
    """Activities a day, on average."""
    rate: float = 5.0
    """Frames a second."""
    strength: float = 0.05
    noise: float = 0.03
    blend: float = 6.0
    """The higher, the less of another activity is in one (Beta(1/2, blend))."""
    light: float = 0.05


class Home:
    """A home of clips' embeddings, (frames, width) each."""

    def __init__(
        self, clips: Sequence[Vector], chance: np.random.Generator, habits: Habits | None = None
    ) -> None:
        self._clips = [clips[i] for i in chance.permutation(len(clips))]
        self._chance = chance
        self._habits = habits or Habits()
        share = 1 / np.arange(1, len(clips) + 1)
        self._share = share / share.sum()
        self._hours = chance.normal(14.0, 4.0, len(clips)) % 24
        width = clips[0].shape[1]
        self._scale = float(np.sqrt(np.mean(np.concatenate(self._clips) ** 2)))
        lights = chance.standard_normal((2, width)).astype(np.float32)
        self._lights = lights * np.float32(self._scale * self._habits.light)

    def days(self, first: int, count: int) -> Iterator[list[Frame]]:
        """Yield the frames of each day, in their order."""
        for day in range(first, first + count):
            comings = self._chance.poisson(self._habits.comings)
            which = self._chance.choice(len(self._clips), size=comings, p=self._share)
            hours = (self._hours[which] + self._chance.normal(0, 1.0, comings)) % 24
            frames: list[Frame] = []
            for clip, hour in sorted(zip(which.tolist(), hours.tolist(), strict=True), key=_hour):
                start = max(day * DAY_S + hour * 3600, frames[-1].at + 10 if frames else 0.0)
                frames += self.coming(self._clips[clip], start)
            yield frames

    def coming(self, clip: Vector, start: float) -> list[Frame]:
        """Return one coming of an activity from `start` on."""
        chance, habits = self._chance, self._habits
        length = min(len(clip), int(chance.integers(_LEAST_FRAMES, _LONGEST)))
        begin = int(chance.integers(len(clip) - length + 1))
        other = self._clips[int(chance.integers(len(self._clips)))]
        share = np.float32(chance.beta(0.5, habits.blend))
        piece = clip[begin : begin + length]
        mixed = (1 - share) * piece + share * other[np.arange(length) % len(other)]
        mixed *= np.float32(math.exp(chance.normal(0, habits.strength)))
        mixed += chance.standard_normal(mixed.shape, np.float32) * np.float32(
            habits.noise * self._scale
        )
        mixed += math.sin(start / DAY_S * 2 * math.pi) * self._lights[0]
        mixed += start / DAY_S / 30 * self._lights[1]
        times = start + np.arange(length) / habits.rate
        return [
            Frame(row, at, at / 3600 % 24) for row, at in zip(mixed, times.tolist(), strict=True)
        ]


@dataclass(slots=True)
class Month:
    """What a model of normal said of some days."""

    known: float = math.inf
    """Days from the first midnight until return periods were given."""
    alerts: dict[float, list[float]] = field(default_factory=dict)
    """Of each wished return period in days: the episodes, by their beginning, that reached it."""


def live(
    normal: Normal, home: Home, first: int, days: int, *, limits: tuple[float, ...] = ()
) -> Month:
    """Live days of a home; a camera watches all of them."""
    month = Month(alerts={limit: [] for limit in limits})
    last = first * DAY_S
    for frames in home.days(first, days):
        for frame in frames:
            normal.watch(max(frame.at - last, 0.0))
            last = max(last, frame.at)
            found = normal.step(frame.embedding, frame.at, frame.hour)
            if normal.learnt >= 1:
                month.known = min(month.known, frame.at / DAY_S)
            for limit, episodes in month.alerts.items():
                if found.days >= limit and found.episode not in episodes:
                    episodes.append(found.episode)
    normal.watch(max((first + days) * DAY_S - last, 0.0))
    return month


def made_up(seed: int, count: int, width: int) -> list[Vector]:
    """Return embeddings of clips of nobody: activities with a look and changes of their own."""
    chance = np.random.default_rng(seed)
    clips = []
    for _ in range(count):
        look, ways = chance.exponential(1.0, width), chance.standard_normal((3, width))
        walk = np.cumsum(chance.standard_normal((100, 3)) * 0.12, axis=0)
        clips.append(np.maximum(look + walk @ ways * 0.4, 0).astype(np.float32))
    return clips


def _hour(one: tuple[int, float]) -> float:
    return one[1]
