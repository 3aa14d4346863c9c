"""The walls around the worker, tried from inside: in a process like it, and in the worker."""

from __future__ import annotations

import errno
import json
import os
import platform
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rtsp_server import RtspServer
from test_worker import Heard

from edgehome import confinement, landlock, seccomp
from edgehome.config.types import Config, RecognizerConfig
from edgehome.doctor import node as doctor_node
from edgehome.messages import Ready
from edgehome.seccomp import ALLOW, CALLS, JUDGED, MACHINES, REFUSE, program

ROOT = Path(__file__).resolve().parents[1]
BOX = ROOT / "models" / "edgehome-a0.tflite"

confined_here = pytest.mark.skipif(
    platform.machine() not in MACHINES, reason=f"no filter for {platform.machine()}"
)
needs_landlock = pytest.mark.skipif(not landlock.version(), reason="no Landlock in this kernel")

PRELUDE = """
import ctypes, errno, json, os, signal, socket, subprocess, sys, threading
from pathlib import Path
from edgehome import landlock, seccomp
from edgehome.confinement import confine
library = ctypes.CDLL(None, use_errno=True)
def error_of(action):
    try:
        action()
    except OSError as error:
        return errno.errorcode[error.errno]
    return ""
def call(number, *arguments):
    return errno.errorcode[ctypes.get_errno()] if library.syscall(number, *arguments) < 0 else ""
"""


def inside(code: str, *arguments: object, source: str = "pi", before: str = "") -> Any:
    """Run code in a process confined like a worker, and return what it puts into `said`."""
    script = (
        f"{PRELUDE}\n{before}\nwhole = confine(Path({str(BOX)!r}), {source!r})\nsaid = {{}}\n"
        f"{code}\nprint(json.dumps(said))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@confined_here
def test_a_confined_process_makes_unix_sockets_and_hears_udev_and_nothing_else() -> None:
    said = inside(
        """
for name, family, protocol in (
    ("unix", socket.AF_UNIX, 0), ("udev", socket.AF_NETLINK, 15), ("route", socket.AF_NETLINK, 0),
    ("inet", socket.AF_INET, 0), ("inet6", socket.AF_INET6, 0), ("packet", socket.AF_PACKET, 0),
    ("alg", 38, 0), ("vsock", 40, 0), ("bluetooth", 31, 0),
):
    kind = socket.SOCK_STREAM if family != socket.AF_NETLINK else socket.SOCK_RAW
    said[name] = error_of(lambda: socket.socket(family, kind, protocol).close())
listener = socket.socket(socket.AF_UNIX)
listener.bind("\\0edgehome-test-%d" % os.getpid())
said["listen"] = error_of(listener.listen)
said["connect"] = error_of(lambda: socket.socket(socket.AF_UNIX).connect("/run/no-such-socket"))
ends = socket.socketpair()
said["pair"] = error_of(lambda: ends[0].send(b"x"))
"""
    )
    refused = ("route", "inet", "inet6", "packet", "alg", "vsock", "bluetooth")
    assert said == {
        "unix": "", "udev": "", "pair": "", "listen": "EPERM", "connect": "EPERM",
        **dict.fromkeys(refused, "EAFNOSUPPORT"),
    }  # fmt: skip


@confined_here
def test_a_confined_process_cannot_touch_other_processes_or_the_kernels_rarer_sides() -> None:
    numbers = {
        name: numbers[MACHINES[platform.machine()].column] for name, numbers in CALLS.items()
    }
    names = sorted(CALLS.keys() - JUDGED)
    said = inside(
        f"numbers = {numbers!r}\n"
        f"for name in {names!r}: said[name] = call(numbers[name], 0, 0, 0, 0, 0, 0)\n"
        # A new user namespace by clone, with SIGCHLD; clone3 is not there at all.
        "said['clone'] = call(numbers['clone'], 0x10000000 | 17, 0, 0, 0, 0)\n"
        "said['clone3'] = call(numbers['clone3'], 0, 0)"
    )
    assert said == {**dict.fromkeys(names, "EPERM"), "clone": "EPERM", "clone3": "ENOSYS"}


@confined_here
def test_the_filter_holds_for_threads_children_and_programs_that_it_starts() -> None:
    said = inside(
        """
def attempt(name):
    said[name] = error_of(lambda: socket.socket(socket.AF_INET))
thread = threading.Thread(target=attempt, args=["later thread"])
thread.start(), thread.join()
go.set(), early.join()
code = "import socket, sys\\ntry: socket.socket()\\nexcept OSError as e: sys.exit(e.errno)"
said["program"] = errno.errorcode[subprocess.run([sys.executable, "-c", code]).returncode]
""",
        before="""
go = threading.Event()
early = threading.Thread(target=lambda: (go.wait(), attempt("earlier thread")))
early.start()
""",
    )
    assert said == dict.fromkeys(("earlier thread", "later thread", "program"), "EAFNOSUPPORT")


@confined_here
@needs_landlock
def test_a_confined_process_reads_no_secret_and_writes_nothing(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    secret = credentials / "mqtt-password"
    secret.write_text("canary")
    said = inside(
        """
secret, folder = Path(sys.argv[1]), Path(sys.argv[2])
said["read"] = error_of(secret.read_bytes)
said["list"] = error_of(lambda: list(os.scandir(secret.parent)))
said["supervisor's memory"] = error_of(lambda: open(f"/proc/{os.getppid()}/mem", "rb"))
said["write"] = error_of(lambda: secret.write_bytes(b""))
said["truncate"] = error_of(lambda: os.truncate(secret, 0))
said["make"] = error_of(lambda: (folder / "new").touch())
said["make in /dev/shm"] = error_of(lambda: open("/dev/shm/edgehome-test", "w"))
said["make in /var/tmp"] = error_of(lambda: open("/var/tmp/edgehome-test", "w"))
said["folder"] = error_of(lambda: (folder / "folder").mkdir())
said["link"] = error_of(lambda: os.symlink(secret, folder / "link"))
said["remove"] = error_of(secret.unlink)
said["rename"] = error_of(lambda: secret.rename(folder / "moved"))
said["by a link in /proc"] = error_of(lambda: Path(f"/proc/self/root{secret}").read_bytes())
""",
        secret,
        tmp_path,
    )
    assert set(said.values()) <= {"EACCES", "EXDEV"}, said
    assert secret.read_text() == "canary"


@confined_here
@needs_landlock
def test_a_device_that_comes_after_the_walls_is_missing_and_not_forbidden(tmp_path: Path) -> None:
    late = tmp_path / "video0"  # the walls know what is there when they go up
    said = inside(
        """
maker.communicate(b"now")
from edgehome.camera.video import Decoder, explained
from edgehome.types import CameraError
try:
    with explained(sys.argv[1]), Decoder(sys.argv[1], size=32):
        pass
except CameraError as error:
    said["code"] = error.problem.code
    said["told"] = error.problem.message
""",
        late,
        source=str(late),
        before=f'maker = subprocess.Popen(["sh", "-c", "read go; : > {late}"], stdin=-1)',
    )
    assert said == {
        "code": "camera_missing",
        "told": f"{late} gives no video: it was plugged in only just now.",
    }


@confined_here
@pytest.mark.skipif(landlock.version() < landlock.SCOPE_ABI, reason="no scopes: Linux 6.12")
def test_a_confined_process_cannot_send_signals_to_its_supervisor() -> None:
    said = inside("said['kill'] = error_of(lambda: os.kill(os.getppid(), 0))")
    assert said == {"kill": "EPERM"}


@confined_here
def test_what_camera_and_model_need_still_works_in_a_confined_process() -> None:
    said = inside(
        """
said["cpuinfo"] = error_of(lambda: Path("/proc/cpuinfo").read_bytes())
said["cpus"] = error_of(lambda: Path("/sys/devices/system/cpu/present").read_bytes())
said["devices"] = error_of(lambda: os.listdir("/dev"))
said["null"] = error_of(lambda: open("/dev/null", "w"))
said["clock's zone"] = error_of(lambda: Path("/usr/share/zoneinfo").exists())
said["model"] = error_of(Path(sys.argv[1]).read_bytes)
said["manifest"] = error_of(Path(sys.argv[1]).with_suffix(".json").read_bytes)
said["heads"] = error_of(lambda: [p.read_bytes() for p in Path(sys.argv[1]).parent.glob("heads/*")])
said["shared memory"] = error_of(lambda: os.ftruncate(os.memfd_create("x"), 4096))
import numpy, av
from edgehome.recognizer import litert
said["runtime"] = "" if litert.runtime_version() else "?"
""",
        BOX,
    )
    assert set(said.values()) == {""}, said


@confined_here
@pytest.mark.skipif(landlock.version() < landlock.NET_ABI, reason="no rules for ports: Linux 6.7")
def test_with_a_network_camera_tcp_goes_to_the_cameras_port_and_to_no_other() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as camera,
        socket.create_server(("127.0.0.1", 0)) as broker,
    ):
        said = inside(
            """
for name, port in zip(("camera", "broker"), sys.argv[1:]):
    said[name] = error_of(lambda: socket.create_connection(("127.0.0.1", int(port)), 5).close())
said["datagram"] = error_of(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close())
said["server"] = error_of(lambda: socket.create_server(("127.0.0.1", 0)))
""",
            camera.getsockname()[1],
            broker.getsockname()[1],
            source=f"rtsp://user:word@127.0.0.1:{camera.getsockname()[1]}/stream",
        )
    assert said["camera"] == said["datagram"] == ""
    assert (said["broker"], said["server"]) == ("EACCES", "EACCES")


@pytest.mark.parametrize(
    ("source", "ports"),
    [
        ("pi", set()),
        ("/dev/video0", set()),
        ("clip.mp4", set()),
        ("rtsp://camera/1", {53, 554}),
        ("rtsps://camera/1", {53, 322}),
        ("rtsp://me:secret@camera:8554/1", {53, 8554}),
        ("http://camera:8080/video", {53, 80, 443, 8080}),
        ("tcp://camera:99999", {53}),
    ],
)
def test_the_ports_are_those_of_the_cameras_address(source: str, ports: set[int]) -> None:
    assert set(confinement.ports(source)) == ports


def test_a_worker_says_what_it_sees_from_behind_its_walls(rendered: Path) -> None:
    os.environ["CREDENTIALS_DIRECTORY"] = "/run/credentials/edgehome.service"
    try:
        heard = Heard(BOX, rendered / "room-day-fight.mp4")
    finally:
        del os.environ["CREDENTIALS_DIRECTORY"]
    try:
        heard.until(lambda said: len(said) > 12)
        process = Path(f"/proc/{heard.worker.pid}")
        assert isinstance(heard.messages[0], Ready)
        assert heard.messages[0].degraded is None
        statuses = [task.read_text() for task in process.glob("task/*/status")]
        assert len(statuses) > 1, "camera and runtime have threads of their own"
        for status in statuses:
            assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
            assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE), "not filtered"
        assert b"CREDENTIALS_DIRECTORY" not in (process / "environ").read_bytes()
        assert "Max core file size        0 " in (process / "limits").read_text()
        links = [str(link.readlink()) for link in process.glob("fd/*")]
        assert sum(link.startswith("socket:") for link in links) == 1, links
    finally:
        heard.worker.end()


def test_a_worker_with_a_network_camera_sees_its_frames_too() -> None:
    with RtspServer(rate=20) as server:
        heard = Heard(BOX, server.address)
        try:
            heard.until(lambda said: len(said) > 5)
            assert len(heard.scores()) > 3
        finally:
            heard.worker.end()


@confined_here
@needs_landlock
def test_where_the_kernel_has_no_landlock_the_filter_holds_and_the_trial_says_what_does_not(
    tmp_path: Path,
) -> None:
    """A filter around the process takes Landlock away, as an old kernel or unit would."""
    secret = tmp_path / "secret"
    secret.write_text("x")
    said = inside(
        """
said["whole"] = whole
said["inet"] = error_of(lambda: socket.socket(socket.AF_INET))
said["read"] = error_of(Path(sys.argv[1]).read_bytes)
""",
        secret,
        before="""
import struct
from edgehome.seccomp import *
steps = [(LOAD, 0, 0, 0), (EQUAL, 0, 1, 444), (RETURN, 0, 0, REFUSE | errno.ENOSYS),
         (RETURN, 0, 0, ALLOW)]
code = b"".join(struct.pack("HBBI", *step) for step in steps)
buffer = ctypes.create_string_buffer(code, len(code))
address = ctypes.create_string_buffer(struct.pack("HP", len(steps), ctypes.addressof(buffer)))
no_new_privileges()
assert library.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address, 0, 0) == 0
assert not landlock.version()
""",
    )
    assert said == {"whole": False, "inet": "EAFNOSUPPORT", "read": ""}


@confined_here
@needs_landlock
@pytest.mark.parametrize("source", ["pi", "rtsp://192.168.0.9/1"])
def test_the_trial_that_doctor_makes_finds_all_walls_here(source: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    walls = confinement.tried(BOX, source, "", secret)
    if landlock.version() < landlock.NET_ABI and "://" in source:
        pytest.skip("no rules for ports: Linux 6.7")
    assert walls == confinement.Walls(network=True, memory=True, secrets=True, writes=True)


def test_the_trial_finds_missing_walls(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x")
    walls = confinement._attempt("pi", str(file), str(file))
    assert walls == confinement.Walls(network=False, memory=False, secrets=False, writes=False)


def test_the_supervisor_leaves_no_core_file_and_its_memory_is_nobodys() -> None:
    code = (
        "import ctypes, resource; from edgehome.confinement import guard_supervisor\n"
        "guard_supervisor(); print(resource.getrlimit(resource.RLIMIT_CORE),"
        "ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "(0, 0) 0"


def verdict(
    machine: str, number: int, *arguments: int, network: bool = False, arch: int = 0
) -> int:
    """Run the filter as the kernel does, on struct seccomp_data."""
    data = {0: number, 4: arch or MACHINES[machine].architecture}
    for place in range(6):
        value = arguments[place] if place < len(arguments) else 0
        data[16 + 8 * place], data[20 + 8 * place] = value & 0xFFFFFFFF, value >> 32
    steps, at, loaded = program(MACHINES[machine], network=network), 0, 0
    while True:
        code, yes, no, constant = steps[at]
        at += 1
        if code == seccomp.RETURN:
            return constant
        if code == seccomp.LOAD:
            loaded = data[constant]
        else:
            holds = {
                seccomp.EQUAL: loaded == constant,
                seccomp.AT_LEAST: loaded >= constant,
                seccomp.ANY_BIT: bool(loaded & constant),
            }[code]
            at += yes if holds else no


@pytest.mark.parametrize("machine", MACHINES)
def test_the_filter_judges_alike_on_both_processors(machine: str) -> None:
    number = {name: numbers[MACHINES[machine].column] for name, numbers in CALLS.items()}
    no_family, no_permission = REFUSE | errno.EAFNOSUPPORT, REFUSE | errno.EPERM
    assert verdict(machine, number["socket"], 1) == ALLOW
    assert verdict(machine, number["socket"], 16, 3, 15) == ALLOW
    assert verdict(machine, number["socket"], 16, 3, 0) == no_family
    for family in (2, 10):
        assert verdict(machine, number["socket"], family) == no_family
        assert verdict(machine, number["socket"], family, network=True) == ALLOW
        # The kernel reads the family as 32 bits: what stands above them hides nothing.
        assert verdict(machine, number["socket"], family | 1 << 32) == no_family
    assert verdict(machine, number["socket"], 17, network=True) == no_family
    assert verdict(machine, number["connect"]) == no_permission
    assert verdict(machine, number["connect"], network=True) == ALLOW
    assert verdict(machine, number["clone"], 0x3D0F00) == ALLOW, "pthread_create"
    assert verdict(machine, number["clone"], 0x10000011) == no_permission
    for name in CALLS.keys() - JUDGED:
        assert verdict(machine, number[name]) == no_permission, name
    ordinary = {"x86_64": (0, 1, 9, 16, 59, 202, 257), "aarch64": (29, 56, 63, 64, 98, 221, 222)}
    for allowed in ordinary[machine]:  # read, write, mmap, ioctl, execve, futex, openat
        assert verdict(machine, allowed) == ALLOW
    assert verdict(machine, 0, arch=0x40000003) == no_permission, "32-bit calls"
    assert (verdict(machine, 0x40000000 | 41, 2) == no_permission) == (machine == "x86_64")


@pytest.mark.parametrize(
    ("column", "header"),
    [
        (0, "/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
        (1, "/usr/include/asm-generic/unistd.h"),
    ],
)
def test_the_numbers_are_those_of_the_kernels_headers(column: int, header: str) -> None:
    if not Path(header).exists():
        pytest.skip(f"no {header} here: apt install linux-libc-dev")
    found = dict(re.findall(r"#define __NR_(\w+)\s+(\d+)", Path(header).read_text()))
    assert {name: numbers[column] for name, numbers in CALLS.items()} == {
        name: int(found[name]) for name in CALLS
    }


@pytest.mark.skipif(
    os.environ.get("EDGEHOME_TEST_LONG") != "1", reason="a measurement: EDGEHOME_TEST_LONG=1"
)
def test_the_walls_cost_no_inference_time() -> None:
    code = """
import json, sys, time, numpy
from datetime import datetime, UTC
from pathlib import Path
from edgehome.confinement import confine
model = Path(sys.argv[1])
if sys.argv[2] == "confined":
    assert confine(model, "pi")
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Frame
noise = numpy.random.default_rng(1)
with Recognizer(model, threads=1, window_s=10.0) as recognizer:
    times = []
    for step in range(200):
        image = noise.integers(0, 255, (172, 172, 3), dtype=numpy.uint8)
        frame = Frame(step / 5, datetime.now(UTC), image)
        began_s = time.perf_counter()
        recognizer.step(frame)
        times.append(time.perf_counter() - began_s)
print(json.dumps(sorted(times)[len(times) // 2] * 1000))
"""
    medians: dict[str, list[float]] = {"free": [], "confined": []}
    for _ in range(5):
        for how, found in medians.items():
            done = subprocess.run(
                [sys.executable, "-c", code, BOX, how], capture_output=True, check=True, cwd=ROOT
            )
            found.append(float(done.stdout))
    free, confined = (min(medians[how]) for how in ("free", "confined"))
    print(
        f"\ninference, median of 200 steps, best of 5: free {free:.2f} ms, confined {confined:.2f}"
    )
    assert confined < 1.1 * free


@confined_here
@needs_landlock
def test_doctor_says_what_the_walls_hold_and_what_they_do_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "mqtt-password"
    secret.write_text("x")
    config = Config(recognizer=RecognizerConfig(model=BOX))
    finding = doctor_node.worker_walls(config, secret)
    assert (finding.state, finding.message) == (
        "good", "the worker has no network, reads no secret, writes nothing",
    )  # fmt: skip
    fewer = confinement.Walls(network=True, memory=True, secrets=False, writes=False)
    monkeypatch.setattr(doctor_node, "tried", lambda *_: fewer)  # as on a kernel without Landlock
    finding = doctor_node.worker_walls(config, secret)
    assert finding.state == "poor"
    assert "read files that it does not need, the password too, write files" in finding.message
    assert "Landlock" in finding.remedy
