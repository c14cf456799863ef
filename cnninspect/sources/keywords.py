"""Settings of a reference as keyword arguments of whatever makes the model."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from cnninspect.errors import BadSetting, UnknownSetting

WORDS = {"true": True, "false": False, "none": None}
EXPECTED = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
}
"""What a value must be, by the annotation of its argument."""

_SIZES = re.compile(r"\d+(x\d+)+")
_REFUSED = re.compile(
    r"(?:(?P<owner>[\w.]+)\.)?(?P<name>\w+)\(\) got an unexpected keyword argument '(?P<key>\w+)'"
)


def literal(text: str) -> Any:
    """The value that a person means: a Python literal, `true`, `3x4x6` as a tuple, else the text.

    >>> literal("0.5"), literal("false"), literal("3x4x6x3"), literal("(1, 2)"), literal("silu")
    (0.5, False, (3, 4, 6, 3), (1, 2), 'silu')
    """
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if _SIZES.fullmatch(text):
        return tuple(int(size) for size in text.split("x"))
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def keyword_arguments(
    model: str,
    typed: Sequence[tuple[str, str]],
    made_by: Callable[..., Any],
    *,
    without: Iterable[str] = (),
) -> dict[str, Any]:
    """The settings that were typed as keyword arguments of `made_by`.

    `without` names arguments that are not for a person to set.  Where `made_by` passes keywords on
    (`**kwargs`), what it does not name itself is let through.

    Raises:
        UnknownSetting: it takes no such argument; lists those that it takes.
        BadSetting: the argument wants a value of another type.
    """
    known, is_open = arguments_of(made_by)
    known = {name: p for name, p in known.items() if name not in set(without)}
    values = {}
    for key, text in typed:
        if key not in known and (not is_open or key in set(without)):
            raise UnknownSetting(model, key, described(known))
        values[key] = _value(model, key, text, known.get(key))
    return values


def arguments_of(made_by: Callable[..., Any]) -> tuple[dict[str, inspect.Parameter], bool]:
    """The arguments that a callable takes by keyword, and whether it takes any others as well."""
    try:
        parameters = inspect.signature(made_by).parameters
    except (TypeError, ValueError):  # it says nothing of itself, as compiled code may
        return {}, True
    named = {
        name: p
        for name, p in parameters.items()
        if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)
    }
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def described(arguments: Mapping[str, inspect.Parameter]) -> list[str]:
    """Each argument as a person reads it: `num_classes (int, 1000)`."""
    return [f"{name} ({_described(p)})" for name, p in arguments.items()]


def refused_setting(
    problem: Exception, model: str, typed: Sequence[tuple[str, str]]
) -> UnknownSetting | None:
    """The error to raise instead of a `TypeError` for a setting that was passed on and refused.

    Lists what the callable that refused it takes, where that can be found.
    """
    found = _REFUSED.search(str(problem)) if isinstance(problem, TypeError) else None
    if found is None or found["key"] not in dict(typed):
        return None
    refuser = _refuser(problem, found["owner"] or found["name"])
    known = arguments_of(refuser)[0] if callable(refuser) else {}
    free = {name: p for name, p in known.items() if p.default is not p.empty}
    return UnknownSetting(model, found["key"], described(free))


def _value(model: str, key: str, text: str, argument: inspect.Parameter | None) -> Any:
    value = literal(text)
    if argument is None:
        return value
    kind = _annotation(argument)
    if value is None and argument.default is None:
        return None
    if kind == "str" or (isinstance(argument.default, str) and value is not None):
        return text
    fits = {
        "bool": isinstance(value, bool),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, (int, float)) and not isinstance(value, bool),
    }
    if not fits.get(kind, True):
        raise BadSetting(model, key, text, EXPECTED[kind])
    return float(value) if kind == "float" else value


def _annotation(argument: inspect.Parameter) -> str:
    noted = argument.annotation
    if noted is argument.empty:
        return type(argument.default).__name__ if isinstance(argument.default, bool) else ""
    options = [kind for kind in get_args(noted) if kind is not type(None)]
    if len(options) == 1 and type(None) in get_args(noted):
        noted = options[0]
    return noted if isinstance(noted, str) else getattr(noted, "__name__", "")


def _described(argument: inspect.Parameter) -> str:
    if argument.default is argument.empty:
        return "must be given"
    default = argument.default
    if callable(default):
        return getattr(default, "__name__", type(default).__name__)
    kind = "" if default is None else f"{type(default).__name__}, "
    return f"{kind}{str(default).lower() if isinstance(default, bool) else default}"


def _refuser(problem: Exception, path: str) -> Any:
    """The callable of that qualified name, as the code that called it knows it."""
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return None
    first, *rest = path.split(".")
    seen = {**trace.tb_frame.f_globals, **trace.tb_frame.f_locals}
    value = seen.get(first)
    if value is None:  # known there by another name, as in `model_cls(**kwargs)`
        value = next((v for v in seen.values() if getattr(v, "__qualname__", "") == first), None)
    for name in rest:
        value = getattr(value, name, None)
    return value
