"""docs/reference/config.md: that of the code, with examples that work."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from jsonschema import Draft202012Validator

from edgehome.config.conditions import CONDITIONS
from edgehome.config.reader import read
from edgehome.config.schema import schema
from edgehome.packs import shipped_packs

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "config_reference.py"
PAGE = ROOT / "docs" / "reference" / "config.md"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("config_reference", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_script_writes() -> None:
    done = subprocess.run(
        [sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_page_that_is_out_of_date_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = script()
    old = tmp_path / "config.md"
    old.write_text("# of an earlier release")
    monkeypatch.setattr(module, "PAGE", old)
    monkeypatch.setattr(sys, "argv", ["config_reference.py", "--check"])
    assert module.main() == 1
    monkeypatch.setattr(sys, "argv", ["config_reference.py"])
    assert module.main() == 0
    assert old.read_text() == PAGE.read_text()


def test_every_condition_has_an_example() -> None:
    assert list(script().EXAMPLES) == list(CONDITIONS)


def examples() -> list[str]:
    """Return the page's pieces of YAML as whole files."""
    pieces = PAGE.read_text(encoding="utf-8").split("```yaml\n")[1:]
    found = []
    for piece in pieces:
        text = piece.partition("```")[0]
        if text.startswith("- "):
            indented = text.replace("\n", "\n      ")
            text = f"rules:\n  - name: A rule\n    when:\n      {indented}"
        if "activities:" not in text:
            text += "\nactivities: {climbing: [climbing ladder, climbing tree]}\n"
        found.append(text + "\nlocation: {latitude: 52.1, longitude: 5.2}\n")
    return found


@pytest.mark.parametrize("text", examples())
def test_every_example_is_right(text: str) -> None:
    config, errors = read(
        text.encode(),
        file="config.yaml",
        folder=ROOT,
        labels_of=lambda _model: None,
        packs=shipped_packs(),
    )
    assert [str(error) for error in errors] == []
    assert config
    assert list(Draft202012Validator(schema()).iter_errors(yaml.safe_load(text))) == []


def test_the_page_names_every_key_of_the_schema() -> None:
    page = PAGE.read_text(encoding="utf-8")
    whole = schema()
    keys = {key for part in whole["properties"].values() for key in part.get("properties", ())}
    keys |= {key for part in whole["$defs"].values() for key in part.get("properties", ())}
    assert [key for key in sorted(keys) if f"| `{key}` |" not in page] == []
    assert [name for name in whole["properties"] if f"## {name}\n" not in page] == []
