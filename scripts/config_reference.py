"""Write docs/reference/config.md from the configuration's own types.

python scripts/config_reference.py           # writes the page
python scripts/config_reference.py --check   # ends with 1 where the page is not that of the code
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "config.md"
sys.path.insert(0, str(ROOT))

from edgehome.config import conditions, lists, values  # noqa: E402
from edgehome.config.condition_reader import COMMON, MAX_GROUP  # noqa: E402
from edgehome.config.conditions import CONDITIONS, ActivityCondition, Condition  # noqa: E402
from edgehome.config.document import MAX_BYTES, MAX_DEPTH  # noqa: E402
from edgehome.config.names import MAX_LABELS  # noqa: E402
from edgehome.config.nodes import options_of  # noqa: E402
from edgehome.config.options import Option  # noqa: E402
from edgehome.config.rule_reader import MAX_CONDITIONS, MAX_RULES  # noqa: E402
from edgehome.config.schema import default_of  # noqa: E402
from edgehome.config.types import Config, Rule  # noqa: E402
from edgehome.packs import shipped_packs  # noqa: E402

HEAD = f"""# config.yaml

Every section and key, what it is for, what it takes, and what it is when left out. This page is
made from the program (`scripts/config_reference.py`), and a test holds the two together. Rules for
common wishes are in [the how-to](../how-to/rules.md); what a rule does from frame to frame is in
[rules.md](rules.md).

* A duration has a unit: `500ms`, `2s`, `5m`, `1.5h`, `1d`.
* A score is a number from 0 to 1.
* A relative path starts from the folder of the file.
* `edgehome check` tells every mistake at once as `file:line:col: path: what is wrong`, with a
  suggestion, and ends with status 78.
* Editors complete and check the file by `config.schema.json` beside it, which its first line names:
  `# yaml-language-server: $schema=config.schema.json`. `edgehome schema` prints it.
* The file may be up to {MAX_BYTES // 1024} KiB and {MAX_DEPTH} levels deep; YAML's anchors and
  aliases are not used.

"""
ACTIVITIES = f"""## activities

Names for groups of the model's labels, for rules. A list, each label with a weight of 1, or labels
with weights from 0.01 to 10; up to {MAX_LABELS} labels:

```yaml
activities:
  climbing: [climbing ladder, climbing tree]
  hitting: {{slapping: 1, headbutting: 0.5}}
```

A group's score is the weighted sum of its labels' probabilities, at most 1: the labels of one
classifier exclude each other. Heads (`fall`, `fighting`, `person` of the model in the box) do not.

These packs are groups that ship; `edgehome packs show NAME` tells each label's reason, its
look-alikes, what was measured and what the configured model knows of it. Labels that a model lacks
are left out. An activity of the file with the same name takes a pack's place.

"""
RULES = f"""## rules

A list of up to {MAX_RULES} rules, each with up to {MAX_CONDITIONS} conditions:

```yaml
rules:
  - name: Somebody fell
    when: fall
    for: 1s
    severity: critical
  - name: Climber at night
    when:
      - activity: climbing
        for: 2s
      - between: 23:00-06:00
      - armed: away
    repeat_interval: 10m
```

`when` is a name (an activity of the file, else a pack, else a label of the model), a condition, or
a list of conditions of which all must hold.

"""
COMMON_TO_ALL = """A rule takes these too, for the whole of its `when`, as does every condition,
for itself. They are applied in this order:

"""
OF_A_WORD = """Where `when` is a name, the rule takes these as well:

"""
GROUPS = f"""## Conditions

Each is named by its first key. A group holds 1 to {MAX_GROUP} conditions, `then` at least 2, to any
depth; a bare name in a group is that activity.

"""

EXAMPLES = {
    "activity": "- activity: person\n  above: 0.9\n  for: 3s",
    "motion": "- motion: 0.1\n  at_least: 3 of 5",
    "camera": "- camera: [covered, moved]\n  for: 10s",
    "between": "- between: 22:00-06:00",
    "weekdays": "- weekdays: [mon-fri]",
    "sun": "- sun: after sunset\n  offset: 30m",
    "armed": "- armed: [away, night]",
    "after_boot": "- after_boot: 2m",
    "unusual": "- unusual: once_a_week",
    "all": "- all: [person, {motion: 0.05}]\n  for: 5s",
    "any": "- any: [fall, fighting]",
    "none": "- none:\n    - {camera: dark}\n    - {between: 12:00-13:00}",
    "then": "- then:\n    - {activity: person, for: 2s}\n    - {camera: covered}\n  gap: 10s",
}
"""One of each condition, as an item under `when`."""

HEADER = "| key | takes | default | |\n|---|---|---|---|"
TAKES: dict[values.Parser, str] = {
    values.text: "a text",
    values.optional_text: "a text",
    values.identity: "1 to 32 of a-z, 0-9, _, -",
    values.topic: "a topic",
    values.host: "a name or an address",
    values.probability: "0 to 1",
    values.quarter_turns: "0, 90, 180 or 270",
    values.boolean: "true or false",
    values.path: "a path",
    values.source: "a source",
    values.message: "up to 250 characters",
    lists.weekdays: "a day or a span of days",
    values.rarity: "`once_a_day`, `once_a_week`, `once_a_month`, a time from 12h to 365d, "
    "`{once_in: 3d}` or `{above: DAYS}`",
    conditions.AtLeast.parse: "`N of M`",
    conditions.Between.parse: "`HH:MM-HH:MM`",
}


def takes(parse: values.Parser | lists.ListOf) -> str:
    """Return what a key takes: a range with its unit, words, or a kind of text."""
    if parse is lists.REGION:
        return "a list of four, each 0 to 1"
    if isinstance(parse, lists.ListOf):
        if isinstance(parse.item, lists.ListOf):
            return f"a list of up to {parse.most} polygons"
        inner = takes(parse.item)
        return f"{inner}; one or a list" if parse.single else f"a list of {inner}"
    if isinstance(parse, values.Choice):
        return ", ".join(f"`{word}`" for word in parse.words)
    if isinstance(parse, values.Auto):
        return f"`auto` or {takes(parse.parse)}"
    return parse.words if isinstance(parse, values.Within) else TAKES[parse]


def default(kind: type, name: str, option: Option) -> str:
    """Return a field's default as the file has it; nothing where there is none to name."""
    found = default_of(next(field for field in fields(kind) if field.name == name), option)
    if isinstance(found, bool):
        return f"`{str(found).lower()}`"
    return "" if found is None else f"`{found}`"


def table(
    kind: type, keys: Sequence[str] | None = None, *, needed: Sequence[str] = (), more: str = ""
) -> str:
    """Return a class's keys as a table, or some of them; `more` is a line to begin with."""
    lines = [HEADER + more]
    lines += [
        f"| `{key}` | {takes(option.parse)} | "
        f"{'needed' if key in needed else default(kind, name, option)} | {option.about} |"
        for key, (name, option) in options_of(kind).items()
        if keys is None or key in keys
    ]
    return "\n".join(lines) + "\n\n"


def packs() -> str:
    """Return the packs as a table."""
    lines = ["| pack | begins at | labels | for | not for |", "|---|---|---|---|---|"]
    lines += [
        f"| `{pack.name}` | {pack.above:g} | {len(pack.labels)} | {pack.about} | {pack.not_for} |"
        for pack in shipped_packs().values()
    ]
    return "\n".join(lines) + "\n\n"


def rules() -> str:
    """Return the part about rules."""
    about = next(f.metadata["condition"] for f in fields(Rule) if "condition" in f.metadata)
    when = f"\n| `when` | a name, a condition or a list | needed | {about} |"
    return (
        RULES
        + table(Rule, needed=["name"], more=when)
        + COMMON_TO_ALL
        + table(Condition)
        + OF_A_WORD
        + table(ActivityCondition, ["above", "below", "look_back"])
    )


def condition(key: str, kind: type[Condition]) -> str:
    """Return the part about one condition."""
    own = [name for name in options_of(kind) if name not in COMMON]
    group = next((f.metadata["conditions"] for f in fields(kind) if "conditions" in f.metadata), "")
    first = f"\n| `{key}` | a list of conditions | needed | {group} |" if group else ""
    body = table(kind, own, needed=[key], more=first)
    return f"### {key}\n\n{kind.__doc__}\n\n```yaml\n{EXAMPLES[key]}\n```\n\n{body}"


def page() -> str:
    """Return the whole page."""
    text = HEAD
    for field in fields(Config):
        if field.name == "rules":
            text += ACTIVITIES + packs() + rules() + GROUPS
            text += "".join(condition(key, kind) for key, kind in CONDITIONS.items())
        elif "section" in field.metadata:
            kind = field.metadata["section"]
            needed = ["latitude", "longitude"]
            text += f"## {field.name}\n\n{kind.__doc__}\n\n{table(kind, needed=needed)}"
    return text.rstrip() + "\n"


def main() -> int:
    """Write the page, or say whether it is that of the code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--check", action="store_true", help="write nothing; 1: it is out of date")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == page():
        return 0
    sys.stderr.write("docs/reference/config.md is out of date: scripts/config_reference.py\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
