"""What a person may choose for the table of a summary."""

from __future__ import annotations

from dataclasses import dataclass

from cnninspect.records.summary import Summary, limit_level
from cnninspect.render.layer_columns import COLUMNS
from cnninspect.render.layer_order import SORT_KEYS
from cnninspect.render.tree_view import TreeView


@dataclass(frozen=True, slots=True, kw_only=True)
class SummaryView(TreeView):
    """What to show of a summary, and how: rows are layers, the largest those with most MACs."""

    known_columns = COLUMNS
    known_orders = SORT_KEYS

    def limited(self, report: Summary, *, auto: int | None) -> Summary:
        """The report down to the level chosen, or to `auto`."""
        level = auto if self.level == "auto" else self.level
        return report if level is None else limit_level(report, level)
