"""Both systems, made once, each step run on both at the same time."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulation import System

COMMAND_S = 420.0
"""A step of the network takes a fifth of a second here, and a start of Python some seconds."""

Finished = tuple[int, str, str]
"""Exit status, standard output, standard error."""


class Pair:
    """Both systems. What is asked of one is begun on the other too, whose test comes next."""

    def __init__(self, *systems: System) -> None:
        self._pool = ThreadPoolExecutor(len(systems))
        making = [self._pool.submit(system.make) for system in systems]
        self.systems = {made.result().suite: made.result() for made in making}
        self._begun: dict[object, dict[str, Future[Finished]]] = {}

    def run(self, suite: str, *command: str, **how: Any) -> Finished:
        """Return what Python with these arguments ended with on one of the systems."""
        key = (command, repr(how))
        if key not in self._begun:
            self._begun[key] = {
                name: self._pool.submit(finish, system, *command, **how)
                for name, system in self.systems.items()
            }
        return self._begun[key][suite].result()

    def close(self) -> None:
        self._pool.shutdown()


def finish(system: System, *command: str, **how: Any) -> Finished:
    """Return what Python with these arguments ended with."""
    with system.start(*command, **how) as process:
        try:
            said, complained = process.communicate(timeout=COMMAND_S)
        finally:
            process.kill()
    return process.returncode, said, complained
