"""Alerts of one moment: stored together, and never left waiting for one that gave way."""

from __future__ import annotations

from pathlib import Path

from edgehome.delivery.storage import RING, Raised, Storage
from edgehome.types import OutboxError

REFUSED = OutboxError("storage_failed", "The disk refuses.", "Look at the disk.")


def storage(path: Path) -> Storage:
    return Storage(path / "outbox.db", jitter=lambda least, _most: least)


def alert(name: str, *, joined: bool = False, severity: str = "warning") -> Raised:
    return Raised(name, b"{}", 0.0, severity, "Rule", b"memory", joined)


def test_alerts_of_one_moment_wait_for_the_last_of_them(tmp_path: Path) -> None:
    kept = storage(tmp_path)
    kept.add(alert("a", joined=True))
    assert list(kept.keep(kept.open())) == []
    kept.add(alert("b"))
    assert [entry.id for entry in kept.keep(kept.open())] == ["a", "b"]
    assert kept.open().memory() == b"memory"
    kept.close()


def test_alerts_whose_last_gave_way_on_a_broken_disk_are_stored_without_it(tmp_path: Path) -> None:
    kept = storage(tmp_path)
    kept.failed(REFUSED, 0.0)
    for number in range(RING):
        kept.add(alert(f"joined {number}", joined=True))
    kept.add(alert("last", severity="info"))  # the least severe: there is no room for it
    assert kept.dropped == 1
    stored = [entry.id for entry in kept.keep(kept.open())]
    assert stored == [f"joined {number}" for number in range(RING)]
    assert kept.settled == RING + 1
    kept.close()
