"""Other people's counts of the same trace.

Published numbers and other tools count otherwise than by multiply-accumulates, which is the field's
best-known confusion.  A convention is a named set of rules with its source; `CONVENTIONS` has all
of them.  In reading order: `convention`, then `operators` and `fvcore`, which go by operators, then
`thop`, `ptflops` and `torchinfo`, which go by modules, then `lenet`.
"""

from __future__ import annotations

from cnninspect.costs.conventions.convention import (
    CONNECTIONS,
    MACS,
    PYCLS,
    TORCHVISION,
    Convention,
)
from cnninspect.costs.conventions.fvcore import FVCORE
from cnninspect.costs.conventions.ptflops import PTFLOPS
from cnninspect.costs.conventions.thop import THOP
from cnninspect.costs.conventions.torchinfo import TORCHINFO
from cnninspect.errors import UnknownChoice

CONVENTIONS: dict[str, Convention] = {
    convention.name: convention
    for convention in (
        MACS, TORCHVISION, FVCORE, THOP, PTFLOPS, TORCHINFO, PYCLS, CONNECTIONS,
    )
}  # fmt: skip


def find(name: str) -> Convention:
    """The convention of that name.

    Raises:
        UnknownChoice: there is none.
    """
    try:
        return CONVENTIONS[name]
    except KeyError:
        raise UnknownChoice("--count-as", name, CONVENTIONS) from None


__all__ = ["CONVENTIONS", "Convention", "find"]
