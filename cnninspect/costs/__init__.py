"""What an operation costs: functions of a plain record, without torch.

    >>> from cnninspect.records.operations import Operation, TensorSpec
    >>> factors = (("self", TensorSpec((8, 3))), ("mat2", TensorSpec((3, 5))))
    >>> operation = Operation("aten.mm", factors, (TensorSpec((8, 5)),))
    >>> cost_of(operation).cost.macs
    120

Every operation is in one of three states: *counted* by a formula, *free* for a reason that is
written down, or *unknown*, which is reported and never taken for zero.  In reading order:

* `laws`          the formulas on plain integers, each written once
* `convolutions`, `products`, `einsum`, `attention`, `recurrent`   from an operation to its law
* `aten`, `onnx`, `microsoft`, `onnx_ml`   the tables of what is counted
* `free`          the tables of what is free, and why
* `unknown`       the table of what nobody can say, and why
* `registry`      `register` and `cost_of`
* `plugins`       formulas of other packages
* `conventions`   the same trace by other people's rules
"""

from cnninspect.costs import aten, microsoft, onnx, onnx_ml
from cnninspect.costs.free import FREE
from cnninspect.costs.registry import (
    UNKNOWN,
    Formula,
    cost_of,
    register,
    register_free,
    register_unknown,
    registered,
)

for _name, _formula in {
    **aten.COUNTED,
    **onnx.COUNTED,
    **microsoft.COUNTED,
    **onnx_ml.COUNTED,
}.items():
    register(_name, _formula)
for _name, _reason in {**FREE, **microsoft.FREE, **onnx_ml.FREE}.items():
    register_free(_name, _reason)
for _name, _reason in {**UNKNOWN, **microsoft.UNKNOWN, **onnx_ml.UNKNOWN}.items():
    register_unknown(_name, _reason)
BUILT_IN = frozenset(registered())
"""The names that this package registers itself; whatever else is registered, a user added."""

__all__ = [
    "BUILT_IN",
    "Formula",
    "cost_of",
    "register",
    "register_free",
    "register_unknown",
    "registered",
]
