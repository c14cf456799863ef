"""What the code of a function names outside of it."""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

FOREIGN = frozenset(
    ("torch", "torchgen", "functorch", "numpy", "scipy", "triton", "sympy", "onnx", "onnxruntime",
     "onnxscript", "pytest", "_pytest", "hypothesis", "cnninspect", "builtins", "IPython",
     "tqdm")
)  # fmt: skip
"""Packages, beside Python's own, whose code is not followed: what they keep is theirs."""


@lru_cache(maxsize=1000)
def is_foreign(module: str | None) -> bool:
    """Whether code of that module is not a network's own: PyTorch's, NumPy's or Python's."""
    package = (module or "builtins").partition(".")[0]
    return package in FOREIGN or (package in sys.stdlib_module_names and package != "__main__")


def names_used_by(function: types.FunctionType) -> Iterator[tuple[dict[str, Any], str]]:
    """Each global name that the code of a function may use, with the namespace that it is in.

    Also names in modules that it uses: `settings.TABLE`.
    """
    space = function.__globals__
    names = _names_in(function.__code__)
    for name in names:
        value = space.get(name)
        yield space, name
        if value is None:
            value = sys.modules.get(name)
        if type(value) is types.ModuleType and not is_foreign(value.__name__):
            inner = vars(value)
            for other in names:
                if other in inner:
                    yield inner, other


@lru_cache(maxsize=10_000)
def _names_in(code: types.CodeType) -> tuple[str, ...]:
    """The names in a piece of code and in what is defined in it, those of attributes too."""
    names = dict.fromkeys(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names.update(dict.fromkeys(_names_in(constant)))
    return tuple(name for name in names if name not in vars(builtins))
