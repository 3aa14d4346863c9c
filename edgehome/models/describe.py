"""What a model file is, read from its graph, its manifest, and the heads beside it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgehome.models.architectures import architecture_of
from edgehome.recognizer import tflite_file as tflite
from edgehome.recognizer.manifest import Manifest, load_model
from edgehome.recognizer.tflite_file import TfliteFile
from edgehome.types import ModelError

_TYPE_NAMES = {"f4": "float32", "f2": "float16", "i1": "int8", "u1": "uint8", "i4": "int32"}


@dataclass(frozen=True, slots=True)
class Head:
    """A head file beside a model, as far as it can be read."""

    path: Path
    name: str
    embedding: str
    """Name of the embedding space that it was trained on."""
    description: str
    fault: str = ""
    """What is wrong with the file, as a clause; empty when nothing is."""


def models_in(folders: Iterable[Path]) -> list[Path]:
    """Return the .tflite files in the folders, each once, in the order of the folders."""
    found: dict[Path, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.tflite")):
            found.setdefault(path.resolve(), path)
    return list(found.values())


def heads_of(model: Path) -> list[Head]:
    """Return the heads in the folder `heads` beside the model, by name."""
    return sorted((_head(path) for path in model.parent.glob("heads/*.json")), key=lambda h: h.name)


def _head(path: Path) -> Head:
    try:
        fields = json.loads(path.read_bytes())
        card = fields.get("card") or {}
        return Head(path, fields["name"], fields["embedding"], str(card.get("description", "")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return Head(path, path.stem, "", "", f"it cannot be read ({error!r})")


def beside(model: Path) -> Mapping[str, Any]:
    """Return the JSON object beside the model, with the keys that only compiled files have."""
    try:
        fields = json.loads(model.with_suffix(".json").read_bytes())
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def describe(model: Path) -> dict[str, Any]:
    """Return all that can be said of a model file without running it, ready for JSON.

    Raises ModelError, as `load_model` does.
    """
    manifest, data = load_model(model)
    graph = TfliteFile(data)
    extra = beside(model)
    compiled = extra.get("compiled") or {}
    return {
        "file": str(model),
        "bytes": len(data),
        "manifest": _manifest(manifest),
        "architecture": compiled.get("architecture") or architecture_of(graph) or "unknown",
        "precision": compiled.get("precision") or precision_of(graph),
        "compiled": compiled or None,
        "embedding": extra.get("embedding", ""),
        "interface": _interface(graph),
        "heads": [_fields_of(head, extra.get("embedding", "")) for head in heads_of(model)],
    }


def _manifest(manifest: Manifest) -> dict[str, Any]:
    return {
        "name": manifest.name,
        "sha256": manifest.sha256,
        "pinned": manifest.pinned,
        "labels": len(manifest.labels),
        "rate": manifest.rate,
        "size": manifest.size,
        "licence": manifest.licence,
        "source": manifest.source,
    }


def _fields_of(head: Head, embedding: str) -> dict[str, Any]:
    return {
        "name": head.name,
        "file": str(head.path),
        "embedding": head.embedding,
        "description": head.description,
        "fits": not head.fault and head.embedding == embedding,
        "fault": head.fault,
    }


def _interface(graph: TfliteFile) -> dict[str, Any]:
    """Return what goes in and out of a frame, by the signature's names.

    Raises ModelError (`model_not_stream`) when there is no signature.
    """
    if not graph.signatures:
        raise ModelError(
            "model_not_stream",
            "this is not a stream model: it has no signature that names its inputs.",
            "Use a MoViNet whose name says stream.",
        )
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


def precision_of(graph: TfliteFile) -> str:
    """Return how most convolutions are computed: int8, dynamic, float16 or float32.

    `dynamic` has float activations and int8 weights; `float16` has weights of that type that are
    turned to float32 first.
    """
    made = {index: operator for operator in graph.operators for index in operator.outputs}
    found = Counter[str]()
    for operator in graph.operators:
        if operator.code not in {tflite.CONV_2D, tflite.FULLY_CONNECTED}:
            continue
        values, weights = operator.inputs[:2]
        maker = made.get(weights)
        if maker and maker.code == tflite.DEQUANTIZE:
            weights = maker.inputs[0]
        pair = (graph.tensors[values].dtype, graph.tensors[weights].dtype)
        names = {("i1", "i1"): "int8", ("f4", "i1"): "dynamic", ("f4", "f2"): "float16"}
        found[names.get(pair, "float32" if pair == ("f4", "f4") else "unknown")] += 1
    return found.most_common(1)[0][0] if found else "unknown"
