"""How a `Summary` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

from cnninspect.records.rooflines import Roofline
from cnninspect.records.summary import Counts, LayerSummary, MatrixForm, Summary
from cnninspect.render.layer_columns import COLUMNS
from cnninspect.render.layer_order import flat
from cnninspect.render.pages import Block, Page
from cnninspect.render.plain_data import Field
from cnninspect.render.renderers import Renderer
from cnninspect.render.summary_footer import about, footer, warning
from cnninspect.render.summary_table import table_of
from cnninspect.render.summary_view import SummaryView

COUNTS = tuple(f"{side}_{f.name}" for side in ("own", "total") for f in fields(Counts))
MATRIX = tuple(f"matrix_{f.name}" for f in fields(MatrixForm))
ROOFLINE = tuple(f"roofline_{side}_{f.name}" for side in ("own", "total") for f in fields(Roofline))
CSV_FIELDS = (
    "path", "type", "level", "calls", "input_shapes", "output_shapes", *COUNTS,
    "kernel", "stride", "receptive_field", *MATRIX,
)  # fmt: skip


def page(report: Summary, view: SummaryView) -> Page:
    """Title, table, warning, totals."""
    blocks: list[Block] = [table_of(report, view)]
    if alarm := warning(report):
        blocks.append(alarm)
    blocks.append(footer(report, human=view.human))
    return Page(report.model.name, about(report), tuple(blocks))


def rows(report: Summary, view: SummaryView) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each layer, with the fields of the JSON form joined by `_`."""
    header = CSV_FIELDS
    if report.layers and report.layers[0].backward is not None:
        header = (*header, *COLUMNS["backward_macs"].fields)
    if report.device is not None:
        header = (*header, *ROOFLINE)
    if view.columns:
        chosen = (field for name in view.columns for field in COLUMNS[name].fields)
        header = tuple(dict.fromkeys(("path", *chosen)))
    layers = _chosen_layers(report, view)
    return header, (tuple(_field(layer, name) for name in header) for layer in layers)


def _field(layer: LayerSummary, name: str) -> Field:
    record: Any = layer
    roofline = layer.roofline
    parts: tuple[tuple[str, Any], ...] = (
        ("own_", layer.own),
        ("total_", layer.total),
        ("matrix_", layer.matrix),
        ("backward_", layer.backward),
        ("roofline_own_", roofline and roofline.own),
        ("roofline_total_", roofline and roofline.total),
    )
    for prefix, part in parts:
        if name.startswith(prefix):
            record, name = part, name.removeprefix(prefix)
            break
    value: Field = None if record is None else getattr(record, name)
    return value


def data(report: Summary, view: SummaryView) -> dict[str, Any]:
    """The report as plain data, with the layers chosen."""
    return replace(report, layers=_chosen_layers(report, view)).to_dict()


def _chosen_layers(report: Summary, view: SummaryView) -> tuple[LayerSummary, ...]:
    layers = view.limited(report, auto=None).layers
    if view.is_flat:
        layers = flat(layers, sort=view.sort or "macs")[: view.top]
    return layers


RENDERER = Renderer(view=SummaryView, page=page, rows=rows, data=data)
