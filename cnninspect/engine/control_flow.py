"""Runs PyTorch's control-flow operators as what they stand for: branches and loops.

`torch.cond`, `while_loop`, `scan` and `map` keep a branch or a loop in an exported graph.  In a
trace the branch that is taken runs, and a loop's body as often as it is known to; where a condition
depends on values that nobody knows, the dearer branch counts, as for an `If` of an ONNX file.
Attention with a function of one's own (`flex_attention`) stays one call.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from cnninspect.engine.catching import Catcher, Handler
from cnninspect.engine.layouts import abstract, contiguous, number_of
from cnninspect.engine.questions import is_fake
from cnninspect.engine.torch_private import (
    cond_op,
    flex_attention,
    map_impl,
    scan_op,
    while_loop_op,
)

ON_DATA = "a condition of torch.cond depends on values; its dearer branch is counted"


def _cond(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    predicate, if_true, if_false, *rest = args
    operands = tuple(rest[0]) if rest else tuple(kwargs.get("operands", ()))
    if not is_fake(predicate):
        return catcher.running(if_true if bool(predicate) else if_false, *operands)
    catcher.recorder.assumed[ON_DATA] = None
    branches = (if_true, if_false)
    return catcher.recorder.dearest(
        [partial(catcher.running, branch, *operands) for branch in branches]
    )


def _while_loop(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    condition, body, carried, *rest = args
    more = tuple(rest[0]) if rest else tuple(kwargs.get("additional_inputs", ()))
    state = tuple(carried)
    while True:
        goes_on = catcher.running(condition, *state, *more)
        if is_fake(goes_on):
            raise catcher.recorder.refuse("torch.while_loop")
        if not bool(goes_on):
            return state
        result = catcher.running(body, *state, *more)
        state = tuple(result) if isinstance(result, (list, tuple)) else (result,)


def _scan(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    combine, initial, sequences, *rest = args
    more = tuple(rest[0]) if rest else tuple(kwargs.get("additional_inputs", ()))
    state, made = list(initial), []
    for items in zip(*(catcher.running(torch.unbind, xs) for xs in sequences)):
        result = list(catcher.running(combine, *state, *items, *more))
        state, outputs = result[: len(state)], result[len(state) :]
        made.append(outputs)
    return [*state, *(catcher.running(torch.stack, outputs) for outputs in zip(*made))]


def _map(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    function, sequences, *rest = args
    more = tuple(rest[0]) if rest else tuple(kwargs.get("pos_args", ()))
    rows = zip(*(catcher.running(torch.unbind, xs) for xs in sequences))
    made = [catcher.running(function, *items, *more) for items in rows]
    if isinstance(made[0], Tensor):
        return catcher.running(torch.stack, made)
    return tuple(catcher.running(torch.stack, outputs) for outputs in zip(*made))


def _flex_attention(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    query, key, value = args[:3]
    if catcher.computes or not is_fake(query):
        return func(*args, **kwargs)
    rows = tuple(query.shape[:-1])
    if catcher.differentiable:
        output = catcher.attention(query, key, value, enable_gqa=query.shape[1] != key.shape[1])
    else:
        shape = (*rows, value.shape[-1])
        output = catcher.record_whole(
            "higher_order.flex_attention",
            {"query": query, "key": key, "value": value},
            lambda: abstract(number_of((shape, contiguous(shape), query.dtype))),
            lambda: None,
        )
    sums = torch.empty(rows, dtype=torch.float32, device="meta")
    return output, sums, sums


HANDLERS: dict[Any, Handler] = {
    cond_op: _cond,
    while_loop_op: _while_loop,
    scan_op: _scan,
    map_impl: _map,
    flex_attention: _flex_attention,
}
"""By the operator."""
