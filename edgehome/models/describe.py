"""What a model file is, read from its graph, its manifest, and the heads beside it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgehome.heads.head import read_head
from edgehome.heads.names import head_files
from edgehome.models.catalogue import CATALOGUE
from edgehome.movinet.original import read_original
from edgehome.movinet.published import read_published
from edgehome.recognizer.compiled import read_interface
from edgehome.recognizer.manifest import RATE, Manifest, load_model
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.types import ModelError

_TYPE_NAMES = {"f4": "float32", "f2": "float16", "i1": "int8", "u1": "uint8", "i4": "int32"}


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model file that was read and held to its hash."""

    manifest: Manifest
    data: bytes
    graph: TfliteFile
    compiled: bool
    """Whether it is one of ours, which runs; else it is as published, and is to be imported."""
    size: int
    """Height and width of a frame, in pixels."""
    classes: int
    """Labels of the classifier in the file; 0: it has none."""


def models_in(folders: Iterable[Path]) -> list[Path]:
    """Return the .tflite files in the folders, each once, in the order of the folders."""
    found: dict[Path, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.tflite")):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def read_model(model: Path) -> ModelFile:
    """Return a file of either kind. Raises ModelError, as `load_model` does."""
    try:
        manifest, data = load_model(model)
    except ModelError as error:
        if error.problem.code != "model_not_compiled":
            raise
        data = model.read_bytes()
        manifest = _of_published(model, data)
    graph = TfliteFile(data)
    try:
        ours = read_interface(graph)
    except ModelError as error:
        if error.problem.code != "model_not_compiled":
            raise
        theirs = read_published(graph)
        return ModelFile(manifest, data, graph, False, theirs.size, theirs.classes)
    return ModelFile(manifest, data, graph, True, ours.size, ours.classes)


def _of_published(model: Path, data: bytes) -> Manifest:
    """Return what is known of a published file without a manifest, by its hash if at all."""
    sha256 = hashlib.sha256(data).hexdigest()
    known = next((m for m in CATALOGUE.values() if m.model.sha256 == sha256), None)
    return Manifest(
        name=known.title if known else model.stem,
        sha256=sha256,
        labels=(),
        rate=known.rate if known else RATE,
        size=read_published(TfliteFile(data)).size,
        licence=known.licence if known else "",
        source=known.source if known else "",
        pinned=known is not None,
    )


def network_of(found: ModelFile) -> dict[str, Any]:
    """Return architecture, precision, activation, and why a published file is not importable."""
    if found.compiled:
        names = ("architecture", "precision", "form", "activation")
        return {name: found.manifest.compiled.get(name, "not said") for name in names}
    try:
        original = read_original(found.data)
    except ModelError as error:
        return {"architecture": "unknown", "precision": "unknown", "fault": error.problem.message}
    return {
        "architecture": original.architecture.name,
        "precision": original.precision,
        "activation": original.architecture.activation,
        "squeeze_excite": original.architecture.squeeze_excite,
    }


def describe(model: Path) -> dict[str, Any]:
    """Return all that can be said of a model file without running it, ready for JSON.

    Raises ModelError, as `load_model` does.
    """
    found = read_model(model)
    manifest = found.manifest
    return {
        "file": str(model),
        "bytes": len(found.data),
        "kind": "compiled" if found.compiled else "published",
        "name": manifest.name,
        "sha256": manifest.sha256,
        "pinned": manifest.pinned,
        "labels": found.classes,
        "rate": manifest.rate,
        "size": found.size,
        "licence": manifest.licence,
        "source": manifest.source,
        "network": network_of(found),
        "agreement": manifest.compiled.get("agreement", {}),
        "embedding": manifest.embedding,
        "interface": _interface(found.graph),
        "heads": [_head(path, manifest.embedding) for path in head_files(model)],
    }


def _head(path: Path, embedding: str) -> dict[str, Any]:
    try:
        head = read_head(path)
    except ModelError as error:
        return {"name": path.stem, "file": str(path), "fits": False, "fault": str(error)}
    return {
        "name": head.name,
        "file": str(path),
        "embedding": head.embedding,
        "threshold": head.threshold,
        "description": head.card.get("description", ""),
        "fits": head.embedding == embedding,
        "fault": "",
    }


def _interface(graph: TfliteFile) -> dict[str, Any]:
    """Return what goes in and out of a frame, by the signature's names."""
    signature = graph.signatures[0]
    states = [name for name in signature.inputs if name in signature.outputs]

    def say(names: Mapping[str, int]) -> dict[str, str]:
        return {name: _shape(graph, index) for name, index in names.items() if name not in states}

    def size(names: Mapping[str, int]) -> int:
        return sum(_bytes(graph, names[name]) for name in states)

    return {
        "signature": signature.key,
        "inputs": say(signature.inputs),
        "outputs": say(signature.outputs),
        "states": len(states),
        "state_bytes_in": size(signature.inputs),
        "state_bytes_out": size(signature.outputs),
        "operators": len(graph.operators),
        "highest_rank": max(len(tensor.shape) for tensor in graph.tensors),
    }


def _shape(graph: TfliteFile, index: int) -> str:
    tensor = graph.tensors[index]
    kind = _TYPE_NAMES.get(tensor.dtype, tensor.dtype or "another type")
    return f"{kind} {list(tensor.shape)}"


def _bytes(graph: TfliteFile, index: int) -> int:
    tensor = graph.tensors[index]
    return math.prod(tensor.shape) * int(tensor.dtype[1:] or 0)
