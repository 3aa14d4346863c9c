"""What is expected of a replay: files of it, the differences, and how CI is told."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from edgehome.junit import Case, write_junit
from edgehome.replay.differences import Came, Expected, compare
from edgehome.replay.expectations import read_expectations
from edgehome.sheet import SheetError


def kinds(expected: Sequence[Expected], came: Sequence[Came]) -> list[str]:
    return [difference.kind for difference in compare(expected, came)]


def want(at_s: float, within_s: float = 0.5, rule: str = "Fall", **more: str) -> Expected:
    return Expected(rule, at_s, within_s, **more)


def test_what_comes_within_its_tolerance_is_as_expected() -> None:
    for at_s in (1.5, 2.0, 2.5):
        assert kinds([want(2.0)], [Came("Fall", at_s)]) == []
    assert kinds([want(0.6, 0.0)], [Came("Fall", 0.2 * 3)]) == []


def test_what_is_missing_unexpected_late_and_early_is_told_apart() -> None:
    assert kinds([want(2.0)], []) == ["missing"]
    assert kinds([], [Came("Fall", 2.0)]) == ["unexpected"]
    assert kinds([want(2.0)], [Came("Fall", 2.6)]) == ["late"]
    assert kinds([want(2.0)], [Came("Fall", 1.4)]) == ["early"]
    assert kinds([want(2.0)], [Came("Fight", 2.0)]) == ["missing", "unexpected"]
    assert kinds([want(2.0, clip="a")], [Came("Fall", 2.0, clip="b")]) == ["missing", "unexpected"]


def test_each_expected_alert_takes_the_nearest_one() -> None:
    came = [Came("Fall", 2.4), Came("Fall", 2.0), Came("Fall", 9.0)]
    assert kinds([want(2.1), want(2.3)], came) == ["unexpected"]
    assert compare([want(2.1), want(2.3)], came)[0].came_s == 9.0


def test_an_alert_that_says_something_else_is_told() -> None:
    (found,) = compare([want(2.0, message="Help")], [Came("Fall", 2.0, "Hilfe")])
    assert str(found) == "Fall: at 2.0 s it says 'Hilfe', expected 'Help'"
    assert kinds([want(2.0, message="Help")], [Came("Fall", 2.0, "Help")]) == []


def test_differences_are_sentences_with_the_place_of_what_was_expected() -> None:
    (found,) = compare([want(2.0, place="e.yaml:1:3")], [Came("Fall", 3.25)])
    told = "e.yaml:1:3: Fall: 1.25 s late: expected at 2.0 s within 0.5 s, came at 3.2 s"
    assert str(found) == told
    (found,) = compare([], [Came("Fall", 2.0, "Help")])
    assert str(found) == "Fall: unexpected: came at 2.0 s, saying 'Help'"


def test_nothing_is_lost_between_what_was_expected_and_what_came() -> None:
    """Whatever the times: every item is matched, or is in exactly one difference."""
    chance = random.Random(5)
    for _ in range(500):
        expected = [want(chance.randint(0, 20) / 2) for _ in range(chance.randint(0, 5))]
        came = [Came("Fall", chance.randint(0, 20) / 2) for _ in range(chance.randint(0, 5))]
        found = compare(expected, came)
        ours = sum(one.expected_s is not None for one in found)
        theirs = sum(one.came_s is not None for one in found)
        assert len(expected) - ours == len(came) - theirs
        assert not (
            {"missing"} & {o.kind for o in found} and {"unexpected"} & {o.kind for o in found}
        )


def expectations(
    tmp_path: Path, text: str, clips: Sequence[str] = ("a/hall.mp4",)
) -> list[Expected]:
    path = tmp_path / "expect.yaml"
    path.write_text(text, encoding="utf-8")
    return read_expectations(path, rules=["Fall", "Fight"], clips=clips)


def test_a_file_of_expectations(tmp_path: Path) -> None:
    text = "- {rule: Fall, at: 4s}\n- {rule: Fight, at: 1500ms, within: 2s, message: Help}\n"
    first, second = expectations(tmp_path, text)
    assert first == Expected("Fall", 4, 1, None, "a/hall.mp4", f"{tmp_path}/expect.yaml:1:3")
    assert (second.at_s, second.within_s, second.message) == (1.5, 2, "Help")
    assert expectations(tmp_path, "") == []
    assert expectations(tmp_path, "[]") == []


def test_a_clip_is_named_as_it_was_given_or_by_its_file(tmp_path: Path) -> None:
    clips = ("a/hall.mp4", "b/door.mp4")
    text = "- {rule: Fall, at: 4s, clip: door.mp4}\n- {rule: Fall, at: 4s, clip: a/hall.mp4}\n"
    assert [one.clip for one in expectations(tmp_path, text, clips)] == ["b/door.mp4", "a/hall.mp4"]


def test_every_mistake_in_a_file_of_expectations_is_said_with_its_place(tmp_path: Path) -> None:
    text = (
        "- {rule: Fal, at: 4s}\n"
        "- {rule: Fall, at: 4}\n"
        "- {rule: Fall, when: 4s}\n"
        "- {rule: Fall, at: 4s, clip: dor.mp4}\n"
        "- {rule: Fall, at: 1s}\n"
        "- Fall\n"
    )
    with pytest.raises(SheetError) as caught:
        expectations(tmp_path, text, ("a/hall.mp4", "b/door.mp4"))
    file = tmp_path / "expect.yaml"
    said = str(caught.value)
    for line in (
        f"{file}:1:10: 0.rule: 'Fal' is no rule; did you mean 'Fall'?",
        f"{file}:2:20: 1.at: needs a unit; did you mean '4s'?",
        f"{file}:3:16: 2.when: is not known here",
        f"{file}:3:3: 2.at: is missing",
        f"{file}:4:30: 3.clip: 'dor.mp4' is no clip that is replayed; did you mean 'door.mp4'?",
        f"{file}:5:3: 4.clip: is missing; there are several clips",
        f"{file}:6:3: 5: must be keys with values, not a single value",
    ):
        assert line in said
    with pytest.raises(SheetError, match="must be a list, not keys with values"):
        expectations(tmp_path, "rule: Fall\n")
    with pytest.raises(SheetError, match=r"cannot be printed"):
        expectations(tmp_path, "- {rule: \x07}\n")


def test_junit_has_a_case_each_and_is_xml_whatever_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    hostile = "</failure><script>&\x00\x1b[31m\ud800 ü 🎥"
    write_junit(
        path, "suite",
        [Case("good", 0.5), Case(hostile, 0.25, (hostile, "two")), Case("broken", 0, (), "no")],
    )  # fmt: skip
    root = ET.parse(path).getroot()
    assert root.tag == "testsuites"
    (suite,) = root
    assert dict(suite.attrib) == {
        "name": "suite", "tests": "3", "failures": "1", "errors": "1", "time": "0.750",
    }  # fmt: skip
    good, bad, broken = suite
    assert (good.get("classname"), good.get("name"), len(good)) == ("suite", "good", 0)
    (failure,) = bad
    assert failure.tag == "failure"
    assert "</failure><script>&" in str(failure.text)
    assert "(and 1 more)" in str(failure.get("message"))
    assert "🎥" in str(bad.get("name"))
    assert broken[0].tag == "error"
