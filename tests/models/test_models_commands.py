"""`edgehome models` as people call it: what it prints, and the status it ends with."""

from __future__ import annotations

import hashlib
import json
import lzma
import os
import pty
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from command_line import edgehome
from file_server import Files, file_server
from tiny_stream import CLASSES, SIZE, tiny_stream

from edgehome.__main__ import main
from edgehome.models import catalogue
from edgehome.recognizer.tflite_file import TfliteFile

ROOT = Path(__file__).resolve().parents[2]
ORIGINALS = ROOT / "tests" / "movinet" / "originals"
EX_USAGE, EX_DATAERR, EX_NOINPUT, EX_UNAVAILABLE, EX_IOERR = 64, 65, 66, 69, 74
LABELS = [f"label {number}" for number in range(CLASSES)]


def models(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return edgehome("models", *arguments, cwd=cwd)


def add_model(folder: Path, name: str = "tiny", data: bytes | None = None, **more: Any) -> Path:
    """Write a small model with its manifest; return its path."""
    data = tiny_stream() if data is None else data
    path = folder / f"{name}.tflite"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    manifest = {
        "name": f"The {name} one",
        "sha256": hashlib.sha256(data).hexdigest(),
        "labels": LABELS,
        "rate": 5,
        "size": SIZE,
        "crop": "center",
        "range": [0, 1],
        "licence": "Apache-2.0",
        "source": "here",
    }
    path.with_suffix(".json").write_text(json.dumps(manifest | more))
    return path


def add_head(folder: Path, name: str, embedding: str, width: int = 480) -> None:
    (folder / "heads").mkdir(exist_ok=True)
    numbers = [1.0] * width
    fields = {
        "name": name, "embedding": embedding, "window_s": 3.0, "statistics": ["mean"],
        "center": numbers, "scale": numbers, "weights": numbers, "bias": 0.0,
        "calibration": {"slope": 1.0, "offset": 0.0}, "threshold": 0.5,
        "card": {"description": f"Finds {name}.", "trained_on": "nothing", "licence": "none",
                 "figures": {}, "limits": "all"},
    }  # fmt: skip
    (folder / "heads" / f"{name}.json").write_text(json.dumps(fields))


def copied(model: Path, folder: Path, **more: Any) -> Path:
    """Copy a model and its manifest, with other fields; return the new path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = Path(shutil.copy(model, folder))
    manifest = json.loads(model.with_suffix(".json").read_text())
    path.with_suffix(".json").write_text(json.dumps(manifest | more))
    return path


def published(path: Path) -> Path:
    """Write a network of random weights as Google's converter does; return its path."""
    path.write_bytes(lzma.decompress((ORIGINALS / "a0.int8.tflite.xz").read_bytes()))
    return path


def test_list_says_what_is_here_what_is_wrong_and_what_can_be_fetched(
    tmp_path: Path, box_model: Path
) -> None:
    copied(box_model, tmp_path / "mine")
    add_model(tmp_path / "models", "cut", tiny_stream()[:500])
    published(tmp_path / "models" / "x.tflite")
    (tmp_path / "config.yaml").write_text("recognizer: {model: mine/edgehome-a0.tflite}\n")
    done = models("list", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        f"* {tmp_path}/mine/edgehome-a0.tflite\n    edgehome A0: "
        "MoViNet a0, int8, compiled for cpu, 0.8 MB\n"
    ) in done.stdout
    assert "  models/cut.tflite\n    cannot be used: " in done.stdout
    assert "MoViNet a0, int8, as published, to be imported, 7 labels, " in done.stdout
    assert "movinet-a1-int8       MoViNet-A1 stream, Kinetics-600, int8\n" in done.stdout
    said = json.loads(models("list", "--json", cwd=tmp_path).stdout)
    assert [(Path(row["file"]).name, row["configured"]) for row in said["here"]] == [
        ("edgehome-a0.tflite", True),
        ("cut.tflite", False),
        ("x.tflite", False),
    ]
    assert {model["name"] for model in said["public"]} == set(catalogue.CATALOGUE)


def test_list_works_where_there_is_nothing_at_all(tmp_path: Path) -> None:
    done = models("list", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("No model is here.")


def test_show_tells_what_goes_in_and_out_of_googles_file(
    tmp_path: Path, k600_original: Path
) -> None:
    said = json.loads(models("show", k600_original, "--json", cwd=tmp_path).stdout)
    assert (said["kind"], said["labels"], said["pinned"]) == ("published", 600, True)
    assert said["network"] == {
        "architecture": "a0",
        "precision": "int8",
        "activation": "relu6",
        "squeeze_excite": False,
    }
    assert said["interface"]["inputs"] == {"image": "float32 [1, 1, 172, 172, 3]"}
    assert said["interface"]["outputs"] == {"logits": "float32 [1, 600]"}
    assert (said["interface"]["states"], said["interface"]["highest_rank"]) == (43, 5)
    assert said["interface"]["state_bytes_in"] == 2_696_832
    text = models("show", k600_original, cwd=tmp_path).stdout
    assert "network        MoViNet a0, int8, as published, to be imported\n" in text
    assert "states         43; 2,696,832 bytes in and 2,696,832 out a frame\n" in text


def test_show_says_why_a_file_cannot_be_imported(tmp_path: Path) -> None:
    path = add_model(tmp_path)
    done = models("show", path, cwd=tmp_path)
    assert done.returncode == 0
    assert "\nimport         The model file is refused: " in done.stdout


def test_show_says_what_only_a_compiled_file_has(tmp_path: Path, box_model: Path) -> None:
    compiled = {"architecture": "a0", "precision": "int8", "form": "cpu"}
    path = copied(box_model, tmp_path, compiled=compiled | {"agreement": {"top1": 0.95}})
    add_head(tmp_path, "fall", "movinet-a0-kinetics600")
    add_head(tmp_path, "other", "elsewhere")
    text = models("show", path, cwd=tmp_path).stdout
    assert "network        MoViNet a0, int8, compiled for cpu\n" in text
    assert "embedding      movinet-a0-kinetics600\n" in text
    assert "agreement, top1 0.95\n" in text
    assert "head           fall: fits. Finds fall.\n" in text
    assert "head           other: is for 'elsewhere'. Finds other.\n" in text
    said = json.loads(models("show", path, "--json", cwd=tmp_path).stdout)
    assert said["kind"] == "compiled"
    assert said["interface"]["highest_rank"] == 4
    assert said["interface"]["state_bytes_in"] < 1_000_000
    assert [head["fits"] for head in said["heads"]] == [True, False]


def test_verify_runs_a_frame_of_either_kind(
    tmp_path: Path, k600_model: Path, k600_original: Path
) -> None:
    for path, last in ((k600_model, "labels\n"), (k600_original, "can be imported")):
        done = models("verify", path, cwd=tmp_path)
        assert done.returncode == 0, done.stdout
        assert "is the one that is known" in done.stdout
        assert "600 labels" in done.stdout
        assert last in done.stdout


def test_the_model_in_the_box_runs_and_its_heads_fit(tmp_path: Path, box_model: Path) -> None:
    assert "labels         none of its own\n" in models("show", box_model, cwd=tmp_path).stdout
    done = models("verify", box_model, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "is the one that is known" in done.stdout
    for name in ("fall", "fighting", "person"):
        assert f"good   {name} fits\n" in done.stdout


def test_verify_finds_every_kind_of_fault(tmp_path: Path, box_model: Path) -> None:
    assert models("verify", tmp_path / "none.tflite", cwd=tmp_path).returncode == EX_NOINPUT
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(box_model.read_bytes()[:500_000])
    for path, words in (
        (copied(box_model, tmp_path / "a", sha256="0" * 64), "is not the file that its manifest"),
        (cut, "cut short"),
        (copied(box_model, tmp_path / "b", labels=["1", "2"]), "says 2 labels, the model has 0"),
        (add_model(tmp_path / "c", data=b"nothing"), "TFL3"),
        (add_model(tmp_path / "d"), "The model file is refused"),
    ):
        done = models("verify", path, "--json", cwd=tmp_path)
        findings = [json.loads(line) for line in done.stdout.splitlines()]
        assert done.returncode == EX_DATAERR, done.stdout
        assert [finding["good"] for finding in findings[:-1]] == [True] * (len(findings) - 1)
        assert words in findings[-1]["message"]


def test_verify_says_when_a_head_does_not_fit(tmp_path: Path, box_model: Path) -> None:
    path = copied(box_model, tmp_path)
    add_head(tmp_path, "fall", "movinet-a0-kinetics600")
    assert models("verify", path, cwd=tmp_path).returncode == 0
    add_head(tmp_path, "far", "elsewhere")
    done = models("verify", path, cwd=tmp_path)
    assert done.returncode == 0, "models share the folder, and each has heads of its own"
    assert "good   far is not used: it is for another model's 'elsewhere'" in done.stdout
    add_head(tmp_path, "narrow", "movinet-a0-kinetics600", width=24)
    (tmp_path / "heads" / "torn.json").write_text('{"name": ')
    done = models("verify", path, cwd=tmp_path)
    assert done.returncode == EX_DATAERR
    assert "good   fall fits\n" in done.stdout
    assert "bad    narrow takes embeddings of 24 numbers, these have 480" in done.stdout
    assert "torn.json" in done.stdout


def test_a_model_that_takes_its_process_down_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr("edgehome.models.verify.sys.executable", str(crashing))
    assert main(["models", "verify", str(add_model(tmp_path))]) == EX_DATAERR
    assert "crashed with SIGSEGV" in capsys.readouterr().out


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Files, str]]:
    """Have the catalogue's addresses lead to a server here."""
    with file_server() as server:
        labels = "\n".join(LABELS).encode()
        model = replace(
            catalogue.CATALOGUE["movinet-a1-int8"],
            model=catalogue.PublicFile("t.tflite", (server.add("/t", data=tiny_stream()),)),
            labels=catalogue.PublicFile("l.txt", (server.add("/l", data=labels),)),
            size=SIZE,
        )
        monkeypatch.setitem(catalogue.CATALOGUE, model.name, model)  # type: ignore[arg-type]
        yield server, model.name


def test_fetch_puts_a_model_into_the_folder_of_the_configured_one(
    served: tuple[Files, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("recognizer: {model: mine/x.tflite}\n")
    _, name = served
    assert main(["models", "fetch", name]) == 0
    first = capsys.readouterr()
    assert "trusted as the first copy" in first.out
    assert first.err == ""
    assert (tmp_path / "mine" / "t.tflite").exists()
    assert main(["models", "fetch", name, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["trust"], said["address"]) == ("as before", "")
    assert main(["models", "fetch", name, "--to", "other"]) == 0
    assert (tmp_path / "other" / "t.tflite").exists()


def test_fetch_that_fails_says_so_by_its_status(
    served: tuple[Files, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    server, name = served
    del server.paths["/t"]
    assert main(["models", "fetch", name]) == EX_UNAVAILABLE
    assert "it is no longer there (HTTP 404)" in capsys.readouterr().err
    server.add("/t", data=b"<html>")
    assert main(["models", "fetch", name]) == EX_DATAERR
    Path("file").touch()
    assert main(["models", "fetch", name, "--to", "file"]) == EX_IOERR
    with pytest.raises(SystemExit) as ended:
        main(["models", "fetch", "movinet-a9"])
    assert ended.value.code == EX_USAGE


def test_progress_is_shown_on_a_terminal_only(
    served: tuple[Files, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _, name = served
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        assert main(["models", "fetch", name]) == 0
    shown = os.read(ours, 1000).decode()
    os.close(ours)
    assert "\r  0.0 of 0.0 MB" in shown


def test_every_part_of_models_has_help(tmp_path: Path) -> None:
    for action in ("list", "show", "verify", "fetch", "import"):
        done = models(action, "--help", cwd=tmp_path)
        assert done.returncode == 0
        assert done.stdout.startswith(f"usage: edgehome models {action}")
    assert models(cwd=tmp_path).returncode == EX_USAGE


def test_a_truncated_model_never_reaches_the_runtime(tmp_path: Path) -> None:
    path = published(tmp_path / "x.tflite")
    data = path.read_bytes()
    assert TfliteFile(data).operators
    path.write_bytes(data[:-1000])
    done = models("show", path, cwd=tmp_path)
    assert done.returncode == EX_DATAERR
    assert "cut short" in done.stderr
