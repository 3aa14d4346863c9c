"""The supervisor: puts the parts together, runs them, and reloads what a new config changes."""

from __future__ import annotations

import logging
import math
import selectors
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from edgehome import broker, homeassistant, systemd
from edgehome.config.types import Config
from edgehome.configfile import Loaded, load
from edgehome.confinement import guard_supervisor
from edgehome.controls import Controls, accepted
from edgehome.delivery import Delivery
from edgehome.filewatch import FileWatch
from edgehome.governor import Governor
from edgehome.health import Checkup, examine
from edgehome.history import read_history
from edgehome.homeassistant import Command
from edgehome.labels import taught_in
from edgehome.lasting import Lasting, lasting_parts
from edgehome.lessoncontrols import LessonControls
from edgehome.node import Node, sun_over
from edgehome.quarantine import Quarantine
from edgehome.reboot import Reboot
from edgehome.reload import Reloader, only_rules_differ
from edgehome.rulememory import boot_id
from edgehome.safemode import HEALTHY_S, REST_S, SAFE_MODE, StartCount
from edgehome.settings import watched
from edgehome.statefile import StateFile
from edgehome.supervisor import Outcome, Supervisor
from edgehome.thresholds import Thresholds
from edgehome.types import Alert, Mode, Problem
from edgehome.vision import Vision

MACHINE_ID = Path("/etc/machine-id")
VOUCH_S = 60.0
"""Without a turn of the loop or of delivery for so long, the connection is dropped."""

logger = logging.getLogger(__name__)


def run(config_file: Path, state: Path) -> int:
    """Run the node until a signal ends it; return the exit status.

    Raises ConfigInvalidError when there is no configuration to run, OSError when the state folder
    cannot be made.
    """
    guard_supervisor()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (
        StartCount(state / "starts.json", boot=boot_id(), clock=time.monotonic) as starts,
        # Watched before it is read: what is saved in between is not missed.
        FileWatch(config_file, time.monotonic) as saves,
    ):
        loaded = load(config_file, state)
        reloader = Reloader(config_file, state, loaded)
        rest_s = REST_S if starts.too_many else 0.0
        with lasting_parts(state, starts, saves) as lasting:
            while True:
                app = App(loaded, lasting, reloader, rest_s=rest_s)
                if app.run() is Outcome.STOP:
                    systemd.notify("STOPPING=1")
                    return 0
                loaded, rest_s = Loaded(app.config), 0.0


class App:
    """One run of the parts, for one configuration of camera, model and broker."""

    def __init__(
        self, loaded: Loaded, lasting: Lasting, reloader: Reloader, *, rest_s: float = 0.0
    ) -> None:
        """Take the parts; `rest_s` is how long camera and model rest first: safe mode."""
        self._lasting = lasting
        self._reloader = reloader
        self._rest_s = rest_s
        self._healthy_s = time.monotonic() + rest_s + HEALTHY_S
        self._turned_s = time.monotonic()
        self._outcome: Outcome | None = None
        self._ended = False
        self.config = loaded.config
        self.identity = homeassistant.device_identity(loaded.config.device, machine_id())
        self.node = Node(
            Thresholds(lasting.memory).over(loaded.config),
            identity=self.identity,
            started_at=datetime.now().astimezone(),
            identify=lambda: uuid.uuid4().hex,
        )
        self.node.mode = remembered_mode(lasting.memory)
        self.node.recall(read_history(lasting.state))
        self._taught: Collection[str] = taught_in(lasting.state) or ()
        learning, memory = lasting.learning, lasting.memory
        lessons = LessonControls(self.node, learning, memory, self._taught, self._teach)
        self._controls = Controls(
            self.node,
            self.config,
            memory=lasting.memory,
            silence=lasting.silence,
            tell=self._tell,
            reload=self._request_reload,
            retry=lambda: self._vision.retry(),  # noqa: PLW0108  # it is made later
            lessons=lessons,
        )
        self._checkup = Checkup(lambda: examine(lasting.state), lasting.errands.put, time.monotonic)
        self.node.report("config", loaded.problem)
        self.node.report("anonymous", broker.anonymous(loaded.config.mqtt))
        self.node.report("safe_mode", SAFE_MODE if rest_s else None)

    def run(self) -> Outcome:
        """Run until a stop, or a reload that takes more than new rules."""
        with self._parts() as supervisor:
            self._supervisor = supervisor
            outcome = supervisor.run(
                lambda command: self._obey(command, supervisor),
                lambda: self._turn(supervisor),
                lambda: min(self._lasting.deadline_s, self._controls.deadline_s),
            )
            self._ended = True
            return outcome

    @contextmanager
    def _parts(self) -> Iterator[Supervisor]:
        lasting = self._lasting
        with ExitStack() as stack:
            self._delivery = Delivery(
                mqtt=self.config.mqtt,
                base=homeassistant.Topics(self.identity).base,
                outbox=lasting.state / "outbox.db",
                on_command=accepted(self._controls, lasting.wakeup.put),
                vouched=self._vouched,
            )
            stack.enter_context(self._delivery)
            self._restore()
            self._announce()
            selector = stack.enter_context(selectors.DefaultSelector())
            for descriptor in lasting.descriptors():
                selector.register(descriptor, selectors.EVENT_READ)
            self._vision = Vision(
                self.config,
                selector=selector,
                errands=lasting.errands,
                quarantine=Quarantine(lasting.memory),
                reboot=Reboot(lasting.state / "reboot-requested", lasting.memory, time.time),
                report=self.node.report,
                clock=time.monotonic,
                rest_s=self._rest_s,
                governor=Governor(self.config, self.node.report, lasting.measurements),
            )
            lasting.learning.attach(self._vision.tell, self.node.report)
            yield Supervisor(
                self.node,
                vision=self._vision,
                delivery=self._delivery,
                wakeup=lasting.wakeup,
                errands=lasting.errands,
                rules=lasting.rules,
                history=lasting.history,
                learning=lasting.learning,
                selector=selector,
                clock=time.monotonic,
            )

    def _restore(self) -> None:
        """Let the rules go on: from the newer of the outbox's memory and the file's."""
        rules = self._lasting.rules
        if remembered := rules.load(self._delivery.memory() if rules.is_new else None):
            self.node.restore(remembered.memory, gap_s=remembered.gap_s)

    def _vouched(self) -> bool:
        """Return whether the node works; asked on the network thread, which outlives a hang.

        It would keep the connection up, and the home be told `online`, while nobody watches.
        """
        turned_s = min(self._turned_s, self._delivery.status().progress_s)
        return time.monotonic() - turned_s < VOUCH_S

    def _announce(self) -> None:
        """Publish what Home Assistant is to make of us, and take back what we no longer are."""
        announcer = self._lasting.announcer
        named = activities(self.config)
        messages = announcer.messages(self.config, self.identity, named, self._taught)
        self._delivery.publish(messages)

    def _teach(self, names: Collection[str]) -> None:
        """Announce other taught activities; the rules go by what was taught, and how well."""
        if set(names) != set(self._taught):
            self._taught = names
            self._announce()
        self._request_reload()

    def _tell(self, event: Alert, event_type: str) -> None:
        """Tell the home of what was done to the node itself."""
        self._supervisor.raise_event(event, event_type)

    def _request_reload(self) -> None:
        self._lasting.wakeup.reload_requested = True

    def _obey(self, command: Command, supervisor: Supervisor) -> None:
        """Act on a command from Home Assistant."""
        self._controls.obey(command)
        supervisor.keep_rules()

    def _turn(self, supervisor: Supervisor) -> Outcome | None:
        self._turned_s = time.monotonic()
        wakeup = self._lasting.wakeup
        if wakeup.stop_requested:
            return Outcome.STOP
        self._watch_health()
        self._checkup.turn()
        self._lasting.learning.lessons.turn()
        self.node.look_at(self._checkup.machine)
        self._vision.heed(self._checkup.machine)
        if self._controls.turn():
            supervisor.keep_rules()
            supervisor.refresh()
        saved = self._lasting.saves.saved()
        if wakeup.reload_requested:
            wakeup.reload_requested = False
            self._read(self._reloader.by_request, supervisor)
        elif saved:
            self._read(self._reloader.by_save, supervisor)
        return self._outcome

    def _watch_health(self) -> None:
        """End safe mode when the first worker starts; strike bad starts off after a good one."""
        if self._rest_s and not self._vision.resting:
            logger.info("safe mode is over")
            self._rest_s = 0.0
            self.node.report("safe_mode", None)
            self._lasting.errands.put(self._lasting.starts.forgive, lambda _: None)
        if time.monotonic() >= self._healthy_s:
            self._healthy_s = math.inf
            self._lasting.errands.put(self._lasting.starts.forgive, lambda _: None)

    def _read(self, take: Callable[[], Config | Problem], supervisor: Supervisor) -> None:
        """Have the file read; the loop goes on meanwhile."""
        systemd.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

        def read() -> Config | Problem:
            taken = take()
            if isinstance(taken, Config):
                sun_over(taken.location)  # it is imported from the disk at its first use
            return taken

        self._lasting.errands.put(read, lambda taken: self._taken(taken, supervisor))

    def _taken(self, taken: Config | Problem, supervisor: Supervisor) -> None:
        """Take over a new file if it is right; go on with the old rules if it is not."""
        if self._ended:  # it was read while a reload made everything anew
            self._lasting.wakeup.reload_requested = True
            return
        if isinstance(taken, Problem):
            self.node.report("config", taken)
        else:
            self._outcome = self._use(taken) or self._outcome
            self._vision.retry()
        supervisor.begin_anew()
        systemd.notify("READY=1", "WATCHDOG=1")  # what is made anew may take half the time it has

    def _use(self, config: Config) -> Outcome | None:
        """Go on with new rules; ask for new parts where the file names other ones."""
        before, self.config = self.config, config
        if not only_rules_differ(before, config):
            return Outcome.RELOAD
        self._controls.use(config)
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
