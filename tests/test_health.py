"""How the machine is, read from trees as Linux has them under /sys."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgehome.health import CHECK_S, Checkup, Machine, examine, latest_release
from edgehome.homeassistant import Release

PI_4 = "devices/platform/soc/soc:firmware/get_throttled"
PI_5 = "devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled"


def sysfs(folder: Path, **files: str) -> Path:
    """Make a tree of files with these texts, by their paths."""
    for path, text in files.items():
        file = folder / "sys" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "sys").mkdir(exist_ok=True)
    return folder / "sys"


def looked(folder: Path, files: dict[str, str]) -> Machine:
    return examine(folder, sysfs(folder, **files))


def codes(machine: Machine) -> list[str]:
    assert all(problem.remedy for problem in machine.problems)
    return [problem.code for problem in machine.problems]


def test_a_machine_that_tells_nothing_is_unknown_and_well(tmp_path: Path) -> None:
    assert looked(tmp_path, {}) == Machine(None, None, None, ())


def test_the_hottest_zone_counts_and_one_that_makes_no_sense_does_not(tmp_path: Path) -> None:
    zones = {
        "class/thermal/thermal_zone0/temp": "48312\n",
        "class/thermal/thermal_zone1/temp": "61250\n",
        "class/thermal/thermal_zone2/temp": "-274000\n",
        "class/thermal/thermal_zone3/temp": "hot\n",
        "class/thermal/cooling_device0/temp": "99000\n",
    }
    assert looked(tmp_path, zones).temperature == 61.25


@pytest.mark.parametrize("file", [PI_4, PI_5])
@pytest.mark.parametrize(
    ("said", "throttled", "expected"),
    [
        ("0\n", False, []),
        ("50000\n", False, []),  # since boot, not now
        ("50005\n", True, ["undervoltage"]),
        ("1\n", True, ["undervoltage"]),
        ("2\n", True, ["throttled"]),
        ("4\n", True, ["throttled"]),
        ("80008\n", True, ["throttled"]),
    ],
)
def test_the_firmware_of_a_raspberry_pi_says_what_slows_it_down(
    tmp_path: Path, file: str, said: str, throttled: bool, expected: list[str]
) -> None:
    machine = looked(tmp_path, {file: said})
    assert machine.throttled is throttled
    assert codes(machine) == expected


@pytest.mark.parametrize("said", ["", "x\n", "0x\n", "\n"])
def test_a_firmware_that_says_nothing_sensible_is_unknown(tmp_path: Path, said: str) -> None:
    machine = looked(tmp_path, {PI_4: said})
    assert (machine.throttled, machine.problems) == (None, ())


@pytest.mark.parametrize(("alarm", "throttled"), [("0\n", False), ("1\n", True)])
def test_without_the_firmware_s_file_the_alarm_of_the_supply_counts(
    tmp_path: Path, alarm: str, throttled: bool
) -> None:
    tree = {
        "class/hwmon/hwmon0/name": "cpu_thermal\n",
        "class/hwmon/hwmon0/in0_lcrit_alarm": "1\n",
        "class/hwmon/hwmon3/name": "rpi_volt\n",
        "class/hwmon/hwmon3/in0_lcrit_alarm": alarm,
    }
    machine = looked(tmp_path, tree)
    assert machine.throttled is throttled
    assert codes(machine) == (["undervoltage"] if throttled else [])


@pytest.mark.parametrize(("blocks", "expected"), [(12_206, ["disk_low"]), (12_208, [])])
def test_a_disk_that_is_nearly_full_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blocks: int, expected: list[str]
) -> None:
    full = SimpleNamespace(f_bavail=blocks, f_frsize=4096)
    monkeypatch.setattr(os, "statvfs", lambda _path: full)
    machine = examine(tmp_path, sysfs(tmp_path))
    assert codes(machine) == expected
    assert all(str(tmp_path) in problem.message for problem in machine.problems)


def test_a_state_folder_that_is_gone_is_no_news_of_the_disk(tmp_path: Path) -> None:
    assert examine(tmp_path / "gone", sysfs(tmp_path)).problems == ()


def test_whoever_updates_says_which_version_is_the_newest(tmp_path: Path) -> None:
    assert latest_release(tmp_path) is None
    said = {"version": "1.3.0", "title": "edgehome 1.3", "url": "https://example.org/1.3", "x": 1}
    (tmp_path / "latest.json").write_text(json.dumps(said))
    release = Release("1.3.0", "edgehome 1.3", "https://example.org/1.3")
    assert latest_release(tmp_path) == release
    assert examine(tmp_path, sysfs(tmp_path)).release == release
    (tmp_path / "latest.json").write_text('{"version": "1.3.0"}')
    assert latest_release(tmp_path) == Release("1.3.0")


@pytest.mark.parametrize(
    "said",
    [
        "", "{", "[]", "null", "3", '{"version": 3}', '{"version": ""}', '{"title": "x"}',
        '{"version": "1.0 beta"}', '{"version": "{{ states }}"}', '{"version": "1", "url": "x"}',
        '{"version": "1", "url": "http://example.org"}', '{"version": "1", "url": null}',
        '{"version": "1", "url": "https://a b"}', '{"version": "1", "title": ["x"]}',
        '{"version": "1", "title": "a\\nb"}', '{"version": "1"' + " " * 5000 + "}", "[" * 3000,
        '{"version": "' + "1" * 41 + '"}', '{"version": "1", "title": "' + "x" * 101 + '"}',
    ],
)  # fmt: skip
def test_a_word_of_a_version_that_is_not_as_it_should_be_is_none(tmp_path: Path, said: str) -> None:
    (tmp_path / "latest.json").write_text(said)
    assert latest_release(tmp_path) is None


def test_the_machine_is_looked_at_now_and_then_and_never_twice_at_once() -> None:
    now_s = [10.0]
    jobs: list[tuple[Callable[[], Machine], Callable[[Machine], None]]] = []
    hot = Machine(temperature=80.0)
    checkup = Checkup(lambda: hot, lambda *job: jobs.append(job), lambda: now_s[0])
    checkup.turn()
    checkup.turn()
    assert (len(jobs), checkup.machine) == (1, Machine())
    now_s[0] += 10 * CHECK_S
    checkup.turn()
    assert len(jobs) == 1, "the first still waits for the disk"
    look, take = jobs[0]
    take(look())
    assert checkup.machine == hot
    checkup.turn()
    assert len(jobs) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": "2"}', "null"])
def test_a_note_of_an_undone_upgrade_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "rollback.json").write_text(text)
    assert codes(looked(tmp_path, {})) == []


def test_an_upgrade_that_was_undone_is_a_problem_that_names_it(tmp_path: Path) -> None:
    note = {"version": "0.2.0-20261123T010203Z", "reason": "it hung"}
    (tmp_path / "rollback.json").write_text(json.dumps(note))
    machine = looked(tmp_path, {})
    assert codes(machine) == ["upgrade_undone"]
    assert "0.2.0-20261123T010203Z was undone: it hung." in machine.problems[0].message
