"""TLS to a real broker: what is not right is told with a remedy, tried again, never let pass."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from broker import PASSWORD, USER, Broker
from certificates import DAY, Authority
from test_mqtt import client, first, make_secret

from edgehome.config.types import MqttConfig
from edgehome.mqtt import Connected, Lost
from edgehome.types import Problem

ROOT = Path(__file__).resolve().parents[1]
CLOCK_C = """
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
/* The wall clock alone, moved by the seconds in a file: a device without a clock battery. */
static long offset(void)
{
    long seconds = 0;
    FILE *file = fopen(getenv("WALL_CLOCK_OFFSET"), "r");
    if (file) { if (fscanf(file, "%ld", &seconds) != 1) seconds = 0; fclose(file); }
    return seconds;
}
int clock_gettime(clockid_t id, struct timespec *now)
{
    int result = syscall(SYS_clock_gettime, id, now);
    if (id == CLOCK_REALTIME) now->tv_sec += offset();
    return result;
}
int gettimeofday(struct timeval *now, void *zone)
{
    struct timespec exact;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec; now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}
time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "home")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "stranger", "Stranger")


def config_for(folder: Path, port: int, home: Authority, **more: Any) -> MqttConfig:
    password = make_secret(folder / "password", PASSWORD)
    return MqttConfig("localhost", port, USER, password, tls=True, ca_file=home.file, **more)


def next_problem(events: SimpleQueue[Any]) -> Problem:
    """Return the next failed attempt's problem; being connected fails the test."""
    event = events.get(timeout=10)
    assert isinstance(event, Lost), event
    assert event.problem
    return event.problem


WRONG = {
    "wrong authority": ("issuer", "mqtt.ca_file"),
    "signed by itself": ("self-signed", "mqtt.ca_file"),
    "expired": ("expired", "renew"),
    "wrong host": ("name", "mqtt.host"),
    "from tomorrow": ("not yet valid", "clock"),
    "no TLS": ("No connection", "mqtt.tls"),
}
"""What is wrong; a word of the sentence, a word of the remedy."""


@pytest.mark.parametrize("wrong", WRONG)
def test_a_broker_that_cannot_prove_who_it_is_is_a_problem_and_never_gets_the_password(
    tmp_path: Path, home: Authority, stranger: Authority, wrong: str
) -> None:
    now = datetime.now(UTC)
    lines = {
        "wrong authority": stranger.listener,
        "signed by itself": lambda: home.listener("own", own=True),
        "expired": lambda: home.listener("old", begins=now - 9 * DAY, ends=now - DAY),
        "wrong host": lambda: home.listener("other", host="broker.example"),
        "from tomorrow": lambda: home.listener("new", begins=now + DAY),
        "no TLS": lambda: "",
    }[wrong]()
    with Broker(tmp_path / "broker", tls=lines) as broker:
        with client(config_for(tmp_path, broker.port, home)) as events:
            problems = [next_problem(events) for _ in range(2)]  # it is tried again
        log = (broker.directory / "log").read_text()
    said, remedy = WRONG[wrong]
    for problem in problems:
        assert problem.code == ("broker_unreachable" if wrong == "no TLS" else "broker_certificate")
        assert said in problem.message
        assert "localhost" in problem.message
        assert remedy in problem.remedy
    assert "New client connected" not in log
    assert f"u'{USER}'" not in log, "the broker saw the user's name"


def test_a_port_that_answers_in_something_else_than_tls_is_a_problem_that_says_so(
    tmp_path: Path, home: Authority
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as peer:
                peer.recv(4096)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with client(config_for(tmp_path, server.getsockname()[1], home)) as events:
            problem = next_problem(events)
        thread.join()
    assert problem.code == "broker_no_tls"
    assert "does not speak TLS" in problem.message
    assert "mqtt.tls" in problem.remedy


def test_it_connects_by_itself_once_the_certificate_is_valid(
    tmp_path: Path, home: Authority
) -> None:
    begins = datetime.now(UTC) + timedelta(seconds=3)
    lines = home.listener("soon", begins=begins)
    with (
        Broker(tmp_path / "broker", tls=lines) as broker,
        client(config_for(tmp_path, broker.port, home)) as events,
    ):
        assert "not yet valid" in next_problem(events).message
        assert first(events, Connected)
        assert datetime.now(UTC) >= begins.replace(microsecond=0)


@pytest.fixture(scope="module")
def clock_shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler here: apt install gcc")
    folder = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(CLOCK_C)
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-o", "clock.so", "clock.c"], check=True, cwd=folder
    )
    return folder / "clock.so"


CLIENT = """
import random, ssl, sys, time
from pathlib import Path
from queue import SimpleQueue
from edgehome.config.types import MqttConfig
from edgehome.mqtt import Client, Connected, Lost
from edgehome.types import Message
port, password, authority = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
config = MqttConfig("localhost", port, "edge", password, tls=True, ca_file=authority)
events = SimpleQueue()
print(time.gmtime().tm_year, flush=True)
with Client(config, client_id="t", will=Message("t", b""), events=events, clock=time.monotonic,
            jitter=random.uniform, environment={}):
    while True:
        event = events.get(timeout=20)
        if isinstance(event, Connected):
            print("connected in", time.gmtime().tm_year, flush=True)
            break
        print(event.problem.code, event.problem, flush=True)
"""


@pytest.fixture
def clock_of_1970(tmp_path: Path, clock_shim: Path) -> dict[str, str]:
    offset = tmp_path / "offset"
    offset.write_text(str(3600 - int(time.time())))
    return {"LD_PRELOAD": str(clock_shim), "WALL_CLOCK_OFFSET": str(offset)}


def test_a_device_that_boots_in_1970_waits_for_its_clock_and_verifies_all_the_same(
    tmp_path: Path, home: Authority, clock_of_1970: dict[str, str]
) -> None:
    with Broker(tmp_path / "broker", tls=home.listener("usual")) as broker:
        config = config_for(tmp_path, broker.port, home)
        process = subprocess.Popen(
            [sys.executable, "-c", CLIENT, str(broker.port), config.password_file, home.file],
            stdout=subprocess.PIPE, text=True, env=os.environ | clock_of_1970, cwd=ROOT,
        )  # fmt: skip
        assert process.stdout
        with process:
            assert process.stdout.readline() == "1970\n"
            for _ in range(2):
                line = process.stdout.readline()
                assert "broker_certificate" in line
                assert "not yet valid" in line
                assert "1970" in line, "the clock's own date tells what is wrong"
            Path(clock_of_1970["WALL_CLOCK_OFFSET"]).write_text("0")  # NTP has answered
            lines = process.stdout.read().splitlines()
        assert lines[-1] == f"connected in {datetime.now(UTC).year}"


def test_nothing_about_verifying_can_be_turned_off() -> None:
    """No key of the configuration and no line of the code weakens TLS."""
    assert not [name for name in MqttConfig.__dataclass_fields__ if "insecure" in name]
    for file in (ROOT / "edgehome").rglob("*.py"):
        text = file.read_text()
        for weak in ("CERT_NONE", "check_hostname", "tls_insecure", "_create_unverified"):
            assert weak not in text, f"{file}: {weak}"
