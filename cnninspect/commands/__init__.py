"""What one types: one file for each command, which parses, calls the api, renders and exits."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command line: what the installed command `cnninspect` calls.

    PyTorch makes a million objects that live until the end.  Looking through them for garbage,
    while it is imported and again on exit, would take a third of a short command's time.
    """
    gc.set_threshold(100_000, 50, 100)
    from cnninspect.commands.application import run

    try:
        run()
    finally:
        gc.freeze()
