"""What `edgehome teach --yes` and `--no` name: clips, parts of clips, and times of the day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from datetime import time as clock
from pathlib import Path

from edgehome.types import EdgehomeError

LONGEST_S = 60.0
"""Of an example that is named by its time."""
_TIMES = re.compile(r"(\d\d:\d\d(?::\d\d)?)\.\.(\d\d:\d\d(?::\d\d)?)")
_PART = re.compile(r"(.+)@(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Part:
    """A clip, or some seconds of it."""

    clip: Path
    start_s: float
    end_s: float


def span_of(text: str) -> tuple[float, float] | None:
    """Return the times of today or, where they are still to come, of yesterday."""
    match = _TIMES.fullmatch(text)
    if not match:
        return None
    now = datetime.now().astimezone()
    try:
        begin, end = (
            clock.fromisoformat(one if one[2] == ":" else f"0{one}") for one in match.groups()
        )
    except ValueError:
        raise EdgehomeError("time_invalid", f"{text} is no time of a day.", "") from None
    since, until = (datetime.combine(now.date(), one).astimezone() for one in (begin, end))
    if until < since:
        since -= timedelta(days=1)
    if since > now:
        since, until = since - timedelta(days=1), until - timedelta(days=1)
    if until - since > timedelta(seconds=LONGEST_S):
        raise EdgehomeError(
            "time_invalid",
            f"{text} is longer than a minute.",
            "Name the seconds that show it, such as 22:14:03..22:14:09.",
        )
    return since.timestamp(), until.timestamp() + (1.0 if since == until else 0.0)


def part_of(text: str) -> Part:
    """Return a clip, or the part of it that is named. Raises EdgehomeError (`part_invalid`)."""
    match, path = _PART.fullmatch(text), Path(text)
    if match and not path.exists() and float(match[2]) < float(match[3]):
        return Part(Path(match[1]), float(match[2]), float(match[3]))
    clip, _, span = text.rpartition("@")
    if not text.strip() or (clip and not path.exists() and Path(clip).is_file()):
        raise EdgehomeError(
            "part_invalid",
            f"{span!r} is no part of {clip or 'a clip'}.",
            "Write CLIP@START-END in seconds, such as garden.mp4@3-8.5.",
        )
    return Part(path, 0.0, float("inf"))
