"""The picture of an alert: asked for, small, without metadata, and never waited for."""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from broker import Broker, Listener, wait_for
from daemon import ALERT, BASE, Daemon, problems, wait_for_alerts
from made_clips import write_clip
from numpy.typing import NDArray
from test_worker import Heard

from edgehome.camera.video import jpeg
from edgehome.config.types import Config, SnapshotsConfig
from edgehome.errands import Errands
from edgehome.messages import (
    SNAPSHOT_BYTES,
    MessageError,
    Snapshot,
    decode,
    encode,
)
from edgehome.orders import decode_request, encode_rate, encode_request
from edgehome.process import WorkerProcess
from edgehome.quarantine import Quarantine
from edgehome.reboot import Reboot
from edgehome.settings import worker_settings
from edgehome.snapshot import PAUSE_S, UNDER_WAY, Requests, fitted
from edgehome.statefile import StateFile
from edgehome.types import Scores
from edgehome.vision import Vision

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PICTURE, ATTRIBUTES = f"{BASE}/snapshot", f"{BASE}/snapshot/attributes"
SMALL = jpeg(np.full((32, 32, 3), 90, np.uint8), 85)
TABLES = {0xC0, 0xC4, 0xDB, 0xDD, 0xDA}
"""Segments without which there is no picture: frame, tables, restarts, scan."""


def segments(data: bytes) -> list[int]:
    """Return the markers in front of a JPEG's picture."""
    assert data[:2] == b"\xff\xd8"
    found, at = [], 2
    while not found or found[-1] != 0xDA:
        assert data[at] == 0xFF
        found.append(data[at + 1])
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return found


def noise(height: int, width: int) -> NDArray[np.uint8]:
    """Return what a JPEG can make least of."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def test_a_picture_of_noise_is_made_to_fit() -> None:
    picture = noise(720, 1280)
    assert len(jpeg(picture, 30)) > SNAPSHOT_BYTES
    data = fitted(picture, jpeg)
    assert data.startswith(b"\xff\xd8")
    assert len(data) <= SNAPSHOT_BYTES


def test_a_picture_that_cannot_be_made_to_fit_is_none() -> None:
    assert fitted(noise(64, 64), jpeg, most=100) == b""


@pytest.mark.parametrize("quality", [None, 1, 30, 85, 100])
def test_a_jpeg_holds_its_picture_and_nothing_else(quality: int | None) -> None:
    data = jpeg(noise(90, 160), quality)
    assert set(segments(data)) <= TABLES
    for word in (b"Exif", b"Lavc", b"FFmpeg", b"JFIF"):
        assert word not in data


def test_a_better_quality_is_larger() -> None:
    sizes = [len(jpeg(noise(90, 160), quality)) for quality in (1, 30, 50, 70, 85, 100)]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 6


# --- between worker and supervisor ----------------------------------------------------------------


def test_a_snapshot_arrives_as_it_was_sent() -> None:
    sent = Snapshot("an alert", AT, SMALL)
    assert decode(encode(sent), {}) == sent
    assert decode_request(encode_request("an alert")) == "an alert"
    assert decode_request(encode_rate(2.5)) == 2.5


@pytest.mark.parametrize(
    "wrong",
    [
        Snapshot("a", AT, b""),
        Snapshot("a", AT, b"GIF89a"),
        Snapshot("a", AT, SMALL[:-2]),
        Snapshot("a", AT, SMALL[:-2] + bytes(SNAPSHOT_BYTES) + SMALL[-2:]),
        Snapshot("a", AT.replace(tzinfo=None), SMALL),
        Snapshot(7, AT, SMALL),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_snapshot_is_refused(wrong: Snapshot) -> None:
    with pytest.raises(MessageError):
        decode(encode(wrong), {})


def test_a_cut_or_scrambled_snapshot_is_refused_or_still_a_snapshot() -> None:
    packet = encode(Snapshot("an alert", AT, SMALL))
    random = np.random.default_rng(0)
    for _ in range(2000):
        broken = bytearray(packet[: random.integers(0, len(packet) + 1)])
        for place in random.integers(0, max(1, len(broken)), 3) if broken else ():
            broken[place] = random.integers(0, 256)
        try:
            found = decode(bytes(broken), {})
        except MessageError:
            continue
        assert isinstance(found, Snapshot)
        assert len(found.jpeg) <= SNAPSHOT_BYTES


@pytest.mark.parametrize(
    "packet",
    [
        b"", b"{}", b"[]", b'{"snapshot": 7}', b"[" * 100_000, b'{"rate": "5"}', b'{"rate": 0.0}',
        b'{"rate": -1.0}', b'{"rate": NaN}', b'{"rate": 1e999}', b'{"snapshot": "a", "rate": "a"}',
        b'{"rate": true}',
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(packet: bytes) -> None:
    with pytest.raises(MessageError):
        decode_request(packet)


def test_pictures_are_asked_for_once_a_second_at_most() -> None:
    sent: list[str] = []

    def send(alert_id: str) -> bool:
        sent.append(alert_id)
        return True

    requests = Requests()
    for tenth in range(25):
        requests.ask(str(tenth), tenth / 10, send)
    assert sent == ["0", str(round(10 * PAUSE_S)), str(round(20 * PAUSE_S))]


def test_a_picture_that_nobody_asked_for_or_a_second_one_is_refused() -> None:
    requests = Requests()
    for number in range(3):
        requests.ask(str(number), 2.0 * number, lambda _alert: True)
    with pytest.raises(MessageError):
        requests.answered(Snapshot("another", AT, SMALL))
    requests.answered(Snapshot("1", AT, SMALL))
    for late in ("0", "1"):
        with pytest.raises(MessageError):
            requests.answered(Snapshot(late, AT, SMALL))
    requests.answered(Snapshot("2", AT, SMALL))


def test_requests_that_could_not_be_sent_or_were_forgotten_count_for_nothing() -> None:
    requests = Requests()
    requests.ask("a", 0.0, lambda _alert: False)
    with pytest.raises(MessageError):
        requests.answered(Snapshot("a", AT, SMALL))
    for number in range(3 * UNDER_WAY):
        requests.ask(str(number), 10.0 + number, lambda _alert: True)
    requests.forget()
    with pytest.raises(MessageError):
        requests.answered(Snapshot(str(3 * UNDER_WAY - 1), AT, SMALL))


def test_asking_a_worker_that_does_not_listen_never_waits() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    with theirs, subprocess.Popen([sys.executable, "-c", ""]) as process:
        worker = WorkerProcess(process, ours)
        began_s = time.monotonic()
        answers = [worker.ask_snapshot("an alert") for _ in range(5000)]
        assert time.monotonic() - began_s < 2
        assert answers[0]
        assert not answers[-1]
        worker.close()


@pytest.mark.parametrize("asked", [False, True])
def test_a_worker_that_sends_a_picture_unasked_is_ended(tmp_path: Path, asked: bool) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setblocking(False)
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
    state = StateFile(tmp_path / "state.json")
    with (
        theirs,
        selectors.DefaultSelector() as selector,
        Errands() as errands,
        subprocess.Popen(sleeping) as process,
    ):
        vision = Vision(
            Config(snapshots=SnapshotsConfig(enabled=True)),
            selector=selector,
            errands=errands,
            quarantine=Quarantine(state),
            reboot=Reboot(tmp_path / "reboot", state, time.time),
            report=lambda _part, _problem: None,
            clock=time.monotonic,
        )
        worker = vision._worker = WorkerProcess(process, ours)
        if asked:
            vision.ask_snapshot("an alert")
        theirs.send(encode(Snapshot("an alert", AT, SMALL)))
        heard = list(vision.hear())
        assert heard == ([Snapshot("an alert", AT, SMALL)] if asked else [])
        assert worker.wait(0.2 if asked else 10) is not asked
        process.kill()
        process.wait()
        worker.close()


def test_without_the_configuration_saying_so_a_worker_is_told_of_no_snapshots() -> None:
    polygon = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))
    config = Config(snapshots=SnapshotsConfig(size=320))
    assert worker_settings(config, Path("m")).snapshot == 0
    enabled = replace(config, snapshots=SnapshotsConfig(enabled=True, size=320))
    enabled = replace(enabled, camera=replace(config.camera, privacy=(polygon,)))
    settings = worker_settings(enabled, Path("m"))
    assert (settings.snapshot, settings.privacy) == (320, (polygon,))


# --- a worker -------------------------------------------------------------------------------------


@pytest.fixture
def start() -> Iterator[Callable[..., Heard]]:
    started: list[Heard] = []

    def begin(model: Path, source: Path | str, **more: Any) -> Heard:
        started.append(Heard(model, source, **more))
        return started[-1]

    yield begin
    for heard in started:
        heard.worker.end()


def snapshots(heard: Heard) -> list[Snapshot]:
    return [message for message in heard.messages if isinstance(message, Snapshot)]


def loaded(heard: Heard) -> str:
    """Return the files that the worker has in its memory."""
    return Path(f"/proc/{heard.worker.pid}/maps").read_text()


def test_a_worker_sends_the_whole_picture_in_its_own_size_when_it_is_asked(
    start: Callable[..., Heard], box_model: Path, rendered: Path
) -> None:
    heard = start(box_model, rendered / "room-day-fight.mp4", snapshot=160)
    heard.until(lambda said: sum(isinstance(m, Scores) for m in said) >= 2)
    assert not snapshots(heard)
    before = datetime.now(UTC)
    assert heard.worker.ask_snapshot("one")
    heard.until(lambda said: any(isinstance(m, Snapshot) for m in said))
    (snapshot,) = snapshots(heard)
    assert snapshot.alert_id == "one"
    assert abs((snapshot.at - before).total_seconds()) < 2
    assert set(segments(snapshot.jpeg)) <= TABLES
    assert frame_size(snapshot.jpeg)[0] == 160
    frames = len(heard.scores())
    heard.until(lambda said: sum(isinstance(m, Scores) for m in said) >= frames + 3)
    assert len(snapshots(heard)) == 1


def frame_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) as the frame's segment states them."""
    at = data.index(b"\xff\xc0")
    height, width = (int.from_bytes(data[at + n : at + n + 2], "big") for n in (5, 7))
    return width, height


def test_a_picture_of_noise_arrives_from_a_worker_too(
    start: Callable[..., Heard], box_model: Path, tmp_path: Path
) -> None:
    pictures = [noise(720, 1280)] * 4
    film = write_clip(tmp_path / "noise.mp4", pictures, rate=5, options={"crf": "10"})
    heard = start(box_model, film, snapshot=1280)
    heard.until(lambda said: any(isinstance(m, Scores) for m in said))
    assert heard.worker.ask_snapshot("one")
    heard.until(lambda said: any(isinstance(m, Snapshot) for m in said))
    assert 20_000 < len(snapshots(heard)[0].jpeg) <= SNAPSHOT_BYTES


def test_a_worker_that_sends_no_snapshots_ignores_who_asks(
    start: Callable[..., Heard], box_model: Path, rendered: Path
) -> None:
    heard = start(box_model, rendered / "room-day-fight.mp4")
    heard.until(lambda said: any(isinstance(m, Scores) for m in said))
    assert heard.worker.ask_snapshot("one")
    heard.until(lambda said: sum(isinstance(m, Scores) for m in said) >= 6)
    assert not snapshots(heard)


# --- the whole node -------------------------------------------------------------------------------


def test_an_alert_is_followed_by_its_picture_and_nothing_of_it_is_on_the_disk(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.config["snapshots"] = {"enabled": True, "size": 320}
    daemon.write()
    daemon.start()
    wait_for(lambda: len(listener.heard(PICTURE)) >= 3, 30, "three pictures")
    topics = [m.topic for m in listener.heard() if m.topic in (PICTURE, ATTRIBUTES)]
    assert topics[:6] == [ATTRIBUTES, PICTURE] * 3
    for told, picture in zip(listener.heard(ATTRIBUTES), listener.heard(PICTURE), strict=False):
        assert set(told.json) == {"alert_id", "at"}
        assert set(segments(picture.payload)) <= TABLES
        assert len(picture.payload) <= SNAPSHOT_BYTES
        assert not picture.retained
        alert = wait_for(lambda: alerts_by_id(listener).get(told.json["alert_id"]), 5)  # noqa: B023
        raised, taken = (datetime.fromisoformat(one["at"]) for one in (alert, told.json))
        assert -0.5 <= (taken - raised).total_seconds() < 3
    with Listener(daemon_broker(daemon), PICTURE, ATTRIBUTES, name="later") as later:
        time.sleep(0.5)
        assert not [m for m in later.heard() if m.retained]
    announced = [m for m in listener.heard() if m.topic.startswith("homeassistant/device/")]
    assert announced[-1].json["cmps"]["last_alert_picture"]["p"] == "image"
    daemon.end()
    for file in daemon.folder.rglob("*"):
        if file.is_file():
            assert b"\xff\xd8\xff" not in file.read_bytes(), file


def alerts_by_id(listener: Listener) -> dict[str, dict[str, Any]]:
    return {m.json["id"]: m.json for m in listener.heard(ALERT)}


def daemon_broker(daemon: Daemon) -> Broker:
    """Return the daemon's broker as a listener needs it: only its port."""
    broker = Broker(daemon.folder)
    broker.port = daemon.config["mqtt"]["port"]
    return broker


def retained(daemon: Daemon) -> set[str]:
    """Return the topics of pictures that the broker keeps."""
    with Listener(
        daemon_broker(daemon), f"{BASE}/snapshot/#", name="who", keeps_session=False
    ) as who:
        time.sleep(0.5)
        return {m.topic for m in who.heard() if m.retained}


@pytest.mark.parametrize("after", [{"enabled": True, "retain": False}, {"enabled": False}])
def test_a_picture_that_was_kept_by_the_broker_is_taken_back_when_it_is_not_to_be(
    daemon: Daemon, listener: Listener, after: dict[str, bool]
) -> None:
    daemon.config["snapshots"] = {"enabled": True, "retain": True}
    daemon.write()
    daemon.start()
    wait_for(lambda: listener.heard(PICTURE), 30, "a picture")
    daemon.end()
    assert retained(daemon) == {PICTURE, ATTRIBUTES}
    daemon.config["snapshots"] = after
    daemon.config["rules"][0]["above"] = 1
    daemon.config["rules"][0].pop("below", None)
    daemon.write()
    daemon.start()
    wait_for(lambda: not listener.heard(PICTURE)[-1].payload, 20, "the empty picture")
    wait_for(lambda: not listener.heard(ATTRIBUTES)[-1].payload, 20, "the empty attributes")
    assert retained(daemon) == set()
    announced = [m for m in listener.heard() if m.topic.startswith("homeassistant/device/")]
    component = announced[-1].json["cmps"]["last_alert_picture"]
    assert component == {"p": "image"} or after["enabled"]
    if not after["enabled"]:
        return
    count = len(listener.heard(PICTURE))
    daemon.end()
    daemon.start()
    daemon.wait_ready()
    time.sleep(1)
    assert len(listener.heard(PICTURE)) == count, "cleared once, and not at every start"


def test_without_snapshots_no_picture_is_published_and_none_announced(
    daemon: Daemon, listener: Listener
) -> None:
    daemon.start()
    wait_for_alerts(listener, 3)
    assert not [m for m in listener.heard() if m.topic in (PICTURE, ATTRIBUTES)]
    announced = [m for m in listener.heard() if m.topic.startswith("homeassistant/device/")]
    assert "last_alert_picture" not in announced[-1].json["cmps"]


def test_a_broker_that_takes_no_large_packets_gets_every_alert_and_no_picture(
    tmp_path: Path, box_model: Path, rendered: Path
) -> None:
    """A packet that is too large would end the connection, once for every alert."""
    limits = "max_packet_size 20000"
    clip = rendered / "room-day-fight.mp4"
    with (
        Broker(tmp_path / "small", tls=limits) as broker,
        Listener(broker, "edgehome/#") as listener,
        Daemon(tmp_path / "node", broker, model=box_model, source=clip) as daemon,
    ):
        daemon.config["snapshots"] = {"enabled": True, "size": 1280}
        noisy = write_clip(tmp_path / "noise.mp4", [noise(720, 1280)] * 20, rate=5)
        daemon.config["camera"]["source"] = str(noisy)
        daemon.config["motion"] = {"gate": False}
        daemon.config["rules"] = [
            {"name": "Visitor", "when": [{"after_boot": "1s"}], "repeat_interval": "1s"}
        ]
        daemon.write()
        daemon.start()
        wait_for_alerts(listener, 4)
        wait_for(lambda: "broker_rejected" in problems(listener), 10, "the problem")
        assert not listener.heard(PICTURE)
        assert listener.ids(ALERT) == list(dict.fromkeys(listener.ids(ALERT)))
        assert "the connection to the broker ended" not in daemon.said()
        assert "snapshot" in json.dumps(problems(listener)["broker_rejected"])


def test_alerts_do_not_wait_for_a_worker_that_sends_no_picture(
    daemon: Daemon, listener: Listener
) -> None:
    """Ended as soon as the first alert is raised: the request was sent, the answer never comes."""
    daemon.config["snapshots"] = {"enabled": True}
    daemon.write()
    daemon.start()
    wait_for(lambda: "alert Visitor" in daemon.said(), 30)
    if worker := daemon.worker():
        os.kill(worker, 9)
    wait_for_alerts(listener, 1, 5)
    wait_for_alerts(listener, 3)
    wait_for(lambda: listener.heard(PICTURE), 20, "a picture of the next worker")
    assert daemon.alive()
