"""Puts the virtual camera in place of a Pi's when picamera2 is imported, and not before.

A line of virtual_camera.pth imports this wherever Python starts: a supervisor that never imports
picamera2 is none the larger, and a worker imports it where it would anyway, behind its walls.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


class AfterPicamera2(MetaPathFinder):
    """Loads `virtual_camera` as soon as picamera2 has been loaded."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname != "picamera2":
            return None
        sys.meta_path.remove(self)
        spec = find_spec(fullname)
        if spec is None or spec.loader is None:
            return None
        load = spec.loader.exec_module

        def load_both(module: ModuleType) -> None:
            load(module)
            import virtual_camera  # noqa: F401

        spec.loader.exec_module = load_both  # type: ignore[method-assign]
        return spec


sys.meta_path.insert(0, AfterPicamera2())
