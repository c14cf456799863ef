"""What a person may choose for the table of a file of weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Union

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.records.checkpoint import StoredTensor
from cnninspect.render.layer_order import natural
from cnninspect.render.renderers import View

TABLE_LEVEL = 3
"""Levels that a table shows unless told otherwise."""
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
class CheckpointView(View):
    """What to show of a file of weights, and how.

    Raises:
        UnknownChoice: there is no such column or order.
        BadOption: the level or the number of rows is of no use, or folding meets sorting.
    """

    level: Union[int, Literal["auto"], None] = "auto"
    """Names down to which tensors are shown by themselves; None: all; auto: 3 in tables, else all.
    Deeper ones are added up under the module that holds them."""
    sort: str | None = None
    """A column to sort by; the rows are then a flat list of tensors.  None: the tree of modules."""
    top: int | None = None
    """Only so many tensors, the largest unless `sort` says otherwise, and a row for the rest."""
    columns: tuple[str, ...] = ()
    """Columns in their order; empty: those that fit by themselves."""
    fold: bool = False
    """Runs of modules with the same tensors shown once."""

    def __post_init__(self) -> None:
        for name in self.columns:
            if ALIASES.get(name, name) not in COLUMNS:
                raise UnknownChoice("--columns", name, COLUMNS)
        if self.sort is not None and ALIASES.get(self.sort, self.sort) not in SORT_KEYS:
            raise UnknownChoice("--sort", self.sort, SORT_KEYS)
        if isinstance(self.level, int) and self.level < 0:
            raise BadOption("--level", self.level, "0 or more")
        if self.top is not None and self.top < 1:
            raise BadOption("--top", self.top, "1 or more")
        if self.fold and self.is_flat:
            raise BadOption("--fold", "with --sort or --top", "used without them")

    @property
    def is_flat(self) -> bool:
        """Whether the rows are a list of tensors, not a tree with totals."""
        return self.sort is not None or self.top is not None

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
