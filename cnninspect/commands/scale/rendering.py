"""How a `Scaling` is written: points, and each law as a formula with what brings its terms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from cnninspect.commands.scale.report import Law, LayerShare, Rational, Scaling, Term
from cnninspect.page.footers import lower_bounds
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Notice, Page, Style, Table
from cnninspect.page.quantities import count, plural, share

TITLES = {"macs": "MACs", "parameters": "parameters", "activations": "activations"}
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
MOST_DENOMINATOR = 10_000
"""A coefficient whose denominator is larger is shown as a decimal number."""
NAMED = 4
"""Layers named for each term."""
LEAST_POINTS = 3
"""One that fixes a constant, and two that confirm it."""
GROUPS = 8
"""Beyond so many layers, what they have in common stands for them."""
POINT_COLUMNS = (
    Column("size", Kind.NUMBER),
    Column("parameters", Kind.NUMBER),
    Column("×", Kind.NUMBER, sacrifice=2),
    Column("MACs", Kind.NUMBER),
    Column("×", Kind.NUMBER, sacrifice=3),
    Column("activations", Kind.NUMBER, sacrifice=1),
)
CSV_FIELDS = ("size", "parameters", "macs", "activations")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingView(View):
    """What to show of the laws, and how."""


def page(report: Scaling, view: ScalingView) -> Page:
    """Each law as a formula, the terms with the layers that bring them, then the points."""
    blocks: list[Block] = [Facts(tuple(_formulas(report)))]
    macs = report.laws[0]
    if macs.is_exact:
        blocks.append(_terms(macs, report, human=view.human))
    else:
        blocks.append(Notice(_why_no_law(len(report.points)), style=Style.WARNING))
    blocks.append(_points(report, human=view.human))
    blocks += lower_bounds([(report.model.name, report.uncounted)])
    facts = [Fact("changed", report.how), *_validity(report)]
    facts += [Fact("note", note) for note in report.notes]
    blocks.append(Facts(tuple(facts)))
    about = f"over {report.over} {report.variable}"
    return Page(report.model.name, about, tuple(blocks))


def _formulas(report: Scaling) -> Iterator[Fact]:
    for law in report.laws:
        if law.is_exact:
            is_bound = report.uncounted and law.quantity != "parameters"
            text = ("≥ " if is_bound else "") + formula(law, report.variable)
            yield Fact(TITLES[law.quantity], text, Style.STRONG)
        elif law.exponent is not None:
            grown = f"about {report.variable}^{law.exponent:.2f} between the ends"
            yield Fact(TITLES[law.quantity], grown, Style.WARNING)


def _why_no_law(points: int) -> str:
    if points < LEAST_POINTS:
        return f"a law takes {LEAST_POINTS} sizes or more, two of them to confirm it"
    return f"no polynomial goes through all {points} points with two to spare"


def formula(law: Law, variable: str) -> str:
    """`73,008·r² + 512,000`."""
    parts: list[str] = []
    for term in law.terms:
        value = term.coefficient.fraction
        sign = "−" if value < 0 else "+"
        text = _product(abs(value), term.power, variable)
        parts.append(f" {sign} {text}" if parts else text if value >= 0 else f"−{text}")
    return "".join(parts)


def _product(value: Fraction, power: int, variable: str) -> str:
    factor = _power(power, variable)
    if value == 1 and factor:
        return factor
    return f"{rational_text(value)}·{factor}" if factor else rational_text(value)


def _power(power: int, variable: str) -> str:
    if power == 0:
        return ""
    return variable + (str(power).translate(SUPERSCRIPTS) if power > 1 else "")


def rational_text(value: Fraction) -> str:
    """`73,008`, `149/2`, or a decimal number where the fraction would be unreadable.

    >>> rational_text(Fraction(73008)), rational_text(Fraction(149, 2))
    ('73,008', '149/2')
    """
    if value.denominator == 1:
        return f"{value.numerator:,}"
    if value.denominator <= MOST_DENOMINATOR:
        return f"{value.numerator:,}/{value.denominator:,}"
    return f"≈{float(value):,.6g}"


def _terms(law: Law, report: Scaling, *, human: bool) -> Table:
    """What each term comes to at the largest size, and what brings it."""
    size = max(point.size.fraction for point in report.points)
    whole = max(report.points, key=lambda point: point.size.fraction).macs
    at = rational_text(size)
    rows = []
    for term in law.terms:
        value = term.coefficient.fraction * size**term.power
        number = count(round(value), human=human)
        rows.append(
            (
                Cell(_product(term.coefficient.fraction, term.power, report.variable)),
                Cell(number),
                Cell(_signed_share(float(value), whole), Style.FAINT),
                Cell(brought_by(term)),
            )
        )
    columns = (
        Column("term of the MACs", Kind.SHAPE),
        Column(f"at {report.variable} = {at}", Kind.NUMBER),
        Column("%", Kind.NUMBER, sacrifice=1),
        Column("contributed by", Kind.PROSE),
    )
    return Table(columns, tuple(rows))


def brought_by(term: Term) -> str:
    """The layers that bring a term, with their shares of it: `layer3 36.5%, layer2 23.8%`.

    Where some add to it and others take from it, what each brings: `conv1 +9, layer1 -4`.
    """
    layers = _grouped(term.layers)
    whole = sum(value for _, value in layers)
    is_mixed = len({value > 0 for _, value in layers}) > 1

    def told(value: Fraction) -> str:
        if is_mixed:
            return f"{'+' if value > 0 else '-'}{rational_text(abs(value))}"
        return f"{share(float(value), float(whole))}%"

    named = [f"{path or 'the model itself'} {told(value)}" for path, value in layers[:NAMED]]
    rest = layers[NAMED:]
    if rest:
        others = sum((value for _, value in rest), Fraction(0))
        named.append(f"{plural(len(rest), 'other')} {told(others)}")
    return ", ".join(named)


def _signed_share(value: float, whole: float) -> str:
    text = share(abs(value), whole)
    return f"-{text}" if value < 0 and text else text


def _grouped(layers: Sequence[LayerShare]) -> list[tuple[str, Fraction]]:
    """The layers, or where they are many those that hold them, the most first."""
    level = max((layer.path.count(".") + 1 for layer in layers), default=1)
    while True:
        groups: dict[str, Fraction] = {}
        for layer in layers:
            path = ".".join(layer.path.split(".")[:level])
            groups[path] = groups.get(path, Fraction(0)) + layer.coefficient.fraction
        if len(groups) <= GROUPS or level == 1:
            return sorted(groups.items(), key=lambda item: -abs(item[1]))
        level -= 1


def _points(report: Scaling, *, human: bool) -> Table:
    first = report.points[0]
    rows = [
        (
            Cell(rational_text(point.size.fraction)),
            Cell(count(point.parameters, human=human)),
            Cell(_times(point.parameters, first.parameters), Style.FAINT),
            Cell(count(point.macs, human=human)),
            Cell(_times(point.macs, first.macs), Style.FAINT),
            Cell(count(point.activations, human=human)),
        )
        for point in report.points
    ]
    size = Column(report.variable, Kind.NUMBER)
    return Table((size, *POINT_COLUMNS[1:]), tuple(rows))


def _times(value: int, whole: int) -> str:
    return f"{value / whole:.2f}" if whole else ""


def _validity(report: Scaling) -> Iterator[Fact]:
    macs = report.laws[0]
    if not macs.is_exact:
        return
    fitted = [rational_text(size.fraction) for size in macs.fitted_on]
    checked = [rational_text(size.fraction) for size in macs.checked_on]
    fixed = f"{report.variable} = {_listed(fitted)} fix the law of the MACs"
    yield Fact("exact", f"{fixed}; it is exact at {_listed(checked)} too", Style.GOOD)
    if report.step is not None and report.step.fraction != 1:
        step, start = rational_text(report.step.fraction), rational_text(report.start.fraction)
        yield Fact("holds for", f"{report.variable} = {start} + {step}·k, k = 0, 1, 2, …")


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts[:-1]) + f" and {texts[-1]}" if len(texts) > 1 else texts[0]


def rows(
    report: Scaling,
    view: ScalingView,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each size."""
    return CSV_FIELDS, (
        (_number(point.size), point.parameters, point.macs, point.activations)
        for point in report.points
    )


def _number(size: Rational) -> int | float:
    value = size.fraction
    return value.numerator if value.denominator == 1 else float(value)


RENDERER = Renderer(
    view=ScalingView, page=page, rows=rows, picture="cnninspect.commands.scale.plot:picture"
)
