"""How a network grows, as a picture: each quantity over the size, with the power of its law."""

from __future__ import annotations

from cnninspect.commands.scale.report import Scaling
from cnninspect.page.plots import COLORS, in_style, literal_text, new_figure, tick_text, written

QUANTITIES = (("macs", "MACs"), ("parameters", "parameters"), ("activations", "activations"))


@in_style
def picture(report: Scaling, format: str) -> bytes:  # noqa: A002
    """MACs, parameters and activations over the size, side by side.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    from matplotlib.ticker import FuncFormatter

    figure, panels = new_figure(3, inches=(4.2, 3.8))
    xs = [point.size.numerator / point.size.denominator for point in report.points]
    laws = {law.quantity: law for law in report.laws}
    for axes, (quantity, name), color in zip(panels, QUANTITIES, COLORS):
        ys = [getattr(point, quantity) for point in report.points]
        axes.plot(xs, ys, color=color, marker="o", markersize=4, linewidth=1.6)
        law = laws.get(quantity)
        exponent = law.exponent if law is not None else None
        power = f", about the power {exponent:.2f}" if exponent is not None else ""
        axes.set_title(f"{name}{power}")
        axes.set_xlabel(literal_text(report.over))
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick_text(value)))
    figure.suptitle(literal_text(report.model.name), fontsize=12)
    return written(figure, format)
