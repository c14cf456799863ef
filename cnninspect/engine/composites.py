"""Keeps whole the functions that PyTorch takes apart into something that counts otherwise.

A distance or a similarity becomes element-wise products and sums, which are free, and a complex
convolution three real ones.  Each is one call of the trace here, as the tables of costs name it;
what PyTorch makes of it runs as ever, and is not written down.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from cnninspect.engine.catching import Catcher, Handler
from cnninspect.engine.layouts import spec_of
from cnninspect.engine.operators import plain_argument
from cnninspect.engine.recording import tensors_in
from cnninspect.records.operations import Operation

WHOLE: dict[Any, tuple[str, tuple[str, ...]]] = {
    torch.cosine_similarity: ("aten.cosine_similarity", ("x1", "x2", "dim", "eps")),
    torch.pairwise_distance: ("aten.pairwise_distance", ("x1", "x2", "p", "eps", "keepdim")),
    torch.linalg.vecdot: ("aten.linalg_vecdot", ("x", "y", "dim")),
    **dict.fromkeys(
        (torch.cosine_embedding_loss, F.cosine_embedding_loss),
        ("aten.cosine_embedding_loss", ("input1", "input2", "target", "margin")),
    ),
    **dict.fromkeys(
        (torch.triplet_margin_loss, F.triplet_margin_loss),
        ("aten.triplet_margin_loss", ("anchor", "positive", "negative", "margin", "p", "eps")),
    ),
}
"""Functions, and the operator with the names of its arguments that each is recorded as."""
CONVOLUTIONS = {
    torch.conv1d: False, torch.conv2d: False, torch.conv3d: False,
    torch.conv_transpose1d: True, torch.conv_transpose2d: True, torch.conv_transpose3d: True,
}  # fmt: skip
"""Functions of convolutions, and whether they are transposed."""
FREE_BACKWARD = frozenset({"aten.linalg_vecdot"})
"""Operators whose gradients are products element by element, which cost nothing."""


def _whole(name: str, names: tuple[str, ...]) -> Handler:
    def run(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        return record_as_one(catcher, name, dict(zip(names, args)) | kwargs, func, args, kwargs)

    return run


def _convolution(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    first = args[0] if args else kwargs["input"]
    if not (isinstance(first, Tensor) and first.is_complex()):
        return catcher.pass_on(func, args, kwargs)
    weight = args[1] if len(args) > 1 else kwargs["weight"]
    named = {"input": first, "weight": weight, "transposed": CONVOLUTIONS[func]}
    return record_as_one(catcher, "aten.convolution", named, func, args, kwargs)


def record_as_one(
    catcher: Catcher, name: str, named: dict[str, Any], func: Any, args: Any, kwargs: dict[str, Any]
) -> Any:
    """Run a function and record it as one call of the operator `name`."""
    recorder = catcher.recorder
    with recorder.paused(_backward_of(name, named)):
        result = catcher.pass_on(func, args, kwargs)
    operation = Operation(
        name,
        tuple((key, plain_argument(value)) for key, value in named.items()),
        tuple(spec_of(tensor) for tensor in tensors_in(result)),
    )
    recorder.mark(result, recorder.record(operation, list(tensors_in(named))))
    return result


def _backward_of(name: str, named: dict[str, Any]) -> Operation | None:
    """What the backward pass of such a call is recorded as; None for what PyTorch makes of it."""
    if name in FREE_BACKWARD:
        return None
    arguments = [(key, plain_argument(value)) for key, value in named.items()]
    if name == "aten.convolution":
        wanted = tuple(named[key].requires_grad for key in ("input", "weight"))
        arguments.append(("output_mask", wanted))
    return Operation(f"{name}_backward", tuple(arguments), ())


HANDLERS: dict[Any, Handler] = {
    **{func: _whole(name, names) for func, (name, names) in WHOLE.items()},
    **dict.fromkeys(CONVOLUTIONS, _convolution),
}
"""By the function that is caught."""
