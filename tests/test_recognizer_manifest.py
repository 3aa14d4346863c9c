"""What is known of a model file before it is opened."""

from __future__ import annotations

import hashlib
import json
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_model import SIZE, SMALL, manifest_of, small_model

from edgehome.labels import labels_of
from edgehome.recognizer.manifest import load_model, read_manifest
from edgehome.types import ModelError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tflite"
    path.write_bytes(small_model())
    return path


def fields(model: Path) -> dict[str, Any]:
    return manifest_of(model.read_bytes())


def write(model: Path, manifest: object) -> None:
    model.with_suffix(".json").write_text(json.dumps(manifest))


def error_of(model: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        read_manifest(model)
    return caught.value


def test_a_manifest_is_read_from_beside_the_model(model: Path) -> None:
    compiled = {"architecture": "small", "precision": "float32", "agreement": {"top1": 1.0}}
    sha256 = fields(model)["sha256"].upper()
    write(model, fields(model) | {"sha256": sha256, "range": [-1, 1], "compiled": compiled})
    manifest, data = load_model(model)
    assert data == model.read_bytes()
    assert manifest.labels == ("a", "b", "c", "d", "e")
    assert (manifest.rate, manifest.size, manifest.low, manifest.high) == (5.0, SIZE, -1.0, 1.0)
    assert manifest.sha256 == hashlib.sha256(data).hexdigest()
    assert (manifest.embedding, manifest.compiled) == ("small-space", compiled)
    assert manifest.pinned


def test_what_only_a_compiled_file_has_may_be_left_out(model: Path) -> None:
    manifest = fields(model)
    del manifest["embedding"]
    write(model, manifest)
    assert read_manifest(model).embedding == ""
    assert read_manifest(model).compiled == {}


def test_a_model_may_have_no_labels_of_its_own(tmp_path: Path) -> None:
    model = tmp_path / "tiny.tflite"
    model.write_bytes(small_model(replace(SMALL, classes=0)))
    write(model, fields(model) | {"labels": []})
    assert read_manifest(model).labels == ()
    model.with_suffix(".json").unlink()
    model.with_suffix(".txt").write_text("not its own\n")
    assert read_manifest(model).labels == ()
    assert labels_of(model) is None


def test_labels_may_lie_in_a_file_of_their_own(model: Path) -> None:
    manifest = fields(model) | {"labels_file": "names.txt"}
    del manifest["labels"]
    write(model, manifest)
    assert error_of(model).problem.code == "manifest_invalid"
    model.with_name("names.txt").write_text("a\nb\n\nc\nd\ne\n")
    assert read_manifest(model).labels == ("a", "b", "c", "d", "e")


def test_the_imported_kinetics_file_is_described(
    k600_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = read_manifest(k600_model)
    assert len(manifest.labels) == 600
    assert manifest.labels[11] == "arm wrestling"
    assert (manifest.rate, manifest.size, manifest.crop) == (5.0, 172, "center")
    assert (manifest.low, manifest.high, manifest.licence) == (0.0, 1.0, "Apache-2.0")
    assert manifest.pinned
    assert not caplog.records


def test_an_unknown_file_is_taken_with_a_warning(
    model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    manifest = read_manifest(model)
    assert manifest.labels == ("class 0", "class 1", "class 2", "class 3", "class 4")
    assert (manifest.name, manifest.size, manifest.pinned) == ("tiny", SIZE, False)
    assert "its hash" in caplog.text
    assert "is not pinned" in caplog.text
    model.with_suffix(".txt").write_text("v\nw\nx\ny\nz\n")
    assert read_manifest(model).labels == ("v", "w", "x", "y", "z")


def test_a_file_that_is_not_the_one_described_is_refused(model: Path) -> None:
    write(model, fields(model) | {"sha256": "0" * 64})
    error = error_of(model)
    assert error.problem.code == "model_hash"
    assert "tiny.tflite is not the file that its manifest describes" in error.problem.message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": 0}, "rate must be"),
        ({"rate": True}, "rate must be"),
        ({"rate": "5"}, "rate must be"),
        ({"size": 4.5}, "size must be"),
        ({"crop": "squash"}, "crop must be 'center'"),
        ({"range": [1, 0]}, "range must be"),
        ({"range": [0, float("nan")]}, "range must be"),
        ({"labels": "abc"}, "labels must be"),
        ({"labels": [" "]}, "labels must be"),
        ({"embedding": ""}, "embedding must be a text"),
        ({"embedding": None}, "embedding must be a text"),
        ({"compiled": []}, "compiled must be a JSON object"),
        ({"labels": ["a", "a"]}, "labels must be"),
        ({"labels": [["a"]]}, "labels must be"),
        ({"labels_file": "names.txt"}, "exactly one of labels and labels_file"),
        ({"sha256": "abc"}, "sha256 must be 64 hexadecimal digits"),
        ({"sha256": 5}, "sha256 must be a text"),
        ({"licence": " "}, "licence must be a text"),
        ({"lables": []}, "'lables' is not a key"),
    ],
)
def test_every_fault_of_a_manifest_is_named(model: Path, change: Any, said: str) -> None:
    write(model, fields(model) | change | {"another": 1})
    error = error_of(model)
    assert error.problem.code == "manifest_invalid"
    assert said in error.problem.message
    assert "'another' is not a key" in error.problem.message


def test_a_labels_file_may_not_lie_elsewhere(model: Path) -> None:
    manifest = fields(model) | {"labels_file": "../names.txt"}
    del manifest["labels"]
    write(model, manifest)
    assert "labels_file must be the name of a file" in error_of(model).problem.message


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '{"name": "\\ud800"}', "\xff"])
def test_what_is_no_json_object_is_refused(model: Path, text: str) -> None:
    model.with_suffix(".json").write_text(text, encoding="latin-1")
    assert error_of(model).problem.code == "manifest_invalid"


def test_a_folder_is_not_a_model(tmp_path: Path) -> None:
    assert error_of(tmp_path).problem.code == "model_missing"


@pytest.mark.parametrize(
    "module",
    [
        "edgehome.labels",
        "edgehome.heads.names",
        "edgehome.recognizer.manifest",
        "edgehome.recognizer.compiled",
        "edgehome.recognizer.tflite_file",
    ],
)
def test_what_the_supervisor_reads_of_a_model_it_reads_without_numpy(module: str) -> None:
    probe = f"import sys; sys.modules['numpy'] = None; import {module}"
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
