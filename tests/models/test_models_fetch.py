"""Fetching public models from a real web server that fails in the ways that servers do."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from file_server import Files, file_server
from tiny_stream import CLASSES, SIZE, tiny_stream

from edgehome.models import download as downloading
from edgehome.models.catalogue import CATALOGUE, KINETICS_600, PublicFile, PublicModel
from edgehome.models.fetch import LIMIT, Fetched, fetch, unpacked
from edgehome.recognizer.manifest import read_manifest
from edgehome.types import EdgehomeError, ModelError

MODEL = tiny_stream() + bytes(range(256)) * 1600
"""A model with 400 kB behind it, so that there is something to cut."""
SHA256 = hashlib.sha256(MODEL).hexdigest()
LABELS = "".join(f"label {number}\n" for number in range(CLASSES)).encode()


@pytest.fixture
def server() -> Iterator[Files]:
    with file_server() as files:
        yield files


@pytest.fixture
def model(server: Files) -> PublicModel:
    """A public model with one address, nobody's hash, and its labels."""
    labels = server.add("/labels.txt", data=LABELS)
    return PublicModel(
        name="tiny",
        title="Tiny",
        model=PublicFile("tiny.tflite", (server.add("/tiny", data=MODEL),)),
        labels=PublicFile("tiny-labels.txt", (labels,), hashlib.sha256(LABELS).hexdigest()),
        size=SIZE,
        rate=5.0,
        licence="Apache-2.0",
        source="https://example.org/tiny",
    )


def at(model: PublicModel, *addresses: str, sha256: str = "") -> PublicModel:
    return replace(model, model=PublicFile(model.model.file, addresses, sha256))


def get(model: PublicModel, folder: Path) -> Fetched:
    return fetch(model, folder, progress=lambda _here, _total: None, pause_s=0.0)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


WHOLE = {"tiny.tflite", "tiny.json", "tiny-labels.txt"}


def ranges(server: Files, path: str) -> list[str]:
    return [wanted for asked, wanted in server.asked if asked == path]


def test_a_fetched_model_is_whole_readable_and_pinned_from_then_on(
    model: PublicModel, tmp_path: Path
) -> None:
    done = get(model, tmp_path / "new" / "folder")
    assert (done.sha256, done.trust) == (SHA256, "first use")
    assert done.path.read_bytes() == MODEL
    assert names(done.path.parent) == WHOLE
    assert {path.stat().st_mode & 0o777 for path in done.path.parent.iterdir()} == {0o644}
    manifest = read_manifest(done.path)
    assert manifest.pinned
    assert manifest.labels == tuple(LABELS.decode().split("\n")[:-1])
    done.path.write_bytes(MODEL[:-1])
    with pytest.raises(ModelError, match="not the file that its manifest describes"):
        read_manifest(done.path)


def test_progress_is_told_to_the_last_byte(model: PublicModel, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    fetch(model, tmp_path, progress=lambda here, total: seen.append((here, total)))
    of_model = [here for here, total in seen if total == len(MODEL)]
    assert of_model == sorted(of_model)
    assert len(of_model) > 2
    assert of_model[-1] == len(MODEL)


def test_a_cut_download_goes_on_where_it_was_cut(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    address = server.add("/cut", data=MODEL, cut_after=150_000)
    assert get(at(model, address), tmp_path).sha256 == SHA256
    assert ranges(server, "/cut") == ["", "bytes=150000-", "bytes=300000-"]


def test_the_next_fetch_goes_on_where_the_last_gave_up(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    cut = at(model, server.add("/cut", data=MODEL, cut_after=60_000))
    with pytest.raises(EdgehomeError, match="240000 of") as failed:
        get(cut, tmp_path)
    assert failed.value.problem.code == "fetch_failed"
    assert "the next fetch goes on" in failed.value.problem.remedy
    assert names(tmp_path) == {"tiny-labels.txt", "tiny.tflite.part", "tiny.tflite.part.json"}
    assert get(cut, tmp_path).sha256 == SHA256
    assert ranges(server, "/cut")[4] == "bytes=240000-"
    assert names(tmp_path) == WHOLE


@pytest.mark.parametrize("etag", ['"2"', 'W/"1"', ""])
def test_a_part_of_another_or_an_unknown_version_is_not_gone_on_with(
    server: Files, model: PublicModel, tmp_path: Path, etag: str
) -> None:
    first = etag if etag != '"2"' else '"1"'
    cut = at(model, server.add("/cut", data=b"x" * 200_000, etag=first, cut_after=50_000))
    with pytest.raises(EdgehomeError):
        get(cut, tmp_path)
    server.add("/cut", data=MODEL, etag=etag)
    assert get(cut, tmp_path).sha256 == SHA256


def test_a_server_without_ranges_gives_all_of_it_again(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    address = server.add("/cut", data=MODEL, cut_after=150_000, cuts=1, ranges=False)
    assert get(at(model, address), tmp_path).sha256 == SHA256
    assert ranges(server, "/cut") == ["", "bytes=150000-"]


def test_a_part_that_is_as_long_as_the_file_begins_anew(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    address = server.add("/tiny", data=MODEL)
    (tmp_path / "tiny.tflite.part").write_bytes(b"x" * len(MODEL))
    facts = {"url": address, "validator": '"1"'}
    (tmp_path / "tiny.tflite.part.json").write_text(json.dumps(facts))
    assert get(at(model, address), tmp_path).sha256 == SHA256


def test_mirrors_are_tried_in_order_until_one_has_the_file(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    page = server.add("/page", data=b"<!doctype html>")
    broken = server.add("/broken", data=MODEL[:1000])
    other = server.add("/other", data=tiny_stream(activation="RELU6"))
    good = server.add("/good", data=MODEL)
    gone = server.base + "/gone"
    done = get(at(model, gone, page, broken, other, good, sha256=SHA256), tmp_path)
    assert (done.address, done.trust) == (good, "known")
    assert names(tmp_path) == WHOLE


def test_a_redirect_is_followed_with_its_range(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    target = server.add("/target", data=MODEL, cut_after=300_000, cuts=1)
    assert get(at(model, server.add("/here", location=target)), tmp_path).sha256 == SHA256
    assert ranges(server, "/target") == ["", "bytes=300000-"]


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://example.org/x"])
def test_a_redirect_leads_to_the_web_or_nowhere(
    server: Files, model: PublicModel, tmp_path: Path, location: str
) -> None:
    with pytest.raises(EdgehomeError, match="Cannot fetch"):
        get(at(model, server.add("/here", location=location)), tmp_path)
    assert names(tmp_path) == {"tiny-labels.txt"}


def test_a_redirect_never_leaves_encryption() -> None:
    redirects = downloading._Redirects()
    request = downloading.urllib.request.Request("https://example.org/a")
    with pytest.raises(downloading.AddressError, match="without encryption"):
        redirects.redirect_request(request, None, 302, "", {}, "http://example.org/b")
    assert redirects.redirect_request(request, None, 302, "", {}, "https://example.org/b")


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "no longer there"), (403, "refuses"), (407, "proxy"), (503, "busy or broken")],
)
def test_what_a_server_refuses_is_said(
    server: Files, model: PublicModel, tmp_path: Path, status: int, words: str
) -> None:
    address = server.add("/refused", status=status, failures=100)
    with pytest.raises(EdgehomeError, match=words) as failed:
        get(at(model, address), tmp_path)
    assert failed.value.problem.code == "fetch_failed"
    assert len(ranges(server, "/refused")) == (downloading.ATTEMPTS if status == 503 else 1)
    assert names(tmp_path) == {"tiny-labels.txt"}


def test_a_server_that_is_busy_for_a_moment_is_asked_again(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    address = server.add("/busy", data=MODEL, status=503, failures=2)
    assert get(at(model, address), tmp_path).sha256 == SHA256


def test_a_server_that_falls_silent_counts_as_gone(
    server: Files, model: PublicModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloading, "TIMEOUT_S", 0.2)
    address = server.add("/slow", data=MODEL, stall_s=2.0)
    with pytest.raises(EdgehomeError, match="no answer for"):
        get(at(model, address), tmp_path)


def test_nobody_listening_and_no_such_name_are_said(model: PublicModel, tmp_path: Path) -> None:
    nowhere = at(model, "http://127.0.0.1:1/x", "https://nowhere.invalid/x", "file:///etc/passwd")
    with pytest.raises(EdgehomeError) as failed:
        get(nowhere, tmp_path)
    text = str(failed.value)
    assert "127.0.0.1:1: [Errno 111] Connection refused" in text
    assert "nowhere.invalid: its name is not found, as when this machine is offline" in text
    assert "it is not a web address" in text
    assert names(tmp_path) == {"tiny-labels.txt"}


def test_a_file_larger_than_any_model_is_not_taken(
    server: Files, model: PublicModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgehome.models.fetch.LIMIT", 100_000)
    said = at(model, server.add("/said", data=MODEL))
    with pytest.raises(EdgehomeError, match="which no model file has"):
        get(said, tmp_path)
    assert names(tmp_path) == {"tiny-labels.txt"}
    unsaid = at(model, server.add("/unsaid", data=MODEL, length=False))
    with pytest.raises(EdgehomeError, match="goes on for more than"):
        get(unsaid, tmp_path)
    assert "tiny.tflite" not in names(tmp_path)


def test_an_answer_without_a_length_that_is_cut_is_not_taken_for_whole(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    """HTTP/1.0 ends a file by closing the connection: only the file itself can tell."""
    address = server.add("/unsaid", data=tiny_stream(), length=False, cut_after=1500)
    with pytest.raises(ModelError, match="cut short"):
        get(at(model, address), tmp_path)
    assert names(tmp_path) == {"tiny-labels.txt"}


def test_wrong_content_is_refused_and_nothing_is_kept(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    page = at(model, server.add("/page", data=b"<!doctype html>" * 10))
    with pytest.raises(ModelError, match="TFL3") as failed:
        get(page, tmp_path)
    assert failed.value.problem.code == "model_refused"
    wrong = at(model, server.add("/wrong", data=MODEL), sha256="0" * 64)
    with pytest.raises(ModelError, match=f"{SHA256[:12]}... instead of 000000000000") as failed:
        get(wrong, tmp_path)
    assert failed.value.problem.code == "model_hash"
    assert names(tmp_path) == {"tiny-labels.txt"}


def test_a_first_copy_is_the_one_that_later_fetches_are_held_to(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    get(model, tmp_path)
    (tmp_path / "tiny.tflite").unlink()
    server.add("/tiny", data=tiny_stream())
    with pytest.raises(ModelError, match="remove its manifest") as failed:
        get(model, tmp_path)
    assert failed.value.problem.code == "model_hash"
    assert "tiny.tflite" not in names(tmp_path)
    server.add("/tiny", data=MODEL)
    assert get(model, tmp_path).trust == "as before"
    (tmp_path / "tiny.json").write_text("not JSON")
    with pytest.raises(ModelError, match=r"tiny.json should hold the hash"):
        get(model, tmp_path)


def test_what_is_here_and_right_is_not_fetched_again(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    get(model, tmp_path)
    asked = len(server.asked)
    done = get(model, tmp_path)
    assert (done.address, done.trust, done.sha256) == ("", "as before", SHA256)
    assert len(server.asked) == asked
    (tmp_path / "tiny.tflite").write_bytes(b"spoilt")
    assert get(model, tmp_path).path.read_bytes() == MODEL


def test_two_fetches_of_one_file_do_not_mix(model: PublicModel, tmp_path: Path) -> None:
    with (
        downloading.Part(tmp_path / "tiny.tflite").alone(),
        pytest.raises(EdgehomeError, match="is being fetched already"),
    ):
        get(model, tmp_path)
    assert get(model, tmp_path).sha256 == SHA256


def test_a_disk_that_refuses_is_said(
    model: PublicModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgehomeError, match="Cannot write") as failed:
        get(model, tmp_path / "file" / "folder")
    assert failed.value.problem.code == "disk_refused"

    def full(_path: Path, _data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("edgehome.models.fetch.write_atomically", full)
    with pytest.raises(EdgehomeError, match=r"No space left on device\. Free some") as failed:
        get(model, tmp_path)
    assert failed.value.problem.code == "disk_refused"


def tar(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def test_an_archive_gives_its_only_model_and_none_of_its_paths(
    server: Files, model: PublicModel, tmp_path: Path
) -> None:
    packed = tar(**{"../../evil.txt": b"evil", "/a/../1.tflite": MODEL})
    folder = tmp_path / "models"
    done = get(at(model, server.add("/tar", data=packed, cut_after=900, cuts=1)), folder)
    assert done.sha256 == SHA256
    assert names(folder) == WHOLE
    assert names(tmp_path) == {"models"}


def link() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("1.tflite")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("packed", "words"),
    [
        (tar(**{"a.tflite": MODEL, "b.tflite": MODEL}), "holds 2 .tflite files"),
        (tar(**{"readme.txt": b"no model"}), "holds 0 .tflite files"),
        (link(), "holds 0 .tflite files"),
        (tar(**{"a.tflite": MODEL})[:3000], "damaged"),
        (gzip.compress(b"not an archive" * 100), "damaged"),
        (gzip.compress(bytes(LIMIT + 1)), "larger than any model"),
    ],
    ids=["two", "none", "link", "cut", "no tar", "bomb"],
)
def test_a_bad_archive_is_refused(packed: bytes, words: str) -> None:
    with pytest.raises(ModelError, match=words) as failed:
        unpacked(packed)
    assert failed.value.problem.code == "model_refused"


def test_every_public_model_has_three_addresses_and_a_name_of_its_own() -> None:
    for model in CATALOGUE.values():
        assert all(address.startswith("https://") for address in model.model.addresses)
        assert len(set(model.model.addresses)) == 3
    assert len({model.model.file for model in CATALOGUE.values()}) == len(CATALOGUE)


def test_the_pinned_hashes_are_those_of_the_real_files(shared: Path, k600_original: Path) -> None:
    data = k600_original.read_bytes()
    assert hashlib.sha256(data).hexdigest() == CATALOGUE["movinet-a0-int8"].model.sha256
    labels = (shared / "models" / "kinetics600_label_map.txt").read_bytes()
    assert hashlib.sha256(labels).hexdigest() == KINETICS_600.sha256


def test_the_real_file_comes_out_of_an_archive_as_it_went_in(
    server: Files, shared: Path, k600_original: Path, tmp_path: Path
) -> None:
    labels = (shared / "models" / "kinetics600_label_map.txt").read_bytes()
    packed = tar(**{"1.tflite": k600_original.read_bytes()})
    real = CATALOGUE["movinet-a0-int8"]
    here = replace(
        real,
        model=replace(real.model, addresses=(server.add("/k", data=packed, cut_after=1_000_000),)),
        labels=replace(real.labels, addresses=(server.add("/l", data=labels),)),
    )
    done = get(here, tmp_path)
    assert done.trust == "known"
    assert len(ranges(server, "/k")) > 1
    manifest = read_manifest(done.path)
    assert (len(manifest.labels), manifest.pinned) == (600, True)
