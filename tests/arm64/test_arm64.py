"""What a Raspberry Pi runs, on Debian 12 and 13 for arm64: EDGEHOME_TEST_ARM64=1, five minutes.

Needs root, mmdebstrap, qemu-user-static and a package mirror. qemu translates the instructions, so
every number is a Pi's and no time is; its kernel is this machine's.
"""

from __future__ import annotations

import json
import lzma
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broker import PASSWORD, USER, Broker, Listener, wait_for
from command_line import edgehome
from edgetpu import fake, fake_models
from emulation import CACHE, PI_3, PROJECT, QEMU, ROOT, SITE, SRV
from pair import Pair, finish

from edgehome.models.agreement import outputs
from edgehome.models.frames import FILE as FRAMES
from edgehome.models.frames import scenes
from edgehome.recognizer.delegate import probe

TOOLS = ("mmdebstrap", "unshare", "chroot", QEMU)
pytestmark = [
    pytest.mark.skipif("EDGEHOME_TEST_ARM64" not in os.environ, reason="EDGEHOME_TEST_ARM64=1"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter another root"),
    *(
        pytest.mark.skipif(
            shutil.which(tool) is None, reason=f"no {tool} here: see CONTRIBUTING.md"
        )
        for tool in TOOLS
    ),
]

IN_THE_ROOT = f"{PROJECT}/tests/arm64/in_the_root.py"
PROBABILITY = 0.03
"""How far a probability may lie from this machine's, at any frame; 0.0143 was the most seen."""
EMBEDDING = 0.03
"""How far an embedding may, as a share of its largest number."""

CLIPS = ("room-day-fall.mp4", "room-day-fight.mp4", "room-day-empty.mp4")
RULES = """\
recognizer: {{model: {project}/models/edgehome-a0.tflite}}
rules:
  - {{name: Fall, when: fall, for: 1s}}
  - {{name: Fight, when: fighting, for: 1s}}
  - {{name: Visitor, when: person, above: 0.3, for: 1s}}
"""
EXPECTED = """\
- {clip: room-day-fall.mp4, rule: Visitor, at: 1.4s, within: 0s}
- {clip: room-day-fall.mp4, rule: Fall, at: 7.6s, within: 0s}
- {clip: room-day-fight.mp4, rule: Visitor, at: 1.2s, within: 0s}
- {clip: room-day-fight.mp4, rule: Fight, at: 3.8s, within: 0s}
"""
STAND_IN = ROOT / "tests" / "movinet" / "originals" / "a0.dynamic.tflite.xz"
"""A network of random weights, in a file as Google's converter writes it."""
TFLITE = "tflite-runtime==2.14.0"
TFLITE_HASH = "ce9fa5d770a9725c746dcbf6f59f3178233b3759f09982e8b2db8d2234c333b0"

FAULTS = {
    "good": ([], None),
    "missing": ([], "edgetpu_no_library"),
    "no_entry": (["NO_ENTRY"], "edgetpu_no_entry"),
    "absent": (["ABSENT"], "edgetpu_no_device"),
    "crashing": (["CRASH_LOADING"], "edgetpu_crashed"),
    "pulled": (["FAIL_AFTER=2"], "edgetpu_lost"),
}
"""What is wrong with an Edge TPU's library, and what is to be said of it."""
CROSS_COMPILER = "aarch64-linux-gnu-gcc"


def good(finished: tuple[int, str, str]) -> str:
    """Return what was said, of a command that ended well."""
    status, said, complained = finished
    assert status == 0, f"status {status}\n{said}\n{complained}"
    return said


def found(finished: tuple[int, str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(good(finished).splitlines()[-1])
    return answer


def test_the_locked_packages_install_and_every_module_is_imported(pair: Pair, suite: str) -> None:
    answer = found(pair.run(suite, IN_THE_ROOT, "imports"))
    assert answer["machine"] == "aarch64"
    assert answer["modules"] > 150
    assert answer["numpy"].startswith({"bookworm": "1.24.", "trixie": "2.2."}[suite]), "apt's"


def test_the_commands_run(pair: Pair, suite: str) -> None:
    assert "usage: edgehome" in good(pair.run(suite, "-m", "edgehome", "--help"))
    checked = pair.run(suite, "-m", "edgehome", "check", f"{PROJECT}/config.yaml")
    assert "good, rules: 2" in good(checked)


def test_the_model_runs_under_xnnpack_and_says_what_it_says_here(
    pair: Pair, suite: str, box_model: Path
) -> None:
    finished = pair.run(suite, IN_THE_ROOT, "recognise", "pi5.npy")
    assert found(finished)["outside"] == []
    assert "Created TensorFlow Lite XNNPACK delegate" in finished[2]
    there = np.load(pair.systems[suite].folder / "pi5.npy")
    (here,) = outputs(box_model.read_bytes(), scenes(172)[:1])
    apart = float(np.abs(there[0] - here).max() / np.abs(here).max())
    print(f"{suite}: embeddings up to {apart:.4f} of the largest number apart")
    assert apart <= EMBEDDING


def test_an_older_pi_says_the_same(pair: Pair, suite: str) -> None:
    """It lacks the instruction that multiplies bytes, so other code of XNNPACK does the work."""
    good(pair.run(suite, IN_THE_ROOT, "recognise", "pi5.npy"))
    assert found(pair.run(suite, IN_THE_ROOT, "recognise", "pi3.npy", board=PI_3))["outside"] == []
    folder = pair.systems[suite].folder
    assert np.array_equal(np.load(folder / "pi3.npy"), np.load(folder / "pi5.npy"))


def test_it_would_be_seen_if_xnnpack_was_off(pair: Pair, suite: str) -> None:
    """As it is, without a word, where the runtime cannot read what processors there are."""
    for system in pair.systems.values():
        (system.folder / "empty").mkdir(exist_ok=True)
    unread = (("empty", "/sys"),)
    finished = pair.run(suite, IN_THE_ROOT, "recognise", "off.npy", binds=unread)
    assert found(finished)["outside"] == ["0 partitions"]
    assert "XNNPACK" not in finished[2]


def test_the_model_agrees_with_its_float32(pair: Pair, suite: str) -> None:
    answer = found(pair.run(suite, IN_THE_ROOT, "selftest"))
    print(suite, answer)
    assert answer["good"]


def test_a_fall_a_fight_and_an_empty_room_are_told_as_here(
    pair: Pair, suite: str, tmp_path: Path
) -> None:
    for system in pair.systems.values():
        (system.folder / "rules.yaml").write_text(RULES.format(project=PROJECT))
        (system.folder / "expected.yaml").write_text(EXPECTED)
    folder = pair.systems[suite].folder
    good(pair.run(suite, "-m", "edgehome", *replay(PROJECT, SRV)))
    (tmp_path / "rules.yaml").write_text(RULES.format(project=ROOT))
    (tmp_path / "expected.yaml").write_text(EXPECTED)
    done = edgehome(*replay(str(ROOT), str(tmp_path)))
    assert done.returncode == 0, done.stdout + done.stderr
    there, ours = scores(folder / "scores.jsonl"), scores(tmp_path / "scores.jsonl")
    assert there.shape == ours.shape == (120, 3)
    apart = np.abs(there - ours).max(axis=0)
    print(f"{suite}: probabilities up to {apart.max():.4f} apart")
    assert apart.max() <= PROBABILITY


def replay(project: str, folder: str) -> list[str]:
    """Return the arguments that replay the clips with what lies in the folder."""
    clips = [f"{project}/models/clips/{clip}" for clip in CLIPS]
    told = ["-c", f"{folder}/rules.yaml", "--expect", f"{folder}/expected.yaml"]
    return ["replay", *clips, *told, "--record", f"{folder}/scores.jsonl"]


def scores(recording: Path) -> np.ndarray[Any, Any]:
    """Return the probabilities in a recording, (frames, labels)."""
    lines = [json.loads(line) for line in recording.read_text().splitlines()]
    return np.array([line["s"] for line in lines if "s" in line])


@pytest.mark.parametrize("published", ["a stand-in", "Google's own"])
def test_a_published_model_is_imported_to_the_same_file_as_here(
    pair: Pair, suite: str, published: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """On one of the six bundled scenes: a frame of the original takes half a second here."""
    name = "movinet_a0_stream_int8_k600" if published == "Google's own" else "stand_in"
    if name == "stand_in":
        data = lzma.decompress(STAND_IN.read_bytes())
    else:
        data = request.getfixturevalue("k600_original").read_bytes()
    for system in pair.systems.values():
        (system.folder / f"{name}.tflite").write_bytes(data)
        with np.load(FRAMES) as stored:
            one = {key: stored[key][:1] for key in stored}
        np.savez(system.folder / "frames.npz", **one)
    to = ["models", "import", f"{SRV}/{name}.tflite", "--to", f"{SRV}/{name}", "--name", "made"]
    fewer = (("frames.npz", f"{PROJECT}/edgehome/models/frames.npz"),)
    said = good(pair.run(suite, IN_THE_ROOT, "edgehome", *to, binds=fewer))
    print(f"{suite}: {said}")
    folder = pair.systems[suite].folder
    here = edgehome(*to[:2], folder / f"{name}.tflite", "--to", tmp_path, "--name", "made")
    assert here.returncode == 0, here.stderr
    made, ours = folder / name / "made.tflite", tmp_path / "made.tflite"
    assert made.read_bytes() == ours.read_bytes()


def test_tflite_runtime_does_where_only_that_is(pair: Pair, box_model: Path) -> None:
    """On Debian 12 with its numpy 1.24; there is none for a newer Python."""
    system = pair.systems["bookworm"]
    site = CACHE / "bookworm-tflite"
    if not site.exists():
        wheels = [w for w in system.wheels if not w.name.startswith(("ai_edge_litert", "av-"))]
        system.install(site, [*wheels, tflite_wheel(system.folder)])
    alone = ((str(site), SITE),)
    finished = finish(system, IN_THE_ROOT, "recognise", "old.npy", binds=alone)
    assert found(finished)["runtime"] == "tflite-runtime 2.14.0"
    assert "Created TensorFlow Lite XNNPACK delegate" in finished[2]
    there = np.load(system.folder / "old.npy")
    (here,) = outputs(box_model.read_bytes(), scenes(172)[:1])
    apart = float(np.abs(there[0] - here).max() / np.abs(here).max())
    print(f"tflite-runtime: embeddings up to {apart:.4f} of the largest number apart")
    assert apart <= EMBEDDING


def tflite_wheel(folder: Path) -> Path:
    """Download the last tflite-runtime, whose project has moved to ai-edge-litert."""
    wanted = folder / "tflite.txt"
    wanted.write_text(f"{TFLITE} --hash=sha256:{TFLITE_HASH}\n")
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
         "--only-binary", ":all:", "--python-version", "3.11", "--platform",
         "manylinux_2_34_aarch64", "--dest", folder, "--requirement", wanted],
        check=True,
    )  # fmt: skip
    (wheel,) = folder.glob("tflite_runtime*.whl")
    return wheel


@pytest.mark.skipif(not shutil.which(CROSS_COMPILER), reason=f"no {CROSS_COMPILER} here")
def test_an_edge_tpu_s_library_is_judged_as_here(pair: Pair, suite: str, tmp_path: Path) -> None:
    for system in pair.systems.values():
        fake_models.write(system.folder / "tpu")
        for name, (faults, _) in FAULTS.items():
            if name != "missing":
                fake.library(
                    system.folder / "tpu", *faults, name=f"{name}.so", compiler=CROSS_COMPILER
                )
    libraries = [f"{SRV}/tpu/{name}.so" for name in FAULTS]
    answer = found(pair.run(suite, IN_THE_ROOT, "probe", f"{SRV}/tpu/fake.tflite", *libraries))
    assert {name: said and said[0] for name, said in answer.items()} == {
        name: code for name, (_, code) in FAULTS.items()
    }
    model = fake_models.write(tmp_path)
    for name, (faults, _) in FAULTS.items():
        if name != "missing":
            fake.library(tmp_path, *faults, name=f"{name}.so")
        here = probe(model, str(tmp_path / f"{name}.so"), 60).problem
        sentence = here.message.replace(str(tmp_path), f"{SRV}/tpu") if here else None
        assert answer[name] == (here and [here.code, sentence, here.remedy])


CONFIG = """\
device: {{name: Hall, id: hall}}
camera: {{source: {project}/models/clips/room-day-fight.mp4}}
recognizer: {{model: {project}/models/edgehome-a0.tflite}}
rules:
  - {{name: Visitor, when: person, above: 0.3, for: 1s}}
mqtt: {{host: 127.0.0.1, port: {port}, username: {user}, password_file: {srv}/password}}
"""


def test_a_node_tells_the_broker(
    pair: Pair, suite: str, broker: Broker, listener: Listener
) -> None:
    """Supervisor and worker. What holds the worker in is the kernel's; qemu hands none of it on."""
    system = pair.systems[suite]
    password = system.folder / "password"
    password.touch(mode=0o600)
    password.write_text(PASSWORD)
    text = CONFIG.format(project=PROJECT, srv=SRV, port=broker.port, user=USER)
    (system.folder / "config.yaml").write_text(text)
    run = ("-m", "edgehome", "run", "-c", f"{SRV}/config.yaml", "--state", f"{SRV}/state")
    with system.start(*run) as process:
        try:
            wait_for(lambda: listener.heard("edgehome/hall/alert"), 120, "an alert")
            (supervisor,) = (
                Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            )
            os.kill(int(supervisor), signal.SIGTERM)
            _, complained = process.communicate(timeout=60)
        finally:
            process.kill()
    alert = listener.heard("edgehome/hall/alert")[0].json
    assert (alert["rule"], alert["label"]) == ("Visitor", "person")
    assert process.returncode == 0, complained
    assert listener.heard("edgehome/hall/availability")[-1].payload == b"offline"
