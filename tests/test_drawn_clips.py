"""Which clips of a list the curves are drawn of, and what is said of a list that will not do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgehome.__main__ import main
from edgehome.noveltycurves import _learnt, highest
from edgehome.teaching.curves import Watched, draws_of, point, told

EX_USAGE, EX_DATAERR, EX_NOINPUT = 64, 65, 66
LIGHTS = ("day", "night", "infrared")
FALLS = [f"{place}-{light}-fall" for place in ("room", "porch") for light in LIGHTS]
WALKS = [f"{place}-{light}-walk" for place in ("room", "porch") for light in LIGHTS]


class Lists:
    """Makes lists of rendered clips, and evaluates them."""

    def __init__(self, folder: Path, rendered: Path, model: Path, capsys: Any) -> None:
        self.file = folder / "list.csv"
        self._rendered, self._model, self._capsys = rendered, model, capsys

    def write(self, *rows: tuple[str, str, str], columns: str = "path,labels,source") -> None:
        lines = [columns]
        for name, label, source in rows:
            path = name if "." in name else self._rendered / f"{name}.mp4"
            lines.append(f"{path},{label},{source}")
        self.file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def evaluate(self, *options: str) -> tuple[int, str, str]:
        status = main(["evaluate", str(self.file), "--model", str(self._model), *options])
        said = self._capsys.readouterr()
        return status, said.out, said.err

    def result(self, *options: str) -> dict[str, Any]:
        status, out, _ = self.evaluate(*options, "--json", "--draws", "4")
        assert status == 0
        return dict(json.loads(out))


@pytest.fixture
def lists(tmp_path: Path, rendered: Path, box_model: Path, capsys: Any) -> Lists:
    return Lists(tmp_path, rendered, box_model, capsys)


@pytest.mark.parametrize("how", ["--teach=1", "--novelty"])
def test_clips_of_one_source_each_are_one_home_where_that_is_asked_for(
    lists: Lists, how: str
) -> None:
    lists.write(*((n, "fall", n) for n in FALLS), *((n, "normal", n) for n in WALKS))
    status, _, told_ = lists.evaluate(how)
    assert status == EX_DATAERR
    assert "No source of 12 has" in told_
    assert "There are: 6 fall, 6 normal." in told_
    assert "--place (list: all of it as one home)" in told_
    found = lists.result(how, "--place", "list")
    assert (found["place"], found["homes"]) == ("list", 1)
    points = next(iter(found["labels"]["fall"].values()))
    assert points[0]["auc"] == points[0]["others"], "groups are kept apart"


@pytest.mark.parametrize("how", ["--teach=1", "--novelty"])
def test_what_is_normal_may_be_called_otherwise_and_is_no_activity(lists: Lists, how: str) -> None:
    lists.write(*((n, "Fall", "a") for n in FALLS), *((n, "Daily life", "a") for n in WALKS))
    found = lists.result(how, "--normal", "daily life,calm")
    assert list(found["labels"]) == ["Fall"]
    assert found["notes"] == []
    same = lists.result(how, "--label", "fall")
    assert same["labels"] == found["labels"], "what does not show it is normal where nothing is"
    assert "taken for normal" in same["notes"][0]


def test_other_activities_and_clips_without_a_label_are_left_out_and_told(lists: Lists) -> None:
    lists.write(
        *((n, "fall", "a") for n in FALLS[:4]), *((n, "climb", "a") for n in FALLS[4:]),
        *((n, "normal", "a") for n in WALKS[:5]), (WALKS[5], "", "a"),
    )  # fmt: skip
    found = lists.result("--teach", "1,9", "--label", "fall")
    assert found["notes"] == [
        "1 clips without a label are left out",
        "fall: 2 clips of other activities are left out",
        "fall, 9 examples: no source has 11 clips of it",
    ]
    (one,) = found["labels"]["fall"]["shipped"]
    assert one["judged"] == 3 + 4
    both = lists.result("--teach", "1")
    assert "climb: too few clips of it, or of normal beside it, in any one home" in both["notes"]


@pytest.mark.parametrize("how", ["--teach=1", "--novelty"])
def test_a_list_of_which_nothing_can_be_read_names_the_first_and_the_remedy(
    lists: Lists, how: str
) -> None:
    lists.write(("away/a.mp4", "fall", "a"), ("away/b.mp4", "normal", "a"))
    status, _, told_ = lists.evaluate(how)
    assert status == EX_NOINPUT
    assert "None of the list's 2 clips can be read" in told_
    assert "away/a.mp4" in told_
    assert "--folder" in told_


def test_wrong_questions_are_refused_before_the_clips_are_watched(
    lists: Lists, tmp_path: Path
) -> None:
    lists.write(("a.mp4", "fall", "a"), ("b.mp4", "normal", "a"))
    for options, words in (
        (("--teach", "1", "--novelty"), "ask one after the other"),
        (("--novelty", "--rate", "2"), "--rate does not go"),
        (("--novelty", "--alarms", "2"), "--alarms does not go"),
        (("--label", "fall"), "add --teach 1,3,5,10 or --novelty"),
        (("--picture", "a.svg"), "add --teach 1,3,5,10 or --novelty"),
        (("--novelty", "--picture", str(tmp_path / "no" / "a.svg")), "no folder"),
        (("--novelty", "--picture", str(tmp_path)), "is a folder"),
    ):
        status, _, told_ = lists.evaluate(*options)
        assert (status, words in told_) == (EX_USAGE, True), told_
    with pytest.raises(SystemExit):
        lists.evaluate("--alarms", "many")
    status, _, told_ = lists.evaluate("--novelty", "--label", "juggle")
    assert status == EX_DATAERR
    assert "the list's labels are: fall, normal" in told_


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,labels\na.mp4,fall\nb.mp4,normal\na.mp4,normal\n", ":4: a.mp4 is listed already in"),
        ("path,labels\na.mp4,fall\n./a.mp4,normal\n", ":3: ./a.mp4 is listed already in line 2"),
        ("path;labels\na.mp4;fall\n", "there are semicolons between the columns: write commas"),
        ("path\tlabels\na.mp4\tfall\n", "there are tabs between the columns: write commas"),
    ],
)
def test_a_list_that_is_none_is_told_with_what_to_write(
    lists: Lists, text: str, words: str
) -> None:
    lists.file.write_text(text, encoding="utf-8")
    status, _, told_ = lists.evaluate("--novelty")
    assert status == EX_DATAERR
    assert words in told_


@pytest.mark.parametrize("segment", ["Falling[300 to 400]", "Falling[3 to 3]"])
def test_a_segment_beyond_the_end_or_without_length_leaves_the_whole_clip(
    lists: Lists, segment: str
) -> None:
    def list_with(note: str) -> dict[str, Any]:
        lists.write(
            *((n, "fall", f"a,{note}") for n in FALLS), *((n, "normal", "a,") for n in WALKS),
            columns="path,labels,source,segments",
        )  # fmt: skip
        return lists.result("--teach", "1", "--label", "fall")

    plain, noted = list_with(""), list_with(segment)
    assert noted["labels"] == plain["labels"]
    beyond = [note for note in noted["notes"] if "begin after the end" in note]
    assert len(beyond) == ("300" in segment)


def test_who_has_seen_next_to_nothing_tells_nothing_of_novelty() -> None:
    few = np.ones((2, 8), np.float32)
    assert np.isnan(highest(_learnt([few], 5.0), few))


def watched(kind: bool | None, group: str) -> Watched:
    windows = np.random.default_rng(len(group)).normal(size=(4, 6)).astype(np.float32)
    return Watched(windows, windows if kind else None, "home", group, kind is not None)


def test_draws_that_keep_groups_apart_judge_no_group_of_which_they_show_something() -> None:
    clips = [watched(kind, group) for group in "abcdef" for kind in (True, False, None)]
    for apart in (True, False):
        for draw in draws_of(clips, 2, 8, apart=apart):
            shown = {clips[i].group for i in (*draw.yes, *draw.no)}
            judged = {clips[i].group for i in draw.tests}
            assert bool(shown & judged) != apart
            assert all(clips[i].shown is not None or clips[i].calm for i in draw.tests)
    found = point(clips, draws_of(clips, 2, 8, apart=True), {"home": None})
    assert found["auc"] == found["others"]
    assert 0 < found["others_draws"] <= 8


def test_an_interval_needs_two_groups_of_each_kind() -> None:
    scores = np.array([[0.9, 0.8, 0.1, 0.7]])
    positive = np.array([True, True, False, False])
    assert told("auc", scores, positive, ["a", "a", "b", "c"])["auc_interval"] is None
    assert told("auc", scores, positive, ["a", "b", "c", "c"])["auc_interval"] is None
    assert told("auc", scores, positive, ["a", "b", "a", "b"])["auc_interval"]
