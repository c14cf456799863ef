"""`cnninspect config`: the defaults in force."""

from __future__ import annotations

from cnninspect.commands import options
from cnninspect.commands.output import check_output, show

EXAMPLES = (
    ("cnninspect config", "Every default, and the file that it comes from"),
    ("cnninspect config --format json", "The same for a program"),
    ("cnninspect config --format markdown", "The same for a document"),
)


def config(
    format: options.OutputFormat = "table",  # noqa: A002
    output: options.Output = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """The defaults of options in force, and where each comes from."""
    from cnninspect.commands.config import config

    check_output(output, force=force)
    show(config(), format=format, output=output, force=force, quiet=quiet)
