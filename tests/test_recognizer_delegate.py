"""An Edge TPU made of plain C: used when good, and every fault a sentence, in both runtimes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from edgetpu.fake import RUN, library
from edgetpu.fake_models import CUSTOM, for_edge_tpu, mean_colour, write
from small_model import SMALL, pictures, place, small_model, steps

from edgehome.recognizer.delegate import heard, probe
from edgehome.recognizer.edgetpu import edgetpu_file
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Delegate, EdgehomeError

ROOT = Path(__file__).resolve().parents[1]
OLDER = Path.home() / ".cache" / "edgehome" / "tflite-runtime-2.14.0" / "site-packages"
WANTED = ["tflite-runtime==2.14.0", "numpy<2"]

FAULTS = {
    "NO_ENTRY": ("edgetpu_no_entry", "undefined symbol"),
    "ABSENT": ("edgetpu_no_device", "no Edge TPU device found"),
    "CRASH_LOADING": ("edgetpu_crashed", "SIGSEGV while loading the library"),
    "CRASH_AFTER=3": ("edgetpu_crashed", "SIGSEGV while running frames"),
    "FAIL_AFTER=3": ("edgetpu_lost", "USB transfer error"),
    "OLD_ABI": ("edgetpu_other_abi", "unresolved custom op"),
    "NONSENSE": ("edgetpu_wrong", "its embeddings agree to"),
}
"""What the library is built with, and what is then said."""


class Runtime:
    """A Python with one of the runtimes, and edgehome."""

    def __init__(self, python: str, name: str, extra: Path | None = None) -> None:
        self._python = python
        self.name = name
        path = [str(extra)] if extra else []
        self._environment = os.environ | {"PYTHONPATH": os.pathsep.join([*path, str(ROOT)])}

    def run(self, model: Path, delegate: Path | str) -> dict[str, Any]:
        """Return what run_fake.py says."""
        done = subprocess.run(
            [self._python, RUN, model, delegate],
            capture_output=True,
            text=True,
            check=False,
            env=self._environment,
        )
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return answer | {"status": done.returncode, "log": done.stderr}


def older_runtime() -> Runtime:
    """Return tflite-runtime on a Python 3.11 without ai-edge-litert; skips where it cannot be."""
    python = shutil.which("python3.11", path="/usr/bin:/usr/local/bin") or shutil.which(
        "python3.11"
    )
    if not python:
        pytest.skip("no Python 3.11, which tflite-runtime 2.14 is for")
    if not (OLDER / "tflite_runtime").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--only-binary=:all:"]
        where = ["--target", OLDER, "--python-version", "3.11"]
        done = subprocess.run([*pip, *where, *WANTED], capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(OLDER, ignore_errors=True)
            pytest.skip(f"tflite-runtime cannot be had: {done.stderr.strip()[-200:]}")
    return Runtime(python, "tflite-runtime 2.14.0", OLDER)


@pytest.fixture(scope="module", params=["ai-edge-litert", "tflite-runtime"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    if request.param == "tflite-runtime":
        return older_runtime()
    return Runtime(sys.executable, "ai-edge-litert")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("model"))


def test_an_edge_tpu_that_works_does_the_work(
    runtime: Runtime, model: Path, tmp_path: Path
) -> None:
    said = runtime.run(model, library(tmp_path))
    assert said["runtime"].startswith(runtime.name)
    assert (said["delegate"], said["degraded"], said["status"]) == ("edgetpu", None, 0)
    assert said["apart"] <= 0.02, "states go out and come in again, frame by frame"


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_a_sentence_and_the_cpu_does_the_work(
    runtime: Runtime, model: Path, tmp_path: Path, fault: str
) -> None:
    said = runtime.run(model, library(tmp_path, fault))
    code, words = FAULTS[fault]
    assert (said["delegate"], said["degraded"], said["apart"]) == ("cpu", code, 0.0)
    assert words in said["log"]
    assert "docs/how-to/coral.md" in said["log"]


def test_a_library_that_is_not_there_leaves_the_cpu_to_work(runtime: Runtime, model: Path) -> None:
    said = runtime.run(model, "libmissing.so.1")
    assert (said["delegate"], said["degraded"]) == ("cpu", "edgetpu_no_library")
    assert "cannot open shared object file" in said["log"]


def test_a_stick_that_is_pulled_out_in_mid_run_is_told_as_such(
    runtime: Runtime, model: Path, tmp_path: Path
) -> None:
    said = runtime.run(model, library(tmp_path, "FAIL_AFTER=15"))
    assert said["lost"] == "edgetpu_lost", "which ends the worker; the next one is on the CPU"
    assert "stopped answering" in said["message"]


@pytest.mark.parametrize(
    ("fault", "stage"),
    [("HANG_LOADING", "loading the library"), ("HANG_AFTER=3", "running frames")],
)
def test_a_library_that_hangs_is_given_up(
    model: Path, tmp_path: Path, fault: str, stage: str
) -> None:
    tried = probe(model, str(library(tmp_path, fault)), timeout_s=15.0)
    assert tried.problem
    assert tried.problem.code == "edgetpu_hung"
    assert f"while {stage})" in tried.problem.message


def test_a_trial_that_is_good_tells_what_the_edge_tpu_brings(model: Path, tmp_path: Path) -> None:
    tried = probe(model, str(library(tmp_path)))
    assert tried.problem is None
    assert tried.agreement > 0.999
    assert tried.edgetpu_ms > 0
    assert tried.cpu_ms > 0


def test_a_trial_whose_words_are_not_understood_is_one_that_crashed() -> None:
    tried = heard(b'libusb: hello\n[1]\n{"stage": "loading the library"}\n{"problem', 1)
    assert tried.problem
    assert "with status 1 while loading the library" in tried.problem.message
    assert heard(b'{"problem": ["a"]}', 0).problem


def opened(model: Path, delegate: Delegate, name: object = "libmissing.so.1") -> Recognizer:
    """Return a recogniser that was opened and closed."""
    with Recognizer(model, threads=1, delegate=delegate, library=str(name)) as recognizer:
        return recognizer


def test_auto_is_content_with_the_cpu_where_there_is_no_coral(model: Path, tmp_path: Path) -> None:
    for name in ("libmissing.so.1", library(tmp_path, "ABSENT")):
        recognizer = opened(model, Delegate.AUTO, name)
        assert (recognizer.delegate, recognizer.degraded) == (Delegate.CPU, None)


def test_auto_uses_a_coral_that_is_there_and_tells_of_one_that_is_broken(
    model: Path, tmp_path: Path
) -> None:
    assert opened(model, Delegate.AUTO, library(tmp_path)).delegate is Delegate.EDGETPU
    broken = opened(model, Delegate.AUTO, library(tmp_path, "CRASH_LOADING")).degraded
    assert broken
    assert broken.code == "edgetpu_crashed"


def test_a_model_without_a_form_for_it_is_told_only_where_an_edge_tpu_is_wanted(
    tmp_path: Path,
) -> None:
    plain = place(tmp_path, small_model(SMALL, "int8", "cpu"))
    wanted = opened(plain, Delegate.EDGETPU)
    assert wanted.degraded
    assert wanted.degraded.code == "edgetpu_no_form"
    assert "edgehome models export" in wanted.degraded.remedy
    assert opened(plain, Delegate.AUTO).degraded is None


def test_cpu_never_touches_the_library(model: Path, tmp_path: Path) -> None:
    recognizer = opened(model, Delegate.CPU, library(tmp_path, "CRASH_LOADING"))
    assert (recognizer.delegate, recognizer.degraded) == (Delegate.CPU, None)


def test_a_form_that_is_missing_changed_or_another_models_is_not_used(tmp_path: Path) -> None:
    good = library(tmp_path)
    model = write(tmp_path)
    edgetpu_file(model).write_bytes(edgetpu_file(model).read_bytes() + b"\0")
    changed = opened(model, Delegate.EDGETPU, good).degraded
    edgetpu_file(model).unlink()
    missing = opened(model, Delegate.AUTO, good).degraded
    other = write(tmp_path / "other", small_model(SMALL, "int8", "tpu"))
    strange = opened(other, Delegate.EDGETPU, good).degraded
    words = ("is not the file", "No such file", "something else than the model")
    for problem, said in zip((changed, missing, strange), words, strict=True):
        assert problem
        assert problem.code == "edgetpu_file"
        assert said in problem.message


def test_a_compiler_that_drops_the_signature_does_no_harm(tmp_path: Path) -> None:
    model = write(tmp_path, for_edge_tpu(mean_colour("tpu"), signature=False))
    assert opened(model, Delegate.EDGETPU, library(tmp_path)).delegate is Delegate.EDGETPU


def test_a_form_for_another_accelerator_is_found_by_the_trial(tmp_path: Path) -> None:
    model = write(tmp_path, for_edge_tpu(mean_colour("tpu"), operator=f"not-{CUSTOM}"))
    degraded = opened(model, Delegate.EDGETPU, library(tmp_path)).degraded
    assert degraded
    assert degraded.code == "edgetpu_other_abi"


def test_members_of_an_ensemble_share_the_edge_tpu(tmp_path: Path) -> None:
    model = write(tmp_path)
    name = str(library(tmp_path))
    with Recognizer(
        model, threads=1, delegate=Delegate.EDGETPU, library=name, ensemble=2
    ) as recognizer:
        assert recognizer.delegate is Delegate.EDGETPU
        assert steps(recognizer, pictures(6, size=8)).shape == (6, 0)


def test_only_what_the_edge_tpu_fails_at_is_called_its_loss(model: Path, tmp_path: Path) -> None:
    """On the CPU a runtime that fails is a fault of ours, and its traceback is to be seen."""
    name = str(library(tmp_path, "FAIL_AFTER=12"))
    with Recognizer(model, threads=1, delegate=Delegate.EDGETPU, library=name) as recognizer:
        assert recognizer.delegate is Delegate.EDGETPU
        with pytest.raises(EdgehomeError) as raised:
            steps(recognizer, pictures(20, size=8))
    assert raised.value.problem.code == "edgetpu_lost"
