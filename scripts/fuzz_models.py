"""Corrupted models, each loaded as the worker loads it, in a child that may die of it.

With its manifest, whose SHA-256 is that of the sound file, and with one that agrees with the
corrupted bytes, as if nobody had checked.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from figures import Progress, memory_mb

from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Frame, ModelError

ROOT = Path(__file__).resolve().parents[1]
MODEL = ROOT / "models" / "edgehome-a0.tflite"
CHILD_S = 20
"""A child that takes longer hangs."""
RAN, REFUSED, HASH, OTHER = 0, 10, 11, 12


def fuzz_models(count: int, seed: int) -> tuple[dict[str, object], list[str]]:
    """Return the figures and what is wrong with them."""
    chance = random.Random(seed)  # noqa: S311  # to be repeated
    sound = MODEL.read_bytes()
    manifest = json.loads(MODEL.with_suffix(".json").read_text(encoding="utf-8"))
    checked: Counter[str] = Counter()
    unchecked: Counter[str] = Counter()
    others: Counter[str] = Counter()
    progress = Progress()
    start_mb = 0.0
    with tempfile.TemporaryDirectory(dir=_in_memory()) as place:
        model = Path(place) / "model.tflite"
        shutil.copytree(MODEL.parent / "heads", model.parent / "heads")
        for number in range(count):
            if number == min(10, count - 1):
                start_mb = memory_mb()
            data = corrupted(sound, chance)
            model.write_bytes(data)
            for outcomes, digest in (
                (checked, manifest["sha256"]),
                (unchecked, hashlib.sha256(data).hexdigest()),
            ):
                told = json.dumps(manifest | {"sha256": digest})
                model.with_suffix(".json").write_text(told, encoding="utf-8")
                outcome = load_in_child(model, manifest["size"])
                outcomes[outcome] += 1
                if outcome == "another exception":
                    others[model.with_name("error").read_text(encoding="utf-8")] += 1
            progress(f"{number:,} of {count:,} models: {dict(unchecked)}")
    figures: dict[str, object] = {
        "models": count,
        "with_the_hash": dict(checked),
        "without_it": dict(unchecked),
        "other_exceptions": dict(others.most_common(5)),
        "grown_mb": round(memory_mb() - start_mb, 2),
    }
    past = count - checked["stopped by the hash"]
    return figures, [f"{past} got past the hash"] if past else []


def _in_memory() -> str | None:
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108


def corrupted(sound: bytes, chance: random.Random) -> bytes:
    """Return the file as a worn card, a cut download or a wrong copy leaves it; never sound."""
    data = bytearray(sound)
    at = chance.randrange(len(data))
    kind = chance.randrange(6)
    if kind == 0:
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        for _ in range(chance.randrange(1, 40)):
            data[chance.randrange(len(data))] = chance.randrange(256)
    elif kind == 2:
        del data[at:]
    elif kind == 3:
        page = at // 4096 * 4096
        data[page : page + 4096] = chance.randbytes(len(data[page : page + 4096]))
    elif kind == 4:
        other = chance.randrange(len(data)) // 4096 * 4096
        page = at // 4096 * 4096
        data[page : page + 4096] = data[other : other + len(data[page : page + 4096])]
    else:  # in the structure, which comes last in a file of ours and first in others
        for _ in range(chance.randrange(1, 6)):
            near = chance.choice((0, max(0, len(data) - 65536)))
            data[near + chance.randrange(min(65536, len(data)))] = chance.randrange(256)
    return bytes(data) if data != sound else corrupted(sound, chance)


def load_in_child(model: Path, size: int) -> str:
    """Return what came of loading the model and running it on two frames."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(_load(model, size))
        except BaseException as error:  # noqa: BLE001  # the child never returns to the loop
            model.with_name("error").write_text(repr(error)[:200], encoding="utf-8")
            os._exit(OTHER)
    until_s = time.monotonic() + CHILD_S
    while time.monotonic() < until_s:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return _outcome(os.waitstatus_to_exitcode(status))
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


def _load(model: Path, size: int) -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the runtime says of it
    frames = [np.full((size, size, 3), shade, np.uint8) for shade in (0, 128)]
    try:
        with Recognizer(model, threads=1) as recognizer:
            for number, image in enumerate(frames):
                recognizer.step(Frame(number / 5, datetime(2000, 1, 1, tzinfo=UTC), image))
    except ModelError as error:
        return HASH if error.problem.code == "model_hash" else REFUSED
    return RAN


def _outcome(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    named = {RAN: "loaded and ran", REFUSED: "refused", HASH: "stopped by the hash"}
    return named.get(status, "another exception")
