"""The frontier of a design space of settings."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnninspect.sources.open import as_arguments, check_batch

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cnninspect.commands.sweep.measuring import How, Measured
    from cnninspect.commands.sweep.report import Sweep
    from cnninspect.commands.sweep.space import Space
    from cnninspect.metrics.limits import Limit, LimitOptions
    from cnninspect.store.survey import Progress


def sweep(
    spaces: str | Sequence[str] = (),
    inputs: Any = None,
    *,
    space_file: str | Path | None = None,
    sample: int | None = None,
    seed: int = 0,
    sampler: str = "random",
    axes: Sequence[str] = ("capacity", "macs"),
    figures: Sequence[str] = (),
    device_spec: str | None = None,
    batch: int = 1,
    mode: str = "eval",
    jobs: int | None = 1,
    cluster: str | None = None,
    remember: bool = True,
    rows: str | Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
    **limits: Unpack[LimitOptions],
) -> Sweep:
    """Every point of design spaces that keeps the limits, the Pareto frontier first.

    A space is a reference whose settings have several values, `resnet18@num_classes=10|100` or
    `efficientnet_b0@width=0.5..2.0:0.1`; `space_file` is a TOML file of them.  `sample` takes so
    many points by `seed`, `random` or spread evenly (`halton`).  The frontier is of `axes`.
    `figures` are worked out beside those: `receptive_field`, `memory`, `latency`, `verdict` on the
    gradients, and `least_time` on `device_spec` (a100, this, cpu:GFLOPS:GBPS).  `jobs` processes
    measure, or a Dask `cluster`.  `rows` is a file, .csv, .jsonl or .parquet, that each point is
    written to as it is known.  What was measured of named architectures is remembered, so that a
    sweep that was stopped goes on where it was.

    Raises:
        BadSpace, TooManyPoints: a space cannot be read, or is too large without `sample`.
        UnknownModel, UnknownSetting: the zoo has no such model, or that has no such setting.
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    from cnninspect.commands.sweep.measuring import check_spaces, measured
    from cnninspect.commands.sweep.report import TIMES
    from cnninspect.commands.sweep.rows_file import check_rows_file, rows_file
    from cnninspect.commands.sweep.space import choices, parse_space, spaces_in
    from cnninspect.errors import BadOption
    from cnninspect.metrics.figures import limit_texts
    from cnninspect.metrics.limits import limits_of
    from cnninspect.store.cache import Memory

    texts = [spaces] if isinstance(spaces, str) else list(spaces)
    parsed = [parse_space(text) for text in texts]
    if space_file is not None:
        parsed += spaces_in(Path(space_file))
    if not parsed:
        raise BadOption("sweep", "of nothing", "given a space or --space FILE")
    kept = limits_of((name, str(value)) for name, value in limits.items() if value is not None)
    limit_texts(kept, None)  # says at once that there is nothing to take a share of
    how = _how(
        inputs,
        axes,
        (*figures, *(TIMES[each.quantity] for each in kept if each.quantity in TIMES)),
        device_spec,
        batch=batch,
        mode=mode,
        jobs=jobs,
        progress=progress,
        cluster=cluster,
    )
    chosen = choices(parsed, sample=sample, seed=seed, sampler=_known(sampler))
    check_spaces(parsed)
    file = Path(rows) if rows is not None else None
    check_rows_file(file, force=force)
    memory = Memory() if remember else None
    with rows_file(file, parsed) if file is not None else nullcontext() as arrived:
        found = measured(chosen, how, memory, arrived=arrived)
    return _report(parsed, found, axes, how, kept, notes=memory.notes if memory else ())


def _known(sampler: str) -> str:
    from cnninspect.commands.sweep.space import SAMPLERS
    from cnninspect.errors import UnknownChoice

    if sampler not in SAMPLERS:
        raise UnknownChoice("--sampler", sampler, SAMPLERS)
    return sampler


def _how(
    inputs: Any, axes: Sequence[str], figures: Sequence[str], device: str | None, **options: Any
) -> How:
    """How points are measured: with every figure that an axis needs.

    Raises:
        UnknownChoice, BadOption: there is no such axis, figure, mode or batch, or no device.
    """
    from cnninspect.commands.sweep.measuring import How
    from cnninspect.commands.sweep.report import AXES, NEEDS
    from cnninspect.errors import BadOption, UnknownChoice
    from cnninspect.metrics.roofline import parse_device
    from cnninspect.records.models import MODES, InputRequest
    from cnninspect.store.tasks import COSTLY
    from cnninspect.store.this_machine import datasheet

    for axis in axes:
        if axis not in AXES:
            raise UnknownChoice("--axes", axis, AXES)
    if not 1 <= len(set(axes)) <= 3 or len(set(axes)) < len(axes):
        raise BadOption("--axes", ",".join(axes), "one to three figures, each once")
    for figure in figures:
        if figure not in COSTLY:
            raise UnknownChoice("--figures", figure, COSTLY)
    if options["mode"] not in MODES:
        raise UnknownChoice("mode", options["mode"], MODES)
    check_batch(options["batch"])
    if options["jobs"] is not None and options["jobs"] < 1:
        raise BadOption("--jobs", options["jobs"], "1 or more")
    wanted = {*figures, *(NEEDS.get(axis, axis) for axis in axes)} & {*COSTLY}
    if device is not None:
        parse_device(device, "float32", datasheet(device))
        wanted.add("least_time")
    elif "least_time" in wanted:
        raise BadOption("least times", "of no device", "used with --device-spec, as a100")
    arguments = as_arguments(inputs)
    requests = None if arguments is None else tuple(arguments)
    if not all(isinstance(request, InputRequest) for request in requests or ()):
        raise BadOption("inputs", "of values", "shapes: a sweep makes its own tensors")
    figures = tuple(name for name in COSTLY if name in wanted)
    return How(inputs=requests, figures=figures, device=device, **options)


def _report(
    spaces: Sequence[Space],
    found: Measured,
    axes: Sequence[str],
    how: How,
    limits: Sequence[Limit],
    *,
    notes: Sequence[str],
) -> Sweep:
    from cnninspect.commands.sweep.report import EFFECTS, Sweep, effects_of, judged, select
    from cnninspect.metrics.figures import limit_texts

    table = found.table
    fits = judged(table, limits) if limits else None
    models, networks = select(table, axes, fits)
    if fits is not None and (unknown := fits.count(None)):
        notes = (*notes, f"{unknown:,} points are left out: operations without a formula leave it "
                 "open whether they fit")  # fmt: skip
    told = [*EFFECTS, *(figure for figure in how.figures if figure != "verdict")]
    return Sweep(
        spaces=tuple(space_text(space) for space in spaces),
        size=sum(space.size for space in spaces),
        points=len(table) + len(found.failed),
        measured=len(table),
        recalled=found.recalled,
        repeated=found.repeated,
        networks=networks,
        axes=tuple(axes),
        limits=limit_texts(limits, None),
        models=models,
        effects=effects_of(table, told),
        failed=found.failed,
        device=how.device,
        notes=tuple(notes),
    )


def space_text(space: Space) -> str:
    """The space with its values counted: `resnet18@num_classes=10..1000 (3)`."""
    if not space.axes:
        return space.model
    parts = [
        f"{axis.name}={axis.values[0]}"
        if len(axis.values) == 1
        else f"{axis.name}={axis.values[0]}…{axis.values[-1]} ({len(axis.values):,})"
        for axis in space.axes
    ]
    return f"{space.model}@{', '.join(parts)}"
