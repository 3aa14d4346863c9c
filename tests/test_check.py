"""`edgehome check`: all mistakes of all files, warnings apart, for people and for programs."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from command_line import ROOT, edgehome

from edgehome.configfile import examined

MODEL = f"recognizer: {{model: {ROOT / 'models' / 'edgehome-a0.tflite'}}}\n"
RIGHT = MODEL + "rules:\n- {name: A, when: fall}\n"
DOUBTFUL = MODEL + "rules:\n- {name: A, when: [fall, armed: home, armed: away]}\n"
WRONG = MODEL + "rules:\n- {name: A, when: fal, for: 2}\n- {name: B, wen: fall}\n"


def write(folder: Path, text: str, name: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def test_all_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    wrong, right = write(tmp_path, WRONG, "wrong.yaml"), write(tmp_path, RIGHT, "right.yaml")
    missing = tmp_path / "missing.yaml"
    done = edgehome("check", wrong, right, missing)
    assert done.returncode == 78
    assert done.stdout == f"{right}: good, rules: 1\n"
    told = done.stderr.splitlines()
    assert [line.partition(": ")[0] for line in told] == [
        f"{wrong}:3:19",
        f"{wrong}:3:29",
        f"{wrong}:4:3",
        f"{wrong}:4:13",
        f"{missing}:1:1",
    ]
    assert told[0].endswith(
        "neither an activity, a pack nor a label of the model; did you mean 'fall'?"
    )
    assert told[3].endswith("rules.1.wen: is not known here; did you mean 'when'?")


def test_warnings_are_marked_and_change_nothing(tmp_path: Path) -> None:
    file = write(tmp_path, DOUBTFUL, "c.yaml")
    done = edgehome("check", file)
    assert done.returncode == 0
    assert done.stdout == f"{file}: good, rules: 1, warnings: 1\n"
    assert done.stderr == (
        f"{file}:3:19: warning: rules.0.when: the rule 'A' can never fire: `armed: home` and "
        "`armed: away` never hold at the same time\n"
    )


def test_programs_get_one_object_a_finding_with_its_level(tmp_path: Path) -> None:
    wrong, doubtful = write(tmp_path, WRONG, "w.yaml"), write(tmp_path, DOUBTFUL, "d.yaml")
    done = edgehome("check", "--json", wrong, doubtful)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 78
    assert [item["level"] for item in found] == ["error"] * 4 + ["warning"]
    assert found[1] == {
        "file": str(wrong),
        "line": 3,
        "column": 29,
        "path": "rules.0.for",
        "message": "needs a unit; did you mean '2s'?",
        "level": "error",
    }
    assert set(found[4]) == set(found[1])


def test_the_sample_has_neither_a_mistake_nor_a_warning() -> None:
    done = edgehome("check", ROOT / "config.yaml")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 50_000, "a: b\n" * 2_000_000])
def test_a_deep_or_a_large_file_is_refused_within_a_second_with_all_that_is_read(
    tmp_path: Path, text: str
) -> None:
    file = write(tmp_path, text, "c.yaml")
    began = time.perf_counter()
    (error,) = examined(file).errors
    assert time.perf_counter() - began < 1
    assert "levels deep" in error.message or "longer than 256 KiB" in error.message
    assert edgehome("check", file).returncode == 78


def test_more_rules_than_one_message_to_home_assistant_is_good_for_are_warned_of(
    tmp_path: Path,
) -> None:
    def checked(count: int) -> str:
        rules = "".join(
            f"- {{name: Somebody falls in room {n}, when: fall}}\n" for n in range(10, 10 + count)
        )
        done = edgehome("check", write(tmp_path, MODEL + "rules:\n" + rules, "c.yaml"))
        assert done.returncode == 0
        return done.stderr

    assert "announcement" not in checked(15)
    told = [line for line in checked(25).splitlines() if "announcement" in line]
    assert len(told) == 1
    assert ":3:3: warning: rules: 25 rules make an announcement of 26 kB" in told[0]
    assert "shorter names" in told[0]


def test_without_a_model_to_ask_good_is_not_all_that_is_said(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("recognizer: {model: /nowhere.tflite}\nrules: [{name: A, when: climbing}]\n")
    done = edgehome("check", "-c", str(file))
    assert done.returncode == 0
    assert done.stdout == f"{file}: good as far as it goes (labels not checked), rules: 1\n"
    assert "`edgehome models list`" in done.stderr
