"""Runs a published file as it is over the bundled pictures, in a process of its own.

`python -m edgehome.models.published_run FILE` writes the logits, (scenes, frames, labels), to
standard output as numpy's .npy, or ends with status 65 and a sentence. A damaged file may crash
the runtime; then only this process is lost.
"""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgehome.models.frames import scenes
from edgehome.movinet.published import pixel_values, read_published
from edgehome.recognizer.litert import open_interpreter
from edgehome.recognizer.tflite_file import TfliteFile, refused
from edgehome.types import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIMEOUT_S = 600.0
_EX_DATAERR = 65


def published_outputs(model: Path) -> NDArray[np.float32]:
    """Return the logits of a published file, (scenes, frames, labels), from a child process.

    Raises ModelError (`model_refused`) when the file does not survive being run.
    """
    command = [sys.executable, "-m", "edgehome.models.published_run", str(model)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise refused(f"it did not run within {_TIMEOUT_S:.0f} s") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise refused(f"running it ends with status {done.returncode}: {(said or ['no word'])[-1]}")
    logits: NDArray[np.float32] = np.load(io.BytesIO(done.stdout))
    return logits


def _run(model: Path) -> NDArray[np.float32]:
    data = model.read_bytes()
    graph = TfliteFile(data)
    interface = read_published(graph)
    signature = graph.signatures[0]
    runner = open_interpreter(data, threads=1).get_signature_runner(signature.key)
    details = runner.get_input_details()
    logits = next(n for n, i in signature.outputs.items() if i == interface.logits)
    image = next(n for n, i in signature.inputs.items() if i == interface.image)
    values = pixel_values(graph.tensors[interface.image], 0.0, 1.0)
    said = []
    for scene in scenes(interface.size):
        states = {n: np.zeros(d["shape"], d["dtype"]) for n, d in details.items() if n != image}
        for picture in scene:
            states = runner(**states, **{image: values[picture][np.newaxis, np.newaxis]})
            said.append(states.pop(logits).reshape(-1))
    return np.stack(said).reshape(len(scenes(interface.size)), -1, interface.classes)


def main() -> int:
    """Be the child."""
    try:
        logits = _run(Path(sys.argv[1]))
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return _EX_DATAERR
    out = io.BytesIO()
    np.save(out, logits)
    sys.stdout.buffer.write(out.getvalue())
    return 0


if __name__ == "__main__":
    sys.exit(main())
