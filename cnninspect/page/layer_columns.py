"""The columns that a table of layers can have: the whole choice is the table `COLUMNS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cnninspect.metrics.summary import (
    ConventionTotal,
    Counts,
    LayerSummary,
    MatrixForm,
    Roofline,
    Summary,
    Totals,
)
from cnninspect.page.page import Kind
from cnninspect.page.quantities import ZERO, count, scaled, scaled_time, shapes_text, share, sizes


@dataclass(frozen=True, slots=True)
class Subject:
    """What a row is about."""

    counts: Counts
    """What it has and does: own counts in a list, totals in a tree."""
    layer: LayerSummary | None = None
    """The layer; None for a row that gathers several."""
    last: LayerSummary | None = None
    """The last of a run of identical layers."""
    is_lower_bound: bool = False
    """Whether something in it has no formula, so that its MACs may be more."""
    is_idle: bool = False
    """Whether neither the layer nor anything under it was called."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What numbers are measured against, and how they are written."""

    whole: Counts
    """The counts of the whole network."""
    human: bool
    """21.8 M instead of 21,797,672."""


@dataclass(frozen=True, slots=True)
class LayerColumn:
    """A column that a table of layers can have."""

    header: str
    """What stands above it; `{convention}` stands for the report's."""
    kind: Kind
    """What it holds."""
    text: Callable[[Subject, Scale], str]
    """The text of its cell."""
    fields: tuple[str, ...]
    """The fields of a CSV row that hold it."""


def whole_of(totals: Totals, convention: ConventionTotal) -> Counts:
    """The counts of the whole network."""
    return Counts(
        parameters=totals.parameters,
        trainable_parameters=totals.trainable_parameters,
        parameter_bytes=totals.parameter_bytes,
        macs=totals.macs,
        activations=totals.activations,
        activation_bytes=totals.activation_bytes,
        convention=convention.total,
    )


def _counted(header: str, key: str, *, unit: str = "", is_work: bool = False) -> LayerColumn:
    """A column for one of the counts.

    `is_work`: operations without a formula make it a lower bound; other conventions leave out
    what they leave out by their own rules.  `unit` is written where numbers are for humans.
    """

    def text(subject: Subject, scale: Scale) -> str:
        value: int = getattr(subject.counts, key)
        if is_work and subject.is_lower_bound:
            return f"≥ {count(value, human=scale.human, unit=unit)}" if value else "?"
        return count(value, human=scale.human, unit=unit) if value else ZERO

    return LayerColumn(header, Kind.NUMBER, text, (f"own_{key}", f"total_{key}"))


def _shared(key: str) -> LayerColumn:
    """A column for a share of the whole network's count."""

    def text(subject: Subject, scale: Scale) -> str:
        return share(getattr(subject.counts, key), getattr(scale.whole, key))

    return LayerColumn("%", Kind.NUMBER, text, (f"own_{key}", f"total_{key}"))


def _described(
    header: str, kind: Kind, text: Callable[[LayerSummary], str], *fields: str
) -> LayerColumn:
    """A column for something that only a layer has, not a row that gathers several."""
    return LayerColumn(header, kind, lambda s, _: text(s.layer) if s.layer else "", fields)


def _receptive_field(subject: Subject, _: Scale) -> str:
    """Of a run of layers, the first and the last one's."""
    if subject.layer is None:
        return ""
    first = sizes(subject.layer.receptive_field)
    last = sizes(subject.last.receptive_field) if subject.last else first
    return first if first == last else f"{first}…{last}"


def matrix_text(matrix: MatrixForm | None) -> str:
    """Weights times unfolded input: `64×147 · 147×12544`, in groups `32 of 4×36 · 36×3136`."""
    if matrix is None:
        return ""
    product = f"{matrix.rows}×{matrix.inner} · {matrix.inner}×{matrix.columns}"
    return product if matrix.groups == 1 else f"{matrix.groups} of {product}"


def _first_input(layer: LayerSummary) -> str:
    return shapes_text(layer.input_shapes)


def _first_output(subject: Subject, _: Scale) -> str:
    if subject.is_idle:
        return "not called"
    return shapes_text(subject.layer.output_shapes) if subject.layer else ""


def _unfolded(subject: Subject, scale: Scale) -> str:
    matrix = subject.layer.matrix if subject.layer else None
    return count(matrix.unfolded_bytes, human=scale.human, unit="B") if matrix else ""


def _frozen(subject: Subject, scale: Scale) -> str:
    frozen = subject.counts.parameters - subject.counts.trainable_parameters
    return count(frozen, human=scale.human) if frozen else ZERO


def _backward(subject: Subject) -> int | None:
    backward = subject.layer.backward if subject.layer else None
    if backward is None or subject.layer is None:
        return None
    return backward.own if subject.counts is subject.layer.own else backward.total


def _backward_macs(subject: Subject, scale: Scale) -> str:
    macs = _backward(subject)
    return "" if macs is None else count(macs, human=scale.human) if macs else ZERO


def _backward_ratio(subject: Subject, _: Scale) -> str:
    macs = _backward(subject)
    return "" if macs is None or not subject.counts.macs else f"{macs / subject.counts.macs:.3f}"


def _roofline(subject: Subject) -> Roofline | None:
    """That of what the row counts, if it does anything."""
    layer = subject.layer
    if layer is None or layer.roofline is None:
        return None
    own, total = layer.roofline.own, layer.roofline.total
    chosen = own if subject.counts is layer.own else total
    return chosen if chosen.seconds else None


def _of_roofline(
    header: str, kind: Kind, text: Callable[[Roofline], str], field: str
) -> LayerColumn:
    """A column for the least time on a device."""

    def cell(subject: Subject, _: Scale) -> str:
        roofline = _roofline(subject)
        return text(roofline) if roofline else ""

    return LayerColumn(header, kind, cell, (f"roofline_own_{field}", f"roofline_total_{field}"))


MATRIX_FIELDS = ("matrix_rows", "matrix_inner", "matrix_columns", "matrix_groups", "matrix_batch")

COLUMNS: dict[str, LayerColumn] = {
    "path": LayerColumn("layer", Kind.PATH, lambda _subject, _scale: "", ("path",)),
    "type": _described("type", Kind.WORD, lambda layer: layer.type, "type"),
    "calls": _described("calls", Kind.NUMBER, lambda layer: f"{layer.calls:,}", "calls"),
    "input": _described("input", Kind.SHAPE, _first_input, "input_shapes"),
    "output": LayerColumn("output", Kind.SHAPE, _first_output, ("output_shapes",)),
    "kernel": _described("kernel", Kind.SHAPE, lambda layer: sizes(layer.kernel), "kernel"),
    "stride": _described("stride", Kind.SHAPE, lambda layer: sizes(layer.stride), "stride"),
    "parameters": _counted("parameters", "parameters"),
    "parameters_share": _shared("parameters"),
    "trainable": _counted("trainable", "trainable_parameters"),
    "frozen": LayerColumn(
        "frozen", Kind.NUMBER, _frozen, ("own_trainable_parameters", "total_trainable_parameters")
    ),
    "parameter_bytes": _counted("parameter\nbytes", "parameter_bytes", unit="B"),
    "macs": _counted("MACs", "macs", is_work=True),
    "macs_share": _shared("macs"),
    "flops": _counted("FLOPs", "flops", is_work=True),
    "activations": _counted("activations", "activations", is_work=True),
    "activation_bytes": _counted("activation\nbytes", "activation_bytes", unit="B", is_work=True),
    "receptive_field": LayerColumn(
        "receptive\nfield", Kind.SHAPE, _receptive_field, ("receptive_field",)
    ),
    "matrix": _described(
        "im2col:\nweights · input",
        Kind.SHAPE,
        lambda layer: matrix_text(layer.matrix),
        *MATRIX_FIELDS,
    ),
    "matrix_bytes": LayerColumn(
        "im2col\ninput bytes", Kind.NUMBER, _unfolded, ("matrix_unfolded_bytes",)
    ),
    "backward_macs": LayerColumn(
        "backward\nMACs", Kind.NUMBER, _backward_macs, ("backward_own", "backward_total")
    ),
    "backward_ratio": LayerColumn("ratio", Kind.NUMBER, _backward_ratio, ()),
    "moved_bytes": _of_roofline(
        "bytes\nmoved", Kind.NUMBER, lambda r: scaled(r.moved_bytes, "B"), "moved_bytes"
    ),
    "intensity": _of_roofline(
        "FLOPs\nper byte", Kind.NUMBER, lambda r: f"{r.intensity:.1f}", "flops"
    ),
    "bound": _of_roofline("bound by", Kind.WORD, lambda r: r.bound, "compute_seconds"),
    "seconds": _of_roofline("at least", Kind.NUMBER, lambda r: scaled_time(r.seconds), "seconds"),
    "convention": _counted("{convention}", "convention"),
    "convention_share": _shared("convention"),
}
"""Name, as typed after `--columns`, to column."""

SACRIFICES = (
    "parameters_share", "macs_share", "convention_share", "type", "output", "moved_bytes",
    "intensity", "backward_ratio", "parameters", "frozen", "backward_macs", "bound", "trainable",
)  # fmt: skip
"""The default columns that go where there is no room, first to last."""


def default_columns(report: Summary) -> tuple[str, ...]:
    """What a table shows by itself: MACs or another convention's count, and what was asked for."""
    work: tuple[str, ...] = ("macs", "macs_share")
    if report.convention.name != "macs":
        work = ("convention", "convention_share")
    if report.layers and report.layers[0].backward is not None:
        work = (*work, "backward_macs", "backward_ratio")
    if report.device is not None:
        work = (*work, "moved_bytes", "intensity", "bound", "seconds")
    held: tuple[str, ...] = ("parameters", "parameters_share")
    if 0 < report.totals.trainable_parameters < report.totals.parameters:
        held = ("parameters", "trainable", "frozen")
    return ("path", "type", "output", *held, *work)
