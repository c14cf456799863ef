"""From a trace and the answers of other tools to the audit of a count."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cnninspect.commands.audit.reasons import MOST_PLACES, places, reasons_of, tool_reasons
from cnninspect.commands.audit.report import (
    Audit,
    AuditedCounter,
    AuditedLayer,
    CounterKind,
    LayerCount,
    Reason,
    ToolRun,
)
from cnninspect.costs.conventions import CONVENTIONS
from cnninspect.metrics.published import Printed, in_print
from cnninspect.metrics.summarizing import costed_calls, uncounted_in
from cnninspect.metrics.summary import Counts, EngineInfo
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
        engine=EngineInfo.of(trace),
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


TOOLS = ("flop_counter", "flop_counter_cpu", "fvcore", "thop", "ptflops", "torchinfo")
"""Other people's counters that can be run, in the order of the report."""
RULES = tuple(name for name in CONVENTIONS if name != "macs")
"""The conventions that are not ours."""
COUNTERS = (*dict.fromkeys((*TOOLS, *RULES)), "published", "onnx")
"""Everything that can be asked for by name; a name may stand for a tool and for its rules."""
HALVED = "FLOPs, halved"
"""The unit of a tool that counts two for each multiply-accumulate."""
TITLES = dict.fromkeys(("flop_counter", "flop_counter_cpu"), "FlopCounterMode of torch")
"""What tools are called where their names here say too little."""
DEVICES = {"meta": "run on the meta device", "cpu": "run on the CPU"}
NO_MODULES = "its rules are for modules, and this is a graph"
AS_PRINTED = "agrees as far as it is printed"


@dataclass(frozen=True, slots=True)
class Books:
    """What every convention has for every layer by itself, worked out once."""

    trace: Trace
    by_name: dict[str, dict[str, int]]
    """Counts by path, by convention, for those whose rules fit the trace."""

    @staticmethod
    def of(trace: Trace) -> Books:
        """The books of a trace."""
        fitting = {name: rules for name, rules in CONVENTIONS.items() if rules.fits(trace)}
        return Books(trace, {name: rules.count(trace) for name, rules in fitting.items()})

    @property
    def ours(self) -> int:
        """Our own count."""
        return self.total_of("macs")

    def total_of(self, name: str) -> int:
        """A convention's count of the whole network."""
        return sum(self.by_name[name].values())

    def reasons_of(self, name: str) -> tuple[Reason, ...]:
        """Why a convention's count is not ours."""
        return reasons_of(CONVENTIONS[name], self.trace, self.by_name[name])


def by_rules(name: str, books: Books) -> AuditedCounter:
    """A convention, applied to the trace, or why its rules do not fit that."""
    rules = CONVENTIONS[name]
    counter = AuditedCounter(
        name=name,
        kind=CounterKind.RULES,
        about=rules.source,
        unit=rules.unit,
        total=None,
        caution=rules.caution,
    )
    if name not in books.by_name:
        return replace(counter, problem=NO_MODULES)
    counted = replace(counter, total=books.total_of(name), reasons=books.reasons_of(name))
    return _compared(counted, books.ours)


def by_tool(run: ToolRun, books: Books) -> AuditedCounter:
    """A tool that was run: explained by its rules, or by what it was seen to pass over."""
    rules = CONVENTIONS.get(run.name)
    version, device = _short(run.version), DEVICES.get(run.device, "")
    who = " ".join(part for part in (TITLES.get(run.name, run.name), version) if part)
    counter = AuditedCounter(
        name=run.name,
        kind=CounterKind.TOOL,
        about=", ".join(part for part in (who, device) if part),
        unit=rules.unit if rules else HALVED,
        total=run.total,
        caution=rules.caution if rules else "",
        problem=run.problem,
    )
    if run.total is None:
        return counter
    reasons = tool_reasons(run, books.trace)
    counter = _compared(replace(counter, reasons=reasons), books.ours)
    where = places(run, books.trace) if counter.unexplained else ()
    return replace(counter, unexplained_in=where)


def by_graph(graph: Trace | str, books: Books) -> AuditedCounter:
    """The graph of an exported file, counted by itself, or why there is none.

    Its operators have other names, and the same laws.
    """
    counter = AuditedCounter(
        name="onnx",
        kind=CounterKind.GRAPH,
        about="the graph of an ONNX export, counted by itself",
        unit="MACs",
        total=None,
    )
    if isinstance(graph, str):
        return replace(counter, problem=graph)
    counts = CONVENTIONS["macs"].count(graph)
    counter = _compared(replace(counter, total=sum(counts.values())), books.ours)
    ours = books.by_name["macs"]
    where = [path for path in ours if path in counts and counts[path] != ours[path]]
    return replace(
        counter, unexplained_in=tuple(where[:MOST_PLACES]) if counter.unexplained else ()
    )


def in_papers(books: Books) -> Iterator[AuditedCounter]:
    """Each number in print for this network and input."""
    trace = books.trace
    batch = trace.inputs[0].spec.shape[0] if trace.inputs and trace.inputs[0].spec.shape else 0
    if batch:
        held = [p for layer in trace.layers for p in layer.parameters if p.shared_with is None]
        counts = Counts(parameters=sum(p.spec.numel for p in held), macs=books.ours)
        for number in in_print(trace, counts):
            yield _printed(number, batch, books)


# --- their parts ---


def _compared(counter: AuditedCounter, ours: int) -> AuditedCounter:
    """The counter with its difference to ours, and what its reasons leave of that."""
    assert counter.total is not None
    difference = counter.total - ours
    return replace(
        counter,
        difference=difference,
        percent=100 * difference / ours if ours else None,
        unexplained=difference - sum(reason.amount for reason in counter.reasons),
    )


def _short(version: str) -> str:
    """A version without its build: `0.1.5` of `0.1.5.post20221221`."""
    return re.split(r"\+|-|\.post", version)[0]


def _printed(number: Printed, batch: int, books: Books) -> AuditedCounter:
    """A number in print: ours as far as it is printed, else that of its own rules, else neither."""
    total = number.value * batch
    counter = AuditedCounter(
        name="published",
        kind=CounterKind.PUBLISHED,
        about=f"{number.printed}, {number.source}",
        unit="MACs",
        total=total,
    )
    difference = total - books.ours
    if number.fits(books.ours // batch):
        counter = replace(counter, reasons=_in_print(AS_PRINTED, difference))
    elif number.explains:
        counter = replace(counter, reasons=_in_print(number.note, difference))
    elif number.counts in books.by_name and number.fits(books.total_of(number.counts) // batch):
        text = f"agrees with {number.counts} as far as it is printed"
        rest = _in_print(text, total - books.total_of(number.counts))
        counter = replace(counter, reasons=(*books.reasons_of(number.counts), *rest))
    else:
        counter = replace(counter, caution=number.note)
    return _compared(counter, books.ours)


def _in_print(text: str, amount: int) -> tuple[Reason, ...]:
    return (Reason("printed number", text, amount, 0, is_gap=False),) if amount else ()
