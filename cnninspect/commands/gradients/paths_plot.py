"""How many gradient paths have which length, as a picture."""

from __future__ import annotations

import math

from cnninspect.commands.gradients.report import PathProfile
from cnninspect.page.plots import in_style, line_style, literal_text, new_figure, written


@in_style
def picture(report: PathProfile, format: str) -> bytes:  # noqa: A002
    """The share of a model's gradient paths at each length, in weighted layers.

    Source: Veit, Wilber, Belongie 2016, Residual networks behave like ensembles of relatively
    shallow networks, Figure 6a.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    figure, (axes,) = new_figure()
    for number, model in enumerate(report.models):
        total = sum(group.paths for group in model.path_lengths)
        if not total:
            continue
        lengths = [group.length for group in model.path_lengths]
        # Counts of paths may be larger than any float: the quotient of integers is not.
        shares = [100 * group.paths / total for group in model.path_lengths]
        mean = sum(group.length * group.paths for group in model.path_lengths) / total
        exponent = math.log10(total)
        count = f"{total:,}" if total < 10**6 else f"10^{exponent:.1f}"
        name = literal_text(model.model.name)
        label = f"{name}: {count} paths, {mean:.1f} layers on average"
        axes.plot(lengths, shares, marker="o", markersize=3, label=label, **line_style(number))
    axes.set_xlabel("weighted layers on the path")
    axes.set_ylabel("% of the paths")
    axes.set_ylim(bottom=0)
    if axes.get_legend_handles_labels()[0]:
        figure.legend(loc="outside upper left", fontsize=9, ncols=1)
    return written(figure, format)
