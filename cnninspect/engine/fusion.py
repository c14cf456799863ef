"""Keeps whole what is thought of as one thing: attention and recurrent layers.

Below this, PyTorch takes `scaled_dot_product_attention` apart into matrix products and a softmax,
and a recurrent layer into one set of products for each time step.  Caught here, each becomes one
call of the trace, with a closed formula for its cost.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import FunctionType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, is_grad_enabled
from torch.overrides import TorchFunctionMode, handle_torch_function

from cnninspect.engine import composites, devices, questions
from cnninspect.engine.autocasting import NativeAutocast
from cnninspect.engine.composites import Catcher, Handler, Leaves
from cnninspect.engine.devices import Devices
from cnninspect.engine.layouts import (
    MARK,
    UNINITIALISED,
    abstract,
    contiguous,
    layout_of,
    number_of,
    spec_of,
)
from cnninspect.engine.operators import plain_argument
from cnninspect.engine.recording import Recorder, tensors_in
from cnninspect.engine.torch_private import (
    _disable_current_modes,
    _len_torch_function_stack,
    _pop_torch_function_stack,
    _push_on_torch_function_stack,
)
from cnninspect.engine.torch_private import _is_any_autocast_enabled as is_autocasting
from cnninspect.records.operations import Operation

ATTENTION = (
    "query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa",
)  # fmt: skip
PADDED = (
    "input", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional",
    "batch_first",
)  # fmt: skip
PACKED = (
    "data", "batch_sizes", "hx", "params", "has_biases", "num_layers", "dropout", "train",
    "bidirectional",
)  # fmt: skip
RECURRENT = {
    getattr(torch, name): f"aten.{name}" for name in ("lstm", "gru", "rnn_tanh", "rnn_relu")
}
SET_DATA = Tensor.data.__set__  # type: ignore[attr-defined]


class Fusion(TorchFunctionMode):
    """Catches the functions above before PyTorch takes them apart.

    It sees to `tensor.data = …` as well, which is no operator, and notes in `replaced` which
    tensors that were there before had which data.

    With `computes`, they are run as well and the real result is given back.  With
    `differentiable`, attention becomes the fused operator that has a gradient, where the CPU would
    take that too, and recurrent layers are taken apart, so that autograd sees what it keeps.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        computes: bool,
        differentiable: bool = False,
        replaced: dict[int, tuple[Tensor, Tensor]] | None = None,
        around_recurrent: Callable[[Callable[..., Any], Any], Any] | None = None,
        devices: Devices | None = None,
    ) -> None:
        super().__init__()
        self.devices = devices or Devices()
        self.autocast = NativeAutocast(self.devices)
        self.leaves = Leaves(recorder, is_needed=not computes and not differentiable)
        self.recorder = recorder
        self.computes = computes
        self.differentiable = differentiable
        self.replaced = replaced
        self.around_recurrent = around_recurrent
        """Runs a recurrent layer that is taken apart, from the function and its arguments."""

    def __enter__(self) -> Fusion:
        super().__enter__()
        F.handle_torch_function = self._pass_on  # type: ignore[attr-defined]
        return self

    def __exit__(self, *problem: Any) -> None:
        F.handle_torch_function = handle_torch_function  # type: ignore[attr-defined]
        super().__exit__(*problem)

    def _pass_on(self, function: Any, relevant: Any, *args: Any, **kwargs: Any) -> Any:
        """The short way to what `torch.nn.functional` calls, where it is not caught.

        The long one looks at every argument, and asks this mode through a context manager.
        """
        if function not in CAUGHT and _len_torch_function_stack() and not is_autocasting():
            mode = _pop_torch_function_stack()
            try:
                if mode is self:
                    return function(*args, **kwargs)
            finally:
                _push_on_torch_function_stack(mode)
        return handle_torch_function(function, relevant, *args, **kwargs)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if is_grad_enabled() and self.leaves.is_needed:
            args, kwargs = self.leaves.of(args), self.leaves.of(kwargs)
        handler = CAUGHT.get(func)
        if handler is not None:
            return handler(self, func, args, kwargs or {})
        return self.pass_on(func, args, kwargs)

    def pass_on(self, func: Any, args: Any, kwargs: dict[str, Any] | None) -> Any:
        """What a function of PyTorch returns on a device that is here."""
        if is_autocasting() and not self.computes:
            return self.autocast.call(func, args, kwargs or {})
        if kwargs:
            if "device" in kwargs or "pin_memory" in kwargs:
                kwargs = self.devices.placed(kwargs)
            return func(*args, **kwargs)
        return func(*args)

    def cast(self, name: str, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The arguments of a function of that name as autocast would cast them, if it is on."""
        if not is_autocasting() or self.computes:
            return args, kwargs
        return self.autocast.cast(name, args, kwargs)

    def running(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What a function returns whose own calls are caught too."""
        _push_on_torch_function_stack(self)
        try:
            return function(*args, **kwargs)
        finally:
            _pop_torch_function_stack()

    def attention(self, *args: Any, **kwargs: Any) -> Any:
        """Attention as one call."""
        if self.differentiable:
            return _differentiable_attention(*args, **kwargs)
        named = dict(zip(ATTENTION, args)) | kwargs
        query, key, value = named["query"], named["key"], named["value"]
        shape = _attention_shape(
            query, key, value, named.get("attn_mask"), is_grouped=named.get("enable_gqa", False)
        )
        if shape is None:
            return F.scaled_dot_product_attention(*args, **kwargs)  # raises its own error

        def layout() -> Tensor:
            return abstract(number_of((shape, contiguous(shape), query.dtype)))

        return self.record_whole(
            "aten.scaled_dot_product_attention", named, layout,
            lambda: F.scaled_dot_product_attention(*args, **kwargs),
        )  # fmt: skip

    def recurrent(self, func: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
        """A recurrent layer as one call."""
        if self.differentiable:
            given = args if self.computes else _with_abstract_states(args)
            if self.around_recurrent is not None and not self.computes and not kwargs:
                return self.around_recurrent(func, given)
            return func(*given, **kwargs)
        is_packed = isinstance(args[1], Tensor) and isinstance(args[3], (list, tuple))
        named = dict(zip(PACKED if is_packed else PADDED, args))
        states = named["hx"] if isinstance(named["hx"], (list, tuple)) else (named["hx"],)

        def layout() -> tuple[Tensor, ...]:
            x = named["data"] if is_packed else named["input"]
            width = states[0].shape[-1] * (2 if named["bidirectional"] else 1)
            shapes = [(*x.shape[:-1], width), *(state.shape for state in states)]
            return tuple(x.new_empty(shape, device="meta") for shape in shapes)

        return self.record_whole(RECURRENT[func], named, layout, lambda: func(*args))

    def set_data(self, tensor: Tensor, data: Tensor) -> None:
        """Give a tensor other data."""
        if MARK in tensor.__dict__:
            made_by, _ = data.__dict__.get(MARK, tensor.__dict__[MARK])
            tensor.data = data
            tensor.__dict__[MARK] = (made_by, layout_of(tensor))
        elif UNINITIALISED[tensor.__class__]:
            tensor.data = data
        elif not self._is_like(data, tensor):
            if self.replaced is not None:
                with _disable_current_modes():
                    self.replaced.setdefault(id(tensor), (tensor, tensor.data))
            tensor.data = data

    def _is_like(self, data: Tensor, weight: Tensor) -> bool:
        """Whether `data` is what is seen of a weight without computing: its layout."""
        is_weight = id(weight) in self.recorder.names and weight.dtype.is_floating_point
        return is_weight and data.is_meta and layout_of(data) == layout_of(weight)

    def record_whole(
        self, name: str, named: dict[str, Any], layout: Callable[[], Any], run: Callable[[], Any]
    ) -> Any:
        """Record one call, whose result is `run` if anything is computed, else as `layout` says."""
        with _disable_current_modes():
            result = run() if self.computes else layout()
        operation = Operation(
            name,
            tuple((key, plain_argument(value)) for key, value in named.items()),
            tuple(spec_of(tensor) for tensor in tensors_in(result)),
        )
        index = self.recorder.record(operation, list(tensors_in(named)))
        self.recorder.mark(result, index)
        return result


def _differentiable_attention(*args: Any, **kwargs: Any) -> Any:
    """Attention by the CPU's fused kernel, where it would be chosen for these arguments.

    Source: PyTorch, aten/src/ATen/native/transformers/sdp_utils_cpp.cpp.
    """
    named = dict(zip(ATTENTION, args)) | kwargs
    query, key, value = named["query"], named["key"], named["value"]
    mask = named.get("attn_mask")
    is_fused = (
        query.dim() == key.dim() == value.dim() == 4
        and query.shape[-1] == key.shape[-1] == value.shape[-1]
        and query.shape[:2] == key.shape[:2] == value.shape[:2]
        and min(query.shape[2], key.shape[2]) > 0
        and not named.get("dropout_p")
        and not (mask is not None and (mask.requires_grad or named.get("is_causal")))
        and query.dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16)
    )
    if not is_fused:
        return F.scaled_dot_product_attention(*args, **kwargs)
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=query.dtype).masked_fill_(
            mask.logical_not(), -torch.inf
        )
    return torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        query,
        key,
        value,
        0.0,
        bool(named.get("is_causal")),
        attn_mask=mask,
        scale=named.get("scale"),
    )[0]


def _with_abstract_states(args: Any) -> Any:
    """The arguments of a recurrent layer, its first state as abstract as its input."""

    def as_abstract(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(as_abstract(item) for item in value)
        if isinstance(value, Tensor) and value.dtype.is_floating_point and not value.is_meta:
            return abstract(layout_of(value))
        return value

    return as_abstract(args)


def whole_modules() -> AbstractContextManager[Any]:
    """Keeps PyTorch from replacing whole transformer modules by one private operator."""
    if not torch.backends.mha.get_fastpath_enabled():
        return nullcontext()
    return _SlowPath()


class _SlowPath(AbstractContextManager[None]):
    def __enter__(self) -> None:
        torch.backends.mha.set_fastpath_enabled(False)

    def __exit__(self, *_: object) -> None:
        torch.backends.mha.set_fastpath_enabled(True)


def _attention_shape(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, *, is_grouped: bool
) -> tuple[int, ...] | None:
    """The shape of what attention returns; None where the arguments do not fit together."""
    if min(query.dim(), key.dim(), value.dim()) < 2:
        return None
    if not query.dtype == key.dtype == value.dtype or not query.dtype.is_floating_point:
        return None
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        return None
    batch: tuple[int, ...] = query.shape[:-2]
    of_key: tuple[int, ...] = key.shape[:-2]
    of_value: tuple[int, ...] = value.shape[:-2]
    if is_grouped:
        if not len(batch) == len(of_key) == len(of_value) > 0:
            return None
        if not all(heads and batch[-1] % heads == 0 for heads in (of_key[-1], of_value[-1])):
            return None
        of_key, of_value = (*of_key[:-1], batch[-1]), (*of_value[:-1], batch[-1])
    if not batch == of_key == of_value:
        try:
            batch = torch.broadcast_shapes(batch, of_key, of_value)
        except RuntimeError:
            return None
    if mask is not None and not _spreads(mask.shape, (*batch, query.shape[-2], key.shape[-2])):
        return None
    return (*batch, query.shape[-2], value.shape[-1])


def _spreads(shape: tuple[int, ...], over: tuple[int, ...]) -> bool:
    """Whether a tensor of a shape can be broadcast over one of another shape."""
    sizes = zip(reversed(shape), reversed(over))
    return len(shape) <= len(over) and all(size in (1, wanted) for size, wanted in sizes)


def _attention(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    args, kwargs = catcher.cast("scaled_dot_product_attention", args, kwargs)
    return catcher.attention(*args, **kwargs)


def _recurrent(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    args, kwargs = catcher.cast("lstm", args, kwargs)
    return catcher.recurrent(func, args, kwargs)


def _dropout(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    named = dict(zip(("input", "p"), args)) | kwargs
    x, p = named.get("input"), named.get("p", 0.5)
    if isinstance(x, Tensor) and isinstance(p, (int, float)):
        catcher.recorder.note_dropout(x, float(p))
    return catcher.pass_on(func, args, kwargs)


def _rerun(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """A function written in Python, whose own calls are to be caught too."""
    return catcher.running(_unguarded(func), *args, **kwargs)


def _set_data(catcher: Catcher, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    return catcher.set_data(*args)


def _for_devices(handler: Any) -> Handler:
    return lambda catcher, func, args, kwargs: handler(catcher.devices, func, args, kwargs)


def _for_recorder(handler: Any) -> Handler:
    return lambda catcher, func, args, kwargs: handler(catcher.recorder, func, args, kwargs)


def _unguarded(func: Any) -> Any:
    """The same function without its own look for overrides, which would never end."""
    free = func.__globals__ | {"has_torch_function": lambda _: False}
    copy = FunctionType(func.__code__, free, func.__name__, func.__defaults__, func.__closure__)
    copy.__kwdefaults__ = func.__kwdefaults__
    return copy


DROPOUTS = (
    F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout,
    torch.dropout, torch.dropout_,
)  # fmt: skip
"""What lets everything through in testing, so that no operation is seen of it."""

CAUGHT: dict[Any, Handler] = {
    **dict.fromkeys(DROPOUTS, _dropout),
    F.scaled_dot_product_attention: _attention,
    F.multi_head_attention_forward: _rerun,
    F.triplet_margin_with_distance_loss: _rerun,
    SET_DATA: _set_data,
    **dict.fromkeys(RECURRENT, _recurrent),
    **{func: _for_devices(handler) for func, handler in devices.HANDLERS.items()},
    **{func: _for_recorder(handler) for func, handler in questions.HANDLERS.items()},
    **composites.CONTROL_FLOW,
    **composites.DERIVATIVES,
    **composites.HANDLERS,
}
"""What is done with each function that is caught."""
