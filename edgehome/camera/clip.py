"""A video file on its own clock, for replay."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from edgehome.camera.aim import Aim
from edgehome.camera.pace import Pace, Timeline
from edgehome.camera.video import VideoFile
from edgehome.types import Frame

log = logging.getLogger(__name__)


class VideoClip:
    """A file on its own clock, for replay: the same frames every time, as fast as it can."""

    def __init__(
        self, path: Path, *, size: int, rate: float, start: datetime, aim: Aim | None = None
    ) -> None:
        self._start = start
        self._pace = Pace(rate)
        self._file = VideoFile(path, size=size, aim=aim)

    def __enter__(self) -> Self:
        self._file.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.__exit__()

    @property
    def skipped(self) -> int:
        """Frames that were not due, or broken."""
        return self._pace.skipped + self._file.broken

    def frames(self) -> Iterator[Frame]:
        """Yield the frames that are due. What is wrong with the file is logged as a warning.

        Raises CameraError (clip_unreadable) when not one frame could be decoded.
        """
        timeline = Timeline(self._file.period_s)
        for picture in self._file.pictures():
            time_s = timeline.at(picture.time)
            if self._pace.due(time_s):
                at = self._start + timedelta(seconds=time_s)
                image = self._file.image(picture)
                yield Frame(time_s, at, image, self._file.view)
        if self._file.fault:
            log.warning("%s", self._file.fault)
