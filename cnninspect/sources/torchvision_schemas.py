"""Lets torchvision be imported beside a torch that its compiled operators were not built for.

torchvision registers shape functions for its compiled operators on import, which fails with
`operator torchvision::nms does not exist` where the compiled library did not load.  The operators
are then defined here: their schemas and shapes, which is all that tracing asks for, and those that
detection models compute with, in Python.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

Result = TypeVar("Result")

_ROIS = "Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width"
SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align": f"roi_align({_ROIS}, int sampling_ratio, bool aligned) -> Tensor",
    "roi_pool": f"roi_pool({_ROIS}) -> (Tensor, Tensor)",
    "ps_roi_align": f"ps_roi_align({_ROIS}, int sampling_ratio) -> (Tensor, Tensor)",
    "ps_roi_pool": f"ps_roi_pool({_ROIS}) -> (Tensor, Tensor)",
    "deform_conv2d": "deform_conv2d(Tensor input, Tensor weight, Tensor offset, Tensor mask, "
    "Tensor bias, SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, "
    "SymInt dilation_w, SymInt groups, SymInt offset_groups, bool use_mask) -> Tensor",
}
"""The operators by name, as torchvision declares them."""
LEFT_TO_TORCHVISION = ("nms", "qnms")
"""Those whose shapes torchvision registers itself."""

NOTE = (
    "torchvision's compiled operators do not fit this torch: nms and roi_align run in Python, "
    "of the others only the shapes are used"
)

_library: list[Any] = []
"""Keeps the definitions alive."""


def import_torchvision() -> tuple[Any, tuple[str, ...]]:
    """The torchvision package, and a note where its compiled operators are missing.

    Raises:
        ImportError: it is not installed, or cannot be imported for another reason.
    """
    torchvision = with_operators_defined(lambda: import_module("torchvision"))
    return torchvision, operator_notes()


def operator_notes() -> tuple[str, ...]:
    """What a reader should know where the operators had to be defined here."""
    return (NOTE,) if _library else ()


def with_operators_defined(importing: Callable[[], Result]) -> Result:
    """What `importing` returns, tried again with the operators defined where they are missing.

    Raises:
        ImportError: torchvision cannot be imported with them either.
    """
    try:
        return importing()
    except RuntimeError as problem:
        if not re.search(r"operator torchvision::\w+ does not exist", str(problem)):
            raise
        if _library:
            raise ImportError(f"torchvision cannot be imported: {problem}") from problem
        _define()
    import_module("torchvision")
    _say_that_they_are_there()
    return importing()


def _define() -> None:
    import torch

    from cnninspect.sources import torchvision_kernels as kernels

    new_library: Any = torch.library.Library
    library = new_library("torchvision", "FRAGMENT")
    _library.append(library)
    for name, schema in SCHEMAS.items():
        library.define(schema)
        if name not in LEFT_TO_TORCHVISION:
            library.impl(name, SHAPES[name], "Meta")
    library.impl("nms", kernels.nms, "CPU")
    library.impl("roi_align", kernels.roi_align, "CPU")


def _say_that_they_are_there() -> None:
    """Answer torchvision's question whether its operators are there with yes."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "torchvision" and "_has_ops" in vars(module):
            vars(module)["_has_ops"] = lambda: True


def _roi_align(x: Any, rois: Any, _scale: float, height: int, width: int, *_: Any) -> Any:
    return x.new_empty((rois.shape[0], x.shape[1], height, width))


def _roi_pool(x: Any, rois: Any, _scale: float, height: int, width: int) -> Any:
    import torch

    pooled = _roi_align(x, rois, 1.0, height, width)
    return pooled, torch.empty_like(pooled, dtype=torch.int32)


def _position_sensitive(x: Any, rois: Any, _scale: float, height: int, width: int, *_: Any) -> Any:
    """One channel of the result from each set of `height` × `width` channels."""
    import torch

    pooled = x.new_empty((rois.shape[0], x.shape[1] // (height * width), height, width))
    return pooled, torch.empty_like(pooled, dtype=torch.int32)


def _deform_conv2d(x: Any, weight: Any, offset: Any, *_: Any) -> Any:
    return x.new_empty((x.shape[0], weight.shape[0], *offset.shape[-2:]))


SHAPES: dict[str, Callable[..., Any]] = {
    "roi_align": _roi_align,
    "roi_pool": _roi_pool,
    "ps_roi_align": _position_sensitive,
    "ps_roi_pool": _position_sensitive,
    "deform_conv2d": _deform_conv2d,
}
"""What each returns on abstract tensors."""
