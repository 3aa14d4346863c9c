"""`edgehome models import` of files that are compiled already: tried here, then copied."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_model import SIZE, place, place_head, small_model
from tiny_stream import tiny_stream

from edgehome.__main__ import main
from edgehome.models.agreement import outputs
from edgehome.models.frames import scenes
from edgehome.models.selftest import packed
from edgehome.recognizer.manifest import read_manifest
from edgehome.recognizer.recognizer import Recognizer


@pytest.fixture
def compiled(tmp_path: Path) -> Path:
    """An int8 file whose manifest says what its float32 says, and two heads."""
    said = outputs(small_model(), scenes(SIZE))
    facts = {"architecture": "small", "precision": "int8", "reference": packed(said)}
    folder = tmp_path / "given"
    folder.mkdir()
    path = place(folder, small_model(precision="int8"), compiled=facts)
    place_head(path, "fall")
    return path


def edited(model: Path, **changed: Any) -> None:
    path = model.with_suffix(".json")
    fields = json.loads(path.read_text())
    fields["compiled"] |= changed
    path.write_text(json.dumps(fields))


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object, status: int = 65) -> str:
    assert main(["models", "import", *map(str, arguments)]) == status
    return capsys.readouterr().err


def test_the_model_in_the_box_is_brought_with_its_heads_to_where_a_node_reads_it(
    box_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "import", str(box_model), "--to", str(tmp_path / "etc")]) == 0
    told = capsys.readouterr().out
    installed = tmp_path / "etc" / "edgehome-a0.tflite"
    assert "compiled already; copied with its manifest and its heads: fall, fighting, pers" in told
    assert told.endswith(f"  recognizer:\n    model: {installed}\n")
    assert read_manifest(installed) == read_manifest(box_model)
    assert [path.stat().st_mode & 0o777 for path in installed.parent.glob("**/*.*")] == [0o644] * 5
    with Recognizer(installed) as recognizer:
        assert recognizer.labels == ("fall", "fighting", "person")
        assert recognizer.degraded is None


def test_what_is_there_is_replaced_and_other_files_are_left_alone(
    compiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    etc = tmp_path / "etc"
    (etc / "heads").mkdir(parents=True)
    for name in ("small.tflite", "small.json", "mine.tflite", "heads/fall.json", "heads/cat.json"):
        (etc / name).write_text("before")
    assert main(["models", "import", str(compiled), "--to", str(etc), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["file"], said["heads"], said["labels"]) == (f"{etc}/small.tflite", ["fall"], 5)
    assert said["self_test"]["correlation"] > 0.98
    for name in ("small.tflite", "small.json", "heads/fall.json"):
        assert (etc / name).read_bytes() == (compiled.parent / name).read_bytes()
    for name in ("mine.tflite", "heads/cat.json"):
        assert (etc / name).read_text() == "before"
    assert main(["models", "import", str(compiled), "--to", str(etc), "--name", "other"]) == 0
    assert read_manifest(etc / "other.tflite").sha256 == said["sha256"]


def test_heads_that_do_not_fit_are_left_out_and_it_is_said_why(
    compiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place_head(compiled, "person", embedding="another-space")
    place_head(compiled, "cat", center=np.zeros(6, np.float32), scale=np.ones(6, np.float32),
               weights=np.ones(6, np.float32))  # fmt: skip
    (compiled.parent / "heads" / "torn.json").write_text("{")
    assert main(["models", "import", str(compiled), "--to", str(tmp_path / "etc")]) == 0
    told = capsys.readouterr().out
    assert "its heads: fall\n  left out: cat takes embeddings of 2 numbers, these have 24" in told
    assert "person" not in told
    assert "torn.json" in told
    assert [path.name for path in (tmp_path / "etc" / "heads").iterdir()] == ["fall.json"]


def test_a_model_that_says_something_else_here_is_not_installed(
    compiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = outputs(small_model(seed=5), scenes(SIZE))
    edited(compiled, reference=packed(other))
    told = refusal(capsys, compiled, "--to", tmp_path / "etc")
    assert "does not say on this machine what it said where it was made" in told
    edited(compiled, reference="")
    assert "does not say what the model should say" in refusal(capsys, compiled)
    assert not (tmp_path / "etc").exists()


def test_a_compiled_file_needs_its_manifest_and_its_own(
    compiled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = Path(shutil.copy(compiled, tmp_path / "alone.tflite"))
    told = refusal(capsys, alone, "--to", tmp_path / "etc")
    assert "is compiled already, and its manifest alone.json is not beside it" in told
    alone.with_suffix(".json").write_text(
        compiled.with_suffix(".json").read_text().replace('"sha256": "', '"sha256": "0')[:-64]
    )
    assert "alone.json" in refusal(capsys, alone, "--to", tmp_path / "etc")
    compiled.write_bytes(small_model(precision="dyn"))
    told = refusal(capsys, compiled, "--to", tmp_path / "etc")
    assert "is not the file that its manifest describes" in told
    assert not (tmp_path / "etc").exists()


@pytest.mark.parametrize(
    "options", [["--form", "tpu"], ["--precision", "dyn"], ["--labels", "labels.txt"]]
)
def test_what_only_a_published_file_can_be_asked_for_is_refused(
    compiled: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    told = refusal(capsys, compiled, *options)
    assert f"is compiled already, so {options[0]} changes nothing" in told


def test_an_import_never_takes_the_place_of_the_published_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    published = tmp_path / "google.tflite"
    published.write_bytes(tiny_stream())
    told = refusal(capsys, published, "--to", tmp_path, "--name", "google")
    assert f"would take the place of {published}" in told
    assert published.read_bytes() == tiny_stream()
