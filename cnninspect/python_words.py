"""Errors in the words of Python: arguments where the command line has options.

Errors are written for the command line.  What the public functions raise is put into the other
words on its way out, so that `--input 3x32x32` becomes `inputs=[(3, 32, 32)]`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from importlib import import_module
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from cnninspect.errors import CnnInspectError, UnknownArgument

P = ParamSpec("P")
Result = TypeVar("Result")

_EXACT = (
    ("write --input 3x224x224, 8x3x224x224 or tokens:int64:1x128",
     'give inputs=[(1, 3, 224, 224)], or by name inputs={"tokens": torch.ones(1, 128).long()}'),
    ("--debug shows all that was said", "its attribute log has all that was said"),
    ("--debug shows where it failed", "its __cause__ shows where it failed"),
    ("--debug shows where", "its __cause__ shows where"),
    ("choose another place with -o", "choose another path"),
    ("cnninspect list shows every name", "cnninspect.models() lists every name"),
    ("--no-verify", "verify=False"),
    ("--force", "force=True"),
    ("--set-head", "head="),
    ("--count-as ", "--convention "),
    ("cnninspect time --calibrate measures it", "cnninspect.calibrate() measures it"),
    ("cnninspect time --calibrate --device cuda measures it",
     'cnninspect.calibrate(device="cuda") measures it'),
    ("--counter ", "counters="),
)  # fmt: skip
"""What is said in other words, the first that fits before the rest."""
SETTINGS = {
    "ExportSettings": "cnninspect.records.exports",
    "GradientSettings": "cnninspect.records.passes",
    "TimeSettings": "cnninspect.records.timings",
    "TrainingSettings": "cnninspect.commands.train.report",
}
"""Records that take what a function does not name itself, with the module of each."""
# Patterns are compiled when there is an error to be told, not with each import.
_INPUT = r"--input (?:(?P<name>[\w.]+):)?(?:[a-z]+\d*:)?(?P<shape>\d+(?:x\d+)*)"
_VALUE = r"--input (?P<name>\w+)=(?P<value>[\w.]+)"
_SUMMARY = r"cnninspect summary (?P<model>\S+) shows"
_LIST = r"cnninspect list --source (?P<source>\w+) shows every name"
_EXPORT = r"cnninspect export --dynamic(?: (?P<axis>\w+))?"
_REFUSED = r"(?P<name>\w+)(\.__init__)?\(\) got an unexpected keyword argument '(?P<key>\w+)'"
_OPTION = (
    r"--(?P<name>[a-z][a-z-]*)"
    r"(?: (?P<value>-?\d[\d.]*\b|'[^']*'|(?:True|False|eval|train|dynamo|torchscript)\b))?"
)


def in_python(text: str) -> str:
    """A sentence about options as one about arguments.

    >>> in_python("add --input image2:float32:1x16 with its own dtype and shape")
    'add inputs={"image2": (1, 16)} with its own dtype and shape'
    >>> in_python("leave --batch out, or --mode eval")
    'leave batch= out, or mode="eval"'
    """
    for typed, called in _EXACT:
        text = text.replace(typed, called)
    text = re.sub(_INPUT, _input, text)
    text = re.sub(_VALUE, lambda found: f'kwargs={{"{found["name"]}": {found["value"]}}}', text)
    text = re.sub(_SUMMARY, lambda found: f'cnninspect.summarize("{found["model"]}") shows', text)
    text = re.sub(
        _LIST, lambda found: f'cnninspect.models(source="{found["source"]}") lists every name', text
    )
    text = re.sub(
        _EXPORT,
        lambda found: f'cnninspect.export_onnx(…, dynamic=("{found["axis"] or "batch"}",))',
        text,
    )
    text = text.replace("--inputs", "inputs=").replace("--input", "inputs=")
    return re.sub(_OPTION, _option, text)


def _input(found: re.Match[str]) -> str:
    sizes = found["shape"].split("x")
    shape = f"({', '.join(sizes)}{',' * (len(sizes) == 1)})"
    return f'inputs={{"{found["name"]}": {shape}}}' if found["name"] else f"inputs=[{shape}]"


def _option(found: re.Match[str]) -> str:
    name, value = found["name"].strip("-").replace("-", "_"), found["value"]
    if value is None:
        return f"{name}="
    is_literal = value[0] in "-'0123456789" or value in ("True", "False")
    return f"{name}={value}" if is_literal else f'{name}="{value}"'


def speaking_python(function: Callable[P, Result]) -> Callable[P, Result]:
    """The same function, whose errors speak of arguments."""

    @wraps(function)
    def speaking(*args: P.args, **kwargs: P.kwargs) -> Result:
        try:
            answer: Result = _answer_in_python(function(*args, **kwargs))
            return answer  # noqa: TRY300
        except CnnInspectError as problem:
            problem.hint = in_python(problem.hint)
            problem.args = (in_python(str(problem)), *problem.args[1:])
            raise
        except TypeError as problem:
            found = re.search(_REFUSED, str(problem))
            if found is None or found["name"] not in (function.__name__, *SETTINGS):
                raise
            known = [name for name in signature(function).parameters if name != "settings"]
            if found["name"] in SETTINGS:
                module = import_module(SETTINGS[found["name"]])
                known += signature(getattr(module, found["name"])).parameters
            raise UnknownArgument(
                function.__name__, found["key"], tuple(dict.fromkeys(known))
            ) from problem

    return speaking


def _answer_in_python(answer: Any) -> Any:
    """The answer, with what it says of models that failed in the words of Python."""
    failed = getattr(answer, "failed", None)
    if not isinstance(failed, tuple) or not all(hasattr(each, "hint") for each in failed):
        return answer  # it has none, or something else of that name
    told = [replace(e, error=in_python(e.error), hint=in_python(e.hint)) for e in failed]
    return replace(answer, failed=tuple(told))
