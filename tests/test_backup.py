"""What a home taught survives as one file, and a file that is none changes nothing."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from lessons import lesson

from edgehome import backup
from edgehome.__main__ import main
from edgehome.lessonstore import LessonStore
from edgehome.teaching.lessonfile import encode_lesson
from edgehome.types import EdgehomeError

CONFIG = "device:\n  name: Porch\n"


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A folder with a node's configuration, password and state."""
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "mqtt-password").write_text("secret")
    state = tmp_path / "state"
    state.mkdir()
    store = LessonStore(state)
    with store.locked():
        store.write("dance", encode_lesson(lesson(2, 1), None))
    (state / "normal.bin").write_bytes(b"what is normal")
    (state / "outbox.db").write_bytes(b"alerts")
    return tmp_path


def run(node: Path, *arguments: str) -> int:
    return main(["backup", str(node / "b.tar"), *arguments, "-c", str(node / "config.yaml"),
                 "--state", str(node / "state")])  # fmt: skip


def test_a_backup_brings_back_what_was_lost(node: Path) -> None:
    lost = ("config.yaml", "state/taught/dance.json", "state/normal.bin")
    before = {name: (node / name).read_bytes() for name in lost}
    assert run(node) == 0
    for name in lost:
        (node / name).unlink()
    assert run(node, "--restore") == 0
    assert {name: (node / name).read_bytes() for name in lost} == before


def test_a_backup_holds_no_password_and_is_its_owners_alone(node: Path) -> None:
    run(node)
    assert (node / "b.tar").stat().st_mode & 0o777 == 0o600
    assert b"secret" not in (node / "b.tar").read_bytes()
    with tarfile.open(node / "b.tar") as tar:
        assert tar.getnames() == ["config.yaml", "taught/dance.json", "normal.bin"]


def made(path: Path, name: str, data: bytes, kind: bytes = tarfile.REGTYPE) -> None:
    with tarfile.open(path, "w") as tar:
        member = tarfile.TarInfo(name)
        member.size, member.type, member.linkname = len(data), kind, "/etc/passwd"
        tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("../config.yaml", b"x"),
        ("/etc/cron.d/x", b"x"),
        ("taught/../../x.json", b"{}"),
        ("taught/dance.json", b"{}"),
        ("taught/dance.json", b"[]"),
        ("taught/other.json", b"{"),
        ("outbox.db", b"x"),
        ("config.yaml", b"\xff\xfe"),
    ],
)
def test_what_is_no_part_of_a_backup_changes_nothing(node: Path, name: str, data: bytes) -> None:
    made(node / "b.tar", name, data)
    before = {path: path.read_bytes() for path in node.rglob("*") if path.is_file()}
    assert run(node, "--restore") == 65
    assert {path: path.read_bytes() for path in node.rglob("*") if path.is_file()} == before


def test_links_and_nonsense_are_refused(node: Path) -> None:
    made(node / "b.tar", "config.yaml", b"", tarfile.SYMTYPE)
    assert run(node, "--restore") == 65
    (node / "b.tar").write_bytes(b"no tar")
    assert run(node, "--restore") == 65
    assert (node / "config.yaml").read_text() == CONFIG


def test_it_is_not_put_back_under_a_running_node(node: Path) -> None:
    """POSIX locks are a process's own: another one holds it."""
    run(node)
    script = node / "hold.py"
    script.write_text(
        "import fcntl, sys\n"
        f"file = open({str(node / 'state' / 'outbox.db')!r}, 'r+b')\n"
        "fcntl.lockf(file, fcntl.LOCK_EX)\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as held:
        assert held.stdout
        assert held.stdout.readline() == b"held\n"
        with pytest.raises(EdgehomeError, match="The node runs"):
            backup.restore(node / "b.tar", config=node / "config.yaml", state=node / "state")
        assert held.stdin
        held.stdin.close()
