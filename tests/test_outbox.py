"""The outbox on real files: order, bounds, a full disk, SIGKILL, and damaged files."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from damage import damaged

from edgehome.outbox import New, Outbox, OutboxFullError
from edgehome.types import OutboxError

ROOT = Path(__file__).resolve().parents[1]
LONG = os.environ.get("EDGEHOME_TEST_LONG") == "1"
MUTATIONS = 5000 if LONG else 200


def payload(number: int, size: int = 600) -> bytes:
    return json.dumps({"id": f"a{number}", "message": "x" * size}).encode()


def fill(outbox: Outbox, count: int, *, first: int = 1, size: int = 600) -> list[int]:
    return [
        outbox.append(f"a{n}", payload(n, size), 1000.0 + n) for n in range(first, first + count)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory, where there is one: thousands of outboxes are made in it."""
    shm = Path("/dev/shm")
    with TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MiB of our own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("mounting a small tmpfs needs root")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill_up(disk: Path) -> None:
    with (disk / "rubbish").open("ab", buffering=0) as rubbish, suppress(OSError):
        for size in (65536, 4096, 1):
            with suppress(OSError):
                while rubbish.write(bytes(size)):
                    pass
    assert shutil.disk_usage(disk).free == 0


def test_alerts_come_back_in_the_order_in_which_they_were_raised(path: Path) -> None:
    with Outbox(path) as outbox:
        assert fill(outbox, 5) == [1, 2, 3, 4, 5]
    with Outbox(path) as outbox:
        assert [e.id for e in outbox.pending()] == ["a1", "a2", "a3", "a4", "a5"]
        assert [e.seq for e in outbox.pending(after=3)] == [4, 5]
        assert outbox.pending()[0].created_wall == 1001.0
        assert outbox.pending_count == 5


def test_the_same_id_is_stored_once_and_gives_the_same_seq(path: Path) -> None:
    with Outbox(path) as outbox:
        assert outbox.append("a", b"{}", 1.0) == outbox.append("a", b"{}", 2.0) == 1
        assert outbox.pending_count == 1


def test_a_seq_is_never_used_twice_even_after_its_row_is_gone(path: Path) -> None:
    with Outbox(path, keep_sent=0) as outbox:
        outbox.mark_sent(fill(outbox, 3), 2000.0)
        assert outbox.newest() is None
        assert outbox.append("later", b"{}", 1.0) == 4


def test_the_cursor_is_the_last_seq_before_the_first_unsent_one(path: Path) -> None:
    with Outbox(path) as outbox:
        assert outbox.cursor() == 0
        fill(outbox, 4)
        outbox.mark_sent([1, 2, 4], 2000.0)
        assert outbox.cursor() == 2
        outbox.mark_sent([3], 2000.0)
        assert outbox.cursor() == 4


def test_the_newest_sent_alerts_are_kept_and_can_be_sent_again(path: Path) -> None:
    with Outbox(path, keep_sent=10) as outbox:
        outbox.mark_sent(fill(outbox, 30), 2000.0)
        assert outbox.sent(above=0) == list(range(21, 31))
        assert outbox.reopen([25, 26]) == 2
        assert [(e.seq, bool(e.replay)) for e in outbox.pending()] == [(25, True), (26, True)]
        assert outbox.pending_count == 2


def test_sent_alerts_can_be_chosen_by_the_time_of_sending(path: Path) -> None:
    with Outbox(path) as outbox:
        fill(outbox, 4)
        outbox.mark_sent([1, 2], 2000.0)
        outbox.mark_sent([3], 3000.0)
        assert outbox.sent(above=0, since_wall=2500.0) == [3]
        assert outbox.newest_sent_wall() == 3000.0


def test_sent_alerts_make_room_before_unsent_ones_and_every_loss_is_counted(path: Path) -> None:
    with Outbox(path, max_rows=10) as outbox:
        outbox.mark_sent(fill(outbox, 4), 2000.0)
        fill(outbox, 10, first=5)
        assert (outbox.dropped, outbox.pending_count) == (0, 10)
        fill(outbox, 3, first=15)
        assert outbox.dropped == 3
        assert outbox.pending(limit=1)[0].id == "a8"
    with Outbox(path, max_rows=10) as outbox:
        assert outbox.dropped == 3


def test_two_hundred_alerts_fit_on_a_full_disk(small_disk: Path) -> None:
    with Outbox(small_disk / "outbox.db") as outbox:
        fill_up(small_disk)
        fill(outbox, 200)
        outbox.mark_sent(range(1, 101), 2000.0)
        assert outbox.pending_count == 100


@pytest.mark.parametrize("stop", ["clean", "killed"])
def test_an_outbox_opened_again_on_a_full_disk_still_takes_two_hundred(
    small_disk: Path, stop: str
) -> None:
    path = small_disk / "outbox.db"
    if stop == "clean":
        with Outbox(path) as outbox:
            fill(outbox, 20)
    else:
        run_writer(path, kill_after=20)
    fill_up(small_disk)
    with Outbox(path) as outbox:
        known = outbox.pending_count
        assert known >= 10  # the writer marks a third as sent
        fill(outbox, 200, first=100_000)
        assert outbox.pending_count == known + 200


def test_a_disk_that_stays_full_is_an_error_with_a_remedy_and_the_rows_stay(
    small_disk: Path,
) -> None:
    with Outbox(small_disk / "outbox.db") as outbox:
        fill_up(small_disk)
        with pytest.raises(OutboxFullError) as raised:
            fill(outbox, 9000)
        assert raised.value.problem.code == "storage_failed"
        assert raised.value.problem.remedy
        stored = outbox.pending_count
        assert stored >= 200
        (small_disk / "rubbish").unlink()
        fill(outbox, 1, first=50_000)
        assert outbox.pending_count == stored + 1


def test_on_a_full_disk_sent_alerts_make_room_for_new_ones(small_disk: Path) -> None:
    with Outbox(small_disk / "outbox.db") as outbox:
        outbox.mark_sent(fill(outbox, 2000), 2000.0)
        fill_up(small_disk)
        fill(outbox, 2000, first=10_000)
        assert outbox.dropped == 0
        assert outbox.pending_count == 2000


WRITER = """
import sys
from pathlib import Path
from edgehome.outbox import Outbox
with Outbox(Path(sys.argv[1])) as outbox:
    number = outbox.cursor() + outbox.pending_count
    while True:
        number += 1
        seq = outbox.append(f"{sys.argv[2]}-{number}", b'{"message": "' + b"x" * 500 + b'"}', 1.0)
        sys.stdout.write(f"{sys.argv[2]}-{number} {seq}\\n")
        sys.stdout.flush()
        if number % 3 == 0:
            outbox.mark_sent([seq - 1], 2.0)
"""


def run_writer(path: Path, *, kill_after: int, name: str = "w") -> list[str]:
    """Start a process that writes until it is killed; return the ids it reported as committed."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as writer:
        assert writer.stdout
        lines = [writer.stdout.readline() for _ in range(kill_after)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    return [line.split()[0] for line in lines if line.endswith("\n")]


def test_sigkill_of_the_writer_loses_no_committed_alert(path: Path) -> None:
    chance = random.Random(7)
    committed: list[str] = []
    for life in range(15):
        committed += run_writer(path, kill_after=chance.randrange(1, 60), name=f"life{life}")
    with Outbox(path) as outbox:
        assert outbox.damage is None
    connection = sqlite3.connect(path)
    stored = {row[0] for row in connection.execute("SELECT id FROM alerts")}
    connection.close()
    assert len(committed) > 100
    assert set(committed) <= stored


def dense(path: Path, to: Path) -> bytes:
    """Return an outbox's file without the reserve, which would soak up the damage."""
    connection = sqlite3.connect(path)
    connection.execute("VACUUM INTO ?", (str(to),))
    connection.close()
    return to.read_bytes()


def test_a_damaged_file_always_starts_and_its_readable_alerts_are_kept(
    path: Path, scratch: Path
) -> None:
    with Outbox(path) as outbox:
        outbox.mark_sent(fill(outbox, 60)[:30], 2000.0)
        outbox.acknowledge(["a1", "a2"])
        outbox.append("a61", b"{}", 1.0, rule="fall", memory=b"memory")
        outbox.note("life", "7")
    originals = [dense(path, scratch / "2.db"), dense(first_version(scratch, 60), scratch / "1.db")]
    chance = random.Random(11)
    reported = kept = remembered = 0
    for number in range(MUTATIONS):
        place = scratch / f"m{number}"
        place.mkdir()
        (place / "outbox.db").write_bytes(damaged(originals[number % 2], chance))
        with Outbox(place / "outbox.db") as outbox:
            reported += outbox.damage is not None
            kept += outbox.damage is not None and outbox.pending_count > 0
            remembered += outbox.damage is not None and outbox.memory() == b"memory"
            assert (place / "outbox.corrupt-1").exists() == (outbox.damage is not None)
            outbox.append("new", b"{}", 1.0)
            assert outbox.pending(after=outbox.cursor(), limit=1000)[-1].id == "new"
        shutil.rmtree(place)
    print(f"{MUTATIONS} damaged files: all start, {reported} set aside, {kept} with alerts saved")
    assert reported > MUTATIONS // 4
    assert kept > reported // 4
    assert remembered > reported // 8


def test_a_damaged_write_ahead_log_always_starts(path: Path, scratch: Path) -> None:
    run_writer(path, kill_after=30)
    database, wal = path.read_bytes(), Path(f"{path}-wal").read_bytes()
    chance = random.Random(13)
    for number in range(MUTATIONS // 6):
        place = scratch / f"m{number}"
        place.mkdir()
        (place / "outbox.db").write_bytes(database)
        (place / "outbox.db-wal").write_bytes(damaged(wal[: 100 * 4096], chance))
        with Outbox(place / "outbox.db") as outbox:
            outbox.append("new", b"{}", 1.0)
        shutil.rmtree(place)


FIRST_VERSION = """
CREATE TABLE alerts (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
    created_wall REAL NOT NULL, payload BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent')),
    replay INTEGER NOT NULL DEFAULT 0, sent_wall REAL);
CREATE INDEX waiting ON alerts (seq) WHERE state = 'pending';
CREATE TABLE facts (store TEXT NOT NULL, dropped INTEGER NOT NULL);
INSERT INTO facts VALUES ('0123456789abcdef', 3);
PRAGMA journal_mode = WAL;
PRAGMA user_version = 1;
"""


def first_version(folder: Path, count: int) -> Path:
    """Return an outbox of the first version, with every second alert sent."""
    path = folder / "first.db"
    connection = sqlite3.connect(path)
    connection.executescript(FIRST_VERSION)
    for n in range(1, count + 1):
        state, sent_wall = ("sent", 5000.0) if n % 2 else ("pending", None)
        connection.execute(
            "INSERT INTO alerts (id, created_wall, payload, state, sent_wall)"
            " VALUES (?, ?, ?, ?, ?)",
            (f"a{n}", 1000.0 + n, payload(n), state, sent_wall),
        )
    connection.commit()
    connection.close()
    return path


def test_an_outbox_of_the_first_version_keeps_its_alerts_its_name_and_its_count(
    tmp_path: Path,
) -> None:
    path = first_version(tmp_path, 4)
    for _ in range(2):
        with Outbox(path) as outbox:
            assert outbox.damage is None
            assert outbox.store == "0123456789abcdef"
            assert outbox.dropped == 3
            assert [entry.id for entry in outbox.pending()] == ["a2", "a4"]
            assert outbox.sent(above=0) == [1, 3]
    with Outbox(path) as outbox:
        assert outbox.acknowledge(["a1", "a2", "unknown"]) == 2
        assert outbox.append("a5", b"{}", 1.0, memory=b"memory") == 5
        assert outbox.memory() == b"memory"


def test_an_outbox_of_the_first_version_opens_on_a_full_disk(
    small_disk: Path, tmp_path: Path
) -> None:
    shutil.copy(first_version(tmp_path, 2000), small_disk / "outbox.db")
    with sqlite3.connect(small_disk / "outbox.db") as connection:  # as the first version left it
        connection.execute("CREATE TABLE reserve (filler)")
        connection.execute("INSERT INTO reserve VALUES (zeroblob(1000000))")
    connection.execute("DROP TABLE reserve")
    connection.close()
    (small_disk / "outbox.db-wal").write_bytes(bytes(2_000_000))
    fill_up(small_disk)
    with Outbox(small_disk / "outbox.db") as outbox:
        assert outbox.damage is None
        assert outbox.pending_count == 1000
        outbox.append("new", b"{}", 1.0, memory=b"memory")


def test_what_the_home_acknowledged_is_not_sent_again(path: Path) -> None:
    with Outbox(path) as outbox:
        outbox.mark_sent(fill(outbox, 4), 2000.0)
        assert outbox.acknowledge(["a2", "a2", "nobody's"]) == 1
        assert outbox.acknowledge(["a2"]) == 0
        assert [entry.id for entry in outbox.unacknowledged(2)] == ["a1", "a3"]
        assert outbox.sent(above=0) == [1, 3, 4]
        assert outbox.reopen([1, 2]) == 1
        assert [entry.id for entry in outbox.pending()] == ["a1"]
        assert outbox.cursor() == 0
        assert outbox.acknowledge(["a1"]) == 1
        assert (outbox.pending_count, outbox.cursor()) == (0, 4)


def test_alerts_of_one_moment_and_the_rules_memory_are_stored_together(path: Path) -> None:
    with Outbox(path) as outbox:
        assert outbox.memory() is None
        pair = [New("a", b"{}", 1.0), New("b", b"{}", 1.0)]
        assert outbox.append_all(pair, memory=b"one") == [1, 2]
        with pytest.raises(OutboxError):
            outbox.append_all([New("c", b"{}", 1.0), New("d", None, 1.0)], memory=b"two")  # type: ignore[arg-type]
        assert outbox.append_all(pair, memory=b"three") == [1, 2]
    with Outbox(path) as outbox:
        assert [entry.id for entry in outbox.pending()] == ["a", "b"]
        assert outbox.memory() == b"one"


def test_facts_last(path: Path) -> None:
    with Outbox(path) as outbox:
        assert outbox.noted("mode") is None
        outbox.note("mode", "broker")
        outbox.note("mode", "acknowledged")
    with Outbox(path) as outbox:
        assert outbox.noted("mode") == "acknowledged"
        assert outbox.memory() is None


@pytest.mark.parametrize("content", [b"", b"not a database" * 400, bytes(8192)])
def test_a_file_that_is_no_database_is_set_aside(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with Outbox(path) as outbox:
        assert outbox.append("a", b"{}", 1.0) == 1
        assert (outbox.damage is not None) == bool(content)
        if outbox.damage:
            assert "outbox.corrupt-1" in outbox.damage.remedy


def test_alerts_of_a_salvage_that_was_cut_short_are_salvaged_at_the_next_start(path: Path) -> None:
    with Outbox(path) as outbox:
        fill(outbox, 3)
    path.rename(path.with_name("outbox.corrupt-1"))  # as after a kill between rename and commit
    Path(f"{path}-wal").unlink()
    with Outbox(path) as outbox:
        assert [e.id for e in outbox.pending()] == ["a1", "a2", "a3"]


def test_a_file_that_another_process_holds_is_refused_and_left_alone(path: Path) -> None:
    with Outbox(path) as first:
        fill(first, 2)
        with pytest.raises(OutboxError) as raised, Outbox(path):
            pass
        assert raised.value.problem.code == "storage_failed"
        assert first.pending_count == 2
    assert not path.with_name("outbox.corrupt-1").exists()


def test_a_place_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutboxError) as raised, Outbox(tmp_path / "file" / "outbox.db"):
        pass
    assert raised.value.problem.remedy
