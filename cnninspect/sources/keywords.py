"""The keywords of what builds a network: from text, checked, and told when one is refused."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_type_hints

from cnninspect.errors import UnknownSetting
from cnninspect.sources.literals import literal
from cnninspect.sources.setting_values import Place, nested, value_of

__all__ = ["arguments_of", "described", "keyword_arguments", "literal", "refused_setting"]

_REFUSED = re.compile(
    r"(?:(?P<owner>[\w.]+)\.)?(?P<name>\w+)\(\) got an unexpected keyword argument '(?P<key>\w+)'"
)


def keyword_arguments(
    model: str,
    typed: Sequence[tuple[str, str]],
    made_by: Callable[..., Any],
    *,
    without: Iterable[str] = (),
) -> dict[str, Any]:
    """The settings that were typed as arguments of `made_by`, by name.

    `without` names arguments that are not for a user to set.  Where `made_by` passes keywords on
    (`**kwargs`), what it does not name itself is let through.  `config.depth=3` sets the field of
    an argument, `config=conf.yaml` all that the file says.

    Raises:
        UnknownSetting: it takes no such argument; lists those that it takes.
        BadSetting: the argument wants a value of another type.
        FileMissing, FileUnreadable: there is no such configuration, or it is not one.
    """
    own, is_open = arguments_of(made_by)
    known = {**(_inherited(made_by) if is_open else {}), **own}
    known = {name: p for name, p in known.items() if name not in set(without)}
    hints, names = _hints(made_by), _names_of(made_by)
    values: dict[str, Any] = {}
    for key, texts in _by_argument(typed).items():
        if key not in known and (not is_open or key in set(without)):
            raise UnknownSetting(model, key, described(known))
        place = Place(model, key, known.get(key), hints.get(key), names)
        parts = [(path, text) for path, text in texts if path]
        whole = next((text for path, text in texts if not path), None)
        values[key] = nested(place, whole, parts) if parts else value_of(place, whole or "")
    return values


def _by_argument(typed: Sequence[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """What was typed of each argument, with the path in it that follows its name after a dot."""
    texts: dict[str, list[tuple[str, str]]] = {}
    for key, text in typed:
        name, _, path = key.partition(".")
        texts.setdefault(name, []).append((path, text))
    return texts


def arguments_of(made_by: Callable[..., Any]) -> tuple[dict[str, inspect.Parameter], bool]:
    """The arguments that a callable takes, and whether it takes any other keywords as well."""
    try:
        parameters = inspect.signature(made_by).parameters
    except (TypeError, ValueError):  # it says nothing of itself, as compiled code may
        return {}, True
    named = {
        name: p for name, p in parameters.items() if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
    }
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _inherited(made_by: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The arguments of the classes above, to which a class hands the keywords on."""
    named: dict[str, inspect.Parameter] = {}
    for above in made_by.__mro__[1:-1] if inspect.isclass(made_by) else ():
        if "__init__" in vars(above):
            found, is_open = arguments_of(above)
            named = {**found, **named}
            if not is_open:
                break
    return named


def described(arguments: Mapping[str, inspect.Parameter]) -> list[str]:
    """Each argument as a user reads it: `num_classes (int, 1000)`."""
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


def _hints(made_by: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of its arguments, as types where they can be resolved."""
    called: Any = getattr(made_by, "func", made_by)  # of a partial
    found: dict[str, Any] = {}
    for step in reversed(called.__mro__[:-1]) if inspect.isclass(called) else (called,):
        function = vars(step).get("__init__") if inspect.isclass(step) else step
        if function is None:
            continue
        try:
            found |= get_type_hints(function, include_extras=False)
        except Exception:  # names that only type checkers import, or what is no function
            noted = getattr(function, "__annotations__", {})
            names = getattr(function, "__globals__", {})
            found |= {name: _resolved(kind, names) for name, kind in noted.items()}
    config_class = getattr(called, "config_class", None)  # of transformers' models
    if inspect.isclass(config_class):
        found.setdefault("config", config_class)
    return found


def _resolved(annotation: Any, names: Mapping[str, Any]) -> Any:
    """A type for the text of an annotation, where its names are known."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(names))  # the text is of the code that runs anyway
    except Exception:  # a name that is not there
        return annotation


def _names_of(made_by: Callable[..., Any]) -> Mapping[str, Any]:
    """The names that the code knows which makes the model."""
    called: Any = getattr(made_by, "func", made_by)
    called = getattr(called, "__func__", called)
    own = getattr(inspect.unwrap(called) if callable(called) else called, "__globals__", None)
    module = sys.modules.get(getattr(called, "__module__", None) or "")
    if own is None and inspect.isclass(called):
        own = getattr(vars(called).get("__init__"), "__globals__", None)
    return own if own is not None else vars(module) if module is not None else {}


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
