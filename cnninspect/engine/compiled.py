"""Lets what was compiled run as the Python that it was compiled from."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch


def uncompiled() -> AbstractContextManager[Any]:
    """Keeps compiled functions and modules from being compiled, or from running compiled code.

    A compiler sees no modes, and cannot compile what they stand for.  Where nothing was compiled,
    it is not imported for this: that takes a second.
    """
    set_stance = getattr(torch.compiler, "set_stance", None)
    if "torch._dynamo" not in sys.modules or set_stance is None:
        return nullcontext()
    stance: AbstractContextManager[Any] = set_stance("force_eager")
    return stance
