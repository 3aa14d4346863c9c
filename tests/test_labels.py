"""What the rules know of a model: its labels, and from when on its heads say they are there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from small_model import SPACE, place, place_head, small_model

from edgehome.config.conditions import ActivityCondition
from edgehome.config.reader import read
from edgehome.labels import labels_of, thresholds_of


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return place(tmp_path, small_model())


def rule_above(model: Path, text: str) -> tuple[float, float]:
    data = f"recognizer: {{model: {model}}}\nrules: [{{name: r, {text}}}]\n".encode()
    config, errors = read(
        data, file="c.yaml", folder=Path("/"), labels_of=labels_of, thresholds_of=thresholds_of
    )
    assert config, errors
    when = config.rules[0].when
    assert isinstance(when, ActivityCondition)
    return when.above, when.below


def test_a_rule_on_a_head_begins_at_the_head_s_own_threshold(model: Path) -> None:
    place_head(model, "fall", threshold=0.83)
    assert list(labels_of(model) or ()) == ["a", "b", "c", "d", "e", "fall"]
    assert thresholds_of(model) == {"fall": 0.83}
    assert rule_above(model, "when: fall") == (0.83, pytest.approx(0.83 * 2 / 3))
    assert rule_above(model, "when: fall, above: 0.7")[0] == 0.7
    assert rule_above(model, "when: a")[0] == 0.6


def test_a_head_of_another_space_or_without_sense_is_passed_over(model: Path) -> None:
    place_head(model, "fall", threshold=0.83)
    path = model.parent / "heads" / "fall.json"
    fields = json.loads(path.read_text())
    path.write_text(json.dumps(fields | {"threshold": "high"}))
    assert thresholds_of(model) == {}
    path.write_text(json.dumps(fields | {"embedding": f"not-{SPACE}"}))
    assert "fall" not in (labels_of(model) or ())
    path.write_text("{")
    assert thresholds_of(model) == {}
    assert thresholds_of(model.with_name("none.tflite")) == {}


def test_the_supervisor_reads_them_without_numpy(model: Path) -> None:
    place_head(model, "fall", threshold=0.83)
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from pathlib import Path; from edgehome.labels import labels_of, thresholds_of\n"
        "print(len(labels_of(Path(sys.argv[1]))), thresholds_of(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", code, str(model)]
    assert subprocess.check_output(command, text=True) == "6 {'fall': 0.83}\n"
