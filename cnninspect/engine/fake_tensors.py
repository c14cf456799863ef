"""Fake tensors in the place of real ones, among a module's tensors and a call's arguments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.layouts import MARK, META, NUMBERS, UNINITIALISED, layout_of
from cnninspect.engine.operators import Operator
from cnninspect.engine.recording import Recorder, storage_of
from cnninspect.engine.torch_private import (
    _get_dispatch_mode,
    _meta_in_tls_dispatch_include,
    _TorchDispatchModeKey,
    is_traceable_wrapper_subclass_type,
)

CPU = torch.device("cpu")
MOST_REAL_BYTES = 8 * 2**20
"""Integer and boolean tensors up to this size keep their values."""
MOST_REAL_FLOATS = 4096
"""Floating-point tensors of known value up to this many elements keep their values."""


def learns_a_shape(types: Any) -> bool:
    """Whether an operator is run on PyTorch's own fake tensors, only to learn a shape.

    So DTensor does before each product, and `types` are the tensor subclasses of the call.
    """
    if _meta_in_tls_dispatch_include():
        return True
    return bool(types) and _get_dispatch_mode(_TorchDispatchModeKey.FAKE) is not None


class Twin:
    """What stands in for one tensor."""

    __slots__ = ("layout", "original", "stand_in")

    def __init__(self, original: Tensor, stand_in: Tensor) -> None:
        self.original = original  # kept alive, so that its id stays its own
        self.stand_in = stand_in
        self.layout = layout_of(stand_in) if stand_in.is_meta else None
        """The number of its layout, if it is abstract."""


class StandIns:
    """What operators get to see in place of tensors.

    Weights are seen as abstract tensors, small constants as copies that they may write into.
    Without a recorder, while a model is built, tensors are seen as they are.
    """

    def __init__(self, recorder: Recorder | None = None) -> None:
        self.recorder = recorder
        self._twins: dict[int, Twin] = {}
        """By the `id` of the tensor that was there before."""
        self._spoiled: dict[int, Any] = {}
        """Storages of real tensors that something abstract was written into, kept alive: a new one
        may get the key of one that is gone."""

    def stand_in(self, tensor: Tensor) -> Tensor:
        """What operators get to see in place of a tensor."""
        is_of_the_trace = self.recorder is None or MARK in tensor.__dict__
        seen = tensor if is_of_the_trace else self.twin_of(tensor).stand_in
        if self._spoiled and not seen.is_meta and storage_of(seen) in self._spoiled:
            return abstract_twin(seen)
        return seen

    def twin_of(self, tensor: Tensor) -> Twin:
        """The twin of a tensor that was there before."""
        twin = self._twins.get(id(tensor))
        if twin is None:
            if torch.is_inference_mode_enabled():  # a view of the twin must be what one of it is
                with torch.inference_mode(tensor.is_inference()):
                    twin = Twin(tensor, self._made_for(tensor))
            else:
                twin = Twin(tensor, self._made_for(tensor))
            self._twins[id(tensor)] = twin
        return twin

    def _made_for(self, tensor: Tensor) -> Tensor:
        if tensor.is_meta:
            return tensor
        names = self.recorder.names if self.recorder else {}
        if id(tensor) in names and tensor.dtype.is_floating_point and not is_setting(tensor):
            return abstract_twin(tensor)
        return _copy_if_small(tensor)

    def spoil(self, operator: Operator, args: Sequence[Any]) -> None:
        """Note that something abstract is written: real tensors among the targets are not known."""
        for position in operator.writes:
            if position < len(args):
                target = args[position]
                is_real = isinstance(target, Tensor) and not target.is_meta
                if is_real and target.layout is torch.strided:
                    self._spoiled[storage_of(target)] = target.untyped_storage()


COMPRESSED = {
    torch.sparse_csr: ("crow_indices", "col_indices"),
    torch.sparse_bsr: ("crow_indices", "col_indices"),
    torch.sparse_csc: ("ccol_indices", "row_indices"),
    torch.sparse_bsc: ("ccol_indices", "row_indices"),
}
"""How the two kinds of indices of each compressed layout are called."""


def sparse_unchecked() -> AbstractContextManager[Any]:
    """Make sparse tensors whose indices are not looked at: they have no values."""
    return torch.sparse.check_sparse_tensor_invariants(False)


def parts_of(tensor: Tensor) -> tuple[Tensor, ...]:
    """The strided tensors that one consists of: itself, or the indices and values of a sparse one.

    Of a wrapper (`__tensor_flatten__`), what it wraps.
    """
    if tensor.layout is torch.sparse_coo:
        return tensor._indices(), tensor._values()
    if tensor.layout in COMPRESSED:
        pointers, indices = COMPRESSED[tensor.layout]
        return getattr(tensor, pointers)(), getattr(tensor, indices)(), tensor.values()
    if is_traceable_wrapper_subclass_type(type(tensor)):
        names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
        held = [getattr(tensor, name) for name in names]  # also the mesh that it is spread over
        return tuple(p for part in held if isinstance(part, Tensor) for p in parts_of(part))
    return (tensor,)


PLAIN: frozenset[type] = frozenset((Tensor, nn.Parameter, nn.Buffer))
"""Classes of tensors that consist of their elements."""


def stored_otherwise(tensor: Tensor) -> int | None:
    """Bytes that a tensor takes where those of its elements would say something else, or None."""
    if type(tensor) in PLAIN and tensor.layout is torch.strided:
        return None
    if UNINITIALISED[tensor.__class__]:
        return None
    parts = parts_of(tensor)
    if len(parts) == 1 and parts[0] is tensor:
        return None
    return sum(part.numel() * part.element_size() for part in parts)


def is_setting(tensor: Tensor) -> bool:
    """Whether this is a number that is kept as a buffer, such as how often to repeat something."""
    return tensor.dim() == 0 and not isinstance(tensor, nn.Parameter) and not tensor.requires_grad


def stored_bytes(tensor: Tensor) -> int:
    """Bytes of the memory behind a tensor, all of it where it is a view."""
    return sum(part.untyped_storage().nbytes() for part in parts_of(tensor))


def abstract_twin(tensor: Tensor) -> Tensor:
    """An abstract tensor of the same shape, strides and dtype; a sparse one keeps as many elements.

    Source: the constructors of https://docs.pytorch.org/docs/stable/sparse.html.
    """
    if tensor.layout is torch.sparse_coo:
        indices, values = (abstract_twin(part) for part in parts_of(tensor))
        with sparse_unchecked():
            return torch.sparse_coo_tensor(indices, values, tensor.shape)
    if tensor.layout in COMPRESSED:
        pointers, others, values = (abstract_twin(part) for part in parts_of(tensor))
        with sparse_unchecked():
            return torch.sparse_compressed_tensor(
                pointers, others, values, tensor.shape, layout=tensor.layout
            )
    if is_traceable_wrapper_subclass_type(type(tensor)):
        return wrapper_of(tensor, abstract_twin)
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return torch.empty_like(tensor, device=META)
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=META)


def wrapper_of(tensor: Any, convert: Callable[[Tensor], Tensor]) -> Tensor:
    """A wrapper like this one around other tensors, each converted from the one that it wraps."""
    names, context = tensor.__tensor_flatten__()
    held = {name: getattr(tensor, name) for name in names}
    inner = {k: convert(v) if isinstance(v, Tensor) else v for k, v in held.items()}
    made: Tensor = type(tensor).__tensor_unflatten__(inner, context, tensor.shape, tensor.stride())
    return made


def _copy_if_small(tensor: Tensor) -> Tensor:
    is_float = tensor.dtype.is_floating_point or tensor.dtype.is_complex
    limit = MOST_REAL_FLOATS if is_float else MOST_REAL_BYTES // tensor.element_size()
    if tensor.numel() > limit:
        return abstract_twin(tensor)
    return tensor.detach().to(CPU, copy=True)


def fits(tensors: list[Tensor]) -> bool:
    """Whether computing with these real tensors stays small, were they broadcast together."""
    if all(t.numel() <= 256 for t in tensors):
        return True
    rank = max(t.dim() for t in tensors)
    together = math.prod(
        max((t.shape[-i] for t in tensors if t.dim() >= i), default=1) for i in range(1, rank + 1)
    )
    largest = max(t.element_size() for t in tensors)
    return together * largest <= MOST_REAL_BYTES


class Arguments:
    """The arguments of one call: as they were given, and with fake tensors for their tensors."""

    __slots__ = (
        "_given_args", "_given_kwargs", "_seen", "args", "given", "has_abstract", "kwargs",
        "stand_ins",
    )  # fmt: skip

    def __init__(self, seen: StandIns, args: Any, kwargs: dict[str, Any]) -> None:
        self._seen = seen
        self._given_args, self._given_kwargs = args, kwargs
        self.given: list[Tensor] = []
        """Every tensor, as given, in schema order."""
        self.stand_ins: list[Tensor] = []
        """What stands in for each."""
        self.args: list[Any] = [self._replace(a) for a in args]
        self.kwargs: dict[str, Any] = {k: self._replace(a) for k, a in kwargs.items()}
        self.has_abstract = any(t.is_meta for t in self.stand_ins)

    def _replace(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            stand_in = self._seen.stand_in(value)
            self.given.append(value)
            self.stand_ins.append(stand_in)
            return stand_in
        if isinstance(value, (list, tuple)):
            return [self._replace(item) for item in value]
        return value

    def make_abstract(self) -> None:
        """Replace the real tensors that are left, and forget the device."""
        if any(not t.is_meta for t in self.stand_ins):
            self.args = [_abstracted(a) for a in self.args]
            self.kwargs = {k: _abstracted(a) for k, a in self.kwargs.items()}
        if "device" in self.kwargs:
            self.kwargs["device"] = META

    def key(self) -> Any:
        """What the layout of a result depends on, hashable."""
        key = [key_of(value) for value in self.args]
        key += [(name, key_of(value)) for name, value in self.kwargs.items()]
        return tuple(key)

    def given_arguments(self) -> tuple[Any, dict[str, Any]]:
        """The arguments as they were given."""
        return self._given_args, self._given_kwargs

    def may_not_fit(self) -> bool:
        """Whether some tensor has another shape or dtype than the first."""
        first, *others = self.stand_ins
        return any(t.shape != first.shape or t.dtype != first.dtype for t in others)

    def restore_targets(self, operator: Operator, result: Any) -> Any:
        """The result, with each tensor that was changed in place as it was given."""
        if not operator.writes:
            return result
        if not isinstance(result, (tuple, list)):
            target = operator.return_targets[0] if operator.return_targets else None
            return result if target is None else operator.given_at(target, *self.given_arguments())
        return tuple(
            item if target is None else operator.given_at(target, *self.given_arguments())
            for item, target in zip(result, operator.return_targets)
        )


def _abstracted(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value if value.is_meta else abstract_twin(value)
    if isinstance(value, list):
        return [_abstracted(item) for item in value]
    return value


def key_of(value: Any) -> Any:
    """What the layout of a result depends on in one argument, hashable."""
    if isinstance(value, Tensor):
        return layout_of(value)
    if isinstance(value, list):
        is_sizes = not value or value[0].__class__ is int
        return tuple(value) if is_sizes else tuple([key_of(item) for item in value])
    if value.__class__ in NUMBERS:
        return value.__class__, value  # 1, 1.0 and True are equal, and promote differently
    return value
