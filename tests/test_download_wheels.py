"""The folder of wheels for a machine without a network: what is asked of pip for each Python."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
REQUIREMENTS = ROOT / "requirements"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    pytest.importorskip("pip", reason="this Python has no pip")
    path = ROOT / "scripts" / "download_wheels.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_each_python_gets_one_version_of_each_package_with_its_hashes(
    script: ModuleType, python: str
) -> None:
    for lock in script.LOCKS:
        text = (REQUIREMENTS / f"{lock}.txt").read_text()
        names = set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))
        pins = list(script.pins(REQUIREMENTS / f"{lock}.txt", python))
        assert sorted(pin.partition("==")[0] for pin in pins) == sorted(names)
        assert all("--hash=sha256:" in pin and ";" not in pin for pin in pins)


def test_a_marker_is_judged_for_the_python_that_the_wheels_are_for(script: ModuleType) -> None:
    old, new = (list(script.pins(REQUIREMENTS / "video.txt", name)) for name in ("3.11", "3.13"))
    assert len(old) == len(new) == 1
    assert old != new, "av has another version for each"


def test_what_a_node_installs_without_a_network_is_what_install_asks_for(
    script: ModuleType,
) -> None:
    asked = (ROOT / "install.sh").read_text().partition("build_release() {")[2].partition("\n}")[0]
    locks = set(re.findall(r"locks\+?=\((\w+)\)", asked))
    assert locks == {*script.LOCKS, "numpy"}, "numpy is Debian's"
