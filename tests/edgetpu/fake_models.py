"""A model of one mean colour, and the same as Google's compiler would write it for an Edge TPU.

`python fake_models.py FOLDER` writes fake.tflite, fake.json and fake_edgetpu.tflite there; what the
operator in the last one computes is in fake_edgetpu.c. Needs ai-edge-litert, which the result does
not: it runs in tflite-runtime too.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgehome.movinet.graph import Scale
from edgehome.movinet.operators import Operators

SIZE, COLOURS, PAST = 8, 3, 2
STORED = Scale(1 / 255, -128)
CUSTOM = "edgetpu-custom-op"


def mean_colour(form: str, *, flipped: bool = False) -> bytes:
    """Return a compiled file whose embedding is the mean colour of three pictures."""
    graph = Operators(f"a fake, {form}")
    rows = (SIZE, SIZE) if form == "cpu" else (1, SIZE * SIZE)
    image = graph.input("image", (1, SIZE, SIZE, COLOURS), "int8", STORED)
    past = graph.input("b0.l0", (1, PAST * rows[0], rows[1], COLOURS), "int8", STORED)
    newest = graph.reshape(image, (1, *rows, COLOURS), "b0.l0/newest")
    graph.output("b0.l0", newest)
    frames = graph.concatenate((past, newest), 1, "b0.l0/frames")
    mean = graph.mean(frames, "embedding/int8", STORED, keep=False)
    if flipped:
        minus = graph.constant("minus", np.full((1, COLOURS), -127, np.int8), Scale(1 / 127))
        mean = graph.multiply(mean, minus, "flipped", Scale(1 / 255, 127))
    graph.output("embedding", graph.dequantize(mean, "embedding"))
    return graph.finish()


def for_edge_tpu(data: bytes, *, signature: bool = True, operator: str = CUSTOM) -> bytes:
    """Return the file with all operators before the first DEQUANTIZE fused into one of its own."""
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    graph = model.subgraphs[0]
    codes = [code.builtinCode for code in model.operatorCodes]
    kinds = [codes[step.opcodeIndex] for step in graph.operators]
    end = kinds.index(schema.BuiltinOperator.DEQUANTIZE)
    fused, rest = graph.operators[:end], graph.operators[end:]
    made = [int(i) for step in fused for i in step.outputs]
    needed = {int(i) for step in rest for i in step.inputs} | {int(i) for i in graph.outputs}
    custom = schema.OperatorT(
        opcodeIndex=len(model.operatorCodes),
        inputs=[int(i) for i in graph.inputs],
        outputs=[i for i in made if i in needed],
        customOptions=list(b"fake"),
    )
    number = schema.BuiltinOperator.CUSTOM
    model.operatorCodes.append(
        schema.OperatorCodeT(
            deprecatedBuiltinCode=number, builtinCode=number, customCode=operator, version=1
        )
    )
    graph.operators = [custom, *rest]
    if not signature:
        model.signatureDefs = None
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def manifest(model: bytes, edgetpu: bytes | None) -> dict[str, Any]:
    """Return that of the model, with the form for the Edge TPU where there is one."""
    about: dict[str, Any] = {
        "name": "Mean colour",
        "sha256": hashlib.sha256(model).hexdigest(),
        "labels": [],
        "rate": 5,
        "size": SIZE,
        "crop": "center",
        "range": [0, 1],
        "licence": "Apache-2.0",
        "source": "written by a test",
        "embedding": "mean-colour",
    }
    return about | ({"edgetpu": hashlib.sha256(edgetpu).hexdigest()} if edgetpu else {})


def write(folder: Path, edgetpu: bytes | None = None) -> Path:
    """Write the model with both forms; return its path. Another form may be given."""
    folder.mkdir(parents=True, exist_ok=True)
    path, model = folder / "fake.tflite", mean_colour("cpu")
    compiled = for_edge_tpu(mean_colour("tpu")) if edgetpu is None else edgetpu
    path.write_bytes(model)
    path.with_name("fake_edgetpu.tflite").write_bytes(compiled)
    path.with_suffix(".json").write_text(json.dumps(manifest(model, compiled)))
    return path


if __name__ == "__main__":
    print(write(Path(sys.argv[1])))
