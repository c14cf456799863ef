"""From a trace and the answers of other tools to the audit of a count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.analyses.auditing_counters import (
    RULES,
    Books,
    by_graph,
    by_rules,
    by_tool,
    in_papers,
)
from cnninspect.analyses.costing import costed_calls, uncounted_in
from cnninspect.records.audit import Audit, AuditedLayer, LayerCount, ToolRun
from cnninspect.records.summary import EngineInfo
from cnninspect.records.traces import Trace


def audit_trace(
    trace: Trace,
    runs: Sequence[ToolRun] = (),
    *,
    wanted: Sequence[str] | None = None,
    graph: Trace | str | None = None,
    by_layer: bool = False,
) -> Audit:
    """The count of a trace beside those of tools, of rules, of its exported graph and in print.

    `wanted` names the rules to apply, and `published`; None: all that fit.  `graph` is a reason
    where the network could not be exported.
    """
    books = Books.of(trace)
    chosen = [name for name in RULES if name in (books.by_name if wanted is None else wanted)]
    counters = [by_tool(run, books) for run in runs]
    counters += [by_rules(name, books) for name in chosen]
    if graph is not None:
        counters.append(by_graph(graph, books))
    if wanted is None or "published" in wanted:
        counters += in_papers(books)
    return Audit(
        model=trace.model,
        inputs=trace.inputs,
        engine=EngineInfo(
            build=trace.how.build,
            run=trace.how.run,
            calls=len(trace.calls),
            operations=len(trace.operations),
            notes=trace.how.notes,
        ),
        mode=trace.mode,
        macs=books.ours,
        counters=tuple(counters),
        layers=tuple(_layers(books, runs, chosen)) if by_layer else (),
        uncounted=uncounted_in(costed_calls(trace)),
    )


def _layers(books: Books, runs: Sequence[ToolRun], rules: Sequence[str]) -> Iterator[AuditedLayer]:
    """Every layer for which somebody counts something."""
    columns = {run.name: found for run in runs if (found := _by_layer(run, books)) is not None}
    fitting = [name for name in rules if name in books.by_name]
    columns |= {name: books.by_name[name] for name in fitting if name not in columns}
    for layer in books.trace.layers:
        macs = books.by_name["macs"][layer.path]
        counts = [LayerCount(name, found.get(layer.path, 0)) for name, found in columns.items()]
        if macs or any(count.count for count in counts):
            yield AuditedLayer(layer.path, layer.type, macs, tuple(counts))


def _by_layer(run: ToolRun, books: Books) -> dict[str, int] | None:
    """What a tool has for each layer; where it does not tell, what its rules have if they agree."""
    if run.total is None:
        return None
    if run.parts:
        found: dict[str, int] = {}
        for part in run.parts:
            found[part.path] = found.get(part.path, 0) + part.count
        return found
    if run.name in books.by_name and books.total_of(run.name) == run.total:
        return books.by_name[run.name]
    return None
