"""The whole node on a board that is measured, gets hot, and cools down."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from broker import Listener, wait_for
from daemon import HEARTBEAT, Daemon, problems
from small_model import place, place_head, small_model

from edgehome.boards import board_name

SHORT_DAYS = Path(__file__).resolve().parent / "short_days.py"
THERMOMETER = "class/thermal/thermal_zone0/temp"
FIRMWARE = "devices/platform/soc/soc:firmware/get_throttled"


class Board:
    """A /sys of our own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.say(50, "0")

    def say(self, degrees: float, firmware: str = "0") -> None:
        for path, text in ((THERMOMETER, f"{degrees * 1000:.0f}\n"), (FIRMWARE, f"{firmware}\n")):
            file = self.folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.with_suffix(".new").write_text(text)
            file.with_suffix(".new").replace(file)


@pytest.fixture
def board(tmp_path: Path, daemon: Daemon) -> Board:
    """One that the daemon runs on, with all left to the node to choose."""
    board = Board(tmp_path / "sys")
    daemon.program = [str(SHORT_DAYS)]
    daemon.environment = {"EDGEHOME_TEST_SYSFS": str(board.folder)}
    daemon.config["runtime"] = {"delegate": "cpu"}
    daemon.write()
    return board


def beat(listener: Listener) -> dict[str, Any]:
    """Return the newest heartbeat."""
    beats = listener.heard(HEARTBEAT)
    return beats[-1].json if beats else {}


def wait_for_rate(listener: Listener, rate: float, timeout_s: float = 60) -> None:
    wait_for(lambda: beat(listener).get("rate") == rate, timeout_s, f"{rate}: {beat(listener)}")


def models_run(daemon: Daemon) -> int:
    """Return how many workers have told what they run, by the log."""
    return daemon.said().count("edgehome.supervisor: model ")


def measurements(daemon: Daemon) -> int:
    """Return how often the board was measured, by the log."""
    return daemon.said().count("the board is measured")


def test_a_board_is_measured_at_the_first_start_and_never_again(
    daemon: Daemon, board: Board, listener: Listener
) -> None:
    daemon.start()
    wait_for(lambda: beat(listener).get("frames"), 60, daemon.said())
    assert measurements(daemon) == 1
    (kept,) = json.loads((daemon.state / "budget.json").read_text())["measured"]
    assert kept["board"] == board_name()
    threads = beat(listener)["threads"]
    assert threads in dict(kept["steps"])
    assert f"{threads} threads, " in daemon.said()
    assert daemon.end() == 0
    before = len(listener.heard(HEARTBEAT))
    daemon.start()
    wait_for(lambda: any(beat.json["frames"] for beat in listener.heard(HEARTBEAT)[before:]), 60)
    assert measurements(daemon) == 1
    assert beat(listener)["threads"] == threads
    assert "measuring" not in problems(listener)


@pytest.mark.parametrize("broken", [b"", b'{"measured": [{"steps": 7}]}', b"\xff" * 1000])
def test_a_broken_measurement_is_made_anew(
    daemon: Daemon, board: Board, listener: Listener, broken: bytes
) -> None:
    daemon.state.mkdir()
    (daemon.state / "budget.json").write_bytes(broken)
    daemon.start()
    wait_for(lambda: beat(listener).get("frames"), 60, daemon.said())
    assert measurements(daemon) == 1
    assert json.loads((daemon.state / "budget.json").read_text())["measured"]


def test_what_the_user_says_is_not_measured(
    daemon: Daemon, board: Board, listener: Listener
) -> None:
    daemon.config["runtime"] |= {"threads": 2, "rate": 2.5}
    daemon.write()
    daemon.start()
    wait_for(lambda: beat(listener).get("frames"), 60, daemon.said())
    assert measurements(daemon) == 0
    assert (beat(listener)["rate"], beat(listener)["threads"]) == (2.5, 2)
    board.say(90)
    wait_for(lambda: "too_hot" in problems(listener), 60, daemon.said())
    assert "as often as before" in problems(listener)["too_hot"]["message"]
    assert beat(listener)["rate"] == 2.5


def test_a_hot_board_looks_less_often_by_the_same_worker_and_recovers(
    daemon: Daemon, board: Board, listener: Listener
) -> None:
    daemon.start()
    wait_for_rate(listener, 5.0)
    wait_for(lambda: beat(listener)["frames"] > 10, 60)
    worker = daemon.worker()
    board.say(84)
    wait_for_rate(listener, 3.3)
    wait_for(lambda: "too_hot" in problems(listener), 60, daemon.said())
    wait_for_rate(listener, 2.5)
    wait_for_rate(listener, 1.7)
    wait_for(
        lambda: (
            "1.7 times a second instead of 5"
            in problems(listener).get("too_hot", {}).get("message", "")
        ),
        60,
    )
    board.say(75)
    before = beat(listener)["frames"]
    wait_for(lambda: beat(listener)["frames"] > before + 8, 60, "frames go on")
    assert beat(listener)["rate"] == 1.7, "it is neither hot nor cool"
    board.say(55)
    wait_for_rate(listener, 2.5)
    wait_for_rate(listener, 5.0)
    wait_for(lambda: "too_hot" not in problems(listener), 60, daemon.said())
    wait_for(lambda: beat(listener)["frames"] > before + 60, 60, "frames go on")
    assert daemon.worker() == worker
    assert beat(listener)["worker_restarts"] == 0


def test_a_weak_supply_is_told_and_a_throttled_processor_steps_down(
    daemon: Daemon, board: Board, listener: Listener
) -> None:
    board.say(60, "50005")
    daemon.start()
    wait_for_rate(listener, 5.0)
    wait_for(lambda: "undervoltage" in problems(listener), 60)
    before = beat(listener)["frames"]
    wait_for(lambda: beat(listener)["frames"] > before + 25, 60, "five seconds")
    assert beat(listener)["rate"] == 5.0
    board.say(60, "e0004")
    wait_for_rate(listener, 3.3)
    wait_for(lambda: {"throttled", "too_hot"} <= set(problems(listener)), 60, "both are told")


def test_the_smaller_model_comes_after_the_lower_rates_and_goes_again(
    daemon: Daemon, board: Board, listener: Listener, tmp_path: Path
) -> None:
    models = []
    for name in ("large", "small"):
        (tmp_path / name).mkdir()
        model = place(tmp_path / name, small_model(seed=len(models)))
        place_head(model, "person")
        models.append(model)
    assert models[0].read_bytes() != models[1].read_bytes()
    daemon.config["recognizer"] = {"model": str(models[0]), "smaller_model": str(models[1])}
    daemon.write()
    daemon.start()
    wait_for_rate(listener, 5.0)
    board.say(84)
    wait_for(
        lambda: "the smaller one" in problems(listener).get("too_hot", {}).get("message", ""),
        60, daemon.said(),
    )  # fmt: skip
    wait_for(lambda: models_run(daemon) == 2, 60)
    wait_for_rate(listener, 2.5)
    board.say(55)
    wait_for_rate(listener, 5.0)
    wait_for(lambda: "too_hot" not in problems(listener), 60, daemon.said())
    assert models_run(daemon) == 3
    assert beat(listener)["worker_restarts"] == 0
    assert measurements(daemon) == 1, "what is measured on a hot board is not what it can do"
