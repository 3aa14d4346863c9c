"""What does the model's work, and what an Edge TPU brings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from edgehome.config.types import Config
from edgehome.doctor.finding import Finding
from edgehome.messages import Ready
from edgehome.recognizer.delegate import Tried, probe
from edgehome.recognizer.edgetpu import NO_DEVICE, has_form
from edgehome.types import Delegate

_OURS = "edgetpu_"


def delegate(
    config: Config, ready: Ready, *, served: bool, attempt: Callable[[Path, str], Tried] = probe
) -> Finding:
    """Return what does the work in the worker that was tried, which has ended.

    `served`: the service runs, and may have the stick, which one process at a time can use.
    """
    runtime, model = config.runtime, config.recognizer.model
    problem = ready.degraded if ready.degraded and ready.degraded.code.startswith(_OURS) else None
    if problem:
        remedy = problem.remedy
        if served and problem.code == NO_DEVICE:
            remedy = f"The service may have it: try with the service stopped. {remedy}"
        return Finding("delegate", "poor", problem.message, remedy)
    if ready.delegate == Delegate.EDGETPU:
        found = attempt(model, runtime.library)
        if found.problem:
            return Finding("delegate", "poor", found.problem.message, found.problem.remedy)
        times = f"{found.edgetpu_ms:.1f} ms a frame, {found.cpu_ms:.1f} ms on one core of the CPU"
        message = f"an Edge TPU: {times}; its embeddings agree with the CPU's to {found.agreement}"
        return Finding("delegate", "good", message)
    if runtime.delegate is Delegate.CPU:
        return Finding("delegate", "good", "the CPU, as runtime.delegate says")
    why = "no Edge TPU answers" if has_form(model) else "the model has no form for an Edge TPU"
    return Finding("delegate", "good", f"the CPU: {why}, and none is asked for")
