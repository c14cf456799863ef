"""A page as a piece of HTML that needs nothing else, for notebooks."""

from __future__ import annotations

from collections.abc import Iterator

from cnninspect.page.escaping import html_text
from cnninspect.page.page import Block, Cell, Column, Facts, Heading, Kind, Page, Style, Table

INKS = {
    Style.STRONG: "font-weight:bold",
    Style.FAINT: "opacity:0.6",
    Style.ACCENT: "color:#1a7f8e",
    Style.GOOD: "color:#2a8a3e",
    Style.WARNING: "color:#b26a00",
    Style.BAD: "color:#c0392b",
}
"""Colours that can be read on white and on black."""

CELL = "padding:1px 8px;border:none;white-space:pre"
MONOSPACE = "font-family:monospace"


def write_html(page: Page) -> str:
    """The page as one `<div>`: no style sheet, no script, nothing fetched."""
    about = f' <span style="{INKS[Style.FAINT]}">{html_text(page.about)}</span>'
    lines = ["<div>", f"<p><b>{html_text(page.title)}</b>{about if page.about else ''}</p>"]
    for block in page.blocks:
        lines += _block(block)
    return "\n".join([*lines, "</div>"]) + "\n"


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Facts):
        if block.title:
            yield f"<p><b>{html_text(block.title)}</b></p>"
        yield '<table style="border-collapse:collapse">'
        for fact in block.facts:
            label = f'<th style="{CELL};text-align:left;font-weight:normal;opacity:0.6">'
            text = f'<td style="padding:1px 8px;border:none;text-align:left{_ink(fact.style)}">'
            yield f"<tr>{label}{html_text(fact.label)}</th>{text}{html_text(fact.text)}</td></tr>"
        yield "</table>"
    else:
        items = "".join(f"<li>{html_text(item)}</li>" for item in block.items)
        items = f"<ul>{items}</ul>" if items else ""
        yield f'<div style="margin:6px 8px{_ink(block.style)}">{html_text(block.text)}{items}</div>'


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield f"<p><b>{html_text(table.title)}</b></p>"
    yield '<table style="border-collapse:collapse;font-variant-numeric:tabular-nums">'
    headers = "".join(
        f'<th style="{CELL};text-align:{_side(column)};border-bottom:1px solid">'
        f"{html_text(column.header.replace(chr(10), ' '))}</th>"
        for column in table.columns
    )
    yield f"<thead><tr>{headers}</tr></thead>"
    yield "<tbody>"
    for row in table.rows:
        if isinstance(row, Heading):
            yield f"<tr>{_heading(row, len(table.columns))}</tr>"
            continue
        cells = "".join(_cell(cell, column) for cell, column in zip(row, table.columns))
        yield f"<tr>{cells}</tr>"
    yield "</tbody>"
    yield "</table>"
    for remark in table.remarks:
        yield f'<div style="margin:2px 8px;{INKS[Style.FAINT]}">{html_text(remark)}</div>'


def _heading(heading: Heading, columns: int) -> str:
    about = f'<span style="{INKS[Style.FAINT]}">{html_text(heading.about)}</span>'
    style = f"{CELL};text-align:left;white-space:normal;padding-top:8px"
    return f'<td style="{style}" colspan="{columns}"><b>{html_text(heading.text)}</b> {about}</td>'


def _cell(cell: Cell, column: Column) -> str:
    font = f";{MONOSPACE}" if column.kind == Kind.PATH else ""
    space = ";white-space:normal" if column.kind == Kind.PROSE else ""
    style = f"{CELL};text-align:{_side(column)}{font}{space}{_ink(cell.style)}"
    guide = f'<span style="{INKS[Style.FAINT]}">{html_text(cell.guide)}</span>'
    mark = f'<span style="{INKS[Style.ACCENT]}">{html_text(cell.mark)}</span>'
    lines = cell.text.split("\n") if column.kind == Kind.PROSE else [cell.text]
    text = "<br>".join(html_text(line) for line in lines)
    text = (guide if cell.guide else "") + text + (mark if cell.mark else "")
    title = f' title="{html_text(cell.full)}"' if cell.full and cell.full != cell.text else ""
    return f'<td style="{style}"{title}>{text}</td>'


def _side(column: Column) -> str:
    return "right" if column.kind in (Kind.NUMBER, Kind.SHAPE) else "left"


def _ink(style: Style) -> str:
    return f";{INKS[style]}" if style in INKS else ""
