"""`edgehome evaluate --teach`: what is drawn, what is kept apart, and what is told of it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from lessons import RATE, seconds

from edgehome.__main__ import main
from edgehome.heads.measures import auc
from edgehome.report.curves import drawn
from edgehome.teaching.curves import Watched, _areas, draws_of, elsewhere, point
from edgehome.teaching.learner import windows_in


def watched(*, yes: int, no: int, place: str, act: float = 0.6, seed: int = 0) -> list[Watched]:
    rng = np.random.default_rng(seed)
    made = []
    for number in range(yes + no):
        windows = windows_in(seconds(rng, act=act if number < yes else 0.0), RATE)
        shown = windows if number < yes else None
        made.append(Watched(windows, shown, place, f"{place}{number % 3}"))
    return made


CLIPS = [
    *watched(yes=6, no=5, place="a"),
    *watched(yes=3, no=4, place="b", seed=1),
    *watched(yes=0, no=4, place="c", seed=2),
]


def test_a_draw_shows_and_judges_clips_of_one_place_and_none_twice() -> None:
    drawn_ = draws_of(CLIPS, 3, 9)
    assert len(drawn_) == 9
    for draw in drawn_:
        assert draw.place == "a"  # b would leave none that shows it
        mine = [*draw.yes, *draw.no, *draw.tests]
        assert sorted(mine) == [i for i, clip in enumerate(CLIPS) if clip.place == "a"]
        assert len(draw.yes) == 3
        assert len(draw.no) == 2  # half of five
        assert all(CLIPS[i].shown is not None for i in draw.yes)
        assert all(CLIPS[i].shown is None for i in draw.no)
    assert len({draw.yes for draw in drawn_}) > 1
    assert [d.yes for d in draws_of(CLIPS, 3, 9)] == [d.yes for d in drawn_]


def test_places_take_turns_and_none_is_drawn_where_clips_are_few() -> None:
    assert {draw.place for draw in draws_of(CLIPS, 1, 4)} == {"a", "b"}
    assert draws_of(CLIPS, 5, 4) == []


def test_general_negatives_are_never_of_the_place_that_is_judged() -> None:
    away = elsewhere(CLIPS, "a")
    assert away is not None
    others = [c.windows[::5] for c in CLIPS if c.place != "a" and c.shown is None]
    assert np.array_equal(away.windows, np.concatenate(others))
    assert elsewhere(CLIPS[:11], "a") is None


def test_an_activity_is_learnt_and_chance_is_not() -> None:
    away = elsewhere(CLIPS, "a")
    learnt = point(CLIPS, draws_of(CLIPS, 3, 8), {"a": away})
    assert learnt["auc"] > 0.95
    assert learnt["worst"] <= learnt["auc"]
    low, high = learnt["auc_interval"]
    assert low <= learnt["auc"] <= high
    means = []
    for seed in range(6):
        clips = [*watched(yes=9, no=9, place="a", act=0.0, seed=seed), *CLIPS[11:]]
        found = point(clips, draws_of(clips, 3, 6), {"a": elsewhere(clips, "a")})
        means.append(found["auc"])
    assert np.mean(means) == pytest.approx(0.5, abs=0.15)


def test_other_groups_are_those_of_which_nothing_was_shown() -> None:
    away = elsewhere(CLIPS, "a")
    found = point(CLIPS, draws_of(CLIPS, 1, 12), {"a": away, "b": elsewhere(CLIPS, "b")})
    assert found["others_groups"] >= 2
    whole = point(CLIPS, draws_of(CLIPS, 4, 4), {"a": away})
    assert whole["others"] is None  # four and two of three groups leave none untouched


def test_the_area_is_that_of_the_definition_with_clips_counted_as_often_as_drawn() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 6, 20).astype(float)
    positive = rng.random(20) < 0.4
    times = rng.integers(0, 3, (5, 20))
    found = _areas(scores[None], positive, times)[0]
    for row, each in zip(found, times, strict=True):
        rows = np.repeat(np.arange(20), each)
        assert row == pytest.approx(auc(scores[rows], positive[rows]))


@pytest.fixture(scope="module")
def listed(rendered: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six rendered falls and twelve normal clips as those of one home."""
    path = tmp_path_factory.mktemp("list") / "list.csv"
    rows = ["path,labels,segments,group,source"]
    for place in ("room", "porch"):
        for light in ("day", "night", "infrared"):
            for kind, label in (("fall", "fall"), ("walk", "normal"), ("empty", "normal")):
                name = f"{place}-{light}-{kind}.mp4"
                rows.append(f"{rendered / name},{label},,{place}-{light},home")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_curves_of_the_real_model_are_told_and_drawn(
    listed: Path, box_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "curves.svg"
    wish = ["evaluate", str(listed), "--model", str(box_model), "--teach", "3,1", "--draws", "4"]
    assert main([*wish, "--label", "fall", "--picture", str(picture), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    found = result["labels"]["fall"]
    assert set(found) == {"shipped", "none"}  # there is no other place in the list
    assert [one["examples"] for one in found["shipped"]] == [1, 3]
    for one in found["shipped"]:
        assert 0.5 < one["auc"] <= 1
        assert one["draws"] == 4
    tree = ET.fromstring(picture.read_text(encoding="utf-8"))
    assert tree.tag.endswith("svg")
    assert "fall: AUC by examples shown" in "".join(tree.itertext())
    assert main([*wish, "--label", "fall"]) == 0
    said = capsys.readouterr().out
    assert "fall, with the general negatives that edgehome brings" in said
    assert " 3 examples: " in said


def test_what_cannot_be_drawn_is_said(
    listed: Path, box_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wish = ["evaluate", str(listed), "--model", str(box_model)]
    assert main([*wish, "--teach", "20", "--label", "fall"]) == 65
    assert "22 clips that show fall" in capsys.readouterr().err
    for wrong in ("0", "1,,3", "many", "1001"):
        with pytest.raises(SystemExit) as ended:
            main([*wish, "--teach", wrong])
        assert ended.value.code == 64
        assert "is no number from 1 to 1000" in capsys.readouterr().err


def test_a_name_from_the_list_is_only_text_in_the_picture() -> None:
    one = {"examples": 1, "auc": None, "auc_interval": None}
    result = {
        "model": "<m>", "place": "group", "general": {"none": "a & b"},
        "labels": {"<script>": {"none": [one]}},
    }  # fmt: skip
    tree = ET.fromstring(drawn(result))
    assert "<script>: AUC" in "".join(tree.itertext())
    assert not [found for found in tree.iter() if found.tag.endswith("script")]
