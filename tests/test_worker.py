"""The worker as a process: real model, a clip as its camera, killed in every way."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from made_clips import NUMBERS, numbered_clip
from small_model import place, place_head, small_model
from tiny_stream import tiny_stream

from edgehome.boards import board_name, installed_runtime
from edgehome.budget import Budget, Measured
from edgehome.config.types import Config, MotionConfig
from edgehome.messages import Failure, Measuring, Message, MessageError, Paced, Ready, encode
from edgehome.orders import Settings
from edgehome.process import WorkerProcess
from edgehome.quarantine import file_sha256
from edgehome.settings import worker_settings
from edgehome.types import CameraError, Scores
from edgehome.worker import told

ROOT = Path(__file__).resolve().parents[1]
RSS_MB = 120


@pytest.fixture
def clip(rendered: Path) -> Path:
    return rendered / "room-day-fight.mp4"


class Heard:
    """A worker and all that it has said."""

    def __init__(self, model: Path, source: Path | str, **more: Any) -> None:
        more = {"threads": 1, "delegate": "cpu", "window_s": 10.0, **more}
        settings = Settings(str(source), str(model), **more)
        self.worker = WorkerProcess.spawn(settings)
        self.messages: list[Message] = []

    def until(self, done: Callable[[list[Message]], bool], timeout_s: float = 30) -> None:
        deadline_s = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(self.worker, selectors.EVENT_READ)
            selector.register(self.worker.exit_descriptor, selectors.EVENT_READ)
            while not done(self.messages):
                assert time.monotonic() < deadline_s, self.messages
                selector.select(0.2)
                self.messages += self.worker.messages()
                if self.worker.poll() is not None and not done(self.messages):
                    self.messages += self.worker.messages()
                    assert done(self.messages), (self.worker.poll(), self.messages)

    def scores(self) -> list[Scores]:
        return [message for message in self.messages if isinstance(message, Scores)]


@pytest.fixture
def start() -> Iterator[Callable[[Path, Path | str], Heard]]:
    started: list[Heard] = []

    def begin(model: Path, source: Path | str, **more: Any) -> Heard:
        started.append(Heard(model, source, **more))
        return started[-1]

    yield begin
    for heard in started:
        heard.worker.end()


def test_a_worker_says_what_it_runs_and_then_what_it_sees(
    start: Callable[..., Heard], box_model: Path, clip: Path
) -> None:
    heard = start(box_model, clip)
    heard.until(lambda said: sum(isinstance(m, Scores) for m in said) >= 10)
    ready = heard.messages[0]
    assert isinstance(ready, Ready)
    assert ready.labels == ("fall", "fighting", "person")
    assert ready.degraded is None
    assert ready.rate == 5
    assert [scores.frame for scores in heard.scores()] == list(range(1, len(heard.scores()) + 1))
    times = [scores.time_s for scores in heard.scores()]
    assert times == sorted(times)
    last = heard.scores()[-1].probabilities
    assert list(last) == list(ready.labels)
    assert all(0 < probability < 1 for probability in last.values())


def test_a_worker_tells_of_windows_heads_and_how_warm_it_is(
    start: Callable[..., Heard], tmp_path: Path
) -> None:
    """Of an ensemble of two: each sees every other frame, and has 25 in ten seconds."""
    model = place(tmp_path, small_model())
    place_head(model, "fall")
    (model.parent / "heads" / "broken.json").write_text("{")
    clip = numbered_clip(tmp_path / "clip.mp4", NUMBERS)
    heard = start(model, clip, shorter_s=(3.0, 0.5), ensemble=2)
    heard.until(lambda said: sum(isinstance(m, Scores) for m in said) >= 4)
    ready, *scores = heard.messages[:5]
    assert isinstance(ready, Ready)
    assert ready.degraded
    assert ready.degraded.code == "head_invalid"
    names = [f"{name}{window}" for window in ("", "@3s", "@0.5s") for name in "abcde"]
    assert ready.labels == (*names, "fall")
    for number, one in enumerate(scores):
        assert isinstance(one, Scores)
        assert list(one.probabilities) == list(ready.labels)
        assert one.warm == pytest.approx((number // 2 + 1) / 25)
        assert 0 < one.probabilities["fall"] < 1
        assert 0 < one.inference_ms < 1000


def test_a_worker_whose_scene_is_still_goes_on_telling_what_it_said_last(
    start: Callable[..., Heard], rendered: Path, tmp_path: Path
) -> None:
    """With a window of ten frames: from the eleventh on the model rests."""
    model = place(tmp_path, small_model())
    heard = start(model, rendered / "room-day-empty.mp4", window_s=2.0)
    heard.until(lambda said: sum(isinstance(m, Scores) and m.still for m in said) >= 5)
    scores = heard.scores()
    assert [one.still for one in scores[:10]] == [False] * 10
    assert scores[0].motion == 0
    resting = [one for one in scores if one.still]
    for one in resting:
        assert one.probabilities == scores[9].probabilities
        assert one.motion < 0.01
        assert one.camera == frozenset()
    assert [one.frame for one in scores] == list(range(1, len(scores) + 1))


def test_what_the_configuration_says_of_motion_reaches_the_worker() -> None:
    polygon = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))
    config = Config(motion=MotionConfig(gate=False, threshold=0.2, ignore=(polygon,)))
    settings = worker_settings(config, Path("m.tflite"))
    assert (settings.gate, settings.motion, settings.ignore) == (False, 0.2, (polygon,))


def test_a_worker_whose_gate_is_off_never_rests(
    start: Callable[..., Heard], rendered: Path, tmp_path: Path
) -> None:
    model = place(tmp_path, small_model())
    heard = start(model, rendered / "room-day-empty.mp4", window_s=2.0, gate=False)
    heard.until(lambda said: sum(isinstance(m, Scores) for m in said) >= 15)
    assert not any(one.still for one in heard.scores())


def test_a_worker_stays_under_its_memory(
    start: Callable[..., Heard], box_model: Path, clip: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = start(box_model, clip)
    heard.until(lambda said: sum(isinstance(m, Scores) for m in said) >= 25)
    status = Path(f"/proc/{heard.worker.pid}/status").read_text()
    rss_mb = int(status.split("VmRSS:")[1].split()[0]) / 1024
    with capsys.disabled():
        print(f"\nworker: {rss_mb:.1f} MB resident")
    assert rss_mb < RSS_MB


def test_a_worker_that_is_asked_to_end_does_so_at_once(
    start: Callable[..., Heard], box_model: Path, clip: Path
) -> None:
    heard = start(box_model, clip)
    heard.until(lambda said: any(isinstance(m, Scores) for m in said))
    heard.worker.send_signal(signal.SIGTERM)
    assert heard.worker.wait(1.0)
    assert heard.worker.poll() == 0


def test_a_crash_is_told_from_a_kill(
    start: Callable[..., Heard], box_model: Path, clip: Path
) -> None:
    for number, crashed in ((signal.SIGSEGV, True), (signal.SIGKILL, False)):
        heard = start(box_model, clip)
        heard.until(lambda said: any(isinstance(m, Scores) for m in said))
        heard.worker.send_signal(number)
        assert heard.worker.wait(5.0)
        assert heard.worker.crashed() is crashed


def test_a_worker_dies_with_its_supervisor(box_model: Path, clip: Path) -> None:
    script = (
        "import sys, time\n"
        "from edgehome.orders import Settings\n"
        "from edgehome.process import WorkerProcess\n"
        "worker = WorkerProcess.spawn(Settings(sys.argv[2], sys.argv[1], 1, 'cpu', 10.0))\n"
        "while not any(True for _ in worker.messages()): time.sleep(0.05)\n"
        "print(worker.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(box_model), str(clip)],
        stdout=subprocess.PIPE, text=True, cwd=ROOT,
    ) as parent:  # fmt: skip
        assert parent.stdout
        pid = int(parent.stdout.readline())
        watch = os.pidfd_open(pid)
        parent.kill()
        with selectors.DefaultSelector() as selector:
            selector.register(watch, selectors.EVENT_READ)
            assert selector.select(5), "the worker outlived its supervisor by five seconds"
        os.close(watch)


@pytest.mark.parametrize(
    ("source", "code"),
    [("pi", {"picamera2_missing", "camera_missing"}), ("/none.mp4", {"clip_missing"}),
     ("/dev/video99", {"camera_missing"})],
)  # fmt: skip
def test_a_camera_that_is_not_there_is_a_reason(
    start: Callable[..., Heard], box_model: Path, source: str, code: set[str]
) -> None:
    heard = start(box_model, source)
    heard.until(lambda said: any(isinstance(m, Failure) for m in said))
    failure = heard.messages[-1]
    assert isinstance(failure, Failure)
    assert failure.problem.code in code
    assert failure.problem.remedy


def test_a_model_that_cannot_be_used_is_a_reason(
    start: Callable[..., Heard], box_model: Path, clip: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(box_model.read_bytes()[:500_000])
    published = tmp_path / "published.tflite"
    published.write_bytes(tiny_stream())
    for model, code in (
        (cut, "model_refused"),
        (published, "model_not_compiled"),
        (tmp_path / "none", "model_missing"),
    ):
        heard = start(model, clip)
        heard.until(lambda said: any(isinstance(m, Failure) for m in said))
        failure = heard.messages[-1]
        assert isinstance(failure, Failure)
        assert failure.problem.code == code


def test_all_that_a_worker_said_is_heard_before_it_counts_as_gone() -> None:
    script = (
        "import socket, sys\n"
        "from edgehome.messages import Failure, encode\n"
        "from edgehome.types import Problem\n"
        "with socket.socket(fileno=int(sys.argv[1])) as channel:\n"
        "    for n in range(150):\n"
        "        channel.send(encode(Failure(Problem(f'p{n}', 'x.', 'y.'))))\n"
    )
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        number = theirs.fileno()
        command = [sys.executable, "-c", script, str(number)]
        process = subprocess.Popen(command, pass_fds=(number,), cwd=ROOT)
    ours.setblocking(False)
    worker = WorkerProcess(process, ours)
    assert worker.wait(20)
    heard: list[Message] = []
    while not worker.gone():
        heard += worker.messages()
    worker.close()
    codes = [message.problem.code for message in heard if isinstance(message, Failure)]
    assert codes == [f"p{n}" for n in range(150)]


def test_a_still_scene_of_a_second_model_has_no_scores_of_the_first() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    still = Scores(0.4, at, {}, still=True)
    with theirs, subprocess.Popen([sys.executable, "-c", ""]) as process:
        worker = WorkerProcess(process, ours)
        for said in (
            Ready(("fall",), 5.0, "", "", None), Scores(0.2, at, {"fall": 0.5}), still,
            Ready(("person",), 5.0, "", "", None), still,
        ):  # fmt: skip
            theirs.send(encode(said))
        heard = worker.messages()
        assert [next(heard) for _ in range(4)][2] == replace(still, probabilities={"fall": 0.5})
        with pytest.raises(MessageError):
            next(heard)
        worker.close()


# --- what the board can carry ---------------------------------------------------------------------


def test_a_worker_measures_the_board_before_it_watches(
    start: Callable[..., Heard], box_model: Path, clip: Path
) -> None:
    heard = start(box_model, clip, threads=0, measure=True)
    heard.until(lambda said: sum(isinstance(m, Scores) for m in said) >= 3)
    measuring, ready = heard.messages[:2]
    assert measuring == Measuring()
    assert isinstance(ready, Ready)
    assert ready.measured
    assert ready.budget
    assert ready.measured.sha256 == ready.sha256
    assert ready.measured.runtime == ready.runtime == installed_runtime()
    assert ready.measured.board == board_name()
    assert ready.budget.step_ms == ready.measured.step_ms(ready.budget.threads)
    assert ready.rate == ready.budget.rate
    assert ready.own_rate == 5


@pytest.mark.parametrize("other", ["", "runtime", "board", "sha256"])
def test_a_worker_measures_anew_only_what_was_another_model_runtime_or_board(
    start: Callable[..., Heard], box_model: Path, clip: Path, other: str
) -> None:
    sha256 = file_sha256(box_model)
    kept = Measured(sha256, installed_runtime(), board_name(), "2026", ((1, 333.0),))
    kept = replace(kept, **{other: "another"}) if other else kept
    heard = start(box_model, clip, measure=True, measured=kept)
    heard.until(lambda said: any(isinstance(m, Ready) for m in said))
    assert (Measuring() in heard.messages) is bool(other)
    ready = heard.messages[-1] if isinstance(heard.messages[-1], Ready) else heard.messages[0]
    assert isinstance(ready, Ready)
    assert ready.budget
    if other:
        assert ready.budget.step_ms != 333
    else:
        assert ready.measured is None
        assert (ready.budget.rate, ready.rate) == (1.667, 1.667)


def test_a_worker_takes_what_the_user_says_without_measuring(
    start: Callable[..., Heard], box_model: Path, clip: Path
) -> None:
    heard = start(box_model, clip, measure=True, rate=2.0)
    heard.until(lambda said: len(said) > 0)
    ready = heard.messages[0]
    assert isinstance(ready, Ready)
    assert (ready.rate, ready.budget, ready.measured) == (2.0, Budget(1, 2.0), None)


def test_a_worker_changes_its_rate_without_a_restart(
    start: Callable[..., Heard], box_model: Path, clip: Path
) -> None:
    """The look back stays ten seconds: half the frames fill it as far as all of them did."""
    heard = start(box_model, clip, at_most=2.5, gate=False)
    heard.until(lambda said: sum(isinstance(m, Scores) for m in said) >= 8)
    ready = heard.messages[0]
    assert isinstance(ready, Ready)
    assert (ready.rate, ready.budget) == (2.5, Budget(1, 5.0))
    assert gaps(heard.scores()[1:]) == pytest.approx([0.4] * 6, abs=0.12)
    assert [one.warm for one in heard.scores()[:3]] == pytest.approx([1 / 25, 2 / 25, 3 / 25])
    for rate, window in ((5.0, 50), (5 / 3, 17)):
        assert heard.worker.ask_rate(rate)
        heard.until(lambda said, rate=rate: Paced(rate) in said)  # type: ignore[misc]
        paced = heard.messages.index(Paced(rate))
        heard.until(lambda said, paced=paced: len(said) > paced + 8)  # type: ignore[misc]
        after = [one for one in heard.messages[paced + 1 :] if isinstance(one, Scores)]
        assert [one.warm for one in after[:3]] == pytest.approx([n / window for n in (1, 2, 3)])
        assert median(gaps(after)) == pytest.approx(1 / rate, abs=0.1)
    frames = [one.frame for one in heard.scores()]
    assert frames == list(range(1, len(frames) + 1))
    heard.worker.ask_rate(50.0)
    heard.until(lambda said: Paced(5.0) in said[-3:])


def gaps(scores: list[Scores]) -> list[float]:
    return [after.time_s - before.time_s for before, after in pairwise(scores)]


def test_why_a_worker_ends_is_said_before_the_camera_is_left() -> None:
    """To leave a camera whose driver hangs may take for ever."""
    happened: list[str] = []

    @contextmanager
    def camera() -> Iterator[None]:
        try:
            yield
        finally:
            happened.append("left")

    def send(message: Message) -> None:
        assert isinstance(message, Failure)
        happened.append(message.problem.code)

    with pytest.raises(SystemExit) as ended, told(send), camera(), told(send):
        raise CameraError("camera_timeout", "It is silent.", "Wait.")
    assert happened == ["camera_timeout", "left"]
    assert ended.value.code == 1
