"""`edgehome models export --for edgetpu`, and the way back of what the compiler makes of it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from command_line import edgehome
from edgetpu.fake import library
from edgetpu.fake_models import for_edge_tpu, mean_colour, write
from small_model import SMALL, place, small_model

from edgehome.models.copying import copy_model
from edgehome.models.edgetpu import adopt, export_model
from edgehome.recognizer.edgetpu import edgetpu_file
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import Delegate, ModelError

EX_USAGE, EX_DATAERR = 64, 65
COMPILED = {"architecture": "small", "precision": "int8", "form": "cpu"}


def small(folder: Path) -> Path:
    """Write an int8 model with its manifest."""
    folder.mkdir(exist_ok=True)
    return place(folder, small_model(SMALL, "int8", "cpu"), compiled=COMPILED)


def google_compiles(exported: Path) -> Path:
    """Return what edgetpu_compiler would write: all that maps as one operator of its own."""
    made = exported.with_name(f"{exported.stem}_edgetpu.tflite")
    made.write_bytes(for_edge_tpu(exported.read_bytes()))
    return made


def test_the_model_in_the_box_can_be_written_for_the_compiler(
    box_model: Path, tmp_path: Path
) -> None:
    done = edgehome("models", "export", box_model, "--for", "edgetpu", "--to", tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "edgehome-a0-tpu.tflite").is_file()
    for said in (
        "bit for bit, on 72 pictures",
        "100.0 % of 47,694,176 multiplications map; nothing was compiled here",
        "edgetpu_compiler --show_operations edgehome-a0-tpu.tflite\n",
        f"edgehome models import edgehome-a0-tpu_edgetpu.tflite --for {box_model}",
    ):
        assert said in done.stdout


def test_of_kinetics_model_all_but_its_classifier_maps(k600_model: Path, tmp_path: Path) -> None:
    done = export_model(k600_model, tmp_path, step=lambda _: None)
    assert done.rules["mapped_percent"] >= 95
    first = done.rules["first_unsupported"]
    assert first["reason"] == "float32 is not 8-bit", "the pooled mean, and the classifier after it"


def test_there_and_back_the_form_is_beside_the_model_and_in_its_manifest(tmp_path: Path) -> None:
    model = small(tmp_path / "node")
    desktop = tmp_path / "desktop"
    done = edgehome("models", "export", model, "--for", "edgetpu", "--to", desktop, "--json")
    fields = json.loads(done.stdout)
    assert fields["command"] == "edgetpu_compiler --show_operations small-tpu.tflite"
    assert fields["rules"]["mapped_percent"] > 50
    compiled = google_compiles(Path(fields["file"]))
    done = edgehome("models", "import", compiled, "--for", model, "--json")
    assert done.returncode == 0, done.stderr
    beside = model.with_name("small_edgetpu.tflite")
    assert json.loads(done.stdout)["file"] == str(beside)
    manifest = json.loads(model.with_suffix(".json").read_text())
    assert manifest["edgetpu"] == hashlib.sha256(beside.read_bytes()).hexdigest()
    assert edgehome("models", "verify", model).returncode == 0
    with Recognizer(model, threads=1, delegate=Delegate.AUTO, library="libmissing.so") as opened:
        assert opened.degraded is None, "no Coral, and none was asked for"


def test_what_was_imported_runs_on_an_edge_tpu(tmp_path: Path) -> None:
    model = write(tmp_path)
    form = edgetpu_file(model).rename(tmp_path / "from-the-desktop.tflite")
    about = json.loads(model.with_suffix(".json").read_text())
    del about["edgetpu"]
    model.with_suffix(".json").write_text(json.dumps(about))
    adopt(form, model)
    name = str(library(tmp_path))
    with Recognizer(model, threads=1, delegate=Delegate.EDGETPU, library=name) as opened:
        assert (opened.delegate, opened.degraded) == (Delegate.EDGETPU, None)


def test_a_model_is_copied_with_its_form(box_model: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    model = here / "a0.tflite"
    model.write_bytes(box_model.read_bytes())
    model.with_suffix(".json").write_bytes(box_model.with_suffix(".json").read_bytes())
    compiled = google_compiles(export_model(model, here, step=lambda _: None).path)
    adopt(compiled, model)
    copied = copy_model(model, there, "kept", step=lambda _: None).path
    assert edgetpu_file(copied).read_bytes() == compiled.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["export", "float.tflite", "--for", "edgetpu"], "cannot be put into the form"),
        (
            ["import", "node/small.tflite", "--for", "node/small.tflite"],
            "nothing in it for an Edge",
        ),
        (["import", "other_edgetpu.tflite", "--for", "node/small.tflite"], "was not made of Small"),
        (["import", "other_edgetpu.tflite", "--for", "bare.tflite"], "has no manifest"),
        (["import", "x", "--for", "node/small.tflite", "--form", "tpu"], "--form changes nothing"),
        (["export", "none.tflite", "--for", "edgetpu"], "Cannot read the model file"),
    ],
)
def test_what_cannot_be_is_a_sentence(tmp_path: Path, arguments: list[str], said: str) -> None:
    small(tmp_path / "node")
    (tmp_path / "float.tflite").write_bytes(small_model(SMALL, "dyn", "cpu"))
    (tmp_path / "bare.tflite").write_bytes(small_model(SMALL, "int8", "cpu"))
    (tmp_path / "other_edgetpu.tflite").write_bytes(for_edge_tpu(mean_colour("tpu")))
    done = edgehome("models", *arguments, cwd=tmp_path)
    assert done.returncode in {EX_DATAERR, 66}, done.stderr
    assert said in done.stderr
    assert not (tmp_path / "node" / "small_edgetpu.tflite").exists()


def test_export_asks_for_whom(tmp_path: Path) -> None:
    assert edgehome("models", "export", "x.tflite", cwd=tmp_path).returncode == EX_USAGE
    done = edgehome("models", "export", "--help")
    assert "--for {edgetpu}" in done.stdout


def test_a_form_of_other_scales_is_not_taken(tmp_path: Path) -> None:
    """The heads would be given embeddings of another space."""
    model = small(tmp_path)
    other = small_model(SMALL, "int8", "tpu", seed=2)
    strange = tmp_path / "strange_edgetpu.tflite"
    strange.write_bytes(for_edge_tpu(other))
    with pytest.raises(ModelError, match="was not made of"):
        adopt(strange, model)
