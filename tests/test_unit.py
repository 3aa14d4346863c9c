"""The systemd unit: hardened, each line with its reason, and nothing that systemd 252 ignores."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
UNIT = ROOT / "systemd" / "edgehome.service"
DROP_INS = sorted((ROOT / "systemd").glob("*.conf"))
PLAIN_KEYS = {"Type", "ExecStart", "ExecReload", "Restart", "RestartSec"}
"""How the program is run: they say themselves why they are there."""

needs_systemd_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze here"
)


def settings(path: Path) -> list[tuple[str, str, str]]:
    """Return key, value and the line above, for every setting below [Service]."""
    lines = path.read_text(encoding="utf-8").partition("[Service]\n")[2]
    lines = lines.partition("[Install]")[0].splitlines()
    return [
        (*line.split("=", 1), above)
        for above, line in zip(["", *lines], lines, strict=False)
        if re.match(r"[A-Z]\w+=", line)
    ]


@needs_systemd_analyze
def test_the_exposure_of_the_unit_is_at_most_1_6(tmp_path: Path) -> None:
    def judge(unit: Path) -> subprocess.CompletedProcess[str]:
        command = ["systemd-analyze", "security", "--offline=true", "--threshold=16", "--no-pager"]
        return subprocess.run([*command, str(unit)], capture_output=True, text=True, check=False)

    verdict = judge(UNIT)
    assert verdict.returncode == 0, verdict.stdout
    worse = tmp_path / UNIT.name
    worse.write_text(UNIT.read_text().replace("CapabilityBoundingSet=\n", "", 1))
    assert judge(worse).returncode != 0, "the threshold does not bite"


@needs_systemd_analyze
def test_systemd_knows_every_key_and_every_value(tmp_path: Path) -> None:
    def complaints(unit: Path) -> list[str]:
        command = ["systemd-analyze", "verify", "--man=no", str(unit)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        return [line for line in run.stderr.splitlines() if unit.name in line]

    installed = tmp_path / UNIT.name
    programs = "/opt/edgehome/venv/bin/python|/bin/kill"  # not on every machine that tests this
    here = re.sub(programs, "/bin/true", UNIT.read_text())
    for drop_in in DROP_INS:
        here = here.replace(
            "[Install]", drop_in.read_text().partition("[Service]\n")[2] + "[Install]"
        )
    installed.write_text(here)
    assert complaints(installed) == []
    installed.write_text(here.replace("OOMPolicy=continue", "OOMPolicy=carry-on\nRestartStep=3"))
    assert len(complaints(installed)) >= 2, "verify does not bite"


@needs_systemd_analyze
@pytest.mark.parametrize("name", ["edgehome-trial", "edgehome-reboot"])
def test_systemd_knows_every_key_of_the_units_beside_it(tmp_path: Path, name: str) -> None:
    units = [tmp_path / f"{name}.{kind}" for kind in ("path", "service")]
    for unit in units:
        text = (UNIT.parent / unit.name).read_text()
        unit.write_text(re.sub(r"ExecStart=/\S+", "ExecStart=/bin/true", text))
    command = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert [line for line in run.stderr.splitlines() if name in line] == []


def test_a_trial_is_no_part_of_a_release() -> None:
    script = (ROOT / "systemd" / "trial.sh").read_text(encoding="utf-8")
    assert "python -m" not in script, "a release whose Python is broken has to be taken back too"
    unit = (UNIT.parent / "edgehome-trial.service").read_text(encoding="utf-8")
    assert "ExecStart=/opt/edgehome/trial.sh\n" in unit


def test_no_key_is_newer_than_systemd_252() -> None:
    # Bookworm's systemd ignores these with a warning, whatever the one of this machine knows.
    newer = {"RestartSteps", "RestartMaxDelaySec", "RestartMode", "ImportCredential", "OpenFile"}
    newer |= {"LogFilterPatterns", "MemoryZSwapMax", "DelegateSubgroup", "SetLoginEnvironment"}
    used = {key: value for path in (UNIT, *DROP_INS) for key, value, _ in settings(path)}
    assert newer & used.keys() == set()
    assert used["Type"] == "notify", "notify-reload came with 253"


@pytest.mark.parametrize("path", [UNIT, *DROP_INS], ids=lambda path: path.name)
def test_every_line_that_restricts_has_its_reason_above(path: Path) -> None:
    bare = [key for key, _, above in settings(path) if not above.startswith("#")]
    assert set(bare) <= PLAIN_KEYS
    assert len(settings(path)) > len(bare), "no setting was looked at"


@pytest.mark.parametrize("path", [UNIT, *DROP_INS], ids=lambda path: path.name)
def test_what_breaks_the_camera_or_the_model_is_not_in_it(path: Path) -> None:
    # /proc/cpuinfo gone: the runtime turns 12 times slower. PrivateDevices hides /dev/video*.
    values = {key: value for key, value, _ in settings(path)}
    assert "ProcSubset" not in values
    assert "PrivateDevices" not in values
    # A path pattern such as /dev/video* allows nothing, without a word.
    devices = [value for key, value, _ in settings(path) if key == "DeviceAllow"]
    assert devices
    assert all(re.fullmatch(r"char-\w+ rw", value) for value in devices), devices


def test_the_service_is_restarted_for_ever_and_its_worker_may_die_alone() -> None:
    values = {key: value for key, value, _ in settings(UNIT)}
    assert "StartLimitIntervalSec=0\n" in UNIT.read_text().partition("[Service]")[0]
    assert (values["Restart"], values["OOMPolicy"]) == ("always", "continue")
    assert values["RestartPreventExitStatus"] == "78", "no retry mends a file"
