"""What can be asked: one folder for each question.

A folder holds what its question needs of: `__init__.py` (the Python function), `report.py` (the
answer, as frozen records), `analysis.py` (from a trace to the answer), `measuring.py` (what touches
tensors, the only file of a folder that may import torch), `rendering.py` (from the answer to a page
of tables) and `command.py` (what one types).  The files beside the folders are what they share.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

COMMANDS = {
    "summary": "cnninspect.commands.summary.command:summary",
    "list": "cnninspect.commands.list.command:list_models",
    "explain": "cnninspect.commands.explain.command:explain",
    "compare": "cnninspect.commands.compare.command:compare",
    "find": "cnninspect.commands.find.command:find",
    "check": "cnninspect.commands.check.command:check",
    "lint": "cnninspect.commands.lint.command:lint",
    "diff": "cnninspect.commands.diff.command:diff",
    "report": "cnninspect.commands.report.command:report",
    "graph": "cnninspect.commands.graph.command:graph",
    "scale": "cnninspect.commands.scale.command:scale",
    "sweep": "cnninspect.commands.sweep.command:sweep",
    "gradients": "cnninspect.commands.gradients.command:gradients",
    "memory": "cnninspect.commands.memory.command:memory",
    "time": "cnninspect.commands.timing.command:time",
    "train": "cnninspect.commands.train.command:train",
    "evaluate": "cnninspect.commands.evaluate.command:evaluate",
    "activations": "cnninspect.commands.activations.command:activations",
    "weights": "cnninspect.commands.weights.command:weights",
    "export": "cnninspect.commands.export.command:export",
    "audit": "cnninspect.commands.audit.command:audit",
    "cache": "cnninspect.commands.cache.command:cache",
    "config": "cnninspect.commands.config.command:config",
    "help": "cnninspect.commands.help.command:help_on",
}
"""Name to the function whose signature typer reads, in the order in which `--help` shows them."""


def question(name: str) -> Callable[..., Any]:
    """The Python function of another question, for an answer that is made of several.

    Folders know nothing of each other but their reports; this is how one asks another.
    """
    asked: Callable[..., Any] = getattr(import_module(f"{__name__}.{name}"), name)
    return asked
