"""The table of a checkpoint from what its pickle says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from cnninspect.records.checkpoint import Checkpoint, PickledGlobal, StoredTensor
from cnninspect.sources.checkpoints.contents import Contents
from cnninspect.sources.checkpoints.malformed import Malformed, excerpt
from cnninspect.sources.checkpoints.pickle_opcodes import Pickled
from cnninspect.sources.checkpoints.tensor_symbols import Rebuilt
from cnninspect.sources.checkpoints.torch_globals import is_allowed

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
