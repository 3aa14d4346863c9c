"""Tells when the camera no longer shows what it is there to show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgehome.gate.held import Held
from edgehome.gate.view import Sight, View
from edgehome.types import CameraState

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Cells = NDArray[np.float32]

LOOK_S = 1.0
"""Seconds between two looks at all but a frozen picture."""
FROZEN_S = 5.0
"""Seconds of the same picture to the last bit; a sensor's noise never lets that be."""
ON_S, OFF_S = 3.0, 2.0
"""Seconds that any other state must last to begin, and be gone to end."""
LOST, FOUND = 0.27, 0.4
"""Part of the known edges: below, the view is lost, above, it is there again."""
PLAIN = 0.35
"""Edges, as a share of the known, below which what is shown is no other place but a cover."""
STEADY = 0.5
"""Part of a look's edges that the next one has where nothing moves."""
BLURRED, SHARP = 0.6, 0.75
"""Detail, as a share of the known: below, it is out of focus, above, it is not."""
ALIKE = 0.8
"""Correlation, without detail, from which on a blurred view is still the known one."""
DIM, LIT = np.float32(20), np.float32(28)
FEW, SOME = 0.05, 0.08
"""Dark: less than FEW of the cells are brighter than DIM; until SOME are brighter than LIT."""
NEW_PLACE_S = 60.0
"""Seconds after which another place is the one that is known."""


class Tamper:
    """Judges frame by frame which states the camera is in, against a view that it learns."""

    def __init__(self) -> None:
        self._states = {state: Held(ON_S, OFF_S) for state in CameraState}
        self._states[CameraState.FROZEN] = Held(FROZEN_S, 1.0)
        self._on: frozenset[CameraState] = frozenset()
        self._before: tuple[NDArray[np.uint8], Cells] | None = None
        self._view = View()
        self._last: Sight | None = None
        self._sum: Cells | None = None
        self._count = 0
        self._next_s = 0.0
        self._lost_s: float | None = None

    def pause(self) -> None:
        """Go on after a time in which no frames came, with what is known of the view."""
        self._before = self._sum = self._last = self._lost_s = None
        for state in self._states.values():
            state.pause()

    def states(
        self, image: NDArray[np.uint8], picture: Cells, time_s: float
    ) -> frozenset[CameraState]:
        """Return the states after a frame, (size, size, 3), and its small picture."""
        changed = self._tell_frozen(image, picture, time_s)
        if self._sum is None:
            self._sum, self._count = picture.copy(), 1
        else:
            self._sum += picture
            self._count += 1
        if time_s >= self._next_s:
            sight = Sight.of(self._sum / np.float32(self._count), image)
            self._sum, self._next_s = None, time_s + LOOK_S
            self._look(sight, time_s)
            changed = True
        if changed:
            self._on = frozenset(state for state, held in self._states.items() if held.on)
        return self._on

    def _tell_frozen(self, image: NDArray[np.uint8], picture: Cells, time_s: float) -> bool:
        before, self._before = self._before, (image, picture)
        same = (
            before is not None
            and np.array_equal(before[1], picture)
            and np.array_equal(before[0], image)
        )
        held = self._states[CameraState.FROZEN]
        was = held.on
        return held.tell(time_s, sign=same) != was

    def _look(self, sight: Sight, time_s: float) -> None:
        dark = self._dark(sight.picture)
        signs = dict.fromkeys(
            (CameraState.COVERED, CameraState.MOVED, CameraState.DEFOCUSED), False
        ) | {CameraState.DARK: dark}
        known = self._view.sight
        lost: bool | None = False
        if known is not None and dark is False:
            lost = self._compare(sight, known, signs)
        if lost is False and not any(signs.values()) and dark is False:
            self._view.learn(sight)
        self._follow(lost=lost is True, time_s=time_s)
        for state, sign in signs.items():
            self._states[state].tell(time_s, sign=sign)
        self._last = sight

    def _dark(self, picture: Cells) -> bool | None:
        if int(np.count_nonzero(picture > DIM)) < FEW * picture.size:
            return True
        return False if int(np.count_nonzero(picture > LIT)) > SOME * picture.size else None

    def _compare(
        self, sight: Sight, known: Sight, signs: dict[CameraState, bool | None]
    ) -> bool | None:
        """Fill in the signs; return whether the known view is lost, None where it is on the brink."""
        kept = self._view.kept(sight)
        if kept is None:
            return False
        detail = sight.detail(known)
        if sight.alike(known) > ALIKE:
            if detail is None or detail < BLURRED:
                signs[CameraState.DEFOCUSED] = True
                return None
            if detail < SHARP:
                signs[CameraState.DEFOCUSED] = None
        if kept > FOUND:
            return False
        if kept > LOST:
            signs[CameraState.COVERED] = signs[CameraState.MOVED] = None
            return None
        if sight.share(known) < PLAIN:
            signs[CameraState.COVERED] = True
        elif self._last is not None and (sight.kept(self._last) or 0.0) > STEADY:
            signs[CameraState.MOVED] = True
        else:
            signs[CameraState.MOVED] = None
        return True

    def _follow(self, *, lost: bool, time_s: float) -> None:
        """Take another place for the known one once it has been shown for long."""
        covered = self._states[CameraState.COVERED].on
        if not lost or covered:
            self._lost_s = None
        elif self._lost_s is None:
            self._lost_s = time_s
        elif time_s - self._lost_s >= NEW_PLACE_S:
            self._view, self._lost_s = View(), None
