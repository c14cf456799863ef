"""Traces an ONNX file: its graph followed, layer by layer, without torch and without weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from onnx import GraphProto, ModelProto

from cnninspect.engine.onnx_read.errors import Malformed, NodeFails
from cnninspect.engine.onnx_read.graph_inputs import Sizes, choose, formals_of
from cnninspect.engine.onnx_read.graph_walk import Walk
from cnninspect.engine.onnx_read.layers import layers_of
from cnninspect.engine.onnx_read.node_layers import names_are_paths, place_of
from cnninspect.engine.onnx_read.reading import STANDARD, read
from cnninspect.engine.onnx_read.scope import Frame
from cnninspect.engine.onnx_read.values import Value
from cnninspect.errors import BadInput, BadOption, FileUnreadable, RunFailed, ShapeMismatch
from cnninspect.records.models import GraphFile, InputRequest
from cnninspect.records.tensors import NamedTensor
from cnninspect.records.traces import HowTraced, Trace


def trace(
    file: GraphFile,
    inputs: Sequence[Any] | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
) -> Trace:
    """Follow the graph in a file with inputs of these shapes.

    `inputs` go to the graph's inputs in their order, those of `kwargs` by name: requests, or
    whatever has a shape and a dtype.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it is not what it should be.
        BadInput: the file takes no such input, or nothing tells the size of one.
        ShapeMismatch: a node does not take the sizes that were asked for.
        BadOption: it should run as in training.
    """
    if mode != "eval":
        raise BadOption("--mode", mode, "eval for a graph in a file, which runs as it was exported")
    asked = [*(inputs or ()), *_by_name(kwargs or {})]
    try:
        model = read(file.path)
        return _traced(file, model, asked, batch=batch)
    except NodeFails as problem:
        if not asked:
            raise FileUnreadable(file.path, str(problem)) from problem
        raise _misfit(problem) from problem
    except Malformed as problem:
        raise FileUnreadable(file.path, str(problem), problem.hint) from problem
    except UnicodeDecodeError as problem:
        raise FileUnreadable(file.path, "a name in it is not text") from problem


def _traced(file: GraphFile, model: ModelProto, asked: Sequence[Any], *, batch: int) -> Trace:
    graph, walk = model.graph, Walk(model)
    formals = formals_of(graph)
    values, sizes = choose(formals, model, asked, batch=batch)
    frame = _frame(model)
    for i, (formal, value) in enumerate(zip(formals, values)):
        frame.bind(formal.name, replace(value, origin=-1 - i, is_data=True))
    outputs = walk.graph(graph, frame)
    named = list(zip([output.name for output in graph.output], outputs))
    leaving = [value.origin for value in outputs if value.origin is not None]
    return Trace(
        model=file.info,
        inputs=_known(zip([formal.name for formal in formals], values)),
        outputs=_known(named),
        layers=layers_of(walk, graph, leaving),
        calls=tuple(step.call for step in walk.steps),
        how=HowTraced("file", "graph", (*file.notes, *_notes(model, walk, sizes, named))),
        origins=tuple(leaving),
    )


def _by_name(kwargs: Mapping[str, Any]) -> list[InputRequest]:
    found = []
    for name, value in kwargs.items():
        shape = getattr(value, "shape", value)
        if not isinstance(shape, Sequence):
            raise BadInput(name, "an ONNX file takes tensors, or their shapes")
        dtype = str(getattr(value, "dtype", "")).rpartition(".")[2] or None
        found.append(InputRequest(tuple(shape), dtype, name))
    return found


def _frame(model: ModelProto) -> Frame:
    """The outermost frame, and what tells of layers in it."""
    graph = model.graph
    opsets = {o.domain if o.domain not in STANDARD else "": o.version for o in model.opset_import}
    by_names = names_are_paths(graph.node)
    held = {tensor.name for tensor in graph.initializer}
    is_told = any(
        place_of(node, [n for n in node.input if n in held], by_names=by_names) is not None
        for node in graph.node
    )
    return Frame(opsets or {"": 1}, by_names=by_names, is_told=is_told or bool(model.functions))


def _known(named: Any) -> tuple[NamedTensor, ...]:
    pairs: list[tuple[str, Value]] = list(named)
    return tuple(NamedTensor(name, v.spec) for name, v in pairs if v.spec is not None)


def _notes(
    model: ModelProto,
    walk: Walk,
    sizes: Sizes,
    outputs: Sequence[tuple[str, Value]],
) -> list[str]:
    notes = list(walk.notes)
    if sizes.assumed:
        chosen = ", ".join(f"{name}={size}" for name, size in sizes.assumed.items())
        notes.append(f"{chosen} assumed for sizes that the file leaves open; --input sets them")
    unknown = [name for name, value in outputs if value.spec is None]
    if unknown:
        notes.append(f"the shape of {', '.join(unknown)} depends on data")
    unused = [weight.name for weight in walk.weights.values() if not weight.uses]
    leaving = {output.name for output in model.graph.output}
    unused = [name for name in unused if name not in leaving]
    if unused:
        notes.append(f"stored tensors that no node takes: {_few(unused)}")
    if model.training_info:
        notes.append("its graphs for training are left aside")
    return notes


def _few(names: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _misfit(problem: NodeFails) -> RunFailed:
    """The error for inputs that were asked for and that a node does not take."""
    if problem.op in ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN"):
        return ShapeMismatch(
            layer=problem.layer, layer_type=problem.op, got=problem.got,
            wanted=f"other sizes ({str(problem).partition(': ')[2]})",
        )  # fmt: skip
    return RunFailed(str(problem), layer=problem.layer, layer_type=problem.op)


def root_type(graph: GraphProto) -> str:
    """What the model itself is called where no class is known."""
    return graph.name or "Graph"
