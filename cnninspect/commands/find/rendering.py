"""How a `Finding` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from cnninspect.commands.find.report import Finding, FoundModel
from cnninspect.page.formats import Field, Renderer
from cnninspect.page.model_table import (
    OTHERS,
    FindingView,
    chosen,
    failures,
    gaps,
    limit_facts,
    model_rows,
    model_table,
    note_facts,
)
from cnninspect.page.page import Block, Fact, Facts, Notice, Page, Table
from cnninspect.page.quantities import plural, sizes

AXES = {
    "parameters": "few parameters",
    "macs": "few MACs",
    "accuracy": "high accuracy",
    "capacity": "many parameters",
}
NO_ACCURACY = "no accuracy data; --axes capacity,macs asks for many parameters at few MACs"
LEFT_OUT = ("float16_bytes", "int8_bytes", "receptive_field", "paths", "bytes_ratio")
"""Columns that a long list shows only when it is asked to."""
INPUTS = 4
"""Inputs of models left out that are named."""
FAILURES = 5
"""Failures that are told in full."""


def page(report: Finding, view: FindingView) -> Page:
    """The frontier, the others that fit, and what was left out."""
    on, beside = _groups(report, view)
    axes = [AXES[axis] for axis in report.axes]
    blocks: list[Block] = []
    if on:
        title = f"on the frontier: {', '.join(axes)}"
        remark = NO_ACCURACY if tuple(report.axes) == ("parameters", "macs") else ""
        blocks.append(_table(on, report, view, title=title, remark=remark))
    if beside:
        more = _rest(report, view)
        remark = f"{plural(more, 'other')} fit; --top all shows them, --top N so many"
        blocks.append(
            _table(beside, report, view, title="the others", remark=remark if more else "")
        )
    blocks += [*gaps((*on, *beside)), *_failures(report)]
    if not report.models:
        blocks.append(Notice("nothing fits" if report.searched else "nothing could be measured"))
    facts = [*limit_facts(report.limits, human=view.human)]
    facts += _inputs(report)
    if report.open:
        facts.append(Fact("left open", f"{', '.join(report.open)}: operations without a formula"))
    facts += note_facts((*on, *beside), report.notes)
    if facts:
        blocks.append(Facts(tuple(facts)))
    where = ", ".join(report.sources)
    named = "" if report.pattern in ("", "*") else f" named {report.pattern}"
    about = f"of {plural(report.searched, 'architecture')} in {where}{named}"
    fit = "fits" if len(report.models) == 1 else "fit"
    return Page(f"{plural(len(report.models), 'model')} {fit}", about, tuple(blocks))


def _inputs(report: Finding) -> Iterator[Fact]:
    """What the models take, and how many were left out that take something else."""
    if report.inputs:
        yield Fact("input", " ".join(sizes(spec.shape) for spec in report.inputs))
    left_out = [
        f"{plural(len(other.models), 'model')} on {' '.join(sizes(s.shape) for s in other.inputs)}"
        for other in report.other_inputs
    ]
    if left_out:
        shown, more = left_out[:INPUTS], left_out[INPUTS:]
        text = ", ".join([*shown, f"{len(more):,} inputs more"] if more else shown)
        yield Fact("left out", f"{text}; --input measures all on one, --any-input compares all")


def _groups(report: Finding, view: FindingView) -> tuple[list[FoundModel], list[FoundModel]]:
    """Those on the frontier, and the others that are to be shown."""
    models = chosen(report.models, view)
    on = [model for model in models if isinstance(model, FoundModel) and model.frontier]
    beside = [model for model in models if isinstance(model, FoundModel) and not model.frontier]
    if view.frontier_only:
        return on, []
    rows = OTHERS if view.rows == "auto" else view.rows
    return on, beside[:rows]


def _rest(report: Finding, view: FindingView) -> int:
    on, beside = _groups(report, view)
    return len(report.models) - len(on) - len(beside)


def _table(
    models: Sequence[FoundModel],
    report: Finding,
    view: FindingView,
    *,
    title: str,
    remark: str = "",
) -> Table:
    return model_table(
        models,
        (),
        view,
        has_ratios=report.baseline is not None,
        has_limits=False,
        without=LEFT_OUT,
        title=title,
        remarks=(remark,) if remark else (),
    )


def _failures(report: Finding) -> Iterator[Notice]:
    """The first few in full; a survey over libraries always meets some."""
    for notice in failures(report.failed):
        more = len(notice.items) - FAILURES
        items = notice.items[:FAILURES]
        if more > 0:
            items = (*items, f"and {more:,} more; --format json has them all")
        yield replace(notice, items=items)


def rows(report: Finding, view: FindingView) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each model, with whether it is on the frontier."""
    on, beside = _groups(report, _all_rows(view))
    header, values = model_rows((*on, *beside), (), view)
    frontier = [True] * len(on) + [False] * len(beside)
    return (*header, "frontier"), ((*row, flag) for row, flag in zip(values, frontier))


def data(report: Finding, view: FindingView) -> dict[str, Any]:
    """The report as plain data, with the models chosen."""
    on, beside = _groups(report, _all_rows(view))
    return replace(report, models=(*on, *beside)).to_dict()


def _all_rows(view: FindingView) -> FindingView:
    return replace(view, rows=None) if view.rows == "auto" else view


RENDERER = Renderer(
    view=FindingView,
    page=page,
    rows=rows,
    data=data,
    picture="cnninspect.page.plots:picture_of_models",
)
