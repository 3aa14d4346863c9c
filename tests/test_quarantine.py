"""A model that kills its workers gives way to the one before, on the whole node."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from broker import Listener, wait_for
from daemon import STATE, Daemon, problems, wait_for_alerts
from keeper import with_faults

WORD, VALUE = 767_044, b"\0\0\0\1"
"""One word of the model in the box that makes the runtime abort (LiteRT 2.3.0, x86-64)."""
LOAD = (
    "import sys; from pathlib import Path\n"
    "from edgehome.recognizer.recognizer import Recognizer\n"
    "with Recognizer(Path(sys.argv[1]), threads=1, window_s=10.0): pass\n"
)


def place(model: Path, data: bytes, like: Path) -> None:
    """Write a model with the manifest and the heads of another one."""
    model.parent.mkdir(exist_ok=True)
    manifest = json.loads(like.with_suffix(".json").read_text())
    manifest["sha256"] = hashlib.sha256(data).hexdigest()
    model.with_suffix(".json").write_text(json.dumps(manifest))
    model.write_bytes(data)
    if not (model.parent / "heads").exists():
        shutil.copytree(like.parent / "heads", model.parent / "heads")


def place_killer(model: Path, like: Path) -> str:
    """Write a model that kills whoever loads it; return how it does."""
    data = bytearray(like.read_bytes())
    data[WORD : WORD + len(VALUE)] = VALUE
    place(model, bytes(data), like)
    status = subprocess.run(
        [sys.executable, "-c", LOAD, model], capture_output=True, check=False
    ).returncode
    if status < 0:
        return f"one corrupt word ends the runtime with signal {-status}"
    place(model, like.read_bytes() + b"KILLS", like)
    return "no corrupt word is known for this model and runtime: tests/faults kills"


def test_a_model_that_kills_three_workers_is_quarantined_until_its_file_is_another(
    daemon: Daemon,
    listener: Listener,
    box_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with_faults(monkeypatch)
    good, bad = daemon.folder / "good" / "good.tflite", daemon.folder / "new" / "new.tflite"
    place(good, box_model.read_bytes(), box_model)
    how = place_killer(bad, box_model)
    daemon.state.mkdir()
    digest = hashlib.sha256(good.read_bytes()).hexdigest()
    # As two minutes of frames leave it.
    kept = {"good_model": str(good), "good_sha256": digest}
    (daemon.state / "state.json").write_text(json.dumps(kept))
    daemon.config["recognizer"]["model"] = str(bad)
    daemon.write()
    daemon.start()
    wait_for(lambda: "model_quarantined" in problems(listener), 40)
    problem = problems(listener)["model_quarantined"]
    assert (
        problem["message"] == "The model new.tflite killed three workers; good.tflite runs instead."
    )
    assert "reload" in problem["remedy"]
    wait_for_alerts(listener, 2)
    wait_for(lambda: set(problems(listener)) == {"model_quarantined"}, 10)
    assert listener.heard(f"{STATE}")[-1].json["problem"] == "ON"
    deaths = daemon.said().count("worker_ended")
    assert deaths == 3
    with capsys.disabled():
        print(f"\nquarantined after {deaths} workers; {how}")

    daemon.end()
    count = len(listener.heard(f"{STATE.removesuffix('state')}alert"))
    daemon.start()
    wait_for_alerts(listener, count + 1)
    wait_for(lambda: set(problems(listener)) == {"model_quarantined"}, 10)
    assert daemon.said().count("worker_ended") == deaths, "it outlives a restart"

    place(bad, box_model.read_bytes() + b"\0", box_model)
    listener.say(f"{STATE.removesuffix('state')}retry/set", b"PRESS")
    wait_for(lambda: problems(listener) == {}, 20, "the file is another one")
    wait_for(lambda: daemon.said().count(": model ") >= 3, 20)
    assert daemon.said().count("worker_ended") == deaths
