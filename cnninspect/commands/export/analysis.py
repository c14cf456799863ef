"""Why a file has other parameters and MACs than the network it was made from.

An exporter may fold batch norm into the convolution before it, store equal weights once and shared
ones twice, turn a buffer or a sum of constants into a stored tensor, and leave out what never runs.
Each reason needs evidence: the values of the tensors, or what the traces say of where they come
from.  What has none is told as a difference that is not explained.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cnninspect.commands.export.report import Discrepancy, ExportReport, Reconciled
from cnninspect.metrics.summarizing import costed_calls
from cnninspect.records.exports import ExportSettings, Kinship, MadeFile
from cnninspect.records.operations import CostState
from cnninspect.records.traces import Layer, Trace

FOLDED = "batch norm folded into the layer before it"
BIAS = "biases that take in what batch norm adds"
ZERO = "zeros left out, which add nothing"
SAME = "equal to other weights, and stored once with them"
REPEATED = "shared weights stored once more, transposed"
UNUSED = "parameters of layers that do not run"
CONSTANT = "constants that the network keeps as buffers or computes"
REWRITTEN = "weights kept in another form"
CUT = "only the part that is used here is stored"
JOINED = "weights joined with others into one"
WORKED_OUT = "weights worked out with other constants beforehand"
PRODUCTS = "products of constants, worked out beforehand"
OTHERWISE = "written as other products"
UNKNOWN = ""
"""What nobody can explain."""
KINDS = {"same": SAME, "form": REWRITTEN, "cut": CUT, "joined": JOINED, "zeros": ZERO}
"""Reasons by what the values say of a parameter that is gone."""
NAMED = 3
"""Operators named in a remark."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the tensors themselves say."""

    kinships: tuple[Kinship, ...] = ()

    def of(self, name: str) -> Kinship | None:
        """What is known of a tensor by its full name, or by its last part."""
        short = name.rpartition(".")[2]
        known = {kinship.name: kinship for kinship in self.kinships}
        return known.get(name) or known.get(short)

    def allows(self, parameter: str, tensor: str) -> bool:
        """Whether a tensor of the file may be that parameter under another name."""
        gone, come = self.of(parameter), self.of(tensor)
        if gone is not None and gone.other not in ("", tensor, tensor.rpartition(".")[2]):
            return False
        return come is None or (come.how == "of" and come.other == parameter)


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Both numbers of both quantities, and what makes up their differences."""

    parameters: Reconciled
    macs: Reconciled
    differences: tuple[Discrepancy, ...]


def export_report(made: MadeFile, path: Path, settings: ExportSettings) -> ExportReport:
    """What there is to say of a file that was made."""
    found = reconcile(made.network, made.graph, Evidence(made.kinships))
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
        weights=made.weights,
        quantization=made.quantization,
        notes=made.notes,
    )


def reconcile(network: Trace, graph: Trace, evidence: Evidence | None = None) -> Reconciliation:
    """Compare a network with the file that was made of it, both traced with the same input."""
    held, stored = _parameters(network), _parameters(graph)
    work, done = _macs(network), _macs(graph)
    differences = (
        *_in_parameters(network, graph, evidence or Evidence()),
        *_in_macs(network, graph),
    )
    return Reconciliation(
        Reconciled(sum(held.values()), sum(stored.values())),
        Reconciled(sum(work.values()), sum(done.values())),
        tuple(d for d in differences if d.change),
    )


# --- parameters -------------------------------------------------------------------------------


def _parameters(trace: Trace) -> dict[str, int]:
    """Elements of each parameter, by full name."""
    return {
        f"{layer.path}.{p.name}" if layer.path else p.name: p.spec.numel
        for layer in trace.layers
        for p in layer.parameters
        if p.shared_with is None
    }


def _in_parameters(network: Trace, graph: Trace, evidence: Evidence) -> Iterable[Discrepancy]:
    """The differences by reason, with the layers where each occurs."""
    held, stored = _parameters(network), _parameters(graph)
    norms = {layer.path for layer in network.layers if _is_norm(layer)}
    changes = _unpaired(held, stored, norms, evidence)
    reasons: dict[str, list[tuple[int, str]]] = {}
    judge = _Judge(network, graph, changes, evidence)
    for name, change in changes.items():
        if name in held and name in stored:
            reason = judge.reason_of_change(name)
        else:
            reason = judge.reason_gone(name) if name in held else judge.reason_come(name)
        reasons.setdefault(reason, []).append((change, _path(name)))
    for reason, found in reasons.items():
        where = tuple(dict.fromkeys(path for _, path in found))
        yield Discrepancy("parameters", sum(n for n, _ in found), reason, where)


class _Judge:
    """Finds the reason for each parameter that is on one side only."""

    def __init__(
        self, network: Trace, graph: Trace, changes: Mapping[str, int], evidence: Evidence
    ) -> None:
        self._layers = {layer.path: layer for layer in network.layers}
        self._evidence = evidence
        self._changes = changes
        self._shared = {
            (x.path, p.spec.numel) for x in network.layers for p in x.parameters if p.shared_with
        }
        self._buffers = _buffers(network)
        self._folded = _constant_parameters(network)
        kept = {c.layer for c in graph.calls if c.operation.name.endswith(".BatchNormalization")}
        self._norms = {
            path for path, layer in self._layers.items() if _is_norm(layer) and path not in kept
        }
        self._moved = {_path(name) for name, change in changes.items() if change > 0} & {
            _path(name) for name, change in changes.items() if change < 0
        }

    def reason_gone(self, name: str) -> str:
        """Why the file lacks a parameter."""
        layer = self._layers.get(_path(name))
        if layer is not None and not layer.calls:
            return UNUSED
        known = self._evidence.of(name)
        if _path(name) in self._norms:
            return FOLDED
        if known is not None and known.how in KINDS:
            return KINDS[known.how]
        if name in self._folded:
            return WORKED_OUT
        return REWRITTEN if self._is_rewritten(name) else UNKNOWN

    def reason_come(self, name: str) -> str:
        """Why the file has a tensor that the network has not."""
        path, change = _path(name), self._changes[name]
        if name in self._buffers:
            return CONSTANT
        if (path, change) in self._shared:
            return REPEATED
        if name.endswith("bias") and self._norms:
            return BIAS
        known = self._evidence.of(name)
        if known is not None and known.how == "of":
            return REWRITTEN
        return REWRITTEN if self._is_rewritten(name) else CONSTANT

    def reason_of_change(self, name: str) -> str:
        """Why a parameter has another size under the same name."""
        known = self._evidence.of(name)
        return KINDS.get(known.how, UNKNOWN) if known is not None else UNKNOWN

    def _is_rewritten(self, name: str) -> bool:
        """Whether a layer lacks parameters and has new tensors instead."""
        return _path(name) in self._moved


def _unpaired(
    held: Mapping[str, int], stored: Mapping[str, int], norms: Collection[str], evidence: Evidence
) -> dict[str, int]:
    """How the size of each parameter changes; the same tensor under another name does not.

    That one of two names of a shared weight is left is nothing to tell.  Batch norm's parameters
    are not taken for the bias of their size that folding them leaves, and tensors of the same size
    not for each other where their values say that they are others.
    """
    changes = {name: stored.get(name, 0) - held.get(name, 0) for name in (*held, *stored)}
    come: dict[int, list[str]] = {}
    for name, change in changes.items():
        if name not in held:
            come.setdefault(change, []).append(name)
    for name, change in list(changes.items()):
        if name in stored or change >= -1 or _path(name) in norms or not come.get(-change):
            continue
        twins = [twin for twin in come[-change] if evidence.allows(name, twin)]
        if not twins:
            continue
        near = next((n for n in twins if _path(n) == _path(name)), twins[0])
        come[-change].remove(near)
        del changes[name], changes[near]
    return {name: change for name, change in changes.items() if change}


def _is_norm(layer: Layer) -> bool:
    return "BatchNorm" in layer.type


def _buffers(network: Trace) -> set[str]:
    return {
        f"{layer.path}.{b.name}" if layer.path else b.name
        for layer in network.layers
        for b in layer.buffers
    }


def _path(name: str) -> str:
    return name.rpartition(".")[0]


def _constant_calls(trace: Trace) -> set[int]:
    """The calls that no input of the network reaches: their results are always the same."""
    constant: set[int] = set()
    for call in trace.calls:
        if all(i in constant for i in call.inputs):
            constant.add(call.index)
    return constant


def _constant_parameters(trace: Trace) -> set[str]:
    """Parameters that only such calls take."""
    constant = _constant_calls(trace)
    among = {n for c in trace.calls if c.index in constant for n in c.parameters}
    others = {n for c in trace.calls if c.index not in constant for n in c.parameters}
    return among - others


# --- multiply-accumulates ---------------------------------------------------------------------


def _macs(trace: Trace) -> dict[str, int]:
    """MACs of each layer's own calls."""
    found: dict[str, int] = {}
    for call, costed in costed_calls(trace):
        found[call.layer] = found.get(call.layer, 0) + costed.cost.macs
    return found


def _in_macs(network: Trace, graph: Trace) -> Iterator[Discrepancy]:
    """Layer by layer; a layer that the file does not tell is counted with the one around it."""
    work, done = _macs(network), _macs(graph)
    left = sum(done.values()) - sum(work.values())
    if not left:
        return
    changed = {
        path: done.get(path, 0) - work.get(path, 0)
        for path in dict.fromkeys((*work, *done))
        if done.get(path, 0) != work.get(path, 0)
    }
    beforehand = _worked_out_beforehand(network, changed)
    if beforehand:
        yield Discrepancy("macs", -sum(beforehand.values()), PRODUCTS, tuple(beforehand))
        left += sum(beforehand.values())
        changed = {path: n + beforehand.get(path, 0) for path, n in changed.items()}
        changed = {path: n for path, n in changed.items() if n}
    if not left:
        return
    uncounted = _uncounted(graph)
    is_otherwise = not uncounted and _is_written_otherwise(network, graph, changed)
    yield Discrepancy(
        "macs", left, OTHERWISE if is_otherwise else UNKNOWN, tuple(changed),
        remark=f"in the file, {uncounted} could not be counted" if uncounted else "",
    )  # fmt: skip


def _worked_out_beforehand(network: Trace, changed: Mapping[str, int]) -> dict[str, int]:
    """MACs by layer that the file lacks, of products of which no factor depends on an input."""
    constant = _constant_calls(network)
    found: dict[str, int] = {}
    for call, costed in costed_calls(network):
        if call.index in constant and costed.cost.macs:
            found[call.layer] = found.get(call.layer, 0) + costed.cost.macs
    return {path: n for path, n in found.items() if changed.get(path, 0) <= -n}


def _uncounted(graph: Trace) -> str:
    """The operators of the file whose cost is not known."""
    names = Counter(
        call.operation.name
        for call, costed in costed_calls(graph)
        if costed.state is CostState.UNKNOWN
    )
    shown = [f"{name} ×{n}" if n > 1 else name for name, n in list(names.items())[:NAMED]]
    return ", ".join(shown) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _is_written_otherwise(network: Trace, graph: Trace, changed: Mapping[str, int]) -> bool:
    """Whether these layers have another number of products in the file than in the network.

    Products that are gone, without others that came, are not written otherwise.
    """
    done = _macs(graph)
    is_lost = any(not done.get(path) for path in changed)
    if is_lost and all(change < 0 for change in changed.values()):
        return False
    return _products(network, changed) != _products(graph, changed)


def _products(trace: Trace, paths: Collection[str]) -> int:
    return sum(call.layer in paths and costed.cost.macs > 0 for call, costed in costed_calls(trace))
