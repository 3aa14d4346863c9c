"""What the outbox costs a card, and what a power cut costs: short forms of two scripts."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import power_cuts  # noqa: E402
from crash_disk import Disk, Event  # noqa: E402

LONG = os.environ.get("EDGEHOME_TEST_LONG") == "1"
CANNOT = 2


def script(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / name), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode == CANNOT:
        pytest.skip(done.stderr.strip())
    return done


def test_an_alert_costs_at_most_forty_kibibytes_and_three_flushes_and_idling_nothing() -> None:
    options = [] if LONG else ["--alerts", "60", "--idle", "3"]
    done = script("bench_writes.py", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["together"]["kib"] <= 40
    assert found["together"]["flushes"] <= 3
    assert found["apart"]["kib"] <= 40
    assert found["idle"]["kib"] == 0


def test_a_power_cut_at_any_write_or_sync_corrupts_nothing_and_loses_nothing() -> None:
    options = ["--seeds", "6"] if LONG else ["--seeds", "1", "--every", "4"]
    done = script("power_cuts.py", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["cuts"] > (6000 if LONG else 400)
    assert found["corrupt"] == found["lost"] == found["split"] == 0


def test_without_its_syncs_the_outbox_would_lose_alerts_and_the_simulator_would_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (compiler := shutil.which("cc")):
        pytest.skip("there is no C compiler")
    monkeypatch.setattr(power_cuts.outbox_file, "RESERVE_PAGES", power_cuts.RESERVE_PAGES)
    shim = tmp_path / "disk_shim.so"
    source = ROOT / "scripts" / "disk_shim.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)
    files, events = power_cuts.recorded(shim, tmp_path, old=False)
    unsynced = [event for event in events if event.kind != "S"]
    found = power_cuts.cut_all(files, unsynced, 0, 40)
    assert found.lost > found.cuts // 2
    assert found.corrupt > 0


def test_the_simulated_disk_keeps_what_was_synced_and_tears_what_was_not() -> None:
    disk = Disk({})
    for event in [
        Event("C", "/d/a", 0, b""),
        Event("W", "/d/a", 0, b"s" * 1024),
        Event("S", "/d/a", 0, b""),
        Event("W", "/d/a", 0, b"u" * 1024),
        Event("C", "/d/b", 0, b""),
    ]:
        disk.take(event)
    left = [disk.cut(random.Random(seed)) for seed in range(200)]
    halves = {files["a"][:512:511] + files["a"][512::511] for files in left}
    assert halves == {b"ssss", b"ssuu", b"uuss", b"uuuu"}
    assert {"b" in files for files in left} == {True, False}
