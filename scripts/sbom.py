"""Write the software bill of materials of this checkout: CycloneDX 1.6, JSON.

python scripts/sbom.py              # to standard output
python scripts/sbom.py -o sbom.json

Of the same files always the same bytes: no date, and a serial number made from the content.
Specification: https://cyclonedx.org/docs/1.6/json/. In it are the locked packages of a device with
the hashes that their files may have, the model in the box, and its heads; what only tests and
training need is not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from edgehome import __version__  # noqa: E402

LOCKS = {"runtime": "required", "numpy": "required", "video": "optional"}
"""The files in requirements/ that a device is installed from, and CycloneDX's scope of each."""
LOCKED = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!_-]+)(?: ; (.+?))? \\?$")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cyclonedx.org/edgehome")
APACHE = [{"license": {"id": "Apache-2.0"}}]
REFERENCE = f"edgehome@{__version__}"


def sbom() -> dict[str, Any]:
    """Return the document. Raises ValueError for a lock file that it cannot read whole."""
    components = [*packages(), *models()]
    content = json.dumps(components, sort_keys=True) + __version__
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, content)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": REFERENCE,
                "name": "edgehome",
                "version": __version__,
                "licenses": APACHE,
            },
        },
        "components": components,
        "dependencies": [
            {"ref": REFERENCE, "dependsOn": sorted(item["bom-ref"] for item in components)},
        ],
    }


def packages() -> Iterator[dict[str, Any]]:
    """Yield the locked packages in the order of the files."""
    for name, scope in LOCKS.items():
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        entries = re.split(r"\n(?=[A-Za-z])", text.partition("\n")[2].strip())
        for entry in entries:
            yield package(entry, scope)


def package(entry: str, scope: str) -> dict[str, Any]:
    """Return one entry of a lock file as a component."""
    locked = LOCKED.match(entry.partition("\n")[0])
    hashes = HASH.findall(entry)
    if not locked or not hashes:
        raise ValueError(f"this is no locked package: {entry[:60]!r}")
    name, version, marker = locked.groups()
    name = re.sub(r"[-_.]+", "-", name).lower()
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": f"pkg:pypi/{name}@{version}",
        "name": name,
        "version": version,
        "scope": scope,
        "purl": f"pkg:pypi/{name}@{version}",
        "hashes": [{"alg": "SHA-256", "content": content} for content in hashes],
    }
    if marker:
        component["properties"] = [{"name": "edgehome:marker", "value": marker}]
    return component


def models() -> Iterator[dict[str, Any]]:
    """Yield every model in the box, and its heads."""
    for model in sorted((ROOT / "models").glob("*.tflite")):
        manifest = json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))
        yield {
            **file_component(model, "machine-learning-model"),
            "description": f"{manifest['name']}, {manifest['source']}",
            "licenses": [{"license": {"id": manifest["licence"]}}],
        }
    for head in sorted((ROOT / "models" / "heads").glob("*.json")):
        yield {**file_component(head, "data"), "licenses": APACHE}


def file_component(path: Path, kind: str) -> dict[str, Any]:
    """Return a file of the repository as a component; its version is that of edgehome."""
    name = str(path.relative_to(ROOT))
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return {
        "type": kind,
        "bom-ref": name,
        "name": name,
        "version": __version__,
        "hashes": [{"alg": "SHA-256", "content": sha256}],
    }


def main() -> int:
    """Write the document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("-o", "--output", type=Path, help="a file instead of standard output")
    output = parser.parse_args().output
    text = json.dumps(sbom(), indent=1) + "\n"
    if output:
        output.write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
