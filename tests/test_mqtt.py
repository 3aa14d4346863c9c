"""The connection to the broker: secrets, certificates, and what is said when it fails."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest
from broker import PASSWORD, USER, Broker

from edgehome.broker import read_password
from edgehome.config.types import MqttConfig
from edgehome.mqtt import Acknowledged, Client, Connected, Lost, Received
from edgehome.types import EdgehomeError, Message, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

WILL = Message("edgehome/t/availability", b"offline", retain=True)


def make_secret(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@contextmanager
def client(config: MqttConfig) -> Iterator[SimpleQueue[Any]]:
    events: SimpleQueue[Any] = SimpleQueue()
    with Client(
        config,
        client_id="t",
        will=WILL,
        events=events,
        clock=time.monotonic,
        jitter=random.uniform,
        environment={},
    ):
        yield events


def first(events: SimpleQueue[Any], kind: type) -> Any:
    """Return the first event of a kind; others before it are let go."""
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s:
        try:
            event = events.get(timeout=1)
        except Empty:
            continue
        if isinstance(event, kind):
            return event
    pytest.fail(f"no {kind.__name__} came")


def trouble(config: MqttConfig) -> Problem:
    with client(config) as events:
        problem = first(events, Lost).problem
    assert isinstance(problem, Problem)
    return problem


def test_the_password_comes_from_systemds_credential_before_the_file(tmp_path: Path) -> None:
    make_secret(tmp_path / "mqtt-password", "from systemd\n", 0o440)
    config = MqttConfig(password_file=make_secret(tmp_path / "file", "from the file\n"))
    assert read_password(config, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == "from systemd"
    assert read_password(config, {"CREDENTIALS_DIRECTORY": str(tmp_path / "no")}) == "from the file"
    assert read_password(MqttConfig(), {}) is None


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660, 0o644])
def test_a_password_file_that_others_can_read_is_refused_with_the_command_to_mend_it(
    tmp_path: Path, mode: int
) -> None:
    file = make_secret(tmp_path / "file", "secret", mode)
    with pytest.raises(EdgehomeError) as raised:
        read_password(MqttConfig(password_file=file), {})
    assert raised.value.problem.code == "password_file_exposed"
    assert f"chmod 600 {file}" in raised.value.problem.remedy
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_password_file_that_is_missing_or_no_text_is_a_problem(
    tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "file"
    if content:
        file.write_bytes(content)
        file.chmod(0o600)
    problem = trouble(MqttConfig(host="127.0.0.1", port=9, password_file=file))
    assert problem.code == "password_file_unreadable"


def test_a_broker_that_is_not_there_is_a_problem_that_names_it() -> None:
    problem = trouble(MqttConfig(host="127.0.0.1", port=9))
    assert problem.code == "broker_unreachable"
    assert "127.0.0.1:9" in problem.message


def test_a_name_that_does_not_exist_is_a_problem_that_names_it() -> None:
    problem = trouble(MqttConfig(host="no-such-host.invalid"))
    assert problem.code == "broker_unreachable"
    assert "no-such-host.invalid" in problem.message


def test_a_message_larger_than_64_kib_never_reaches_the_callbacks(tmp_path: Path) -> None:
    with Broker(tmp_path / "broker") as broker:
        config = MqttConfig(
            "127.0.0.1", broker.port, USER, make_secret(tmp_path / "password", PASSWORD)
        )
        with client(config) as events:
            session = first(events, Connected).session
            session.subscribe([("big", False)])
            session.publish(Message("big", bytes(100_000)))
            session.publish(Message("big", b"small"))
            assert first(events, Received).payload == b"small"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority, and a server certificate for localhost."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here: apt install openssl")
    place = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=place)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("ca", "other"):
        openssl(
            "req", "-x509", *key, "-keyout", f"{name}.key", "-out", f"{name}.pem",
            "-subj", f"/CN={name}", "-days", "2",
        )  # fmt: skip
    openssl("req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (place / "names").write_text("subjectAltName=DNS:localhost\n")
    openssl(
        "x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
        "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "names",
    )  # fmt: skip
    return place


@pytest.fixture
def tls_config(tmp_path: Path, authority: Path) -> Iterator[MqttConfig]:
    lines = "\n".join(
        f"{key} {authority}/{name}"
        for key, name in (
            ("cafile", "ca.pem"),
            ("certfile", "server.pem"),
            ("keyfile", "server.key"),
        )
    )
    with Broker(tmp_path / "broker", tls=lines) as broker:
        password = make_secret(tmp_path / "password", PASSWORD)
        yield MqttConfig("localhost", broker.port, USER, password, True, authority / "ca.pem")


def test_tls_with_the_homes_own_authority_carries_messages(tls_config: MqttConfig) -> None:
    with client(tls_config) as events:
        session = first(events, Connected).session
        session.subscribe([("loop", False)])
        mids = {session.publish(Message("loop", bytes(20_000))) for _ in range(20)}
        for _ in range(20):
            assert len(first(events, Received).payload) == 20_000
        session.publish(Message("end", b""))
        assert first(events, Acknowledged)
        assert None not in mids


@pytest.mark.parametrize("wrong", ["authority", "name", "no tls", "no file"])
def test_tls_is_never_weakened(tls_config: MqttConfig, authority: Path, wrong: str) -> None:
    host, tls, ca_file, code = {
        "authority": ("localhost", True, authority / "other.pem", "broker_certificate"),
        "name": ("127.0.0.1", True, authority / "ca.pem", "broker_certificate"),
        "no tls": ("localhost", False, None, "broker_unreachable"),
        "no file": ("localhost", True, authority / "gone.pem", "ca_file_unreadable"),
    }[wrong]
    config = MqttConfig(host, tls_config.port, USER, tls_config.password_file, tls, ca_file)
    assert trouble(config).code == code
