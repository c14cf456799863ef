"""Turns the weights of a file into integers of 8 bits, by onnxruntime's own quantiser.

The quantiser looks for weights among what the file stores, so constants are folded first, by
onnxruntime too: the gates of a recurrent layer are put in order by nodes of the graph until then.
Nodes keep their names through both steps, or begin with them, which says what became of a layer.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from cnninspect.engine.onnx_read.node_layers import LAYER, TYPE
from cnninspect.engine.onnx_read.protobuf import DTYPES, FLOATS
from cnninspect.engine.onnx_write.exporting import quiet
from cnninspect.engine.onnx_write.verification import QUIET, reason_of, runtime
from cnninspect.engine.onnx_write.writing import PREFIX
from cnninspect.errors import ExportFailed
from cnninspect.records.exports import QuantizedLayer

INTEGERS = (TensorProto.INT8, TensorProto.UINT8, TensorProto.INT4, TensorProto.UINT4)
DEQUANTIZING = "DequantizeLinear"
NO_RULE = "onnxruntime's {method} quantiser has no rule for {operator}"
NOT_STORED = "its weights are worked out while the file runs"
NO_WEIGHT = "both of its factors are activations, which the dynamic quantiser leaves alone"


@dataclass(frozen=True, slots=True)
class Sample:
    """What the quantiser is shown to find the ranges of activations."""

    names: tuple[str, ...]
    batches: tuple[tuple[Any, ...], ...]
    """NumPy arrays by name, batch by batch."""


def quantize(source: Path, target: Path, sample: Sample | None, *, model: str) -> None:
    """Write `source` with integer weights to `target`; static where there is a sample.

    Raises:
        ExportFailed: onnxruntime's quantiser cannot.
    """
    log = io.StringIO()
    was_disabled = logging.root.manager.disable
    try:
        with quiet(log):
            logging.disable(logging.CRITICAL)  # it advises to fold constants, which was done
            folded = fold_constants(source, target.with_name(f"folded-{target.name}"))
            _run(folded, target, sample)
    except Exception as problem:  # the quantiser's errors have no common base
        raise ExportFailed(
            model, f"onnxruntime's quantiser fails: {reason_of(problem)}", log=log.getvalue()
        ) from problem
    finally:
        logging.disable(was_disabled)


def fold_constants(source: Path, target: Path) -> Path:
    """The file with what depends on constants alone worked out, and weights without value_info.

    A file whose weights lie beside it stays as it is.
    """
    if _has_weights_beside(source):
        return source
    ort = runtime()
    options = ort.SessionOptions()
    options.log_severity_level = QUIET
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    model = onnx.load(target)
    stored = {tensor.name for tensor in model.graph.initializer}
    # The quantiser turns some weights over and leaves their shape in value_info as it was.
    infos = [info for info in model.graph.value_info if info.name not in stored]
    del model.graph.value_info[:]
    model.graph.value_info.extend(infos)
    onnx.save(model, target)
    return target


def _has_weights_beside(path: Path) -> bool:
    model = onnx.load(path, load_external_data=False)
    return any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer)


def _run(source: Path, target: Path, sample: Sample | None) -> None:
    from onnxruntime import quantization  # noqa: PLC0415 - an extra

    beside = _has_weights_beside(source)
    if sample is None:
        quantization.quantize_dynamic(
            source, target, weight_type=quantization.QuantType.QInt8,
            use_external_data_format=beside,
        )  # fmt: skip
        return

    class Reader(quantization.CalibrationDataReader):
        def __init__(self, batches: Iterable[tuple[Any, ...]], names: Sequence[str]) -> None:
            self._left = iter(batches)
            self._names = names

        def get_next(self) -> dict[str, Any] | None:
            batch = next(self._left, None)
            return None if batch is None else dict(zip(self._names, batch))

    quantization.quantize_static(
        source, target, Reader(sample.batches, sample.names),
        quant_format=quantization.QuantFormat.QDQ, per_channel=True,
        activation_type=quantization.QuantType.QInt8, weight_type=quantization.QuantType.QInt8,
        use_external_data_format=beside,
    )  # fmt: skip


# --- which layer is what -----------------------------------------------------------------------


def layers_of(before: ModelProto, after: ModelProto, *, method: str) -> tuple[QuantizedLayer, ...]:
    """What became of each node of the annotated file that takes weights or multiplies."""
    graph = _Quantized(after)
    weights = _weights(before.graph)
    sizes = {
        tensor.name: math.prod(tensor.dims)
        for tensor in before.graph.initializer
        if DTYPES.get(tensor.data_type) in FLOATS and math.prod(tensor.dims) > 1
    }
    found = []
    for node in before.graph.node:
        if all(name in weights for name in node.input if name):
            continue  # worked out beforehand
        notes = {entry.key: entry.value for entry in node.metadata_props}
        taken = {name for value in node.input for name in weights.get(value, ()) if name in sizes}
        macs, parameters = int(notes.get(f"{PREFIX}macs", 0)), sum(sizes[n] for n in taken)
        if not macs and not parameters:
            continue
        is_int8 = graph.is_int8(node)
        reason = "" if is_int8 else _reason(node, weights, method)
        found.append(QuantizedLayer(
            notes.get(LAYER, ""), notes.get(TYPE, ""), node.op_type, macs, parameters, is_int8,
            reason,
        ))  # fmt: skip
    return tuple(found)


def _reason(node: NodeProto, constant: Collection[str], method: str) -> str:
    """Why the quantiser left a node alone, by its own rules; empty where they do not tell."""
    if node.op_type not in _rules(method):
        return NO_RULE.format(method=method, operator=node.op_type)
    if method == "dynamic" and node.op_type in ("MatMul", "Gemm"):
        if node.input[1] not in constant:
            return NO_WEIGHT
    elif not any(name in constant for name in node.input[1:]):
        return NOT_STORED
    return ""


def _rules(method: str) -> Collection[str]:
    """The operators that the quantiser knows; a Gemm without transposition becomes a MatMul."""
    from onnxruntime.quantization import registry  # noqa: PLC0415 - an extra

    if method == "dynamic":
        return {*registry.IntegerOpsRegistry, "Gemm"}
    return {*registry.QDQRegistry, *registry.QLinearOpsRegistry}


def _weights(graph: GraphProto) -> dict[str, frozenset[str]]:
    """By each value that depends on stored tensors alone: those tensors."""
    found = {tensor.name: frozenset({tensor.name}) for tensor in graph.initializer}
    for node in graph.node:
        if all(name in found for name in node.input if name):
            sources = frozenset(s for name in node.input if name for s in found[name])
            found.update(dict.fromkeys(node.output, sources))
    return found


class _Quantized:
    """The file afterwards: its nodes by the name that they, or what they were made of, had."""

    def __init__(self, model: ModelProto) -> None:
        self._integers = {
            tensor.name for tensor in model.graph.initializer if tensor.data_type in INTEGERS
        }
        self._restored = {
            node.output[0] for node in model.graph.node if node.op_type == DEQUANTIZING
        }
        self._by_name: dict[str, list[NodeProto]] = {}
        for node in model.graph.node:
            for name in beginnings(node.name):
                self._by_name.setdefault(name, []).append(node)

    def is_int8(self, node: NodeProto) -> bool:
        """Whether a weight of the node, or both of its factors, are integers now."""
        return any(map(self._takes_integers, self._by_name.get(node.name, ())))

    def _takes_integers(self, node: NodeProto) -> bool:
        taken = [name for name in node.input if name]
        if node.op_type in (DEQUANTIZING, "QuantizeLinear", "DynamicQuantizeLinear"):
            return False
        return any(name in self._integers for name in taken[:3]) or (
            len(taken) > 1 and all(name in self._restored for name in taken[:2])
        )


def beginnings(name: str) -> Iterator[str]:
    """The name and what comes before each of its `_` and `/`: a new node's begins with the old."""
    yield name
    for i, sign in enumerate(name):
        if sign in "_/" and i:
            yield name[:i]


def carry_notes(before: ModelProto, after: ModelProto) -> None:
    """Write into each node of the new file the layer of the node that it was made of."""
    notes: dict[str, Mapping[str, str]] = {}
    for node in before.graph.node:
        kept = {e.key: e.value for e in node.metadata_props if e.key in (LAYER, TYPE)}
        for name in (node.name, *node.output):
            notes.setdefault(name, kept)
        for name in node.input:  # scales of a weight stand with the layer that takes it
            notes.setdefault(name, kept)
    for node in after.graph.node:
        del node.metadata_props[:]
        names = sorted(beginnings(node.name), key=len, reverse=True)
        for key, value in next((notes[name] for name in names if name in notes), {}).items():
            entry = node.metadata_props.add()
            entry.key, entry.value = key, value
