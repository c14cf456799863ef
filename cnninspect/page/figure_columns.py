"""The columns that a table of models can have: the whole choice is the table `COLUMNS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from cnninspect.metrics.figures import DTYPES, ComparedModel
from cnninspect.metrics.limits import QUANTITIES
from cnninspect.metrics.summary import Totals
from cnninspect.page.formats import Field
from cnninspect.page.page import Cell, Kind, Style
from cnninspect.page.quantities import count, scaled_time, sizes

SIDES = ("max", "min")
SMALL = 10**7
"""Numbers of gradient paths under it are written out."""


@dataclass(frozen=True, slots=True)
class FigureColumn:
    """A column that a table of models can have."""

    header: str
    kind: Kind
    cell: Callable[[ComparedModel, bool], Cell]
    """What stands in it; the second argument is whether numbers are for humans."""
    order: Callable[[ComparedModel], Any]
    """What rows are sorted by: smallest first."""
    field: str
    """The field of a CSV row that holds it."""


def _total(header: str, name: str, *, unit: str = "", is_work: bool = False) -> FigureColumn:
    """A column for one of the totals; `is_work`: a lower bound where something has no formula."""
    limits = {f"{side}_{q.name}" for q in QUANTITIES.values() if q.field == name for side in SIDES}

    def cell(model: ComparedModel, human: bool) -> Cell:
        if is_work and not model.has_work:
            return Cell()
        text = count(getattr(model.totals, name), human=human, unit=unit)
        if is_work and model.uncounted:
            return Cell(f"≥ {text}", Style.WARNING)
        return Cell(text, Style.WARNING if limits & set(model.exceeded) else Style.PLAIN)

    return FigureColumn(header, Kind.NUMBER, cell, lambda model: -getattr(model.totals, name), name)


def _ratio(name: str) -> FigureColumn:
    def value(model: ComparedModel) -> float | None:
        ratio: float | None = getattr(model.ratios, name) if model.ratios else None
        return ratio

    return FigureColumn(
        "×",
        Kind.NUMBER,
        lambda model, _: Cell(ratio_text(value(model)), Style.FAINT),
        lambda model: -(value(model) or 0.0),
        f"{name}_ratio",
    )


def _stored(dtype: str) -> FigureColumn:
    def value(model: ComparedModel) -> int:
        return next(item.bytes for item in model.bytes_as if item.dtype == dtype)

    return FigureColumn(
        f"{dtype}\nbytes",
        Kind.NUMBER,
        lambda model, human: Cell(count(value(model), human=human, unit="B")),
        lambda model: -value(model),
        f"{dtype}_bytes",
    )


def ratio_text(ratio: float | None) -> str:
    """Three digits: `0.42`, `1.87`, `12.3`, `1,234`.

    >>> ratio_text(1.868), ratio_text(12.34), ratio_text(0.0123), ratio_text(1234.5)
    ('1.87', '12.3', '0.012', '1,234')
    """
    if ratio is None:
        return ""
    if ratio >= 99.95:
        return f"{ratio:,.0f}"
    if ratio >= 9.995:
        return f"{ratio:.1f}"
    return f"{ratio:.2f}" if ratio >= 0.0995 or ratio == 0 else f"{ratio:.2g}"


def paths_text(paths: int) -> str:
    """Paths written out, or by their power of ten: `1.13·10^15`.

    >>> paths_text(65536), paths_text(1125899906842624)
    ('65,536', '1.13·10^15')
    """
    if paths < SMALL:
        return f"{paths:,}"
    power = len(str(paths)) - 1
    leading = (200 * paths + 10**power) // (2 * 10**power)  # three digits, rounded
    if leading == 1000:
        leading, power = 100, power + 1
    return f"{leading / 100:.2f}·10^{power}"


def _fits(model: ComparedModel, _: bool) -> Cell:
    if model.fits is None:
        return Cell("open" if model.uncounted or not model.has_work else "", Style.WARNING)
    return Cell("yes", Style.GOOD) if model.fits else Cell("no", Style.WARNING)


def _latency(model: ComparedModel, _: bool) -> Cell:
    if model.latency is None:
        return Cell()
    is_odd = model.latency.is_unsteady or "max_latency" in model.exceeded
    return Cell(scaled_time(model.latency.median_s), Style.WARNING if is_odd else Style.PLAIN)


def _accuracy(model: ComparedModel) -> float:
    return model.accuracy.top1 if model.accuracy else 0.0


def _input(model: ComparedModel) -> str:
    return " ".join(sizes(tensor.spec.shape) for tensor in model.inputs)


COLUMNS: dict[str, FigureColumn] = {
    "model": FigureColumn(
        "model", Kind.PATH, lambda m, _: Cell(m.model.name), lambda m: m.model.name, "model"
    ),
    "input": FigureColumn(
        "input", Kind.SHAPE, lambda m, _: Cell(_input(m)), lambda m: _input(m), "input_shapes"
    ),
    "parameters": _total("parameters", "parameters"),
    "parameters_ratio": _ratio("parameters"),
    "trainable": _total("trainable", "trainable_parameters"),
    "macs": _total("MACs", "macs", is_work=True),
    "macs_ratio": _ratio("macs"),
    "flops": _total("FLOPs", "flops", is_work=True),
    "convention": FigureColumn(
        "{convention}",
        Kind.NUMBER,
        lambda m, human: Cell(count(m.convention.total, human=human) if m.has_work else ""),
        lambda m: -m.convention.total,
        "convention_total",
    ),
    "activations": _total("activations", "activations", is_work=True),
    "activations_ratio": _ratio("activations"),
    "depth": FigureColumn(
        "depth",
        Kind.NUMBER,
        lambda m, _: Cell(f"{m.depth:,}" if m.has_work else ""),
        lambda m: -m.depth,
        "depth",
    ),
    "layers": FigureColumn(
        "weighted\nlayers",
        Kind.NUMBER,
        lambda m, _: Cell(f"{m.weighted_layers:,}" if m.has_work else ""),
        lambda m: -m.weighted_layers,
        "weighted_layers",
    ),
    "accuracy": FigureColumn(
        "acc@1 %",
        Kind.NUMBER,
        lambda m, _: Cell(f"{m.accuracy.top1:.2f}" if m.accuracy else ""),
        lambda m: -_accuracy(m),
        "accuracy_top1",
    ),
    "measured": FigureColumn(
        "measured\naccuracy %",
        Kind.NUMBER,
        lambda m, _: Cell(f"{100 * m.measured.accuracy:.2f}" if m.measured else "", Style.STRONG),
        lambda m: -(m.measured.accuracy if m.measured else 0.0),
        "measured_accuracy",
    ),
    "bytes": _total("parameter\nbytes", "parameter_bytes", unit="B"),
    "bytes_ratio": _ratio("parameter_bytes"),
    **{f"{dtype}_bytes": _stored(dtype) for dtype in DTYPES},
    "receptive_field": FigureColumn(
        "receptive\nfield",
        Kind.SHAPE,
        lambda m, _: Cell(sizes(m.receptive_field)),
        lambda m: tuple(-side for side in m.receptive_field or (0,)),
        "receptive_field",
    ),
    "paths": FigureColumn(
        "gradient\npaths",
        Kind.NUMBER,
        lambda m, _: Cell(paths_text(m.gradient_paths) if m.has_work else ""),
        lambda m: -m.gradient_paths,
        "gradient_paths",
    ),
    "latency": FigureColumn(
        "latency", Kind.NUMBER, _latency, lambda m: -(m.latency_ns or 0), "latency_s"
    ),
    "bound": FigureColumn(
        "at least",
        Kind.NUMBER,
        lambda m, _: Cell(
            "" if m.bound_s is None else scaled_time(m.bound_s),
            Style.WARNING if "max_bound" in m.exceeded else Style.PLAIN,
        ),
        lambda m: -(m.bound_s or 0.0),
        "bound_s",
    ),
    "fits": FigureColumn("fits", Kind.WORD, _fits, lambda m: (not m.fits, len(m.exceeded)), "fits"),
}
"""Name, as typed after `--columns`, to column."""

DEFAULT = (
    "model", "input", "parameters", "parameters_ratio", "trainable", "macs", "macs_ratio",
    "convention", "activations", "activations_ratio", "depth", "accuracy", "measured", "bytes",
    "float16_bytes", "int8_bytes", "receptive_field", "paths", "latency", "bound", "fits",
)  # fmt: skip
"""What a table shows by itself, of that what says something."""
SACRIFICES = (
    "int8_bytes", "float16_bytes", "activations_ratio", "receptive_field", "paths", "bytes",
    "activations", "input", "parameters_ratio", "trainable", "depth", "macs_ratio", "convention",
    "accuracy",
)  # fmt: skip
"""The default columns that go where there is no room, first to last."""


def telling(
    models: Sequence[ComparedModel],
    *,
    has_ratios: bool,
    has_limits: bool,
    without: Iterable[str] = (),
) -> list[str]:
    """The default columns that say something of these models."""
    silent = set(without)
    if len({tensor_shapes(model) for model in models}) < 2:
        silent.add("input")
    if not has_ratios or len(models) < 2:
        silent |= {name for name in DEFAULT if name.endswith("_ratio")}
    if all(m.totals.trainable_parameters == m.totals.parameters for m in models):
        silent.add("trainable")
    if all(m.convention.name == "macs" for m in models):
        silent.add("convention")
    if not any(m.accuracy for m in models):
        silent.add("accuracy")
    if not any(m.measured for m in models):
        silent.add("measured")
    if not any(m.receptive_field for m in models):
        silent.add("receptive_field")
    silent |= {name for name in ("latency", "bound") if not _any_has(models, name)}
    if not has_limits:
        silent.add("fits")
    return [name for name in DEFAULT if name not in silent]


def _any_has(models: Sequence[ComparedModel], time: str) -> bool:
    return any(getattr(model, f"{time}_ns") is not None for model in models)


def tensor_shapes(model: ComparedModel) -> tuple[tuple[int, ...], ...]:
    """Shapes of the inputs."""
    return tuple(tensor.spec.shape for tensor in model.inputs)


# --- CSV ---

TOTALS = tuple(field.name for field in fields(Totals))
RATIOS = ("parameters", "macs", "activations", "parameter_bytes")
WORK = ("macs", "flops", "activations", "activation_bytes", "depth", "weighted_layers",
        "gradient_paths", "convention_total")  # fmt: skip
"""Fields that nothing is known of where nothing was run."""
CSV_FIELDS = (
    "model", "source", "input_shapes", "mode", *TOTALS, "depth", "weighted_layers",
    "receptive_field", "gradient_paths", *(f"{dtype}_bytes" for dtype in DTYPES),
    *(f"{name}_ratio" for name in RATIOS), "convention", "convention_total", "accuracy_top1",
    "measured_accuracy", "latency_s", "latency_iqr_s", "bound_s", "unknown_calls", "fits",
    "exceeded", "error",
)  # fmt: skip
"""The fields of a row for one model."""


def csv_values(model: ComparedModel) -> dict[str, Field]:
    """A model as a row; its reference is what can be typed again."""
    values: dict[str, Field] = {
        "model": model.model.reference,
        "source": model.model.source,
        "input_shapes": tensor_shapes(model),
        "mode": model.mode,
        **{name: getattr(model.totals, name) for name in TOTALS},
        "depth": model.depth,
        "weighted_layers": model.weighted_layers,
        "receptive_field": model.receptive_field,
        "gradient_paths": model.gradient_paths,
        **{f"{item.dtype}_bytes": item.bytes for item in model.bytes_as},
        **{f"{name}_ratio": getattr(model.ratios, name, None) for name in RATIOS},
        "convention": model.convention.name,
        "convention_total": model.convention.total,
        "accuracy_top1": model.accuracy.top1 if model.accuracy else None,
        "measured_accuracy": model.measured.accuracy if model.measured else None,
        "unknown_calls": model.coverage.unknown,
        "latency_s": model.latency.median_s if model.latency else None,
        "latency_iqr_s": model.latency.iqr_s if model.latency else None,
        "bound_s": model.bound_s,
        "fits": model.fits,
        "exceeded": " ".join(model.exceeded),
        "error": "",
    }
    return values if model.has_work else {**values, **dict.fromkeys(WORK)}
