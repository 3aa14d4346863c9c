"""Every recipe of the how-to, tried by its own rule tests through the command."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from command_line import ROOT, edgehome

PAGE = ROOT / "docs" / "how-to" / "recipes.md"
TESTS = ROOT / "tests" / "rule_tests" / "recipes"
RECIPE = re.compile(r"^### (\d+)\. (.+?)$.*?^```yaml\n(.+?)^```$", re.MULTILINE | re.DOTALL)
RECIPES = {
    f"{int(number):02}-{re.sub('[^a-z]+', '-', title.lower()).strip('-')}": text
    for number, title, text in RECIPE.findall(PAGE.read_text(encoding="utf-8"))
}


def test_there_are_ten_and_each_has_its_tests() -> None:
    assert len(RECIPES) == 10
    assert sorted(RECIPES) == sorted(path.stem for path in TESTS.glob("*.yaml"))


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_does_what_it_says(name: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPES[name], encoding="utf-8")
    shutil.copy(TESTS / f"{name}.yaml", tmp_path / "tests.yaml")
    done = edgehome("test-rules", "tests.yaml", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_recipe_s_tests_can_fail(tmp_path: Path) -> None:
    name = next(iter(RECIPES))
    broken = RECIPES[name].replace("for: 1s", "for: 3s")
    assert broken != RECIPES[name]
    (tmp_path / "recipe.yaml").write_text(broken, encoding="utf-8")
    shutil.copy(TESTS / f"{name}.yaml", tmp_path / "tests.yaml")
    assert edgehome("test-rules", "tests.yaml", cwd=tmp_path).returncode == 1
