"""A page as GitHub's Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.page.escaping import markdown_code, markdown_text
from cnninspect.page.page import Block, Cell, Column, Facts, Heading, Kind, Page, Style, Table

RIGHT = (Kind.NUMBER, Kind.SHAPE)


def write_markdown(page: Page) -> str:
    """The page as a heading, tables and lists."""
    about = f" — {markdown_text(page.about)}" if page.about else ""
    sections = [f"### {markdown_text(page.title)}{about}\n"]
    sections += ["".join(f"{line}\n" for line in _block(block)) for block in page.blocks]
    return "\n".join(section for section in sections if section)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Facts):
        if block.title:
            yield f"**{markdown_text(block.title)}**"
            yield ""
        for fact in block.facts:
            yield f"- **{markdown_text(fact.label)}**: {markdown_text(fact.text)}"
    else:
        mark = "⚠ " if block.style == Style.WARNING else ""
        yield f"> {mark}{markdown_text(block.text)}"
        if block.items:
            yield ">"
        for item in block.items:
            yield f"> - {markdown_text(item)}"


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield f"**{markdown_text(table.title)}**"
        yield ""
    is_open = False  # a line across ends a table here, and the next row begins another
    for row in table.rows:
        if isinstance(row, Heading):
            yield from ([""] if is_open else [])
            yield _heading(row)
            yield ""
            is_open = False
            continue
        yield from ([] if is_open else _header(table.columns))
        yield _row(_cell(cell, column) for cell, column in zip(row, table.columns))
        is_open = True
    if not table.rows:
        yield from _header(table.columns)
    for remark in table.remarks:
        yield ""
        yield f"*{markdown_text(remark)}*"


def _header(columns: Sequence[Column]) -> Iterator[str]:
    yield _row(markdown_text(column.header.replace("\n", " ")) for column in columns)
    yield _row("--:" if column.kind in RIGHT else ":--" for column in columns)


def _heading(heading: Heading) -> str:
    about = f" {markdown_text(heading.about)}" if heading.about else ""
    return f"**{markdown_text(heading.text)}**{about}"


def _row(texts: Iterator[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _cell(cell: Cell, column: Column) -> str:
    text = cell.full or cell.text
    if column.kind == Kind.PROSE:
        return "<br>".join(markdown_text(line) for line in text.split("\n"))
    written = markdown_code(text) if column.kind == Kind.PATH else markdown_text(text)
    return f"{written} {markdown_text(cell.mark.strip())}".rstrip()
