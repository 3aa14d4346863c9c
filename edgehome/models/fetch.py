"""Fetches a public model: file, labels and manifest, each whole under its name or not there.

Where nobody has vouched for a file's hash yet, the first copy is trusted and its hash written to
the manifest beside it: from then on the service, and every later fetch, is held to that one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from edgehome.models.catalogue import PublicFile, PublicModel
from edgehome.models.download import PAUSE_S, AddressError, Part, Progress, disk, download
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.statefile import write_atomically
from edgehome.types import EdgehomeError, ModelError

LIMIT = 64_000_000
"""Bytes that no model file has; the largest known, A2 in float16, has about 15 million."""
_GZIP = b"\x1f\x8b"
_READABLE = 0o644


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model that is here now."""

    path: Path
    sha256: str
    trust: Literal["known", "first use", "as before"]
    """Whom the hash is from: the catalogue, nobody, or the manifest of the first fetch."""
    address: str
    """Where the file came from; empty when it was here already."""


def fetch(
    model: PublicModel, folder: Path, *, progress: Progress, pause_s: float = PAUSE_S
) -> Fetched:
    """Bring the model into the folder, from the first address that has it.

    Raises EdgehomeError (`fetch_failed`, `fetch_busy`, `disk_refused`) and ModelError
    (`model_hash`, `model_refused`).
    """
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
    path, manifest = folder / model.model.file, folder / f"{Path(model.model.file).stem}.json"
    expected, trust = _expected(model, manifest)
    data, address = _file(model.labels, folder, model.labels.sha256, progress, pause_s)
    _keep(folder / model.labels.file, data, there=not address)
    data, address = _file(model.model, folder, expected, progress, pause_s)
    sha256 = hashlib.sha256(data).hexdigest()
    if not expected or not manifest.exists():
        text = json.dumps(_manifest(model, sha256), indent=2, ensure_ascii=False) + "\n"
        _keep(manifest, text.encode(), there=False)
    _keep(path, data, there=not address)
    return Fetched(path, sha256, trust, address)


def _expected(
    model: PublicModel, manifest: Path
) -> tuple[str, Literal["known", "first use", "as before"]]:
    """Return the hash that the file must have, or "" when it is the first."""
    if model.model.sha256:
        return model.model.sha256, "known"
    if not manifest.exists():
        return "", "first use"
    try:
        kept = json.loads(manifest.read_bytes())["sha256"].lower()
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(
            "manifest_invalid",
            f"{manifest} should hold the hash of the first {model.name}, and cannot be read.",
            "Remove it to fetch the model as if for the first time.",
        ) from error
    return kept, "as before"


def _manifest(model: PublicModel, sha256: str) -> dict[str, object]:
    return {
        "name": model.title,
        "sha256": sha256,
        "labels_file": model.labels.file,
        "rate": model.rate,
        "size": model.size,
        "crop": "center",
        "range": [0, 1],
        "licence": model.licence,
        "source": model.source,
    }


def _file(
    wanted: PublicFile, folder: Path, sha256: str, progress: Progress, pause_s: float
) -> tuple[bytes, str]:
    """Return the file and its address, "" when it is here. Raises as `fetch`."""
    path = folder / wanted.file
    if sha256 and path.exists():
        with disk(path):
            data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() == sha256:
            return data, ""
    part, failures = Part(path), list[tuple[str, Exception]]()
    with part.alone():
        for address in wanted.addresses:
            try:
                download(address, part, limit=LIMIT, progress=progress, pause_s=pause_s)
                data = _checked(part.path.read_bytes(), wanted, sha256)
            except (AddressError, ModelError) as error:
                failures.append((address, error))
                if isinstance(error, ModelError):
                    part.remove()
            else:
                part.remove()
                return data, address
    raise _none_has(wanted, failures)


def _checked(data: bytes, wanted: PublicFile, sha256: str) -> bytes:
    """Return the file out of what came. Raises ModelError (`model_refused`, `model_hash`)."""
    if wanted.file.endswith(".tflite"):
        data = unpacked(data)
        TfliteFile(data)
    actual = hashlib.sha256(data).hexdigest()
    if sha256 and actual != sha256:
        raise ModelError(
            "model_hash", f"its SHA-256 is {actual[:12]}... instead of {sha256[:12]}...."
        )
    return data


def unpacked(data: bytes) -> bytes:
    """Return the only .tflite file of a .tar.gz, or the data when it is none.

    Nothing is written and no name in the archive is used. Raises ModelError (`model_refused`).
    """
    if not data.startswith(_GZIP):
        return data
    try:
        tar = gzip.GzipFile(fileobj=io.BytesIO(data)).read(LIMIT + 1)
        if len(tar) > LIMIT:
            raise ModelError("model_refused", "its archive is larger than any model.")
        with tarfile.open(fileobj=io.BytesIO(tar), mode="r:") as archive:
            files = [m for m in archive if m.isreg() and m.name.endswith(".tflite")]
            if len(files) != 1 or files[0].size > LIMIT:
                raise ModelError("model_refused", f"its archive holds {len(files)} .tflite files.")
            member = archive.extractfile(files[0])
            return member.read() if member else b""
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise ModelError("model_refused", f"its archive is damaged ({error}).") from error


def _none_has(wanted: PublicFile, failures: list[tuple[str, Exception]]) -> EdgehomeError:
    clauses = (f"{urlsplit(url).netloc}: {_clause(error)}" for url, error in failures)
    reasons = "; ".join(dict.fromkeys(clauses))
    message = f"Cannot fetch {wanted.file}. {reasons}."
    wrong = [error for _, error in failures if isinstance(error, ModelError)]
    if not wrong:
        remedy = (
            "Look at the network, or fetch it on another machine and copy it here; what has come "
            "so far is kept, and the next fetch goes on from there."
        )
        return EdgehomeError("fetch_failed", message, remedy)
    remedy = (
        "Nothing was kept. If its makers really replaced the file, tell edgehome's; or, where the "
        "first copy was trusted, remove its manifest to trust the new one."
    )
    return ModelError(wrong[0].problem.code, message, remedy)


def _clause(error: Exception) -> str:
    text = error.problem.message if isinstance(error, EdgehomeError) else str(error)
    return text.removesuffix(".")


def _keep(path: Path, data: bytes, *, there: bool) -> None:
    """Write the file whole and make it and its name outlast a power cut."""
    if there:
        return
    with disk(path):
        write_atomically(path, data)
        path.chmod(_READABLE)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
