"""How a `Sweep` is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from cnninspect.commands.sweep.report import Effect, Models, Sweep, SweptModel
from cnninspect.errors import BadOption
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.model_table import OTHERS, limit_facts
from cnninspect.page.page import (
    Block,
    Cell,
    Column,
    Fact,
    Facts,
    Kind,
    Notice,
    Page,
    Style,
    Table,
)
from cnninspect.page.quantities import count, plural, scaled_time

AXES = {
    "parameters": "few parameters",
    "macs": "few MACs",
    "activations": "few activations",
    "bytes": "few bytes",
    "memory": "little memory in training",
    "least_time": "a short least time",
    "latency": "low latency",
    "verdict": "healthy gradients",
    "gradient_orders": "gradients that change little",
    "capacity": "many parameters",
    "depth": "many layers",
    "receptive_field": "a large receptive field",
}
FAILURES = 5
"""Failures that are told in full."""
TITLES = {
    "parameters": "parameters", "macs": "MACs", "activations": "activations", "memory": "memory",
    "least_time": "least time", "latency": "latency", "receptive_field": "receptive field",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepView(View):
    """How many of the models to show.

    Raises:
        BadOption: the number cannot be used.
    """

    top: int | None = None
    """Models in all; None: those on the frontier and 20 others in tables, else all."""
    frontier_only: bool = False

    def __post_init__(self) -> None:
        if self.top is not None and self.top < 1:
            raise BadOption("--top", self.top, "1 or more")


def page(report: Sweep, view: SweepView) -> Page:
    """The frontier, the others that fit, what each setting does, and what failed."""
    models = report.models
    on = models.distinct(on=True)
    others = [] if view.frontier_only else models.distinct(on=False)
    shown = on[: OTHERS if view.top is None else view.top]
    rest = others[: OTHERS if view.top is None else max(0, view.top - len(shown))]
    blocks: list[Block] = []
    axes = ", ".join(AXES[axis] for axis in report.axes)
    for title, places, all_of in (
        (f"on the frontier: {axes}", shown, len(on)),
        ("the others", rest, len(others)),
    ):
        if places:
            told = [models[place] for place in places]
            blocks.append(_models(told, report, view, title=title, all_of=all_of))
    if report.effects:
        blocks.append(_effects(report.effects))
    if not report.models:
        text = "nothing fits" if report.measured else "nothing could be measured"
        blocks.append(Notice(text))
    blocks += _failures(report)
    blocks.append(Facts(tuple(_facts(report, view))))
    fit = "fits" if len(report.models) == 1 else "fit"
    about = f"of {plural(report.points, 'point')} in {', '.join(report.spaces)}"
    return Page(f"{plural(len(report.models), 'model')} {fit}", about, tuple(blocks))


Read = Callable[[SweptModel], Any]


def _columns(
    models: Sequence[SweptModel], *, human: bool
) -> list[tuple[Column, Callable[[SweptModel], str]]]:
    """Those that every sweep has, and those that something is known in, of these models."""

    def number(read: Read) -> Callable[[SweptModel], str]:
        return lambda m: "" if read(m) is None else _bound(m) + count(read(m), human=human)

    def plain(read: Read) -> Callable[[SweptModel], str]:
        return lambda m: "" if read(m) is None else count(read(m), human=human)

    def seconds(read: Read) -> Callable[[SweptModel], str]:
        return lambda m: "" if read(m) is None else scaled_time(read(m))

    columns: list[tuple[Column, Callable[[SweptModel], str]]] = [
        (Column("parameters", Kind.NUMBER), plain(lambda m: m.totals.parameters)),
        (Column("MACs", Kind.NUMBER), number(lambda m: m.totals.macs)),
        (Column("activations", Kind.NUMBER, sacrifice=2), number(lambda m: m.totals.activations)),
        (Column("depth", Kind.NUMBER, sacrifice=1), plain(lambda m: m.depth)),
    ]
    for name, title, write in (
        ("memory", "memory, bytes", plain(lambda m: m.memory)),
        ("receptive_field", "field", plain(lambda m: m.receptive_field)),
        ("least_time", "least time", seconds(lambda m: m.least_time)),
        ("latency", "latency", seconds(lambda m: m.latency)),
        ("verdict", "gradients", lambda m: m.verdict or ""),
        ("gradient_orders", "orders", _orders),
    ):
        if any(value is not None for value in map(attrgetter(name), models)):
            kind = Kind.WORD if name == "verdict" else Kind.NUMBER
            columns.append((Column(title, kind), write))
    return columns


def _orders(model: SweptModel) -> str:
    """`-2.1`: the gradient is so many orders of magnitude smaller at the bottom."""
    return "" if model.gradient_orders is None else f"{model.gradient_orders:+.1f}"


def _bound(model: SweptModel) -> str:
    return "≥ " if model.uncounted else ""


def _models(
    models: Sequence[SweptModel], report: Sweep, view: SweepView, *, title: str, all_of: int
) -> Table:
    """One row for each; settings that all of them share are left out where others differ."""
    names = list(dict.fromkeys(name for model in models for name in model.settings))
    bodies = {space.partition("@")[0] for space in report.spaces}
    figures = _columns(models, human=view.human)
    columns = [Column("model", Kind.PATH)] if len(bodies) > 1 or not names else []
    columns += [Column(name, Kind.NUMBER) for name in names]
    columns += [column for column, _ in figures]
    rows = []
    for model in models:
        cells = []
        if len(bodies) > 1 or not names:
            body = model.model.reference.partition("@")[0]
            cells.append(Cell(body, full=model.model.reference))
        cells += [Cell(model.settings.get(name, "")) for name in names]
        cells += [Cell(write(model)) for _, write in figures]
        rows.append(tuple(cells))
    more = all_of - len(models)
    remark = f"and {more:,} more; --top {all_of} shows them, --format csv all" if more > 0 else ""
    return Table(tuple(columns), tuple(rows), title=title, remarks=(remark,) if remark else ())


def _effects(effects: Sequence[Effect]) -> Table:
    """A row for each setting, with two columns for each figure."""
    figures = list(dict.fromkeys(effect.figure for effect in effects))
    columns = [Column("setting", Kind.PATH), Column("values", Kind.NUMBER, sacrifice=1)]
    for figure in figures:
        title = TITLES[figure]
        columns += [
            Column(f"{title} ×", Kind.NUMBER),
            Column("%", Kind.NUMBER, f"{title}, share", sacrifice=2),
        ]
    by_setting: dict[str, dict[str, Effect]] = {}
    for effect in effects:
        by_setting.setdefault(effect.setting, {})[effect.figure] = effect
    rows = []
    for name, found in by_setting.items():
        cells = [Cell(name), Cell(f"{max(e.values for e in found.values()):,}")]
        for figure in figures:
            ratio, part = found[figure].ratio, found[figure].share
            cells += [
                Cell("" if ratio is None else f"{ratio:.2f}"),
                Cell("" if part is None else f"{100 * part:.0f}", Style.FAINT),
            ]
        rows.append(tuple(cells))
    remark = (
        "×: geometric mean at the last value by that at the first; %: of the variance of the "
        "logarithm, explained by this setting alone"
    )
    return Table(tuple(columns), tuple(rows), title="what each setting does", remarks=(remark,))


def _failures(report: Sweep) -> Iterator[Notice]:
    if not report.failed:
        return
    items = [f"{failed.reference}: {failed.error}" for failed in report.failed[:FAILURES]]
    if len(report.failed) > FAILURES:
        items.append(f"and {len(report.failed) - FAILURES:,} more; --format json has them all")
    yield Notice(
        f"{plural(len(report.failed), 'point')} could not be built or run:",
        tuple(items),
        Style.WARNING,
    )


def _facts(report: Sweep, view: SweepView) -> Iterator[Fact]:
    yield from limit_facts(report.limits, human=view.human)
    parts = [f"{report.points:,} of {report.size:,}", f"{report.measured:,} measured"]
    if report.recalled:
        parts.append(f"{report.recalled:,} of them remembered (--fresh measures again)")
    if report.failed:
        parts.append(f"{len(report.failed):,} failed")
    if report.repeated:
        parts.append(f"{report.repeated:,} named twice")
    yield Fact("points", " · ".join(parts))
    if report.networks < report.measured:
        same = report.measured - report.networks
        yield Fact(
            "networks",
            f"{report.networks:,} distinct: {plural(same, 'point')} round to another one",
        )
    yield from (Fact("note", note) for note in report.notes)


FIXED = (
    "reference", "parameters", "parameter_bytes", "macs", "activations", "layers", "depth",
    "receptive_field", "memory", "least_time", "latency", "verdict", "gradient_orders", "fits",
    "frontier", "same_as",
)  # fmt: skip


def rows(report: Sweep, view: SweepView) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each model, its settings first."""
    models = _chosen(report, view)
    names = list(dict.fromkeys(name for model in models for name in model.settings))
    header = ("reference", *names, *FIXED[1:])
    return header, (
        (
            m.model.reference,
            *(m.settings.get(name) for name in names),
            m.totals.parameters,
            m.totals.parameter_bytes,
            m.totals.macs,
            m.totals.activations,
            m.totals.layers,
            m.depth,
            m.receptive_field,
            m.memory,
            m.least_time,
            m.latency,
            m.verdict,
            m.gradient_orders,
            m.fits,
            m.frontier,
            m.same_as,
        )
        for m in models
    )


def _chosen(report: Sweep, view: SweepView) -> Models:
    return report.models.first(view.top, on_frontier=view.frontier_only)


def data(report: Sweep, view: SweepView) -> dict[str, Any]:
    """The report as plain data, with the models chosen."""
    return replace(report, models=_chosen(report, view)).to_dict()


RENDERER = Renderer(
    view=SweepView,
    page=page,
    rows=rows,
    data=data,
    picture="cnninspect.commands.sweep.plot:picture",
)
