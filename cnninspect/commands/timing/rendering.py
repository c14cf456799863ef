"""How a `TimeReport` is written: networks side by side, then each by layer and by operator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnninspect.commands.timing.report import LayerTiming, Machine, TimedModel, TimeReport
from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.page.footers import tensors_text
from cnninspect.page.formats import Field, Renderer, View
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
from cnninspect.page.quantities import ZERO, plural, scaled, scaled_time, share
from cnninspect.records.timings import UNSTEADY

TABLE_LEVEL = 2
"""Levels that a table shows unless told otherwise."""
OPERATIONS = 12
"""Operators that a table shows, the slowest."""
SORTS = ("own", "total", "least", "gain")


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeView(View):
    """What to show of times, and how.

    Raises:
        UnknownChoice: there is no such order.
        BadOption: a number of rows or levels cannot be used.
    """

    level: int | None = TABLE_LEVEL
    """Names in the paths down to which layers are shown; None: all."""
    sort: str | None = None
    """A flat list of layers, slowest first: by `own`, `total`, `least`, or `gain`, what a layer
    takes beyond its least time."""
    top: int | None = None
    """Only so many layers of that list."""
    by_layer: bool | None = None
    """Whether layers are shown; None: where there is one network in one backend."""

    def __post_init__(self) -> None:
        if self.sort is not None and self.sort not in SORTS:
            raise UnknownChoice("--sort", self.sort, SORTS)
        if self.top is not None and self.top < 1:
            raise BadOption("--top", self.top, "1 or more")
        if self.level is not None and self.level < 0:
            raise BadOption("--level", self.level, "0 or more")


def page(report: TimeReport, view: TimeView) -> Page:
    """Networks side by side, their layers, and what the machine is."""
    models = report.models
    blocks: list[Block] = []
    if models:
        blocks.append(_models_table(models))
    shows_layers = len(models) == 1 if view.by_layer is None else view.by_layer
    for model in models:
        title = "" if len(models) == 1 else _title(model)
        if shows_layers and model.layers[0].total_s is not None:
            blocks.append(_layers_table(model, view, title))
        if model.operations:
            blocks.append(_operations_table(model, title))
        facts = tuple(_facts(model, is_detailed=shows_layers))
        if facts:
            blocks.append(Facts(facts, title=title))
    blocks += _failures(report)
    blocks.append(Facts(tuple(_machine(report.machine))))
    notes = tuple(_notes(report))
    if notes:
        blocks.append(Notice("what to know of these times:", notes, Style.WARNING))
    one = len(models) == 1
    title = (
        models[0].model.name if one else plural(len(models), "measurement") if models else "machine"
    )
    return Page(title, _about(models), tuple(blocks))


def _about(models: Sequence[TimedModel]) -> str:
    if not models:
        return "what this machine does at best"
    parts = []
    if len({model.inputs[0].spec.shape[1:] for model in models if model.inputs}) == 1:
        parts.append(f"input {tensors_text(models[0].inputs)}" if len(models) == 1 else "")
    for name in ("mode", "dtype"):
        found = {getattr(model, name) for model in models}
        parts.append(found.pop() if len(found) == 1 else "")
    found = {model.options for model in models}
    parts += found.pop() if len(found) == 1 else ()
    return " · ".join(filter(None, parts))


def _title(model: TimedModel) -> str:
    return f"{model.model.name}, {model.backend}, batch {model.batch}"


# --- networks side by side ---

MODEL_COLUMNS = (
    Column("model", Kind.PATH),
    Column("backend", Kind.WORD),
    Column("batch", Kind.NUMBER),
    Column("median", Kind.NUMBER),
    Column("quartiles", Kind.SHAPE, sacrifice=2),
    Column("samples/s", Kind.NUMBER),
    Column("MACs", Kind.NUMBER, sacrifice=1),
    Column("at least", Kind.NUMBER),
    Column("efficiency\n%", Kind.NUMBER, name="efficiency"),
)


def _models_table(models: Sequence[TimedModel]) -> Table:
    columns = list(range(len(MODEL_COLUMNS)))
    if all(model.bound_s is None for model in models):
        columns = columns[:-2]
    rows = [_model_row(model) for model in models]
    return Table(
        tuple(MODEL_COLUMNS[i] for i in columns),
        tuple(tuple(row[i] for i in columns) for row in rows),
        remarks=(
            "median of one run of a whole batch; at least is what no run can be faster than, call "
            "by call, and says nothing of how long one will take",
        )
        if len(columns) == len(MODEL_COLUMNS)
        else (),
    )


def _model_row(model: TimedModel) -> tuple[Cell, ...]:
    is_unsteady = model.iqr_s > UNSTEADY * model.median_s
    median = Cell(scaled_time(model.median_s), Style.WARNING if is_unsteady else Style.STRONG)
    return (
        Cell(model.model.name, full=model.model.reference),
        Cell(model.backend),
        Cell(f"{model.batch:,}"),
        median,
        Cell(f"{scaled_time(model.lower_s)}…{scaled_time(model.upper_s)}", Style.FAINT),
        Cell(_rate(model.samples_per_s)),
        Cell(scaled(model.macs)),
        Cell("" if model.bound_s is None else scaled_time(model.bound_s)),
        Cell(_percent(model.efficiency)),
    )


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 99.5 else f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def _percent(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{100 * ratio:.0f}" if ratio >= 0.0995 else f"{100 * ratio:.1f}"


# --- by layer ---

LAYER_COLUMNS = (
    Column("layer", Kind.PATH),
    Column("type", Kind.WORD, sacrifice=1),
    Column("own", Kind.NUMBER, sacrifice=4),
    Column("total", Kind.NUMBER),
    Column("%", Kind.NUMBER, name="share"),
    Column("at least", Kind.NUMBER),
    Column("bound by", Kind.WORD, sacrifice=2),
    Column("efficiency\n%", Kind.NUMBER, name="efficiency", sacrifice=3),
)


def _layers_table(model: TimedModel, view: TimeView, title: str) -> Table:
    is_flat = view.sort is not None or view.top is not None
    layers = _flat(model, view) if is_flat else _tree(model, view)
    columns = [
        i
        for i, column in enumerate(LAYER_COLUMNS)
        if model.spec is not None or column.header not in ("at least", "bound by", "efficiency\n%")
    ]
    rows = [_layer_row(layer, model, is_flat=is_flat) for layer in layers]
    return Table(
        tuple(LAYER_COLUMNS[i] for i in columns),
        tuple(tuple(row[i] for i in columns) for row in rows),
        title=title,
        remarks=tuple(_remarks(model, layers, is_flat=is_flat)),
    )


def _remarks(model: TimedModel, layers: Sequence[LayerTiming], *, is_flat: bool) -> Iterator[str]:
    hidden = len(model.layers) - len(layers)
    if is_flat:
        yield "each layer by itself, without the layers under it"
    elif hidden and (model.layers[0].total_s or 0) > 0:
        yield (
            f"{plural(hidden, 'layer')} deeper down or never called; --level all shows every level"
        )


def _tree(model: TimedModel, view: TimeView) -> list[LayerTiming]:
    """The layers that ran, or hold one that did, down to the level chosen."""
    return [
        layer
        for layer in model.layers
        if (view.level is None or layer.level <= view.level)
        and (layer.calls or layer.total_s or not layer.path)
    ]


def _flat(model: TimedModel, view: TimeView) -> list[LayerTiming]:
    def key(layer: LayerTiming) -> float:
        own, least = layer.own_s or 0.0, layer.own_bound_s or 0.0
        by = {"own": own, "total": layer.total_s or 0.0, "least": least, "gain": own - least}
        return -by[view.sort or "own"]

    return sorted((layer for layer in model.layers if layer.own_s), key=key)[: view.top]


def _layer_row(layer: LayerTiming, model: TimedModel, *, is_flat: bool) -> tuple[Cell, ...]:
    whole = model.layers[0].total_s or 0.0
    own, total = layer.own_s or 0.0, layer.total_s or 0.0
    time, least = (own, layer.own_bound_s) if is_flat else (total, layer.bound_s)
    efficiency = layer.efficiency
    if is_flat:
        efficiency = (least or 0.0) / own if own else None
    name = layer.path or model.model.name
    return (
        Cell(
            name if is_flat or not layer.path else name.rpartition(".")[2],
            Style.PLAIN if layer.path else Style.STRONG,
            guide="" if is_flat else "   " * layer.level,
            full=name,
        ),
        Cell(layer.type),
        _time(own),
        _time(total),
        Cell(share(time, whole), Style.FAINT),
        _time(least or 0.0),
        Cell(layer.bound if least else ""),
        Cell(_percent(efficiency) if least else ""),
    )


def _time(seconds: float) -> Cell:
    return Cell(scaled_time(seconds)) if seconds >= 5e-9 else Cell(ZERO, Style.FAINT)


# --- by operator ---


def _operations_table(model: TimedModel, title: str) -> Table:
    whole = sum(each.seconds for each in model.operations)
    shown = model.operations[:OPERATIONS]
    rows = [
        (
            Cell(each.name),
            Cell(f"{each.calls:,}"),
            Cell(scaled_time(each.seconds)),
            Cell(share(each.seconds, whole), Style.FAINT),
        )
        for each in shown
    ]
    rest = model.operations[OPERATIONS:]
    if rest:
        seconds = sum(each.seconds for each in rest)
        rows.append(
            (
                Cell(f"({plural(len(rest), 'other')})", Style.FAINT),
                Cell(f"{sum(each.calls for each in rest):,}"),
                Cell(scaled_time(seconds)),
                Cell(share(seconds, whole), Style.FAINT),
            )
        )
    columns = (
        Column("operator", Kind.PATH),
        Column("calls", Kind.NUMBER),
        Column("time", Kind.NUMBER),
        Column("%", Kind.NUMBER, name="share"),
    )
    return Table(columns, tuple(rows), title=f"{title}, by operator" if title else "by operator")


# --- what stands under the tables ---


def _facts(model: TimedModel, *, is_detailed: bool) -> Iterator[Fact]:
    if model.phases is not None and model.mode == "train":
        parts = model.phases
        yield Fact(
            "one step",
            f"forward {scaled_time(parts.forward_s)} · backward {scaled_time(parts.backward_s)} · "
            f"optimizer {scaled_time(parts.optimizer_s)}",
        )
    if model.compile_s is not None:
        yield Fact("compiled", f"in {scaled_time(model.compile_s)}")
    if not is_detailed:
        return
    if model.shares is not None:
        parts_of = model.shares
        yield Fact(
            "of the time",
            f"compute-bound {share(parts_of.compute, 1) or '0.0'} % · "
            f"memory-bound {share(parts_of.memory, 1) or '0.0'} % · "
            f"overhead {share(parts_of.overhead, 1) or '0.0'} %",
        )
    if model.gains:
        names = [path or f"{model.model.name} itself" for path in model.gains]
        yield Fact("would gain most", ", ".join(names))
    if model.overhead is not None:
        yield Fact(
            "watched",
            f"runs took {_longer(model.overhead)} while layers were watched; their times are "
            "scaled to the median",
        )
    yield Fact("runs", f"{model.runs:,}, the fastest {scaled_time(model.least_s)}")
    if model.spec is not None:
        spec = model.spec
        yield Fact(
            "against",
            f"{spec.name}: {scaled(spec.flops_per_second, 'FLOP/s')} in {spec.dtype}, "
            f"{scaled(spec.bytes_per_second, 'B/s')} · {spec.source}",
        )


def _longer(overhead: float) -> str:
    return f"{100 * overhead:.1f} % longer" if overhead >= 0.0005 else "no longer"


def _machine(machine: Machine) -> Iterator[Fact]:
    threads = plural(machine.threads, "thread")
    where = machine.processor
    if machine.device == "cpu":
        where += f", {threads} on {plural(machine.cores, 'core')}"
    yield Fact("machine", f"{where} · {machine.system} · Python {machine.python}")
    if machine.gflops:
        rates = ", ".join(
            f"{scaled(rate * 1e9, 'FLOP/s')} in {dtype}" for dtype, rate in machine.gflops.items()
        )
        yield Fact("computes", rates)
    if machine.gb_per_s:
        cached = max((each.bytes_per_second for each in machine.caches), default=0.0)
        beside = f", {scaled(cached, 'B/s')} in its caches" if cached else ""
        yield Fact(
            "moves",
            f"{scaled(machine.gb_per_s * 1e9, 'B/s')} in memory{beside} · "
            f"calibrated {machine.calibrated}",
        )


def _failures(report: TimeReport) -> Iterator[Notice]:
    if report.failed:
        items = tuple(
            f"{problem.reference}: {problem.error}" + (f" ({problem.hint})" if problem.hint else "")
            for problem in report.failed
        )
        yield Notice(f"{plural(len(items), 'run')} failed:", items, Style.WARNING)


def _notes(report: TimeReport) -> Iterator[str]:
    """Each note once, with the networks that it is about."""
    about: dict[str, list[str]] = {}
    for model in report.models:
        for note in model.notes:
            name = f"{model.model.name} ({model.backend}, batch {model.batch})"
            about.setdefault(note, []).append(name)
    for note, names in about.items():
        is_all = len(names) == len(report.models)
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        yield note if is_all else f"{shown}: {note}"
    yield from report.notes


# --- CSV ---

OF_MODEL = (
    "model", "backend", "mode", "batch", "dtype", "device", "threads", "macs", "median_s", "iqr_s",
    "lower_s", "upper_s", "least_s", "runs", "samples_per_s",
)  # fmt: skip
OF_LAYER = (
    "path", "type", "level", "calls", "own_s", "total_s", "own_bound_s", "bound_s", "efficiency",
    "bound",
)  # fmt: skip


def rows(report: TimeReport, view: TimeView) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each layer of each network, all of them; the network's own is the one of `""`."""
    header = (*OF_MODEL, *OF_LAYER)
    return header, (
        (
            model.model.reference,
            *(getattr(model, name) for name in OF_MODEL[1:]),
            *(getattr(layer, name) for name in OF_LAYER),
        )
        for model in report.models
        for layer in (model.layers if view.sort is None else _flat(model, view))
    )


RENDERER = Renderer(
    view=TimeView, page=page, rows=rows, picture="cnninspect.commands.timing.plot:picture"
)
