"""Clips through the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Self

from edgehome.budget import UNMEASURED_THREADS
from edgehome.camera import Camera, open_clip
from edgehome.config.types import Config
from edgehome.gate.gate import Gate
from edgehome.labels import thresholds_of
from edgehome.privacy import PrivateCamera
from edgehome.recognizer.recognizer import Recognizer
from edgehome.replay.play import Clip
from edgehome.settings import shorter_windows
from edgehome.types import Frame, Scores
from edgehome.worker import watch

Look = Callable[[Frame], None]
"""Is shown every frame before it is judged."""


class Films:
    """Films through the model. Use as a context manager, which raises ModelError."""

    def __init__(self, model: Path, config: Config, look: Look | None = None) -> None:
        settings = config.recognizer
        self._model = model
        self._config = config
        self._look = look
        self._recognizer = Recognizer(
            model,
            threads=config.runtime.threads
            or UNMEASURED_THREADS,  # and on the CPU, so that a replay repeats itself
            window_s=settings.window_s,
            shorter_s=shorter_windows(config),
            ensemble=settings.ensemble,
        )

    def __enter__(self) -> Self:
        """Load the model."""
        self._recognizer.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._recognizer.__exit__()

    def clips(self, paths: Iterable[Path], start: datetime) -> Iterator[Clip]:
        """Yield the films one by one, each as if the model had seen nothing before."""
        manifest = self._recognizer.manifest
        thresholds = thresholds_of(self._model)
        for path in paths:
            self._recognizer.reset()
            yield Clip(
                name=str(path),
                start=start,
                rate=manifest.rate,
                frames=self._scores(path, start),
                labels=tuple(self._recognizer.labels),
                model=manifest.sha256,
                thresholds=thresholds,
            )

    def _scores(self, path: Path, start: datetime) -> Iterator[Scores]:
        manifest = self._recognizer.manifest
        with open_clip(path, size=manifest.size, rate=manifest.rate, start=start) as opened:
            camera = PrivateCamera(opened, self._config.camera.privacy)
            shown = _Shown(camera, self._look) if self._look else camera
            motion = self._config.motion
            gate = Gate(
                hold=self._recognizer.look_back,
                enabled=motion.gate,
                threshold=motion.threshold,
                ignore=motion.ignore,
            )
            yield from watch(shown, self._recognizer, gate)


class _Shown:
    """A camera whose frames somebody else looks at too."""

    def __init__(self, camera: Camera, look: Look) -> None:
        self._camera = camera
        self._look = look

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the camera to its owner."""

    @property
    def skipped(self) -> int:
        """Return what the camera itself counts."""
        return self._camera.skipped

    def frames(self) -> Iterator[Frame]:
        """Yield the camera's frames."""
        for frame in self._camera.frames():
            self._look(frame)
            yield frame
