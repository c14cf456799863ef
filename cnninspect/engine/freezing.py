"""Freezes parts of a model: what is not trained needs no gradients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from torch import nn

from cnninspect.errors import PatternMatchesNothing


def freeze(model: nn.Module, patterns: Sequence[str], *, name: str) -> None:
    """Stop the training of all parameters that a pattern names.

    A pattern is matched, as a shell does, against the full names of parameters and against the
    paths of layers, which stand for everything under them: `layer1`, `layer[12]`, `*.bias`.

    Raises:
        PatternMatchesNothing: a pattern names nothing; `name` is the model's.
    """
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for pattern in patterns:
        found = [p for full, p in parameters.items() if _matches(full, pattern)]
        if not found:
            raise PatternMatchesNothing(pattern, name, _paths(parameters))
        for parameter in found:
            parameter.requires_grad_(False)


def _matches(full: str, pattern: str) -> bool:
    names = full.split(".")
    return any(
        fnmatchcase(".".join(names[:length]), pattern) for length in range(1, len(names) + 1)
    )


def _paths(parameters: Iterable[str]) -> list[str]:
    paths: dict[str, None] = {}
    for full in parameters:
        names = full.split(".")
        for length in range(1, len(names) + 1):
            paths.setdefault(".".join(names[:length]))
    return list(paths)
