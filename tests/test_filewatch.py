"""Saves as editors and machines make them, on real folders."""

from __future__ import annotations

import math
import os
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgehome.filewatch import QUIET_S, FileWatch, places

LONG_S = 5.0
"""More than any save takes to be noticed."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "etc"
    folder.mkdir()
    file = folder / "config.yaml"
    file.write_text("old\n")
    return file


@pytest.fixture
def watch(file: Path) -> Iterator[FileWatch]:
    with FileWatch(file, time.monotonic) as watch:
        yield watch


def noticed(watch: FileWatch, timeout_s: float = LONG_S) -> float | None:
    """Return the seconds until a save was noticed, as the supervisor's loop would; None if not."""
    begin_s = time.monotonic()
    while (now_s := time.monotonic()) - begin_s < timeout_s:
        if watch.saved():
            return now_s - begin_s
        until_s = min(watch.deadline_s, begin_s + timeout_s)
        select.select([watch], [], [], max(0.0, until_s - time.monotonic()))
    return None


def in_place(file: Path) -> None:
    file.write_text("new\n")


def rename_over(file: Path) -> None:
    other = file.with_name(".config.yaml.swp")
    other.write_text("new\n")
    other.replace(file)


def move_away_and_write_anew(file: Path) -> None:
    """As vim does with `backupcopy=no`."""
    file.rename(file.with_name("config.yaml~"))
    file.write_text("new\n")


def delete_and_write_anew(file: Path) -> None:
    file.unlink()
    file.write_text("new\n")


def move_in_from_another_folder(file: Path) -> None:
    other = file.parent.parent / "other"
    other.write_text("new\n")
    other.replace(file)


def with_sed(file: Path) -> None:
    subprocess.run(["sed", "-i", "s/old/new/", file], check=True)


def with_cp(file: Path) -> None:
    other = file.parent.parent / "other"
    other.write_text("new\n")
    subprocess.run(["cp", "-p", other, file], check=True)


def link_to_another(file: Path) -> None:
    other = file.parent.parent / "other"
    other.write_text("new\n")
    subprocess.run(["ln", "-sf", other, file], check=True)


def replace_the_folder(file: Path) -> None:
    new = file.parent.with_name("new")
    new.mkdir()
    (new / file.name).write_text("new\n")
    file.parent.rename(file.parent.with_name("old"))
    new.rename(file.parent)


def let_it_be_read(file: Path) -> None:
    file.chmod(0o640)


@pytest.mark.parametrize(
    "save",
    [
        in_place,
        rename_over,
        move_away_and_write_anew,
        delete_and_write_anew,
        move_in_from_another_folder,
        with_sed,
        with_cp,
        link_to_another,
        replace_the_folder,
        let_it_be_read,
    ],
)
def test_every_way_to_save_is_noticed_once_and_again(
    file: Path, watch: FileWatch, save: Callable[[Path], None]
) -> None:
    save(file)
    took_s = noticed(watch)
    assert took_s is not None
    assert took_s >= QUIET_S
    assert took_s < 2
    assert noticed(watch, 2 * QUIET_S) is None, "one save is told once"
    file.write_text("newer\n")
    assert noticed(watch) is not None, "it goes on watching"


def test_other_files_of_the_folder_are_no_save(file: Path, watch: FileWatch) -> None:
    for number in range(20):
        (file.parent / "state.json").write_text(str(number))
    assert not watch.saved()
    assert watch.deadline_s == math.inf
    assert noticed(watch, 2 * QUIET_S) is None


def test_a_burst_of_saves_is_one(file: Path, watch: FileWatch) -> None:
    for number in range(10):
        file.write_text(f"{number}\n")
        assert noticed(watch, QUIET_S / 10) is None
    assert noticed(watch) is not None
    assert noticed(watch, 2 * QUIET_S) is None


def test_a_slow_writer_is_waited_for_until_it_closes(file: Path, watch: FileWatch) -> None:
    closed_s = []

    def write() -> None:
        with file.open("w") as slow:
            for piece in range(4):
                slow.write(f"{piece}\n")
                slow.flush()
                os.fsync(slow.fileno())
                time.sleep(2 * QUIET_S)
        closed_s.append(time.monotonic())

    writer = threading.Thread(target=write)
    writer.start()
    assert noticed(watch, 10) is not None
    assert closed_s, "not before the end"
    assert time.monotonic() - closed_s[0] < 1
    writer.join()


def test_emptied_first_and_written_slowly_afterwards_it_is_waited_for(
    file: Path, watch: FileWatch
) -> None:
    """As a shell does: `: > file` closes it at once, and the writer opens it anew."""
    file.write_text("")
    with file.open("a") as slow:
        slow.write("half")
        slow.flush()
        assert noticed(watch, 4 * QUIET_S) is None
        slow.write(" and half\n")
    assert noticed(watch) is not None


def test_a_folder_that_comes_back_later_is_found_again(file: Path, watch: FileWatch) -> None:
    shutil.rmtree(file.parent)
    assert noticed(watch, 1.5) is None
    file.parent.mkdir()
    file.write_text("new\n")
    assert noticed(watch) is not None
    file.write_text("newer\n")
    assert noticed(watch) is not None


def test_a_file_system_that_goes_and_comes_back_is_found_again(file: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", file.parent]
    file.unlink()
    if subprocess.run(mount, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    mounted = True
    try:
        file.write_text("mounted\n")
        with FileWatch(file, time.monotonic) as watch:
            subprocess.run(["umount", file.parent], check=True)
            mounted = False
            assert noticed(watch) is not None, "it is gone"
            subprocess.run(mount, check=True)
            mounted = True
            file.write_text("mounted again\n")
            assert noticed(watch) is not None
    finally:
        if mounted:
            subprocess.run(["umount", file.parent], check=False)


def kubernetes(folder: Path, version: str) -> None:
    """Put a version of the file where Kubernetes' ConfigMaps have it, by renaming one link."""
    data = folder / f"..{version}"
    data.mkdir()
    (data / "config.yaml").write_text(f"{version}\n")
    link = folder / "..data_tmp"
    link.symlink_to(data.name)
    link.replace(folder / "..data")


def test_links_are_followed_as_kubernetes_and_nixos_replace_them(tmp_path: Path) -> None:
    folder = tmp_path / "mount"
    folder.mkdir()
    kubernetes(folder, "1")
    (folder / "config.yaml").symlink_to("..data/config.yaml")
    (tmp_path / "config.yaml").symlink_to("mount/config.yaml")
    with FileWatch(tmp_path / "config.yaml", time.monotonic) as watch:
        for version in "23":
            kubernetes(folder, version)
            assert noticed(watch) is not None
            assert (tmp_path / "config.yaml").read_text() == f"{version}\n"
        (folder / "..3" / "config.yaml").write_text("edited where it is\n")
        assert noticed(watch) is not None
        (folder / "..1" / "config.yaml").write_text("no longer the file\n")
        assert noticed(watch, 2 * QUIET_S) is None


def test_links_that_go_round_in_circles_do_not_hold_anything_up(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert len(list(places(tmp_path / "a"))) <= 41
    with FileWatch(tmp_path / "a", time.monotonic) as watch:
        assert not watch.saved()
