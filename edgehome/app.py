"""The supervisor: puts the parts together, runs them, and reloads what a new config changes."""

from __future__ import annotations

import logging
import selectors
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from edgehome import __version__, homeassistant, systemd
from edgehome.config.types import Config
from edgehome.configfile import Loaded, load
from edgehome.confinement import guard_supervisor
from edgehome.delivery import Delivery
from edgehome.filewatch import FileWatch
from edgehome.history import History, read_history
from edgehome.homeassistant import Mute, SetMode
from edgehome.node import Node
from edgehome.quarantine import Quarantine
from edgehome.reboot import Reboot
from edgehome.reload import Reloader, only_rules_differ
from edgehome.rulememory import Clocks, RuleMemory, boot_id
from edgehome.statefile import FileWriter, StateFile, write_atomically
from edgehome.supervisor import Outcome, Supervisor
from edgehome.types import Mode, Problem
from edgehome.vision import Vision, watched
from edgehome.wakeup import Wakeup

MACHINE_ID = Path("/etc/machine-id")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lasting:
    """What goes on when a reload makes everything else anew."""

    state: Path
    """The state folder."""
    wakeup: Wakeup
    saves: FileWatch
    memory: StateFile
    rules: RuleMemory
    history: History


def run(config_file: Path, state: Path) -> int:
    """Run the node until a signal ends it; return the exit status.

    Raises ConfigInvalidError when there is no configuration to run, OSError when the state folder
    cannot be made.
    """
    guard_supervisor()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    # Watched before it is read: what is saved in between is not missed.
    with FileWatch(config_file, time.monotonic) as saves:
        loaded = load(config_file, state)
        reloader = Reloader(config_file, state, loaded)
        with _lasting(state, saves) as lasting:
            while True:
                app = App(loaded, lasting, reloader)
                if app.run() is Outcome.STOP:
                    systemd.notify("STOPPING=1")
                    return 0
                loaded = Loaded(app.config)


@contextmanager
def _lasting(state: Path, saves: FileWatch) -> Iterator[Lasting]:
    with FileWriter() as writer, History(state) as history, Wakeup() as wakeup:
        memory = StateFile(state / "state.json", writer)
        memory.load()
        clocks = Clocks(time.monotonic, time.time, boot_id())
        rules = RuleMemory(state / "rules.json", writer, clocks)
        yield Lasting(state, wakeup, saves, memory, rules, history)


class App:
    """One run of the parts, for one configuration of camera, model and broker."""

    def __init__(self, loaded: Loaded, lasting: Lasting, reloader: Reloader) -> None:
        self._lasting = lasting
        self._reloader = reloader
        self.config = loaded.config
        self.identity = homeassistant.device_identity(loaded.config.device, machine_id())
        self.node = Node(
            loaded.config,
            identity=self.identity,
            started_at=datetime.now().astimezone(),
            identify=lambda: uuid.uuid4().hex,
        )
        self.node.mode = remembered_mode(lasting.memory)
        if remembered := lasting.rules.load():
            self.node.restore(remembered.memory, gap_s=remembered.gap_s)
        self.node.recall(read_history(lasting.state))
        self.node.report("config", loaded.problem)

    def run(self) -> Outcome:
        """Run until a stop, or a reload that takes more than new rules."""
        with self._parts() as supervisor:
            return supervisor.run(
                lambda key, payload: self._obey(key, payload, supervisor),
                lambda: self._turn(supervisor),
                lambda: self._lasting.saves.deadline_s,
            )

    @contextmanager
    def _parts(self) -> Iterator[Supervisor]:
        lasting = self._lasting
        with ExitStack() as stack:
            self._delivery = stack.enter_context(
                Delivery(
                    mqtt=self.config.mqtt,
                    base=homeassistant.Topics(self.identity).base,
                    outbox=lasting.state / "outbox.db",
                    on_command=lasting.wakeup.put,
                )
            )
            self._announce()
            selector = stack.enter_context(selectors.DefaultSelector())
            selector.register(lasting.wakeup, selectors.EVENT_READ)
            if lasting.saves.fileno() >= 0:
                selector.register(lasting.saves, selectors.EVENT_READ)
            vision = Vision(
                self.config,
                selector=selector,
                quarantine=Quarantine(lasting.memory),
                reboot=Reboot(lasting.state / "reboot-requested", lasting.memory, time.time),
                report=self.node.report,
                clock=time.monotonic,
            )
            yield Supervisor(
                self.node,
                vision=vision,
                delivery=self._delivery,
                wakeup=lasting.wakeup,
                rules=lasting.rules,
                history=lasting.history,
                selector=selector,
                clock=time.monotonic,
            )

    def _announce(self) -> None:
        """Publish what Home Assistant is to make of us, and take back what we no longer are."""
        kept = self._lasting.state / "discovery.json"
        try:
            announced = homeassistant.announced_components(kept.read_bytes())
        except OSError:
            announced = {}
        parts = (self.config, self.identity, activities(self.config), __version__)
        gone = homeassistant.clear_gone(self.config, self.identity, announced)
        snapshots, memory = self.config.snapshots, self._lasting.memory
        gone += homeassistant.cleared_pictures(
            snapshots, self.identity, announced, retained=memory.get("pictures_retained", False)
        )
        memory.set("pictures_retained", snapshots.enabled and snapshots.retain)
        self._delivery.publish([homeassistant.discovery(*parts, announced), *gone])
        try:
            write_atomically(kept, homeassistant.discovery(*parts).payload)
        except OSError as error:
            logger.warning("%s cannot be written (%s)", kept, error)

    def _obey(self, key: str, payload: bytes, supervisor: Supervisor) -> None:
        """Act on a command from Home Assistant."""
        command = homeassistant.parse_command(key, payload)
        if not command:
            logger.warning("a command on %s is none of ours: ignored", key)
        elif isinstance(command, SetMode):
            logger.info("mode %s by Home Assistant", command.mode)
            self.node.mode = command.mode
            self._lasting.memory.set("mode", str(command.mode))
            supervisor.keep_rules()
        elif isinstance(command, Mute):
            self._mute(command)
            supervisor.keep_rules()
        else:
            logger.info("reload by Home Assistant")
            self._lasting.wakeup.reload_requested = True

    def _mute(self, command: Mute) -> None:
        slugs = homeassistant.rule_slugs(rule.name for rule in self.config.rules)
        for name in (name for name, slug in slugs.items() if slug == command.slug):
            logger.info("%s %s by Home Assistant", name, "muted" if command.muted else "unmuted")
            self.node.mute(name, muted=command.muted)

    def _turn(self, supervisor: Supervisor) -> Outcome | None:
        wakeup = self._lasting.wakeup
        if wakeup.stop_requested:
            return Outcome.STOP
        saved = self._lasting.saves.saved()
        if wakeup.reload_requested:
            wakeup.reload_requested = False
            return self._reload(self._reloader.by_request, supervisor)
        if saved:
            return self._reload(self._reloader.by_save, supervisor)
        return None

    def _reload(
        self, take: Callable[[], Config | Problem], supervisor: Supervisor
    ) -> Outcome | None:
        """Take over a new file if it is right; go on with the old rules if it is not."""
        systemd.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        outcome = None
        taken = take()
        if isinstance(taken, Problem):
            self.node.report("config", taken)
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


def activities(config: Config) -> list[str]:
    """Return the names of all activities that the rules watch, by name."""
    return sorted({condition.activity.name for condition in watched(config)})


def remembered_mode(memory: StateFile) -> Mode:
    """Return the mode that Home Assistant set last; before there were modes, it was a switch."""
    try:
        return Mode(memory.get("mode", ""))
    except ValueError:
        return Mode.AWAY if memory.get("armed", True) else Mode.DISARMED


def machine_id() -> str:
    """Return the machine's id, or an empty text where there is none."""
    try:
        return MACHINE_ID.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
