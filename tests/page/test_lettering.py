"""What becomes of signs that an encoding does not have."""

from __future__ import annotations

import pytest
from hand_built import resnet10
from hand_built_budgets import quadratic_law
from rich.cells import cell_len

from cnninspect.page.escaping import SPELLINGS, drawn, spelled
from cnninspect.page.formats import render


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("1×3×224×224 · eval", "utf-8", "1×3×224×224 · eval"),
        ("1×3×224×224 · eval", "latin-1", "1×3×224×224 · eval"),
        ("1×3×224×224 · eval", "ascii", "1x3x224x224, eval"),
        ("9/32·r⁴ − 2·r¹²", "ascii", "9/32*r^4 - 2*r^12"),
        ("≤ 60%: 618 → 1,386", "latin-1", "<= 60%: 618 -> 1,386"),
        ("α·β²·γ² ≈ 2", "ascii", "alpha*beta^2*gamma^2 ~ 2"),
        ("层1", "cp1252", "?1"),
    ],
)
def test_spelling(text, encoding, expected):
    assert spelled(text, encoding) == expected


def test_every_spelling_is_ascii():
    assert all(text.isascii() for text in SPELLINGS.values())


def test_what_is_drawn_keeps_its_width():
    text = "├─ …1.0.conv1  ███▌  ─────"
    assert drawn(text, "ascii") == "|- ~1.0.conv1  ####  -----"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437"])
@pytest.mark.parametrize("kind", ["table", "markdown"])
@pytest.mark.parametrize("report", [resnet10(), quadratic_law()], ids=["summary", "scaling"])
def test_reports_can_be_encoded(report, kind, encoding):
    render(report, format=kind, encoding=encoding).encode(encoding)


@pytest.mark.parametrize("width", [50, 80, 120])
def test_columns_stay_aligned(width):
    plain = render(resnet10(), width=width, encoding="ascii").split("\n\n")[1].splitlines()
    rule = next(line for line in plain if set(line) == {"-"})
    rows = [line for line in plain if line.startswith(("|", "`"))]
    assert rows
    assert max(cell_len(line) for line in plain) <= width
    assert all(len(line) <= len(rule) for line in rows)
