"""The packs that ship: what their files say, and that the labels are those of real models."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import edgehome

from edgehome.config.document import DocumentError
from edgehome.config.packs import Pack, PackLabel, read_pack
from edgehome.labels import labels_of
from edgehome.packs import shipped_packs
from edgehome.recognizer.manifest import read_manifest
from edgehome.ruletests.reading import read_tests
from edgehome.ruletests.running import run_test
from edgehome.sheet import SheetError

ROOT = Path(__file__).resolve().parents[1]
PACKS = shipped_packs()
RULE_TESTS = ROOT / "edgehome" / "packs" / "tests"
HEADS = {"fall", "fighting", "person"}


def test_these_packs_ship() -> None:
    assert list(PACKS) == ["care", "fall", "intrusion", "pets", "sport", "vandalism", "violence"]


@pytest.mark.parametrize("name", PACKS)
def test_every_label_is_one_of_the_kinetics_model_or_a_head_of_the_box(
    name: str, k600_model: Path
) -> None:
    known = {*read_manifest(k600_model).labels, *HEADS}
    assert [label.name for label in PACKS[name].labels if label.name not in known] == []


def test_the_heads_in_packs_are_those_of_the_model_in_the_box(box_model: Path) -> None:
    """Needs no file but the repository's, so a head that is renamed is noticed everywhere."""
    assert set(labels_of(box_model) or ()) == HEADS
    told = {label.name for pack in PACKS.values() for label in pack.labels}
    assert told & HEADS == {"fall", "fighting"}


@pytest.mark.parametrize("name", PACKS)
def test_a_label_is_spelt_as_kinetics_spells_labels(name: str) -> None:
    """Words with spaces and brackets; no underscore, no capital but American football's."""
    for label in PACKS[name].labels:
        plain = label.name.replace("American", "american")
        assert plain == plain.lower().strip()
        assert set(plain) <= set("abcdefghijklmnopqrstuvwxyz '()")


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_says_what_it_is_for_and_not_for_and_what_was_measured(name: str) -> None:
    pack = PACKS[name]
    for said in (pack.about, pack.not_for, pack.measured):
        assert said.endswith(".")
        assert "  " not in said
    assert "not measured" in pack.measured
    assert pack.above is not None
    assert 0 < pack.above < 1


@pytest.mark.parametrize("name", PACKS)
def test_every_label_has_a_reason_and_look_alikes_of_its_own(name: str) -> None:
    labels = PACKS[name].labels
    assert len({label.name for label in labels}) == len(labels)
    for label in labels:
        assert label.reason.endswith(".")
        assert len(label.look_alikes) >= 2
        assert label.name not in label.look_alikes


def test_a_pack_is_read_as_its_file_says() -> None:
    data = b"""
about: For a test.
not_for: Anything else.
above: 0.3
labels:
  smashing: {weight: 0.5, reason: It breaks., look_alikes: [bowling, a door]}
  'fencing (sport)': {reason: A blade.}
"""
    assert read_pack("test", data) == Pack(
        "test",
        (
            PackLabel("smashing", 0.5, "It breaks.", ("bowling", "a door")),
            PackLabel("fencing (sport)", 1.0, "A blade."),
        ),
        above=0.3,
        about="For a test.",
        not_for="Anything else.",
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"labels: {}",
        b"labels: [smashing]",
        b"labels: {smashing: }",
        b"labels: {smashing: {weight: 1}}",
        b"labels: {smashing: {reason: a, wieght: 1}}",
        b"labels: {smashing: {reason: a, weight: 0}}",
        b"labels: {smashing: {reason: a}, smashing: {reason: b}}",
        b"above: 7\nlabels: {smashing: {reason: a}}",
        b"abuot: a\nlabels: {smashing: {reason: a}}",
    ],
)
def test_a_pack_that_is_wrong_is_not_read_in_part(data: bytes) -> None:
    with pytest.raises((ValueError, DocumentError)):
        read_pack("test", data)


def test_the_packs_are_installed_with_the_package() -> None:
    """What setuptools takes into the package is what package-data names."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for files in ("packs/*.yaml", "packs/tests/*.yaml"):
        assert f'"{files}"' in text
        assert [path.stem for path in sorted((ROOT / "edgehome").glob(files))] == list(PACKS)


def failures(name: str) -> list[str]:
    """Run a pack's own rule tests, and return the names of those that fail."""
    config, tests = read_tests(RULE_TESTS / f"{name}.yaml")
    assert tests
    return [test.name for test in tests if run_test(test, config)]


@pytest.mark.parametrize("name", PACKS)
def test_every_pack_passes_its_own_rule_tests(name: str) -> None:
    assert failures(name) == []


@pytest.mark.parametrize("name", PACKS)
@pytest.mark.parametrize(
    "change",
    [
        lambda pack: replace(pack, above=0.95),
        lambda pack: replace(pack, above=0.1),
        lambda pack: replace(pack, labels=pack.labels[-1:]),
    ],
    ids=["begins later", "begins earlier", "lost its labels"],
)
def test_a_pack_that_changed_fails_its_rule_tests(
    name: str, change: Callable[[Pack], Pack], monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = {**PACKS, name: change(PACKS[name])}
    monkeypatch.setattr("edgehome.ruletests.configuration.shipped_packs", lambda: changed)
    try:
        assert failures(name) != []
    except SheetError as error:
        assert "no rule looks at the label" in str(error)  # noqa: PT017 - either will do


def test_the_rule_tests_run_as_people_run_them() -> None:
    done = edgehome("test-rules", *sorted(RULE_TESTS.glob("*.yaml")))
    assert done.returncode == 0, done.stdout


@pytest.fixture
def config(tmp_path: Path, box_model: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(f"recognizer: {{model: {box_model}}}\n", encoding="utf-8")
    return path


def test_the_list_says_how_much_of_each_pack_the_model_knows(config: Path) -> None:
    told = edgehome("packs", "list", "-c", config).stdout
    assert "violence   9 labels, the model knows 1 of them" in told
    assert "intrusion  10 labels, the model knows none of them" in told
    rows = json.loads(edgehome("packs", "list", "-c", config, "--json").stdout)
    assert [row["name"] for row in rows] == list(PACKS)


def test_a_pack_is_shown_with_reasons_look_alikes_and_what_the_model_knows(config: Path) -> None:
    told = edgehome("packs", "show", "fall", "-c", config).stdout
    for label in PACKS["fall"].labels:
        assert label.reason in told
        assert label.look_alikes[0] in told
    assert "falling off chair (not a label of the model)" in told
    assert "\nfall\n" in told
    fields = json.loads(edgehome("packs", "show", "fall", "-c", config, "--json").stdout)
    assert fields["known"] == ["fall"]
    assert fields["labels"][0]["look_alikes"] == list(PACKS["fall"].labels[0].look_alikes)


def test_without_a_configuration_the_packs_are_shown_all_the_same(tmp_path: Path) -> None:
    done = edgehome("packs", "show", "violence", "-c", tmp_path / "none.yaml")
    assert done.returncode == 0
    assert "not a label of the model" not in done.stdout


@pytest.mark.parametrize("name", PACKS)
def test_every_pack_that_ships_can_be_asked_for(name: str, tmp_path: Path) -> None:
    done = edgehome("packs", "show", name, "-c", tmp_path / "none.yaml", "--json")
    assert json.loads(done.stdout)["name"] == name


def test_a_pack_that_there_is_not_is_refused_with_those_there_are() -> None:
    done = edgehome("packs", "show", "burglary")
    assert done.returncode == 64
    assert "intrusion" in done.stderr
