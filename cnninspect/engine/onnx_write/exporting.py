"""torch's exporters, kept quiet: what they print is put into the error where they fail."""

from __future__ import annotations

import io
import logging
import os
import re
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import GraphProto, ModelProto
from torch import nn

from cnninspect.engine.onnx_read.reading import within
from cnninspect.engine.onnx_write.axes import Feed
from cnninspect.engine.onnx_write.recurrence import has_projections, whole_layers
from cnninspect.errors import BadOption, CnnInspectError, ExportFailed, MissingLibrary, first_line
from cnninspect.records.exports import ExportSettings

EXPORTERS = ("dynamo", "torchscript")
"""torch's own, and the older one, which writes down one run and so fixes what depends on data."""
TALKATIVE = ("torch", "onnxscript", "onnx_ir")
"""Packages whose warnings are for their own developers."""
FIRST_FOR = {"bfloat16": 22}
"""The opset from which on all operators take a dtype."""
OPSETS = range(7, 100)
"""What may be asked for; the exporter says which it can."""
MOST_BYTES = 2**31 - 2**24
"""What one file may hold, with some room for what is added to it."""
DATA_SUFFIX = ".data"
REPLACED = re.compile(r"[^0-9A-Za-z_]+")
CONTROL_FLOW = re.compile(
    r"data-dependent|GuardOnDataDependent|dynamic control flow|Could not guard|unbacked", re.I
)
UNKNOWN = re.compile(
    r"No ONNX function found for <OpOverload\(op='([^']+)'"
    r"|Exporting the operator '([^']+)' to ONNX|Unsupported: ONNX export of operator ([^,.]+)"
)
NO_WAY = "such a network cannot be written as ONNX"
FIXED = re.compile(r"specialized|Constraints violated|marked .* as dynamic", re.I)
COLORS = re.compile(r"\x1b\[[0-9;]*m")


def exported(
    module: nn.Module, feed: Feed, folder: Path, *, name: str, settings: ExportSettings,
    outputs: Sequence[str], model: str,
) -> ModelProto:  # fmt: skip
    """The network as an ONNX model; weights too large for one file lie in `folder/name.data`.

    Raises:
        ExportFailed: the exporter cannot, or not with sizes left open.
        MissingLibrary: onnxscript is not installed.
    """
    if settings.opset is not None and settings.opset not in OPSETS:
        raise BadOption("--opset", settings.opset, "18 or more for most networks")
    if has_projections(module):
        raise ExportFailed(model, "ONNX's LSTM has no projections (proj_size)", hint=NO_WAY)
    log = io.StringIO()
    try:
        with quiet(log):
            if settings.exporter == "torchscript":
                made = _by_torchscript(module, feed, settings, outputs)
            else:
                made = _by_dynamo(module, feed, folder / name, settings, outputs)
    except CnnInspectError:
        raise
    except ModuleNotFoundError as problem:
        raise MissingLibrary(problem.name or "onnxscript", "all", "an export") from problem
    except Exception as problem:  # whatever torch's exporters raise
        raise _failure(problem, log, model, feed, settings) from problem
    name_outputs(made, list(map(readable, outputs)))
    _check_open(made, feed, model, log)
    _check_opset(made, model, settings, log)
    return made


@contextmanager
def quiet(log: io.StringIO) -> Iterator[None]:
    """Let nothing be printed, warned of or logged, but into `log`."""
    top = [logging.getLogger(name) for name in TALKATIVE]
    # torch gives many of the loggers under its own a handler each.
    below = [
        logger
        for name, logger in logging.root.manager.loggerDict.items()
        if isinstance(logger, logging.Logger) and name.startswith(tuple(f"{t}." for t in TALKATIVE))
    ]
    kept = [(logger, logger.handlers[:], logger.propagate) for logger in (*top, *below)]
    for logger in (*top, *below):
        logger.handlers[:] = [logging.StreamHandler(log)] if logger in top else []
        logger.propagate = logger in below
    try:
        with redirect_stdout(log), redirect_stderr(log), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, handlers, propagate in kept:
            logger.handlers[:] = handlers
            logger.propagate = propagate


def _by_dynamo(
    module: nn.Module, feed: Feed, path: Path, settings: ExportSettings, outputs: Sequence[str]
) -> ModelProto:
    shapes = feed.shapes_for(torch.export.Dim) if feed.open_axes else None
    with torch.no_grad(), whole_layers() as translations:
        program = torch.onnx.export(
            module,
            feed.given.args,
            kwargs=feed.given.kwargs or None,
            dynamo=True,
            verbose=False,
            opset_version=settings.opset or FIRST_FOR.get(settings.dtype or ""),
            dynamic_shapes=shapes,
            input_names=list(map(readable, feed.names)),
            output_names=_placeholders(outputs),
            custom_translation_table=translations,
        )
    assert program is not None
    size = sum(value.nbytes for value in _stored(program.model))
    if size < MOST_BYTES:
        return program.model_proto
    program.save(str(path), external_data=True)
    return onnx.load(path, load_external_data=False)


def _stored(model: Any) -> list[Any]:
    return [v.const_value for v in model.graph.initializers.values() if v.const_value is not None]


def _by_torchscript(
    module: nn.Module, feed: Feed, settings: ExportSettings, outputs: Sequence[str]
) -> ModelProto:
    axes: dict[str, dict[int, str]] = {}
    for axis in feed.open_axes:
        axes.setdefault(readable(feed.names[axis.tensor]), {})[axis.axis] = axis.name
    args: tuple[Any, ...] = feed.given.args
    if feed.given.kwargs:
        args = (*args, dict(feed.given.kwargs))
    content = io.BytesIO()
    with torch.no_grad(), _silent_descriptor():
        torch.onnx.export(
            module,
            args,
            content,  # type: ignore[arg-type]
            dynamo=False,
            opset_version=settings.opset,
            dynamic_axes=axes or None,
            input_names=list(map(readable, feed.names)),
            output_names=_placeholders(outputs),
        )
    return ModelProto.FromString(content.getvalue())


@contextmanager
def _silent_descriptor() -> Iterator[None]:
    """Let nothing reach the process's standard output: C++ prints the whole graph where it fails,
    past Python's `sys.stdout`.
    """
    try:
        kept = os.dup(1)
    except OSError:  # it is closed
        yield
        return
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def readable(name: str) -> str:
    """A name that is plain in any tool: `logits`, `output_0`, `past_key_values_0_1`."""
    plain = REPLACED.sub("_", name).strip("_")
    return f"output_{plain}" if not plain or plain[0].isdigit() else plain


PLACEHOLDER = "cnninspect_output_{}"
"""What outputs are called while the exporter works: no network's own names are like that."""


def _placeholders(outputs: Sequence[str]) -> list[str]:
    return [PLACEHOLDER.format(i) for i in range(len(outputs))]


def name_outputs(model: ModelProto, wanted: Sequence[str]) -> None:
    """Give the outputs their names, and another one to whatever within has such a name already.

    An output that is called like an input or a stored weight becomes `NAME_output`, since those
    are what a user of the file looks for.
    """
    graph = model.graph
    ends = [info.name for info in graph.output]
    kept = {info.name for info in graph.input} | {tensor.name for tensor in graph.initializer}
    taken = kept | {name for node in graph.node for name in node.output} | set(ends)
    renamed: dict[str, str] = {}
    for i, name in enumerate(wanted[: len(ends)]):
        if ends[i] != PLACEHOLDER.format(i):
            continue
        if name in kept or name in renamed.values():
            name = _free(f"{name}_output", taken)
        elif name in taken:
            renamed[name] = _free(f"{name}_inner", taken)
        renamed[ends[i]] = name
        taken |= set(renamed.values())
    _rename(graph, renamed)


def _free(name: str, taken: Collection[str]) -> str:
    number = 1
    free = name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _rename(graph: GraphProto, names: Mapping[str, str]) -> None:
    """Call values otherwise, in graphs within nodes too."""
    for info in (*graph.input, *graph.output, *graph.value_info):
        info.name = names.get(info.name, info.name)
    for node in graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(name, name) for name in ends]
        for inner in within(node):
            _rename(inner, names)


def _failure(
    problem: Exception, log: io.StringIO, model: str, feed: Feed, settings: ExportSettings
) -> ExportFailed:
    """What went wrong, in one sentence."""
    texts = [str(problem)]
    cause: BaseException | None = problem
    while cause is not None and len(texts) < 20:
        texts.append(str(cause))
        cause = cause.__cause__ or cause.__context__
    said = "\n".join(texts)
    unknown = UNKNOWN.search(said)
    if unknown:
        reason = f"torch's exporter knows no ONNX for {next(filter(None, unknown.groups()))}"
        hint = ""
    elif CONTROL_FLOW.search(said):
        reason = "its code decides by the values of tensors, which a graph cannot"
        hint = "--exporter torchscript writes down what happens for one random input, and fixes it"
    elif feed.open_axes and FIXED.search(said):
        names = ", ".join(dict.fromkeys(axis.name for axis in feed.open_axes))
        reason = f"its code fixes a size that --dynamic should leave open ({names})"
        hint = "leave some of them out of --dynamic"
    else:
        reason = _innermost(problem)
        hint = "--exporter torchscript may know it; --debug shows all that was said"
    return ExportFailed(
        model,
        reason,
        hint=hint if settings.exporter == "dynamo" else "",
        log=log.getvalue(),
    )


def _innermost(problem: Exception) -> str:
    """The first line of the innermost error, which is the one that says what is wrong."""
    innermost: BaseException = problem
    while innermost.__cause__ is not None:
        innermost = innermost.__cause__
    text = COLORS.sub("", first_line(innermost))
    return text if len(text) < 200 else f"{text[:200]}…"


def _check_open(made: ModelProto, feed: Feed, model: str, log: io.StringIO) -> None:
    """See that what should be open is.

    Raises:
        ExportFailed: the exporter fixed a size.
    """
    inputs = {info.name: info for info in made.graph.input}
    for axis in feed.open_axes:
        info = inputs.get(readable(feed.names[axis.tensor]))
        if info is None:
            continue
        dims = info.type.tensor_type.shape.dim
        if axis.axis < len(dims) and dims[axis.axis].HasField("dim_value"):
            raise ExportFailed(
                model,
                f"its code fixes {axis.name} at {dims[axis.axis].dim_value}, "
                "which --dynamic should leave open",
                hint=f"leave {axis.name} out of --dynamic",
                log=log.getvalue(),
            )


def _check_opset(made: ModelProto, model: str, settings: ExportSettings, log: io.StringIO) -> None:
    found = opset_of(made)
    if settings.opset is not None and found != settings.opset:
        raise ExportFailed(
            model,
            f"the exporter wrote opset {found}, since it cannot express it in {settings.opset}",
            hint=f"--opset {found} can be written",
            log=log.getvalue(),
        )


def opset_of(model: ModelProto) -> int:
    """Version of ONNX's own operators."""
    return next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 1)
