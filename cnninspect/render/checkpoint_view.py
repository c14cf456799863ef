"""What a person may choose for the table of a file of weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cnninspect.records.checkpoint import StoredTensor
from cnninspect.render.layer_order import natural
from cnninspect.render.tree_view import TreeView

COLUMNS = ("path", "shape", "dtype", "tensors", "elements", "share", "bytes", "storage", "offset",
           "stride", "shared")  # fmt: skip
"""What can be typed after `--columns`."""
DEFAULT = ("path", "shape", "dtype", "elements", "share", "bytes")
ALIASES = {
    "parameters": "elements", "parameters_share": "share", "parameter_bytes": "bytes",
    "output": "shape", "name": "path", "order": "order",
}  # fmt: skip
"""What a column of networks is called here."""
SORT_KEYS: dict[str, Callable[[StoredTensor], Any]] = {
    "elements": lambda tensor: -tensor.spec.numel,
    "bytes": lambda tensor: -tensor.nbytes,
    "path": lambda tensor: natural(tensor.name),
    "shape": lambda tensor: [-size for size in tensor.spec.shape],
    "dtype": lambda tensor: tensor.spec.dtype,
    "storage": lambda tensor: (natural(tensor.storage), tensor.offset),
    "order": lambda _: 0,
}
"""What a list can be sorted by: largest first, names from a to z; `order` is that of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointView(TreeView):
    """What to show of a file of weights, and how: rows are tensors, with modules above them."""

    known_columns = COLUMNS
    known_orders = SORT_KEYS
    aliases = ALIASES

    @property
    def order(self) -> Callable[[StoredTensor], Any]:
        """The key to sort a flat list by."""
        name = self.sort or "elements"
        return SORT_KEYS[ALIASES.get(name, name)]

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns of the table, names first."""
        names = tuple(ALIASES.get(name, name) for name in self.columns) or DEFAULT
        return names if "path" in names else ("path", *names)
