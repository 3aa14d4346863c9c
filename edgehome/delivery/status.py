"""What the rest of edgehome may know of delivery."""

from __future__ import annotations

from dataclasses import dataclass

from edgehome.types import Problem


@dataclass(frozen=True, slots=True)
class DeliveryStatus:
    """How delivery stood at its last turn."""

    connected: bool = False
    announcements: int = 0
    """How often everything was told: after a connection, and when Home Assistant came back."""
    pending: int = 0
    """Alerts that the broker has not taken yet."""
    mode: str = "broker"
    """Delivered is what the home answered for: `acknowledged`; what the broker took: `broker`."""
    unanswered: int = 0
    """Alerts that the broker took and the home has yet to answer for."""
    raised: int = 0
    """Alerts committed since the start."""
    settled: int = 0
    """Alerts handed in since the start that wait for the disk no more, whatever became of them."""
    dropped: int = 0
    """Alerts lost for want of room, over the life of the outbox."""
    ignored: int = 0
    """Commands and acknowledgements ignored since the start: retained, too large, or not ours."""
    problems: tuple[Problem, ...] = ()
    progress_s: float = 0.0
    """Monotonic seconds of the last turn."""
