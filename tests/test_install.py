"""install.sh as a person meets it, and the locks that it installs from."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from small_model import place, place_head, small_model

from edgehome.labels import labels_of
from edgehome.recognizer.manifest import read_manifest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
SHELL_SCRIPTS = ["install.sh", ".ci/run", "tests/system/boot.sh"]
SHELL_SCRIPTS += ["scripts/check", "scripts/test", "scripts/lock"]


def install(*arguments: str, path: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "install.sh", *arguments],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PATH": path + os.environ["PATH"]},
    )


def pins(lock: Path) -> list[Requirement]:
    """Return the pinned requirements of a lock; a pin is a line and its hashes below."""
    text = lock.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [Requirement(line.partition("--hash")[0]) for line in lines]


def test_help_tells_every_option_and_every_exit_status() -> None:
    told = install("--help")
    assert told.returncode == 0
    script = (ROOT / "install.sh").read_text(encoding="utf-8")
    options = set(re.findall(r"--[a-z-]+", script.partition("main() {")[2])) - {"--help"}
    statuses = re.findall(r"\b\w+=(\d\d)\b", script.partition("usage() {")[0])
    assert {"--demo", "--test", "--uninstall"} <= options
    assert len(statuses) == 6
    assert [word for word in (*options, *statuses) if word not in told.stdout] == []


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--modle", "x"], 64, "There is no option --modle."),
        (["--model"], 64, "--model needs a file."),
        (["--purge"], 64, "--purge goes with --uninstall."),
        (["--model", "/no/such.tflite"], 66, "There is no file /no/such.tflite."),
        (["--password-file", "/no/such"], 66, "There is no file /no/such."),
    ],
)
def test_a_wrong_option_is_a_sentence_and_a_status(
    arguments: list[str], status: int, sentence: str
) -> None:
    refused = install(*arguments)
    assert refused.returncode == status
    assert sentence in refused.stderr
    assert "line " not in refused.stderr, "that is bash complaining, not us"


def test_a_32_bit_system_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    uname = tmp_path / "uname"
    uname.write_text("#!/bin/sh\necho armv7l\n")
    uname.chmod(0o755)
    refused = install("--test", path=f"{tmp_path}:")
    assert refused.returncode == 71
    assert "64-bit" in refused.stderr
    assert refused.stdout == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("argument", ["--uninstall", "--video"])
def test_the_system_is_only_touched_by_root(tmp_path: Path, argument: str) -> None:
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    script = shutil.copy(ROOT / "install.sh", tmp_path)
    refused = subprocess.run(
        ["bash", script, argument], capture_output=True, text=True, check=False, user="nobody"
    )
    assert refused.returncode == 77
    assert "sudo ./install.sh" in refused.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
def test_shellcheck_finds_nothing() -> None:
    command = ["shellcheck", *SHELL_SCRIPTS]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_locked_package_has_one_version_and_hashes(lock: Path) -> None:
    text = lock.read_text(encoding="utf-8")
    assert pins(lock)
    assert all(re.fullmatch(r"==[\w.]+", str(pin.specifier)) for pin in pins(lock))
    hashes = re.findall(r"--hash=sha256:[0-9a-f]{64}\b", text)
    assert len(hashes) >= len(pins(lock))
    assert len(re.findall(r"\S+==\S+.*\\\n    --hash", text)) == len(pins(lock))
    assert "//" not in text, "where packages come from is each machine's own business"


def test_the_locks_are_of_the_ranges_in_pyproject() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {
        "runtime": [line for line in project["dependencies"] if not line.startswith("numpy")],
        "numpy": [line for line in project["dependencies"] if line.startswith("numpy")],
        "video": project["optional-dependencies"]["video"],
    }
    for name, lines in wanted.items():
        locked = pins(ROOT / "requirements" / f"{name}.txt")
        by_name = {canonicalize_name(pin.name): pin for pin in locked}
        asked = [Requirement(line) for line in lines]
        # Exactly these: what else the runtime declares, its interpreter never imports.
        assert by_name.keys() == {canonicalize_name(each.name) for each in asked}
        for each in asked:
            for pin in locked:
                version = str(pin.specifier).removeprefix("==")
                assert pin.name != each.name or each.specifier.contains(version)


def test_the_runtime_runs_with_the_locked_packages_alone(k600_model: Path) -> None:
    code = (
        "import sys; from ai_edge_litert.interpreter import Interpreter as I\n"
        f"I({str(k600_model)!r}).allocate_tensors()\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    locked = {"ai_edge_litert", "numpy"}
    declared = {"ml_dtypes", "flatbuffers", "google", "tqdm", "typing_extensions", "backports"}
    assert locked <= set(run.stdout.split())
    assert declared & set(run.stdout.split()) == set()


@pytest.mark.skipif("EDGEHOME_TEST_WHEELS" not in os.environ, reason="set EDGEHOME_TEST_WHEELS=1")
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_locked_package_has_a_wheel(python: str, machine: str, tmp_path: Path) -> None:
    # With markers judged for another Python, so a Python of that version has to be here.
    # pyenv's shims are there for versions that it then refuses to run.
    interpreter = shutil.which(f"python{python}")
    if not interpreter or subprocess.run([interpreter, "-m", "pip", "-V"], check=False).returncode:
        pytest.skip(f"no python{python} with pip on the PATH")
    command = [interpreter, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-version", python, "--dest", str(tmp_path)]
    for glibc in ("2_28", "2_27", "2_26", "2_17"):  # Bookworm has 2.36
        command += ["--platform", f"manylinux_{glibc}_{machine}"]
    command += ["--platform", f"manylinux2014_{machine}"]
    for lock in LOCKS:
        command += ["--requirement", str(lock)]
    subprocess.run(command, check=True)
    assert list(tmp_path.glob("ai_edge_litert*.whl"))


def pin_model(model: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "scripts" / "pin_model.py", model, folder],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_an_installed_model_is_pinned_as_it_is_described(k600_model: Path, tmp_path: Path) -> None:
    assert pin_model(k600_model, tmp_path).returncode == 0
    manifest = read_manifest(tmp_path / "model.tflite")
    assert manifest.pinned
    assert manifest == read_manifest(k600_model)
    assert manifest.compiled["architecture"] == "a0"
    assert json.loads((tmp_path / "model.json").read_text())["sha256"] == manifest.sha256
    assert (tmp_path / "model.tflite").stat().st_mode & 0o777 == 0o644


def test_heads_that_fit_are_installed_with_the_model(tmp_path: Path) -> None:
    model = place(tmp_path, small_model())
    place_head(model, "fall")
    place_head(model, "person", embedding="another-space")
    installed = tmp_path / "etc" / "models"
    assert pin_model(model, installed).returncode == 0
    assert [path.name for path in (installed / "heads").iterdir()] == ["fall.json"]
    assert tuple(labels_of(installed / "model.tflite") or ()) == (*"abcde", "fall")


def test_a_published_model_is_not_installed_but_to_be_imported(
    k600_original: Path, tmp_path: Path
) -> None:
    refused = pin_model(k600_original, tmp_path / "models")
    assert refused.returncode == 66
    assert "edgehome models import" in refused.stderr
    assert not (tmp_path / "models").exists()


def test_a_file_that_is_no_model_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    refused = pin_model(ROOT / "LICENSE", tmp_path / "models")
    assert refused.returncode == 66
    assert "Traceback" not in refused.stderr
    assert not (tmp_path / "models").exists()


def test_the_demo_without_a_clip_says_what_to_point_it_at() -> None:
    command = [sys.executable, ROOT / "scripts" / "demo.py", "--model", ROOT / "LICENSE"]
    run = subprocess.run(
        [*command, "--clip", "/no/clip.mp4"], capture_output=True, text=True, check=False
    )
    assert run.returncode == 66
    assert "There is no file /no/clip.mp4" in run.stderr
    assert "--clip FILE" in run.stderr
