"""How the tensors of a network and of a file of weights, or of two files, match by name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from cnninspect.metrics.difference import MisshapenTensor, OddTensor, Renaming, TensorDifference
from cnninspect.metrics.weights import (
    is_average,
    misshapen_reason,
    missing_reason,
    prefix_reason,
    unexpected_reason,
)
from cnninspect.records.checkpoint import Checkpoint
from cnninspect.records.traces import Trace

Shapes = Mapping[str, tuple[int, ...]]
"""Shape by full name."""
LEVELS = 4
"""Names that a prefix may consist of."""


def match_network(trace: Trace, file: Checkpoint) -> TensorDifference:
    """How a file fits a network, as loading it would find out."""
    return _difference(
        trace.model.reference, network_tensors(trace), file.reference, file_tensors(file),
        shared=_shared(trace), notes=_notes(trace, file),
    )  # fmt: skip


def match_files(old: Checkpoint, new: Checkpoint) -> TensorDifference:
    """How two files of weights match."""
    return _difference(old.reference, file_tensors(old), new.reference, file_tensors(new))


def network_tensors(trace: Trace) -> dict[str, tuple[int, ...]]:
    """The parameters and buffers that a checkpoint of the network holds."""
    found = {}
    for layer in trace.layers:
        prefix = f"{layer.path}." if layer.path else ""
        for parameter in layer.parameters:
            found[prefix + parameter.name] = parameter.spec.shape
        for buffer in layer.buffers:
            if buffer.persistent:
                found[prefix + buffer.name] = buffer.spec.shape
    return found


def file_tensors(file: Checkpoint) -> dict[str, tuple[int, ...]]:
    """The tensors of a file."""
    return {tensor.name: tensor.spec.shape for tensor in file.tensors}


def _difference(
    old_name: str,
    old: Shapes,
    new_name: str,
    new: Shapes,
    *,
    shared: Mapping[str, str] | None = None,
    notes: tuple[str, ...] = (),
) -> TensorDifference:
    before, after = _prefixes(old, new)
    by_rest = {name.removeprefix(before): name for name in old if name.startswith(before)}
    counterpart = {
        by_rest[name.removeprefix(after)]: name
        for name in new
        if name.startswith(after) and name.removeprefix(after) in by_rest
    }
    lone = {name: old[name] for name in old if name not in counterpart}
    extra = {name: new[name] for name in new.keys() - set(counterpart.values())}
    odd = [(a, b) for a, b in counterpart.items() if old[a] != new[b]]
    rests = set(by_rest)
    return TensorDifference(
        old=old_name,
        new=new_name,
        matched=len(counterpart) - len(odd),
        renaming=Renaming(before, after, len(counterpart), prefix_reason(before, after))
        if before or after
        else None,
        missing=tuple(
            OddTensor(name, shape, *missing_reason(name, shape, extra, shared or {}, counterpart))
            for name, shape in lone.items()
        ),
        unexpected=tuple(
            OddTensor(name, new[name], *unexpected_reason(name, rests))
            for name in new
            if name in extra
        ),
        misshapen=tuple(
            MisshapenTensor(a, old[a], new[b], misshapen_reason(a, old[a], new[b], tuple(old)))
            for a, b in odd
        ),
        notes=notes,
    )


def _prefixes(old: Shapes, new: Shapes) -> tuple[str, str]:
    """What to take off the names of each side so that the most of them are the same.

    Of several that do equally well, weights and not averages of them, and the shortest; none
    where less than half would find their like.
    """
    best = (0, False, 0, "", "")
    ends = _leading(new)
    for before in _leading(old):
        rests = _rests(old, before)
        for after in ends:
            likes = _likes(rests, new, after)
            averaged = is_average(before) or is_average(after)
            best = min(best, (-likes, averaged, len(before) + len(after), before, after))
    likes, _, _, before, after = best
    plain = _likes(old, new, "")
    if -likes <= plain or -likes < min(len(old), len(new)):  # those of one shape count twice
        return "", ""
    return before, after


def _rests(names: Shapes, prefix: str) -> dict[str, tuple[int, ...]]:
    return {
        name.removeprefix(prefix): shape for name, shape in names.items() if name.startswith(prefix)
    }


def _likes(old: Shapes, new: Shapes, after: str) -> int:
    """Names that both sides have once `after` is taken off; those of one shape count twice."""
    rests = _rests(new, after)
    return sum(1 + (old[rest] == rests[rest]) for rest in rests.keys() & old.keys())


def _leading(names: Iterable[str]) -> list[str]:
    """Prefixes that a tenth of the names or more begin with, and none."""
    names = list(names)
    counts: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")[:-1][:LEVELS]
        counts.update(".".join(parts[: i + 1]) + "." for i in range(len(parts)))
    often = [prefix for prefix, number in counts.items() if 10 * number >= len(names)]
    return ["", *sorted(often, key=lambda prefix: (-counts[prefix], prefix))[:20]]


def _shared(trace: Trace) -> dict[str, str]:
    """By name, the name under which the same parameter was met first."""
    found = {}
    for layer in trace.layers:
        prefix = f"{layer.path}." if layer.path else ""
        for parameter in layer.parameters:
            if parameter.shared_with is not None:
                found[prefix + parameter.name] = parameter.shared_with
                found.setdefault(parameter.shared_with, prefix + parameter.name)
    return found


def _notes(trace: Trace, file: Checkpoint) -> tuple[str, ...]:
    """How the file is stored, where that is not how the network would be."""
    stored = Counter(t.spec.dtype for t in file.tensors if "float" in t.spec.dtype)
    built = Counter(p.spec.dtype for layer in trace.layers for p in layer.parameters)
    if not stored or not built:
        return file.notes
    ours, theirs = built.most_common(1)[0][0], stored.most_common(1)[0][0]
    if ours == theirs:
        return file.notes
    return (*file.notes, f"the file stores {theirs}, the network is built in {ours}")
