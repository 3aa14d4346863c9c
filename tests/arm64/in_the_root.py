"""Runs on the emulated board: `in_the_root.py TASK`, and says what was found as one JSON object.

A start of Python takes seconds there, so one process does all that is to be done.
"""

from __future__ import annotations

import json
import platform
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import numpy as np

BOX = Path("/opt/edgehome/models/edgehome-a0.tflite")
SRV = Path("/srv")
DRIFT_FRAMES = 36
"""Instead of 600, which take a minute and a half here; the share allowed is the same."""


def imports() -> dict[str, Any]:
    """Import every module of the package."""
    import edgehome

    names = [module.name for module in walk_packages(edgehome.__path__, "edgehome.")]
    for name in names:
        if not name.endswith("__main__"):
            import_module(name)
    return {"modules": len(names), "numpy": np.__version__, "machine": platform.machine()}


def recognise(file: str) -> dict[str, Any]:
    """Run the model in the box over a scene; its embeddings go to /srv."""
    from edgehome.models.agreement import outputs
    from edgehome.models.frames import scenes
    from edgehome.recognizer.litert import runtime_version

    data = BOX.read_bytes()
    np.save(SRV / file, np.stack(outputs(data, scenes(172)[:1])))
    if not runtime_version().startswith("ai-edge-litert"):
        return {"runtime": runtime_version()}
    from movinet.driver import Driver  # it needs ai-edge-litert's schema

    return {"runtime": runtime_version(), "outside": Driver(data).left_outside_xnnpack()}


def selftest() -> dict[str, Any]:
    """Hold the model in the box against its float32."""
    from edgehome.models import selftest as test

    test.DRIFT_FRAMES = DRIFT_FRAMES
    found = test.self_test(BOX)
    return {"correlation": found.correlation, "drift": found.drift, "good": found.good}


def run(arguments: list[str]) -> int:
    """Import a model as the command does, without timing it: emulated times say nothing."""
    from edgehome.__main__ import main
    from edgehome.models import speed

    speed.ratio_to = lambda *_: 0.0
    return main(arguments)


def judge(model: str, *libraries: str) -> dict[str, Any]:
    """Return what is said of each Edge TPU's library."""
    from edgehome.recognizer.delegate import probe

    problems = {Path(name).stem: probe(Path(model), name, 120).problem for name in libraries}
    return {name: it and [it.code, it.message, it.remedy] for name, it in problems.items()}


TASKS = {"imports": imports, "recognise": recognise, "selftest": selftest, "probe": judge}

if __name__ == "__main__":
    task, *rest = sys.argv[1:]
    if task == "edgehome":
        sys.exit(run(rest))
    print(json.dumps(TASKS[task](*rest)))
