"""Puts together what `forward` is called with, from what was given and what the model takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from cnninspect.engine.expectations import Signature, other_sizes, worked_out
from cnninspect.engine.inputs import completed, converted, filled, make, requested
from cnninspect.engine.recording import tensors_in
from cnninspect.engine.structure import Structure, type_name
from cnninspect.errors import BadInput
from cnninspect.records.models import InputRequest, LoadedModel


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
