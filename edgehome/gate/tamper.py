"""Whether something is wrong with the camera's view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgehome.gate.structure import Structure, structure
from edgehome.types import CameraState, Frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Cells = NDArray[np.float32]

JUDGE_S = 2.0
"""Seconds between two judgements of the view."""
LEARN = 8
"""Judgements that a reference rests on at least."""
SLOWEST = 50
"""Judgements over which the reference follows the view: 100 seconds."""
ADOPT_S = {CameraState.MOVED: 300.0, CameraState.DEFOCUSED: 1800.0}
"""Seconds after which another view, or a softer one, is the new reference."""
FROZEN_S = 10.0
"""Seconds of the same picture: a rendered or very calm scene has up to three (measured)."""
HOLD = {
    CameraState.COVERED: (2, 2),
    CameraState.MOVED: (3, 2),
    CameraState.DEFOCUSED: (3, 2),
    CameraState.DARK: (3, 2),
}
"""Judgements after which a state begins, and after which it ends."""
DARK, BRIGHT = 16.0, 20.0
"""Mean brightness, of 255, below which it is dark, and above which no longer."""
FLAT, CONTRASTY = 8.0, 10.0
"""Spread of brightness below which it is dark, and above which no longer."""
STRUCTURED = 6.0
"""Energy of edges from which on a tile has something to be known by."""
STEADY = 0.5
"""Share of those edges that must stay in place: what passes by is nothing to be known by."""
ENOUGH = 6
"""Tiles that must have, for the view to be known by them."""
MOST = 0.7
"""Share of those tiles that must say the same."""
ALIKE = 0.4
"""Correlation of edges from which on a tile shows what it did."""
LOST = 0.1
"""Share of its edges' energy below which a tile has lost them."""
SOFT = 0.4
"""Share of its fine edges' energy, for its light, below which a tile is soft."""
SHADE = 0.8
"""Correlation of light and shade from which on it is the same view, however soft."""
SUDDEN_S = 4.0
"""Seconds within which a cover, and no dusk, takes a bright view away."""


class Tamper:
    """Compares the view with a reference of it that is learnt slowly, every two seconds.

    The view is judged in tiles, so that somebody who stands in it changes few of them. While
    something is wrong nothing is learnt, but for a camera that has shown another view for
    minutes: that is the new reference.
    """

    def __init__(self) -> None:
        self._states: frozenset[CameraState] = frozenset()
        self._runs = dict.fromkeys(HOLD, 0)
        self._image: NDArray[np.uint8] | None = None
        self._sums: list[Cells] = []
        self._frames = 0
        self._judged_s = self._changed_s = self._bright_s = 0.0
        self._begun_s: dict[CameraState, float] = {}
        self._reference: Structure | None = None
        self._brightness = 0.0
        self._learnt = 0
        self._sudden = False

    def look(self, frame: Frame, picture: Cells) -> frozenset[CameraState]:
        """Return what is wrong, for a frame and its picture of brightness, (cells, cells)."""
        before, self._image = self._image, frame.image
        if before is None or frame.time_s < self._judged_s:
            self._judged_s = self._changed_s = frame.time_s
            self._bright_s = frame.time_s
            self._sums = [picture.copy(), np.zeros_like(picture)]
            self._frames = 1
            return self._states
        self._sums[self._frames % 2] += picture
        self._frames += 1
        if not _same(before, frame.image):
            self._changed_s = frame.time_s
            self._states -= {CameraState.FROZEN}
        elif frame.time_s - self._changed_s >= FROZEN_S:
            self._states |= {CameraState.FROZEN}
        if self._frames > 1 and frame.time_s - self._judged_s >= JUDGE_S:
            self._judge(frame.time_s, (before, frame.image))
        return self._states

    def _judge(self, time_s: float, images: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
        halves = (self._frames + 1) // 2, self._frames // 2
        first, second = (
            half / np.float32(count) for half, count in zip(self._sums, halves, strict=True)
        )
        self._sums = [np.zeros_like(first), np.zeros_like(first)]
        self._frames, self._judged_s = 0, time_s
        seen = structure((first, second), images)
        brightness, spread = float(first.mean()), float(first.std())
        wrong = self._wrong(time_s, seen, brightness)
        if self._is_dark(brightness, spread):
            wrong |= {CameraState.DARK}
        self._hold(wrong)
        self._learn(time_s, seen, brightness, wrong)

    def _is_dark(self, brightness: float, spread: float) -> bool:
        if CameraState.DARK in self._states:
            return brightness < BRIGHT and spread < CONTRASTY
        return brightness < DARK and spread < FLAT

    def _wrong(self, time_s: float, seen: Structure, brightness: float) -> set[CameraState]:
        """Return what is wrong with the view now, darkness apart."""
        reference = self._reference
        if reference is None or self._learnt < LEARN:
            self._bright_s = time_s
            return set()
        known = (reference.coarse > STRUCTURED) & reference.steady(STEADY)
        count = int(np.count_nonzero(known))
        if count < ENOUGH:
            return set()
        alike = seen.alike(reference) >= ALIKE
        lost = known & ~alike & (seen.coarse < LOST * reference.coarse)
        other = known & ~alike & ~lost
        gain, shade = seen.shade(reference)
        soft = known & (seen.fine < SOFT * gain * gain * reference.fine)
        lost_part, other_part, soft_part = (
            int(np.count_nonzero(cells)) / count for cells in (lost, other, soft)
        )
        if soft_part >= MOST and shade >= SHADE and brightness >= DARK:
            return {CameraState.DEFOCUSED}
        if lost_part + other_part >= MOST:
            if lost_part <= other_part:
                return {CameraState.MOVED}
            self._sudden = self._sudden or time_s - self._bright_s <= SUDDEN_S
            return {CameraState.COVERED} if self._sudden or brightness >= DARK else set()
        self._sudden = False
        if brightness > self._brightness / 2:
            self._bright_s = time_s
        return set()

    def _hold(self, wrong: set[CameraState]) -> None:
        """Let a state begin, or end, that has been seen, or not, for long enough."""
        for state, (begins, ends) in HOLD.items():
            if (state in wrong) == (state in self._states):
                self._runs[state] = 0
                continue
            self._runs[state] += 1
            if self._runs[state] >= (begins if state in wrong else ends):
                self._states ^= {state}
                self._runs[state] = 0

    def _learn(
        self, time_s: float, seen: Structure, brightness: float, wrong: set[CameraState]
    ) -> None:
        for state, adopt_s in ADOPT_S.items():
            if state not in self._states:
                self._begun_s[state] = time_s
            elif time_s - self._begun_s[state] >= adopt_s:
                self._reference = None
        if self._reference is not None and (wrong or self._changed_s < time_s):
            return
        if self._reference is None:
            self._reference, self._learnt, self._brightness = seen, 1, brightness
            return
        self._learnt += 1
        share = 1 / min(self._learnt, SLOWEST)
        self._reference = self._reference.toward(seen, share)
        self._brightness += (brightness - self._brightness) * share


def _same(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Return whether two frames are equal to the last bit; a row tells of most that are not."""
    row = len(one) // 2
    return np.array_equal(one[row], other[row]) and np.array_equal(one, other)
