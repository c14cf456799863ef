"""What stands over and under a table of layers or models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cnninspect.metrics.summary import (
    ConventionTotal,
    Coverage,
    Device,
    EngineInfo,
    LayerRoofline,
    Published,
    Shared,
    StoredAs,
    Summary,
    Totals,
    Uncounted,
)
from cnninspect.page.page import Fact, Facts, Notice, Style
from cnninspect.page.quantities import bytes_text, count, plural, scaled, scaled_time, sizes
from cnninspect.records.operations import NamedTensor

BUILDS = {
    "meta": "built on the meta device",
    "real": "built for real",
    "file": "read from a file",
}
RUNS = {
    "abstract": "run with fake tensors",
    "real": "run for real",
    "graph": "followed as a graph",
}
TENSORS_NAMED = 6
"""Outputs and shared parameters that are named."""
LAYERS_NAMED = 5
"""Layers named for each operation without a formula."""


def about(report: Summary) -> str:
    """The rest of the title line: where the model is from, what went in."""
    model = report.model
    source = "a live module" if model.source == "module" else model.source
    reference = model.reference if model.reference != model.name else ""
    inputs = f"input {tensors_text(report.inputs)}" if report.inputs else "no input"
    return " · ".join(part for part in (reference, source, inputs, report.mode) if part)


def tensors_text(tensors: tuple[NamedTensor, ...]) -> str:
    """`1×3×224×224 float32`; with names where there are several."""
    named = len(tensors) > 1
    return ", ".join(
        f"{t.name} {sizes(t.spec.shape)} {t.spec.dtype}"
        if named
        else f"{sizes(t.spec.shape)} {t.spec.dtype}"
        for t in tensors
    )


def warnings(uncounted: Sequence[Uncounted]) -> Iterator[Notice]:
    """What is not counted: which operation, how often, where; nothing where all is.

    What has no formula is told apart from what would be counted if the shape of its input were
    known, for which the cause is given.
    """
    unshaped = [gap for gap in uncounted if gap.lacks_shape]
    others = [gap for gap in uncounted if not gap.lacks_shape]
    if unshaped:
        operations = plural(len(unshaped), "operation")
        yield Notice(
            f"{operations} of unknown shape; MACs are a lower bound:",
            tuple(f"{_gap(gap)}: {gap.reason}" for gap in unshaped),
            Style.WARNING,
        )
    if others:
        has = "has" if len(others) == 1 else "have"
        yield Notice(
            f"{plural(len(others), 'operation')} {has} no formula; MACs are a lower bound:",
            tuple(map(_gap, others)),
            Style.WARNING,
        )


def _gap(gap: Uncounted) -> str:
    layers = [path or "the model itself" for path in gap.layers]
    more = len(layers) - LAYERS_NAMED
    where = ", ".join(layers[:LAYERS_NAMED]) + (f" and {more:,} more" if more > 0 else "")
    return f"{gap.op}: {plural(gap.calls, 'call')} in {where}"


def footer(report: Summary, *, human: bool) -> Facts:
    """Totals, coverage, published numbers, how it was traced."""
    facts = (
        *_outputs(report.outputs),
        *_totals(report.totals, "≥ " if report.uncounted else "", human=human),
        *_stored(report.stored, human=human),
        *_shared(report.shared),
        *_convention(report.convention, human=human),
        _coverage(report.coverage),
        *_published(report.published),
        *_device(report.device, report.layers[0].roofline),
        _engine(report.engine),
        *(Fact("note", note) for note in report.engine.notes),
    )
    return Facts(facts)


def _outputs(outputs: Sequence[NamedTensor]) -> Iterator[Fact]:
    """The outputs by name, where there are several: tables show the first and count the others."""
    if len(outputs) > 1:
        listed = tensors_text(tuple(outputs[:TENSORS_NAMED]))
        more = len(outputs) - TENSORS_NAMED
        yield Fact("outputs", listed + (f" and {more:,} more" if more > 0 else ""))


def _shared(shared: Sequence[Shared]) -> Iterator[Fact]:
    """Parameters that are those of another layer, which the table counts there alone."""
    if shared:
        listed = [f"{tensor.name} is {tensor.counted_as}" for tensor in shared[:TENSORS_NAMED]]
        more = len(shared) - TENSORS_NAMED
        rest = f" and {more:,} more" if more > 0 else ""
        yield Fact("shared", f"{', '.join(listed)}{rest}, counted once")


def _totals(totals: Totals, bound: str, *, human: bool) -> Iterator[Fact]:
    parts = [count(totals.parameters, human=human), _trainable(totals, human=human)]
    parts.append(bytes_text(totals.parameter_bytes, human=human))
    if totals.buffers:
        parts.append(f"buffers {count(totals.buffers, human=human)}")
    yield Fact("parameters", " · ".join(part for part in parts if part))
    if totals.active_parameters is not None:
        active = count(totals.active_parameters, human=human)
        yield Fact("active parameters", f"{active} for each token, by the experts chosen")
    macs, flops = (count(n, human=human) for n in (totals.macs, totals.flops))
    yield Fact("MACs", f"{bound}{macs} · FLOPs {bound}{flops} (2 per MAC)")
    elements = f"{bound}{count(totals.activations, human=human)}"
    yield Fact("activations", f"{elements} · {bytes_text(totals.activation_bytes, human=human)}")


def _stored(stored: Sequence[StoredAs], *, human: bool) -> Iterator[Fact]:
    """How many parameters of which type, where there are several types or integers."""
    if len(stored) < 2 and all("float" in kind.dtype for kind in stored):
        return
    parts = (
        f"{count(kind.parameters, human=human)} {kind.dtype} in "
        f"{bytes_text(kind.parameter_bytes, human=human)}"
        for kind in stored
    )
    yield Fact("stored as", " · ".join(parts))


def _device(device: Device | None, root: LayerRoofline | None) -> Iterator[Fact]:
    """The least time on the device that was named, and what is known of that device."""
    if device is None or root is None:
        return
    rates = (
        f"{scaled(device.flops_per_second, 'FLOP/s')} in {device.dtype}, "
        f"{scaled(device.bytes_per_second, 'B/s')}"
    )
    least = f"at least {scaled_time(root.total.seconds)}, call by call"
    if device.assumed:
        least += f", were all floats {device.dtype}"
    yield Fact(device.name, f"{least} · {rates} · {device.source}")


def _trainable(totals: Totals, *, human: bool) -> str:
    total, trainable = totals.parameters, totals.trainable_parameters
    if not total:
        return ""
    if trainable == total:
        return "all trainable"
    if not trainable:
        return "none trainable"
    frozen = count(total - trainable, human=human)
    return f"{count(trainable, human=human)} trainable, {frozen} not"


def _convention(convention: ConventionTotal, *, human: bool) -> Iterator[Fact]:
    if convention.name != "macs":
        total = count(convention.total, human=human)
        source = f" ({convention.source})" if convention.source else ""
        yield Fact(f"as {convention.name}", f"{total} {convention.unit}{source}", Style.ACCENT)


def _coverage(seen: Coverage) -> Fact:
    text = f"{plural(seen.calls, 'call')}: {seen.counted:,} counted, {seen.free:,} free, "
    style = Style.WARNING if seen.unknown else Style.PLAIN
    return Fact("coverage", f"{text}{seen.unknown:,} unknown", style)


def _published(numbers: tuple[Published, ...]) -> Iterator[Fact]:
    """One line for each source, and for what matches and what does not."""
    for matches, source in dict.fromkeys((number.matches, number.source) for number in numbers):
        alike = [n.printed for n in numbers if (n.matches, n.source) == (matches, source)]
        printed, verb = " and ".join(alike), "matches" if matches else "differs from"
        if " " in source:
            text = f"{verb} the published {printed} ({source})"
        else:
            text = f"{verb} {source}'s published {printed}"
        yield Fact("published", text, Style.GOOD if matches else Style.WARNING)


def _engine(engine: EngineInfo) -> Fact:
    how = f"{BUILDS.get(engine.build, engine.build)}, {RUNS.get(engine.run, engine.run)}"
    return Fact("traced", f"{how} · {plural(engine.operations, 'distinct operation')}")


def lower_bounds(uncounted: Iterable[tuple[str, Sequence[Uncounted]]]) -> Iterator[Notice]:
    """The operations without a formula, by model; nothing where there are none."""
    items = tuple(
        f"{name}: {', '.join(gap.op for gap in gaps)}" for name, gaps in uncounted if gaps
    )
    if items:
        verb = "has" if len(items) == 1 else "have"
        who = f"{plural(len(items), 'model')} {verb} operations without a formula"
        yield Notice(f"{who}; ≥ is a lower bound:", items, Style.WARNING)
