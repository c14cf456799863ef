"""How an `Evaluation` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnninspect.commands.evaluate.report import Averages, Evaluation
from cnninspect.page.escaping import visible
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import (
    Block,
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
from cnninspect.page.plots import in_style, literal_text, new_figure, written
from cnninspect.page.quantities import plural

MOST_CLASSES = 20
"""Classes up to which the table of confusions is shown."""
CSV_FIELDS = ("class", "precision", "recall", "f_beta", "support", "predicted")


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationView(View):
    """What to show of an evaluation."""

    shares: bool = False
    """Confusions as shares of each label's examples instead of counts."""


def page(report: Evaluation, view: EvaluationView) -> Page:
    """The figures, then the classes, then what was taken for what."""
    blocks: list[Block] = [_figures(report), _classes(report)]
    if len(report.classes) <= MOST_CLASSES:
        blocks.append(_confusion(report, shares=view.shares))
    else:
        blocks.append(
            Notice(f"{len(report.classes)} classes: --format json has the table of confusions")
        )
    if report.worst:
        blocks.append(_worst(report))
    blocks += _notices(report)
    name = report.model.name if report.model else report.data
    return Page(f"evaluation of {name}", _about(report), tuple(blocks))


def _about(report: Evaluation) -> str:
    if report.model is None:
        return f"{plural(report.examples, 'prediction')} in {len(report.classes)} classes"
    part = {"held-out": "held out", "all": "all of them"}.get(report.part, report.part)
    parts = [f"{report.data}: {report.examples:,} examples, {part}"]
    parts += [f"weights of {report.weights}"] if report.weights else []
    return " · ".join(parts)


def _figures(report: Evaluation) -> Facts:
    intervals = {each.name: f"95 % from {each.low:.4f} to {each.high:.4f}"
                 for each in report.intervals}  # fmt: skip
    facts = [
        Fact("accuracy", f"{report.accuracy:.4f} · {intervals['accuracy']}", Style.STRONG),
        Fact("balanced", f"{report.balanced_accuracy:.4f}, mean recall of the classes that occur"),
        Fact(f"F{report.beta:g}", f"{report.macro.f_beta:.4f} macro · {intervals['macro f_beta']}"),
    ]
    if report.loss is not None:
        facts.append(Fact("loss", f"{report.loss:.4f} cross-entropy"))
    if report.top_k_accuracy is not None:
        facts.append(Fact(f"top {report.top_k}", f"{report.top_k_accuracy:.4f}"))
    if report.calibration_error is not None:
        facts.append(
            Fact("calibration", f"{report.calibration_error:.4f} expected calibration error")
        )
    return Facts(tuple(facts))


def _classes(report: Evaluation) -> Table:
    columns = (
        Column("class", Kind.PATH),
        Column("precision", Kind.NUMBER),
        Column("recall", Kind.NUMBER),
        Column(f"F{report.beta:g}", Kind.NUMBER, name="f_beta"),
        Column("support", Kind.NUMBER),
        Column("predicted", Kind.NUMBER, sacrifice=1),
    )
    rows: list[tuple[Cell, ...] | Heading] = [
        (
            Cell(each.name),
            Cell(f"{each.precision:.4f}"),
            Cell(f"{each.recall:.4f}"),
            Cell(f"{each.f_beta:.4f}"),
            Cell(f"{each.support:,}"),
            Cell(f"{each.predicted:,}"),
        )
        for each in report.classes
    ]
    for name, averages in (
        ("macro", report.macro),
        ("micro", report.micro),
        ("weighted", report.weighted),
    ):
        rows.append(_average(name, averages, report.examples))
    remark = (
        f"F = (1 + β²)·P·R / (β²·P + R) with β = {report.beta:g}: above 1 recall weighs more, "
        "below 1 precision"
    )
    return Table(columns, tuple(rows), remarks=(remark,))


def _average(name: str, averages: Averages, examples: int) -> tuple[Cell, ...]:
    return (
        Cell(name, Style.ACCENT),
        Cell(f"{averages.precision:.4f}", Style.ACCENT),
        Cell(f"{averages.recall:.4f}", Style.ACCENT),
        Cell(f"{averages.f_beta:.4f}", Style.ACCENT),
        Cell(f"{examples:,}", Style.FAINT),
        Cell(""),
    )


def _confusion(report: Evaluation, *, shares: bool) -> Table:
    names = [each.name for each in report.classes]
    columns = (
        Column("label", Kind.PATH),
        *(Column(name, Kind.NUMBER, name=f"as {name}") for name in map(visible, names)),
    )
    rows = []
    for i, (name, row) in enumerate(zip(names, report.confusion)):
        cells = [Cell(name, Style.FAINT)]
        for j, count in enumerate(row):
            text = f"{count:,}" if count else "·"
            if shares and count:
                text = f"{count / sum(row):.3f}"
            style = Style.GOOD if i == j else Style.WARNING if count else Style.FAINT
            cells.append(Cell(text, style, full=text if count else "0"))
        rows.append(tuple(cells))
    what = "share of the label's examples" if shares else "examples"
    title = f"a row for each label, a column for what it was taken for: {what}"
    return Table(columns, tuple(rows), title=title)


def _worst(report: Evaluation) -> Table:
    columns = (
        Column("label", Kind.PATH),
        Column("taken for", Kind.PATH),
        Column("examples", Kind.NUMBER),
        Column("% of label", Kind.NUMBER),
    )
    rows = tuple(
        (
            Cell(each.label),
            Cell(each.predicted),
            Cell(f"{each.count:,}"),
            Cell(f"{100 * each.share:.1f}"),
        )
        for each in report.worst
    )
    return Table(columns, rows, title="worst confusions")


def _notices(report: Evaluation) -> Iterator[Notice]:
    absent = [each.name for each in report.classes if not each.support]
    if absent:
        shown = ", ".join(absent[:5]) + (f" and {len(absent) - 5} more" if len(absent) > 5 else "")
        yield Notice(f"no example of {shown}: macro averages count {len(absent)} × 0 for that")
    if report.skipped:
        skipped = plural(report.skipped, "file")
        yield Notice(f"{skipped} could not be read as images and were skipped", style=Style.WARNING)
    for note in report.notes:
        yield Notice(note, style=Style.WARNING)
    yield Notice(f"intervals from {report.resamples:,} samples with replacement")


def rows(
    report: Evaluation,
    view: EvaluationView,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each class, with its confusions in a column for each class."""
    names = tuple(f"taken for {each.name}" for each in report.classes)
    return (*CSV_FIELDS, *names), (
        (c.name, c.precision, c.recall, c.f_beta, c.support, c.predicted, *row)
        for c, row in zip(report.classes, report.confusion)
    )


RENDERER = Renderer(
    view=EvaluationView,
    page=page,
    rows=rows,
    picture="cnninspect.commands.evaluate.rendering:picture",
)


MOST_NUMBERS = 26
"""Classes up to which each field has its number."""
LONGEST = 18
"""Characters of a class's name."""


@in_style
def picture(report: Evaluation, format: str) -> bytes:  # noqa: A002
    """The content of a picture file: shares of each label's examples as shades, counts in them.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    count = len(report.classes)
    side = min(max(4.5, 0.5 * count + 2), 24)
    figure, (axis,) = new_figure(inches=(side + 0.8, side))
    shares = [[n / max(sum(row), 1) for n in row] for row in report.confusion]
    image = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axis.grid(False)
    for spine in axis.spines.values():
        spine.set_visible(True)
    names = [_plain(each.name) for each in report.classes]
    axis.set_xticks(range(count), names, rotation=90 if max(map(len, names)) > 3 else 0)
    axis.set_yticks(range(count), names)
    axis.set_xlabel("taken for")
    axis.set_ylabel("label")
    if count <= MOST_NUMBERS:
        for i, row in enumerate(report.confusion):
            for j, number in enumerate(row):
                if number:
                    axis.text(
                        j, i, f"{number:,}", ha="center", va="center", fontsize=8,
                        color="white" if shares[i][j] > 0.5 else "#333333",
                    )  # fmt: skip
    bar = figure.colorbar(image, ax=axis, fraction=0.046, pad=0.03)
    bar.set_label("share of the label's examples")
    name = report.model.name if report.model else report.data
    title = f"{name}: accuracy {report.accuracy:.4f} of {report.examples:,} examples"
    figure.suptitle(literal_text(title), x=0.01, ha="left", fontsize=9,
                    color="#555555")  # fmt: skip
    return written(figure, format)


def _plain(name: str) -> str:
    """A class's name that is drawn as it stands, and not too long."""
    name = literal_text(name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
