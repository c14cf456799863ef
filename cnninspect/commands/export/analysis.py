"""Why a file has other parameters and MACs than the network it was made from.

An exporter may fold batch norm into the convolution before it, store a weight once or twice, turn a
buffer or a sum of constants into a stored tensor, and leave out what never runs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cnninspect.metrics.costing import costed_calls
from cnninspect.records.export_report import (
    Discrepancy,
    ExportReport,
    ExportSettings,
    MadeFile,
    Reconciled,
)
from cnninspect.records.layers import Layer
from cnninspect.records.traces import Trace

FOLDED = "batch norm folded into the layer before it"
BIAS = "biases that take in what batch norm adds"
ZERO = "zeros left out, which add nothing"
REPEATED = "shared weights stored once more, transposed"
UNUSED = "parameters of layers that do not run"
CONSTANT = "constants that the network keeps as buffers or computes"
REWRITTEN = "weights kept in another form"
DROPPED = "weights that are part of others"
PRODUCTS = "products of constants, worked out beforehand"
OTHERWISE = "the exporter writes these layers in another way"


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Both numbers of both quantities, and what makes up their differences."""

    parameters: Reconciled
    macs: Reconciled
    differences: tuple[Discrepancy, ...]


def export_report(made: MadeFile, path: Path, settings: ExportSettings) -> ExportReport:
    """What there is to say of a file that was made."""
    found = reconcile(made.network, made.graph, made.zeros)
    return ExportReport(
        model=made.network.model,
        file=str(path),
        sha256=made.sha256,
        bytes=made.bytes,
        data_file=f"{path.name}.data" if made.data_bytes else None,
        data_bytes=made.data_bytes,
        exporter=settings.exporter,
        opset=made.opset,
        ir_version=made.ir_version,
        inputs=made.graph.inputs,
        outputs=made.graph.outputs,
        open_sizes=made.open_sizes,
        verification=made.verification,
        not_verified=made.not_verified,
        parameters=found.parameters,
        macs=found.macs,
        differences=found.differences,
        mismatch=made.mismatch,
        notes=made.notes,
    )


def reconcile(network: Trace, graph: Trace, zeros: Collection[str] = ()) -> Reconciliation:
    """Compare a network with the file that was made of it, both traced with the same input.

    `zeros` are the full names of parameters that are all zero.
    """
    held, stored = _parameters(network), _parameters(graph)
    work, done = _macs(network), _macs(graph)
    differences = (*_in_parameters(network, held, stored, zeros), *_in_macs(work, done))
    return Reconciliation(
        Reconciled(sum(held.values()), sum(stored.values())),
        Reconciled(sum(work.values()), sum(done.values())),
        tuple(d for d in differences if d.change),
    )


def _parameters(trace: Trace) -> dict[str, int]:
    """Elements of each parameter, by full name."""
    return {
        f"{layer.path}.{p.name}" if layer.path else p.name: p.spec.numel
        for layer in trace.layers
        for p in layer.parameters
        if p.shared_with is None
    }


def _macs(trace: Trace) -> dict[str, int]:
    """MACs of each layer's own calls."""
    found: dict[str, int] = {}
    for call, costed in costed_calls(trace):
        found[call.layer] = found.get(call.layer, 0) + costed.cost.macs
    return found


def _in_parameters(
    network: Trace, held: Mapping[str, int], stored: Mapping[str, int], zeros: Collection[str]
) -> Iterable[Discrepancy]:
    """The differences by reason, with the layers where each occurs."""
    layers = {layer.path: layer for layer in network.layers}
    buffers = _buffers(network)
    shared = {(x.path, p.spec.numel) for x in network.layers for p in x.parameters if p.shared_with}
    norms = {layer.path for layer in network.layers if _is_norm(layer)}
    changes = _unpaired(held, stored, norms)
    gone = {_path(n) for n, change in changes.items() if change < 0 and n not in zeros}
    come = {_path(n) for n, change in changes.items() if change > 0}
    reasons: dict[str, list[tuple[int, str]]] = {}
    for name, change in changes.items():
        path = _path(name)
        if name in held and name not in stored:
            reason = _why_gone(layers.get(path), is_zero=name in zeros)
        elif name in buffers:
            reason = CONSTANT
        elif (path, change) in shared:
            reason = REPEATED
        else:
            reason = BIAS if name.endswith("bias") and _is_folded(layers) else CONSTANT
        if path in gone and path in come and reason in (DROPPED, CONSTANT):
            reason = REWRITTEN
        reasons.setdefault(reason, []).append((change, path))
    for reason, found in reasons.items():
        where = tuple(dict.fromkeys(path for _, path in found))
        yield Discrepancy("parameters", sum(n for n, _ in found), reason, where)


def _unpaired(
    held: Mapping[str, int], stored: Mapping[str, int], norms: Collection[str]
) -> dict[str, int]:
    """How the size of each parameter changes; the same tensor under another name does not.

    That one of two names of a shared weight is left is nothing to tell.  Batch norm's parameters
    are not taken for the bias of their size that folding them leaves.
    """
    changes = {name: stored.get(name, 0) - held.get(name, 0) for name in (*held, *stored)}
    come = {name: n for name, n in changes.items() if name not in held}
    for name, change in list(changes.items()):
        twin = next((n for n, size in come.items() if size == -change), None)
        if name not in stored and change < -1 and twin is not None and _path(name) not in norms:
            del changes[name], changes[twin], come[twin]
    return {name: change for name, change in changes.items() if change}


def _why_gone(layer: Layer | None, *, is_zero: bool) -> str:
    if layer is not None and not layer.calls:
        return UNUSED
    if layer is not None and _is_norm(layer):
        return FOLDED
    return ZERO if is_zero else DROPPED


def _is_norm(layer: Layer) -> bool:
    return "BatchNorm" in layer.type


def _is_folded(layers: Mapping[str, Layer]) -> bool:
    return any(map(_is_norm, layers.values()))


def _buffers(network: Trace) -> set[str]:
    return {
        f"{layer.path}.{b.name}" if layer.path else b.name
        for layer in network.layers
        for b in layer.buffers
    }


def _path(name: str) -> str:
    return name.rpartition(".")[0]


def _in_macs(work: Mapping[str, int], done: Mapping[str, int]) -> Iterable[Discrepancy]:
    """Layer by layer; a layer that the file does not tell is counted with the one around it."""
    total = sum(done.values()) - sum(work.values())
    if not total:
        return
    changed = {
        path: done.get(path, 0) - work.get(path, 0)
        for path in dict.fromkeys((*work, *done))
        if done.get(path, 0) != work.get(path, 0)
    }
    less = {path: n for path, n in changed.items() if n < 0}
    more = {path: n for path, n in changed.items() if n > 0}
    if not more:
        yield Discrepancy("macs", sum(less.values()), PRODUCTS, tuple(less))
        return
    yield Discrepancy("macs", total, OTHERWISE, tuple(changed))
