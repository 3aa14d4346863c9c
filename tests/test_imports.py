"""The import table: who may import what. It keeps the walls where they are."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "edgehome"

OWNERS = {
    "picamera2": {"edgehome.camera.pi"},
    "libcamera": {"edgehome.camera.pi"},
    "av": {"edgehome.camera.video", "edgehome.camera.scale"},
    "PIL": {"edgehome.camera.pi"},
    "ai_edge_litert": {
        "edgehome.recognizer.litert",
        "edgehome.movinet.graph",
        "edgehome.movinet.edgetpu_rules",
    },
    "flatbuffers": {"edgehome.movinet.graph"},
    "tflite_runtime": {"edgehome.recognizer.litert"},
    "paho": {"edgehome.mqtt"},
    "sqlite3": {
        "edgehome.outbox",
        "edgehome.outbox_entry",
        "edgehome.outbox_file",
        "edgehome.outbox_room",
        "edgehome.outbox_schema",
    },
    "yaml": {"edgehome.config.document"},
    "ephem": {"edgehome.sun"},
    "inotify_simple": {"edgehome.filewatch"},
}
"""An outside thing and the only modules that may import it."""

ALLOWED = {
    "edgehome": set(),
    "edgehome.types": set(),
    "edgehome.systemd": set(),
    "edgehome.ladder": set(),
    "edgehome.config": {"edgehome.types", "edgehome.config"},
    "edgehome.events": {"edgehome.types", "edgehome.config"},
    "edgehome.rules": {
        "edgehome.types", "edgehome.config", "edgehome.events", "edgehome.rules",
    },
    "edgehome.homeassistant": {"edgehome.types", "edgehome.config", "edgehome.homeassistant"},
    "edgehome.outbox": {
        "edgehome.types", "edgehome.outbox_entry", "edgehome.outbox_file", "edgehome.outbox_plan",
        "edgehome.outbox_room", "edgehome.outbox_schema",
    },
    "edgehome.outbox_entry": {"edgehome.types", "edgehome.outbox_file"},
    "edgehome.outbox_plan": {"edgehome.types"},
    "edgehome.outbox_room": {
        "edgehome.types", "edgehome.outbox_plan", "edgehome.outbox_schema",
    },
    "edgehome.outbox_file": {"edgehome.types", "edgehome.outbox_schema"},
    "edgehome.outbox_schema": set(),
    "edgehome.backoff": set(),
    "edgehome.broker": {"edgehome.types", "edgehome.config"},
    "edgehome.mqtt": {"edgehome.types", "edgehome.config", "edgehome.broker", "edgehome.backoff"},
    "edgehome.delivery": {
        "edgehome.types", "edgehome.config", "edgehome.outbox", "edgehome.outbox_plan",
        "edgehome.mqtt", "edgehome.delivery", "edgehome.backoff", "edgehome.broker",
    },
    "edgehome.camera": {"edgehome.types", "edgehome.camera"},
    "edgehome.look": {
        "edgehome.types", "edgehome.configfile", "edgehome.camera", "edgehome.privacy",
        "edgehome.config",
    },
    "edgehome.recognizer": {
        "edgehome.types", "edgehome.recognizer", "edgehome.heads.head", "edgehome.heads.names",
        "edgehome.heads.statistics",
    },
    "edgehome.doctor.accelerator": {
        "edgehome.types", "edgehome.config", "edgehome.messages", "edgehome.doctor",
        "edgehome.recognizer.delegate", "edgehome.recognizer.edgetpu",
    },
    "edgehome.recognizer.trial": {
        "edgehome.types", "edgehome.recognizer", "edgehome.confinement",
    },
    "edgehome.gate": {"edgehome.types", "edgehome.gate"},
    "edgehome.movinet": {"edgehome.types", "edgehome.movinet", "edgehome.recognizer"},
    "edgehome.workerproblems": {"edgehome.types", "edgehome.ladder"},
    "edgehome.coral": {
        "edgehome.types", "edgehome.config", "edgehome.errands", "edgehome.messages",
        "edgehome.orders", "edgehome.process", "edgehome.recognizer.delegate",
        "edgehome.recognizer.edgetpu",
    },
    "edgehome.messages": {
        "edgehome.types", "edgehome.budget", "edgehome.taken", "edgehome.fields",
        "edgehome.normality",
    },
    "edgehome.fields": {"edgehome.types"},
    "edgehome.normality": {"edgehome.types", "edgehome.fields"},
    "edgehome.orders": {
        "edgehome.types", "edgehome.budget", "edgehome.messages", "edgehome.normality",
    },
    "edgehome.boards": set(),
    "edgehome.privacy": {"edgehome.types", "edgehome.camera"},
    "edgehome.snapshot": {"edgehome.types", "edgehome.messages"},
    "edgehome.process": {"edgehome.types", "edgehome.messages", "edgehome.orders"},
    "edgehome.statefile": set(),
    "edgehome.statefolder": set(),
    "edgehome.seccomp": set(),
    "edgehome.landlock": set(),
    "edgehome.retained": {
        "edgehome.types", "edgehome.config", "edgehome.mqtt", "edgehome.broker",
    },
    "edgehome.confinement": {
        "edgehome.seccomp", "edgehome.landlock", "edgehome.heads.names",
    },
    "edgehome.history": {"edgehome.types"},
    "edgehome.explain": {"edgehome.types", "edgehome.history", "edgehome.config.values"},
    "edgehome.models": {
        "edgehome.types", "edgehome.models", "edgehome.recognizer", "edgehome.movinet",
        "edgehome.statefile", "edgehome.heads",
    },
    "edgehome.models.speed": {"edgehome.types", "edgehome.bench"},
    "edgehome.clips": {"edgehome.types"},
    "edgehome.heads": {"edgehome.types", "edgehome.heads"},
    "edgehome.heads.names": set(),
    "edgehome.teaching": {"edgehome.types", "edgehome.heads", "edgehome.teaching"},
    "edgehome.novelty": {"edgehome.types", "edgehome.novelty"},
    "edgehome.labels": {
        "edgehome.types", "edgehome.heads.names", "edgehome.recognizer.manifest",
    },
    "edgehome.sun": {"edgehome.types"},
    "edgehome.packs": {"edgehome.types", "edgehome.config.document", "edgehome.config.packs"},
    "edgehome.filewatch": set(),
    "edgehome.rulememory": {"edgehome.statefile"},
    "edgehome.junit": set(),
    "edgehome.sheet": {"edgehome.types", "edgehome.config"},
    "edgehome.report": {"edgehome.types", "edgehome.config", "edgehome.report"},
    "edgehome.replay": {
        "edgehome.types", "edgehome.config", "edgehome.events", "edgehome.rules", "edgehome.sun",
        "edgehome.messages", "edgehome.sheet", "edgehome.report", "edgehome.replay",
        "edgehome.camera.video",
    },
    "edgehome.ruletests": {
        "edgehome.types", "edgehome.config", "edgehome.configfile", "edgehome.rules",
        "edgehome.labels", "edgehome.packs", "edgehome.sheet", "edgehome.junit",
        "edgehome.replay", "edgehome.ruletests",
    },
    "edgehome.health": {"edgehome.types", "edgehome.homeassistant", "edgehome.rollback"},
    "edgehome.rollback": {"edgehome.types"},
    "edgehome.doctor": {"edgehome.types", "edgehome.health", "edgehome.doctor"},
    "edgehome.selftest": {
        "edgehome.types", "edgehome.messages", "edgehome.process", "edgehome.camera",
        "edgehome.doctor", "edgehome.configfile", "edgehome.selftest",
    },
    "edgehome.budget": set(),
    "edgehome.heat": set(),
    "edgehome.silence": {"edgehome.statefile"},
    "edgehome.thresholds": {"edgehome.config", "edgehome.statefile"},
    "edgehome.announcer": {
        "edgehome.types", "edgehome.config", "edgehome.homeassistant", "edgehome.statefile",
    },
    "edgehome.wakeup": set(),
    "edgehome.errands": set(),
    "edgehome.logbook": set(),
    "edgehome.safemode": {"edgehome.types", "edgehome.statefile"},
    "edgehome.memory": set(),
    "edgehome.recollection": {"edgehome.taken"},
    "edgehome.taken": set(),
    "edgehome.pupil": {
        "edgehome.types", "edgehome.messages", "edgehome.orders", "edgehome.taken",
        "edgehome.recollection", "edgehome.heads.head", "edgehome.recognizer.recognizer",
        "edgehome.recognizer.corrections",
    },
    "edgehome.noticing": {
        "edgehome.types", "edgehome.messages", "edgehome.normality", "edgehome.novelty",
        "edgehome.recognizer.recognizer", "edgehome.gate.tamper",
    },
    "edgehome.normalkeeper": {
        "edgehome.types", "edgehome.messages", "edgehome.normality", "edgehome.errands",
        "edgehome.statefile",
    },
    "edgehome.learning": {
        "edgehome.types", "edgehome.messages", "edgehome.normality", "edgehome.normalkeeper",
        "edgehome.lessons", "edgehome.taken",
    },
    "edgehome.corrections": {"edgehome.types", "edgehome.config", "edgehome.lessonstore"},
    "edgehome.lessonasked": {
        "edgehome.types", "edgehome.corrections", "edgehome.lessontraining", "edgehome.taken",
    },
    "edgehome.lessonproblems": {"edgehome.types"},
    "edgehome.shownparts": {"edgehome.types"},
    "edgehome.lessonnames": {
        "edgehome.types", "edgehome.config.conditions", "edgehome.lessonproblems",
        "edgehome.packs",
    },
    "edgehome.lessonstore": {
        "edgehome.types", "edgehome.statefile", "edgehome.teaching.words",
        "edgehome.lessonproblems",
    },
    "edgehome.lessontraining": {
        "edgehome.types", "edgehome.lessonstore", "edgehome.process", "edgehome.taken",
        "edgehome.lessonproblems",
    },
    "edgehome.lessonrequests": {
        "edgehome.types", "edgehome.lessonstore", "edgehome.statefile",
    },
}  # fmt: skip
"""A module or package and the modules of ours that it may import."""

COMPOSERS = {
    "edgehome.app", "edgehome.supervisor", "edgehome.vision", "edgehome.settings",
    "edgehome.boardtrial", "edgehome.governor", "edgehome.boardcommand", "edgehome.node",
    "edgehome.worker",
    "edgehome.configfile", "edgehome.quarantine", "edgehome.reboot", "edgehome.replay.films",
    "edgehome.replay.athome", "edgehome.replay.replaying", "edgehome.checking",
    "edgehome.selftest.alarm", "edgehome.selftest.load", "edgehome.selftest.player",
    "edgehome.selftest.running",
    "edgehome.doctor.examination", "edgehome.doctor.node", "edgehome.bench", "edgehome.measuring",
    "edgehome.__main__",
    "edgehome.models.commands", "edgehome.evaluate", "edgehome.footage", "edgehome.vocabulary",
    "edgehome.reload", "edgehome.purge", "edgehome.lasting", "edgehome.controls",
    "edgehome.lessoncontrols", "edgehome.teachcurves", "edgehome.noveltycurves", "edgehome.lessons",
    "edgehome.drawnclips",
    "edgehome.teachcommand", "edgehome.cliplessons", "edgehome.backup",
}  # fmt: skip
"""These put the parts together and may import any of them."""

PURE = ("edgehome.events", "edgehome.rules", "edgehome.homeassistant", "edgehome.ladder",
        "edgehome.budget", "edgehome.heat")  # fmt: skip
FORBIDDEN_IN_PURE = {"time", "threading", "socket", "random", "subprocess", "os", "uuid", "secrets"}


def modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path: Path) -> set[str]:
    """Return the full names that a file imports, those for type checkers apart."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            assert node.level == 0, f"{path}: write imports in full"
            names |= {f"{base}.{alias.name}" for alias in node.names} | {base}
    return names


def within(name: str, allowed: set[str]) -> bool:
    return any(name == item or name.startswith(item + ".") for item in allowed)


def rule_for(module: str) -> set[str] | None:
    """Return what a module may import: its own entry, or that of the package around it."""
    if module in COMPOSERS:
        return None
    name = module
    while name not in ALLOWED:
        name = name.rpartition(".")[0]
    return ALLOWED[name] if name != "edgehome" or module == "edgehome" else set()


def breaches(found: dict[str, Path]) -> list[str]:
    wrong = []
    for module, path in found.items():
        allowed = rule_for(module)
        for name in sorted(imports(path)):
            owners = OWNERS.get(name.partition(".")[0])
            if owners and module not in owners:
                wrong.append(f"{module} imports {name}, which only {owners} may")
            ours = name.startswith("edgehome.") and (name in found)
            if ours and allowed is not None and not within(name, allowed):
                wrong.append(f"{module} imports {name}")
            if within(module, set(PURE)) and name.partition(".")[0] in FORBIDDEN_IN_PURE:
                wrong.append(f"{module} is pure and imports {name}")
    return wrong


def test_every_module_keeps_to_the_import_table() -> None:
    assert breaches(modules()) == []


def test_no_package_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "core", "common", "services", "managers", "helpers"}
    assert not [name for name in modules() if empty & set(name.split("."))]


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("edgehome.rules", "import sqlite3"),
        ("edgehome.events", "from edgehome import outbox"),
        ("edgehome.types", "from edgehome.config.types import Rule"),
        ("edgehome.app", "import paho.mqtt.client"),
        ("edgehome.rules", "import time"),
    ],
)
def test_the_table_bites(tmp_path: Path, module: str, line: str) -> None:
    """A breach put into a copy of each module is found, so the test can fail."""
    found = modules()
    if module not in found:
        pytest.fail(f"{module} does not exist")
    copy = tmp_path / "copy.py"
    copy.write_text(found[module].read_text(encoding="utf-8") + f"\n{line}\n", encoding="utf-8")
    assert breaches({**found, module: copy})


def test_modules_stay_small() -> None:
    long = {
        name: n for name, p in modules().items() if (n := len(p.read_text().splitlines())) > 300
    }
    assert long == {}


def test_functions_stay_small() -> None:
    long = [
        f"{name}: {node.name}"
        for name, path in modules().items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 40
    ]
    assert long == []


def test_the_supervisor_imports_without_numpy() -> None:
    probe = (
        "import sys; sys.modules['numpy'] = None\n"
        "import edgehome.app, edgehome.rules, edgehome.events, edgehome.delivery\n"
        "import edgehome.__main__, edgehome.configfile\n"
        "assert 'ai_edge_litert' not in sys.modules and 'av' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
