"""Along which tensors of a trace a gradient passes."""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.records.operations import Call
from cnninspect.records.tensors import TensorSpec
from cnninspect.records.traces import Trace

CUT = frozenset(
    f"aten.{name}"
    for name in (
        # made in the likeness of a tensor, or filled, whatever its values
        "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like",
        "new_empty", "new_empty_strided", "new_zeros", "new_ones", "new_full", "bernoulli",
        "bernoulli_", "uniform_", "normal_", "exponential_", "random_", "fill_", "zero_",
        # constant by pieces
        "sign", "sgn", "floor", "ceil", "round", "trunc", "heaviside", "detach",
    )
)  # fmt: skip
"""Operators whose result has no gradient with respect to what they are given."""
PARTS = frozenset(
    f"aten.{name}" for name in ("slice", "select", "narrow", "as_strided", "diagonal", "index")
)
"""Operators that take a part of a tensor."""


def differentiable_sources(call: Call, trace: Trace) -> Sequence[int]:
    """Those of a call's inputs that it passes a gradient on to: earlier calls, or `-1 - i`.

    One that is used twice stands there twice.
    """
    if not any(is_float(spec) for spec in call.operation.outputs):
        return ()
    if call.operation.name in CUT:
        return ()
    sources = list(call.inputs)
    if call.operation.name == "aten.copy_" and len(sources) > 1 and not _is_part(trace, sources[0]):
        sources = sources[1:]  # what was there before is lost
    if any(is_mixed(trace, source) for source in sources):
        # Values and their positions, as of max-pooling: the latter have no gradient.
        sources = list(dict.fromkeys(sources))
    return [s for s in sources if carries_gradient(trace, s) or _is_look_up(call, s)]


def carries_gradient(trace: Trace, source: int) -> bool:
    """Whether what a call made, or an input, consists of numbers that can vary smoothly."""
    if source < 0:
        return is_float(trace.inputs[-1 - source].spec)
    return any(is_float(spec) for spec in trace.calls[source].operation.outputs)


def is_mixed(trace: Trace, source: int) -> bool:
    """Whether a call made integers beside its floating-point numbers."""
    if source < 0:
        return False
    kinds = {is_float(spec) for spec in trace.calls[source].operation.outputs}
    return len(kinds) > 1


def is_float(spec: TensorSpec) -> bool:
    """Whether a tensor holds floating-point or complex numbers."""
    return spec.dtype.startswith(("float", "bfloat", "complex"))


def _is_look_up(call: Call, source: int) -> bool:
    """Whether integers from outside choose among weights here: a path cannot go on further."""
    return source < 0 and bool(call.parameters)


def _is_part(trace: Trace, source: int) -> bool:
    return source >= 0 and trace.calls[source].operation.name in PARTS
