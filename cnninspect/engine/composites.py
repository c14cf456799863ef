"""What is one operation to its users stays one call: caught before PyTorch takes it apart.

Similarities, distances and complex convolutions; `cond`, `scan`, `map`, `while_loop` and flex
attention; and the gradients that `forward` asks for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from cnninspect.engine.bind_inputs import converted
from cnninspect.engine.devices import Devices
from cnninspect.engine.fake_tensors import abstract_twin
from cnninspect.engine.layouts import MARK, TENSOR, abstract, contiguous, number_of, spec_of
from cnninspect.engine.operators import plain_argument
from cnninspect.engine.questions import is_fake
from cnninspect.engine.recording import Recorder, Whole, tensors_in
from cnninspect.engine.torch_private import (
    _disable_current_modes,
    cond_op,
    flex_attention,
    map_impl,
    scan_op,
    temporarily_clear_interpreter_stack,
    while_loop_op,
)
from cnninspect.records.operations import Operation


class Catcher(Protocol):
    """The mode that catches functions, as those see it that say what is done instead."""

    recorder: Recorder
    """Where calls are written down."""
    devices: Devices
    """Where tensors are shown."""
    computes: bool
    """Whether operators really run."""
    differentiable: bool
    """Whether a backward pass follows."""

    def running(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a function returns whose own calls are caught too."""

    def pass_on(self, func: Any, args: Any, kwargs: dict[str, Any] | None) -> Any:
        """What a function of PyTorch returns on a device that is here."""

    def cast(self, name: str, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The arguments of a function of that name as autocast would cast them, if it is on."""

    def set_data(self, tensor: Tensor, data: Tensor) -> None:
        """Give a tensor other data."""

    def recurrent(self, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """A recurrent layer as one call."""

    def attention(self, *args: Any, **kwargs: Any) -> Any:
        """Attention as one call."""

    def record_whole(
        self, name: str, named: dict[str, Any], layout: Callable[[], Any], run: Callable[[], Any]
    ) -> Any:
        """Record one call, whose result is `run` if anything is computed, else as `layout` says."""


Handler = Callable[[Catcher, Any, Any, dict[str, Any]], Any]
"""What is done instead of a function: gets the catcher, the function and its arguments."""


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
        (
            "aten.triplet_margin_loss",
            ("anchor", "positive", "negative", "margin", "p", "eps", "swap"),
        ),
    ),
}
"""Functions, and the operator with the names of its arguments that each is recorded as."""
CONVOLUTIONS = {
    torch.conv1d: False, torch.conv2d: False, torch.conv3d: False,
    torch.conv_transpose1d: True, torch.conv_transpose2d: True, torch.conv_transpose3d: True,
}  # fmt: skip
"""Functions of convolutions, and whether they are transposed."""
BACKWARD = {
    "aten.convolution": ("aten.convolution_backward", ("input", "weight")),
    "aten.linalg_vecdot": ("autograd.vecdot_backward", ("x", "y")),
    "aten.cosine_similarity": ("autograd.cosine_similarity_backward", ("x1", "x2")),
    "aten.pairwise_distance": ("autograd.pairwise_distance_backward", ("x1", "x2")),
}
"""What the backward pass is recorded as, and the two tensors that it may be wanted for.

Of other operators what PyTorch makes of it is written down: products element by element."""


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
    backward = Whole() if name in BACKWARD else None
    with recorder.paused(backward):
        result = catcher.pass_on(func, args, kwargs)
    arguments = tuple((key, plain_argument(value)) for key, value in named.items())
    outputs = tuple(spec_of(tensor) for tensor in tensors_in(result))
    if backward is not None:
        backward_name, factors = BACKWARD[name]
        wanted = tuple(named[key].requires_grad for key in factors)
        more = ("grad_output", outputs[0]), ("output_mask", wanted)
        backward.operation = Operation(backward_name, (*arguments, *more), ())
    operation = Operation(name, arguments, outputs)
    recorder.mark(result, recorder.record(operation, list(tensors_in(named))))
    return result


ON_ONE_DEVICE = (
    torch.cdist, torch.stft, Tensor.stft, torch.linalg.multi_dot, torch.chain_matmul,
    torch.take_along_dim, Tensor.take_along_dim,
)  # fmt: skip
"""Functions that compare the devices of their arguments themselves, before any mode sees them."""


def _on_one_device(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """What a function gives whose known arguments are made fake, if any is."""
    given = list(tensors_in((args, kwargs)))
    if not catcher.computes and any(map(is_fake, given)) and not all(map(is_fake, given)):
        args, kwargs = converted((args, kwargs), catcher.recorder.fake_of)
    return catcher.pass_on(func, args, kwargs)


def _istft(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The inverse of a short-time transform, which looks at the values of its window."""
    first = args[0] if args else kwargs["input"]
    if catcher.computes or catcher.differentiable or not is_fake(first):
        return catcher.pass_on(func, args, kwargs)

    def layout() -> Tensor:
        with _disable_current_modes():
            given = converted((args, kwargs), lambda t: torch.ones(t.shape, dtype=t.dtype))
            made = func(*given[0], **given[1])
        return abstract(number_of((tuple(made.shape), made.stride(), made.dtype)))

    window = kwargs.get("window", args[4] if len(args) > 4 else None)
    named = {"self": first, "window": window}
    return catcher.record_whole("aten.istft", named, layout, lambda: None)


HANDLERS: dict[Any, Handler] = {
    **dict.fromkeys((torch.istft, Tensor.istft), _istft),
    **dict.fromkeys(ON_ONE_DEVICE, _on_one_device),
    **{func: _whole(name, names) for func, (name, names) in WHOLE.items()},
    **dict.fromkeys(CONVOLUTIONS, _convolution),
}
"""By the function that is caught."""


ON_DATA = "a condition of torch.cond depends on values; the branch with more MACs is counted"


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


CONTROL_FLOW: dict[Any, Handler] = {
    cond_op: _cond,
    while_loop_op: _while_loop,
    scan_op: _scan,
    map_impl: _map,
    flex_attention: _flex_attention,
}
"""By the operator."""


class Leaves:
    """Fake leaves of the graph of gradients in place of the weights of a live network."""

    def __init__(self, recorder: Recorder, *, is_needed: bool) -> None:
        self.is_needed = is_needed
        """Whether weights are real and nothing is computed."""
        self._recorder = recorder
        self._twins: dict[int, tuple[Tensor, Tensor]] = {}

    def of(self, value: Any) -> Any:
        """The same nested value with each weight replaced by its leaf."""
        if TENSOR[value.__class__]:
            return self._leaf(value)
        if value.__class__ in (list, tuple):
            return value.__class__([self.of(item) for item in value])
        if value.__class__ is dict:
            return {key: self.of(item) for key, item in value.items()}
        return value

    def _leaf(self, tensor: Tensor) -> Tensor:
        known = self._twins.get(id(tensor))
        if known is not None:
            return known[1]
        name = self._recorder.names.get(id(tensor))
        if name is None or not tensor.requires_grad or tensor.is_meta or MARK in tensor.__dict__:
            return tensor
        with _disable_current_modes(), temporarily_clear_interpreter_stack():
            leaf = abstract_twin(tensor.detach()).requires_grad_()
        self._recorder.names[id(leaf)] = name
        self._twins[id(tensor)] = tensor, leaf
        return leaf


def _grad(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`torch.autograd.grad(outputs, inputs, grad_outputs)`."""
    if catcher.computes:
        return func(*args, **kwargs)
    named = dict(zip(("outputs", "inputs", "grad_outputs"), args)) | kwargs
    outputs = _as_tuple(named["outputs"])
    named["grad_outputs"] = _fake_starts(outputs, named.get("grad_outputs"))
    return func(*args[3:], **named)


def _backward(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`tensor.backward(gradient)`."""
    if catcher.computes:
        return func(*args, **kwargs)
    tensor, *others = args
    given = others[0] if others else kwargs.pop("gradient", None)
    start = _fake_starts((tensor,), given)
    return func(tensor, start[0], *others[1:], **kwargs)


def _backward_of_all(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`torch.autograd.backward(tensors, grad_tensors)`."""
    if catcher.computes:
        return func(*args, **kwargs)
    named = dict(zip(("tensors", "grad_tensors"), args)) | kwargs
    tensors = _as_tuple(named["tensors"])
    return func(**{**named, "grad_tensors": _fake_starts(tensors, named.get("grad_tensors"))})


def _as_tuple(value: Any) -> tuple[Tensor, ...]:
    return (value,) if isinstance(value, Tensor) else tuple(value)


def _fake_starts(outputs: tuple[Tensor, ...], given: Any) -> list[Tensor | None]:
    """The gradient that each output starts from, as fake as the output."""
    starts = [None] * len(outputs) if given is None else list(_as_tuple(given))
    return [
        _fake_start(output, start) if output.is_meta else start
        for output, start in zip(outputs, starts)
    ]


def _fake_start(output: Tensor, start: Tensor | None) -> Tensor | None:
    if start is None:
        return torch.empty_like(output) if output.numel() == 1 else None
    return start if start.is_meta else torch.empty_like(start, device="meta")


DERIVATIVES: dict[Any, Handler] = {
    torch.autograd.grad: _grad,
    torch.autograd.backward: _backward_of_all,
    Tensor.backward: _backward,
}
"""By the function that is caught."""
