"""Markdown tables, and where they stand in a document."""

from __future__ import annotations

import re
from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left and all others to the right."""
    rule = [":--", *["--:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (header, rule, *rows))


def insert(document: str, part: str, content: str) -> str:
    """The document with `content` between the markers of `part`.

    Raises:
        ValueError: it has no such markers.
    """
    begin, end = f"<!-- {part}: written by the benchmark -->", f"<!-- end of {part} -->"
    between = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.S)
    if not between.search(document):
        raise ValueError(f"the document has no place for {part}: {begin} … {end}")
    return between.sub(lambda _: f"{begin}\n\n{content}\n\n{end}", document)
