"""`edgehome selftest` and `edgehome doctor` on the real picamera2, as on a board."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from broker import Broker
from camera_root import command_in, made_root, reason_to_skip, settings
from test_pi_node import CONFIG, pictures_of

pytestmark = pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip())


@pytest.fixture(scope="module")
def root() -> Path:
    made = made_root()
    pictures_of(made, "room-day-walk")
    return made


def run(root: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    arguments = ["python3", "-m", "edgehome", *command, "-c", f"{folder}/config.yaml",
                 "--state", f"{folder}/state"]  # fmt: skip
    inside = command_in(root, *settings(), *arguments, share=folder)
    return subprocess.run(inside, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path


def configure(folder: Path, broker: Broker) -> None:
    mqtt = {"host": "127.0.0.1", "port": broker.port, "anonymous": True}
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG | {"mqtt": mqtt}))


def test_the_report_has_the_pi_cameras_rate_and_the_format_that_it_really_gives(
    root: Path, folder: Path
) -> None:
    with Broker(folder / "broker", anonymous=True) as broker:
        configure(folder, broker)
        done = run(root, folder, "selftest", "--quick", "--json", "--output", f"{folder}/r.json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["not_measured"] == {}, done.stderr
    camera = report["camera"]
    assert camera["source"] == "pi"
    assert 3 < camera["rate"] < 7
    # The virtual camera gives NV12 whatever it is asked for; a Pi's would be YUV420.
    assert camera["format"] == "NV12"
    assert camera["stride"] >= camera["width"] >= camera["height"] >= 172
    assert report["load"]["source"] == "camera"
    assert report["alarm"]["broker_problem"] is None


def test_doctor_finds_the_camera_and_all_beside_it_well(root: Path, folder: Path) -> None:
    with Broker(folder / "broker", anonymous=True) as broker:
        configure(folder, broker)
        done = run(root, folder, "doctor", "--json")
    found = {line["part"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert found["camera"]["state"] == "good", done.stdout + done.stderr
    assert found["camera"]["message"] == "pi gives frames"
    assert [part for part, line in found.items() if line["state"] == "bad"] == []
