"""Delivery through a real mosquitto: what arrives, in which order, and what it says in trouble."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from broker import PASSWORD, USER, Broker, Listener, wait_for

from edgehome.config.types import MqttConfig
from edgehome.delivery import Delivery
from edgehome.delivery.birth import Birth
from edgehome.types import Message

ROOT = Path(__file__).resolve().parents[1]
BASE = "edgehome/t1"
ALERT = f"{BASE}/alert"
BIRTH = "homeassistant/status"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    password = tmp_path / "password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    return tmp_path


@pytest.fixture
def broker(place: Path) -> Iterator[Broker]:
    with Broker(place / "broker") as broker:
        yield broker


def soon(low: float, high: float) -> float:
    """Chance that is always the shortest."""
    return low if low < 2 else 0.3


def delivery(broker: Broker | int, place: Path, **changes: Any) -> Delivery:
    port = broker if isinstance(broker, int) else broker.port
    config = MqttConfig(
        host="127.0.0.1", port=port, username=USER, password_file=place / "password"
    )
    options: dict[str, Any] = {"mqtt": config, "base": BASE, "outbox": place / "outbox.db"}
    return Delivery(**{**options, "jitter": soon, **changes})


def raise_some(delivery: Delivery, first: int, last: int) -> list[str]:
    ids = [f"a{n}" for n in range(first, last + 1)]
    for alert_id in ids:
        delivery.raise_alert(alert_id, {"message": f"alert {alert_id}"})
    return ids


def committed(delivery: Delivery, count: int) -> None:
    wait_for(lambda: delivery.status().raised >= count)


def all_sent(delivery: Delivery, count: int) -> None:
    committed(delivery, count)
    wait_for(lambda: delivery.status().connected and not delivery.status().pending)


def codes(delivery: Delivery) -> set[str]:
    return {problem.code for problem in delivery.status().problems}


def once(ids: list[str]) -> list[str]:
    """Return the ids in the order of their first copy."""
    return list(dict.fromkeys(ids))


def test_an_alert_arrives_with_seq_replay_and_age_and_its_mirror_before_it(
    broker: Broker, place: Path
) -> None:
    with Listener(broker, f"{BASE}/#") as home, delivery(broker, place) as node:
        node.raise_alert("a1", {"message": "falling", "score": 0.83})
        alert = wait_for(lambda: home.heard(ALERT))[0]
        assert alert.json == {
            "id": "a1", "seq": 1, "message": "falling", "score": 0.83,
            "replay": False, "age_s": alert.json["age_s"],
        }  # fmt: skip
        assert 0 <= alert.json["age_s"] < 10
        assert not alert.retained
        topics = [m.topic for m in home.heard()]
        assert topics.index(f"{ALERT}/last") < topics.index(ALERT)
        wait_for(lambda: home.heard(f"{BASE}/outbox/cursor"))
        assert node.status().problems == ()


def test_alerts_raised_while_the_broker_is_away_arrive_in_order(place: Path) -> None:
    with (
        Broker(place / "broker") as broker,
        Listener(broker, ALERT) as home,
        delivery(broker, place) as node,
    ):
        wait_for(lambda: node.status().connected)
        broker.kill()
        ids = raise_some(node, 1, 40)
        committed(node, 40)
        wait_for(lambda: "broker_unreachable" in codes(node))
        broker.start()
        wait_for(lambda: len(home.ids(ALERT)) >= 40, 30)
        assert once(home.ids(ALERT)) == ids
        seqs = [m.json["seq"] for m in home.heard(ALERT)]
        assert seqs == sorted(seqs)
        all_sent(node, 40)
        assert node.status().problems == ()


@pytest.mark.parametrize("autosave_s", [3, 1800])
def test_a_broker_that_is_killed_and_forgets_gets_its_alerts_again(
    place: Path, autosave_s: int
) -> None:
    """The listener is away while alerts are acknowledged, so only the broker's memory has them."""
    with Broker(place / "broker", autosave_s=autosave_s) as broker:
        with Listener(broker, ALERT) as home:
            assert home
        with delivery(broker, place) as node:
            ids = raise_some(node, 1, 100)
            all_sent(node, 100)
            broker.kill()
            broker.start()
            with Listener(broker, ALERT) as home:
                wait_for(lambda: set(home.ids(ALERT)) >= set(ids), 30)
                assert once(home.ids(ALERT)) == ids
                assert any(m.json["replay"] for m in home.heard(ALERT))


def test_a_broker_that_forgets_nothing_gets_nothing_twice(place: Path) -> None:
    with Broker(place / "broker") as broker, Listener(broker, ALERT) as home:
        with delivery(broker, place) as node:
            raise_some(node, 1, 20)
            all_sent(node, 20)
        broker.stop()
        broker.start()
        with delivery(broker, place) as node:
            wait_for(lambda: node.status().connected)
            node.raise_alert("last", {})
            wait_for(lambda: "last" in home.ids(ALERT))
        # A broker that stops sends its listener again what that had no time to answer.
        assert len([alert for alert in home.heard(ALERT) if not alert.again]) == 21


def test_alerts_that_nobody_listens_to_are_kept_and_sent_when_somebody_does(
    broker: Broker, place: Path
) -> None:
    with delivery(broker, place) as node:
        ids = raise_some(node, 1, 20)
        committed(node, 20)
        wait_for(lambda: node.status().connected)
        with Listener(broker, f"{BASE}/availability", name="other") as other:
            wait_for(other.heard)
        assert node.status().pending == 20
        with Listener(broker, ALERT) as home:
            wait_for(lambda: len(home.ids(ALERT)) >= 20, 40)
            assert home.ids(ALERT) == ids
            assert not any(m.json["replay"] for m in home.heard(ALERT))


def test_an_access_list_that_forbids_alerts_is_a_problem_and_they_are_kept(place: Path) -> None:
    denied = f"user {USER}\ntopic readwrite #\ntopic deny {ALERT}\n"
    with (
        Broker(place / "broker", acl=denied) as broker,
        Listener(broker, "#") as home,
        delivery(broker, place) as node,
    ):
        ids = raise_some(node, 1, 3)
        wait_for(lambda: "broker_acl" in codes(node))
        assert node.status().pending == 3
        assert any(ALERT in problem.message for problem in node.status().problems)
        broker.set_acl(f"user {USER}\ntopic readwrite #\n")
        broker.reload()
        wait_for(lambda: home.ids(ALERT) == ids, 40)
        wait_for(lambda: not node.status().problems)


def test_a_state_that_the_access_list_forbids_does_not_keep_alerts_away(place: Path) -> None:
    """Mosquitto 2.0.11 ends the connection with every refusal."""
    denied = f"user {USER}\ntopic readwrite #\ntopic deny {BASE}/state\n"
    with (
        Broker(place / "broker", acl=denied) as broker,
        Listener(broker, ALERT) as home,
        delivery(broker, place) as node,
    ):
        node.publish([Message(f"{BASE}/state", b"1", retain=True)])
        ids = raise_some(node, 1, 20)
        wait_for(lambda: home.ids(ALERT) == ids)
        assert "broker_acl" in codes(node)


def test_a_cursor_that_may_not_be_read_is_a_problem(place: Path) -> None:
    acl = f"user {USER}\ntopic readwrite {ALERT}\ntopic write {BASE}/#\n"
    with (
        Broker(place / "broker", acl=acl) as broker,
        Listener(broker, ALERT) as home,
        delivery(broker, place) as node,
    ):
        raise_some(node, 1, 1)
        wait_for(lambda: home.ids(ALERT))
        wait_for(lambda: any("read" in p.message for p in node.status().problems), 20)


def test_a_wrong_password_is_told_once_and_a_corrected_one_is_taken(
    broker: Broker, place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (place / "password").write_text("wrong")
    with caplog.at_level(logging.DEBUG), delivery(broker, place) as node:
        wait_for(lambda: "broker_refused" in codes(node))
        assert "mqtt.password_file" in node.status().problems[0].remedy
        (place / "password").write_text(PASSWORD)
        wait_for(lambda: node.status().connected, 20)
        assert not node.status().problems
    warnings = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("key", ["mode", "rule/fight/mute"])
def test_commands_reach_the_handler_and_retained_or_huge_ones_do_not(
    broker: Broker, place: Path, key: str
) -> None:
    got: list[tuple[str, bytes]] = []

    def command(told: str, payload: bytes) -> None:
        got.append((told, payload))
        if payload == b"bad":
            raise ValueError(payload)

    with Listener(broker, "none") as home:
        home.say(f"{BASE}/{key}/set", b"OFF", retain=True)
        with delivery(broker, place, on_command=command) as node:
            wait_for(lambda: node.status().connected)
            with Listener(broker, f"{BASE}/availability", name="other") as other:
                wait_for(other.heard)
            home.say(f"{BASE}/{key}/set", b"x" * 5000)
            home.say(f"{BASE}/{key}/set", b"bad")
            home.say(f"{BASE}/{key}/set", b"ON")
            wait_for(lambda: (key, b"ON") in got)
            assert got == [(key, b"bad"), (key, b"ON")]
            assert node.status().ignored == 2, "what failed was not obeyed either"


def test_states_are_told_in_order_after_availability_and_again_after_a_restart(
    broker: Broker, place: Path
) -> None:
    topics = ["homeassistant/device/t1/config", f"{BASE}/state", f"{BASE}/armed"]
    with Listener(broker, "#") as home, delivery(broker, place) as node:
        node.publish([Message(topic, b"1", retain=True) for topic in topics])
        node.publish([Message(f"{BASE}/heartbeat", b"lost while offline", qos=0)])
        wait_for(lambda: node.status().connected)
        node.publish([Message(f"{BASE}/state", b"2", retain=True)])
        node.publish([Message(f"{BASE}/heartbeat", b"7", qos=0)])
        wait_for(lambda: home.heard(f"{BASE}/heartbeat"))
        broker.stop()
        broker.start()

        def told() -> list[str]:
            return [m.topic for m in home.heard() if not m.retained]

        wait_for(lambda: told().count(topics[2]) >= 2)
        # The broker first sends again what the listener had not acknowledged: that was `armed` too.
        wait_for(lambda: told()[-4:] == [f"{BASE}/availability", *topics])
        assert [m.payload for m in home.heard(f"{BASE}/state")][-1] == b"2"


def test_the_home_sees_offline_after_a_clean_stop_and_after_sigkill(
    broker: Broker, place: Path
) -> None:
    with Listener(broker, f"{BASE}/availability") as home:
        with delivery(broker, place) as node:
            wait_for(lambda: node.status().connected)
            wait_for(home.heard)
        wait_for(lambda: [m.payload for m in home.heard()] == [b"online", b"offline"])
        script = (
            "import sys, time; sys.path.insert(0, 'tests')\n"
            "import pathlib, test_delivery as t\n"
            f"t.delivery({broker.port}, pathlib.Path({str(place)!r})).__enter__()\n"
            "time.sleep(60)\n"
        )
        with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) as process:
            wait_for(lambda: [m.payload for m in home.heard()][-1] == b"online")
            process.kill()
            killed_s = time.monotonic()
            wait_for(lambda: [m.payload for m in home.heard()][-1] == b"offline")
            assert time.monotonic() - killed_s < 1.0


def test_a_stop_while_the_broker_hangs_is_bounded(broker: Broker, place: Path) -> None:
    with delivery(broker, place) as node:
        wait_for(lambda: node.status().connected)
        broker.freeze()
        stop_s = time.monotonic()
    assert time.monotonic() - stop_s < 10
    broker.thaw()


def test_a_hanging_broker_does_not_hold_up_who_raises_alerts(broker: Broker, place: Path) -> None:
    with Listener(broker, ALERT) as home, delivery(broker, place) as node:
        wait_for(lambda: node.status().connected)
        broker.freeze()
        slowest_s = 0.0
        for number in range(200):
            before_s = time.perf_counter()
            node.raise_alert(f"a{number}", {"message": "x" * 500})
            node.publish([Message(f"{BASE}/state", b"%d" % number, retain=True)])
            slowest_s = max(slowest_s, time.perf_counter() - before_s)
        committed(node, 200)
        assert slowest_s < 0.02
        broker.thaw()
        wait_for(lambda: len(home.ids(ALERT)) >= 200, 40)
        assert once(home.ids(ALERT)) == [f"a{n}" for n in range(200)]


def test_alerts_wait_for_home_assistant_and_it_gets_those_it_missed(
    broker: Broker, place: Path
) -> None:
    birth = Birth(soon, look_back_s=1.0)
    states = [Message(f"{BASE}/state", b"1", retain=True)]
    with ExitStack() as stack:
        stack.enter_context(Listener(broker, "#", name="masking"))
        taken: list[str] = []
        node = stack.enter_context(
            delivery(broker, place, birth=birth, on_command=lambda key, _: taken.append(key))
        )
        node.publish(states)
        with Listener(broker, "none", name="ha", keeps_session=False) as home:
            home.say(BIRTH, b"online")
            raise_some(node, 1, 2)
            all_sent(node, 2)
            sent_s = time.monotonic()
            wait_for(lambda: time.monotonic() - sent_s > 1.2)
            raise_some(node, 3, 3)
            all_sent(node, 3)  # goes to the other listener, and is too late for this home
            home.say(BIRTH, b"offline")
            home.say(f"{BASE}/mark/set", b"")
        wait_for(lambda: taken)  # so the node knows
        raise_some(node, 4, 5)
        committed(node, 5)
        assert node.status().pending == 2
        with Listener(broker, ALERT, f"{BASE}/state", name="ha", keeps_session=False) as home:
            home.say(BIRTH, b"online")
            wait_for(lambda: len(home.ids(ALERT)) >= 3)
            assert [(m.json["id"], m.json["replay"]) for m in home.heard(ALERT)] == [
                ("a3", True), ("a4", False), ("a5", False),
            ]  # fmt: skip
            wait_for(lambda: any(not m.retained for m in home.heard(f"{BASE}/state")))


def test_what_is_no_broker_does_not_end_the_thread(place: Path) -> None:
    """Answers that make paho's parser stumble, and a real broker on the port afterwards."""
    answers = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(40), b"\xff" * 40,
        b"\x20\x03\x00\x00\x00\xd0\x00",
        b"\x20\x03\x00\x00\x00\x90\x04\x00\x01\x00\x99\x40\x02\x00", b"\x20\x7f", b"",
        b"\x20\x03\x00\x00\x00\x30\x07\x00\x03\xff\xfe\xfd\x00x", b"\x20\x06\x00\x00\x03\x21\x00",
        b"\x20\x03\x00\x00\x00\x40\x04\x00\x01\x77\x00", b"\x20\x03\x00\x00\x00\xe0\x02\x8e\x00",
    ]  # fmt: skip
    served = 0

    def serve(listener: socket.socket) -> None:
        nonlocal served
        for answer in answers:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(5)
                connection.recv(500)
                with suppress(OSError):  # the client may have gone at any of these
                    connection.sendall(answer)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(4096):
                        pass
            served += 1

    broker = Broker(place / "broker")
    with socket.create_server(("127.0.0.1", broker.port)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        with delivery(broker, place, jitter=lambda _low, _high: 0.01) as node:
            raise_some(node, 1, 1)
            wait_for(lambda: served == len(answers), 60)
            assert "client_id_taken" in codes(node)  # the last answer
            thread.join()
            listener.close()
            with broker, Listener(broker, ALERT) as home:
                wait_for(lambda: home.ids(ALERT) == ["a1"], 60)


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[1]", b'{"seq": 1e999, "store": 1}', b"[" * 60000, b"\xff\xfe"]
)
def test_a_cursor_of_nonsense_does_no_harm(broker: Broker, place: Path, payload: bytes) -> None:
    with Listener(broker, ALERT) as home:
        home.say(f"{BASE}/outbox/cursor", payload, retain=True)
        with delivery(broker, place) as node:
            raise_some(node, 1, 2)
            wait_for(lambda: home.ids(ALERT) == ["a1", "a2"])


def test_alerts_pending_at_a_sigkill_are_sent_at_the_next_start_with_the_same_ids(
    broker: Broker, place: Path
) -> None:
    broker.stop()
    script = (
        "import sys, time; sys.path.insert(0, 'tests')\n"
        "import pathlib, test_delivery as t\n"
        f"with t.delivery({broker.port}, pathlib.Path({str(place)!r})) as node:\n"
        "    t.raise_some(node, 1, 5); t.committed(node, 5); print('committed', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"committed\n"
        process.kill()
    broker.start()
    with Listener(broker, ALERT) as home, delivery(broker, place) as node:
        wait_for(lambda: home.ids(ALERT) == ["a1", "a2", "a3", "a4", "a5"])
        wait_for(lambda: not node.status().pending)


def test_without_a_disk_alerts_are_sent_from_memory_and_it_says_so(
    broker: Broker, place: Path
) -> None:
    (place / "file").write_text("in the way")
    with (
        Listener(broker, ALERT) as home,
        delivery(broker, place, outbox=place / "file" / "outbox.db") as node,
    ):
        raise_some(node, 1, 3)
        wait_for(lambda: home.ids(ALERT) == ["a1", "a2", "a3"])
        assert "storage_failed" in codes(node)
        wait_for(lambda: not node.status().pending)
        (place / "file").unlink()
        wait_for(lambda: not node.status().problems, 20)
        raise_some(node, 4, 4)
        wait_for(lambda: node.status().raised == 1)


def test_without_a_disk_and_a_broker_the_newest_alerts_stay_and_losses_are_counted(
    place: Path,
) -> None:
    (place / "file").write_text("in the way")
    with delivery(9, place, outbox=place / "file" / "outbox.db") as node:
        wait_for(lambda: "storage_failed" in codes(node))
        raise_some(node, 1, 100)
        wait_for(lambda: node.status().dropped == 36)
        assert node.status().pending == 64


def test_the_thread_sleeps_when_there_is_nothing_to_do(broker: Broker, place: Path) -> None:
    with delivery(broker, place) as node:
        raise_some(node, 1, 3)  # nobody listens: it waits to try again
        committed(node, 3)
        wait_for(lambda: node.status().connected)
        before_s, since_s = time.process_time(), time.monotonic()
        wait_for(lambda: time.monotonic() - since_s > 2.0)
        assert time.process_time() - before_s < 0.5


def test_two_devices_with_one_id_are_told_of(broker: Broker, place: Path) -> None:
    """Mosquitto 2.0.11 ends the older connection without saying why, 2.0.21 says it."""
    reasons = {"connection_unstable", "client_id_taken"}
    (place / "other").mkdir()
    with delivery(broker, place) as node:
        wait_for(lambda: node.status().connected)
        with delivery(broker, place, outbox=place / "other" / "outbox.db"):
            wait_for(lambda: reasons & set(codes(node)) and node.status().connected, 40)
        wait_for(lambda: node.status().connected, 30)


def test_a_payload_that_is_no_json_is_refused_where_it_is_raised(place: Path) -> None:
    node = delivery(9, place)
    for payload in ({"score": float("nan")}, {"message": "x" * 20000}):
        with pytest.raises(ValueError, match=r"."):
            node.raise_alert("a", payload)


def test_memory_with_everything_imported_stays_small(broker: Broker, place: Path) -> None:
    script = f"""
import pathlib, time
from edgehome.config.types import MqttConfig
from edgehome.delivery import Delivery
place = pathlib.Path({str(place)!r})
config = MqttConfig("127.0.0.1", {broker.port}, {USER!r}, place / "password")
with Delivery(mqtt=config, base={BASE!r}, outbox=place / "outbox.db") as node:
    while not node.status().connected: time.sleep(0.01)
    for n in range(2000): node.raise_alert(f"a{{n}}", {{"message": "x" * 500}})
    while node.status().raised < 2000: time.sleep(0.01)
    print(open("/proc/self/status").read().split("VmRSS:")[1].split()[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    resident_mb = int(done.stdout) / 1024
    print(f"delivery side, 2000 alerts: {resident_mb:.1f} MB")
    assert resident_mb < 40
