"""`cnninspect check MODEL`: a budget as a gate."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands import options as limits
from cnninspect.commands.output import (
    check_output,
    check_picture,
    say_written,
    show,
    waiting,
    write_whole,
)
from cnninspect.errors import BadOption, Moved, OverBudget, SomeModelsFailed
from cnninspect.page.formats import FORMATS

LOCK = Path("cnninspect.lock")
MEMORY = "Memory of a training step, or of inference"
LOCKING = "Lock file: numbers and structure that must not move"

EXAMPLES = (
    (
        "cnninspect check net.py:Net --max-params 5M --max-macs 300M",
        "Limits: exit code 3 where one is exceeded",
    ),
    (
        "cnninspect check net.py:Net --baseline 'net.py:Net@{HEAD}' --max-growth 2%",
        "No more than 2 % above what is committed",
    ),
    (
        "cnninspect check --budget budget.toml -f github",
        "All models of a file, as annotations in a workflow",
    ),
)


FOR_SERVERS = ("junit", "sarif", "github")
"""Formats that only a check has, for what shows the results of continuous integration."""

if TYPE_CHECKING:
    CheckFormat = str
else:
    CheckFormat = Annotated[
        Enum("CheckFormat", {name: name for name in (*FORMATS, *FOR_SERVERS)}, type=str),
        options.FormatOption,
    ]


def check(
    model: Annotated[
        Optional[str],
        typer.Argument(
            metavar="[MODEL]",
            help="A reference of any kind; without one, every model that the budget file names.",
            show_default=False,
        ),
    ] = None,
    budget: Annotated[
        Optional[Path],
        typer.Option(
            "--budget", metavar="FILE", help="A TOML file of limits.", show_default=False
        ),
    ] = None,
    max_params: limits.MaxParams = None,
    min_params: limits.MinParams = None,
    max_macs: limits.MaxMacs = None,
    min_macs: limits.MinMacs = None,
    max_flops: limits.MaxFlops = None,
    min_flops: limits.MinFlops = None,
    max_activations: limits.MaxActivations = None,
    min_activations: limits.MinActivations = None,
    max_bytes: limits.MaxBytes = None,
    min_bytes: limits.MinBytes = None,
    max_latency: limits.MaxLatency = None,
    max_bound: limits.MaxBound = None,
    device_spec: options.DeviceSpec = None,
    seconds: limits.Seconds = 1.0,
    threads: limits.Threads = None,
    dtype: limits.Dtype = None,
    forbid: Annotated[
        Optional[list[str]],
        typer.Option(
            "--forbid",
            metavar="TYPE",
            help="A layer type that must not occur, such as 'Dropout*'; repeatable.",
            show_default=False,
        ),
    ] = None,
    min_coverage: Annotated[
        Optional[str],
        typer.Option(
            "--min-coverage",
            metavar="SHARE",
            help="Calls whose cost must be known; all, where work is limited.",
            show_default=False,
        ),
    ] = None,
    baseline: Annotated[
        Optional[str],
        typer.Option(
            "--baseline",
            metavar="MODEL|FILE.lock",
            help="What --max-growth and shares are measured against.",
            show_default=False,
        ),
    ] = None,
    max_growth: Annotated[
        Optional[str],
        typer.Option(
            "--max-growth",
            metavar="SHARE",
            help="How much more than the baseline it may have of anything: 2%.",
            show_default=False,
        ),
    ] = None,
    max_memory: Annotated[
        Optional[str],
        typer.Option(
            "--max-memory",
            metavar="BYTES",
            help="At most so much allocated memory at the peak of a step: 8GB, 8GiB.",
            rich_help_panel=MEMORY,
            show_default=False,
        ),
    ] = None,
    memory_of: Annotated[
        Optional[str],
        typer.Option(
            "--memory-of",
            metavar="training|inference",
            help="Of which step; training unless told.",
            rich_help_panel=MEMORY,
            show_default=False,
        ),
    ] = None,
    optimizer: Annotated[
        Optional[str],
        typer.Option(
            "--optimizer",
            metavar="OPTIMIZER",
            help="Of a training step: sgd unless told, momentum, adagrad, rmsprop, adam, adamw.",
            rich_help_panel=MEMORY,
            show_default=False,
        ),
    ] = None,
    write_lock: Annotated[
        bool,
        typer.Option(
            "--write-lock",
            help="Write today's numbers and structure down.",
            rich_help_panel=LOCKING,
        ),
    ] = False,
    locked: Annotated[
        bool,
        typer.Option(
            "--locked", help="Fail where they moved, and show how.", rich_help_panel=LOCKING
        ),
    ] = False,
    lock: Annotated[
        Path,
        typer.Option("--lock", metavar="FILE", help="The lock file.", rich_help_panel=LOCKING),
    ] = LOCK,
    input: options.Input = None,  # noqa: A002
    batch: Annotated[
        Optional[int],
        typer.Option(
            "--batch", "-b", min=1, help="Size of the batch.", rich_help_panel=options.COMMON,
            show_default=False,
        ),
    ] = None,
    mode: Annotated[
        Optional[options.Mode],
        typer.Option(
            "--mode", help="Run as in testing or in training.", rich_help_panel=options.RUNS,
            show_default=False,
        ),
    ] = None,
    human: options.Human = False,
    format: CheckFormat = "table",  # noqa: A002
    plot: Annotated[
        Optional[Path],
        options.plot_option("Draw how much of each limit is used"),
    ] = None,
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:  # fmt: skip
    """A budget as a gate: exit 0 where every limit is kept, 3 where one is not."""
    from cnninspect.commands.check import check

    check_output(output, force=force)
    check_picture(plot, force=force)
    if locked and write_lock:
        raise BadOption("--locked", "with --write-lock", "used without it")
    if lock != LOCK and not locked and not write_lock:
        raise BadOption("--lock", f"{lock} by itself", "used with --locked or --write-lock")
    rules: dict[str, Any] = {
        "max_params": max_params,
        "min_params": min_params,
        "max_macs": max_macs,
        "min_macs": min_macs,
        "max_flops": max_flops,
        "min_flops": min_flops,
        "max_activations": max_activations,
        "min_activations": min_activations,
        "max_bytes": max_bytes,
        "min_bytes": min_bytes,
        "max_latency": max_latency,
        "max_bound": max_bound,
        "device_spec": device_spec,
        "dtype": dtype,
        "forbid": forbid,
        "min_coverage": min_coverage,
        "baseline": baseline,
        "max_growth": max_growth,
        "max_memory": max_memory,
        "memory_of": memory_of,
        "optimizer": optimizer,
        "input": input,
        "batch": batch,
        "mode": mode.value if mode else None,
    }
    if write_lock:
        _write_lock(model, lock, budget=budget, rules=rules, force=force, quiet=quiet)
        if not _limits(rules) and budget is None:
            return
    with waiting("checking", quiet=quiet):
        report = check(
            model,
            budget=budget,
            locked=lock if locked else None,
            seconds=seconds,
            threads=threads,
            **rules,
        )
    show(report, format=format, output=output, force=force, quiet=quiet, human=human)
    if plot is not None:
        from cnninspect.commands.check.plot import picture
        from cnninspect.page.plots import format_of

        write_whole(plot, picture(report, format_of(plot)), force=force)
        say_written(plot, quiet=quiet)
    broken = sum(1 for limit in report.limits if not limit.ok)
    if broken:
        raise OverBudget(broken, len(report.limits))
    if report.failed:
        raise SomeModelsFailed(len(report.failed), len(report.failed) + len(report.models))


def _limits(rules: dict[str, Any]) -> bool:
    settings = ("dtype", "input", "batch", "mode", "memory_of", "optimizer", "device_spec")
    return any(value is not None for name, value in rules.items() if name not in settings)


def _write_lock(
    model: str | None,
    lock: Path,
    *,
    budget: Path | None,
    rules: dict[str, Any],
    force: bool,
    quiet: bool,
) -> None:
    """Put models into the lock file, unless one moved and is not to be put in by force.

    Raises:
        Moved: a model is not what the file says, and force was not used.
    """
    from cnninspect.commands.check import lock_text

    settings = {name: rules[name] for name in ("dtype", "input", "batch", "mode")}
    text, differences = lock_text(model, lock, budget=budget, **settings)
    if differences and not force:
        for difference in differences:
            show(difference, format="table", quiet=quiet)
        names = ", ".join(difference.new.model.reference for difference in differences)
        raise Moved(f"{names} moved since {lock} was written", "--force writes down what is now")
    write_whole(lock, text, force=True)  # models are put in, and none that is there is changed
    say_written(lock, quiet=quiet)
