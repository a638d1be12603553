"""The first layer of an int8 model, rewritten so that it costs a quarter: the same integers, another order.

A convolution over one channel feeds the integer kernels of every processor badly: they multiply 4, 8 or 64 channels at
a time, and all but one of them are padding. With a stride of 2 the 2 x 2 samples that share a step of the grid can be
the channels instead (space to depth), and the kernel has a quarter of the taps with four channels each. Sums are of the
same products, so the outputs are the same integers. Measured on the shipped encoder: docs/speed.md.
"""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

BLOCK = 2
_IDENTIFIER = b"TFL3"


def fold_stem(content: bytes) -> bytes:
    """Rewrite the first convolution of a model, if it can be.

    Args:
        content: An int8 `.tflite` file that this system's converter made.

    Returns:
        A model of the same inputs, outputs and results; the same bytes where its first layer is of another kind: only
        an int8 convolution of stride 2 over one channel is rewritten, "same" padded, with sides of 2, 6 or 10.
    """
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    if not _foldable(model, graph):
        return content
    convolution = graph.operators[0]
    source, kernel = graph.tensors[convolution.inputs[0]], graph.tensors[convolution.inputs[1]]
    _fold_kernel(model.buffers[kernel.buffer], kernel)
    graph.tensors.append(_folded_input(source))
    folded = len(graph.tensors) - 1
    graph.operators.insert(0, _space_to_depth(model, int(convolution.inputs[0]), folded))
    convolution.inputs = np.array([folded, *convolution.inputs[1:]], np.int32)
    convolution.builtinOptions.strideH = convolution.builtinOptions.strideW = 1
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _foldable(model: Any, graph: Any) -> bool:  # noqa: ANN401  # generated classes without types
    first = graph.operators[0]
    if model.operatorCodes[first.opcodeIndex].builtinCode != schema.BuiltinOperator.CONV_2D:
        return False
    source, kernel = graph.tensors[first.inputs[0]], graph.tensors[first.inputs[1]]
    options = first.builtinOptions
    readers = [op for op in graph.operators if int(first.inputs[0]) in [int(i) for i in op.inputs]]
    return bool(
        source.type == kernel.type == schema.TensorType.INT8
        and source.shape[3] == 1
        and options.padding == schema.Padding.SAME
        and options.strideH == options.strideW == BLOCK
        and options.dilationHFactor == options.dilationWFactor == 1
        and all(int(side) % BLOCK == 0 for side in source.shape[1:3])
        # "same" pads (side - 2) / 2 rows before the first: whole blocks of them, or the grids would not meet
        and all(int(side) % 4 == BLOCK for side in kernel.shape[1:3])
        and len(readers) == 1
    )


def _fold_kernel(buffer: Any, kernel: Any) -> None:  # noqa: ANN401
    filters, height, width, _ = (int(size) for size in kernel.shape)
    taps = np.asarray(buffer.data, np.uint8).reshape(filters, height // BLOCK, BLOCK, width // BLOCK, BLOCK)
    buffer.data = np.ascontiguousarray(taps.transpose(0, 1, 3, 2, 4)).ravel()
    kernel.shape = np.array([filters, height // BLOCK, width // BLOCK, BLOCK * BLOCK], np.int32)


def _folded_input(source: Any) -> Any:  # noqa: ANN401
    tensor = schema.TensorT()
    tensor.name = b"stem_input"
    tensor.type, tensor.quantization, tensor.hasRank = source.type, source.quantization, source.hasRank
    tensor.buffer = 0  # by definition the empty one: an activation
    sides = [int(source.shape[1]) // BLOCK, int(source.shape[2]) // BLOCK, BLOCK * BLOCK]
    tensor.shape = np.array([source.shape[0], *sides], np.int32)
    if source.shapeSignature is not None:
        tensor.shapeSignature = np.array([source.shapeSignature[0], *sides], np.int32)
    return tensor


def _space_to_depth(model: Any, source: int, target: int) -> Any:  # noqa: ANN401
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SPACE_TO_DEPTH
    code.version = 1
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = np.array([source], np.int32), np.array([target], np.int32)
    operator.builtinOptionsType = schema.BuiltinOptions.SpaceToDepthOptions
    operator.builtinOptions = schema.SpaceToDepthOptionsT()
    operator.builtinOptions.blockSize = BLOCK
    return operator
