"""Inspect and analyse neural networks: shapes, parameters, MACs, gradients, budgets, ONNX.

    >>> import cnninspect
    >>> report = cnninspect.summarize("resnet34")
    >>> report.totals.macs
    3663761408

Importing this package imports nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from types import FunctionType
from typing import TYPE_CHECKING, Any

from cnninspect.version import __version__

if TYPE_CHECKING:
    from cnninspect.commands.activations import activations
    from cnninspect.commands.audit import audit
    from cnninspect.commands.cache import cache
    from cnninspect.commands.check import check
    from cnninspect.commands.compare import compare
    from cnninspect.commands.diff import diff
    from cnninspect.commands.evaluate import evaluate
    from cnninspect.commands.explain import explain
    from cnninspect.commands.export import export_onnx
    from cnninspect.commands.find import find
    from cnninspect.commands.gradients import gradient_paths, gradients
    from cnninspect.commands.graph import graph
    from cnninspect.commands.lint import explain_rules, lint
    from cnninspect.commands.list import models
    from cnninspect.commands.memory import fit_batch, memory
    from cnninspect.commands.report.gathering import report
    from cnninspect.commands.scale import scale, scale_grid
    from cnninspect.commands.summary import summarize
    from cnninspect.commands.sweep import sweep
    from cnninspect.commands.timing import calibrate, time
    from cnninspect.commands.train import train
    from cnninspect.commands.weights import feature_reuse, weights
    from cnninspect.costs import register as register_cost
    from cnninspect.errors import CnnInspectError
    from cnninspect.page.formats import render
    from cnninspect.sources.open import trace
    from cnninspect.store.traces import remembering

_PLACES = {
    "CnnInspectError": "cnninspect.errors:CnnInspectError",
    "activations": "cnninspect.commands.activations:activations",
    "audit": "cnninspect.commands.audit:audit",
    "cache": "cnninspect.commands.cache:cache",
    "calibrate": "cnninspect.commands.timing:calibrate",
    "check": "cnninspect.commands.check:check",
    "compare": "cnninspect.commands.compare:compare",
    "diff": "cnninspect.commands.diff:diff",
    "evaluate": "cnninspect.commands.evaluate:evaluate",
    "explain": "cnninspect.commands.explain:explain",
    "export_onnx": "cnninspect.commands.export:export_onnx",
    "find": "cnninspect.commands.find:find",
    "explain_rules": "cnninspect.commands.lint:explain_rules",
    "feature_reuse": "cnninspect.commands.weights:feature_reuse",
    "fit_batch": "cnninspect.commands.memory:fit_batch",
    "gradient_paths": "cnninspect.commands.gradients:gradient_paths",
    "gradients": "cnninspect.commands.gradients:gradients",
    "graph": "cnninspect.commands.graph:graph",
    "lint": "cnninspect.commands.lint:lint",
    "memory": "cnninspect.commands.memory:memory",
    "models": "cnninspect.commands.list:models",
    "register_cost": "cnninspect.costs:register",
    "remembering": "cnninspect.store.traces:remembering",
    "render": "cnninspect.page.formats:render",
    "report": "cnninspect.commands.report.gathering:report",
    "scale": "cnninspect.commands.scale:scale",
    "scale_grid": "cnninspect.commands.scale:scale_grid",
    "summarize": "cnninspect.commands.summary:summarize",
    "time": "cnninspect.commands.timing:time",
    "sweep": "cnninspect.commands.sweep:sweep",
    "trace": "cnninspect.sources.open:trace",
    "train": "cnninspect.commands.train:train",
    "weights": "cnninspect.commands.weights:weights",
}

__all__ = [
    "CnnInspectError",
    "__version__",
    "activations",
    "audit",
    "cache",
    "calibrate",
    "check",
    "compare",
    "diff",
    "evaluate",
    "explain",
    "explain_rules",
    "export_onnx",
    "feature_reuse",
    "find",
    "fit_batch",
    "gradient_paths",
    "gradients",
    "graph",
    "lint",
    "memory",
    "models",
    "register_cost",
    "remembering",
    "render",
    "report",
    "scale",
    "scale_grid",
    "summarize",
    "sweep",
    "time",
    "trace",
    "train",
    "weights",
]


def __getattr__(name: str) -> Any:
    """The public name, imported from where it is defined."""
    if name not in _PLACES:
        raise AttributeError(f"module 'cnninspect' has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    value = getattr(import_module(module), attribute)
    _let_reports_show_themselves()
    if isinstance(value, FunctionType):
        from cnninspect.python_words import speaking_python

        value = speaking_python(value)
    globals()[name] = value
    return value


def _let_reports_show_themselves() -> None:
    """Give reports what they are shown by; the records know nothing of formats.

    That is `print(report)`, what notebooks ask for, `report.to_dataframe()` and `report.plot()`.
    """
    from cnninspect.records.reports import Report

    def text(report: Report) -> str:
        from cnninspect.page.showing import as_text

        return as_text(report)

    def html(report: Report) -> str:
        from cnninspect.page.showing import as_html

        return as_html(report)

    def to_dataframe(report: Report) -> Any:
        """The rows of the report as a pandas `DataFrame`."""
        from cnninspect.page.showing import as_dataframe

        return as_dataframe(report)

    def plot(report: Report) -> Any:
        """The picture of the report as a matplotlib `Figure`."""
        from cnninspect.page.showing import as_figure

        return as_figure(report)

    Report.__str__ = text  # type: ignore[method-assign,assignment]
    Report._repr_html_ = html
    Report.to_dataframe = to_dataframe
    Report.plot = plot


def __dir__() -> list[str]:
    return sorted(__all__)
