"""`edgehome selftest`: a real run against a real broker, and what is made of its report."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from broker import PASSWORD, USER, Broker, Listener, free_port, wait_for
from command_line import edgehome
from test_doctor_whole import written

from edgehome.selftest import board, camera, disk, words
from edgehome.selftest.load import Load
from edgehome.types import Problem

ROOT = Path(__file__).resolve().parents[1]
BOARDS = ROOT / "docs" / "reference" / "boards.md"
PARTS = {"model", "disk", "steps", "alarm", "camera", "load", "memory"}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, box_model: Path) -> Path:
    """Run it once against a broker that allows a node its own topics alone; return its file."""
    folder = tmp_path_factory.mktemp("selftest")
    clip = ROOT / "models" / "clips" / "room-day-walk.mp4"
    acl = f"user {USER}\ntopic readwrite edgehome/#\n"
    with Broker(folder / "broker", acl=acl) as broker, Listener(broker, "#") as home:
        config = written(folder, port=broker.port, source=clip, model=box_model)
        file = folder / "report.json"
        done = edgehome("selftest", "--quick", "-c", config, "--state", folder, "--output", file)
        assert done.returncode == 0, done.stderr
        (folder / "words").write_text(done.stdout)
        (folder / "topics").write_text("\n".join(heard.topic for heard in home.heard()))
        wait_for(lambda: not list(folder.glob("selftest-*")), what="the outbox stays behind")
    return file


def test_a_quick_run_measures_every_part_that_this_machine_has(report: Path) -> None:
    found = json.loads(report.read_text())
    assert found["edgehome_selftest"] == 1
    assert (found["complete"], found["not_measured"]) == (True, {})
    assert {part for part in PARTS if found[part] is None} == set()
    assert [step["threads"] for step in found["steps"]][:1] == [1]
    assert all(0 < step["median_ms"] <= step["p95_ms"] for step in found["steps"])
    assert 2 < found["camera"]["rate"] <= 5.5
    assert found["load"]["source"] == "camera"
    assert found["load"]["frames"] > 10
    assert 20 < found["memory"]["worker_mb"] < 300
    assert 0 < found["disk"]["median_ms"] <= found["disk"]["p95_ms"] <= found["disk"]["most_ms"]


def test_an_act_becomes_an_alert_at_the_broker_and_nobody_is_alarmed(report: Path) -> None:
    found = json.loads(report.read_text())["alarm"]
    assert found["broker_problem"] is None
    assert 0.5 < found["act_to_alert_s"] < 30
    assert 0 < found["frame_to_disk_ms"] < found["frame_to_broker_ms"]
    assert found["frame_to_echo_ms"] < 10_000
    topics = set((report.parent / "topics").read_text().split())
    assert all(re.fullmatch(r"edgehome/[^/]+/selftest", topic) for topic in topics)
    assert len(topics) == 1


def test_the_report_holds_nothing_personal(report: Path) -> None:
    text = report.read_text()
    personal = {
        PASSWORD, f'"{USER}"', os.uname().nodename, "127.0.0.1", str(report.parent), "/root",
        "room-day-walk", "config.yaml", "/home",
    }  # fmt: skip
    machine = Path("/etc/machine-id")
    personal |= {machine.read_text().strip()[:8]} if machine.exists() else set()
    assert [word for word in personal if word and word in text] == []


def test_the_words_tell_every_part_and_where_the_file_is(report: Path) -> None:
    told = (report.parent / "words").read_text()
    missing = [name for key, name in words.NAMES.items() if key != "model" and name not in told]
    assert missing == []
    assert str(report) in told


def test_a_report_becomes_a_row_of_the_table_in_boards(report: Path) -> None:
    done = edgehome("selftest", "--row", report)
    assert done.returncode == 0
    cells = done.stdout.strip().strip("|").split(" | ")
    assert len(cells) == len(words.COLUMNS)
    header = f"| {' | '.join(words.COLUMNS)} |"
    assert header in BOARDS.read_text(encoding="utf-8")


def test_a_file_that_is_no_report_is_told_without_a_traceback(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    assert edgehome("selftest", "--row", file).returncode == 66
    for text in ("{", "[]", "{}", '{"board": null}'):
        file.write_text(text)
        done = edgehome("selftest", "--row", file)
        assert done.returncode == 65
        assert "is not a report" in done.stderr


def test_what_cannot_be_measured_is_null_with_the_code_of_its_reason(
    tmp_path: Path, box_model: Path
) -> None:
    config = written(tmp_path, port=free_port(), source="/dev/video77", model=box_model)
    file = tmp_path / "report.json"
    done = edgehome("selftest", "--quick", "--json", "-c", config, "--state", tmp_path,
                    "--output", file)  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found == json.loads(file.read_text())
    assert found["camera"] is None
    assert found["not_measured"] == {"camera": "camera_missing"}
    assert found["load"]["source"] == "pictures"
    assert found["alarm"]["broker_problem"] == "broker_unreachable"
    assert found["alarm"]["frame_to_broker_ms"] is None
    assert found["alarm"]["frame_to_disk_ms"] > 0


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path, box_model: Path, rendered: Path) -> None:
    clip = rendered / "room-day-walk.mp4"
    config = written(tmp_path, port=free_port(), source=clip, model=box_model)
    file, log = tmp_path / "report.json", tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            # Whoever starts the tests in the background has SIGINT ignored, and so would it.
            ["env", "--default-signal=INT", sys.executable, "-m", "edgehome", "selftest",
             "--quick", "--minutes", "30", "-c", config, "--state", tmp_path, "--output", file],
            stdout=output, stderr=output, cwd=ROOT,
        )  # fmt: skip
    wait_for(lambda: "measuring: load" in log.read_text(), 180, "it never came to the load")
    time.sleep(5)
    process.send_signal(signal.SIGINT)
    assert process.wait(90) == 130, log.read_text()  # the machine may be busy
    found = json.loads(file.read_text())
    assert not found["complete"]
    assert found["not_measured"] == {"memory": "interrupted"}
    assert found["load"]["frames"] > 0
    assert found["steps"]


# --- its parts


def test_the_power_of_a_pi_5_is_the_sum_of_its_rails() -> None:
    said = (
        "   3V7_WL_SW_A current(0)=0.10000000A\n   VDD_CORE_A current(7)=2.00000000A\n"
        "   3V7_WL_SW_V volt(8)=3.70000000V\n   VDD_CORE_V volt(15)=0.80000000V\n"
        "     EXT5V_V volt(24)=5.15000000V\n"
    )
    assert board.watts(said) == pytest.approx(0.37 + 1.6)
    assert board.watts("") is None


def test_a_camera_that_stumbles_shows_in_rate_and_jitter() -> None:
    even = camera.figures([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], 5.0, 5)
    assert (even["rate"], even["camera_rate"], even["jitter_p95_ms"]) == (5.0, 10.0, 0.0)
    late = camera.figures([0.0, 0.2, 0.4, 0.9], 5.0, 0)
    assert late["jitter_p95_ms"] == pytest.approx(300)
    assert late["rate"] == pytest.approx(3.333, abs=0.001)


@pytest.mark.parametrize(
    ("source", "kind"),
    [("pi", "pi"), ("/dev/video0", "device"), ("rtsp://a:b@c/d", "network"), ("x.mp4", "file")],
)
def test_of_a_source_only_its_kind_is_told(source: str, kind: str) -> None:
    assert camera.kind(source) == kind


def test_flushes_are_timed_where_alerts_are_kept_and_leave_nothing(tmp_path: Path) -> None:
    found = disk.flush_times(tmp_path, 5)
    assert found["writes"] == 5
    assert 0 < found["median_ms"] <= found["most_ms"]
    assert list(tmp_path.iterdir()) == []


def test_heat_power_and_slowing_down_are_kept_from_every_look(tmp_path: Path) -> None:
    zone = tmp_path / "sys/class/thermal/thermal_zone0/temp"
    zone.parent.mkdir(parents=True)
    answers = {
        "get_throttled": "throttled=0x0",
        "pmic_read_adc": "A_A current(0)=1.0A\nA_V volt(1)=4.0V",
    }
    load = Load(tmp_path, lambda _program, what: answers[what], "pictures")
    assert load.result()["throttled"] is None
    for degrees, bits in (("50000", "0x0"), ("84000", "0x50004"), ("70000", "0x50000")):
        zone.write_text(degrees)
        answers["get_throttled"] = f"throttled={bits}"
        load.look(os.getpid())
    said = load.result()
    assert (said["start_c"], said["end_c"], said["most_c"]) == (50.0, 70.0, 84.0)
    assert (said["throttled"], said["undervolted"], said["watts"]) == (True, False, 4.0)
    assert load.worker_mb
    assert said["rate"] is None


def test_sentences_tell_the_whole_reason_and_the_file_only_its_code() -> None:
    problem = Problem("broker_unreachable", "No connection to home.lan.", "Check it.")
    nothing = dict.fromkeys(PARTS)
    facts = {"model": "Raspberry Pi 5 Model B Rev 1.0", "cores": 4, "system": "Debian"}
    said = {"board": facts, **nothing, "not_measured": {"alarm": problem.code}}
    lines = list(words.sentences(said, {"alarm": problem}))
    assert lines[-1] == "not measured: from act to alert. No connection to home.lan. Check it."
