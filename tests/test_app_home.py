"""What the home asks of the whole node, and what the node still knows after a restart."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import pytest
from broker import Listener, wait_for
from daemon import ALERT, BASE, HEARTBEAT, STATE, Daemon, wait_for_alerts

MODE, VISITOR = f"{BASE}/mode", f"{BASE}/rule/visitor"


def attributes(listener: Listener) -> dict[str, Any]:
    """Return what is known of the rule beside whether it is on."""
    told = listener.heard(f"{VISITOR}/attributes")
    return told[-1].json if told else {}


def test_disarmed_from_home_assistant_it_stays_so_over_a_restart(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    assert listener.heard(MODE)[-1].payload == b"away"
    listener.say(f"{MODE}/set", b"disarmed")
    wait_for(lambda: listener.heard(MODE)[-1].payload == b"disarmed", 5)
    wait_for(lambda: listener.heard(VISITOR)[-1].payload == b"OFF", 5)
    daemon.end()
    count = len(listener.heard(ALERT))
    daemon.start()
    daemon.wait_ready()
    wait_for(lambda: listener.heard(STATE)[-1].json["activity"] == "person", 20)
    time.sleep(2)  # a rule that asks for one second would have fired
    assert len(listener.heard(ALERT)) == count
    assert listener.heard(MODE)[-1].payload == b"disarmed"
    listener.say(f"{MODE}/set", b"maybe")
    listener.say(f"{BASE}/armed/set", b"ON")
    listener.say(f"{MODE}/set", b"home")
    wait_for_alerts(listener, count + 1)
    assert listener.heard(MODE)[-1].payload == b"home"


@pytest.mark.parametrize(("armed", "mode"), [(True, b"away"), (False, b"disarmed")])
def test_the_switch_of_the_time_before_there_were_modes_is_understood_and_taken_away(
    daemon: Daemon, listener: Listener, armed: bool, mode: bytes
) -> None:
    listener.say(f"{BASE}/armed", b"ON", retain=True)
    daemon.state.mkdir()
    (daemon.state / "state.json").write_text(json.dumps({"armed": armed}))
    (daemon.state / "discovery.json").write_text('{"cmps": {"armed": {"p": "switch"}}}')
    daemon.start()
    wait_for(lambda: listener.heard(MODE) and listener.heard(MODE)[-1].payload == mode, 20)
    wait_for(lambda: listener.heard(f"{BASE}/armed")[-1].payload == b"", 5)
    announced = [m for m in listener.heard() if m.topic.startswith("homeassistant/device/")]
    assert announced[0].json["cmps"]["armed"] == {"p": "switch"}


def test_a_muted_rule_goes_on_without_alerts_over_a_restart_too(
    daemon: Daemon, listener: Listener
) -> None:
    listener.say(f"{VISITOR}/mute/set", b"ON", retain=True)
    daemon.start()
    wait_for_alerts(listener, 1)
    listener.say(f"{VISITOR}/mute/set", b"maybe")
    listener.say(f"{BASE}/rule/nobody/mute/set", b"ON")
    time.sleep(1)
    assert listener.heard(f"{VISITOR}/mute")[-1].payload == b"OFF", (
        "retained, no command, or no rule"
    )
    listener.say(f"{VISITOR}/mute/set", b"ON")
    wait_for(lambda: listener.heard(f"{VISITOR}/mute")[-1].payload == b"ON", 5)
    count = len(listener.heard(ALERT))
    wait_for(lambda: listener.heard(VISITOR)[-1].payload == b"ON", 5)
    for again in (False, True):
        if again:
            daemon.end()
            daemon.start()
            wait_for(lambda: listener.heard(VISITOR)[-1].payload == b"ON", 20, "it is judged")
        time.sleep(3)
        assert len(listener.heard(ALERT)) == count
        assert attributes(listener)["muted"] is True
    listener.say(f"{VISITOR}/mute/set", b"OFF")
    wait_for_alerts(listener, count + 1)
    wait_for(lambda: attributes(listener)["muted"] is False, 5)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_after_a_restart_a_rule_that_has_told_does_not_tell_again(
    daemon: Daemon, listener: Listener, how: signal.Signals
) -> None:
    daemon.config["rules"][0]["repeat_interval"] = "1h"
    daemon.write()
    daemon.start()
    wait_for_alerts(listener, 1)
    daemon.end(how)
    first = listener.heard(ALERT)[0].json
    if how is signal.SIGKILL:
        (daemon.state / "rules.json").unlink(missing_ok=True)  # the outbox alone tells
    told = len(listener.heard(f"{VISITOR}/attributes"))
    daemon.start()
    daemon.wait_ready()
    wait_for(lambda: len(listener.heard(f"{VISITOR}/attributes")) > told, 20)
    time.sleep(4)
    assert listener.heard(VISITOR)[-1].payload == b"ON"
    ids = {message.json["id"] for message in listener.heard(ALERT)}
    assert ids == {first["id"]}
    assert attributes(listener)["id"] == first["id"], "its last alert is still told of"
    assert attributes(listener)["rule_state"] == "firing"


def test_an_alert_says_what_it_was_raised_on_and_its_rule_shows_it(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    alert = listener.heard(ALERT)[0].json
    assert len(alert["model"]) == len(alert["config"]) == 12
    assert alert["folded"] == 0
    assert alert["since"] <= alert["at"]
    assert alert["evidence"][0]["condition"] == "person above"
    assert alert["evidence"][0]["since"]
    assert alert["explanation"].startswith("Visitor fired at ")
    wait_for(lambda: "id" in attributes(listener), 5)
    shown = attributes(listener)
    assert shown["rule_state"] in ("firing", "inactive", "pending")
    assert {"muted", "last_near_miss", "evidence"} <= shown.keys()
    assert listener.heard(f"{BASE}/motion")[-1].payload in (
        b"0", b"1", b"2", b"5", b"10", b"20", b"50", b"100",
    )  # fmt: skip


def test_without_a_camera_rules_stop_firing_after_half_a_minute_and_say_what_held_them_back(
    daemon: Daemon, listener: Listener
) -> None:
    guarded = {"name": "Guarded", "when": [{"activity": "person", "above": 0.3}, {"armed": "home"}]}
    daemon.config["rules"].append(guarded)
    daemon.config["rules"][0] |= {"below": 0.01, "resolve_after": "10m"}
    clip = daemon.folder / "clip.mp4"
    clip.symlink_to(daemon.config["camera"]["source"])
    daemon.config["camera"]["source"] = str(clip)
    daemon.write()
    daemon.start()
    wait_for(lambda: listener.heard(VISITOR) and listener.heard(VISITOR)[-1].payload == b"ON", 20)
    clip.unlink()
    worker = daemon.worker()
    assert worker
    gone_s = time.monotonic()
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: listener.heard(VISITOR)[-1].payload == b"OFF", 45)
    assert 29 < time.monotonic() - gone_s < 35
    told = f"{BASE}/rule/guarded/attributes"
    wait_for(lambda: listener.heard(told)[-1].json["last_near_miss"], 5)
    near_miss = listener.heard(told)[-1].json["last_near_miss"]
    assert near_miss["reason"] == "condition"
    assert "armed" in near_miss["message"]
    daemon.end()
    daemon.start()
    count = len(listener.heard(told))
    wait_for(lambda: len(listener.heard(told)) > count, 20)
    assert listener.heard(told)[-1].json["last_near_miss"] == near_miss, "it is remembered"


def test_a_rule_that_fired_before_a_restart_does_not_fire_for_ever_without_a_camera(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.config["rules"][0] |= {"below": 0.01, "resolve_after": "10m", "repeat_interval": "1h"}
    clip = daemon.folder / "clip.mp4"
    clip.symlink_to(daemon.config["camera"]["source"])
    daemon.config["camera"]["source"] = str(clip)
    daemon.write()
    daemon.start()
    wait_for(lambda: listener.heard(VISITOR) and listener.heard(VISITOR)[-1].payload == b"ON", 20)
    daemon.end()
    clip.unlink()
    count = len(listener.heard(VISITOR))
    daemon.start()
    wait_for(lambda: len(listener.heard(VISITOR)) > count, 20)
    assert listener.heard(VISITOR)[-1].payload == b"ON", "it may still be going on"
    wait_for(lambda: listener.heard(VISITOR)[-1].payload == b"OFF", 65)


def test_disarming_and_silencing_are_told_as_alerts_and_the_silence_outlives_a_restart(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    listener.say(f"{BASE}/silence/set", b"ON")
    wait_for(lambda: listener.heard(STATE)[-1].json["silenced"] == "ON", 5)
    wait_for(lambda: listener.heard(ALERT)[-1].json["event_type"] == "silenced", 5)
    time.sleep(0.5)
    count = len(listener.heard(ALERT))
    daemon.end()
    daemon.start()
    wait_for(lambda: listener.heard(STATE)[-1].json["activity"] == "person", 20)
    time.sleep(2)
    state = listener.heard(STATE)[-1].json
    assert state["silenced"] == "ON"
    assert state["silenced_until"] > state["started"]
    assert len(listener.heard(ALERT)) == count
    listener.say(f"{BASE}/silence/set", b"OFF")
    wait_for_alerts(listener, count + 1)
    listener.say(f"{MODE}/set", b"disarmed")
    wait_for(lambda: listener.heard(ALERT)[-1].json["event_type"] == "disarmed", 5)
    told = listener.heard(ALERT)[-1].json
    assert (told["rule"], told["severity"]) == ("Disarmed", "info")
    assert told["message"] == "Disarmed by a command; it was away."
    assert told["id"]
    assert told["seq"] > count


def test_a_threshold_that_the_home_sets_holds_at_once_and_over_a_restart(
    daemon: Daemon, listener: Listener
) -> None:
    threshold = f"{VISITOR}/threshold"
    daemon.config["rules"][0]["adjustable"] = True
    daemon.write()
    daemon.start()
    wait_for_alerts(listener, 1)
    assert listener.heard(threshold)[-1].payload == b"0.3"
    for refused in (b"NaN", b"5e-1", b"1.5", b"0.0"):
        listener.say(f"{threshold}/set", refused)
    listener.say(f"{threshold}/set", b"1.0")
    wait_for(lambda: listener.heard(threshold)[-1].payload == b"1", 5)
    wait_for(lambda: listener.heard(VISITOR)[-1].payload == b"OFF", 5)
    count = len(listener.heard(ALERT))
    daemon.end()
    heard = len(listener.heard(threshold))
    daemon.start()
    wait_for(lambda: listener.heard(STATE)[-1].json["activity"] == "none", 20)
    wait_for(lambda: len(listener.heard(threshold)) > heard, 5)
    assert listener.heard(threshold)[-1].payload == b"1"
    time.sleep(2)
    assert len(listener.heard(ALERT)) == count
    daemon.config["rules"][0]["above"] = 0.31
    daemon.write()
    wait_for(lambda: listener.heard(threshold)[-1].payload == b"0.31", 5, "the file wins")
    wait_for_alerts(listener, count + 1)
    announced = [m for m in listener.heard() if m.topic.startswith("homeassistant/device/")]
    assert announced[-1].json["cmps"]["threshold_visitor"]["p"] == "number"
    del daemon.config["rules"][0]["adjustable"]
    daemon.write()
    wait_for(lambda: listener.heard(threshold)[-1].payload == b"", 5, "the slider's end")


def test_a_flood_of_commands_is_cut_and_counted_in_the_heartbeat(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for(lambda: listener.heard(HEARTBEAT), 20)
    daemon.wait_ready()
    for _ in range(30):
        listener.say(f"{MODE}/set", b"maybe")
    listener.say("homeassistant/status", b"online")  # it is then told everything anew
    wait_for(lambda: listener.heard(HEARTBEAT)[-1].json["ignored"] == 30, 15)
    assert daemon.said().count("is ignored") == 1, "one line a minute"
