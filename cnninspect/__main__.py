"""What the installed command `cnninspect`, and `python -m cnninspect`, run."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the command line.

    PyTorch makes a million objects that live until the end.  Looking through them for garbage,
    while it is imported and again on exit, would take a third of a short command's time.
    """
    gc.set_threshold(100_000, 50, 100)
    from cnninspect.commands.application import run

    try:
        run()
    finally:
        gc.freeze()


if __name__ == "__main__":
    main()
