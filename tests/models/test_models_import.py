"""`edgehome models import` and the self-test, on files that Google's own tools wrote."""

from __future__ import annotations

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgehome.__main__ import main
from edgehome.models.frames import bundled_frames, scenes
from edgehome.models.importer import Wish, import_model
from edgehome.models.labels import describe_published
from edgehome.models.selftest import LEAST_CORRELATION, MOST_DRIFT, self_test
from edgehome.recognizer.recognizer import Recognizer
from edgehome.types import ModelError

ORIGINALS = Path(__file__).resolve().parents[1] / "movinet" / "originals"


def original(name: str, folder: Path) -> Path:
    """Return a network of Google's code and converter with random weights, unpacked."""
    path = folder / f"{name}.tflite"
    path.write_bytes(lzma.decompress((ORIGINALS / f"{name}.tflite.xz").read_bytes()))
    return path


def imported(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    assert main(["models", "import", "--json", *map(str, arguments)]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert main(["models", "import", *map(str, arguments)]) == 65
    return capsys.readouterr().err


def test_the_bundled_pictures_are_scenes_that_move() -> None:
    pictures = bundled_frames()
    assert pictures.shape[2:] == (172, 172, 3)
    assert all(np.ptp(scene.astype(int), axis=0).max() > 50 for scene in pictures)
    assert [scene.shape for scene in scenes(224)] == [(pictures.shape[1], 224, 224, 3)] * len(
        pictures
    )


def test_googles_kinetics_file_becomes_int8_that_agrees_with_float32(
    k600_original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = imported(capsys, k600_original, "--to", tmp_path)
    assert (done["architecture"], done["precision"], done["labels"]) == ("a0", "int8", 600)
    assert done["agreement"]["with_float"]["correlation"] >= 0.998
    assert done["agreement"]["with_original"]["correlation"] >= 0.94
    assert done["step_ratio"] < 1
    model = tmp_path / "movinet-a0.tflite"
    assert done["file"] == str(model)
    with Recognizer(model) as recognizer:
        assert recognizer.labels[11] == "arm wrestling"
        assert recognizer.manifest.embedding == "movinet-a0-kinetics600"
    found = self_test(model)
    assert found.good
    assert found.correlation >= 0.998
    assert found.drift <= 0.001


@pytest.mark.parametrize("name", ["a0.float32", "a0.float16", "a0.dynamic"])
def test_a_hard_swish_network_keeps_float_activations(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = original(name, tmp_path)
    done = imported(capsys, source, "--to", tmp_path, "--name", "made")
    assert (done["precision"], done["activation"], done["squeeze_excite"]) == (
        "dyn", "hard_swish", True,
    )  # fmt: skip
    manifest = json.loads((tmp_path / "made.json").read_text())
    assert manifest["labels"][:2] == ["class 0", "class 1"]
    assert self_test(tmp_path / "made.tflite").good


def test_a_file_cut_short_is_refused_by_name_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = original("a0.dynamic", tmp_path).read_bytes()
    source = tmp_path / "cut.tflite"
    source.write_bytes(whole[: len(whole) // 2])
    said = refusal(capsys, source, "--to", tmp_path / "new")
    assert "cut.tflite" in said
    assert "MoViNet-stream file, A0 to A5" in said
    assert not (tmp_path / "new").exists()


def test_labels_of_another_length_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = original("a0.dynamic", tmp_path)
    labels = tmp_path / "labels.txt"
    labels.write_text("one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\n")
    said = refusal(capsys, source, "--labels", labels, "--to", tmp_path / "new")
    assert "11" in said
    assert not (tmp_path / "new").exists()


def test_ours_is_refused_when_it_is_another_network_than_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's weights were never read wrongly, so the original's answers are made others."""
    source = original("a0.dynamic", tmp_path)
    about = describe_published(source, None)
    noise = np.random.default_rng(0)

    from edgehome.models import importer
    from edgehome.movinet.original import read_original

    classes = read_original(about.data).architecture.classes

    def others(_model: Path) -> Any:
        shape = (*bundled_frames().shape[:2], classes)
        return noise.normal(size=shape).astype(np.float32)

    monkeypatch.setattr(importer, "published_outputs", others)
    with pytest.raises(ModelError) as caught:
        import_model(source, about, Wish(tmp_path / "new", "made"), step=lambda _text: None)
    assert caught.value.problem.code == "model_disagrees"
    assert not (tmp_path / "new").exists()


def test_a_model_that_has_collapsed_fails_its_self_test(
    k600_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its reference is that of other answers, as a broken kernel or a wrong driver would give."""
    from edgehome.models.agreement import outputs
    from edgehome.models.selftest import packed

    data = k600_model.read_bytes()
    said = outputs(data, scenes(172))
    for name, reference in (("well", packed(said)), ("ill", packed(said[::-1]))):
        model = tmp_path / f"{name}.tflite"
        model.write_bytes(data)
        manifest = json.loads(k600_model.with_suffix(".json").read_text())
        manifest["compiled"]["reference"] = reference
        model.with_suffix(".json").write_text(json.dumps(manifest))
    assert main(["bench", "--selftest", "--model", str(tmp_path / "well.tflite")]) == 0
    assert "good" in capsys.readouterr().out
    assert main(["bench", "--selftest", "--json", "--model", str(tmp_path / "ill.tflite")]) == 65
    answer = json.loads(capsys.readouterr().out)
    assert answer["correlation"] < LEAST_CORRELATION
    assert answer["drift"] <= MOST_DRIFT


def test_a_manifest_without_a_reference_says_so(
    k600_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "--selftest", "--model", str(k600_model)]) == 65
    assert "edgehome models import" in capsys.readouterr().err
