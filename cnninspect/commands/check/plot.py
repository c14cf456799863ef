"""A budget check as a picture: how much of each limit is used."""

from __future__ import annotations

from cnninspect.commands.check.ci_formats import limit_text, subject_text, value_text
from cnninspect.commands.check.report import BudgetCheck, CheckedLimit
from cnninspect.errors import NoPicture
from cnninspect.page.plots import in_style, literal_text, new_figure, written

KEPT, BROKEN = "#2a8a3e", "#c0392b"
LONGEST = 3.0
"""Shares of a limit beyond which a bar is cut, so that the others can be read."""


@in_style
def picture(report: BudgetCheck, format: str) -> bytes:  # noqa: A002
    """A bar for each limit that is a number, as a share of what is allowed, the limit as a line.

    Raises:
        MissingLibrary: matplotlib is not installed.
        NoPicture: no limit is a number above 0.
    """
    limits = [limit for limit in report.limits if limit.limit > 0 and limit.name != "locked"]
    if not limits:
        raise NoPicture("a check without limits that are numbers")
    several = len({limit.model for limit in limits}) > 1
    figure, (axes,) = new_figure(inches=(9.0, 1.4 + 0.42 * len(limits)))
    places = range(len(limits), 0, -1)
    shares = [limit.value / limit.limit for limit in limits]
    colors = [KEPT if limit.ok else BROKEN for limit in limits]
    axes.barh(places, [100 * min(share, LONGEST) for share in shares], height=0.6, color=colors)
    axes.axvline(100, color="#333333", linewidth=1.2, linestyle="--")
    axes.set_yticks(places, [_name(limit, with_model=several) for limit in limits])
    for place, share, limit in zip(places, shares, limits):
        text = f" {value_text(limit, human=True)}, {limit_text(limit, human=True)}"
        mark = "" if limit.ok else "  exceeded" if limit.name.startswith("max") else "  too little"
        axes.text(
            100 * min(share, LONGEST), place, text + mark, va="center", fontsize=8,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
        )  # fmt: skip
    axes.set_xlim(0, 100 * min(max(1.0, *shares), LONGEST) * 1.45)
    axes.set_xlabel("% of the limit")
    axes.grid(False, axis="y")
    return written(figure, format)


def _name(limit: CheckedLimit, *, with_model: bool) -> str:
    name = f"{limit.model}: {subject_text(limit)}" if with_model else subject_text(limit)
    return literal_text(name)
