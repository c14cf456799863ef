"""Makes an ONNX file of a network, proves it, and only then puts it into place."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto
from torch import nn

from cnninspect.costs import cost_of
from cnninspect.engine.ledger import Ledger
from cnninspect.engine.onnx_read.tracing import trace as trace_file
from cnninspect.engine.onnx_write.annotation import annotate, describe, strip
from cnninspect.engine.onnx_write.axes import Feed, at_least_two, open_axes
from cnninspect.engine.onnx_write.bisection import difference_inside, first_difference
from cnninspect.engine.onnx_write.exporting import EXPORTERS, exported, opset_of, readable
from cnninspect.engine.onnx_write.preparing import feed_for, network_for_real
from cnninspect.engine.onnx_write.verification import Runs, check_available, compare, reason_of
from cnninspect.engine.onnx_write.writing import (
    check_place,
    data_beside,
    put_into_place,
    sha256_of,
    workshop,
)
from cnninspect.engine.process_state import RUNS, RandomStates, set_apart
from cnninspect.engine.tracing import trace as trace_network
from cnninspect.errors import BadInput, ExportFailed, FileUnreadable, RunFailed, UnknownChoice
from cnninspect.records.export_report import ExportSettings, LayerMismatch, MadeFile, OpenSize
from cnninspect.records.models import GraphFile, InputRequest, LoadedModel, ModelInfo
from cnninspect.records.traces import Trace


def make_file(
    loaded: LoadedModel,
    path: Path,
    settings: ExportSettings,
    *,
    inputs: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
) -> MadeFile:
    """Write a network to an ONNX file, unless it turns out to do something else.

    Raises:
        FileExists, FileUnwritable: the file cannot be written.
        ExportFailed: the exporter cannot write such a network.
        MissingLibrary: the file is to be run and onnxruntime is not installed.
        BuildFailed, RunFailed, BadInput: as for a trace.
    """
    check_place(path, force=settings.force)
    if settings.exporter not in EXPORTERS:
        raise UnknownChoice("--exporter", settings.exporter, EXPORTERS)
    if settings.verify:
        check_available()
    network = trace_network(loaded, inputs, kwargs=kwargs, batch=settings.batch)
    with RUNS, Ledger() as ledger, ledger, workshop(path) as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the network's code, which the person may not know
        set_apart(ledger, traces=False)
        RandomStates(ledger)
        module = network_for_real(ledger, loaded, settings, network)
        feed = feed_for(module, loaded, inputs, kwargs=kwargs, settings=settings)
        axes = open_axes(feed, settings.dynamic, module)
        feed = at_least_two(Feed(feed.given, feed.names, feed.batch_axes, axes))
        graph, model = _write(folder / path.name, module, feed, network, loaded, settings)
        _check(folder / path.name, loaded.info.reference)
        runs = Runs(not_verified="--no-verify was given")
        if settings.verify:
            runs = compare(folder / path.name, module, feed, seed=settings.seed)
        mismatch = _look_inside(folder / path.name, module, feed, runs)
        facts = _facts(folder, path)
        if runs.wrong is None:
            put_into_place(folder, path, force=settings.force)
    return MadeFile(
        network=network,
        graph=graph,
        opset=opset_of(model),
        ir_version=model.ir_version,
        open_sizes=_open_sizes(model),
        verification=tuple(runs.verification),
        not_verified=runs.not_verified,
        mismatch=mismatch,
        zeros=tuple(name for name, tensor in module.named_parameters() if not tensor.any()),
        notes=(*loaded.notes, *feed.given.notes, *runs.notes),
        **facts,
    )


def _write(
    path: Path, module: nn.Module, feed: Feed, network: Trace, loaded: LoadedModel,
    settings: ExportSettings,
) -> tuple[Trace, ModelProto]:  # fmt: skip
    """Make the file; returns what it does and what it is."""
    outputs = [tensor.name for tensor in network.outputs]
    reference = loaded.info.reference
    model = exported(
        module, feed, path.parent, name=path.name, settings=settings, outputs=outputs,
        model=reference,
    )  # fmt: skip
    if not settings.keep_traces:
        strip(model)
    _save(model, path)
    graph = _followed(path, network)
    annotate(model, graph.calls, network)
    describe(model, settings, feed, _totals(graph), reference=reference)
    _save(model, path)
    return _followed(path, network), model


def _save(model: ModelProto, path: Path) -> None:
    path.write_bytes(model.SerializeToString(deterministic=True))


def _followed(path: Path, network: Trace) -> Trace:
    """The file read back, with the input that the network was traced with.

    Raises:
        ExportFailed: its graph makes no sense.
    """
    info = ModelInfo(path.name, "onnx", path.name)
    requests = [
        InputRequest(tensor.spec.shape, name=readable(tensor.name)) for tensor in network.inputs
    ]
    try:
        return trace_file(GraphFile(info, path), requests)
    except (FileUnreadable, RunFailed, BadInput) as problem:
        raise ExportFailed(
            network.model.reference,
            f"the exporter wrote what does not fit together: {problem}",
            hint="another --opset may do, or --exporter torchscript",
        ) from problem


def _totals(graph: Trace) -> dict[str, int]:
    parameters = [
        p.spec.numel for layer in graph.layers for p in layer.parameters if p.shared_with is None
    ]
    macs = sum(cost_of(call.operation).cost.macs for call in graph.calls)
    return {"parameters": sum(parameters), "macs": macs}


def _check(path: Path, reference: str) -> None:
    """See that the file is ONNX by ONNX's own checker, shapes and types included.

    Raises:
        ExportFailed: it is not.
    """
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as problem:  # the checker's and the inference's errors have no common base
        raise ExportFailed(
            reference, f"ONNX's checker does not take the file: {reason_of(problem)}"
        ) from problem


def _open_sizes(model: ModelProto) -> tuple[OpenSize, ...]:
    return tuple(
        OpenSize(dim.dim_param, info.name, i)
        for info in (*model.graph.input, *model.graph.output)
        for i, dim in enumerate(info.type.tensor_type.shape.dim)
        if dim.dim_param
    )


def _look_inside(path: Path, module: nn.Module, feed: Feed, runs: Runs) -> LayerMismatch | None:
    """The first layer that differs, looked for where the outputs differ or say little."""
    if runs.wrong is not None:
        return first_difference(path, module, feed, runs.wrong)
    if runs.hardly_depends is None:
        return None
    compared, mismatch = difference_inside(path, module, feed, runs.hardly_depends)
    runs.notes.append(
        "with these weights the outputs hardly depend on the inputs: "
        f"inside, {compared} of its layers were compared as well"
    )
    if mismatch is not None:
        runs.wrong = runs.hardly_depends
    return mismatch


def _facts(folder: Path, path: Path) -> dict[str, Any]:
    file, data = folder / path.name, folder / data_beside(path).name
    return {
        "sha256": sha256_of(file),
        "bytes": file.stat().st_size,
        "data_bytes": data.stat().st_size if data.exists() else 0,
    }
