"""Tries an external delegate, such as libedgetpu.so.1, where a crash hurts nobody.

Loading a delegate runs its code, and one made for another version of the runtime can end the
process with SIGSEGV (google-coral/edgetpu issues 401 and 660), so a child process goes first.
"""

from __future__ import annotations

import signal
import subprocess
import sys

from edgehome.types import Problem

_TIMEOUT_S = 30.0
_TRY = "from edgehome.recognizer.litert import try_delegate; try_delegate()"


def probe(model: bytes, delegate: str) -> Problem | None:
    """Load the delegate, and run the model once with it, in a child; return what is wrong."""
    try:
        child = subprocess.run(
            [sys.executable, "-c", _TRY, delegate],
            input=model,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return unusable(delegate, f"it did not answer within {_TIMEOUT_S:.0f} s")
    if child.returncode == 0:
        return None
    if child.returncode < 0:
        return unusable(delegate, f"it crashed with {signal.Signals(-child.returncode).name}")
    lines = (child.stdout or child.stderr).decode("utf-8", "replace").strip().splitlines()
    return unusable(delegate, lines[-1] if lines else f"it ended with status {child.returncode}")


def unusable(delegate: str, why: str) -> Problem:
    """Return the problem of a delegate that the work goes on without."""
    return Problem(
        "delegate_unusable",
        f"The delegate {delegate} cannot be used ({why}), so the model runs on the CPU.",
        "Check that the device is plugged in and its library fits this runtime, "
        "or set runtime.delegate to cpu.",
    )
