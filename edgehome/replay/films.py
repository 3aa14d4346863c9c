"""Clips through the model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Self

from edgehome.budget import UNMEASURED_THREADS
from edgehome.camera import Aim, open_clip
from edgehome.camera.through import Through
from edgehome.config.types import Config
from edgehome.gate.gate import Gate
from edgehome.labels import thresholds_of
from edgehome.privacy import PrivateCamera
from edgehome.recognizer.recognizer import Recognizer
from edgehome.replay.athome import AtHome
from edgehome.replay.play import Clip
from edgehome.settings import shorter_windows
from edgehome.types import Frame, Scores
from edgehome.worker import watch

Look = Callable[[Frame], None]
"""Is shown every frame before it is judged."""


class Films:
    """Films through the model. Use as a context manager, which raises ModelError."""

    def __init__(
        self, model: Path, config: Config, home: AtHome | None = None, look: Look | None = None
    ) -> None:
        """Take the rules' configuration, and the home whose node this stands for."""
        settings = config.recognizer
        self._model = model
        self._config = config
        self._home = home
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
        if self._home:
            self._home.teach(self._recognizer, self._model)
        return self

    def __exit__(self, *_: object) -> None:
        self._recognizer.__exit__()

    def clips(self, paths: Iterable[Path], start: datetime) -> Iterator[Clip]:
        """Yield the films one by one, each as if the model had seen nothing before."""
        manifest = self._recognizer.manifest
        thresholds = thresholds_of(self._model) | dict(self._home.thresholds if self._home else {})
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
        held = self._config.camera
        aim = Aim(held.rotation, held.region)
        clip = open_clip(path, size=manifest.size, rate=manifest.rate, start=start, aim=aim)
        with clip as opened:
            camera = Through(PrivateCamera(opened, held.privacy), self._shown)
            motion = self._config.motion
            gate = Gate(
                hold=self._recognizer.look_back,
                enabled=motion.gate,
                threshold=motion.threshold,
                ignore=motion.ignore,
            )
            frames = watch(camera, self._recognizer, gate)
            home = self._home
            yield from home.noticed(self._recognizer, frames) if home else frames

    def _shown(self, frame: Frame) -> Frame:
        if self._look:
            self._look(frame)
        return frame
