"""Tables for papers: LaTeX that can be pasted, whatever the names in it are."""

from __future__ import annotations

import re

import pytest
from hand_built import resnet10
from hypothesis import given
from hypothesis import strategies as st

import cnninspect
from cnninspect.page.formats import render
from cnninspect.page.latex import latex_text, write_latex
from cnninspect.page.page import (
    Cell,
    Column,
    Fact,
    Facts,
    Heading,
    Kind,
    Notice,
    Page,
    Style,
    Table,
)


def plain(text: str) -> str:
    """What is left of LaTeX text without its mathematics, commands, groups and escapes."""
    text = re.sub(r"\$[^$\\]*(\\[a-z]+)?[^$]*\$", "", text)
    text = re.sub(r"\\[a-zA-Z]+\d*\{\}|\{\[\}|\{\]\}", "", text)
    return re.sub(r"\\[{}$&#%_]", "", text)


@given(st.text())
def test_no_text_is_acted_on(text):
    written = latex_text(text)
    assert not set(plain(written)) & set("&%#_$^~{}\\")
    assert all(ord(sign) <= 0x17F for sign in written)
    assert "\n" not in written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("layer1.0", "layer1.0"),
        ("a_b & 5%", r"a\_b \& 5\%"),
        (r"\input{/etc/passwd}", r"\textbackslash{}input\{/etc/passwd\}"),
        ("3×3", r"3$\times$3"),
        ("2.88·10^17", r"2.88$\cdot$$10^{17}$"),
        ("[0]", "{[}0{]}"),  # else it is an argument of the line break before it
        ("漢", "{[}U+6F22{]}"),
        ("a\nb", r"a\textbackslash{}x0ab"),
    ],
)
def test_a_text_is_set_as_it_stands(text, written):
    assert latex_text(text) == written


def test_a_table_has_the_rules_of_booktabs_and_a_row_for_each_row():
    table = Table(
        (Column("layer\nname", Kind.PATH), Column("n", Kind.NUMBER), Column("why", Kind.PROSE)),
        (
            (Cell("a", guide="├─ ", mark="×3"), Cell("1", Style.STRONG), Cell("x\ny")),
            Heading("more", "of them"),
            (Cell("b"), Cell("2"), Cell("")),
        ),
        remarks=("read & see",),
    )
    page = Page("net_1", "zoo", (table, Facts((Fact("a", "b"),)), Notice("careful", ("1", "2"))))
    text = write_latex(page)
    assert r"\begin{tabular}{@{}lrp{0.5\linewidth}@{}}" in text
    assert r"layer name & n & why \\" in text
    assert r"\quad \texttt{a} $\times$3 & \textbf{1} & x\newline y \\" in text
    assert r"\multicolumn{3}{@{}l}{\textbf{more} of them} \\" in text
    assert r"{\footnotesize read \& see}" in text
    for name in ("tabular", "itemize"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}")


def test_a_comparison_is_a_table_to_paste():
    text = render(cnninspect.compare(["mlp", "lenet5"]), format="latex")
    assert r"\texttt{mlp} & 1$\times$1$\times$16$\times$16 & 28,326 & 1.00 &" in text
    assert "& 60,000 & 2.12 &" in text
    columns = len(re.search(r"@\{\}([lr]+)@\{\}", text)[1])
    for row in re.findall(r"^.* \\\\$", text, re.M):
        assert row.count(" & ") == columns - 1


def test_the_tree_of_a_summary_is_indented(check_golden, fixed_versions):
    check_golden(render(resnet10(), format="latex", level=2), "resnet10.tex")


def test_a_row_that_begins_with_a_star_keeps_it():
    table = Table((Column("a", Kind.WORD),), ((Cell("*b"),), (Cell("c*"),)))
    lines = write_latex(Page("t", "", (table,))).splitlines()
    assert r"{}*b \\" in lines
    assert r"c* \\" in lines
