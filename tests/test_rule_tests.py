"""`edgehome test-rules`: tests of rules, which ship with the packs and which people write."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from command_line import edgehome

from edgehome.packs import shipped_packs
from edgehome.ruletests import shorthand
from edgehome.ruletests.reading import read_tests
from edgehome.ruletests.running import run_test
from edgehome.sheet import SheetError
from edgehome.types import CameraState, Mode

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "tests" / "rule_tests"
EX_DATAERR, EX_NOINPUT, EX_CONFIG = 65, 66, 78
RULES = """\
smoothing: 0s
rules:
  - {name: Fall, when: fall, above: 0.5, for: 1s, repeat_interval: 0s, message: "Help"}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "rules.test.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def differences(tmp_path: Path, tests: str, rules: str = RULES) -> list[str]:
    config, found = read_tests(written(tmp_path, f"{rules}tests:\n{tests}"))
    return [str(one).partition(": ")[2] for test in found for one in run_test(test, config)]


def mistakes(tmp_path: Path, text: str) -> str:
    with pytest.raises(SheetError) as caught:
        read_tests(written(tmp_path, text))
    return str(caught.value)


def test_every_pack_has_tests_and_they_pass() -> None:
    files = sorted(SHIPPED.glob("*.yaml"))
    assert [file.stem for file in files] == sorted(shipped_packs())
    done = edgehome("test-rules", *files)
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].endswith("tests, 0 failed")
    assert len(done.stdout.splitlines()) > 3 * len(files)


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("0.5", [0.5]),
        ("0x2 0.9 x 2", [0, 0, 0.9, 0.9]),
        ("0.5x400ms", [0.5, 0.5]),
        ("0..0.4x3", [0, 0.2, 0.4]),
        ("1..0x2\n  0", [1, 0, 0]),
        ("_x2 _ stillx2", ["_", "_", "_", "still", "still"]),
    ],
)
def test_the_shorthand_stands_for_frames(text: str, frames: list[float | str]) -> None:
    assert shorthand.numbers(text, 0.2) == frames


def test_the_shorthand_of_modes_and_of_the_camera() -> None:
    assert shorthand.modes("away x2 home", 0.2) == [Mode.AWAY, Mode.AWAY, Mode.HOME]
    assert shorthand.cameras("none x1 covered+dark", 0.2) == [
        frozenset(), {CameraState.COVERED, CameraState.DARK},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("2", "did you mean 0.02"),
        ("80%", "did you mean 0.8"),
        ("0.5x0", "x0 is not 1 to"),
        ("0.5x0.3s", "not a whole number of frames"),
        ("0..1", "needs at least two frames"),
        ("0x9999999999999999999999", "is not 1 to"),
        ("0x600000 0x600000", "more than 1000000 frames"),
        ("0x3 high", "'high' is not a score"),
        ("0.2..x3", "is not a score"),
        ("0x3y", "'y' is not a unit of time"),
    ],
)
def test_a_wrong_shorthand_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        shorthand.numbers(text, 0.2)
    assert said in str(caught.value)


def test_a_wrong_word_in_a_series_is_said_with_what_was_meant() -> None:
    with pytest.raises(ValueError, match="did you mean 'away'"):
        shorthand.modes("awya x3", 0.2)
    with pytest.raises(ValueError, match="did you mean 'covered'"):
        shorthand.cameras("none coverd x3", 0.2)


def test_what_happens_as_expected_passes_and_else_it_is_told(tmp_path: Path) -> None:
    story = '  - {name: A, scores: {fall: "0x5 0.9x10"}, expect: ['
    assert differences(tmp_path, story + "{rule: Fall, at: 2s, message: Help}]}") == []
    assert differences(tmp_path, story + "]}") == ["unexpected: came at 2.0 s, saying 'Help'"]
    (late,) = differences(tmp_path, story + "{rule: Fall, at: 1800ms}]}")
    assert "0.20 s late: expected at 1.8 s within 0 s, came at 2.0 s" in late
    assert differences(tmp_path, story + "{rule: Fall, at: 1800ms, within: 200ms}]}") == []
    (other,) = differences(tmp_path, story + "{rule: Fall, at: 2s, message: Halp}]}")
    assert "it says 'Help', expected 'Halp'" in other


def test_states_are_those_after_the_frame_of_that_moment(tmp_path: Path) -> None:
    story = (
        '  - {name: A, scores: {fall: "0x5 0.9x10 0x5"}, expect: [{rule: Fall, at: 2s}], states: ['
    )
    good = [(0.8, "inactive"), (1, "pending"), (1.8, "pending"), (2, "firing"), (3, "inactive")]
    listed = ", ".join(f"{{rule: Fall, at: {at_s:g}s, is: {state}}}" for at_s, state in good)
    assert differences(tmp_path, f"{story}{listed}]}}") == []
    (wrong,) = differences(tmp_path, story + "{rule: Fall, at: 1s, is: firing}]}")
    assert "at 1.0 s it is pending, expected firing; it became firing at 2.0 s" in wrong


def test_frames_that_never_came_are_a_gap_after_which_a_rule_has_resolved(tmp_path: Path) -> None:
    test = """\
  - name: half a minute without a frame
    scores: {fall: "0.9x10 _x160 0.9x10"}
    expect: [{rule: Fall, at: 1s}, {rule: Fall, at: 35s}]
    states: [{rule: Fall, at: 31s, is: firing}, {rule: Fall, at: 32s, is: inactive}]
"""
    assert differences(tmp_path, test) == []


def test_a_scene_that_stands_still_keeps_its_scores(tmp_path: Path) -> None:
    test = """\
  - name: still
    scores: {fall: "0.9x2 still x10 0x2"}
    expect: [{rule: Fall, at: 1s}]
"""
    assert differences(tmp_path, test) == []


def test_modes_motion_camera_and_the_clock_are_part_of_the_story(tmp_path: Path) -> None:
    rules = """\
smoothing: 0s
rules:
  - {name: Moves, when: [{motion: 0.1}, {armed: home}, {between: "22:00-06:00"}]}
  - {name: Covered, when: {camera: covered, for: 1s}}
"""
    test = """\
  - name: A
    start: 2026-11-22T23:10
    motion: "0x5 0.3x10"
    armed: "away x8 home"
    camera: "none x10 covered"
    expect: [{rule: Moves, at: 1600ms}]
  - name: B
    start: 2026-11-22T12:00
    motion: "0x5 0.3x10"
    armed: home
    camera: "none x2 covered x10"
    expect: [{rule: Covered, at: 1400ms}]
"""
    assert differences(tmp_path, test, rules) == []


def test_what_is_unusual_is_part_of_the_story_and_not_while_the_scene_stands_still(
    tmp_path: Path,
) -> None:
    rules = "rules:\n  - {name: Rare, when: {unusual: {once_in: 3d}}, repeat_interval: 0s}\n"
    test = """\
  - name: A
    unusual: "0x5 2.9x5 3x5 0"
    expect: [{rule: Rare, at: 2s}]
  - name: B
    unusual: 8x20
    motion: "stillx10 0.1x10"
    expect: [{rule: Rare, at: 2s}]
"""
    assert differences(tmp_path, test, rules) == []
    with pytest.raises(ValueError, match="'often' is no number of days"):
        shorthand.rarities("often", 0.2)
    with pytest.raises(ValueError, match="'-1' is no number of days"):
        shorthand.rarities("-1x3", 0.2)


def test_near_misses_are_only_looked_at_where_a_test_speaks_of_them(tmp_path: Path) -> None:
    story = '  - {name: A, scores: {fall: "0x5 0.9x3 0x5"}'
    assert differences(tmp_path, story + "}") == []
    (unexpected,) = differences(tmp_path, story + ", near_misses: []}")
    assert "near miss unexpected" in unexpected
    found = "near_misses: [{rule: Fall, reason: too_short}]"
    assert differences(tmp_path, f"{story}, {found}}}") == []
    missing = differences(tmp_path, story + ", near_misses: [{rule: Fall, reason: muted}]}")
    assert "near miss missing: expected (muted)" in missing[0]


def test_smoothing_is_the_configurations_where_the_file_says_nothing(tmp_path: Path) -> None:
    rules = RULES.replace("smoothing: 0s\n", "")
    story = '  - {name: A, scores: {fall: "0x5 0.9x20"}, expect: [{rule: Fall, at: 2800ms}]}'
    assert differences(tmp_path, story, rules) == []


def test_a_configuration_beside_the_tests_is_judged(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(RULES.replace("smoothing: 0s\n", ""))
    head = "config: config.yaml\nsmoothing: 0s\n"
    story = '  - {name: A, scores: {fall: "0.9x10"}, expect: [{rule: Fall, at: 1s}]}'
    assert differences(tmp_path, story, head) == []
    done = edgehome("test-rules", tmp_path / "rules.test.yaml")
    assert done.returncode == 0, done.stderr
    (tmp_path / "config.yaml").write_text("rules: [{name: A}]")
    done = edgehome("test-rules", tmp_path / "rules.test.yaml")
    assert done.returncode == EX_CONFIG
    assert "config.yaml:1:9: rules.0.when: is missing" in done.stderr


def test_every_mistake_in_a_file_of_tests_is_said_with_its_place(tmp_path: Path) -> None:
    said = mistakes(
        tmp_path,
        RULES
        + """\
tests:
  - scores: {fal: "0x5"}
  - name: B
    scores: {fall: "0x5 8x3"}
    armed: awya
    expect: [{rule: Fell, at: 1s}, {rule: Fall, at: 20s}]
    states: [{rule: Fall, at: 1s, is: fireing}]
    near_mises: []
  - name: C
    start: tonight
  - name: D
""",
    )
    for line in (
        ":5:5: tests.0.name: is missing",
        ":5:14: tests.0.scores.fal: no rule looks at the label 'fal'; did you mean 'fall'?",
        ":7:20: tests.1.scores.fall: '8' is not a score",
        ":8:12: tests.1.armed: 'awya' is no mode; did you mean 'away'?",
        ":9:21: tests.1.expect.0.rule: 'Fell' is no rule; did you mean 'Fall'?",
        ":10:39: tests.1.states.0.is: 'fireing' is no state; did you mean 'firing'?",
        ":11:5: tests.1.near_mises: is not known here; did you mean 'near_misses'?",
        ":13:12: tests.2.start: 'tonight' is not a moment",
        ":14:5: tests.3: says nothing of what happens; give it scores",
    ):
        assert f"{tmp_path}/rules.test.yaml{line}" in said


def test_a_moment_after_the_last_frame_is_a_mistake(tmp_path: Path) -> None:
    story = 'tests: [{name: A, scores: {fall: "0x5"}, expect: [{rule: Fall, at: 1s}]}]\n'
    assert "at: 1s is after the last frame; the test lasts 1s" in mistakes(tmp_path, RULES + story)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "tests: is missing"),
        ("tests: []\n", "rules: is missing; or name a configuration with `config`"),
        (RULES + "tests: []\n", "tests: has no test"),
        (RULES + "tests: 5\n", "tests: must be a list"),
        (RULES + "tests: [{name: A}]\n", "tests.0: says nothing of what happens"),
        (RULES + "config: c.yaml\ntests: []\n", "rules: belongs in the file that `config` names"),
        ("rules: [{name: A, when: fall, abov: 1}]\ntests: []\n", "did you mean 'above'"),
        ("rules: [}\n", "rules.test.yaml:1:9: "),
    ],
)
def test_what_is_wrong_with_the_file_as_a_whole_is_said(
    tmp_path: Path, text: str, said: str
) -> None:
    assert said in mistakes(tmp_path, text)


def test_the_command_prints_a_line_a_test_and_ends_with_1_where_one_fails(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        RULES
        + 'tests:\n  - {name: good, scores: {fall: "0x9"}}\n'
        + '  - {name: bad, scores: {fall: "0.9x9"}}\n',
    )
    junit = tmp_path / "junit.xml"
    done = edgehome("test-rules", path, "--junit", junit)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"passed  {path}: good",
        f"FAILED  {path}: bad",
        "        Fall: unexpected: came at 1.0 s, saying 'Help'",
        "2 tests, 1 failed",
    ]
    (suite,) = ET.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    lines = [
        json.loads(text) for text in edgehome("test-rules", path, "--json").stdout.splitlines()
    ]
    assert [line["kind"] for line in lines] == ["test", "test", "summary"]
    assert [line.get("passed") for line in lines] == [True, False, None]
    assert lines[1]["differences"][0]["kind"] == "unexpected"
    assert (lines[2]["tests"], lines[2]["failed"]) == (2, 1)


def test_a_file_that_cannot_be_run_keeps_no_other_from_it(tmp_path: Path) -> None:
    good = written(tmp_path, RULES + 'tests:\n  - {name: A, scores: {fall: "0x9"}}\n')
    bad = tmp_path / "bad.yaml"
    bad.write_text("tests: [{nam: A}]\n")
    done = edgehome("test-rules", bad, tmp_path / "none.yaml", good, "--json")
    assert done.returncode == EX_NOINPUT
    lines = [json.loads(text) for text in done.stdout.splitlines()]
    assert [line["kind"] for line in lines] == ["refused", "refused", "test", "summary"]
    assert lines[0]["mistakes"][0]["line"] == 1
    assert lines[-1]["refused"] == 2
    assert edgehome("test-rules", bad).returncode == EX_DATAERR


def test_the_example_in_the_reference_is_one_that_passes(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "reference" / "rule-tests.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "config.yaml").write_text(
        "rules: [{name: Somebody fell, when: fall, above: 0.6, for: 1s}]\n"
    )
    done = edgehome("test-rules", written(tmp_path, example))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("2 tests, 0 failed\n")


def test_a_score_passes_six_tenths_in_the_sixth_frame_as_the_reference_says(tmp_path: Path) -> None:
    rules = "rules: [{name: Fall, when: fall, above: 0.6}]\n"
    story = '  - {name: A, scores: {fall: "0.9x20"}, expect: [{rule: Fall, at: 1s}]}'
    assert differences(tmp_path, story, rules) == []
