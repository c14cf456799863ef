"""Inspect and analyse neural networks: shapes, parameters, MACs, gradients, budgets, ONNX.

    >>> import cnninspect
    >>> report = cnninspect.summarize("resnet34")
    >>> report.totals.macs
    3663761408

Importing this package imports nothing else; each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnninspect.version import __version__

if TYPE_CHECKING:
    from cnninspect.api import (
        audit,
        check,
        compare,
        diff,
        explain,
        export_onnx,
        find,
        fit_batch,
        gradient_paths,
        gradients,
        memory,
        models,
        scale,
        scale_grid,
        summarize,
        trace,
    )
    from cnninspect.costs import register as register_cost
    from cnninspect.errors import CnnInspectError
    from cnninspect.render import render

_PLACES = {
    "CnnInspectError": "cnninspect.errors:CnnInspectError",
    "audit": "cnninspect.api:audit",
    "check": "cnninspect.api:check",
    "compare": "cnninspect.api:compare",
    "diff": "cnninspect.api:diff",
    "explain": "cnninspect.api:explain",
    "export_onnx": "cnninspect.api:export_onnx",
    "find": "cnninspect.api:find",
    "fit_batch": "cnninspect.api:fit_batch",
    "gradient_paths": "cnninspect.api:gradient_paths",
    "gradients": "cnninspect.api:gradients",
    "memory": "cnninspect.api:memory",
    "models": "cnninspect.api:models",
    "register_cost": "cnninspect.costs:register",
    "render": "cnninspect.render:render",
    "scale": "cnninspect.api:scale",
    "scale_grid": "cnninspect.api:scale_grid",
    "summarize": "cnninspect.api:summarize",
    "trace": "cnninspect.api:trace",
}

__all__ = [
    "CnnInspectError",
    "__version__",
    "audit",
    "check",
    "compare",
    "diff",
    "explain",
    "export_onnx",
    "find",
    "fit_batch",
    "gradient_paths",
    "gradients",
    "memory",
    "models",
    "register_cost",
    "render",
    "scale",
    "scale_grid",
    "summarize",
    "trace",
]


def __getattr__(name: str) -> Any:
    """The public name, imported from where it is defined."""
    if name not in _PLACES:
        raise AttributeError(f"module 'cnninspect' has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
