"""`edgehome packs list | show` and `edgehome schema`: what a config.yaml can name and say.

Modules are imported by the command that needs them.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Callable, Collection
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgehome.config.packs import Pack, PackLabel

WIDTH = 90
"""Of the text for people, in characters."""

Known = Collection[str] | None
"""The labels of the configured model; None where they cannot be known."""


def add_vocabulary(commands: Any, config: Path) -> None:  # noqa: ANN401 - argparse's own has no name
    """Add the commands; `config` is read by default."""
    packs = commands.add_parser("packs", help="list and show the groups of labels that ship")
    packs.set_defaults(run=_list, config=config, state=None, json=False)
    actions = packs.add_subparsers(metavar="ACTION", parser_class=type(packs))
    listed = actions.add_parser(
        "list", help="every pack, and what the model knows of it (without an ACTION, too)"
    )
    shown = actions.add_parser("show", help="a pack's labels with reasons and look-alikes")
    shown.add_argument("name", metavar="NAME", choices=_names(), help=", ".join(_names()))
    _common(listed, config, _list)
    _common(shown, config, _show)
    schema = commands.add_parser("schema", help="print the JSON Schema of config.yaml, for editors")
    schema.set_defaults(run=_schema)


def _common(
    parser: argparse.ArgumentParser,
    config: Path,
    run: Callable[[argparse.Namespace], int],
) -> None:
    parser.add_argument("-c", "--config", type=Path, default=config, help="(%(default)s)")
    parser.add_argument("--state", type=Path, help="whose taught activities count (the service's)")
    parser.add_argument("--json", action="store_true", help="JSON instead of text")
    parser.set_defaults(run=run)


def _names() -> tuple[str, ...]:
    """Return the packs' names without reading them: every command's arguments need these."""
    return ("care", "fall", "intrusion", "pets", "sport", "vandalism", "violence")


def _known(config: Path, state: Path) -> Known:
    from edgehome.config.types import Config
    from edgehome.configfile import check
    from edgehome.labels import labels_of, taught_in

    if not config.exists():
        return None
    read, _ = check(config, state)
    labels = labels_of((read or Config()).recognizer.model)
    return labels and (*labels, *(taught_in(state) or ()))


def _list(options: argparse.Namespace) -> int:
    from edgehome.packs import shipped_packs

    known = _known(options.config, options.state)
    packs = shipped_packs().values()
    if options.json:
        print(json.dumps([_row(pack, known) for pack in packs]))
        return 0
    for pack in packs:
        print(f"{pack.name:11}{_share(pack, known)}")
        print(_wrapped(pack.about, "  "))
    return 0


def _show(options: argparse.Namespace) -> int:
    from edgehome.packs import shipped_packs

    pack, known = shipped_packs()[options.name], _known(options.config, options.state)
    if options.json:
        print(json.dumps(_row(pack, known) | asdict(pack)))
        return 0
    print(f"{pack.name}: {_share(pack, known)}; begins at {pack.above}")
    for title, said in (
        ("For", pack.about), ("Not for", pack.not_for), ("Measured", pack.measured)
    ):  # fmt: skip
        print(_wrapped(f"{title}: {said}", ""))
    for label in pack.labels:
        print(f"\n{label.name}{_remark(label, known)}")
        print(_wrapped(label.reason, "  "))
        print(_wrapped(f"Looks like it: {', '.join(label.look_alikes)}.", "  "))
    return 0


def _schema(_: argparse.Namespace) -> int:
    from edgehome.config.schema import schema

    print(json.dumps(schema(), indent=1, ensure_ascii=False))
    return 0


def _row(pack: Pack, known: Known) -> dict[str, Any]:
    return {
        "name": pack.name,
        "about": pack.about,
        "above": pack.above,
        "labels": [label.name for label in pack.labels],
        "known": None if known is None else [one.name for one in pack.labels if one.name in known],
    }


def _share(pack: Pack, known: Known) -> str:
    """Return how much of a pack the model knows, in words."""
    total = len(pack.labels)
    if known is None:
        return f"{total} labels"
    count = sum(label.name in known for label in pack.labels)
    return f"{total} labels, the model knows {count or 'none'} of them"


def _remark(label: PackLabel, known: Known) -> str:
    weight = "" if label.weight == 1 else f", weight {label.weight:g}"
    unknown = known is not None and label.name not in known
    return weight + (" (not a label of the model)" if unknown else "")


def _wrapped(said: str, indent: str) -> str:
    return textwrap.fill(said, WIDTH, initial_indent=indent, subsequent_indent=indent)
