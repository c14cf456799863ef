"""What the engine knows of each PyTorch operator, worked out from its schema once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import ref

import torch
from torch import Tensor

from cnninspect.costs import cost_of
from cnninspect.engine import torch_private as private
from cnninspect.engine.layouts import (
    DTYPE_NAMES,
    FORGETTING,
    MADE,
    MARK,
    META,
    abstract,
    layout_of,
    packed_specs,
    spec_of,
)
from cnninspect.records.operations import Argument, CostState, Operation

VALUE_READERS = frozenset({"torchvision.nms", "torchvision.qnms"}) | frozenset(
    "aten." + name
    for name in (
        "_local_scalar_dense", "is_nonzero", "equal", "allclose", "nonzero", "masked_select",
        "_unique", "_unique2", "unique_dim", "unique_consecutive", "unique_dim_consecutive",
        "bincount", "nonzero_static", "_pack_padded_sequence", "_assert_async",
    )
)  # fmt: skip
"""Operators whose result, or its shape, depends on the values of their tensors."""

CREATORS = frozenset(
    "aten." + name
    for name in (
        "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like",
        "randint_like", "new_empty", "new_zeros", "new_ones", "new_full", "new_empty_strided",
    )
)  # fmt: skip
"""Operators that take only the shape or dtype from their tensor, never its values."""

WITHOUT_VALUES = frozenset({"aten.empty", "aten.empty_strided", "aten.empty_like", "aten.new_empty",
                            "aten.new_empty_strided", "aten.empty_permuted"})  # fmt: skip
"""Creators whose result holds no value worth knowing."""

RANDOM = frozenset({"aten.rand", "aten.randn", "aten.rand_like", "aten.randn_like", "aten.normal"})


SPECIAL = frozenset(
    "aten." + name
    for name in (
        "_to_copy",
        "copy",
        "index",
        "_unsafe_index",
        "index_put",
        "index_put_",
        "lift_fresh",
    )
)
"""Operators that ask for care, beyond layouts: with devices, masks or constants."""

RELAYERS = frozenset(
    "aten." + name
    for name in (
        "resize_", "resize_as_", "set_", "as_strided_", "detach_", "squeeze_", "unsqueeze_", "t_",
        "transpose_", "swapaxes_", "swapdims_", "unsafe_chunk_", "rename_", "resize_output_",
    )
)  # fmt: skip
"""Operators that change the shape or strides of a tensor in place."""

SPLITTERS = frozenset({"aten.unsafe_split", "aten.unsafe_split_with_sizes", "aten.unsafe_chunk"})
"""Operators whose results share memory, which their schemas do not say."""


BUILT_IN = frozenset(("aten", "prim", "prims", "profiler", "debugprims", "inductor"))
"""Namespaces of operators whose gradients are known, or do not exist."""


class Operator:
    """One operator of PyTorch, as the engine sees it."""

    __slots__ = (
        "always_runs",
        "argument_names",
        "breaks_gradients",
        "creates",
        "fills",
        "function",
        "is_bookkeeping",
        "is_plain",
        "is_random",
        "is_view",
        "makes_from_nothing",
        "memory",
        "name",
        "reads_values",
        "return_targets",
        "writes",
    )  # fmt: skip

    def __init__(self, function: Any) -> None:
        schema = function._schema
        self.function = function
        self.name = schema.name.replace("::", ".")
        """Namespace and name without the overload."""
        self.argument_names = tuple(argument.name for argument in schema.arguments)
        self.is_bookkeeping = function.namespace in ("prim", "profiler", "debugprims")
        """Whether it asks about tensors rather than making them."""
        self.writes = tuple(
            i for i, a in enumerate(schema.arguments) if a.alias_info and a.alias_info.is_write
        )
        """Positions of the arguments that it changes."""
        self.return_targets = tuple(_target(schema, i) for i in range(len(schema.returns)))
        """For each result: the argument that it is, or None for a new tensor."""
        self.is_view = self.name in SPLITTERS or any(
            r.alias_info and not r.alias_info.is_write for r in schema.returns
        )
        """Whether a result shares memory with an argument."""
        self.always_runs = self.is_view or self.name in RELAYERS
        """Whether its result must be made by PyTorch, since it is more than a layout."""
        self.fills = self.return_targets == (0,) and not self.always_runs
        """Whether all it does is to write new values into its first argument."""
        takes_tensors = any("Tensor" in str(a.type) for a in schema.arguments)
        self.makes_from_nothing = not takes_tensors and "device" in self.argument_names
        """Whether it makes a tensor out of plain values alone."""
        self.creates = not takes_tensors or self.name in CREATORS
        """Whether it makes a tensor without reading the values of another."""
        self.is_random = self.name in RANDOM
        self.reads_values = self.name in VALUE_READERS
        """Whether its result, or its shape, depends on values."""
        self.is_plain = not (
            self.creates or self.is_bookkeeping or self.reads_values or self.name in SPECIAL
        ) and (not self.writes or self.fills)
        """Whether its outcome depends on nothing but the layouts of tensors and plain values."""
        self.breaks_gradients = function.namespace not in BUILT_IN and not any(
            private._dispatch_has_kernel_for_dispatch_key(function.name(), key)
            for key in ("Autograd", "AutogradCPU", "CompositeImplicitAutograd")
        )
        """Whether nobody says how it is differentiated."""
        self.is_plain &= not self.breaks_gradients
        self.memory: dict[Any, Outcome] = {}
        """Outcomes by shapes and plain arguments."""

    def given_at(self, position: int, args: Any, kwargs: dict[str, Any]) -> Any:
        """The argument at a position of the schema, by whatever way it was given."""
        return args[position] if position < len(args) else kwargs.get(self.argument_names[position])

    def targets(self, args: Any, kwargs: dict[str, Any]) -> list[Tensor]:
        """The tensors that a call with these arguments writes into."""
        targets: list[Tensor] = []
        for position in self.writes:
            found = self.given_at(position, args, kwargs)
            found = found if isinstance(found, (list, tuple)) else (found,)
            targets += [target for target in found if isinstance(target, Tensor)]
        return targets


class Outcome:
    """What an operation on abstract tensors gave: enough to answer it again."""

    __slots__ = ("has_values", "is_tuple", "operation", "results")

    def __init__(self, operation: Operation, result: Any, *, has_values: bool = False) -> None:
        self.operation = operation
        self.has_values = has_values
        """Whether the tensor is a real one in a run, because its values may be known."""
        self.is_tuple = isinstance(result, (tuple, list))
        self.results = tuple(
            (True, layout_of(item)) if isinstance(item, Tensor) else (False, item)
            for item in (result if self.is_tuple else (result,))
        )
        """For each result: whether it is a tensor, and the number of its layout or the value."""

    def make(self, made_by: int | None, device: torch.device = META) -> Any:
        """The same result anew, marked as made by that call if there is one."""
        if self.is_tuple:
            return tuple([abstract(v, made_by, device) if is_t else v for is_t, v in self.results])
        is_tensor, value = self.results[0]
        return abstract(value, made_by, device) if is_tensor else value

    def mark(self, result: Any, made_by: int) -> None:
        """Note that an equal result was made by that call."""
        for (is_tensor, value), item in zip(self.results, result if self.is_tuple else (result,)):
            if is_tensor:
                item.__dict__[MARK] = (made_by, value)
                MADE.append(ref(item))


SPARSE = frozenset(
    (torch.sparse_coo, torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)
)
"""Layouts that keep only some of the elements."""

OPERATORS: dict[int, Operator] = {}
"""By the `id` of PyTorch's object, whose own hash is slow."""
MOST_REMEMBERED = 50_000
"""Outcomes kept in a process; a sweep over many models starts afresh past it."""
_remembered = 0
_default_dtype = torch.get_default_dtype()


def operator_of(function: Any) -> Operator:
    """What is known of a PyTorch operator."""
    operator = OPERATORS.get(id(function))
    if operator is None:
        operator = OPERATORS[id(function)] = Operator(function)
    return operator


def remember(operator: Operator, key: Any, outcome: Outcome) -> None:
    """Keep an outcome for the next call with the same key."""
    global _remembered
    if _remembered >= MOST_REMEMBERED:
        _forget()
    operator.memory[key] = outcome
    _remembered += 1


def _forget() -> None:
    global _remembered
    for known in OPERATORS.values():
        known.memory.clear()
    _remembered = 0


FORGETTING.append(_forget)


def forget_other_defaults() -> None:
    """Forget all outcomes where another dtype is now what whole numbers turn into."""
    global _default_dtype
    if torch.get_default_dtype() != _default_dtype:
        _forget()
        _default_dtype = torch.get_default_dtype()


def operation_of(operator: Operator, args: Any, kwargs: Any, result: Any) -> Operation:
    """The plain record of a call with these arguments and this result."""
    named = [(name, plain_argument(a)) for name, a in zip(operator.argument_names, args)]
    named += [(name, plain_argument(a)) for name, a in kwargs.items()]
    results = result if isinstance(result, (tuple, list)) else (result,)
    outputs = tuple(spec_of(t) for t in results if isinstance(t, Tensor))
    operation = Operation(operator.name, tuple(named), outputs)
    layout = odd_layout((*args, *kwargs.values()))
    if layout and cost_of(operation).state is CostState.COUNTED:
        name = f"{layout}.{operator.name.partition('.')[2]}"
        return Operation(name, operation.arguments, outputs)
    return operation


def odd_layout(arguments: Iterable[Any]) -> str:
    """`sparse` or `nested` if a tensor among these is, for which other laws hold; else empty."""
    for value in arguments:
        if isinstance(value, Tensor):
            if value.layout is not torch.strided and value.layout in SPARSE:
                return "sparse"
            if value.is_nested:
                return "nested"
    return ""


def plain_argument(value: Any) -> Argument:
    """An operator's argument without torch in it."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Tensor):
        return spec_of(value)
    if isinstance(value, (list, tuple)):
        return tuple(plain_argument(item) for item in value)
    if isinstance(value, torch.dtype):
        return DTYPE_NAMES[value]
    if isinstance(value, torch.UntypedStorage):
        return "storage"  # its text would be all its bytes
    if isinstance(value, torch.ScriptObject):
        specs = packed_specs(value)
        return (specs[0] if len(specs) == 1 else specs) if specs else str(value)
    return str(value)


def _target(schema: Any, position: int) -> int | None:
    """The argument that is returned as result number `position`, if it is one."""
    alias = schema.returns[position].alias_info
    if not alias or not alias.is_write:
        return None
    for i, argument in enumerate(schema.arguments):
        if argument.alias_info and argument.alias_info.before_set == alias.before_set:
            return i
    return None
