"""Copy a model to where the service reads it, with a manifest that pins it and the heads that fit.

Usage: pin_model.py MODEL FOLDER. Writes FOLDER/model.tflite, FOLDER/model.json and FOLDER/heads.
From then on the service refuses any other file there. Exits 66 with a sentence when the model
cannot be used.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from edgehome.heads.names import FOLDER, heads_beside
from edgehome.recognizer.manifest import Manifest, load_model
from edgehome.statefile import write_atomically
from edgehome.types import ModelError

NO_INPUT = 66


def fields_of(manifest: Manifest, model: Path) -> dict[str, object]:
    """Return the manifest as the JSON object that lies beside a model."""
    compiled = {"embedding": manifest.embedding, "compiled": dict(manifest.compiled)}
    return {
        "name": manifest.name,
        "sha256": manifest.sha256,
        "labels": list(manifest.labels),
        "rate": manifest.rate,
        "size": manifest.size,
        "crop": manifest.crop,
        "range": [manifest.low, manifest.high],
        "licence": manifest.licence or "unknown",
        "source": manifest.source or str(model),
        **{key: value for key, value in compiled.items() if value},
    }


def main(model: Path, folder: Path) -> int:
    """Copy and pin; return the exit status."""
    try:
        manifest, data = load_model(model)
    except ModelError as error:
        print(error, file=sys.stderr)
        return NO_INPUT
    text = json.dumps(fields_of(manifest, model), indent=2, ensure_ascii=False) + "\n"
    files = {"model.tflite": data, "model.json": text.encode()}
    for _name, path in heads_beside(model, manifest.embedding):
        files[f"{FOLDER}/{path.name}"] = path.read_bytes()
    for name, content in files.items():
        (folder / name).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        write_atomically(folder / name, content)
        (folder / name).chmod(0o644)
    print(f"{manifest.name}: {len(manifest.labels)} labels, SHA-256 {manifest.sha256[:12]}...")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
