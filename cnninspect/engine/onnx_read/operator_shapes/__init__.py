"""What each operator gives: rules of our own for shapes, by domain and operator.

A rule takes what is known of a node's inputs and returns what is known of its outputs.  It raises
`Malformed` where the inputs do not fit the operator, and `NotKnown` where they do not tell.  What
has no rule here is asked of ONNX itself, in another process.  In reading order:

* `known_node`  what a rule looks at
* `pointwise`, `windows`, `products`, `moving`, `indexing`, `sequences`   the operators of ONNX
* `microsoft`, `learning`   those of ONNX Runtime and of `ai.onnx.ml`
"""

from __future__ import annotations

from collections.abc import Callable

from cnninspect.engine.onnx_read.operator_shapes import (
    indexing,
    learning,
    microsoft,
    moving,
    pointwise,
    products,
    sequences,
    windows,
)
from cnninspect.engine.onnx_read.operator_shapes.known_node import KnownNode
from cnninspect.engine.onnx_read.values import Value

Rule = Callable[[KnownNode], list[Value]]

RULES: dict[str, dict[str, Rule]] = {
    "": {
        **pointwise.RULES, **windows.RULES, **products.RULES, **moving.RULES, **indexing.RULES,
        **sequences.RULES,
    },
    "com.microsoft": microsoft.RULES,
    "com.microsoft.nchwc": microsoft.BLOCKED_RULES,
    "ai.onnx.ml": learning.RULES,
}  # fmt: skip
"""Rules by domain and operator."""


def rule_for(op: str, domain: str) -> Rule | None:
    """The rule for an operator; None where there is none."""
    return RULES.get(domain, {}).get(op)
