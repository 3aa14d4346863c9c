"""`edgehome purge`: take back what the broker retains of the node, and remove what it keeps here.

The broker goes first: identity and password are in what is removed afterwards.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgehome.app import machine_id
from edgehome.config.types import Config
from edgehome.configfile import GOOD_COPY, required
from edgehome.homeassistant import Topics, device_identity
from edgehome.labels import TAUGHT
from edgehome.retained import failed, running, sweep
from edgehome.types import EdgehomeError, Problem

EX_USAGE, EX_UNAVAILABLE = 64, 69
KEPT_HERE = (
    "outbox.*", "state.json*", "rules.json*", "discovery.json*", "starts.json*", "history*.jsonl*",
    "budget.json*", "reboot-requested*", "rollback.json*", f"{GOOD_COPY}*",
    f"{TAUGHT}/*", "normal.bin*",
)  # fmt: skip
"""What a node writes into its state folder."""
CREDENTIAL = "mqtt-password"
"""The password beside config.yaml, which systemd hands over."""


@dataclass(slots=True)
class Purged:
    """What was done, in the words of the command's JSON."""

    broker: str = ""
    """`clear`: nothing of the node is retained; `unverified`: it may not be read; `left`."""
    cleared: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problem: dict[str, str] | None = None

    def fields(self) -> dict[str, Any]:
        """Return it as a JSON object."""
        return {name: getattr(self, name) for name in self.__slots__}


def purge(options: argparse.Namespace) -> int:
    """Do what the command line asks; return the exit status.

    Raises ConfigInvalidError, EdgehomeError (`node_running`), OSError.
    """
    config = required(options.config, state=options.state)
    identity = device_identity(config.device, machine_id())
    refuse_while_running(options.state)
    if not options.yes and not _agreed(identity, options.state):
        sys.stderr.write("edgehome: nothing was removed; --yes does it without asking\n")
        return EX_USAGE
    done = _clear_broker(config, identity, options.config.resolve().parent)
    if done.broker == "left" and not options.local:
        _tell(done, identity, as_json=options.json)
        return EX_UNAVAILABLE
    for path in _local(config, options):
        path.unlink()
        done.removed.append(str(path))
    with contextlib.suppress(OSError):  # there is none, or something of somebody else's in it
        (options.state / TAUGHT).rmdir()
    _tell(done, identity, as_json=options.json)
    return EX_UNAVAILABLE if done.broker == "left" else 0


def refuse_while_running(state: Path) -> None:
    """Raise EdgehomeError (`node_running`) while a node holds the outbox open.

    SQLite locks its file as long as it is open (locking_mode EXCLUSIVE), with POSIX locks.
    """
    try:
        with (state / "outbox.db").open("r+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise failed(running(f"it has {state / 'outbox.db'} open")) from None
    except FileNotFoundError:
        return


def _agreed(identity: str, state: Path) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stderr.write(f"Remove {identity} from the broker, and all in {state}? Type yes: ")
    return sys.stdin.readline().strip() == "yes"


def _clear_broker(config: Config, identity: str, folder: Path) -> Purged:
    base = Topics(identity).base
    topics = _known(Topics(identity), config.mqtt.discovery_prefix)
    try:
        swept = sweep(
            config.mqtt,
            base=base,
            topics=topics,
            # The file that the service gets as a credential lies beside the config.
            environment={"CREDENTIALS_DIRECTORY": str(folder), **os.environ},
        )
    except EdgehomeError as error:
        if error.problem.code == "node_running":
            raise
        return Purged("left", left=[topics[0], f"{base}/#"], problem=_fields(error.problem))
    if swept.left:
        refused = Problem(
            "purge_refused",
            "The broker still retains messages of the node.",
            "Its access list has to let the node write and read its own topics, "
            "docs/how-to/mosquitto.acl.",
        )
        return Purged("left", list(swept.cleared), list(swept.left), problem=_fields(refused))
    return Purged("clear" if swept.verified else "unverified", list(swept.cleared))


def _known(topics: Topics, prefix: str) -> tuple[str, ...]:
    """Return what is retained of any node; the entities go before their states do."""
    return (
        topics.discovery(prefix),
        topics.availability,
        topics.state,
        topics.last_alert,
        topics.mode,
        topics.motion,
        topics.snapshot,
        f"{topics.base}/outbox/cursor",
    )


def _fields(problem: Problem) -> dict[str, str]:
    return {"code": problem.code, "message": problem.message, "remedy": problem.remedy}


def _local(config: Config, options: argparse.Namespace) -> Iterator[Path]:
    """Yield the files to remove; what is in the folder and not ours stays."""
    for pattern in KEPT_HERE:
        for path in sorted(options.state.glob(pattern)):
            if path.is_file() and not (options.keep_config and path.name.startswith(GOOD_COPY)):
                yield path
    if options.keep_config:
        return
    credential = options.config.resolve().parent / CREDENTIAL
    for path in (options.config, credential, config.mqtt.password_file):
        if path and path.is_file():
            yield path


def _tell(done: Purged, identity: str, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(done.fields()) + "\n")
        return
    for name in done.removed:
        sys.stdout.write(f"removed  {name}\n")
    for topic in done.cleared:
        sys.stdout.write(f"cleared  {topic}\n")
    for topic in done.left:
        sys.stdout.write(f"left     {topic}\n")
    said = {
        "clear": f"The broker retains nothing of {identity}.",
        "unverified": f"What is known of {identity} was cleared; the broker does not let us see "
        "whether more is left.",
        "left": "The broker still has what is left above"
        + ("." if done.removed else ", and nothing was removed here. `--local` removes it."),
    }
    sys.stdout.write(f"{said[done.broker]}\n")
    if done.problem:
        sys.stdout.write(f"{done.problem['message']} {done.problem['remedy']}\n")
