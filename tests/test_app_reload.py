"""The whole node, whose configuration is saved, spoilt and mended while it runs."""

from __future__ import annotations

import os
import signal
import time

from broker import Listener, wait_for
from daemon import ALERT, BASE, Daemon, problems, wait_for_alerts

SOON_S = 2.0
"""A save is taken over, or refused with a reason, within so long."""
VISITOR = f"{BASE}/rule/visitor"


def refused(listener: Listener, code: str) -> str:
    """Wait until a problem of this code is told, and return what it says."""
    wait_for(lambda: code in problems(listener), SOON_S, code)
    return str(problems(listener)[code]["message"])


def accepted(listener: Listener) -> None:
    wait_for(lambda: problems(listener) == {}, SOON_S, "no problem")


def test_a_save_is_taken_over_by_itself_and_the_worker_goes_on(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    worker = daemon.worker()
    daemon.config["rules"][0]["name"] = "Guest"
    daemon.write()
    saved_s = time.monotonic()
    wait_for(lambda: listener.heard(VISITOR)[-1].payload == b"", SOON_S, "the old rule's end")
    print(f"taken over {time.monotonic() - saved_s:.2f} s after the save")
    wait_for(lambda: listener.heard(ALERT)[-1].json["rule"] == "Guest", 20)
    assert daemon.worker() == worker, "new rules leave camera and model alone"
    assert daemon.notified().count("READY=1") == 2


def test_a_mistake_is_told_with_its_place_and_the_old_rules_go_on(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    worker = daemon.worker()
    good = daemon.file.read_text()
    bad = good.replace("above:", "abov:")
    line = bad[: bad.index("abov:")].count("\n") + 1
    daemon.file.write_text(bad)
    saved_s = time.monotonic()
    message = refused(listener, "config_invalid")
    print(f"told {time.monotonic() - saved_s:.2f} s after the save")
    assert f"{daemon.file}:{line}:3: rules.0.abov: " in message
    assert "did you mean 'above'?" in message
    wait_for_alerts(listener, len(listener.heard(ALERT)) + 1)
    assert daemon.worker() == worker
    daemon.file.write_text(good)
    accepted(listener)
    assert daemon.worker() == worker


def test_a_reload_by_signal_takes_a_good_file_and_no_bad_one(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    daemon.config["rules"][0]["name"] = "Guest"
    daemon.write()
    daemon.send(signal.SIGHUP)
    wait_for(lambda: listener.heard(ALERT)[-1].json["rule"] == "Guest", 20)
    daemon.file.write_text("rules: [{")
    daemon.send(signal.SIGHUP)
    refused(listener, "config_invalid")
    wait_for_alerts(listener, len(listener.heard(ALERT)) + 1)


def test_a_save_that_was_cut_short_is_never_taken_over(daemon: Daemon, listener: Listener) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    worker = daemon.worker()
    whole = daemon.file.read_bytes()
    sizes = range(0, len(whole), max(1, len(whole) // 36))
    for size in sizes:
        daemon.file.write_bytes(whole[:size])
        refusals = daemon.said().count("config.yaml:") + daemon.said().count("half-written")
        wait_for(
            lambda before=refusals: (
                daemon.said().count("config.yaml:") + daemon.said().count("half-written") > before
            ),
            SOON_S,
            f"{size} of {len(whole)} bytes are refused",
        )
        assert problems(listener).keys() <= {"config_invalid", "config_half_written"}
    assert len(sizes) >= 36
    assert "reloaded" not in daemon.said()
    assert not [m for m in listener.heard(VISITOR) if m.payload == b""], "the rule was never gone"
    assert daemon.worker() == worker
    wait_for_alerts(listener, len(listener.heard(ALERT)) + 1)
    daemon.file.write_bytes(whole)
    accepted(listener)


def test_a_slow_writer_is_waited_for(daemon: Daemon, listener: Listener) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    text = daemon.file.read_text().replace("Visitor", "Guest")
    third = len(text) // 3
    with daemon.file.open("w") as file:
        for begin in range(0, len(text), third):
            file.write(text[begin : begin + third])
            file.flush()
            os.fsync(file.fileno())
            time.sleep(0.7)
        assert problems(listener) == {}
        assert "reloaded" not in daemon.said()
    wait_for(lambda: listener.heard(VISITOR)[-1].payload == b"", SOON_S)
    accepted(listener)
    assert daemon.said().count("reloaded") == 1


def test_the_button_takes_even_a_file_that_looks_cut_short(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    text = daemon.file.read_text().replace("Visitor", "Guest").rstrip()
    daemon.file.write_text(text)
    assert "does not end with a line break" in refused(listener, "config_half_written")
    listener.say(f"{BASE}/reload/set", b"press")
    wait_for(lambda: "none of ours" in daemon.said(), SOON_S)
    assert "config_half_written" in problems(listener), "the payload is PRESS, to the letter"
    listener.say(f"{BASE}/reload/set", b"PRESS")
    accepted(listener)
    wait_for(lambda: listener.heard(ALERT)[-1].json["rule"] == "Guest", 20)


def test_a_rule_that_comes_back_is_told_of_again(daemon: Daemon, listener: Listener) -> None:
    calm = daemon.config["rules"][0] | {"above": 0.9999}
    daemon.config["rules"] = [calm]
    daemon.write()
    daemon.start()
    wait_for(lambda: listener.heard(VISITOR), 20)
    daemon.wait_ready()
    for rules, told in (([], b""), ([calm], b"OFF")):
        daemon.config["rules"] = rules
        daemon.write()
        wait_for(lambda told=told: listener.heard(VISITOR)[-1].payload == told, 10)


def test_what_the_worker_is_told_is_taken_over_by_a_new_worker(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 1)
    worker = daemon.worker()
    daemon.config["motion"] = {"threshold": 0.02}
    daemon.write()
    wait_for(lambda: daemon.worker() not in (worker, None), 15)
    wait_for_alerts(listener, len(listener.heard(ALERT)) + 1)


def test_a_save_over_a_rule_that_fires_does_not_make_it_fire_again(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.config["rules"][0] |= {"repeat_interval": "0s", "below": 0.01, "resolve_after": "1m"}
    daemon.write()
    daemon.start()
    wait_for_alerts(listener, 1)
    daemon.config["rules"].append({"name": "Second", "when": "fall", "above": 0.999})
    daemon.write()
    wait_for(lambda: listener.heard(f"{BASE}/rule/second"), SOON_S)
    time.sleep(3)
    assert len(listener.heard(ALERT)) == 1
    assert listener.heard(VISITOR)[-1].payload == b"ON"
