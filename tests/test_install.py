"""install.sh as a person meets it, and the locks that it installs from."""

from __future__ import annotations

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
from small_model import SIZE, place, small_model

from edgehome.configfile import check
from edgehome.labels import labels_of
from edgehome.models.agreement import outputs
from edgehome.models.frames import scenes
from edgehome.models.selftest import packed
from edgehome.recognizer.manifest import read_manifest

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
SHELL_SCRIPTS = ["install.sh", "systemd/trial.sh", ".ci/run", "tests/system/boot.sh"]
SHELL_SCRIPTS += ["scripts/check", "scripts/test", "scripts/lock", "tests/arm64/enter.sh"]


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
    assert len(statuses) == 7
    assert [word for word in (*options, *statuses) if word not in told.stdout] == []


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--modle", "x"], 64, "There is no option --modle."),
        (["--model"], 64, "--model needs a file."),
        (["--purge"], 64, "--purge goes with --uninstall."),
        (["--wheels"], 64, "--wheels needs a folder."),
        (["--for", "3.9"], 64, "--for needs 3.11, 3.12 or 3.13."),
        (["--for", "3.11"], 64, "--for goes with --download."),
        (["--wheels", "/no/such"], 66, "There is no folder /no/such."),
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
@pytest.mark.parametrize("argument", ["--uninstall", "--rollback", "--video"])
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


def test_the_runtime_runs_with_the_locked_packages_alone(box_model: Path) -> None:
    code = (
        "import sys; from ai_edge_litert.interpreter import Interpreter as I\n"
        f"I({str(box_model)!r}).allocate_tensors()\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    locked = {"ai_edge_litert", "numpy"}
    declared = {"ml_dtypes", "flatbuffers", "google", "tqdm", "typing_extensions", "backports"}
    assert locked <= set(run.stdout.split())
    assert declared & set(run.stdout.split()) == set()


def run_steps(folder: Path, steps: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """Run functions of install.sh from this checkout, with `folder` in the place of the system.

    This Python stands in for the release's, and nobody for the group edgehome. `take` is what
    trial.sh does with a release that is complete.
    """
    trial = (ROOT / "systemd" / "trial.sh").read_text(encoding="utf-8")
    (folder / "units").mkdir(exist_ok=True)
    for there, here in (
        ("opt/edgehome", "opt"), ("etc/edgehome", "etc"), ("etc/systemd/system", "units")
    ):  # fmt: skip
        trial = trial.replace(f"=/{there}", f"={folder}/{here}")
    (folder / "trial.sh").write_text(trial)
    release = folder / "opt" / "releases" / "1"
    script = (ROOT / "install.sh").read_text(encoding="utf-8").rpartition('main "$@"')[0]
    script = script.replace("config=/etc/edgehome", f"config={folder}/etc")
    tools = release / "bin"
    tools.mkdir(parents=True, exist_ok=True)
    (tools / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tools / "chgrp").write_text("#!/bin/sh\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    given = {"release": release, "model": "", "imported": "", "password_file": "", **variables}
    assigned = "".join(f"{name}='{value}'\n" for name, value in given.items())
    take = f"take() {{ bash {folder}/trial.sh take releases/1; }}"
    return subprocess.run(
        ["bash", "-c", f"{script}\n{take}\n{assigned}\n{steps}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)},
    )


def test_a_fresh_installation_watches_with_the_model_in_the_box(
    tmp_path: Path, box_model: Path
) -> None:
    done = run_steps(tmp_path, "complete_release; import_model; install_configuration; take")
    assert done.returncode == 0, done.stderr
    config, errors = check(tmp_path / "etc" / "config.yaml")
    assert (errors, (tmp_path / "etc" / "config.yaml").stat().st_mode & 0o777) == ([], 0o640)
    assert config
    assert config.recognizer.model == tmp_path / "etc" / "models" / "edgehome-a0.tflite"
    manifest = read_manifest(config.recognizer.model)
    assert manifest.pinned
    assert manifest == read_manifest(box_model)
    assert labels_of(config.recognizer.model) == ("fall", "fighting", "person")


def test_a_release_brings_its_own_model_and_leaves_the_owners(
    tmp_path: Path, box_model: Path
) -> None:
    models = tmp_path / "etc" / "models"
    models.mkdir(parents=True)
    for name in ("edgehome-a0.tflite", "edgehome-a0.json", "mine.tflite"):
        (models / name).write_text("of an earlier release")
    (tmp_path / "etc" / "config.yaml").write_text("# mine\n")
    done = run_steps(tmp_path, "complete_release; import_model; install_configuration; take")
    assert done.returncode == 0, done.stderr
    assert read_manifest(models / "edgehome-a0.tflite") == read_manifest(box_model)
    assert (models / "mine.tflite").read_text() == "of an earlier release"
    assert (tmp_path / "etc" / "config.yaml").read_text() == "# mine\n"


def test_a_release_brings_its_schema_for_editors_beside_the_configuration(tmp_path: Path) -> None:
    installed = tmp_path / "etc" / "config.schema.json"
    installed.parent.mkdir()
    installed.write_text("of an earlier release")
    done = run_steps(tmp_path, "complete_release; install_configuration; take")
    assert done.returncode == 0, done.stderr
    assert installed.read_bytes() == (ROOT / "config.schema.json").read_bytes()
    assert installed.stat().st_mode & 0o777 == 0o644


def test_a_published_model_is_imported_and_named_where_the_configuration_is_fresh(
    tmp_path: Path, k600_original: Path
) -> None:
    done = run_steps(
        tmp_path, "complete_release; import_model; install_configuration; take", model=k600_original
    )
    assert done.returncode == 0, done.stderr
    assert "600 labels, computed in int8" in done.stdout
    config, errors = check(tmp_path / "etc" / "config.yaml")
    assert errors == []
    assert config
    assert config.recognizer.model == tmp_path / "etc" / "models" / "movinet-a0.tflite"
    assert (tmp_path / "etc" / "models" / "edgehome-a0.tflite").exists()
    assert {"arm wrestling", "fall"} <= set(labels_of(config.recognizer.model) or ())


def test_a_model_without_the_labels_of_the_sample_leaves_the_home_watched_all_the_same(
    tmp_path: Path,
) -> None:
    model = compiled_model(tmp_path)
    done = run_steps(
        tmp_path, "complete_release; import_model; install_configuration; take", model=model
    )
    assert done.returncode == 0, done.stderr
    assert "then set there: model: models/small.tflite" in done.stdout
    config, errors = check(tmp_path / "etc" / "config.yaml")
    assert errors == []
    assert config
    assert config.recognizer.model.name == "edgehome-a0.tflite"
    assert labels_of(tmp_path / "etc" / "models" / "small.tflite")
    assert not (tmp_path / "etc" / "config.yaml.new").exists()


def test_a_configuration_that_is_there_is_left_alone_and_the_line_to_set_is_told(
    tmp_path: Path,
) -> None:
    model = compiled_model(tmp_path)
    config = tmp_path / "etc" / "config.yaml"
    config.parent.mkdir()
    config.write_text("# mine\n")
    line = "\n      recognizer:\n        model: models/small.tflite\n"
    steps = "complete_release; import_model; install_configuration; take"
    assert line in run_steps(tmp_path, steps, model=model).stdout
    assert config.read_text() == "# mine\n"
    config.write_text("recognizer: {model: models/small.tflite}\n")
    assert line not in run_steps(tmp_path, steps, model=model).stdout


@pytest.mark.parametrize("kind", ["text", "compiled, without its manifest"])
def test_a_model_that_cannot_be_used_is_refused_and_nothing_is_written(
    tmp_path: Path, kind: str
) -> None:
    model = tmp_path / "given.tflite"
    model.write_bytes(b"no model" if kind == "text" else small_model())
    refused = run_steps(tmp_path, "import_model; echo went on", model=model)
    assert refused.returncode == 66
    assert f"The model {model} was refused; nothing else was changed." in refused.stderr
    assert "Traceback" not in refused.stderr
    assert "went on" not in refused.stdout
    assert not (tmp_path / "etc").exists()


def test_a_box_without_its_model_is_said_to_be_incomplete(tmp_path: Path) -> None:
    empty = tmp_path / "checkout"
    empty.mkdir()
    refused = run_steps(
        tmp_path, f"cp -r systemd config.schema.json {empty}; cd {empty}; complete_release"
    )
    assert refused.returncode == 71
    assert "is the checkout complete?" in refused.stderr


def compiled_model(folder: Path) -> Path:
    """Write a small model as an import would, with the labels a to e."""
    said = outputs(small_model(), scenes(SIZE))
    return place(folder, small_model(), compiled={"reference": packed(said)})
