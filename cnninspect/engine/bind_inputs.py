"""Makes the tensors that `forward` takes, and binds them to its arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.infer_inputs import Signature, other_sizes, worked_out
from cnninspect.engine.layouts import DTYPE_NAMES, spec_of
from cnninspect.engine.module_tree import Structure, type_name
from cnninspect.engine.recording import tensors_in
from cnninspect.errors import BadInput, did_you_mean
from cnninspect.records.models import InputRequest, LoadedModel
from cnninspect.records.tensors import NamedTensor

MOST_ELEMENTS = 2**63 // 16
"""Elements whose bytes PyTorch can count in 64 bits, whatever the dtype."""
DTYPES = {name: dtype for dtype, name in DTYPE_NAMES.items()}
USUAL_DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "uint8", "bool")
"""Those that a hint names."""


def completed(request: InputRequest, expected: InputRequest | None, batch: int) -> InputRequest:
    """The request with its batch, dtype and range filled in from what the model expects.

    Raises:
        BadInput: a size is negative, they are too large, or there is no such dtype.
    """
    shape = request.shape
    if any(size < 0 for size in shape):
        raise BadInput("x".join(map(str, shape)), "sizes cannot be negative")
    has_batch = request.batched
    if has_batch is None and expected is not None:
        has_batch = len(shape) >= len(expected.shape)
    elif has_batch is None:  # nothing tells the rank: `x:float32:8x3` is all of it, as a hint says
        has_batch = request.dtype is not None
    at = expected.batch_dim if expected is not None else request.batch_dim
    if at is not None and has_batch and len(shape) > at:
        shape = (*shape[:at], batch * shape[at], *shape[at + 1 :])
    elif at is not None and not has_batch:
        shape = (*shape[:at], batch, *shape[at:])
    if prod(shape) > MOST_ELEMENTS:
        raise BadInput("x".join(map(str, shape)), "no tensor of PyTorch can be as large as that")
    filled = replace(request, shape=shape, batched=True)
    if expected is not None:
        filled = replace(
            filled,
            dtype=request.dtype or expected.dtype,
            name=request.name or expected.name,
            high=request.high if request.high is not None else expected.high,
        )
    if filled.dtype is not None and filled.dtype not in DTYPES:
        hint = did_you_mean(filled.dtype, DTYPES) or f"usual are {', '.join(USUAL_DTYPES)}"
        raise BadInput(filled.dtype, "there is no such dtype", hint)
    return filled


def make(request: InputRequest, *, device: str, dtype: torch.dtype) -> Tensor:
    """A tensor as requested; floats are standard normal, integers count up and wrap around."""
    wanted = DTYPES[request.dtype] if request.dtype else dtype
    if wanted.is_floating_point or wanted.is_complex:
        if torch.device(device).type == "meta":  # no values; and randn imports sympy there
            return torch.empty(request.shape, dtype=wanted, device=device)
        return torch.randn(request.shape, dtype=wanted, device=device)
    count = torch.Size(request.shape).numel()
    high = request.high if request.high is not None else 2
    return (torch.arange(count) % max(high, 1)).reshape(request.shape).to(wanted)


def requested(value: Any) -> Any:
    """A request for a tensor, where the value is the shape of one."""
    is_shape = isinstance(value, tuple) and value and all(type(size) is int for size in value)
    return InputRequest(value) if is_shape else value


def filled(value: Any, expected: Any, make_tensor: Callable[[InputRequest, Any], Tensor]) -> Any:
    """A value with a tensor in place of each request, however deep."""
    if isinstance(value, InputRequest):
        return make_tensor(value, expected)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(filled(item, item, make_tensor) for item in value)
    if type(value) is dict:
        return {key: filled(item, item, make_tensor) for key, item in value.items()}
    return value


def converted(value: Any, convert: Callable[[Tensor], Tensor]) -> Any:
    """The same nested lists, tuples and dictionaries with every tensor converted."""
    if isinstance(value, Tensor):
        return convert(value)
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "__array__"):
        return convert(torch.as_tensor(value))
    if isinstance(value, nn.utils.rnn.PackedSequence):
        return value._replace(data=convert(value.data))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(converted(item, convert) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(converted(item, convert) for item in value)
    if isinstance(value, Mapping):
        try:
            return type(value)({k: converted(v, convert) for k, v in value.items()})  # type: ignore[call-arg]
        except TypeError:
            return {k: converted(v, convert) for k, v in value.items()}
    return value


def named(prefix: str, value: Any) -> Iterable[NamedTensor]:
    """Every tensor in a nested value, named by its keys and positions."""
    if isinstance(value, Tensor):
        yield NamedTensor(prefix, spec_of(value))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from named(f"{prefix}.{key}" if prefix else str(key), item)
    elif isinstance(value, (list, tuple)):
        keys = getattr(value, "_fields", range(len(value)))
        for key, item in zip(keys, value):
            yield from named(f"{prefix}.{key}" if prefix else str(key), item)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        for key in value.__dataclass_fields__:
            yield from named(f"{prefix}.{key}" if prefix else key, getattr(value, key, None))


@dataclass(frozen=True, slots=True)
class Given:
    """What `forward` is called with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: tuple[str, ...] = ()
    """Names of the positional ones, as far as they are known."""
    notes: tuple[str, ...] = ()
    """How they were found."""

    def tensors(self) -> list[Tensor]:
        """Every tensor among them, in order."""
        return list(tensors_in((self.args, self.kwargs)))


def given_for(
    structure: Structure,
    loaded: LoadedModel,
    inputs: Sequence[Any] | None,
    *,
    kwargs: Mapping[str, Any] | None,
    batch: int,
) -> Iterator[Given]:
    """What to call `forward` with, and what else to try where a size was only assumed.

    `inputs` are positional arguments, with an `InputRequest` for each tensor to be made; a request
    with a name goes to the argument of that name.  A single dictionary whose keys are arguments of
    `forward` holds those.  What is not given is taken from the model's source, else worked out.

    Raises:
        BadInput: an argument is missing or there is none of that name, or a size is not possible.
    """
    arguments = Arguments(structure, loaded, inputs or (), dict(kwargs or {}))
    is_assumed = arguments.lack_defaults()
    signature = arguments.signature
    wanted = signature.required or signature.names[:1]
    assumed = worked_out(structure.model, wanted) if is_assumed else ()
    if assumed:
        arguments.take_defaults(assumed)
    arguments.check()
    notes = arguments.notes() if assumed else ()
    yield arguments.made(batch, notes)
    if notes:
        for others in other_sizes(assumed):
            arguments.take_defaults(others)
            yield arguments.made(batch, arguments.notes())


class Arguments:
    """The arguments of one call of `forward`, as far as they are known."""

    def __init__(
        self,
        structure: Structure,
        loaded: LoadedModel,
        inputs: Sequence[Any],
        kwargs: dict[str, Any],
    ) -> None:
        self.structure = structure
        self.signature = Signature(structure.model)
        self.keywords = {**loaded.keywords, **kwargs}
        if len(inputs) == 1 and self._holds_arguments(inputs[0]):
            self.keywords |= {name: requested(value) for name, value in inputs[0].items()}
            inputs = ()
        self.order: tuple[str, ...] = self.signature.names
        """Names of the arguments that are given by position."""
        self.given: dict[str, Any] = {}
        """What a person gave, by name."""
        self.further: list[Any] = []
        """What a person gave by position beyond the names."""
        self.defaults: dict[str, Any] = {}
        """What the model's source gives, else what was worked out, by name."""
        positional, by_keyword = loaded.example or (loaded.inputs, {})
        self.take_defaults(positional)
        self.defaults.update(by_keyword)
        for item in inputs:
            if isinstance(item, InputRequest) and item.name is not None:
                self._check_name(item.name)
                self.given[item.name] = item
        unnamed = iter([name for name in self.order if name not in self.given])
        for item in inputs:
            if isinstance(item, InputRequest) and item.name is not None:
                continue
            name = next(unnamed, None)
            if name is None:
                self.further.append(item)
            else:
                self.given[name] = item

    def _holds_arguments(self, value: Any) -> bool:
        return (
            isinstance(value, Mapping) and bool(value) and value.keys() <= self.signature.keywords
        )

    def take_defaults(self, values: Sequence[Any]) -> None:
        """Take these for what a person does not give, by their names or else in order."""
        names = [value.name if isinstance(value, InputRequest) else None for value in values]
        if not self.order:
            self.order = tuple(name or f"input{i}" for i, name in enumerate(names))
        self.defaults = {
            name or (self.order[i] if i < len(self.order) else f"input{i}"): value
            for i, (name, value) in enumerate(zip(names, values))
        }
        for name in self.order:  # names that were not known when inputs were given by position
            if self.further and name not in self.given:
                self.given[name] = self.further.pop(0)

    def _check_name(self, name: str) -> None:
        known = self.signature.keywords | self.defaults.keys()
        if name not in known and not self.signature.takes_any_keyword:
            taken = ", ".join(self.signature.names)
            raise BadInput(name, "forward has no argument of that name", f"it has: {taken}")

    def lack_defaults(self) -> bool:
        """Whether something must be worked out: an argument, or what a typed shape leaves open."""
        if self.defaults or not (self.signature.names or self.signature.takes_more):
            return False
        given = (*self.given.values(), *self.further)
        is_open = any(isinstance(item, InputRequest) for item in given)
        return is_open or bool(self._missing()) or not (given or self.keywords)

    def check(self) -> None:
        """See that everything is there and nothing is too much.

        Raises:
            BadInput: `forward` cannot be called with this.
        """
        model, takes = type_name(self.structure.model), ", ".join(self.signature.names)
        missing = self._missing()
        if missing:
            raise BadInput(
                "",
                f"{model} takes {takes}; nothing says what {' and '.join(missing)} should be",
                f"add --input {missing[0]}:float32:1x16 with its own dtype and shape",
            )
        has_any = self.defaults or self.given or self.further or self.keywords
        if not has_any and self.signature.takes_more:
            raise BadInput("", f"cannot work out what {model} takes")
        if self.further and not self.signature.takes_more:
            count, most = len(self.given) + len(self.further), len(self.signature.names)
            raise BadInput(
                "",
                f"{count} input{' was' if count == 1 else 's were'} given, and {model} takes "
                f"{most}{': ' * bool(takes)}{takes}",
                "give one for each argument of forward",
            )

    def _missing(self) -> list[str]:
        """Required arguments that nothing was found for."""
        known = {**self.defaults, **self.given, **self.keywords}
        return [name for name in self.signature.required if name not in known]

    def made(self, batch: int, notes: tuple[str, ...]) -> Given:
        """The call, with a tensor for each request."""
        dtype = self.structure.float_dtype()

        def tensor_of(request: InputRequest, expected: Any) -> Tensor:
            known = expected if isinstance(expected, InputRequest) else None
            return make(completed(request, known, batch), device="meta", dtype=dtype)

        def ready(name: str, value: Any) -> Any:
            return converted(filled(value, self.defaults.get(name), tensor_of), _itself)

        values = {
            name: ready(name, value)
            for name, value in {**self.defaults, **self.given}.items()
            if name not in self.keywords
        }
        args: list[Any] = []
        for name in self.order:  # by position up to the first that is left out
            if name not in values:
                break
            args.append(values.pop(name))
        args += [ready("", item) for item in self.further]
        keywords = {name: ready(name, value) for name, value in self.keywords.items()}
        return Given(tuple(args), {**keywords, **values}, self.order, notes)

    def notes(self) -> tuple[str, ...]:
        """Which inputs were assumed; empty where a person gave them all."""
        used = [
            default
            for name, default in self.defaults.items()
            if name not in self.given and name not in self.keywords
        ]
        shapes = " and ".join("x".join(map(str, request.shape)) for request in used)
        return (f"input {shapes} worked out from the first layers",) if used else ()


def _itself(tensor: Tensor) -> Tensor:
    return tensor
