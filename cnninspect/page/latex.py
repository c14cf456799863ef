r"""A page as LaTeX: tables of booktabs that can be pasted into a paper.

Needs `\usepackage{booktabs}` and nothing else.  Numbers are plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from cnninspect.page.escaping import visible
from cnninspect.page.page import Block, Cell, Column, Facts, Heading, Kind, Page, Style, Table

RIGHT = (Kind.NUMBER, Kind.SHAPE)
GUIDE = 3
"""Characters of a tree's branches for each level."""
SIGNS = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\char34{}",
    "`": r"\textasciigrave{}", "[": "{[}", "]": "{]}",
    "×": r"$\times$", "·": r"$\cdot$", "−": "$-$", "≤": r"$\leq$", "≥": r"$\geq$",
    "≈": r"$\approx$",
    "±": r"$\pm$", "→": r"$\to$", "←": r"$\gets$", "√": r"$\surd$", "∞": r"$\infty$",
    "Σ": r"$\Sigma$", "∂": r"$\partial$", "ᵀ": r"$^T$", "‖": r"$\Vert$", "°": r"\textdegree{}",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "φ": r"$\varphi$", "θ": r"$\theta$",
    "µ": r"$\mu$", "μ": r"$\mu$", "σ": r"$\sigma$", "Δ": r"$\Delta$", "÷": r"$\div$",
    "⁰": "$^0$", "¹": "$^1$", "²": "$^2$", "³": "$^3$", "⁴": "$^4$", "⁵": "$^5$", "⁶": "$^6$",
    "⁷": "$^7$", "⁸": "$^8$", "⁹": "$^9$", "⁻": "$^-$", "₀": "$_0$", "₁": "$_1$", "₂": "$_2$",
    "–": "--", "—": "---", "…": r"\ldots{}", "✓": r"$\surd$", "✗": r"$\times$", "⚠": "!",
    "“": "``", "”": "''", "‘": "`", "’": "'", "•": r"$\bullet$", "€": r"\texteuro{}",
}  # fmt: skip
"""What LaTeX would act on, or what its fonts lack, and what stands for it."""
POWER = re.compile(r"(?<![\w^])10\^(-?\d+)(?![\w^])")
EUROPEAN = 0x17F
"""The last letter that LaTeX's own fonts have; others become their number."""


def latex_text(text: str) -> str:
    r"""Text that LaTeX sets as it stands.

    >>> latex_text("layer_1 & 50% of 3×3")
    'layer\\_1 \\& 50\\% of 3$\\times$3'
    """
    parts = POWER.split(visible(text))  # every second one is an exponent of ten
    return "".join(
        f"$10^{{{part}}}$" if i % 2 else "".join(SIGNS.get(sign) or _letter(sign) for sign in part)
        for i, part in enumerate(parts)
    )


def _letter(sign: str) -> str:
    return sign if ord(sign) <= EUROPEAN else f"{{[}}U+{ord(sign):04X}{{]}}"


def write_latex(page: Page) -> str:
    """The page's tables, each in a `tabular`, with its facts and remarks as text between them."""
    about = f" {latex_text(page.about)}" if page.about else ""
    sections = [r"% \usepackage{booktabs}" + f"\n\\textbf{{{latex_text(page.title)}}}{about}\n"]
    sections += ["".join(f"{line}\n" for line in _block(block)) for block in page.blocks]
    return "\n".join(section for section in sections if section)


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Facts):
        yield from _title(block.title)
        yield r"\noindent\begin{tabular}{@{}lp{0.75\linewidth}@{}}"
        for fact in block.facts:
            yield f"{latex_text(fact.label)} & {latex_text(fact.text)} \\\\"
        yield r"\end{tabular}"
    else:
        mark = r"\textbf{!} " if block.style == Style.WARNING else ""
        yield f"{mark}{latex_text(block.text)}"
        if block.items:
            yield r"\begin{itemize}"
            for item in block.items:
                yield rf"\item {latex_text(item)}"
            yield r"\end{itemize}"


def _title(title: str) -> Iterator[str]:
    if title:
        yield rf"\textbf{{{latex_text(title)}}}"
        yield ""


def _table(table: Table) -> Iterator[str]:
    yield from _title(table.title)
    sides = "".join(_side(column) for column in table.columns)
    yield rf"\noindent\begin{{tabular}}{{@{{}}{sides}@{{}}}}"
    yield r"\toprule"
    yield _row(latex_text(column.header.replace("\n", " ")) for column in table.columns)
    yield r"\midrule"
    for row in table.rows:
        if isinstance(row, Heading):
            yield _heading(row, len(table.columns))
        else:
            yield _row(_cell(cell, column) for cell, column in zip(row, table.columns))
    yield r"\bottomrule"
    yield r"\end{tabular}"
    for remark in table.remarks:
        yield ""
        yield rf"{{\footnotesize {latex_text(remark)}}}"


def _side(column: Column) -> str:
    if column.kind == Kind.PROSE:
        return r"p{0.5\linewidth}"
    return "r" if column.kind in RIGHT else "l"


def _heading(heading: Heading, columns: int) -> str:
    about = f" {latex_text(heading.about)}" if heading.about else ""
    return (
        rf"\multicolumn{{{columns}}}{{@{{}}l}}{{\textbf{{{latex_text(heading.text)}}}{about}}} \\"
    )


def _row(texts: Sequence[str] | Iterator[str]) -> str:
    row = " & ".join(texts)
    row = f"{{}}{row}" if row.startswith("*") else row  # else the line's end before it takes it
    return f"{row} \\\\"


def _cell(cell: Cell, column: Column) -> str:
    if column.kind == Kind.PROSE:
        return r"\newline ".join(latex_text(line) for line in cell.text.split("\n"))
    if cell.full.isspace():
        return ""  # bars are for terminals; what they show stands in other columns
    indent = r"\quad " * (len(cell.guide) // GUIDE)
    text = latex_text(cell.text)
    if column.kind == Kind.PATH and text:
        text = rf"\texttt{{{text}}}"
    if cell.style == Style.STRONG and text:
        text = rf"\textbf{{{text}}}"
    mark = f" {latex_text(cell.mark.strip())}" if cell.mark.strip() else ""
    return f"{indent}{text}{mark}"
