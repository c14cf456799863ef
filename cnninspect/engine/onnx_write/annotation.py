"""What a graph viewer is to show of each node, and what gives the author's machine away.

Each node gets the path and class of its layer, its MACs and the parameters that it takes; the file
gets the reference, the settings, the versions and the totals.  The stack traces that torch's
exporter writes into every node, with paths of the machine, are taken out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from onnx import GraphProto, ModelProto, NodeProto

from cnninspect.costs import cost_of
from cnninspect.engine.onnx_read.graph_inputs import EXAMPLE
from cnninspect.engine.onnx_read.node_layers import LAYER, TYPE
from cnninspect.engine.onnx_read.protobuf import DTYPES, FLOATS
from cnninspect.engine.onnx_read.reading import within
from cnninspect.engine.onnx_write.axes import Feed
from cnninspect.engine.onnx_write.exporting import readable
from cnninspect.records.exports import ExportSettings
from cnninspect.records.operations import Call
from cnninspect.records.reports import installed_version
from cnninspect.records.traces import Trace

KEPT = (
    "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy",
    "pkg.torch.export.ExportedProgram.graph_signature", "pkg.onnxscript.rewriter.rule_name",
    "pkg.torch.export.graph_signature.InputSpec.kind",
)  # fmt: skip
"""Metadata of torch's exporter that say something of the network; the rest is about its code."""
PREFIX = "cnninspect."


def strip(model: ModelProto) -> None:
    """Take out what the exporter wrote of this machine and of its own inner workings.

    The shapes of stored weights go too, which stand with the weights themselves: tools that turn
    weights over, as quantisers do, leave that second statement as it was.
    """
    stored = {tensor.name for tensor in model.graph.initializer}
    infos = [info for info in model.graph.value_info if info.name not in stored]
    del model.graph.value_info[:]
    model.graph.value_info.extend(infos)
    model.doc_string = ""
    for graph in _graphs(model.graph):
        graph.doc_string = ""
        _keep(graph.metadata_props)
        for info in (*graph.input, *graph.output, *graph.value_info):
            info.doc_string = ""
            _keep(info.metadata_props)
        for tensor in graph.initializer:
            tensor.doc_string = ""
            _keep(tensor.metadata_props)
        for node in graph.node:
            _strip_node(node)
    for function in model.functions:
        function.doc_string = ""
        _keep(function.metadata_props)
        for node in function.node:
            _strip_node(node)


def annotate(model: ModelProto, calls: Sequence[Call], torch_trace: Trace) -> None:
    """Write into each node of the outermost graph which layer it is, and what it costs.

    `calls` are those of the model's own trace: one for each node but constants, in order, where
    there are no functions and no graphs within nodes; otherwise only the layer's path is known.
    """
    kinds = {layer.path: layer.type for layer in torch_trace.layers}
    sizes = {
        t.name: _numel(t.dims)
        for t in model.graph.initializer
        if DTYPES.get(t.data_type) in FLOATS and _numel(t.dims) > 1
    }
    nodes = [node for node in model.graph.node if node.op_type != "Constant"]
    if len(nodes) != len(calls):
        return
    for node, call in zip(nodes, calls):
        notes = {LAYER: call.layer}
        if call.layer in kinds:
            notes[TYPE] = kinds[call.layer]
        taken = sum(sizes[name] for name in dict.fromkeys(node.input) if name in sizes)
        notes[f"{PREFIX}parameters"] = str(taken)
        notes[f"{PREFIX}macs"] = str(cost_of(call.operation).cost.macs)
        _add(node.metadata_props, notes)


def describe(
    model: ModelProto, settings: ExportSettings, feed: Feed, totals: Mapping[str, int], *,
    reference: str, weights: str,
) -> None:  # fmt: skip
    """Write into the file what it is, how it was made and with which versions."""
    shapes = " ".join(
        f"{readable(name)}:{str(t.dtype).removeprefix('torch.')}:{'x'.join(map(str, t.shape))}"
        for name, t in zip(feed.names, feed.given.tensors())
    )
    notes = {
        f"{PREFIX}reference": reference,
        f"{PREFIX}version": installed_version("cnninspect") or "",
        f"{PREFIX}torch": installed_version("torch") or "",
        f"{PREFIX}onnx": installed_version("onnx") or "",
        f"{PREFIX}exporter": settings.exporter,
        EXAMPLE: shapes,
        f"{PREFIX}dtype": settings.dtype or "",
        f"{PREFIX}weights": weights,
        f"{PREFIX}dynamic": ",".join(settings.dynamic),
        **{f"{PREFIX}{name}": str(value) for name, value in totals.items()},
    }
    _add(model.metadata_props, {key: value for key, value in notes.items() if value})


def retell(model: ModelProto, notes: Mapping[str, object]) -> None:
    """Replace what the file says of itself by these of our notes."""
    new = {f"{PREFIX}{key}": str(value) for key, value in notes.items()}
    kept = {e.key: e.value for e in model.metadata_props if e.key.startswith(PREFIX)}
    del model.metadata_props[:]
    _add(model.metadata_props, {**kept, **new})


def _add(entries: Any, notes: Mapping[str, str]) -> None:
    for key, value in sorted(notes.items()):
        entry = entries.add()
        entry.key, entry.value = key, value


def _graphs(graph: GraphProto) -> Iterator[GraphProto]:
    yield graph
    for node in graph.node:
        for inner in within(node):
            yield from _graphs(inner)


def _strip_node(node: NodeProto) -> None:
    node.doc_string = ""
    _keep(node.metadata_props)


def _keep(entries: Any) -> None:
    """Leave only those metadata that are known to be harmless."""
    kept = {entry.key: entry.value for entry in entries if entry.key in KEPT}
    del entries[:]
    _add(entries, kept)


def _numel(dims: Sequence[int]) -> int:
    numel = 1
    for size in dims:
        numel *= size
    return numel
