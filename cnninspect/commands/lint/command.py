"""`cnninspect lint MODEL…`: what is wrong with this network?"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from cnninspect.commands import options
from cnninspect.commands.options import parse_inputs
from cnninspect.commands.output import check_output, show, waiting
from cnninspect.errors import BadOption, FoundByLint, SomeModelsFailed
from cnninspect.page.formats import FORMATS

RULES = "Which rules are asked"
EXAMPLES = (
    ("cnninspect lint net.py:Net", "What is wrong with a network, what to do, and what that saves"),
    ("cnninspect lint --explain heavy-head", "What a rule finds, why, and who found that out"),
    (
        "cnninspect lint resnet18 --select waste,training --fail-on warning -f sarif",
        "A gate: exit code 3 where there is a warning, with a file for code scanning",
    ),
)
FOR_SERVERS = ("junit", "sarif", "github")
"""Formats for what shows the results of continuous integration."""

if TYPE_CHECKING:
    LintFormat = str
else:
    LintFormat = Annotated[
        Enum("LintFormat", {name: name for name in (*FORMATS, *FOR_SERVERS)}, type=str),
        options.FormatOption,
    ]


class FailOn(str, Enum):
    """How bad a finding must be for exit code 3."""

    ERROR = "error"
    WARNING = "warning"


def lint(
    models: Annotated[
        Optional[list[str]],
        typer.Argument(
            metavar="[MODEL…]",
            help="References of any kind; without one, every model that the budget file names.",
            show_default=False,
        ),
    ] = None,
    select: Annotated[
        Optional[list[str]],
        typer.Option(
            "--select", metavar="RULE,…", help="Only these: W001, W, heavy-head, waste, '*-norm'.",
            rich_help_panel=RULES, show_default=False,
        ),
    ] = None,
    ignore: Annotated[
        Optional[list[str]],
        typer.Option(
            "--ignore", metavar="RULE,…", help="All but these.",
            rich_help_panel=RULES, show_default=False,
        ),
    ] = None,
    preview: Annotated[
        bool,
        typer.Option("--preview", help="Those too that err too often.", rich_help_panel=RULES),
    ] = False,
    explain: Annotated[
        Optional[str],
        typer.Option(
            "--explain", metavar="RULE", help="What a rule finds, why, and who says so; all: a "
            "list.",
            rich_help_panel=RULES, show_default=False,
        ),
    ] = None,
    budget: Annotated[
        Optional[Path],
        typer.Option(
            "--budget", metavar="FILE", help="A budget file, whose table lint says the same.",
            rich_help_panel=RULES, show_default=False,
        ),
    ] = None,
    fail_on: Annotated[
        Optional[FailOn],
        typer.Option(
            "--fail-on", help="Exit with 3 where something as bad as this is found.",
            show_default=False,
        ),
    ] = None,
    input: options.Input = None,  # noqa: A002
    batch: options.Batch = 1,
    mode: options.RunMode = options.Mode.EVAL,
    weights: Annotated[
        Optional[Path],
        typer.Option(
            "--weights", metavar="FILE", help="What of this file does not fit is a finding, too.",
            rich_help_panel=options.RUNS, show_default=False,
        ),
    ] = None,
    freeze: Annotated[
        Optional[list[str]],
        typer.Option(
            "--freeze", metavar="PATTERN", help="Look at it with these layers frozen; repeatable.",
            rich_help_panel=options.RUNS, show_default=False,
        ),
    ] = None,
    unfreeze: Annotated[
        Optional[list[str]],
        typer.Option(
            "--unfreeze", metavar="PATTERN", help="Those among them that are trained after all.",
            rich_help_panel=options.RUNS, show_default=False,
        ),
    ] = None,
    device_spec: Annotated[
        Optional[str],
        typer.Option(
            "--device-spec", metavar="DEVICE[:DTYPE]",
            help="What least times are on: a100 unless another is named, as for summary.",
            rich_help_panel=options.RUNS, show_default=False,
        ),
    ] = None,
    human: options.Human = False,
    format: LintFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    fresh: options.Fresh = False,
    debug: options.Debug = False,
) -> None:  # fmt: skip
    """What is wrong with this network: waste, lost signal, training, speed, deployment."""
    from cnninspect.commands.lint import explain_rules, lint
    from cnninspect.commands.lint.gate import settings_of

    check_output(output, force=force)
    how = {"format": format, "output": output, "force": force, "quiet": quiet}
    if explain is not None:
        if models:
            raise BadOption("--explain", f"{explain} with a MODEL", "used without one")
        show(explain_rules(explain), **how, human=human)  # type: ignore[arg-type]
        return
    with waiting("looking for what is wrong", quiet=quiet):
        report = lint(
            models or None,
            parse_inputs(input),
            select=select or (),
            ignore=ignore or (),
            preview=preview,
            budget=budget,
            mode=mode.value,
            batch=batch,
            weights=weights,
            freeze=freeze or (),
            unfreeze=unfreeze or (),
            device_spec=device_spec,
        )
    show(report, **how, human=human)  # type: ignore[arg-type]
    least = fail_on.value if fail_on else None
    if least is None and budget is not None:
        least = settings_of(budget).fail_on
    if report.failed:
        raise SomeModelsFailed(len(report.failed), len(report.failed) + len(report.models))
    found = report.counted()
    if least == "error":
        found["warning"] = 0
    if least is not None and (found["error"] or found["warning"]):
        raise FoundByLint(errors=found["error"], warnings=found["warning"])
