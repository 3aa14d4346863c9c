"""The software bill of materials: complete, of the required form, and always the same."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHA256 = {
    "type": "object",
    "required": ["alg", "content"],
    "properties": {
        "alg": {"const": "SHA-256"},
        "content": {"type": "string", "pattern": "^[a-f0-9]{64}$"},
    },
    "additionalProperties": False,
}
TEXT = {"type": "string", "minLength": 1}
COMPONENT = {
    "type": "object",
    "required": ["type", "name", "version", "bom-ref"],
    "properties": {
        "type": {"enum": ["application", "library", "machine-learning-model", "data"]},
        "bom-ref": TEXT,
        "name": TEXT,
        "version": TEXT,
        "description": TEXT,
        "scope": {"enum": ["required", "optional", "excluded"]},
        "purl": {"type": "string", "pattern": "^pkg:pypi/[a-z0-9-]+@[^ ]+$"},
        "hashes": {"type": "array", "minItems": 1, "items": SHA256},
        "licenses": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["license"],
                "properties": {
                    "license": {
                        "type": "object",
                        "required": ["id"],
                        "properties": {"id": {"enum": ["Apache-2.0"]}},
                        "additionalProperties": False,
                    }
                },
                "additionalProperties": False,
            },
        },
        "properties": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "value"],
                "properties": {"name": TEXT, "value": TEXT},
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
BILL = {
    "type": "object",
    "required": ["bomFormat", "specVersion", "components", "metadata"],
    "properties": {
        "$schema": {"const": "http://cyclonedx.org/schema/bom-1.6.schema.json"},
        "bomFormat": {"const": "CycloneDX"},
        "specVersion": {"const": "1.6"},
        "serialNumber": {
            "type": "string",
            "pattern": "^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        },
        "version": {"type": "integer", "minimum": 1},
        "metadata": {
            "type": "object",
            "required": ["component"],
            "properties": {"component": COMPONENT},
            "additionalProperties": False,
        },
        "components": {"type": "array", "minItems": 1, "uniqueItems": True, "items": COMPONENT},
        "dependencies": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["ref", "dependsOn"],
                "properties": {
                    "ref": TEXT,
                    "dependsOn": {"type": "array", "uniqueItems": True, "items": TEXT},
                },
                "additionalProperties": False,
            },
        },
    },
    "additionalProperties": False,
}
"""What CycloneDX 1.6 asks of the parts that are used here (bom-1.6.schema.json), and no other."""


def written() -> str:
    command = [sys.executable, "scripts/sbom.py"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.fixture(scope="module")
def bill() -> dict[str, Any]:
    return dict(json.loads(written()))


def test_the_bill_has_the_form_that_cyclonedx_asks_for(bill: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft7Validator.check_schema(BILL)
    jsonschema.validate(bill, BILL)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**bill, "specVersion": "6.1"}, BILL)


def test_every_reference_is_unique_and_leads_to_a_component(bill: dict[str, Any]) -> None:
    references = [item["bom-ref"] for item in bill["components"]]
    assert len(references) == len(set(references))
    (own,) = bill["dependencies"]
    assert own["ref"] == bill["metadata"]["component"]["bom-ref"]
    assert set(own["dependsOn"]) == set(references)


def test_every_locked_package_of_a_device_is_in_it_with_all_its_hashes(
    bill: dict[str, Any],
) -> None:
    known = {item["bom-ref"]: item for item in bill["components"]}
    for name in ("runtime", "numpy", "video"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        for package, version in re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE):
            assert f"pkg:pypi/{package}@{version}" in known
        assert text.count("--hash") == sum(
            len(item["hashes"])
            for item in known.values()
            if item["type"] == "library" and f"{item['name']}=={item['version']}" in text
        )
    assert "pkg:pypi/pytest" not in json.dumps(bill), "no device has it"


def test_the_model_is_in_it_with_its_hash_and_licence(bill: dict[str, Any]) -> None:
    (model,) = (item for item in bill["components"] if item["type"] == "machine-learning-model")
    file = ROOT / model["name"]
    assert model["hashes"][0]["content"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert model["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    heads = {item["name"] for item in bill["components"] if item["type"] == "data"}
    assert heads == {f"models/heads/{p.name}" for p in (ROOT / "models/heads").glob("*.json")}


def test_the_same_checkout_gives_the_same_bytes(bill: dict[str, Any]) -> None:
    assert json.loads(written()) == bill
    assert "timestamp" not in bill["metadata"]
