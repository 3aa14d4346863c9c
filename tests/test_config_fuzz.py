"""Whatever stands in a file, it is read or refused with places inside it: never a traceback.

EDGEHOME_TEST_LONG=1 python -m pytest tests/test_config_fuzz.py    # 100,000 files
"""

from __future__ import annotations

import os
import random
import string
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml
from config_texts import examine_text, whole_sample

from edgehome.config.doubts import doubts

FILES = 100_000 if os.environ.get("EDGEHOME_TEST_LONG") else 2_000
SAMPLE = whole_sample().encode()
TREE = yaml.load(SAMPLE, Loader=yaml.BaseLoader)
WORDS = [
    "", " ", "~", "null", "yes", "0", "-1", "1.0", "1e9", "nan", "inf", "9" * 400, "80%", "2s",
    "-2s", "5", "0s", "999d", "3 of 5", "5 of 3", "22:00-06:00", "06:00-06:00", "24:00-1:00",
    "mon-fri", "fri-", "any", "after sunset", "-1h", "fall", "fal", "intrusion", "sport", "a\nb",
    "\u0663s", "\u00b2", "{score}", "{score:.0%}", "{", "{0}", "{rule!r}", "{a.b}", "~root",
    "~none/x", "rtsp://[", "a\0b", "x" * 2000, "[", "<<", "=", "*a", "&a", "!t",
]  # fmt: skip
Nodes = list[tuple[Any, Any]]
"""Each list or mapping of a tree with one key or index of it."""


def random_bytes(chance: random.Random) -> bytes:
    """Return bytes of any kind, or characters that mean something to YAML."""
    size = chance.randint(0, 400)
    if chance.random() < 0.3:
        return chance.randbytes(size)
    return "".join(chance.choices("{}[]:,-?|>&*!%@`'\"# \n\tab1\u2028\r", k=size)).encode()


def mutated_text(chance: random.Random) -> bytes:
    """Return the sample with some bytes replaced, cut out, doubled, or the end cut off."""
    data = bytearray(SAMPLE)
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(data) + 1)
        length = chance.randint(0, 20)
        piece = data[place : place + length]
        new = chance.choice(
            [b"", piece * 2, chance.randbytes(length % 5), b"\n", b"  ", b": ", b"- "]
        )
        data[place : place + length] = new
    return bytes(data[: chance.randrange(len(data) + 1)] if chance.random() < 0.2 else data)


def mutated_tree(chance: random.Random) -> bytes:
    """Return valid YAML: the sample's tree with parts exchanged, wrapped, dropped or renamed."""
    tree = [deepcopy(TREE)]
    for _ in range(chance.randint(1, 6)):
        nodes = places(tree)
        parent, key = chance.choice(nodes)
        _mutate(chance, parent, key, nodes)
    return yaml.safe_dump(
        tree[0],
        default_flow_style=chance.choice([True, False, None]),
        allow_unicode=True,
        width=chance.choice([20, 80, 10_000]),
        sort_keys=False,
    ).encode()


def places(tree: Any) -> Nodes:
    found: Nodes = []
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        found.append((tree, key))
        found += places(tree[key])
    return found


def _mutate(chance: random.Random, parent: Any, key: Any, nodes: Nodes) -> None:
    other_parent, other_key = chance.choice(nodes)
    what = chance.randrange(6)
    if what == 0:
        parent[key] = chance.choice(WORDS)
    elif what == 1:
        parent[key] = deepcopy(other_parent[other_key])
    elif what == 2:
        parent[key] = [deepcopy(parent[key]) for _ in range(chance.randint(0, 3))]
    elif what == 3:
        parent[key] = {str(other_key): deepcopy(parent[key])}
    elif what == 4 and isinstance(parent, dict):
        name = chance.choice([str(other_key), chance.choice(WORDS), str(key)[:-1]])
        parent[name] = parent[key] if chance.random() < 0.5 else parent.pop(key)
    elif isinstance(parent, list) and len(parent) > 1:
        del parent[key]
    else:
        word = "".join(chance.choices(string.printable, k=chance.randint(0, 30)))
        parent[key] = word


@pytest.mark.parametrize(
    ("make", "share"), [(random_bytes, 0.2), (mutated_text, 0.4), (mutated_tree, 0.4)]
)
def test_no_file_gives_more_than_placed_sentences(
    make: Callable[[random.Random], bytes], share: float
) -> None:
    right = wrong = 0
    slowest = 0.0
    for seed in range(round(FILES * share)):
        data = make(random.Random(seed))
        began = time.process_time()
        reading = examine_text(data)
        findings = [*reading.errors, *doubts(reading, "c.yaml")]
        slowest = max(slowest, time.process_time() - began)
        assert (reading.config is None) == bool(reading.errors), seed
        lines = data.decode("utf-8-sig", "replace").split("\n")
        for finding in findings:
            assert 1 <= finding.line <= len(lines), (seed, finding)
            assert 1 <= finding.column <= len(lines[finding.line - 1]) + 1, (seed, finding)
            assert "\n" not in str(finding), (seed, finding)
            assert len(str(finding)) < 3000, (seed, finding)
        right += reading.config is not None
        wrong += reading.config is None
    print(f"{make.__name__}: {right} read, {wrong} refused, the slowest took {slowest:.3f} s")
    assert wrong
    assert right
    assert slowest < 5
