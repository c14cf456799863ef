"""Makes the tensors that `forward` takes, and binds them to its arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.infer_inputs import (
    PADDING,
    Signature,
    has_meaning,
    integers,
    other_sizes,
    worked_out,
)
from cnninspect.engine.layouts import DTYPE_NAMES, spec_of
from cnninspect.engine.module_tree import Structure, type_name
from cnninspect.engine.recording import tensors_in
from cnninspect.errors import BadInput, RunFailed, did_you_mean
from cnninspect.records.models import GivenValue, InputRequest, LoadedModel, TensorValues
from cnninspect.records.operations import NamedTensor, typed_shape

MOST_ELEMENTS = 2**63 // 16
"""Elements whose bytes PyTorch can count in 64 bits, whatever the dtype."""
DTYPES = {name: dtype for dtype, name in DTYPE_NAMES.items()}
USUAL_DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "uint8", "bool")
"""Those that a hint names."""


def completed(
    request: InputRequest, expected: InputRequest | None, batch: int, *, is_full: bool
) -> InputRequest:
    """The request with its batch, dtype and range filled in from what the model expects.

    `is_full` says whether its shape holds the batch.

    Raises:
        BadInput: a size is negative, they are too large, there is no such dtype, or the shape has
        a batch and another one is asked for.
    """
    shape = request.shape
    text = typed_shape(shape)
    if any(size < 0 for size in shape):
        raise BadInput(text, "sizes cannot be negative")
    at = expected.batch_dim if expected is not None else request.batch_dim
    if request.values is not None:
        if request is expected and at == 0 and batch > 1:  # the model's own, for each of the batch
            shape = (batch * shape[0], *shape[1:])
            raw = request.values.raw * batch
            return replace(
                request, shape=shape, values=TensorValues.of_bytes(raw, shape, request.values.dtype)
            )
        at = None
    if at is not None and is_full and len(shape) > at:
        if batch != 1 and request is not expected and not request.grows:
            without = typed_shape((*shape[:at], *shape[at + 1 :]))
            raise BadInput(
                text,
                f"it has a batch of {shape[at]}, and --batch {batch} asks for another",
                f"leave --batch out, or write the shape without it: {without}" if without else "",
            )
        shape = (*shape[:at], batch * shape[at], *shape[at + 1 :])
    elif at is not None and not is_full:
        shape = (*shape[:at], batch, *shape[at:])
    if prod(shape) > MOST_ELEMENTS:
        raise BadInput(text, "no tensor of PyTorch can be as large as that")
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


def make(
    request: InputRequest,
    *,
    device: str,
    dtype: torch.dtype,
    others: Sequence[tuple[int, ...]] = (),
) -> Tensor:
    """A tensor as requested, with the values that were given, or else made up ones.

    Floats are then standard normal; integers depend on the name, see `engine.integers`, and on the
    shapes of the `others` beside it.
    """
    wanted = DTYPES[request.dtype] if request.dtype else dtype
    if request.values is not None:
        raw = bytearray(request.values.raw)
        found = torch.frombuffer(raw, dtype=DTYPES[request.values.dtype]) if raw else torch.empty(0)
        return found.reshape(request.shape).to(wanted)
    if wanted.is_floating_point or wanted.is_complex:
        if torch.device(device).type == "meta":  # no values; and randn imports sympy there
            return torch.empty(request.shape, dtype=wanted, device=device)
        return torch.randn(request.shape, dtype=wanted, device=device)
    name = request.name or ""
    if wanted is torch.bool and not PADDING.search(name):
        return torch.ones(request.shape, dtype=wanted)
    return integers(name, request.shape, high=request.high, others=others).to(wanted)


def filled(value: Any, make_tensor: Callable[[InputRequest], Tensor]) -> Any:
    """A value with a tensor in place of each request, however deep."""
    if isinstance(value, InputRequest):
        return make_tensor(value)
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(filled(item, make_tensor) for item in value)
    if type(value) is dict:
        return {key: filled(item, make_tensor) for key, item in value.items()}
    return value


def requests_in(value: Any) -> Iterator[InputRequest]:
    """Every request in a nested value, in the order in which `filled` meets them."""
    if isinstance(value, InputRequest):
        yield value
    elif isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        for item in value:
            yield from requests_in(item)
    elif type(value) is dict:
        for item in value.values():
            yield from requests_in(item)


def converted(value: Any, convert: Callable[[Tensor], Tensor]) -> Any:
    """The same nested lists, tuples, dictionaries and dataclasses with every tensor converted.

    A dataclass that holds tensors is copied: the one that was given stays as it is.
    """
    if isinstance(value, Tensor):
        return convert(value)
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "__array__"):
        return convert(torch.as_tensor(value))
    if isinstance(value, nn.utils.rnn.PackedSequence):
        # Views of the rest, so that marks of a run never stand on tensors that were given.
        rest = {name: getattr(value, name) for name in value._fields if name != "data"}
        views: Any = {name: None if kept is None else kept.detach() for name, kept in rest.items()}
        return value._replace(data=convert(value.data), **views)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(converted(item, convert) for item in value))
    if isinstance(value, (list, tuple)):
        return type(value)(converted(item, convert) for item in value)
    if isinstance(value, Mapping):
        try:
            return type(value)({k: converted(v, convert) for k, v in value.items()})  # type: ignore[call-arg]
        except TypeError:
            return {k: converted(v, convert) for k, v in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return _converted_fields(value, convert)
    return value


def _converted_fields(value: Any, convert: Callable[[Tensor], Tensor]) -> Any:
    """A copy of a dataclass with its fields converted; itself where none holds a tensor."""
    held = {field.name: getattr(value, field.name, None) for field in fields(value)}
    made = {name: converted(item, convert) for name, item in held.items()}
    if all(made[name] is held[name] for name in held):
        return value
    other = object.__new__(type(value))
    if hasattr(value, "__dict__"):
        vars(other).update(vars(value))
    for name, item in made.items():
        object.__setattr__(other, name, item)  # frozen ones, too
    return other


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


MOST_ATTEMPTS = 16
"""Ways to read what was given that are tried, where its dtypes were only guessed."""
ABOUT_DTYPES = re.compile(
    r"dtype|scalar type|tensor ?type|same type|input type|integer|float|indices|boolean|\bmask\b|"
    r"\b(long|int|half|double|bool|byte|cfloat)\b|`-` operator",
    re.I,
)
"""What errors speak of that another dtype might mend."""
INTEGERS = re.compile(
    r"(^|_)(ids?|idx|index|indices|tokens?|labels?|lengths?|lens)$|edge_index|grid_?thw", re.I
)
"""Names of inputs that hold whole numbers."""
TENSORS = re.compile(r"(typing\.)?(Optional\[)?(torch\.)?Tensor\]?( \| None)?")
"""Annotations of arguments that are a tensor."""
EXAMPLES = {"int": "1", "float": "1.0", "bool": "true", "str": "text"}
"""Values for a hint, by the annotation of an argument."""


@dataclass(frozen=True, slots=True)
class Given:
    """What `forward` is called with."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: tuple[str, ...] = ()
    """Names of the positional ones, as far as they are known."""
    notes: tuple[str, ...] = ()
    """How they were found."""
    change: str = ""
    """What differs from the first attempt: `size`, `dtype` or `form`; empty for that one."""
    guesses: tuple[str, ...] = ()
    """Inputs whose dtype was guessed, as they would be typed: `x:int64:1x128`."""
    fixed: tuple[Tensor, ...] = ()
    """The tensors whose values were given, or matter: they are not to be drawn anew."""

    def tensors(self) -> list[Tensor]:
        """Every tensor among them, in order."""
        return list(tensors_in((self.args, self.kwargs)))

    def may_mend(self, problem: Exception) -> bool:
        """Whether this attempt may do better than one that raised this."""
        return self.change != "dtype" or is_about_dtypes(problem)

    def name_guesses(self, problem: RunFailed) -> None:
        """Say in the hint of an error which dtypes were only guessed, where that may be why."""
        if self.guesses and is_about_dtypes(problem):
            typed = " ".join(f"--input {guess}" for guess in self.guesses)
            problem.hint = f"dtypes were guessed as in {typed}, which sets others"


def is_about_dtypes(problem: BaseException) -> bool:
    """Whether an error may come from inputs of another dtype than a layer takes."""
    return bool(ABOUT_DTYPES.search(str(problem)))


def given_for(
    structure: Structure,
    loaded: LoadedModel,
    inputs: Sequence[Any] | None,
    *,
    kwargs: Mapping[str, Any] | None,
    batch: int,
    is_checked: bool = True,
) -> Iterator[Given]:
    """What to call `forward` with, and what else to try where something was only assumed.

    `inputs` are positional arguments, with an `InputRequest` for each tensor to be made; a request
    or value with a name goes to the argument of that name.  A single dictionary whose keys are
    arguments of `forward` holds those.  What is not given is taken from the model's source, else
    worked out.  Unless `is_checked`, the batch multiplies whatever was given, without an error.

    Raises:
        BadInput: an argument is missing or there is none of that name, or a size is not possible.
    """
    arguments = Arguments(structure, loaded, inputs or (), dict(kwargs or {}))
    is_assumed = arguments.lack_defaults()
    signature = arguments.signature
    wanted = signature.required or signature.names[:1]
    assumed = worked_out(structure.model, wanted, arguments.shapes()) if is_assumed else ()
    if assumed:
        arguments.take_defaults(assumed)
    arguments.read_lists()
    arguments.check()
    notes = arguments.notes() if assumed else ()
    made = partial(arguments.made, batch, is_checked=is_checked)
    yield made(notes)
    if notes:
        for others in other_sizes(assumed):
            arguments.take_defaults(others)
            yield replace(made(arguments.notes()), change="size")
        arguments.take_defaults(assumed)
    elif arguments.defaults and not (arguments.given or arguments.further):
        for others in loaded.other_inputs:
            arguments.take_defaults(others)
            yield replace(made(notes), change="size")
        arguments.take_defaults(loaded.inputs)
    for dtypes in arguments.other_dtypes():
        yield replace(made(notes, dtypes), change="dtype")
    if arguments.read_otherwise():
        yield replace(made(notes), change="form")


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
        self.order: tuple[str, ...] = self.signature.names
        """Names of the arguments that are given by position."""
        self.given: dict[str, Any] = {}
        """What a user gave, by name."""
        self.further: list[Any] = []
        """What a user gave by position beyond the names."""
        self.defaults: dict[str, Any] = {}
        """What the model's source gives, else what was worked out, by name."""
        self.is_told = bool(loaded.inputs or loaded.example)
        """Whether the model's source says what it takes."""
        positional, by_keyword = loaded.example or (loaded.inputs, {})
        self.take_defaults(positional)
        self.defaults.update(by_keyword)
        if len(inputs) == 1 and self._holds_arguments(inputs[0]):
            self.given = dict(inputs[0])
            inputs = ()
        for item in inputs:
            if _name_of(item) is not None:
                self._take_named(item)
        unnamed = iter([name for name in self.order if name not in self.given])
        for item in inputs:
            if _name_of(item) is not None:
                continue
            name = next(unnamed, None)
            if name is None:
                self.further.append(item)
            else:
                self.given[name] = item
        self.given = {name: v for name, v in self.given.items() if name not in self.keywords}

    def _holds_arguments(self, value: Any) -> bool:
        """Whether a dictionary holds the arguments by name, rather than being one of them."""
        if not isinstance(value, Mapping) or not value:
            return False
        known = self.signature.keywords | self.defaults.keys()
        if value.keys() <= known:
            return True
        is_named = all(isinstance(key, str) and key.isidentifier() for key in value)
        is_open = self.signature.takes_any_keyword and is_named
        return is_open and (bool(value.keys() & known) or not self.signature.required)

    def _take_named(self, item: InputRequest | GivenValue) -> None:
        """Note an argument that was given by name; `batch.image` lies in a dictionary `batch`."""
        name = item.name or ""
        first, *path = name.split(".")
        known = self.signature.keywords | self.defaults.keys()
        if name in known or not path or first not in known:
            self._check_name(name)
            self.given[name] = item
            return
        holder = self.given.setdefault(first, {})
        for step in path[:-1]:
            holder = holder.setdefault(step, {})
        holder[path[-1]] = item.value if isinstance(item, GivenValue) else item

    def take_defaults(self, values: Sequence[Any]) -> None:
        """Take these for what a user does not give, by their names or else in order."""
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

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes that were given, by name."""
        given = {
            name: item.shape if isinstance(item, InputRequest) else tuple(item)
            for name, item in self.given.items()
            if isinstance(item, InputRequest) or _is_numbers(item)
        }
        return {name: shape for name, shape in given.items() if shape}

    def lack_defaults(self) -> bool:
        """Whether something must be worked out: an argument, or what a typed shape leaves open."""
        if self.defaults or not (self.signature.names or self.signature.takes_more):
            return False
        given = (*self.given.values(), *self.further)
        is_open = any(isinstance(item, InputRequest) or _is_numbers(item) for item in given)
        return is_open or bool(self._missing()) or not (given or self.keywords)

    def check(self) -> None:
        """See that everything is there and nothing is too much.

        Raises:
            BadInput: `forward` cannot be called with this.
        """
        model, takes = type_name(self.structure.model), ", ".join(self.signature.names)
        missing = self._missing()
        if missing:
            kinds = [self.signature.kinds.get(name, "") for name in missing]
            told = [f"{n} ({k})" if k in EXAMPLES else n for n, k in zip(missing, kinds)]
            example = f"{missing[0]}:float32:1x16 with its own dtype and shape"
            if kinds[0] in EXAMPLES:
                example = f"{missing[0]}={EXAMPLES[kinds[0]]} with its own value"
            raise BadInput(
                "",
                f"{model} takes {takes}; nothing says what {' and '.join(told)} should be",
                f"add --input {example}",
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

    # --- what was left open: the dtype, whether a shape holds the batch, what lists are ---

    def _asked(self) -> list[Asked]:
        """What was given to be made, with what is expected there."""
        found = []
        for name, item in (*self.given.items(), *(("", item) for item in self.further)):
            expected = self.defaults.get(name) if isinstance(item, InputRequest) else None
            known = expected if isinstance(expected, InputRequest) else None
            found += [Asked(request, name, known) for request in requests_in(item)]
        return found

    def _holding_batch(self, asked: Sequence[Asked]) -> list[bool]:
        """Whether each shape holds the batch: all are read by one rule.

        The rank that is expected tells; where nothing is expected, a shape with its dtype is the
        full one, and others are read as those beside them are.
        """
        told: list[bool | None] = []
        for item in asked:
            is_full = item.request.batched
            if is_full is None and item.expected is not None:
                is_full = len(item.request.shape) >= len(item.expected.shape)
            told.append(is_full)
        seen = {is_full for is_full in told if is_full is not None}
        beside = seen.pop() if len(seen) == 1 else None
        for i, item in enumerate(asked):
            if told[i] is None:
                has_dtype, has_name = item.request.dtype is not None, item.request.name is not None
                told[i] = has_dtype or (has_name if beside is None else beside)
        return [bool(is_full) for is_full in told]

    def _guesses(self, asked: Sequence[Asked]) -> list[str]:
        """The dtype that each is guessed to have, or `float`; empty where it is known."""
        guesses = []
        for item in asked:
            is_told = self.is_told and item.expected is not None
            if item.request.dtype is not None or is_told:
                guesses.append("")
            elif item.expected is not None:
                guesses.append(item.expected.dtype or "float")
            else:
                guesses.append("int64" if INTEGERS.search(item.name) else "float")
        return guesses

    def other_dtypes(self) -> Iterator[tuple[str, ...]]:
        """Other dtypes than the guessed ones, those that change the fewest of them first."""
        asked = self._asked()
        choices = []
        for item, guess in zip(asked, self._guesses(asked)):
            others = ("bool", "int64", "float") if "mask" in item.name else ("float", "int64")
            choices.append([guess, *(other for other in others if guess and other != guess)])
        if sum(len(choice) - 1 for choice in choices) > MOST_ATTEMPTS:
            return
        first = tuple(choice[0] for choice in choices)
        ways = sorted(product(*choices), key=lambda way: sum(a != b for a, b in zip(way, first)))
        yield from ways[1:MOST_ATTEMPTS]

    def read_lists(self) -> None:
        """Take a list of numbers for a shape where it is as long as the expected one."""
        for name, value in self.given.items():
            expected = self.defaults.get(name)
            if not isinstance(expected, InputRequest) or expected.dtype is not None:
                continue
            if _is_numbers(value) and len(value) == len(expected.shape):
                self.given[name] = InputRequest(tuple(value))

    def read_otherwise(self) -> bool:
        """Take lists of numbers for shapes, and shapes inside of other values for numbers.

        Returns whether there are any.
        """
        given = {name: _read_otherwise(item) for name, item in self.given.items()}
        further = [_read_otherwise(item) for item in self.further]
        is_new = given != self.given or further != self.further
        self.given, self.further = given, further
        return is_new

    # --- the call ---

    def made(
        self,
        batch: int,
        notes: tuple[str, ...],
        dtypes: Sequence[str] | None = None,
        *,
        is_checked: bool = True,
    ) -> Given:
        """The call, with a tensor for each request.

        Raises:
            BadInput: a size is not possible, or a batch is asked for that nothing takes up.
        """
        asked = self._asked()
        guesses = self._guesses(asked)
        wholes = []
        for item, is_full, guess in zip(asked, self._holding_batch(asked), dtypes or guesses):
            request = item.request
            if not is_checked:
                request = replace(request, grows=True)
            whole = completed(request, item.expected, batch, is_full=is_full)
            if guess:
                whole = replace(whole, dtype=None if guess == "float" else guess)
            wholes.append(replace(whole, name=whole.name or item.name or None))
        if is_checked:
            self._check_batch(batch, asked, wholes)
        call = Call(self, wholes, batch)
        given = {name: call.ready(name, value) for name, value in self.given.items()}
        further = [call.ready("", item) for item in self.further]
        unset = {name: call.ready(name, value) for name, value in self._unset().items()}
        ready = {**unset, **given}
        values = {name: ready[name] for name in {**self.defaults, **given} if name in ready}
        keywords = {name: call.ready(name, value) for name, value in self.keywords.items()}
        args: list[Any] = []
        for name in self.order:  # by position up to the first that is left out
            if name not in values:
                break
            args.append(values.pop(name))
        return Given(
            (*args, *further),
            {**keywords, **values},
            self.order,
            notes + _changes(asked, guesses, dtypes),
            guesses=tuple(
                f"{item.name}:{guess if guess != 'float' else 'float32'}:{typed_shape(whole.shape)}"
                for item, guess, whole in zip(asked, guesses, wholes)
                if guess
            ),
            fixed=tuple(call.fixed),
        )

    def _unset(self) -> dict[str, Any]:
        """The defaults that are used."""
        set_otherwise = self.given.keys() | self.keywords.keys()
        return {name: v for name, v in self.defaults.items() if name not in set_otherwise}

    def _check_batch(
        self, batch: int, asked: Sequence[Asked], wholes: Sequence[InputRequest]
    ) -> None:
        """See that something takes up the batch that is asked for."""
        was_given = self.given or self.further
        takes = any(item.request.shape != whole.shape for item, whole in zip(asked, wholes))
        if batch != 1 and was_given and not takes and not self._unset():
            raise BadInput(
                "",
                f"--batch {batch} has no effect: what was given holds its batch already",
                "leave --batch out, or give shapes without the batch",
            )

    def notes(self) -> tuple[str, ...]:
        """Which inputs were assumed; empty where a user gave them all."""
        used = [
            default
            for name, default in self.defaults.items()
            if name not in self.given and name not in self.keywords
        ]
        shapes = " and ".join(typed_shape(request.shape) for request in used)
        if not used:
            return ()
        return (f"input {shapes} worked out from the first layers; give yours if it differs",)


@dataclass(frozen=True, slots=True)
class Asked:
    """A tensor that was given as a request."""

    request: InputRequest
    name: str
    """The argument that it is, or lies in; empty where that has no name."""
    expected: InputRequest | None
    """What the model takes there."""


class Call:
    """Fills the arguments of one call with tensors."""

    def __init__(self, arguments: Arguments, wholes: Sequence[InputRequest], batch: int) -> None:
        self.kinds = arguments.signature.kinds
        self.dtype = arguments.structure.float_dtype()
        self.batch = batch
        self.fixed: list[Tensor] = []
        self._given = [id(value) for value in (*arguments.given.values(), *arguments.further)]
        self._wholes = iter(wholes)
        own = [request for value in arguments._unset().values() for request in requests_in(value)]
        self._shapes = [request.shape for request in (*wholes, *own)]

    def ready(self, name: str, value: Any) -> Any:
        """A value with a tensor in place of each request."""
        if isinstance(value, GivenValue):
            return self._as_annotated(name, value.value)
        is_given = id(value) in self._given

        def tensor_of(request: InputRequest) -> Tensor:
            if is_given:
                return self._tensor(next(self._wholes))
            return self._tensor(completed(request, request, self.batch, is_full=True))

        return converted(filled(value, tensor_of), _itself)

    def _tensor(self, whole: InputRequest) -> Tensor:
        others = list(self._shapes)
        if whole.shape in others:
            others.remove(whole.shape)
        tensor = make(whole, device="meta", dtype=self.dtype, others=others)
        if whole.values is not None or has_meaning(whole.name or ""):
            self.fixed.append(tensor)
        return tensor

    def _as_annotated(self, name: str, value: Any) -> Any:
        """A number as a tensor where `forward` says that it takes one."""
        is_number = isinstance(value, (int, float)) or _is_nested_numbers(value)
        if is_number and TENSORS.fullmatch(self.kinds.get(name, "")):
            value = torch.tensor(value)
            self.fixed.append(value)
        return value


def _name_of(item: Any) -> str | None:
    return item.name if isinstance(item, (InputRequest, GivenValue)) else None


def _is_numbers(value: Any) -> bool:
    """Whether this is a list of whole numbers: values, or a shape."""
    is_list = isinstance(value, list) and bool(value)
    return is_list and all(type(item) is int for item in value)


def _is_nested_numbers(value: Any) -> bool:
    if isinstance(value, (list, tuple)):
        return all(_is_nested_numbers(item) for item in value)
    return isinstance(value, (int, float))


def _read_otherwise(value: Any, *, is_inside: bool = False) -> Any:
    """A list of numbers as a shape, and a shape inside of another value as numbers."""
    if isinstance(value, InputRequest):
        return value.shape if is_inside and value.dtype is None and not value.name else value
    if _is_numbers(value):
        return value if is_inside else InputRequest(tuple(value))
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return type(value)(_read_otherwise(item, is_inside=True) for item in value)
    if type(value) is dict:
        return {key: _read_otherwise(item, is_inside=True) for key, item in value.items()}
    return value


def _changes(
    asked: Sequence[Asked], guesses: Sequence[str], dtypes: Sequence[str] | None
) -> tuple[str, ...]:
    """What a reader should know of the dtypes that were changed."""
    return tuple(
        f"input {item.name} taken as {chosen}, since a layer refused {guess}"
        for item, guess, chosen in zip(asked, guesses, dtypes or guesses)
        if chosen != guess
    )


def _itself(tensor: Tensor) -> Tensor:
    return tensor
