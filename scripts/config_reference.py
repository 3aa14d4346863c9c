"""Write docs/reference/config.md from the configuration's own types.

python scripts/config_reference.py > docs/reference/config.md
"""

from __future__ import annotations

import sys
from dataclasses import Field, fields
from datetime import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgehome.config.types import Config, Rule  # noqa: E402

HEAD = """# config.yaml

Every key, what it is for, and what it is when left out. This page is made from the program
(`scripts/config_reference.py`), and a test holds the two together.

* A duration needs a unit: `500ms`, `2s`, `5m`, `1.5h`, `1d`.
* A score is a number from 0 to 1.
* A relative path starts from the folder of the file.
* `edgehome check` tells every mistake at once as `file:line:col: path: what is wrong`, with a
  suggestion, and ends with status 78.
* The file may be up to 64 KiB; YAML's anchors and aliases are not used.

"""
ACTIVITIES = """## activities

Names for groups of the model's labels: `hitting: [slapping, headbutting]`. A group's score is the
sum of its labels' probabilities, at most 1: the labels of one classifier exclude each other. Heads
(`fall`, `fighting`, `person` of the model in the box) do not: give each a rule of its own.

"""
RULES = """## rules

A list. `name` and `when` are needed. What a rule does from frame to frame is in
[rules.md](rules.md).

"""


def default_of(field: Field[Any]) -> str:
    """Return a default as it would be written in the file."""
    value = field.default
    if isinstance(value, float) and field.name.endswith("_s"):
        return f"`{value:g}s`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if value is None or value == "" or isinstance(value, time) or field.name in {"name", "when"}:
        return "" if value != "Edgehome" else f"`{value}`"
    return f"`{value}`"


def table(kind: type) -> str:
    """Return the keys of one section as a table."""
    lines = ["| key | default | |", "|---|---|---|"]
    for field in fields(kind):
        option = field.metadata.get("option")
        if option:
            key = option.key or field.name
            lines.append(f"| `{key}` | {default_of(field)} | {option.about} |")
    return "\n".join(lines) + "\n\n"


def page() -> str:
    """Return the whole page."""
    text = HEAD
    for field in fields(Config):
        if field.name == "rules":
            text += ACTIVITIES + RULES + table(Rule)
        else:
            kind = field.metadata["section"]
            text += f"## {field.name}\n\n{kind.__doc__}\n\n{table(kind)}"
    return text.rstrip() + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
