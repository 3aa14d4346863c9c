"""The supervisor: puts the parts together, runs them, and reloads what a new config changes."""

from __future__ import annotations

import logging
import selectors
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from edgehome import __version__, homeassistant, systemd
from edgehome.config.types import Config
from edgehome.configfile import Loaded, load, take
from edgehome.delivery import Delivery
from edgehome.node import Node
from edgehome.quarantine import Quarantine
from edgehome.reboot import Reboot
from edgehome.statefile import StateFile, write_atomically
from edgehome.supervisor import Outcome, Supervisor
from edgehome.types import Problem
from edgehome.vision import Vision, shorter_windows
from edgehome.wakeup import Wakeup

MACHINE_ID = Path("/etc/machine-id")

logger = logging.getLogger(__name__)


def run(config_file: Path, state: Path) -> int:
    """Run the node until a signal ends it; return the exit status.

    Raises ConfigInvalidError when there is no configuration to run, OSError when the state folder
    cannot be made.
    """
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    loaded = load(config_file, state)
    memory = StateFile(state / "state.json")
    memory.load()
    with Wakeup() as wakeup:
        while True:
            app = App(config_file, state, loaded, memory)
            if app.run(wakeup) is Outcome.STOP:
                systemd.notify("STOPPING=1")
                return 0
            loaded = Loaded(app.config)


class App:
    """One run of the parts, for one configuration of camera, model and broker."""

    def __init__(self, config_file: Path, state: Path, loaded: Loaded, memory: StateFile) -> None:
        self._file = config_file
        self._state = state
        self._memory = memory
        self.config = loaded.config
        self.identity = homeassistant.device_identity(loaded.config.device, machine_id())
        self.node = Node(
            loaded.config,
            identity=self.identity,
            started_at=datetime.now().astimezone(),
            identify=lambda: uuid.uuid4().hex,
        )
        self.node.armed = memory.get("armed", True)
        self.node.report("config", loaded.problem)

    def run(self, wakeup: Wakeup) -> Outcome:
        """Run until a stop, or a reload that takes more than new rules."""
        with self._parts(wakeup) as supervisor:
            return supervisor.run(self._obey, lambda: self._turn(wakeup, supervisor))

    @contextmanager
    def _parts(self, wakeup: Wakeup) -> Iterator[Supervisor]:
        with ExitStack() as stack:
            self._delivery = stack.enter_context(
                Delivery(
                    mqtt=self.config.mqtt,
                    base=homeassistant.Topics(self.identity).base,
                    outbox=self._state / "outbox.db",
                    on_command=wakeup.put,
                )
            )
            self._announce()
            selector = stack.enter_context(selectors.DefaultSelector())
            selector.register(wakeup, selectors.EVENT_READ)
            vision = Vision(
                self.config,
                selector=selector,
                quarantine=Quarantine(self._memory),
                reboot=Reboot(self._state / "reboot-requested", self._memory, time.time),
                report=self.node.report,
                clock=time.monotonic,
            )
            yield Supervisor(
                self.node,
                vision=vision,
                delivery=self._delivery,
                wakeup=wakeup,
                selector=selector,
                clock=time.monotonic,
            )

    def _announce(self) -> None:
        """Publish what Home Assistant is to make of us, and take back what we no longer are."""
        kept = self._state / "discovery.json"
        try:
            announced = homeassistant.announced_components(kept.read_bytes())
        except OSError:
            announced = {}
        activities = sorted({rule.when.name for rule in self.config.rules})
        parts = (self.config, self.identity, activities, __version__)
        gone = homeassistant.clear_gone_rules(self.config, self.identity, announced)
        self._delivery.publish([homeassistant.discovery(*parts, announced), *gone])
        try:
            write_atomically(kept, homeassistant.discovery(*parts).payload)
        except OSError as error:
            logger.warning("%s cannot be written (%s)", kept, error)

    def _obey(self, key: str, payload: bytes) -> None:
        """Act on a command from Home Assistant."""
        command = homeassistant.parse_command(key, payload)
        if not command:
            logger.warning("a command on %s is none of ours: ignored", key)
            return
        logger.info("%s by Home Assistant", "armed" if command.armed else "disarmed")
        self.node.armed = command.armed
        self._memory.set("armed", command.armed)

    def _turn(self, wakeup: Wakeup, supervisor: Supervisor) -> Outcome | None:
        if wakeup.stop_requested:
            return Outcome.STOP
        if wakeup.reload_requested:
            wakeup.reload_requested = False
            return self._reload(supervisor)
        return None

    def _reload(self, supervisor: Supervisor) -> Outcome | None:
        """Take over a new file if it is right; go on with the old rules if it is not."""
        systemd.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        outcome = None
        taken = take(self._file, self._state)
        if isinstance(taken, Problem):
            self.node.report("config", replace(taken, remedy="The one before it goes on."))
        else:
            outcome = self._use(taken)
        supervisor.begin_anew()
        systemd.notify("READY=1")
        return outcome

    def _use(self, config: Config) -> Outcome | None:
        """Go on with new rules; ask for new parts where the file names other ones."""
        before, self.config = self.config, config
        if not only_rules_differ(before, config):
            return Outcome.RELOAD
        self.node.use(config)
        self.node.report("config", None)
        self._announce()
        logger.info("reloaded: %d rules", len(config.rules))
        return None


def only_rules_differ(old: Config, new: Config) -> bool:
    """Return whether camera, model and connection may go on as they are."""
    same = replace(old, rules=(), events=new.events) == replace(new, rules=())
    return same and shorter_windows(old) == shorter_windows(new)


def machine_id() -> str:
    """Return the machine's id, or an empty text where there is none."""
    try:
        return MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
