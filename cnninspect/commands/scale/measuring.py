"""Runs a network at several sizes until a law shows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

from cnninspect.commands.scale.analysis import Sample, laws_of, points_of, rational, sample_of
from cnninspect.commands.scale.report import Law, Scaling
from cnninspect.commands.scale.sizes import LETTERS, Runner, Way, first_working
from cnninspect.errors import BadOption, CannotScale, CnnInspectError
from cnninspect.metrics.figures import stages_of
from cnninspect.metrics.summarizing import costed_calls, uncounted_in
from cnninspect.records.models import GraphFile, LoadedModel
from cnninspect.records.traces import Trace

SIZES = {"batch": 5, "depth": 5}
"""Sizes that a law is looked for on; where nothing is said, eight."""
MANY = 8
STEPS = {"depth": (1, 2, 3, 4, 6, 9, 12)}
"""Differences between sizes, where they are not found otherwise."""


def scale(
    model: str | LoadedModel | GraphFile,
    arguments: Sequence[Any] | None,
    *,
    over: str,
    sizes: Sequence[Fraction] = (),
    batch: int = 1,
    mode: str = "eval",
) -> Scaling:
    """The network at several sizes, and the laws behind them; see `cnninspect.scale`."""
    if any(size <= 0 for size in sizes) or len(set(sizes)) != len(sizes):
        raise BadOption("--sizes", ",".join(map(str, sizes)), "different numbers above 0")
    runner = Runner(model, arguments, batch, mode)
    base = runner.run()
    way = first_working(over, runner, base, sizes[0] if sizes else None)
    if sizes:
        return _report(base, over, way, _sampled(way, sorted(sizes)), step=None, is_chosen=True)
    found: Scaling | None = None
    for start, step in _plans(over, way, base):
        try:
            ladder = [start + i * step for i in range(SIZES.get(over, MANY))]
            samples = _sampled(way, ladder)
        except CnnInspectError as problem:
            if found is None and start >= way.start:
                reason = str(problem)
            continue
        report = _report(base, over, way, samples, step=step)
        if found is None or report.laws[0].is_exact:
            found = report
        if report.laws[0].is_exact:
            return report
    if found is None:
        raise CannotScale(runner.name, over, reason, "--sizes chooses sizes that it takes")
    return found


def _plans(over: str, way: Way, base: Trace) -> Iterator[tuple[Fraction, Fraction]]:
    """Starts and steps of ladders of sizes, the likeliest first."""
    start = way.start
    if way.multiplies or over == "batch":
        yield start, start
        yield 2 * start, start  # at its own size, a shortcut may need no projection
    elif over == "resolution":
        stride = _stride(base)
        for step in (stride, 2 * stride, 7 * stride):  # windows of 7, as in Swin
            if start >= 4 * step:
                yield start - 2 * step, Fraction(step)
            yield start, Fraction(step)
    elif over == "sequence":
        step = max(int(start) // 4, 1)
        yield Fraction(step), Fraction(step)
        yield start, start
    else:
        for step in STEPS.get(over, (1,)):
            yield start, Fraction(step)
        yield start, start


def _stride(base: Trace) -> int:
    """Positions of the input for one of the smallest map."""
    stages = stages_of(base, sample_of(Fraction(1), base).own)
    strides = [int(s.name[2:]) for s in stages if s.name.startswith("1/")]
    # A pooling after the last map with multiply-accumulates halves once more.
    return max([*strides, 16]) * 2 if max(strides, default=1) < 32 else max(strides)


def _sampled(way: Way, sizes: Sequence[Fraction]) -> list[Sample]:
    return [sample_of(size, way.run(size)) for size in sizes]


def _report(
    base: Trace,
    over: str,
    way: Way,
    samples: list[Sample],
    *,
    step: Fraction | None,
    is_chosen: bool = False,
) -> Scaling:
    model = base.model
    notes = list(base.how.notes)
    if over == "resolution" and not is_chosen:
        notes.append(
            "layers round sizes, so that the laws hold on this grid: between its points, sizes "
            "change in steps"
        )
    laws = laws_of(samples)
    notes += _own_size(base, way, samples, laws[0])
    return Scaling(
        model=model,
        over=over,
        variable=LETTERS.get(over, "s"),
        how=way.how,
        step=rational(step) if step is not None else None,
        start=rational(samples[0].size),
        points=points_of(samples),
        laws=laws,
        notes=tuple(notes),
        uncounted=uncounted_in(costed_calls(base)),
    )


def _own_size(base: Trace, way: Way, samples: list[Sample], law: Law) -> list[str]:
    """A note where the network is not what the law says at the size that it has by itself."""
    if not law.is_exact or way.start in [sample.size for sample in samples]:
        return []
    own = sample_of(way.start, base).total("macs")
    by_law = sum(term.coefficient.fraction * way.start**term.power for term in law.terms)
    if own == by_law:
        return []
    told = f"{round(by_law):,}"
    return [f"at {way.start}, its own size, it has {own:,} MACs, where the law says {told}"]
