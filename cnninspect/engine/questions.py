"""What a network asks about the values of fake tensors, and which answers can be given.

Most questions cannot be answered without computing: they raise `ValueNeeded`, and the recorder
remembers that they were asked, because code may catch what they raise.  Some can:

- *checks*: whether all numbers are finite, whether an assertion holds.  They hold, or the network
  would be of no interest;
- *choices*: which of several is largest (`topk`, `argmax`, `sort`).  Each row of the input gets
  the next ones in turn.  What is chosen does not change how much is chosen: the tokens that a
  mixture of experts sends to its experts are tokens × k, whoever gets them.

A choice that the network then asks for is part of the report, as an assumption.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from cnninspect.engine.layouts import MARK
from cnninspect.engine.recording import ASSUMED, Recorder
from cnninspect.engine.torch_private import _disable_current_modes

MOST_KNOWN = 8 * 2**20
"""Elements up to which assumed answers are written out."""

Handler = Callable[[Recorder, Any, Any, dict[str, Any]], Any]


class FakeArray:
    """What `x.numpy()` gives for a fake tensor: a shape and a dtype, and no values."""

    def __init__(self, tensor: Tensor, recorder: Recorder) -> None:
        self._recorder = recorder
        self.shape = tuple(tensor.shape)
        self.ndim = tensor.dim()
        self.size = tensor.numel()
        self.itemsize = tensor.element_size()
        self.nbytes = self.size * self.itemsize
        with _disable_current_modes():
            self.dtype = torch.empty(0, dtype=tensor.dtype).numpy().dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getattr__(self, name: str) -> Any:
        raise self._recorder.refuse("Tensor.numpy")

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise self._recorder.refuse("Tensor.numpy")

    __array__ = __getitem__ = __setitem__ = __iter__ = __bool__ = __float__ = __int__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _refuse
    __rtruediv__ = __pow__ = __neg__ = __lt__ = __le__ = __gt__ = __ge__ = __matmul__ = _refuse
    __array_ufunc__ = __array_function__ = _refuse


def _value(name: str) -> Handler:
    """A question for one value, or all of them."""

    def ask(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        tensor = args[0]
        if is_fake(tensor):
            raise recorder.refuse(name)
        if ASSUMED in tensor.__dict__:
            recorder.note_assumed(tensor)
        return func(*args, **kwargs)

    return ask


def _numpy(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensor = args[0]
    if not is_fake(tensor):
        return _value("Tensor.numpy")(recorder, func, args, kwargs)
    recorder.gave_arrays = True
    return FakeArray(tensor, recorder)


def _finite(value: bool) -> Handler:
    """Whether numbers are finite, which is `value` for all of them."""

    def check(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        result = func(*args, **kwargs)
        return known_like(result, value) if is_fake(result) else result

    return check


def _compared(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`x != x` and `x == x`, which ask whether numbers are NaN."""
    result = func(*args, **kwargs)
    is_one = len(args) > 1 and args[0] is args[1] and is_fake(result)
    return known_like(result, func in EQUAL) if is_one else result


EQUAL = frozenset((Tensor.eq, Tensor.__eq__, torch.eq))


def _holds(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`torch._is_all_true`, which checks arguments: it is true."""
    result = func(*args, **kwargs)
    return known_like(result, True) if is_fake(result) else result


def _assertion(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    return None if isinstance(args[0], Tensor) and is_fake(args[0]) else func(*args, **kwargs)


def _chosen(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """The largest of several: the values are abstract, the indices take turns."""
    result = func(*args, **kwargs)
    indices = result if isinstance(result, Tensor) else result[-1]
    if not (isinstance(indices, Tensor) and is_fake(indices)) or indices.dtype != torch.int64:
        return result
    source = args[0] if args else kwargs["input"]
    dim = _dim_of(func, args, kwargs)
    if dim is None or not is_fake(source) or indices.numel() > MOST_KNOWN or source.dim() == 0:
        return result
    dim %= source.dim()
    count = source.shape[dim]
    kept = indices.shape[dim] if indices.dim() == source.dim() else 1
    if not count or not indices.numel():
        return result
    known = _in_turn(tuple(source.shape), dim, kept).reshape(indices.shape)
    known.__dict__[MARK] = indices.__dict__.get(MARK, (-1, 0))
    known.__dict__[ASSUMED] = (getattr(func, "__name__", "topk"), kept, count)
    if func in ROUTING and 1 <= kept < count:
        recorder.note_routing(experts=count, chosen=kept)
    return known if isinstance(result, Tensor) else type(result)((*result[:-1], known))


def _in_turn(shape: tuple[int, ...], dim: int, kept: int) -> Tensor:
    """For each row along `dim`, the next `kept` of its positions, in turn."""
    count = shape[dim]
    rows = math.prod(shape) // count
    with _disable_current_modes():
        turn = (torch.arange(rows)[:, None] * kept + torch.arange(kept)) % count
        others = (*shape[:dim], *shape[dim + 1 :])
        return turn.reshape(*others, kept).movedim(-1, dim).contiguous()


def _dim_of(func: Any, args: Any, kwargs: dict[str, Any]) -> int | None:
    """The dimension along which a function chooses; None where it is all of them."""
    position = 2 if func in TOP_K else 1
    dim = args[position] if len(args) > position else kwargs.get("dim")
    if func in ALL_BY_DEFAULT:
        return dim if isinstance(dim, int) and not isinstance(dim, bool) else None
    return dim if isinstance(dim, int) and not isinstance(dim, bool) else -1


def _where(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`torch.where` with a mask of bytes, which real tensors allow."""
    mask, *others = args
    if isinstance(mask, Tensor) and mask.dtype == torch.uint8:
        return func(mask.bool(), *others, **kwargs)
    return func(*args, **kwargs)


def _of_numbers(recorder: Recorder, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """`torch.tensor([…])` of numbers among which there are fake tensors without dimensions."""
    data = args[0] if args else kwargs.get("data")
    if not isinstance(data, (list, tuple)):
        return func(*args, **kwargs)
    numbers = list(_flat(data))
    if not any(is_fake(number) for number in numbers):
        return func(*args, **kwargs)
    if any(isinstance(number, Tensor) and number.numel() != 1 for number in numbers):
        return func(*args, **kwargs)  # raises its own error
    shape = []
    while isinstance(data, (list, tuple)):
        shape.append(len(data))
        data = data[0]
    dtype = kwargs.get("dtype") or next(n.dtype for n in numbers if isinstance(n, Tensor))
    parts = [
        (n if isinstance(n, Tensor) else torch.full((), n, dtype=dtype)).reshape(()).to(dtype)
        for n in numbers
    ]
    return torch.stack(parts).reshape(shape).detach()


def _flat(data: Any) -> Iterator[Any]:
    if isinstance(data, (list, tuple)):
        for item in data:
            yield from _flat(item)
    else:
        yield data


def known_like(result: Tensor, value: bool) -> Tensor:
    """A tensor of that value all over, in place of a fake one, while it is not too large."""
    if result.numel() > MOST_KNOWN:
        return result
    with _disable_current_modes():
        known = torch.full(tuple(result.shape), value, dtype=torch.bool)
    if MARK in result.__dict__:
        known.__dict__[MARK] = result.__dict__[MARK]
    return known


def is_fake(tensor: Any) -> bool:
    """Whether this is a tensor without values."""
    return isinstance(tensor, Tensor) and tensor.is_meta


TOP_K = frozenset((torch.topk, Tensor.topk))
ARG_MAX = frozenset((torch.argmax, Tensor.argmax, torch.max, Tensor.max))
ALL_BY_DEFAULT = ARG_MAX | {torch.argmin, Tensor.argmin, torch.min, Tensor.min}
ROUTING = TOP_K | ARG_MAX
SORTING = frozenset((torch.sort, Tensor.sort, torch.argsort, Tensor.argsort))

HANDLERS: dict[Any, Handler] = {
    Tensor.item: _value("Tensor.item"),
    Tensor.tolist: _value("Tensor.tolist"),
    Tensor.__bool__: _value("bool()"),
    Tensor.__float__: _value("float()"),
    Tensor.__int__: _value("int()"),
    Tensor.__index__: _value("int()"),
    Tensor.__complex__: _value("complex()"),
    Tensor.__contains__: _value("in"),
    Tensor.__array__: _value("Tensor.numpy"),
    Tensor.numpy: _numpy,
    **dict.fromkeys(
        (torch.isnan, Tensor.isnan, torch.isinf, Tensor.isinf, torch.isposinf, Tensor.isposinf,
         torch.isneginf, Tensor.isneginf), _finite(False)
    ),
    **dict.fromkeys((torch.isfinite, Tensor.isfinite), _finite(True)),
    **dict.fromkeys((Tensor.ne, Tensor.__ne__, torch.ne, *EQUAL), _compared),
    **dict.fromkeys((torch.where, Tensor.where), _where),
    **dict.fromkeys((torch.tensor, torch.as_tensor), _of_numbers),
    torch._is_all_true: _holds,
    torch._assert_async: _assertion,
    **dict.fromkeys((*TOP_K, *ALL_BY_DEFAULT, *SORTING), _chosen),
}  # fmt: skip
"""By the function that is caught; each gets the recorder, the function and its arguments."""
