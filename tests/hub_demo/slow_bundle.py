"""A bundle that is right and useless: the same answers, but far too slow for the gateway it goes to."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_agent.inference.bundle import Bundle, load_bundle
from tests.hub_demo.processes import DemoError
from training_hub.training.bundle_writer import write_manifest

_MOST_ATTEMPTS = 6
_TIMES = 12
"""The large copy repeats a patch so many times along both of its sides."""


def slow_down(bundle: Bundle, out: Path, *, version: str, patch_s: float) -> Bundle:
    """Copy a bundle and add work to its encoder that nothing depends on: every self-test passes.

    Args:
        bundle: The bundle.
        out: Where the slow one goes.
        version: Of the slow one.
        patch_s: Least seconds for a patch on this computer.

    Returns:
        The slow bundle, loaded and tested as a gateway would.
    """
    shutil.copytree(bundle.root, out)
    encoder = out / bundle.manifest.encoder.file
    content = encoder.read_bytes()
    operators = 1
    for _ in range(_MOST_ATTEMPTS):
        encoder.write_bytes(_with_useless_work(content, operators))
        write_manifest(out, bundle.manifest.model_copy(update={"version": version}))
        slow = load_bundle(out)
        took_s = _patch_time_s(slow)
        if took_s >= patch_s:
            return slow
        operators = max(operators + 1, int(operators * min(50.0, 1.2 * patch_s / took_s)))
    raise DemoError(f"the encoder cannot be slowed down to {patch_s} s a patch: {took_s:.3f} s")


def _patch_time_s(bundle: Bundle) -> float:
    encoder = bundle.encoder()
    patch = np.zeros((1, 64, 128), np.float32)
    encoder.encode(patch)
    began_s = time.perf_counter()
    encoder.encode(patch)
    return time.perf_counter() - began_s


def _with_useless_work(content: bytes, operators: int) -> bytes:
    """One large copy of the patch, and where its maxima are, so many times: time without memory."""
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    source = int(graph.inputs[0])
    kind, shape = graph.tensors[source].type, [int(side) for side in graph.tensors[source].shape]
    times = np.array([1, _TIMES, _TIMES, 1], np.int32)
    multiples = _tensor(graph, model, schema.TensorType.INT32, [4], times.tobytes())
    axis = _tensor(graph, model, schema.TensorType.INT32, [], np.array(1, np.int32).tobytes())
    tiled = _tensor(graph, model, kind, [side * int(often) for side, often in zip(shape, times, strict=True)])
    useless = [_operator(model, schema.BuiltinOperator.TILE, [source, multiples], tiled)]
    code = len(model.operatorCodes)
    for _ in range(operators):
        where = _tensor(graph, model, schema.TensorType.INT32, [shape[0], shape[2] * _TIMES, shape[3]])
        useless.append(_operator(model, schema.BuiltinOperator.ARG_MAX, [tiled, axis], where, code))
        useless[-1].builtinOptionsType = schema.BuiltinOptions.ArgMaxOptions
        useless[-1].builtinOptions = schema.ArgMaxOptionsT()
        useless[-1].builtinOptions.outputType = schema.TensorType.INT32
    graph.tensors[tiled].quantization = graph.tensors[source].quantization
    graph.operators = [*useless, *graph.operators]
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _operator(model: Any, builtin: int, inputs: list[int], output: int, code: int | None = None) -> Any:  # noqa: ANN401
    if code is None or code == len(model.operatorCodes):
        made = schema.OperatorCodeT()
        made.builtinCode = made.deprecatedBuiltinCode = builtin
        made.version = 2 if builtin == schema.BuiltinOperator.ARG_MAX else 1
        model.operatorCodes.append(made)
        code = len(model.operatorCodes) - 1
    operator = schema.OperatorT()
    operator.opcodeIndex = code
    operator.inputs, operator.outputs = np.array(inputs, np.int32), np.array([output], np.int32)
    return operator


def _tensor(graph: Any, model: Any, kind: int, shape: list[int], constant: bytes | None = None) -> int:  # noqa: ANN401
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.hasRank = b"useless", kind, True
    tensor.shape = np.array(shape, np.int32)
    tensor.buffer = 0
    if constant is not None:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(constant, np.uint8)
        model.buffers.append(buffer)
        tensor.buffer = len(model.buffers) - 1
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1
