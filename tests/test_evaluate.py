"""`edgehome evaluate`: its figures, and what it does with lists and clips that are wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgehome.__main__ import main
from edgehome.clips import LabelledClip
from edgehome.evaluate import Seen, evaluate, judge, render
from edgehome.footage import watch_clip
from edgehome.heads.head import Head, read_head, write_head
from edgehome.heads.statistics import clip_statistics
from edgehome.recognizer.manifest import read_manifest
from edgehome.recognizer.recognizer import Recognizer

RATE = 5.0


def seen(label: str, group: str, *probabilities: float) -> Seen:
    clip = LabelledClip(Path(f"{label}-{group}.mp4"), frozenset({label}), group, "", ())
    return Seen(clip, {"fall": np.array(probabilities)})


CLIPS = [
    seen("fall", "a", 0.1, 0.9, 0.2),
    seen("fall", "b", 0.3, 0.4, 0.1),
    seen("normal", "a", 0.6, 0.1, 0.6),
    seen("normal", "c", 0.2, 0.2, 0.1),
]


def test_the_figures_are_those_of_the_highest_windows() -> None:
    found = judge(CLIPS, "fall", RATE, alarms_an_hour=1.0)
    assert found["auc"] == 0.75  # of four pairs one is wrong: 0.4 is below 0.6
    assert found["average_precision"] == pytest.approx((1 + 2 / 3) / 2, abs=1e-4)
    assert found["recall"] == 0.5  # no alarm is allowed, so the threshold is 0.9
    errors = [0.9 - 1, 0.4 - 1, 0.6, 0.2]
    assert found["calibration_error"] == pytest.approx(np.abs(errors).mean(), abs=1e-4)
    assert (found["positives"], found["negatives"]) == (2, 2)
    assert found["negative_hours"] == pytest.approx(6 / 5 / 3600, abs=1e-4)


def test_recall_grows_with_the_alarms_that_are_allowed() -> None:
    hours = 6 / 5 / 3600
    assert judge(CLIPS, "fall", RATE, alarms_an_hour=1.9 / hours)["recall"] == 0.5
    assert judge(CLIPS, "fall", RATE, alarms_an_hour=2.1 / hours)["recall"] == 1.0


def test_there_is_no_interval_where_one_group_has_all_that_show_it() -> None:
    assert judge(CLIPS, "fall", RATE, 1.0)["auc_interval"]
    one = [seen("fall", "a", 0.9), seen("fall", "a", 0.4), *CLIPS[2:]]
    found = judge(one, "fall", RATE, 1.0)
    assert found["auc"] == 0.75
    assert found["auc_interval"] is None


def test_figures_that_the_clips_cannot_give_are_none_and_said_to_be_unknown() -> None:
    found = judge(CLIPS[:2], "fall", RATE, 1.0)
    assert (found["auc"], found["recall"], found["auc_interval"]) == (None, None, None)
    text = render({"model": "m.tflite", "clips": [], "labels": {"fall": found}})
    assert "unknown" in text
    assert judge([], "fall", RATE, 1.0)["positives"] == 0


def test_too_little_footage_for_the_wished_rate_is_said() -> None:
    found = judge(CLIPS, "fall", RATE, 1.0)
    text = render({"model": "m.tflite", "clips": [1], "labels": {"fall": found}})
    assert "too few to tell 1 an hour" in text


@pytest.fixture(scope="module")
def model(box_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in the box, with a head that says of everything that it is a little like it."""
    folder = tmp_path_factory.mktemp("model")
    for path in (box_model, box_model.with_suffix(".json")):
        shutil.copy(path, folder)
    (folder / "heads").mkdir()
    write_head(folder / "heads" / "fall.json", made_head(read_manifest(box_model).embedding))
    return folder / box_model.name


def made_head(embedding: str, width: int = 480) -> Head:
    rng = np.random.default_rng(0)
    return Head(
        name="fall", embedding=embedding, window_s=1.0, statistics=("mean", "max"),
        center=np.zeros(2 * width, np.float32), scale=np.ones(2 * width, np.float32),
        weights=rng.normal(0, 0.05, 2 * width).astype(np.float32), bias=0.0, slope=1.0, offset=0.0,
        threshold=0.5,
        card={"description": "-", "trained_on": "-", "licence": "-", "limits": "-", "figures": {}},
    )  # fmt: skip


def listed(folder: Path, *rows: str) -> Path:
    path = folder / "list.csv"
    path.write_text("\n".join(["path,labels,group,split", *rows]) + "\n", encoding="utf-8")
    return path


ROWS = (
    "room-day-fall.mp4,fall,a,val",
    "porch-day-fall.mp4,fall,b,val",
    "room-day-walk.mp4,normal,a,val",
    "porch-night-walk.mp4,normal,c,val",
    "room-day-fight.mp4,fighting,c,train",
)


def test_a_list_is_judged_by_the_real_model(
    model: Path, rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = listed(tmp_path, *ROWS)
    wish = [
        "evaluate",
        str(path),
        "--folder",
        str(rendered),
        "--split",
        "val",
        "--model",
        str(model),
    ]
    assert main([*wish, "--json"]) == 0
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert said.err == ""  # progress is for terminals
    assert list(result["labels"]) == ["fall"]
    found = result["labels"]["fall"]
    assert (found["positives"], found["negatives"], found["positive_groups"]) == (2, 2, 2)
    highest = [clip["highest"]["fall"] for clip in result["clips"]]
    assert len(set(highest)) == 4
    wins = np.mean([[p > n for n in highest[2:]] for p in highest[:2]])
    assert found["auc"] == pytest.approx(wins)
    assert main(wish) == 0
    assert "fall: 2 clips of 2 groups show it" in capsys.readouterr().out


def test_it_says_what_the_head_says_of_the_embeddings(
    model: Path, rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Recognizer(model, threads=1) as recognizer:
        embeddings = watch_clip(recognizer, rendered / "room-day-fall.mp4").embeddings
        head = read_head(model.parent / "heads" / "fall.json")
    statistics = clip_statistics(embeddings, frames=5, kinds=head.statistics)
    expected = float(head.probability(statistics[4:]).max())
    path = listed(tmp_path, ROWS[0])
    wish = ["evaluate", str(path), "--folder", str(rendered), "--model", str(model), "--json"]
    assert main(wish) == 0
    (clip,) = json.loads(capsys.readouterr().out)["clips"]
    assert clip["highest"]["fall"] == pytest.approx(expected, abs=1e-4)


def test_the_other_half_of_the_frames_is_seen_too(model: Path, rendered: Path) -> None:
    with Recognizer(model, threads=1) as recognizer:
        path = rendered / "room-day-fall.mp4"
        even, odd = (watch_clip(recognizer, path, phase=n, phases=2).embeddings for n in (0, 1))
        plain = watch_clip(recognizer, path).embeddings
    assert np.array_equal(even, plain)
    assert abs(len(odd) - len(even)) <= 1
    assert not np.array_equal(even[: len(odd)], odd[: len(even)])


def test_a_clip_that_is_broken_or_missing_is_told_of_and_the_others_go_on(
    model: Path, rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for row in ROWS[:3]:
        name = row.partition(",")[0]
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(rendered / name, tmp_path / name)
    (tmp_path / "broken.mp4").write_bytes(b"this is no video")
    path = listed(tmp_path, "broken.mp4,fall,z,", "gone.mp4,normal,y,", *ROWS[:3])
    assert main(["evaluate", str(path), "--model", str(model), "--json"]) == 65
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert len(result["clips"]) == 3
    assert len(result["unreadable"]) == 2
    assert "broken.mp4 cannot be read as a video" in said.err
    assert "gone.mp4" in said.err


def test_labels_that_the_model_does_not_tell_are_refused_in_a_sentence(
    model: Path, rendered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = listed(tmp_path, "room-day-fight.mp4,juggling cats,a,")
    assert main(["evaluate", str(path), "--folder", str(rendered), "--model", str(model)]) == 65
    assert "tells none of the clips' labels (juggling cats)" in capsys.readouterr().err


def test_a_list_that_is_wrong_or_missing_has_an_exit_status_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(tmp_path / "none.tflite")
    assert main(["evaluate", str(tmp_path / "none.csv"), "--model", model]) == 66
    wrong = listed(tmp_path, "a.mp4,fall,g")
    assert main(["evaluate", str(wrong), "--model", model]) == 65
    assert "list.csv:2: 3 values for 4 columns" in capsys.readouterr().err
    assert main(["evaluate", str(listed(tmp_path, ROWS[0])), "--model", model]) == 66


def test_another_rate_is_that_of_a_model_whose_manifest_has_it(
    box_model: Path, rendered: Path, tmp_path: Path
) -> None:
    copy = tmp_path / box_model.name
    shutil.copytree(box_model.parent / "heads", tmp_path / "heads")
    copy.write_bytes(box_model.read_bytes())
    manifest = json.loads(box_model.with_suffix(".json").read_text())
    copy.with_suffix(".json").write_text(json.dumps(manifest | {"rate": 2.5}))
    clip = LabelledClip(rendered / "room-day-fight.mp4", frozenset({"fighting"}), "a", "", ())
    slow, _ = evaluate([clip], copy)
    asked, _ = evaluate([clip], box_model, rate=2.5)
    assert slow["rate"] == asked["rate"] == 2.5
    assert slow["clips"][0]["highest"] == asked["clips"][0]["highest"]
    assert evaluate([clip], box_model)[0]["clips"][0]["highest"] != asked["clips"][0]["highest"]


@pytest.mark.parametrize("rate", ["0", "-1", "x", "nan", "1000"])
def test_a_rate_that_is_none_is_refused(rate: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "clips.csv", "--rate", rate])
    assert ended.value.code == 64
    assert "--rate" in capsys.readouterr().err
