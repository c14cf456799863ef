"""The table of confusions as a heat map."""

from __future__ import annotations

from cnninspect.commands.evaluate.report import Evaluation
from cnninspect.page.escaping import visible
from cnninspect.page.plots import in_style, new_figure, written

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
    figure.suptitle(visible(title).replace("$", r"\$"), x=0.01, ha="left", fontsize=9,
                    color="#555555")  # fmt: skip
    return written(figure, format)


def _plain(name: str) -> str:
    """A class's name that is drawn as it stands, and not too long."""
    name = visible(name).replace("$", r"\$")
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
