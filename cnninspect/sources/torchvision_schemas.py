"""Lets torchvision be imported beside a torch that its compiled operators were not built for.

torchvision registers shape functions for its compiled operators on import, which fails with
`operator torchvision::nms does not exist` where the compiled library did not load.  Tracing never
runs those operators, so their schemas are all that it takes.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
"""What torchvision looks up while it is imported, by the name that its error gives."""

_library: list[Any] = []
"""Keeps the definitions alive."""


def import_torchvision() -> tuple[Any, tuple[str, ...]]:
    """The torchvision package, and a note where its compiled operators are missing.

    Raises:
        ImportError: it is not installed, or cannot be imported for another reason.
    """
    for _ in range(len(SCHEMAS) + 1):
        try:
            torchvision = import_module("torchvision")
            break
        except RuntimeError as problem:
            _define(problem)
    if torchvision.extension._has_ops():
        return torchvision, ()
    return torchvision, (
        "torchvision's compiled operators do not fit this torch; their shapes are all that is used",
    )


def _define(problem: RuntimeError) -> None:
    import torch

    missing = re.search(r"operator torchvision::(\w+) does not exist", str(problem))
    if missing is None or missing[1] not in SCHEMAS:
        raise ImportError(f"torchvision cannot be imported: {problem}") from problem
    if not _library:
        _library.append(torch.library.Library("torchvision", "FRAGMENT"))  # type: ignore[no-untyped-call]
    _library[0].define(SCHEMAS[missing[1]])
