"""Drawings as a page of their own, to go into boxes by clicks."""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.metrics.dataflow import Graph
from cnninspect.page.document import write_document
from cnninspect.page.drawings.sections import SCRIPT, STYLE, sections


def write_page(graphs: Sequence[Graph], *, human: bool = False) -> str:
    """The drawings of a module, the first, and of what is in it."""
    first = graphs[0]
    title = f"{first.model.name} · {first.layer}" if first.layer else first.model.name
    return write_document(title, sections(graphs, human=human), styles=[STYLE], scripts=[SCRIPT])
