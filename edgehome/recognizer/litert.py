"""Runs a stream model in LiteRT, or in tflite-runtime where only that is; nothing else does."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from edgehome.recognizer.tflite_file import refused
from edgehome.types import ModelError

try:
    from ai_edge_litert import interpreter as _runtime

    _PACKAGE = "ai-edge-litert"
except ImportError:
    try:
        from tflite_runtime import interpreter as _runtime

        _PACKAGE = "tflite-runtime"
    except ImportError:
        _runtime = None

DELEGATE_ERRORS = (OSError, ValueError, AttributeError, RuntimeError)
"""What the runtimes raise for a delegate without its file, device, entry point or operators."""


def runtime_version() -> str:
    """Return the name and version of the installed runtime.

    Raises ModelError (`runtime_missing`).
    """
    if _runtime is None:
        raise ModelError(
            "runtime_missing",
            "Neither ai-edge-litert nor tflite-runtime is installed.",
            "Install edgehome with install.sh, or: pip install ai-edge-litert.",
        )
    return f"{_PACKAGE} {version(_PACKAGE)}"


def load_delegate(library: str) -> Any:  # noqa: ANN401
    """Return an external delegate; raises one of DELEGATE_ERRORS, if the process survives it.

    OSError: there is no such library, or none that it needs; AttributeError: it is no delegate;
    ValueError: it finds no device.
    """
    return _runtime.load_delegate(library)


def open_interpreter(model: bytes, *, threads: int, delegate: Any = None) -> Any:  # noqa: ANN401
    """Return the runtime's interpreter of a model, its memory allocated.

    Raises ModelError (`runtime_missing`, `model_refused`). With one that `load_delegate` gave, one
    of DELEGATE_ERRORS instead, if the process survives it.
    """
    runtime_version()
    delegates = [delegate] if delegate else None
    try:
        interpreter = _runtime.Interpreter(
            model_content=model, num_threads=threads, experimental_delegates=delegates
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        if delegate:
            raise
        raise refused(f"the runtime says: {error}") from error
    return interpreter
