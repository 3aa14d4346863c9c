"""Faults inside our processes, on demand by signal: Python imports this file at its start.

With this folder on PYTHONPATH a worker hangs as a camera or a model does, and a supervisor's loop
hangs or dies. A C function that never returns is a mutex that is locked twice.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

CAMERA, MODEL, LOCK = signal.SIGUSR1, signal.SIGUSR2, signal.SIGRTMIN
wanted: set[int] = set()


def hang_for_ever(library: ctypes.CDLL) -> None:
    mutex = ctypes.create_string_buffer(128)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)


def in_the_worker() -> None:
    import edgehome.camera
    from edgehome.recognizer.recognizer import Recognizer

    edgehome.camera.open_camera = faulty_camera(edgehome.camera.open_camera)
    Recognizer.step = faulty_step(Recognizer.step)
    Recognizer._load = faulty_load(Recognizer._load)
    for number in (CAMERA, MODEL, LOCK):
        signal.signal(number, lambda number, _frame: wanted.add(number))


def faulty_camera(open_camera: Any) -> Any:
    def opened(*arguments: Any, **more: Any) -> Any:
        camera = open_camera(*arguments, **more)
        frames: Callable[[], Iterator[Any]] = camera.frames

        def given() -> Iterator[Any]:
            for frame in frames():
                if CAMERA in wanted:
                    threading.Event().wait()
                yield frame

        camera.frames = given
        return camera

    return opened


def faulty_step(step: Any) -> Any:
    without_lock, with_lock = ctypes.CDLL(None), ctypes.PyDLL(None)

    def stepped(self: Any, *arguments: Any) -> Any:
        if MODEL in wanted:
            hang_for_ever(without_lock)
        if LOCK in wanted:  # no other thread of Python runs, and no signal handler
            hang_for_ever(with_lock)
        return step(self, *arguments)

    return stepped


def faulty_load(load: Any) -> Any:
    def loaded(self: Any) -> None:
        if self._path.read_bytes().endswith(b"KILLS"):
            ctypes.string_at(0)
        load(self)

    return loaded


def in_the_supervisor() -> None:
    import edgehome.app
    import edgehome.mqtt

    for module, name in (("app", "REST_S"), ("app", "VOUCH_S"), ("mqtt", "KEEPALIVE_S")):
        if shorter := os.environ.get(f"EDGEHOME_TEST_{name}"):
            setattr(getattr(edgehome, module), name, int(shorter))
    # From then on nobody sees to the worker, whatever it does.
    vision = edgehome.app.Vision
    signal.signal(signal.SIGUSR2, lambda *_: setattr(vision, "climb", lambda _self: None))
    signal.signal(signal.SIGUSR1, lambda *_: threading.Event().wait())  # on the loop's own thread


if "edgehome.worker" in sys.orig_argv:
    in_the_worker()
elif "edgehome" in sys.orig_argv:
    in_the_supervisor()
