"""`edgehome purge` on a real broker: nothing of the node is left, and nothing else is touched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from broker import PASSWORD, USER, Broker, Listener, wait_for
from command_line import edgehome
from daemon import BASE, IDENTITY, Daemon, wait_for_alerts

from edgehome.config.types import MqttConfig
from edgehome.retained import sweep

DISCOVERY = f"homeassistant/device/{IDENTITY}/config"
OTHERS = ("edgehome/edgehome_test2/state", "homeassistant/device/other/config", "zigbee/door")


def retained(broker: Broker) -> set[str]:
    """Return the topics on which the broker retains something."""
    with Listener(broker, "#", name="late", keeps_session=False) as late:
        late.say("the/end", b"x")
        wait_for(lambda: late.heard("the/end"))
        return {message.topic for message in late.heard() if message.retained}


def purge(node: Daemon, *more: str) -> tuple[int, dict[str, Any]]:
    done = edgehome(
        "purge", "-c", str(node.file), "--state", str(node.state), "--json", "--yes", *more
    )
    return done.returncode, json.loads(done.stdout) if done.stdout else {"error": done.stderr}


def run_and_stop(node: Daemon, listener: Listener) -> None:
    node.start()
    wait_for_alerts(listener, 1)
    wait_for(lambda: listener.heard(f"{BASE}/outbox/cursor"), what="the cursor")
    assert node.end() == 0


def test_a_purge_leaves_nothing_at_the_broker_and_nothing_in_the_state_folder(
    broker: Broker, listener: Listener, daemon: Daemon
) -> None:
    for topic in OTHERS:
        listener.say(topic, b"theirs", retain=True)
    listener.say(f"{BASE}/rule/long_gone", b"OFF", retain=True)
    listener.say(f"{BASE}/snapshot", bytes(90_000), retain=True)  # larger than a node takes
    run_and_stop(daemon, listener)
    (daemon.state / "someone_elses").write_text("x")
    before = retained(broker)
    assert {DISCOVERY, f"{BASE}/availability", f"{BASE}/outbox/cursor"} <= before
    status, said = purge(daemon)
    assert status == 0
    assert said["broker"] == "clear"
    assert retained(broker) == set(OTHERS)
    assert {DISCOVERY, f"{BASE}/rule/long_gone"} <= set(said["cleared"])
    assert [path.name for path in daemon.state.iterdir()] == ["someone_elses"]
    assert not daemon.file.exists()
    assert not (daemon.folder / "password").exists()
    assert str(daemon.state / "outbox.db") in said["removed"]


def test_a_node_that_runs_is_not_purged(broker: Broker, listener: Listener, daemon: Daemon) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    status, said = purge(daemon)
    assert status == 69
    assert "node runs" in said["error"]
    assert "systemctl stop edgehome" in said["error"]
    # Somewhere else, from where its files are not seen: it is online at the broker.
    status, said = purge(daemon, "--state", str(daemon.folder / "elsewhere"))
    assert status == 69
    assert "online at the broker" in said["error"]
    assert daemon.alive()
    assert DISCOVERY in retained(broker)
    assert (daemon.state / "outbox.db").exists()


def test_without_the_broker_nothing_goes_unless_asked_and_what_is_left_there_is_named(
    broker: Broker, listener: Listener, daemon: Daemon
) -> None:
    run_and_stop(daemon, listener)
    broker.stop()
    status, said = purge(daemon)
    assert (status, said["broker"], said["removed"]) == (69, "left", [])
    assert said["problem"]["code"] == "broker_unreachable"
    assert (daemon.state / "outbox.db").exists()
    status, said = purge(daemon, "--local", "--keep-config")
    assert (status, said["broker"]) == (69, "left")
    assert said["left"] == [DISCOVERY, f"{BASE}/#"]
    assert daemon.file.exists()
    assert {path.name for path in daemon.state.iterdir()} == {"config.good.yaml"}
    broker.start()
    status, said = purge(daemon)  # later, with what was kept
    assert (status, said["broker"]) == (0, "clear")
    assert retained(broker) == set()


def test_without_yes_and_without_a_terminal_nothing_happens(daemon: Daemon) -> None:
    daemon.state.mkdir()
    (daemon.state / "state.json").write_text("{}")
    done = edgehome("purge", "-c", str(daemon.file), "--state", str(daemon.state))
    assert done.returncode == 64
    assert "--yes" in done.stderr
    assert (daemon.state / "state.json").exists()


def test_an_access_list_that_hides_the_nodes_own_topics_is_said(tmp_path: Path) -> None:
    base = "edgehome/edgehome_test"
    acl = f"user {USER}\ntopic write {base}/#\ntopic write homeassistant/#\n"
    with Broker(tmp_path / "broker", acl=acl) as broker:
        file = tmp_path / "password"
        file.touch(mode=0o600)
        file.write_text(PASSWORD)
        config = MqttConfig("127.0.0.1", broker.port, USER, file)
        swept = sweep(config, base=base, topics=[f"{base}/state"], environment={})
    assert not swept.verified


@pytest.mark.parametrize("missing", ["outbox", "config"])
def test_a_purge_of_what_was_never_there_says_so(
    broker: Broker, daemon: Daemon, missing: str
) -> None:
    if missing == "config":
        daemon.file.unlink()
    status, said = purge(daemon)
    if missing == "config":
        assert status == 78
    else:
        assert (status, said["broker"], said["cleared"]) == (0, "clear", [])
