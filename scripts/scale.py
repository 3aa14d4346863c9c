"""Put a thousand simulated nodes on one real mosquitto, and say how long an alert takes.

    python scripts/scale.py [--nodes 1000] [--seconds 60] [--times 10] [--seed 1] [--json]

Every node has a connection of its own with will, subscriptions, discovery and states as a real one
has them; camera, model and outbox are left out. Heartbeats are `--times` as frequent as every
30 s, and each node raises one alert. Exits with 1 when an alert is missing or a node was dropped.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

import paho.mqtt.client as paho  # noqa: E402
from broker import PASSWORD, USER, Broker  # type: ignore[import-not-found] # noqa: E402
from figures import Progress, memory_mb, report  # noqa: E402
from paho.mqtt.enums import CallbackAPIVersion  # noqa: E402
from scale_fleet import Task, Told, run  # noqa: E402

HEARTBEAT_S = 30.0
FLEETS = 4
ARRIVE_S = 30.0
ALERT, HEARTBEAT = "edgehome/+/alert", "edgehome/+/heartbeat"
DISCOVERY = "homeassistant/device/+/config"


def parser() -> argparse.ArgumentParser:
    """Return what the command line may say."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=1000, help="so many (1000)")
    parser.add_argument("--seconds", type=float, default=60.0, help="of heartbeats (60)")
    parser.add_argument("--times", type=float, default=10.0, help="faster than life (10)")
    parser.add_argument("--seed", type=int, default=1, help="other moments (1)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    return parser


class Home:
    """Listens to everything, and notes when each alert came."""

    def __init__(self, port: int) -> None:
        self.alerts: dict[str, float] = {}
        self.copies = self.heartbeats = 0
        self.devices: set[str] = set()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        self._client.username_pw_set(USER, PASSWORD)
        self._client.on_connect = lambda client, *_: client.subscribe(
            [(ALERT, 1), (HEARTBEAT, 1), (DISCOVERY, 1)]
        )
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port, 60)
        self._client.loop_start()

    def close(self) -> None:
        """End it."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_message(self, _c: Any, _u: Any, message: paho.MQTTMessage) -> None:  # noqa: ANN401
        now_s = time.monotonic()
        if message.topic.endswith("/alert"):
            alert = json.loads(message.payload)["id"]
            self.copies += alert in self.alerts
            self.alerts.setdefault(alert, now_s)
        elif message.topic.endswith("/heartbeat"):
            self.heartbeats += 1
        else:
            self.devices.add(message.topic)


def scale(options: argparse.Namespace) -> tuple[dict[str, object], list[str]]:
    """Return the figures and what is wrong with them."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a socket each, at both ends
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    with tempfile.TemporaryDirectory() as folder, Broker(Path(folder) / "broker") as broker:
        home = Home(broker.port)
        began_s = time.monotonic()
        fleets = [
            context.Process(target=run, args=(task, results))
            for task in tasks(options, broker.port)
        ]
        for fleet in fleets:
            fleet.start()
        told, connected_s, announced_s = follow(results, len(fleets), home, options)
        broker_mb, broker_s = memory_mb(broker._process.pid), cpu_s(broker._process.pid)  # noqa: SLF001
        took_s = time.monotonic() - began_s
        for fleet in fleets:
            fleet.join(20)
        home.close()
    figures, faults = judge(options.nodes, told, home)
    figures |= {
        "connected_s": round(connected_s, 1),
        "announced_s": round(announced_s, 1),
        "broker_mb": round(broker_mb, 1),
        "broker_cpu_percent": round(broker_s / took_s * 100, 1),
    }
    return figures, faults


def follow(
    results: Any,  # noqa: ANN401  # a queue
    fleets: int,
    home: Home,
    options: argparse.Namespace,
) -> tuple[list[Told], float, float]:
    """Wait until all is told and heard, or long enough.

    Return what the fleets told, and after how many seconds all were connected and announced.
    """
    progress = Progress()
    began_s = time.monotonic()
    told: list[Told] = []
    connected_s = announced_s = 0.0
    waiting, until_s = 2 * fleets, began_s + options.seconds + 120
    while waiting or len(home.devices) < options.nodes or missing(told, home):
        while not results.empty():
            kind, what = results.get()
            waiting -= 1
            told += [what] if kind == "told" else []
            connected_s = time.monotonic() - began_s if kind == "connected" else connected_s
        if not announced_s and len(home.devices) >= options.nodes:
            announced_s = time.monotonic() - began_s
        progress(f"{len(home.devices)} devices, {len(home.alerts)} alerts")
        if time.monotonic() > until_s - (0 if waiting else 60):
            break
        time.sleep(0.02)
    return told, connected_s, announced_s


def tasks(options: argparse.Namespace, port: int) -> list[Task]:
    """Return the fleets' shares."""
    shares = [options.nodes // FLEETS + (n < options.nodes % FLEETS) for n in range(FLEETS)]
    beat_s = HEARTBEAT_S / options.times
    return [
        Task(port, USER, PASSWORD, sum(shares[:n]), count, beat_s, options.seconds,
             options.seed * FLEETS + n)
        for n, count in enumerate(shares) if count
    ]  # fmt: skip


def missing(told: list[Told], home: Home) -> int:
    """Return how many alerts were sent and have not come."""
    return sum(alert not in home.alerts for one in told for alert in one.alerts)


def cpu_s(pid: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def judge(nodes: int, told: list[Told], home: Home) -> tuple[dict[str, object], list[str]]:
    """Return the figures of the messages and what is wrong with them."""
    sent = {alert: at_s for one in told for alert, at_s in one.alerts.items()}
    late_ms = sorted((home.alerts[a] - at_s) * 1000 for a, at_s in sent.items() if a in home.alerts)
    cuts = quantiles(late_ms, n=100) if len(late_ms) > 1 else [0.0] * 99
    heartbeats = sum(one.heartbeats for one in told)
    lived_s = max((one.seconds for one in told), default=1.0)
    figures: dict[str, object] = {
        "nodes": sum(one.connected for one in told),
        "dropped": sum(one.disconnects for one in told),
        "discovery_bytes_each": round(sum(one.announced_bytes for one in told) / nodes),
        "heartbeats": [heartbeats, home.heartbeats],
        "heartbeats_a_second": round(heartbeats / lived_s),
        "alerts": [len(sent), len(late_ms)],
        "alerts_acknowledged": sum(one.acknowledged for one in told),
        "latency_ms": {
            "median": round(cuts[49], 1),
            "p99": round(cuts[98], 1),
            "most": round(late_ms[-1], 1) if late_ms else 0.0,
        },
    }
    faults = [f"{len(sent) - len(late_ms)} alerts are missing"] if len(sent) > len(late_ms) else []
    faults += [f"{len(sent)} alerts of {nodes} nodes"] if len(sent) != nodes else []
    faults += [f"{figures['dropped']} connections were lost"] if figures["dropped"] else []
    faults += [f"{len(home.devices)} devices known"] if len(home.devices) != nodes else []
    return figures, faults


def main() -> int:
    """Print the figures; return 1 when something was not as it must be."""
    options = parser().parse_args()
    figures, faults = scale(options)
    return report(figures, faults, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
