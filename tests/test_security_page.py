"""SECURITY.md and its how-to keep their word: what they name exists, what they say works."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from broker import PASSWORD, USER, Broker
from test_mqtt import client, first, make_secret

from edgehome.config.types import MqttConfig
from edgehome.mqtt import Connected

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
HOW_TO = ROOT / "docs" / "how-to" / "security.md"


def provisions() -> dict[str, str]:
    """Return the rows of the table by the number of the provision."""
    return dict(re.findall(r"^\| (\d[\d.]*) (.+)$", PAGE, re.MULTILINE))


def test_every_provision_of_the_norm_is_answered_with_a_proof() -> None:
    assert list(provisions()) == [*(f"5.{number}" for number in range(1, 14)), "6"]
    for number, row in provisions().items():
        _, answer, proof = (cell.strip() for cell in row.strip("| ").split(" | "))
        assert len(answer) > 20, number
        assert re.search(r"`tests/\w|\]\(", proof), number


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 20
    for file, name in named:
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert name in names, f"{file} has no {name}"


@pytest.mark.parametrize("page", [ROOT / "SECURITY.md", HOW_TO], ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_contact_the_dates_and_the_support_period_are_said() -> None:
    for said in ("Report a vulnerability", "5 days", "90 days", r"until 31 December 20\d\d"):
        assert re.search(said, PAGE), said


def test_the_commands_for_tls_make_certificates_that_a_node_accepts(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here: apt install openssl")
    (commands,) = re.findall(r"```sh\n(.+?)```", HOW_TO.read_text(encoding="utf-8"), re.DOTALL)
    commands = commands.replace("homeassistant.local", "localhost")
    subprocess.run(["bash", "-ec", commands], check=True, capture_output=True, cwd=tmp_path)
    lines = f"certfile {tmp_path}/broker.crt\nkeyfile {tmp_path}/broker.key"
    with Broker(tmp_path / "broker", tls=lines) as broker:
        password = make_secret(tmp_path / "password", PASSWORD)
        authority = tmp_path / "ca.crt"
        config = MqttConfig("localhost", broker.port, USER, password, tls=True, ca_file=authority)
        with client(config) as events:
            assert first(events, Connected)
