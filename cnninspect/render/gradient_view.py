"""What a person may choose for a gradient profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Union

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.render.renderers import View

MEASURES = {
    "activation-gradient-rms": "gradient at each layer's output, root mean square",
    "activation-gradient-norm": "gradient at each layer's output, L2 norm",
    "activation-gradient-zeros": "share of zeros in the gradient at each layer's output",
    "gradient-norm": "gradient of each layer's parameters, L2 norm",
    "gradient-rms": "gradient of each layer's parameters, root mean square",
    "gradient-zeros": "share of zeros in the gradient of each layer's parameters",
    "activation-norm": "output of each layer, L2 norm",
    "activation-rms": "output of each layer, root mean square",
    "parameter-norm": "each layer's parameters, L2 norm",
}
"""What bars and curves can show, in words; each is a field of `Norms`."""
MOST_ROWS = 40
"""Rows of a table unless told otherwise; where there are more layers, neighbours share one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GradientView(View):
    """What to show of a gradient profile, and how.

    Raises:
        UnknownChoice: there is no such measure.
        BadOption: the number of rows is of no use.
    """

    measure: str = "activation-gradient-rms"
    """What the bars show."""
    rows: Union[int, Literal["auto"], None] = "auto"
    """Rows of the profile at most; None: one for each layer; auto: 40."""

    def __post_init__(self) -> None:
        if self.measure not in MEASURES:
            raise UnknownChoice("--measure", self.measure, MEASURES)
        if isinstance(self.rows, int) and self.rows < 1:
            raise BadOption("--rows", self.rows, "1 or more, or all")

    @property
    def field(self) -> str:
        """The field of `Norms` that is shown."""
        return self.measure.replace("-", "_")

    @property
    def most_rows(self) -> int | None:
        """Rows at most; None: as many as there are layers."""
        return MOST_ROWS if self.rows == "auto" else self.rows
