"""Lets what was compiled run as the Python that it was compiled from."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch

OF_OUR_HOOKS = "Using `torch.compile"
"""How the warning begins that global hooks see a compiled module twice, which does no harm here."""


@contextmanager
def uncompiled() -> Iterator[None]:
    """Keep compiled functions and modules from being compiled, and from running compiled code.

    A compiler sees no modes, and cannot compile what they stand for.  Where nothing was compiled,
    it is not imported for this: that takes a second.
    """
    set_stance = getattr(torch.compiler, "set_stance", None)
    if "torch._dynamo" not in sys.modules or set_stance is None:
        yield
        return
    with set_stance("force_eager"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", OF_OUR_HOOKS, UserWarning)
        yield
