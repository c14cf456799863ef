"""From what is typed to what the api takes."""

from __future__ import annotations

from fractions import Fraction

from cnninspect.errors import BadOption
from cnninspect.sources.input_text import parse_inputs

__all__ = ["parse_columns", "parse_inputs", "parse_numbers"]


def parse_columns(typed: str | None) -> tuple[str, ...]:
    """The names in `--columns a,b,c`."""
    return tuple(name.strip() for name in typed.split(",") if name.strip()) if typed else ()


def parse_numbers(typed: str | None, option: str) -> tuple[Fraction, ...]:
    """The numbers in `--sizes 64,96.5`, exactly.

    Raises:
        BadOption: one of them is no number.
    """
    try:
        return tuple(Fraction(text.strip()) for text in typed.split(",")) if typed else ()
    except (ValueError, ZeroDivisionError):
        raise BadOption(option, typed, "numbers with commas between: 64,96,128") from None
