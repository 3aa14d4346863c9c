"""The parts of the self-test, one after the other; each may fail or be cut off by itself."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edgehome import __version__
from edgehome.bench import compare
from edgehome.config.types import Config
from edgehome.doctor.access import holders
from edgehome.doctor.ask import ask
from edgehome.doctor.service import running, shown
from edgehome.memory import supervisor_mb
from edgehome.recognizer.manifest import read_manifest
from edgehome.selftest import alarm, board, camera, disk, load
from edgehome.settings import worker_settings
from edgehome.types import EdgehomeError, Problem

VERSION = 1
"""Of the report's keys; docs/reference/boards.md describes them."""
ROOT = Path("/")
THREADS = (1, 2, 4)
STOP = "sudo systemctl stop edgehome; and afterwards: sudo systemctl start edgehome"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each part takes."""

    load_s: float
    camera_s: float = 20.0
    rounds: int = 4
    """Of 25 steps, for each number of threads."""
    quick: bool = False


QUICK = Plan(load_s=6.0, camera_s=4.0, rounds=1, quick=True)
"""Half a minute in all, on a board that is fast enough."""


class SelfTest:
    """Measures part after part; `report` may be asked at any time, and Ctrl-C loses nothing."""

    def __init__(
        self,
        config: Config,
        plan: Plan,
        *,
        state: Path,
        credentials: Path,
        tell: Callable[[str], None],
    ) -> None:
        """Take where alerts are kept, the folder with the password, and what hears of progress."""
        self._config = config
        self._plan = plan
        self._state = state if os.access(state, os.W_OK) else Path(tempfile.gettempdir())
        self._credentials = credentials
        self._tell = tell
        self._load: load.Load | None = None
        self._parts: dict[str, Any] = {}
        self._complete = False
        self.problems: dict[str, Problem] = {}
        """Why a part was not measured, for the screen: these sentences may name the home's own."""
        self.service = running(shown(ask))
        """Whether the service runs, which shares the processor and holds the camera."""

    def run(self) -> None:
        """Measure everything. Raises KeyboardInterrupt; what was measured until then stays."""
        self._part("model", self._model)
        self._part("disk", lambda: disk.flush_times(self._state))
        self._part("steps", self._steps)
        self._part("alarm", self._alarm)
        self._part("camera", self._camera)
        self._part("load", self._work)
        self._part("memory", self._memory)
        self._complete = True

    def report(self) -> dict[str, Any]:
        """Return the report, with null for what was not measured and the code of the reason."""
        parts = dict(self._parts)
        if self._load and self._load.steps_ms:
            parts["load"] = self._load.result()
        names = ("model", "disk", "steps", "alarm", "camera", "load", "memory")
        reasons = {name: problem.code for name, problem in self.problems.items()}
        missing = {name: "interrupted" for name in names if name not in parts}
        return {
            "edgehome_selftest": VERSION,
            "edgehome": __version__,
            "at": datetime.now(UTC).isoformat(timespec="minutes"),
            "quick": self._plan.quick,
            "complete": self._complete,
            "service_running": self.service,
            "board": board.facts(ROOT),
            **{name: parts.get(name) for name in names},
            "not_measured": missing | reasons,
        }

    def _part(self, name: str, measure: Callable[[], Any]) -> None:
        self._tell(name)
        try:
            self._parts[name] = measure()
        except EdgehomeError as error:
            self.problems[name] = error.problem
        except OSError as error:
            message = f"The disk or the system refuses: {error.strerror}."
            self.problems[name] = Problem("disk_refused", message, "Run `edgehome doctor`.")

    def _model(self) -> dict[str, Any]:
        """Return what the model is, without its file's name, which is its owner's."""
        manifest = read_manifest(self._config.recognizer.model)
        keys = ("architecture", "precision", "form")
        about = {key: manifest.compiled.get(key) for key in keys}
        return {
            **about,
            "sha256": manifest.sha256[:12],
            "size": manifest.size,
            "rate": manifest.rate,
            "delegate": str(self._config.runtime.delegate),
        }

    def _steps(self) -> list[dict[str, Any]]:
        """Return the times of a step on the CPU, by threads."""
        model, cores = self._config.recognizer.model, os.cpu_count() or 1
        found = []
        for threads in (count for count in THREADS if count <= max(cores, 1)):
            self._tell(f"steps, threads: {threads}")
            way = ("recognizer", model)
            (said,) = compare(way, threads=threads, rounds=self._plan.rounds)
            found.append(
                {"threads": threads, **{key: said[key] for key in ("median_ms", "p95_ms")}}
            )
        return found

    def _alarm(self) -> dict[str, Any]:
        return alarm.act_to_alert(self._config, self._state, self._credentials)

    def _camera(self) -> dict[str, Any]:
        source = self._config.camera.source
        if self.service and any(holder.ours for holder in holders(ROOT, source)):
            raise EdgehomeError("camera_busy", "The service holds the camera.", STOP)
        manifest = read_manifest(self._config.recognizer.model)
        return camera.measure(
            source, size=manifest.size, rate=manifest.rate, seconds=self._plan.camera_s
        )

    def _work(self) -> dict[str, Any]:
        source = "camera" if self._parts.get("camera") else "pictures"
        self._load = seen = load.Load(ROOT, ask, source)
        settings = worker_settings(self._config, self._config.recognizer.model)
        load.run(
            seen,
            settings,
            self._plan.load_s,
            lambda passed_s: self._tell(
                f"load, {passed_s:.0f} of {self._plan.load_s:.0f} s"
                + (f", {seen.degrees[-1]:.1f} °C" if seen.degrees else "")
            ),
        )
        return seen.result()

    def _memory(self) -> dict[str, Any]:
        worker = self._load.worker_mb if self._load else None
        runtime = self._load.runtime if self._load else ""
        return {
            "worker_mb": round(worker, 1) if worker else None,
            "supervisor_mb": supervisor_mb(),
            "runtime": runtime or None,
        }
