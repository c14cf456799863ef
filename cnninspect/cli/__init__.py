"""What one types: one file for each command, which parses, calls the api, renders and exits."""

from __future__ import annotations


def main() -> None:
    """Run the command line: what the installed command `cnninspect` calls."""
    from cnninspect.cli.application import run

    run()
