"""How an `Audit` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnninspect.commands.audit.report import (
    Audit,
    AuditedCounter,
    AuditedLayer,
    CounterKind,
    LayerCount,
    Reason,
)
from cnninspect.errors import BadOption
from cnninspect.page.footers import tensors_text
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Notice, Page, Style, Table
from cnninspect.page.quantities import ZERO, count, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView(View):
    """What to show of an audit's layers, and how.

    Raises:
        BadOption: the level or the number of rows cannot be used.
    """

    level: int | None = None
    """Names in the paths down to which layers are shown, those below added; None: all."""
    top: int | None = None
    """Only so many layers, those that differ most."""

    def __post_init__(self) -> None:
        if self.level is not None and self.level < 0:
            raise BadOption("--level", self.level, "0 or more")
        if self.top is not None and self.top < 1:
            raise BadOption("--top", self.top, "1 or more")


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


OURS = "cnninspect"
CSV_FIELDS = (
    "counter", "kind", "about", "unit", "total", "difference", "percent", "unexplained", "reasons",
    "problem",
)  # fmt: skip


def page(report: Audit, view: AuditView) -> Page:
    """The numbers, then what each difference is made of, then where counters go wrong."""
    shown = _shown(report.counters)
    blocks: list[Block] = [_numbers(report, shown, view)]
    if reasons := _reasons(shown, view):
        blocks.append(reasons)
    if cautions := tuple(_cautions(shown)):
        blocks.append(Notice("what the counters that miss something leave out:", cautions))
    if report.layers:
        blocks.append(layer_table(report, view))
    if notes := tuple(_notes(report)):
        blocks.append(Facts(notes))
    source = "a live module" if report.model.source == "module" else report.model.source
    inputs = f"input {tensors_text(report.inputs)}" if report.inputs else "no input"
    return Page(report.model.name, f"{source} · {inputs} · {report.mode}", tuple(blocks))


def _shown(counters: Sequence[AuditedCounter]) -> list[AuditedCounter]:
    """The counters without rules that a tool was run for with the same result."""
    run = {(c.name, c.total) for c in counters if c.kind is CounterKind.TOOL}
    return [c for c in counters if c.kind is not CounterKind.RULES or (c.name, c.total) not in run]


# --- the numbers ---

NUMBER_COLUMNS = (
    Column("counter", Kind.PATH),
    Column("total", Kind.NUMBER),
    Column("difference", Kind.NUMBER),
    Column("%", Kind.NUMBER),
    Column("source", Kind.PROSE, sacrifice=1),
)
RULES_OF = "as "
"""What stands before the name of a counter whose rules were applied to our trace."""


def _numbers(report: Audit, shown: Sequence[AuditedCounter], view: AuditView) -> Table:
    bound = "≥ " if report.uncounted else ""
    ours = Cell(f"{bound}{count(report.macs, human=view.human)}", Style.STRONG)
    what = Cell("MACs of its trace", Style.FAINT)
    rows: list[tuple[Cell, ...]] = [(Cell(OURS, Style.STRONG), ours, Cell(), Cell(), what)]
    printed: dict[tuple[int | None, int], list[AuditedCounter]] = {}
    silent = _silent(shown)
    missing = [c for c in shown if c.problem.startswith(NOT_INSTALLED)]
    for counter in shown:
        if counter in missing or counter.name in silent.get(counter.problem, ()):
            continue
        if counter.kind is CounterKind.PUBLISHED:
            printed.setdefault((counter.total, counter.unexplained), []).append(counter)
        else:
            rows.append(_number_row(counter, _rests_on(counter), view))
    for alike in printed.values():
        where = " · ".join(counter.about for counter in alike)
        agrees = f": {AS_PRINTED}" if _is_as_printed(alike[0]) else ""
        rows.append(_number_row(alike[0], f"{where}{agrees}", view))
    remarks = []
    if missing:
        install = " ".join(c.problem.removeprefix(NOT_INSTALLED) for c in missing)
        names = ", ".join(counter.name for counter in missing)
        remarks.append(f"not installed: {names}; pip install {install}")
    remarks += [f"no answer from {_names(names)}: {problem}" for problem, names in silent.items()]
    if len(report.counters) > len(shown):
        names = _names([counter.name for counter in report.counters if counter not in shown])
        remarks.append(f"the rules of {names} give the same as the tools")
    return Table(NUMBER_COLUMNS, tuple(rows), remarks=tuple(remarks))


NOT_INSTALLED = "not installed: pip install "
"""How the problem of a tool begins that is not there."""


def _silent(counters: Sequence[AuditedCounter]) -> dict[str, list[str]]:
    """Names of the counters that failed for one reason, where several did; they need no rows."""
    failed: dict[str, list[str]] = {}
    for counter in counters:
        if counter.total is None and not counter.problem.startswith(NOT_INSTALLED):
            failed.setdefault(counter.problem, []).append(counter.name)
    return {problem: names for problem, names in failed.items() if len(names) > 1}


AS_PRINTED = "agrees as printed"


def _is_as_printed(counter: AuditedCounter) -> bool:
    """Whether all that there is to say of a number in print is that it agrees."""
    reasons = counter.reasons
    return not counter.unexplained and all(r.text.startswith("agrees as far") for r in reasons)


def _names(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _number_row(counter: AuditedCounter, rests_on: str, view: AuditView) -> tuple[Cell, ...]:
    if counter.total is None:
        problem = f"{counter.about}: {counter.problem}" if counter.about else counter.problem
        return (
            Cell(counter.name, Style.FAINT),
            Cell("failed", Style.WARNING),
            Cell(),
            Cell(),
            Cell(problem, Style.FAINT),
        )
    style = Style.PLAIN
    if not counter.difference or (
        counter.kind is CounterKind.PUBLISHED and _is_as_printed(counter)
    ):
        style = Style.GOOD
    elif counter.unexplained or any(reason.is_gap for reason in counter.reasons):
        style = Style.WARNING
    return (
        Cell(_label(counter)),
        Cell(count(counter.total, human=view.human)),
        Cell(signed(counter.difference or 0, human=view.human), style),
        Cell(percent_text(counter.percent), style),
        Cell(rests_on, Style.FAINT),
    )


def _rests_on(counter: AuditedCounter) -> str:
    if counter.kind is CounterKind.RULES:
        return "its rules on our trace"
    return f"{counter.about}, halved" if counter.unit == HALVED else counter.about


HALVED = "FLOPs, halved"


def signed(value: int, *, human: bool) -> str:
    """`+22,328,320`, `-715,327,488` and `0`."""
    text = count(abs(value), human=human)
    return text if not value else f"{'+' if value > 0 else '-'}{text}"


def percent_text(percent: float | None) -> str:
    """`+0.55`, `<+0.01` where it rounds to nothing, `0` for none at all."""
    if percent is None:
        return ""
    if percent and abs(percent) < 0.005:
        return f"{'+' if percent > 0 else '-'}<0.01"
    return f"{percent:+.2f}" if percent else "0"


# --- what the differences are made of ---

REASON_COLUMNS = (
    Column("counter", Kind.PATH),
    Column("difference", Kind.NUMBER),
    Column("calls", Kind.NUMBER, sacrifice=1),
    Column("why", Kind.PROSE),
)


def _reasons(shown: Sequence[AuditedCounter], view: AuditView) -> Table | None:
    rows: list[tuple[Cell, ...]] = []
    told: dict[tuple[Reason, ...], str] = {}
    for counter in shown:
        if counter.kind is CounterKind.PUBLISHED and _is_as_printed(counter):
            continue
        of_counter = [_reason_row(reason, view) for reason in counter.reasons]
        if counter.reasons in told and counter.reasons:
            text = f"for the same reasons as {told[counter.reasons]}"
            amount = signed(sum(r.amount for r in counter.reasons), human=view.human)
            of_counter = [(Cell(amount), Cell(), Cell(text, Style.FAINT))]
        told.setdefault(counter.reasons, counter.name)
        if counter.unexplained:
            of_counter.append(_unexplained_row(counter, view))
        for i, cells in enumerate(of_counter):
            name = Cell(_label(counter) if i == 0 else "", full=_label(counter))
            rows.append((name, *cells))
    return Table(REASON_COLUMNS, tuple(rows), title="why they differ") if rows else None


def _unexplained_row(counter: AuditedCounter, view: AuditView) -> tuple[Cell, ...]:
    text = "unexplained"
    if counter.unexplained_in:
        text += f" in {', '.join(path or 'the model itself' for path in counter.unexplained_in)}"
    if counter.kind is CounterKind.PUBLISHED:
        text += f": {counter.about}{f': {counter.caution}' if counter.caution else ''}"
    amount = signed(counter.unexplained, human=view.human)
    return Cell(amount, Style.WARNING), Cell(), Cell(text, Style.WARNING)


def _label(counter: AuditedCounter) -> str:
    return f"{RULES_OF}{counter.name}" if counter.kind is CounterKind.RULES else counter.name


def _reason_row(reason: Reason, view: AuditView) -> tuple[Cell, ...]:
    style = Style.WARNING if reason.is_gap else Style.PLAIN
    text = f"{reason.what}: {reason.text}" if reason.calls else reason.text
    return (
        Cell(signed(reason.amount, human=view.human), style),
        Cell(f"{reason.calls:,}" if reason.calls else "", Style.FAINT),
        Cell(text, style),
    )


def _cautions(shown: Sequence[AuditedCounter]) -> Iterator[str]:
    for counter in shown:
        if counter.caution and any(reason.is_gap for reason in counter.reasons):
            yield f"{counter.name}: {counter.caution}"


def _notes(report: Audit) -> Iterator[Fact]:
    if report.uncounted:
        names = ", ".join(unknown.op for unknown in report.uncounted)
        yield Fact("unknown", f"{names}: ours is a lower bound", Style.WARNING)
    unexplained = list(dict.fromkeys(counter.name for counter in report.unexplained))
    if unexplained:
        yield Fact("unexplained", ", ".join(unexplained), Style.WARNING)
    else:
        yield Fact("verdict", "every difference is explained to the unit", Style.GOOD)
    yield from (Fact("note", note) for note in report.engine.notes)


# --- CSV ---


def rows(report: Audit, view: AuditView) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each counter, or for each layer where those were asked for."""
    if report.layers:
        return layer_rows(report, view)
    return CSV_FIELDS, (
        (
            c.name, c.kind.value, c.about, c.unit, c.total, c.difference, c.percent, c.unexplained,
            "; ".join(map(_in_words, c.reasons)), c.problem,
        )
        for c in report.counters
    )  # fmt: skip


def _in_words(reason: Reason) -> str:
    calls = f" ({plural(reason.calls, 'call')})" if reason.calls else ""
    return f"{reason.what}: {reason.text}{calls}: {reason.amount}"


RENDERER = Renderer(view=AuditView, page=page, rows=rows)
