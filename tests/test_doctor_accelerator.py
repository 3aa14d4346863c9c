"""Doctor on what does the model's work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgetpu.fake import library
from edgetpu.fake_models import write

from edgehome.config.types import Config, RecognizerConfig, RuntimeConfig
from edgehome.doctor.accelerator import delegate
from edgehome.doctor.finding import Finding
from edgehome.messages import Ready
from edgehome.recognizer.edgetpu import NO_DEVICE, edgetpu_problem
from edgehome.types import Delegate

READY = Ready((), 5.0, "ab", "a runtime", None)


def said(
    folder: Path, wanted: Delegate, ready: Ready, *faults: str, served: bool = False
) -> Finding:
    runtime = RuntimeConfig(wanted, str(library(folder, *faults)))
    config = Config(recognizer=RecognizerConfig(model=write(folder)), runtime=runtime)
    return delegate(config, ready, served=served)


def test_an_edge_tpu_at_work_is_told_with_what_it_brings(tmp_path: Path) -> None:
    found = said(tmp_path, Delegate.AUTO, replace(READY, delegate=Delegate.EDGETPU))
    assert found.state == "good"
    assert "ms on one core of the CPU" in found.message
    assert "agree with the CPU's to 1.0" in found.message


def test_one_that_fails_only_now_is_told_too(tmp_path: Path) -> None:
    ready = replace(READY, delegate=Delegate.EDGETPU)
    found = said(tmp_path, Delegate.AUTO, ready, "CRASH_LOADING")
    assert (found.state, "SIGSEGV" in found.message) == ("poor", True)


def test_one_that_is_wanted_and_not_there_is_poor(tmp_path: Path) -> None:
    ready = replace(READY, degraded=edgetpu_problem(NO_DEVICE, "none"))
    found = said(tmp_path, Delegate.EDGETPU, ready)
    assert (found.state, "Plug the Coral in" in found.remedy) == ("poor", True)
    held = said(tmp_path, Delegate.EDGETPU, ready, served=True)
    assert "with the service stopped" in held.remedy


def test_the_cpu_is_good_where_no_edge_tpu_was_asked_for(tmp_path: Path) -> None:
    assert "as runtime.delegate says" in said(tmp_path, Delegate.CPU, READY).message
    assert "no Edge TPU answers" in said(tmp_path, Delegate.AUTO, READY).message
    bare = delegate(Config(), READY, served=False)
    assert "no form" in bare.message
