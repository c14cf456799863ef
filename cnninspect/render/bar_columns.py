"""Columns of numbers with bars beside them, all on one logarithmic scale."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from rich.cells import cell_len

from cnninspect.render.escaping import visible
from cnninspect.render.fitting import GAP, wrapped
from cnninspect.render.log_bars import (
    LEAST_BAR,
    NUMBER_WIDTH,
    LogScale,
    axis,
    bar,
    number_text,
)
from cnninspect.render.pages import Cell, Column, Kind, Style

WIDEST_BAR = 40


def room_for(width: int | None, used: int, columns: int) -> int:
    """Characters for each of so many equal columns beside what is `used`."""
    widest = NUMBER_WIDTH + 1 + WIDEST_BAR
    if width is None:
        return widest
    return max(min((width - used) // columns - GAP, widest), NUMBER_WIDTH)


def bar_width(room: int) -> int:
    """Characters for a bar beside its number in a column; 0: no bars."""
    bars = room - NUMBER_WIDTH - 1
    return bars if bars >= LEAST_BAR else 0


def bar_columns(names: Sequence[str], scale: LogScale, room: int) -> tuple[Column, ...]:
    """Columns of bars under their names, which are broken where they are wider."""
    ends = axis(scale, bar_width(room))
    ruler = " " * (NUMBER_WIDTH + 1) + ends if ends else ""
    return tuple(
        Column("\n".join(broken(visible(name), room)), Kind.WORD, name=name, ruler=ruler)
        for name in names
    )


def broken(name: str, room: int) -> list[str]:
    """A name as lines of at most `room`, broken after its signs where that is possible.

    >>> broken("plain20@activation=sigmoid,norm=none cell", 20)
    ['plain20@activation=', 'sigmoid,norm=none', 'cell']
    """
    lines: list[str] = []
    for part in re.split(r"(?<=[@,:/= ])", name):
        if lines and cell_len(lines[-1] + part.rstrip()) <= room:
            lines[-1] += part
        else:
            lines += wrapped(part.rstrip(), room) if cell_len(part.rstrip()) > room else [part]
    return [line.rstrip() for line in lines]


def scale_remark(scale: LogScale, width: int) -> list[str]:
    """What the ends of bars stand for, where there is no room for it above them."""
    if not width or axis(scale, width):
        return []
    return [f"bars on a logarithmic scale from 1e{scale.low:+03d} to 1e{scale.high:+03d}"]


def bar_cell(value: float | None, scale: LogScale, width: int, style: Style) -> Cell:
    """A number and its bar; in Markdown the number alone."""
    number = number_text(value)
    if value is None:
        return Cell("–", Style.FAINT)
    if value == 0 or not math.isfinite(value):
        return Cell(number, Style.WARNING)
    drawn = f"{number} {bar(value, scale, width)}" if width else number
    return Cell(drawn, style, full=number)
