"""The layers of an `Audit`: each counter's difference to ours, layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.records.audit import Audit, AuditedLayer, LayerCount
from cnninspect.render.audit_view import AuditView
from cnninspect.render.pages import Cell, Column, Kind, Style, Table
from cnninspect.render.plain_data import Field
from cnninspect.render.quantities import ZERO, count, plural


def layer_table(report: Audit, view: AuditView) -> Table:
    """The layers on which somebody differs, the counters that differ anywhere as columns."""
    layers = _at_level(report.layers, view.level)
    differing = [layer for layer in layers if _largest(layer)]
    names = _differing_counters(differing)
    listed = differing
    if view.top is not None:
        listed = sorted(differing, key=lambda layer: -_largest(layer))[: view.top]
    columns = (
        Column("layer", Kind.PATH),
        Column("type", Kind.WORD, sacrifice=1),
        Column("MACs", Kind.NUMBER),
        *(Column(name, Kind.NUMBER, sacrifice=len(names) + 1 - i) for i, name in enumerate(names)),
    )
    rows = tuple(_row(layer, names, report, human=view.human) for layer in listed)
    counted = "each layer by itself" if view.level is None else "deeper layers added to these"
    remarks = [f"{counted}; of the others the difference to ours"]
    if hidden := len(differing) - len(listed):
        remarks.append(f"{plural(hidden, 'more layer')} with smaller differences; --top shows more")
    if agreed := len(layers) - len(differing):
        remarks.append(f"on {plural(agreed, 'layer')} all agree")
    return Table(columns, rows, title="by layer", remarks=tuple(remarks))


def _row(
    layer: AuditedLayer, names: Sequence[str], report: Audit, *, human: bool
) -> tuple[Cell, ...]:
    by_name = {entry.counter: entry.count - layer.macs for entry in layer.counts}
    return (
        Cell(layer.path or f"{report.model.name} (own)"),
        Cell(layer.type, Style.FAINT),
        Cell(count(layer.macs, human=human) if layer.macs else ZERO),
        *(_difference(by_name.get(name, 0), human=human) for name in names),
    )


def _difference(value: int, *, human: bool) -> Cell:
    if not value:
        return Cell(ZERO, Style.FAINT)
    sign = "+" if value > 0 else "-"
    return Cell(
        f"{sign}{count(abs(value), human=human)}", Style.WARNING if value < 0 else Style.PLAIN
    )


def _differing_counters(layers: Sequence[AuditedLayer]) -> tuple[str, ...]:
    """The counters that differ on some layer, one of each set that agree on all of them."""
    columns: dict[str, list[int]] = {}
    for layer in layers:
        for entry in layer.counts:
            columns.setdefault(entry.counter, []).append(entry.count - layer.macs)
    return tuple(name for name, values in columns.items() if any(values))


def _largest(layer: AuditedLayer) -> int:
    return max((abs(entry.count - layer.macs) for entry in layer.counts), default=0)


def _at_level(layers: Sequence[AuditedLayer], level: int | None) -> list[AuditedLayer]:
    """The layers down to `level` names, with what is below added."""
    if level is None:
        return list(layers)
    kept: dict[str, AuditedLayer] = {}
    for layer in layers:
        path = ".".join(layer.path.split(".")[:level]) if layer.path else ""
        known = kept.get(path)
        kind = layer.type if path == layer.path else "" if known is None else known.type
        kept[path] = AuditedLayer(
            path,
            kind,
            layer.macs + (known.macs if known else 0),
            _added(layer.counts, known.counts if known else ()),
        )
    return list(kept.values())


def _added(counts: Sequence[LayerCount], others: Sequence[LayerCount]) -> tuple[LayerCount, ...]:
    before = {entry.counter: entry.count for entry in others}
    return tuple(
        LayerCount(entry.counter, entry.count + before.get(entry.counter, 0)) for entry in counts
    )


def layer_rows(report: Audit, view: AuditView) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each layer with a column for each counter."""
    layers = _at_level(report.layers, view.level)
    names = [entry.counter for entry in layers[0].counts] if layers else []
    return ("path", "type", "macs", *names), (
        (layer.path, layer.type, layer.macs, *(entry.count for entry in layer.counts))
        for layer in layers
    )
