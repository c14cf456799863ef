"""From what a pickle says to the table of its tensors, checked against the file that holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from cnninspect.checkpoints.pickles import Call, Global, Pairs, Pickled, items, key_text
from cnninspect.checkpoints.torch_symbols import (
    DICTIONARIES,
    PLAIN_CALLS,
    SPARSE,
    Rebuilt,
    is_allowed,
    tensor_of,
)
from cnninspect.files import Malformed, excerpt
from cnninspect.records.checkpoint import Checkpoint, PickledGlobal, StoredTensor

MAX_LEVELS = 100
MAX_NAME = 1000
BUDGET = 40_000_000
"""Characters that all names may take, so that a small file cannot ask for endless work."""
MAX_VALUES = 100
"""Values that are shown; more are counted."""


class Contents:
    """The tensors and values found so far."""

    def __init__(self) -> None:
        self.tensors: list[tuple[str, Rebuilt]] = []
        self.values: list[tuple[str, str]] = []
        self.hidden_values = 0
        self.objects: list[tuple[str, str]] = []
        """Name and class of what only its class's own code could rebuild, outermost only."""
        self._inside = 0  # objects that are being walked
        self._budget = BUDGET
        self._path: set[int] = set()  # what is being walked, to notice a cycle
        self._leaves: dict[int, bool] = {}  # a long list is looked through once

    def walk(self, name: str, symbol: object) -> None:
        """Collects what a symbol holds, under that name.

        Raises:
            Malformed: a tensor cannot be one, or the values are nested without end.
        """
        self._spend(len(name) + 16)
        if len(name) > MAX_NAME or len(self._path) > MAX_LEVELS:
            raise Malformed("its values are nested too deeply")
        try:
            tensor = tensor_of(symbol)
        except Malformed as error:
            raise Malformed(f"{excerpt(name)}: {error.problem}", error.hint) from error
        if tensor is not None:
            self.tensors.append((name, tensor))
        elif self._is_leaf(symbol):
            self._add_value(name, symbol)
        elif id(symbol) not in self._path:
            self._path.add(id(symbol))
            self._spend(3 * width_of(symbol))
            for part, child in self._children(name, symbol):
                self.walk(f"{name}.{part}" if name and part else name or part, child)
            self._path.remove(id(symbol))

    def _spend(self, amount: int) -> None:
        self._budget -= amount
        if self._budget < 0:
            raise Malformed("its values are too many")

    def _is_leaf(self, symbol: object) -> bool:
        """Whether nothing within a value could be a tensor."""
        if isinstance(symbol, (list, tuple)):
            if id(symbol) not in self._leaves:
                self._leaves[id(symbol)] = all(is_scalar(item) for item in symbol)
            return self._leaves[id(symbol)]
        if isinstance(symbol, Call):
            return symbol.name in PLAIN_CALLS
        return not isinstance(symbol, Pairs)

    def _add_value(self, name: str, symbol: object) -> None:
        if self._inside:
            return
        if len(self.values) < MAX_VALUES:
            self.values.append((name, describe(symbol)))
        else:
            self.hidden_values += 1

    def _children(self, name: str, symbol: object) -> Iterator[tuple[str, object]]:
        """What lies directly in a container or object, by the part of the name it adds."""
        if isinstance(symbol, Pairs):
            yield from items(symbol.pairs)
        elif isinstance(symbol, (list, tuple)):
            yield from ((str(i), child) for i, child in enumerate(symbol))
        elif isinstance(symbol, Call) and symbol.name in DICTIONARIES:
            yield from items(dictionary(symbol))
        elif isinstance(symbol, Call) and symbol.name == SPARSE:
            yield from sparse_parts(symbol)
        elif isinstance(symbol, Call):
            if not self._inside:
                self.objects.append((name, type_name(symbol)))
            self._inside += 1
            yield from self._object_parts(symbol)
            self._inside -= 1

    def _object_parts(self, call: Call) -> Iterator[tuple[str, object]]:
        """What an object holds that would be rebuilt by its class's own code."""
        yield from (("", argument) for argument in call.arguments if not self._is_leaf(argument))
        yield from items(call.pairs)
        yield from ((str(i), child) for i, child in enumerate(call.appended))
        for state in call.state if isinstance(call.state, tuple) else (call.state,):
            if isinstance(state, Pairs):
                yield from self._state_parts(state)
            elif not self._is_leaf(state):
                yield "", state

    def _state_parts(self, state: Pairs) -> Iterator[tuple[str, object]]:
        """What the attributes of an object hold.

        A module of PyTorch keeps its tensors and its children in three dictionaries; they go by
        the names that its state_dict would give them.
        """
        self._spend(3 * width_of(state))
        for key, value in items(state.pairs):
            if key in ("_parameters", "_buffers", "_modules"):
                self._spend(3 * width_of(value))
                yield from (part for part in contained(value) if part[1] is not None)
            elif not self._is_leaf(value):
                yield key, value


def contained(symbol: object) -> Iterator[tuple[str, object]]:
    """Keys and values of a dictionary, however it was made."""
    if isinstance(symbol, Pairs):
        yield from items(symbol.pairs)
    elif isinstance(symbol, Call):
        yield from items(dictionary(symbol))


def dictionary(call: Call) -> list[tuple[object, object]]:
    """Items of an OrderedDict, which old pickles give as a list of pairs to its constructor."""
    given = call.arguments[0] if call.arguments else None
    if isinstance(given, Pairs):
        return given.pairs + call.pairs
    if not isinstance(given, list):
        return call.pairs
    pairs = [tuple(pair) for pair in given if isinstance(pair, (list, tuple)) and len(pair) == 2]
    return [(key, value) for key, value in pairs] + call.pairs


def sparse_parts(call: Call) -> Iterator[tuple[str, object]]:
    """The tensors of a sparse tensor: (layout, (indices, values, size, …)), or one more if CSR."""
    data = call.arguments[1] if len(call.arguments) > 1 else ()
    parts = [part for part in data if isinstance(part, Call)] if isinstance(data, tuple) else []
    tensors = [part for part in parts if part.name != "torch.Size"]
    names = ("indices", "values") if len(tensors) == 2 else ("compressed", "plain", "values")
    yield from zip(names, tensors)


def width_of(symbol: object) -> int:
    """How many values have to be looked at to find what lies directly in a container or object."""
    if isinstance(symbol, Pairs):
        return len(symbol.pairs)
    if isinstance(symbol, (list, tuple)):
        return len(symbol)
    if isinstance(symbol, Call):
        within = (arg for arg in symbol.arguments if not isinstance(arg, Call))
        return len(symbol.pairs) + len(symbol.appended) + sum(1 + width_of(arg) for arg in within)
    return 0


def is_scalar(symbol: object) -> bool:
    """Whether a value holds no others."""
    return not isinstance(symbol, (list, tuple, Pairs, Call))


def type_name(call: Call) -> str:
    """The class of an object: what is called, or what a helper of `copyreg` is called with."""
    first = call.arguments[0] if call.arguments else None
    if call.name.partition(".")[0] in ("copyreg", "copy_reg") and isinstance(first, Global):
        return excerpt(first.name)
    return excerpt(call.name) or "value made by a call"


def describe(symbol: object) -> str:
    """A value as a few words."""
    if isinstance(symbol, Global):
        return excerpt(symbol.name)
    if isinstance(symbol, Call):
        return symbol.name
    if isinstance(symbol, (bytes, bytearray)):
        return f"{len(symbol):,} bytes"
    if isinstance(symbol, (list, tuple)):
        if 0 < len(symbol) <= 8:
            return excerpt(", ".join(excerpt(key_text(value)) for value in symbol), 200)
        return f"{len(symbol):,} values"
    return excerpt(key_text(symbol), 200)


# --- the table ---

MAX_TENSORS = 300_000
"""Of a checkpoint: large mixtures of experts have 100,000."""
Locate = Callable[[str], "tuple[str, int] | None"]
"""From a storage's key to where it lies and its bytes there; None: the file has no such storage."""


def tabulate(pickled: Pickled, locate: Locate, file_format: str) -> Checkpoint:
    """The checkpoint that a pickle describes, its storages checked against those of the file.

    Raises:
        Malformed: the pickle describes what cannot be, or what the file does not hold.
    """
    contents = Contents()
    contents.walk("", pickled.value)
    check_number(len(contents.tensors))
    tensors = [_stored(name, rebuilt, locate) for name, rebuilt in contents.tensors]
    return Checkpoint(
        reference="",
        format=file_format,
        tensors=with_sharing(tensors),
        globals=tuple(PickledGlobal(name, is_allowed(name)) for name in pickled.globals),
        metadata=tuple(contents.values),
        notes=tuple(_notes(contents, pickled)),
    )


def check_number(tensors: int) -> None:
    """Raises Malformed where a file claims more tensors than a table should have."""
    if tensors > MAX_TENSORS:
        raise Malformed(f"it has {tensors:,} tensors; up to {MAX_TENSORS:,} are read")


def with_sharing(tensors: Sequence[StoredTensor]) -> tuple[StoredTensor, ...]:
    """The tensors, each with the name of the first one that its span of bytes overlaps.

    Spans that overlap in a chain count as one: the first of the chain is named by all the others.
    """
    spans: dict[str, list[tuple[int, int, int]]] = {}
    for i, tensor in enumerate(tensors):
        if tensor.storage and tensor.nbytes:
            span = (tensor.offset, tensor.offset + span_bytes(tensor), i)
            spans.setdefault(tensor.storage, []).append(span)
    shares_with: dict[int, str] = {}
    for chain in (chain for in_storage in spans.values() for chain in chains(in_storage)):
        first = min(chain)
        shares_with |= {i: tensors[first].name for i in chain if i != first}
    return tuple(replace(t, shares_with=shares_with.get(i)) for i, t in enumerate(tensors))


def chains(spans: list[tuple[int, int, int]]) -> list[list[int]]:
    """Spans (begin, end, number) by number, those together that overlap."""
    found: list[list[int]] = []
    reached = -1
    for begin, end, number in sorted(spans):
        if begin >= reached:
            found.append([])
        found[-1].append(number)
        reached = max(reached, end)
    return found


def span_bytes(tensor: StoredTensor) -> int:
    """Bytes from the begin of a tensor's first element to the end of its last; it has some."""
    last = sum((size - 1) * step for size, step in zip(tensor.spec.shape, tensor.stride))
    return (last + 1) * (tensor.nbytes // tensor.spec.numel)


def _stored(name: str, rebuilt: Rebuilt, locate: Locate) -> StoredTensor:
    place, offset = "", 0
    if rebuilt.storage is not None:
        storage = rebuilt.storage
        found = locate(storage.key)
        if found is None:
            raise Malformed(f"{excerpt(name)}: the file does not hold its data")
        place, held = found
        if held < storage.start + storage.nbytes:
            raise Malformed(
                f"{excerpt(name)}: its data should take {storage.start + storage.nbytes:,} bytes"
                f" and takes {held:,}",
                "the file is damaged: fetch or save it again",
            )
        offset = storage.start + rebuilt.offset
    return StoredTensor(name, rebuilt.spec, rebuilt.spec.nbytes, place, offset, rebuilt.stride)


def _notes(contents: Contents, pickled: Pickled) -> list[str]:
    notes = []
    if contents.objects:
        (name, maker), more = contents.objects[0], len(contents.objects) - 1
        what = excerpt(name) or "the whole file"
        others = f", as of {more:,} other such objects" if more else ""
        notes.append(f"{what} was made by {maker}; only its tensors are read{others}")
    if contents.hidden_values:
        notes.append(f"{contents.hidden_values:,} more values are not tensors")
    unknown = sum(not is_allowed(name) for name in pickled.globals)
    if unknown:
        notes.append(
            f"torch.load would refuse {unknown:,} of the names it asks for unless it is told"
            " weights_only=False, which lets the file run any code"
        )
    return notes
