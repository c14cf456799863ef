"""From what is typed to what the api takes."""

from __future__ import annotations

from cnninspect.sources.input_text import parse_inputs

__all__ = ["parse_columns", "parse_inputs"]


def parse_columns(typed: str | None) -> tuple[str, ...]:
    """The names in `--columns a,b,c`."""
    return tuple(name.strip() for name in typed.split(",") if name.strip()) if typed else ()
