"""Traces an ONNX file: its graph followed, layer by layer, without torch and without weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from onnx import ModelProto

from cnninspect.engine.onnx_read.control_flow import HANDLERS, enter_function
from cnninspect.engine.onnx_read.errors import Malformed, NodeFails
from cnninspect.engine.onnx_read.graph_inputs import Sizes, asked_for, choose, formals_of
from cnninspect.engine.onnx_read.graph_walk import Walk
from cnninspect.engine.onnx_read.layers import layers_of
from cnninspect.engine.onnx_read.node_layers import kind_of, names_are_paths, place_of
from cnninspect.engine.onnx_read.reading import STANDARD, read
from cnninspect.engine.onnx_read.scope import Frame
from cnninspect.engine.onnx_read.stored_values import StoredValues
from cnninspect.engine.onnx_read.values import Value
from cnninspect.errors import BadOption, FileUnreadable, RunFailed, ShapeMismatch
from cnninspect.records.models import GraphFile
from cnninspect.records.operations import NamedTensor
from cnninspect.records.traces import HowTraced, Trace


def trace(
    file: GraphFile,
    inputs: Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
) -> Trace:
    """Follow the graph in a file with inputs of these shapes.

    `inputs` go to the graph's inputs in their order, or by name if they are a dictionary, those of
    `kwargs` by name: requests, values, shapes, or whatever has a shape and a dtype.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it is not what it should be.
        BadInput: the file takes no such input, or nothing tells the size of one.
        ShapeMismatch: a node does not take the sizes that were asked for.
        BadOption: it should run as in training.
    """
    if mode != "eval":
        raise BadOption("--mode", mode, "eval for a graph in a file, which runs as it was exported")
    asked = asked_for(inputs, kwargs or {})
    try:
        model, notes = read(file.path)
        file = replace(file, notes=(*file.notes, *notes))
        return _traced(file, model, asked, batch=batch)
    except NodeFails as problem:
        if not asked and not problem.assumed:
            raise FileUnreadable(file.path, str(problem)) from problem
        raise _misfit(problem) from problem
    except Malformed as problem:
        raise FileUnreadable(file.path, str(problem), problem.hint) from problem
    except UnicodeDecodeError as problem:
        raise FileUnreadable(file.path, "a name in it is not text") from problem


def _traced(file: GraphFile, model: ModelProto, asked: Sequence[Any], *, batch: int) -> Trace:
    graph = model.graph
    walk = Walk(model, HANDLERS, enter_function=enter_function, stored=StoredValues(file.path))
    formals = formals_of(graph)
    values, sizes = choose(formals, model, asked, batch=batch)
    walk.stated.symbols.update(sizes.symbols)
    frame = _frame(model)
    for i, (formal, value) in enumerate(zip(formals, values)):
        frame.bind(formal.name, replace(value, origin=-1 - i, is_data=True))
    try:
        outputs = walk.graph(graph, frame)
    except NodeFails as problem:
        problem.assumed = sizes.text()
        raise
    named = list(zip([output.name for output in graph.output], outputs))
    leaving = [value.origin for value in outputs if value.origin is not None]
    layers = layers_of(walk, graph, leaving)
    notes = (*file.notes, *_notes(model, walk, sizes, named))
    return Trace(
        model=file.info,
        inputs=_known(zip([formal.name for formal in formals], values)),
        outputs=_known(named),
        layers=layers,
        calls=tuple(step.call for step in walk.steps),
        how=HowTraced("file", "graph", notes),
        origins=tuple(leaving),
    )


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
    notes = [*walk.notes, *walk.stated.notes(), *sizes.notes]
    if sizes.assumed:
        notes.append(
            f"{sizes.text()} assumed for sizes that the file leaves open; --input sets them"
        )
    causes: dict[str, list[str]] = {}
    for name, value in outputs:
        if value.spec is None and value.items is None:
            causes.setdefault(value.cause, []).append(name)
    for cause, names in causes.items():
        because = f", because {cause}" if cause else ""
        notes.append(f"the shape of {_few(names)} is not known{because}")
    weights = walk.weights.by_name.values()
    leaving = {output.name for output in model.graph.output}
    unused = [w.name for w in weights if not w.uses and not w.is_made and w.name not in leaving]
    if unused:
        notes.append(f"stored tensors that no node that runs takes: {_few(unused)}")
    made = sum(w.spec.numel for w in weights if w.is_made and kind_of(w, {}, {}) == "parameter")
    if made:
        notes.append(f"{made:,} parameters are not stored but made by nodes, as in stripped files")
    if model.training_info:
        notes.append("its graphs for training are left aside")
    return notes


def _few(names: Sequence[str], shown: int = 3) -> str:
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return ", ".join(names[:shown]) + more


def _misfit(problem: NodeFails) -> RunFailed:
    """The error for inputs that were asked for or assumed, and that a node does not take."""
    hint = f"{problem.assumed} were assumed; --input sets them" if problem.assumed else ""
    if problem.op in ("Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN"):
        return ShapeMismatch(
            layer=problem.layer, layer_type=problem.op, got=problem.got,
            wanted=f"other sizes ({str(problem).partition(': ')[2]})", hint=hint,
        )  # fmt: skip
    return RunFailed(str(problem), layer=problem.layer, layer_type=problem.op, hint=hint)
