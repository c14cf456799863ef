"""Layouts of tensors, remembered and compared quickly, and which classes are of a kind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from weakref import ref

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from cnninspect.engine.torch_private import _disable_current_modes
from cnninspect.records.operations import TensorSpec
from cnninspect.records.traces import Parameter

Answer = TypeVar("Answer")

MOST_CLASSES = 1000
"""Classes that an answer is kept for.  Some models make new ones all the time."""


class ByClass(dict[type, Answer]):
    """What to answer for each class, asked once: `BY_CLASS[type(value)]`."""

    def __init__(self, ask: Callable[[type], Answer]) -> None:
        super().__init__()
        self.ask = ask

    def __missing__(self, kind: type) -> Answer:
        if len(self) >= MOST_CLASSES:
            self.clear()
        answer = self[kind] = self.ask(kind)
        return answer


def _derives_from(*classes: type) -> ByClass[bool]:
    return ByClass(lambda kind: issubclass(kind, classes))


NUMBERS = frozenset((bool, int, float, complex))
"""They may equal one another, or the number of a layout, where an operator tells them apart."""
TENSOR = _derives_from(Tensor)
UNINITIALISED = _derives_from(UninitializedParameter, UninitializedBuffer)
"""Tensors that a lazy layer has yet to give a shape."""
SCRIPT = _derives_from(torch.jit.ScriptModule)


Layout = tuple[tuple[int, ...], tuple[int, ...], torch.dtype]
"""Shape, strides in elements, dtype.  What is not laid out in strides has one negative number in
their place, which says how it is."""

UNSTRIDED = (
    torch.strided, torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr,
    torch.sparse_bsc, torch.jagged, torch._mkldnn,  # type: ignore[attr-defined]
)  # fmt: skip
"""The other layouts, whose number is minus their place here."""

META = torch.device("meta")

DTYPE_NAMES = {
    value: str(value).removeprefix("torch.")
    for value in vars(torch).values()
    if isinstance(value, torch.dtype)
}

MARK = "_cnninspect"
"""Attribute of a tensor that was made during a trace: the call that made it, or -1 - i for input
number i, and the number of its layout."""


MADE: list[ref[Tensor]] = []
"""Every tensor that was marked by the runs that are under way, in the order of marking."""


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides of a tensor laid out row by row."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= max(size, 1)
    return tuple(reversed(strides))


LAYOUTS: list[Layout] = []
"""By number."""
SPECS: list[TensorSpec] = []
"""What a record says of each, by number."""
_numbers: dict[Layout, int] = {}
MOST_LAYOUTS = 20_000
"""Layouts that a process keeps.  ResNet-152 has 49 at one input size."""
FORGETTING: list[Callable[[], object]] = []
"""What else forgets when layouts get new numbers: whatever remembers a number."""


def number_of(layout: Layout) -> int:
    """The number of a layout; equal layouts have the same one until `forget_layouts`."""
    number = _numbers.get(layout)
    if number is None:
        number = _numbers[layout] = len(LAYOUTS)
        LAYOUTS.append(layout)
        SPECS.append(TensorSpec(tuple(layout[0]), DTYPE_NAMES[layout[2]]))
    return number


def forget_layouts() -> None:
    """Number layouts from 0 again, if there are many and no tensor of a run names one."""
    if len(LAYOUTS) >= MOST_LAYOUTS and all(made() is None for made in MADE):
        for forget in FORGETTING:
            forget()
        LAYOUTS.clear()
        SPECS.clear()
        _numbers.clear()


def layout_of(tensor: Tensor) -> int:
    """The number of a tensor's layout."""
    try:
        if tensor.layout is torch.strided:
            return _numbers[tensor.shape, tensor.stride(), tensor.dtype]
    except (KeyError, RuntimeError):  # it is new, or has no shape or no strides
        pass
    return number_of((shape_of(tensor), strides_of(tensor), tensor.dtype))


def spec_of(tensor: Tensor) -> TensorSpec:
    """Shape and dtype of a tensor."""
    return SPECS[layout_of(tensor)]


def shape_of(tensor: Tensor) -> tuple[int, ...]:
    """The sizes of a tensor; one of nothing for a lazy parameter, which has no shape yet.

    Of a nested tensor, whose parts have sizes of their own, all of its rows.
    """
    try:
        return tensor.shape
    except RuntimeError:
        return packed_shape(tensor) if tensor.is_nested else (0,)


def packed_shape(nested: Tensor) -> tuple[int, ...]:
    """The sizes of the parts of a nested tensor laid one after the other, row by row."""
    sizes: list[list[int]] = nested._nested_tensor_size().tolist()
    widths = {part[-1] for part in sizes if part}
    elements = sum(map(math.prod, sizes))
    if len(widths) != 1 or 0 in widths:
        return (elements,)
    (width,) = widths
    return (elements // width, width)


def strides_of(tensor: Tensor) -> tuple[int, ...]:
    """The strides of a tensor in elements, or what tells how it is laid out instead."""
    if tensor.layout is not torch.strided and not tensor.is_nested:
        return (-UNSTRIDED.index(tensor.layout),) if tensor.layout in UNSTRIDED else ()
    try:
        return tensor.stride()
    except (RuntimeError, ValueError):  # the latter of a lazy parameter
        return ()


def abstract(number: int, made_by: int | None = None, device: torch.device = META) -> Tensor:
    """A new abstract tensor of that layout, marked as made by a call if there is one."""
    shape, strides, dtype = LAYOUTS[number]
    if strides and strides[0] < 0:
        layout = UNSTRIDED[-strides[0]]
        tensor = torch.empty(shape, dtype=dtype, layout=layout, device=device)
    else:
        tensor = torch.empty_strided(shape, strides, dtype=dtype, device=device)
    if made_by is not None:
        tensor.__dict__[MARK] = (made_by, number)
        MADE.append(ref(tensor))
    return tensor


MAY_HOLD = ByClass(
    lambda kind: any(
        base.__module__.startswith(("torch.ao.", "torch.nn.quant")) for base in kind.__mro__
    )
)
"""Whether modules of a class may hold packed weights: those of PyTorch's quantisation do."""


def packed_parameters(module: nn.Module) -> tuple[Parameter, ...]:
    """What a module keeps packed, as parameters that are not trained."""
    if not MAY_HOLD[type(module)]:
        return ()
    found = [value for value in vars(module).values() if isinstance(value, torch.ScriptObject)]
    tensors = [item for packed in found for item in unpacked(packed)]
    names = [name for name, _ in tensors]
    return tuple(
        Parameter(name if names.count(name) == 1 else f"{name}_{i}", spec_of(tensor), False)
        for i, (name, tensor) in enumerate(tensors)
    )


def packed_specs(packed: torch.ScriptObject) -> tuple[TensorSpec, ...]:
    """Shape and dtype of the weights that an object keeps packed; without the biases."""
    return tuple(spec_of(tensor) for name, tensor in unpacked(packed) if name == "weight")


def unpacked(packed: Any) -> list[tuple[str, Tensor]]:
    """The tensors of a packed object, each called `weight` or `bias`; none of other objects."""
    with _disable_current_modes(), torch.no_grad():
        try:
            return list(_tensors(packed.unpack()))
        except (AttributeError, RuntimeError, TypeError):
            pass
        try:
            return list(_tensors(packed.__getstate__()))
        except (AttributeError, RuntimeError, TypeError):
            return []


def _tensors(state: Any) -> Iterator[tuple[str, Tensor]]:
    if isinstance(state, Tensor):
        yield ("weight" if state.dim() > 1 else "bias"), state
    elif isinstance(state, torch.ScriptObject):
        yield from unpacked(state)
    elif isinstance(state, (list, tuple)):
        for item in state:
            yield from _tensors(item)
