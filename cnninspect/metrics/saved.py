"""Reports that `summary --format json` wrote, as models of comparisons and gates.

The file is read as data: its schema and every value are checked, and nothing in it is run.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, replace
from typing import Any, TypeGuard

from cnninspect.errors import BadOption, FileUnreadable
from cnninspect.files import read_text
from cnninspect.metrics.figures import Figures, figures_in
from cnninspect.metrics.summary import Summary
from cnninspect.records.models import InputRequest, ModelInfo
from cnninspect.records.operations import NamedTensor, TensorSpec
from cnninspect.records.reports import rebuilt
from cnninspect.records.traces import HowTraced, Layer, Trace

SUFFIX, SHARDED = ".json", ".index.json"
AGAIN = "cnninspect summary MODEL --format json -o saved.json writes one"
UNNAMED = re.compile(r"input\d+")
"""What inputs are called for which `forward` has no name."""


@dataclass(frozen=True, slots=True)
class SavedReport:
    """A summary that was saved, with what can be told from it alone."""

    summary: Summary
    figures: Figures
    network: Trace
    """Its layers with their parameters, and no calls: how it computes is not saved."""


def is_saved_report(model: object) -> TypeGuard[str | os.PathLike[str]]:
    """Whether a reference is the name of a JSON file, which no scheme says to be something else."""
    if not isinstance(model, (str, os.PathLike)):
        return False
    name = os.path.basename(os.fspath(model)).lower()
    return name.endswith(SUFFIX) and not name.endswith(SHARDED) and ":" not in name


def read_report(model: str | os.PathLike[str]) -> SavedReport:
    """The report in a file.

    Raises:
        FileMissing: there is no such file.
        FileUnreadable: it is no report of a network, damaged, or not whole.
    """
    path = os.fspath(model)
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as problem:
        raise FileUnreadable(path, f"it is not JSON: {problem}", AGAIN) from problem
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != Summary.schema:
        held = f"it says {schema!r}" if schema else "it says none"
        hint = AGAIN if schema else f"{AGAIN}; a configuration of transformers is hf:{path}"
        raise FileUnreadable(path, f"it is no {Summary.schema}: {held}", hint)
    try:
        summary: Summary = rebuilt(Summary, content)
    except (TypeError, KeyError, ValueError, AttributeError, RecursionError) as problem:
        raise FileUnreadable(path, f"it is damaged: {problem}", AGAIN) from problem
    _check_whole(path, summary)
    version = content.get("cnninspect") if isinstance(content.get("cnninspect"), str) else "?"
    note = f"saved of {summary.model.reference} by cnninspect {version}"
    summary = replace(
        summary,
        model=ModelInfo(path, "report", path),
        engine=replace(summary.engine, notes=(*summary.engine.notes, note)),
    )
    return SavedReport(summary, figures_in(summary), _network(summary))


def _check_whole(path: str, summary: Summary) -> None:
    """See that nothing is left out that sums are made of.

    Raises:
        FileUnreadable: layers are missing, or what only a whole network has.
    """
    layers = len(summary.layers)
    if layers != summary.totals.layers + 1:
        problem = f"it holds {layers:,} of {summary.totals.layers + 1:,} layers"
        raise FileUnreadable(path, problem, "save it without --level, --top and --sort")
    if summary.whole is None:
        raise FileUnreadable(path, "it lacks the figures of the whole network", AGAIN)
    own = sum(layer.own.macs for layer in summary.layers)
    if own != summary.totals.macs:
        problem = f"it is damaged: MACs of layers are {own:,}, of the whole {summary.totals.macs:,}"
        raise FileUnreadable(path, problem, AGAIN)


def _network(summary: Summary) -> Trace:
    return Trace(
        model=summary.model,
        inputs=summary.inputs,
        outputs=summary.outputs,
        layers=tuple(
            Layer(
                path=layer.path,
                type=layer.type,
                calls=layer.calls,
                inputs=_specs(layer.input_shapes),
                outputs=_specs(layer.output_shapes),
                parameters=layer.parameters,
            )
            for layer in summary.layers
        ),
        calls=(),
        mode=summary.mode,
        how=HowTraced(summary.engine.build, summary.engine.run, summary.engine.notes),
    )


def _specs(shapes: tuple[tuple[int, ...], ...]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(shape, "float32") for shape in shapes)  # shapes alone are looked at


def inputs_as(tensors: tuple[NamedTensor, ...]) -> tuple[InputRequest, ...] | None:
    """What a model was run with; None where that cannot be asked for.

    The dtype of floating-point inputs is left to the model, which may have another by now.
    """
    names = [tensor.name for tensor in tensors]
    if not names or not all(name.isidentifier() for name in names):  # parts of lists and such
        return None
    return tuple(
        InputRequest(
            tensor.spec.shape,
            None if "float" in tensor.spec.dtype else tensor.spec.dtype,
            None if UNNAMED.fullmatch(tensor.name) else tensor.name,
        )
        for tensor in tensors
    )


def check_convention(figures: Figures, convention: str) -> None:
    """See that what was saved counts by the rules that are asked for.

    Raises:
        BadOption: it does not.
    """
    found = figures.convention.name
    if convention not in ("macs", found):
        raise BadOption(
            "--count-as", convention, f"{found}, by which {figures.model.reference} was saved"
        )


def given_as(tensors: tuple[NamedTensor, ...], inputs: Any, batch: int) -> Any:
    """The inputs for what is compared with a saved report: its own, unless others are asked for."""
    return inputs_as(tensors) if inputs is None and batch == 1 else inputs
