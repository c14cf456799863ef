"""What is known of models, gathered for one page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from cnninspect.commands import question
from cnninspect.sources.open import Model, several, trace

if TYPE_CHECKING:
    from cnninspect.commands.report.report import Overview, Portrait
    from cnninspect.records.traces import Trace

DEVICE = "a100"


def report(
    models: Union[Model, Sequence[Model], Mapping[str, Model]],
    inputs: Any = None,
    *,
    parts: Sequence[str] = (),
    device_spec: str = DEVICE,
    batch: int = 1,
    mode: str = "eval",
    progress: Callable[[int, int, str], None] | None = None,
) -> Overview:
    """Models with all that one page shows: `render(report, format="html")` writes the page.

    `parts` are further questions that take a while: gradients, memory, roofline, scale, or all.
    Least times are for `device_spec`, as in `summarize`.  The other arguments are those of `trace`;
    `progress` is called with what is done, what is to be done and what it was.

    Raises:
        UnknownChoice: there is no such part or device.
        CnnInspectError: a model cannot be traced, as for `summarize`.
    """
    from cnninspect.commands.report.report import PARTS, Overview
    from cnninspect.errors import UnknownChoice

    for part in parts:
        if part not in (*PARTS, "all"):
            raise UnknownChoice("--with", part, (*PARTS, "all"))
    wanted = tuple(part for part in PARTS if part in parts or "all" in parts)
    listed = several(models)
    run = {"inputs": inputs, "batch": batch, "mode": mode}
    steps = len(listed) * (1 + ("memory" in wanted) + ("scale" in wanted)) + (len(listed) > 1)
    done = 0

    def step(what: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, steps, what)

    traces = [trace(model, **run) for model in listed]
    portraits = tuple(
        _portrait(model, traced, wanted, device_spec, run, step)
        for model, traced in zip(listed, traces)
    )
    comparison = _compared(traces, step) if len(listed) > 1 else None
    notes: list[str] = []
    gradients = None
    if "gradients" in wanted:
        given = {} if inputs is None else {"inputs": inputs}
        gradients = _or_note(notes, "gradients", lambda: question("gradients")(listed, **given))
    return Overview(portraits, wanted, device_spec, comparison, gradients, tuple(notes))


def _compared(traces: Sequence[Trace], step: Callable[[str], None]) -> Any:
    compared = question("compare")(list(traces))
    step("side by side")
    return compared


def _portrait(
    model: Model,
    traced: Trace,
    wanted: Sequence[str],
    device: str,
    run: dict[str, Any],
    step: Callable[[str], None],
) -> Portrait:
    from cnninspect.commands.report.report import Formula, Portrait
    from cnninspect.metrics.dataflow_drafts import Drafts, Looks
    from cnninspect.metrics.receptive_field import with_receptive_fields
    from cnninspect.metrics.roofline import with_roofline
    from cnninspect.metrics.summarizing import costed_calls, summarize_trace
    from cnninspect.store.this_machine import datasheet

    plain = summarize_trace(traced, "macs")
    summary = with_receptive_fields(
        with_roofline(plain, traced, device, this=datasheet(device)), traced
    )
    laws: dict[str, list[str]] = {}
    for call, costed in costed_calls(traced):
        if costed.cost.macs:
            text = f"{costed.reason} = {costed.cost.macs:,}"
            if text not in laws.setdefault(call.layer, []):
                laws[call.layer].append(text)
    formulas = tuple(Formula(path, "; ".join(texts[:4])) for path, texts in laws.items())
    graphs = Drafts(traced, plain, Looks()).with_insides()
    step(traced.model.name)
    notes: list[str] = []
    memory = scaling = None
    given = {"inputs": run["inputs"], "batch": run["batch"]}
    if "memory" in wanted:
        memory = _or_note(notes, "memory", lambda: question("memory")(model, **given))
        step(f"memory of {traced.model.name}")
    if "scale" in wanted:
        scaling = _or_note(notes, "scale", lambda: question("scale")(model))
        step(f"growth of {traced.model.name}")
    return Portrait(summary, formulas, graphs, memory, scaling, tuple(notes))


def _or_note(notes: list[str], part: str, ask: Callable[[], Any]) -> Any:
    """What a further question answers; None and a note where this model cannot answer it."""
    from cnninspect.errors import CnnInspectError

    try:
        return ask()
    except CnnInspectError as problem:
        notes.append(f"{part}: {problem}")
        return None
