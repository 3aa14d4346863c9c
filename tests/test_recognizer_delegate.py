"""External delegates that are not there, do not fit, or crash."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from small_model import SMALL, pictures, place, small_model, steps

from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Delegate

SOURCES = {
    "no_entry_point": "int nothing(void) { return 0; }",
    "crashing": """
        void *tflite_plugin_create_delegate(char **k, char **v, unsigned long n, void *e)
        { return *(void **)8; }
        void tflite_plugin_destroy_delegate(void *d) {}""",
    "without_device": """
        void *tflite_plugin_create_delegate(char **k, char **v, unsigned long n,
                                            void (*report)(const char *))
        { report("no device found"); return 0; }
        void tflite_plugin_destroy_delegate(void *d) {}""",
}


@pytest.fixture(scope="module", params=["cpu", "tpu"])
def model(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    return place(tmp_path_factory.mktemp("model"), small_model(SMALL, "int8", request.param))


def library(folder: Path, source: str) -> str:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if not compiler:
        pytest.skip("no C compiler to build a delegate with")
    text, made = folder / "delegate.c", folder / "libdelegate.so"
    text.write_text(source)
    subprocess.run([compiler, "-shared", "-fPIC", "-w", "-o", made, text], check=True)
    return str(made)


def opened_on_the_cpu(model: Path, delegate: str, ensemble: int = 1) -> str:
    """Return what is said of the delegate, having seen that the model runs without it."""
    with Recognizer(
        model, threads=1, delegate=Delegate.EDGETPU, library=delegate, ensemble=ensemble
    ) as recognizer:
        assert recognizer.degraded is not None
        assert recognizer.degraded.code == "delegate_unusable"
        with Recognizer(model, threads=1, ensemble=ensemble) as without:
            expected = steps(without, pictures(3))
        assert np.array_equal(steps(recognizer, pictures(3)), expected)
        return recognizer.degraded.message


@pytest.mark.parametrize("ensemble", [1, 2])
def test_a_library_that_is_not_there_leaves_the_cpu_to_work(model: Path, ensemble: int) -> None:
    said = opened_on_the_cpu(model, "libmissing.so.1", ensemble)
    assert "cannot open shared object file" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no_entry_point", "undefined symbol"),
        ("crashing", "it crashed with SIGSEGV"),
        ("without_device", "delegate"),
    ],
)
def test_a_library_that_does_not_work_leaves_the_cpu_to_work(
    model: Path, tmp_path: Path, name: str, said: str
) -> None:
    assert said in opened_on_the_cpu(model, library(tmp_path, SOURCES[name]))


def test_a_library_that_works_is_used(model: Path, tmp_path: Path, shared: Path) -> None:
    """One that takes only operators made for it, as the Edge TPU's does."""
    source = shared / "harness" / "pi" / "fake_edgetpu.c"
    if not source.is_file():
        pytest.skip(f"no {source}")
    delegate = library(tmp_path, source.read_text())
    with Recognizer(
        model, threads=1, delegate=Delegate.EDGETPU, library=delegate, ensemble=2
    ) as recognizer:
        assert recognizer.degraded is None
        scores = steps(recognizer, pictures(3))
    with Recognizer(model, threads=1, ensemble=2) as without:
        assert np.allclose(scores, steps(without, pictures(3)), atol=0.02)
