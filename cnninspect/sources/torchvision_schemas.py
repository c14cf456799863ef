"""torchvision's compiled operators, defined where they are missing, for tracing never runs them."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

ROWS = 256
"""Boxes that are compared with all others at a time, so that memory stays small."""


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """The boxes to keep, best first: each drops those that overlap it by more than the threshold.

    `boxes` (N, 4) as x1, y1, x2, y2; `scores` (N); the result holds positions in `boxes`.
    """
    order = scores.argsort(descending=True, stable=True)
    x1, y1, x2, y2 = boxes[order].unbind(1)
    areas = (x2 - x1) * (y2 - y1)
    dropped = order.new_zeros(len(order)).bool()
    for begin in range(0, len(order), ROWS):
        rows = slice(begin, begin + ROWS)
        width = x2[rows, None].minimum(x2) - x1[rows, None].maximum(x1)  # (rows, N)
        height = y2[rows, None].minimum(y2) - y1[rows, None].maximum(y1)
        shared = width.clamp(min=0) * height.clamp(min=0)
        overlaps = shared > iou_threshold * (areas[rows, None] + areas - shared)
        for i, overlapping in enumerate(overlaps, start=begin):
            if not dropped[i]:
                dropped[i + 1 :] |= overlapping[i + 1 :]
    return order[~dropped]


def roi_align(
    x: Tensor,
    rois: Tensor,
    spatial_scale: float,
    pooled_height: int,
    pooled_width: int,
    sampling_ratio: int,
    aligned: bool,
) -> Tensor:
    """Each region of the maps `x`, averaged into a grid of bins.

    `x` (N, C, H, W); `rois` (K, 5) as image, x1, y1, x2, y2 in the image's pixels; the result is
    (K, C, pooled_height, pooled_width).  Samples lie on a grid inside each bin, with bilinear
    weights, so that a region's bins are rows of weights times the map times columns of weights.

    Source: He, Gkioxari, Dollár, Girshick, Mask R-CNN, arXiv:1703.06870, section 3.
    """
    pooled = x.new_empty((len(rois), x.shape[1], pooled_height, pooled_width))
    offset = 0.5 if aligned else 0.0
    for i, (image, *corners) in enumerate(rois.tolist()):
        x1, y1, x2, y2 = (corner * spatial_scale - offset for corner in corners)
        width, height = x2 - x1, y2 - y1
        if not aligned:
            width, height = max(width, 1.0), max(height, 1.0)
        rows = _bin_weights(x, y1, height / pooled_height, (pooled_height, sampling_ratio), dim=2)
        columns = _bin_weights(x, x1, width / pooled_width, (pooled_width, sampling_ratio), dim=3)
        pooled[i] = rows @ x[int(image)] @ columns.T
    return pooled


def _bin_weights(
    x: Tensor, start: float, bin_size: float, bins_and_samples: tuple[int, int], *, dim: int
) -> Tensor:
    """Weights of the positions along one dimension of `x` in each bin: (bins, positions)."""
    import torch

    bins, samples = bins_and_samples
    size = x.shape[dim]
    if samples <= 0:
        samples = max(-int(-bin_size // 1), 0)  # as many as the bin has positions, rounded up
    if samples == 0:
        return x.new_zeros((bins, size))
    steps = (torch.arange(bins * samples, dtype=x.dtype) + 0.5) / samples
    at = start + bin_size * steps  # (bins · samples)
    inside = (at >= -1) & (at <= size)
    at = at.clamp(0, size - 1)
    low = at.floor().long().clamp(max=size - 1)
    high = (low + 1).clamp(max=size - 1)
    share = (at - low).to(x.dtype)
    weights = x.new_zeros((len(at), size))
    weights.scatter_add_(1, low[:, None], (1 - share)[:, None])
    weights.scatter_add_(1, high[:, None], share[:, None])
    weights *= inside[:, None]
    return weights.reshape(bins, samples, size).mean(1)


Result = TypeVar("Result")

_ROIS = "Tensor input, Tensor rois, float spatial_scale, SymInt pooled_height, SymInt pooled_width"
_SIZES = "float spatial_scale, SymInt pooled_height, SymInt pooled_width"
_SHAPE = "SymInt batch_size, SymInt channels, SymInt height, SymInt width"
_DEFORM = (
    "Tensor input, Tensor weight, Tensor offset, Tensor mask, Tensor bias, "
    "SymInt stride_h, SymInt stride_w, SymInt pad_h, SymInt pad_w, SymInt dilation_h, "
    "SymInt dilation_w, SymInt groups, SymInt offset_groups, bool use_mask"
)
SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "roi_align": f"roi_align({_ROIS}, int sampling_ratio, bool aligned) -> Tensor",
    "roi_pool": f"roi_pool({_ROIS}) -> (Tensor, Tensor)",
    "ps_roi_align": f"ps_roi_align({_ROIS}, int sampling_ratio) -> (Tensor, Tensor)",
    "ps_roi_pool": f"ps_roi_pool({_ROIS}) -> (Tensor, Tensor)",
    "deform_conv2d": f"deform_conv2d({_DEFORM}) -> Tensor",
    "_roi_align_backward": f"_roi_align_backward(Tensor grad, Tensor rois, {_SIZES}, "
    f"{_SHAPE}, int sampling_ratio, bool aligned) -> Tensor",
    "_roi_pool_backward": f"_roi_pool_backward(Tensor grad, Tensor rois, Tensor argmax, {_SIZES}, "
    f"{_SHAPE}) -> Tensor",
    "_ps_roi_align_backward": "_ps_roi_align_backward(Tensor grad, Tensor rois, "
    f"Tensor channel_mapping, {_SIZES}, int sampling_ratio, {_SHAPE}) -> Tensor",
    "_ps_roi_pool_backward": "_ps_roi_pool_backward(Tensor grad, Tensor rois, "
    f"Tensor channel_mapping, {_SIZES}, {_SHAPE}) -> Tensor",
    "_deform_conv2d_backward": f"_deform_conv2d_backward(Tensor grad, {_DEFORM}) "
    "-> (Tensor, Tensor, Tensor, Tensor, Tensor)",
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
    except Exception as problem:  # packages that import on attribute access raise their own
        if not _lacks_operators(problem):
            raise
        if _library:
            raise ImportError(f"torchvision cannot be imported: {problem}") from problem
        _define()
    import_module("torchvision")
    _say_that_they_are_there()
    return importing()


def _lacks_operators(problem: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that an operator is missing."""
    while problem is not None:
        if re.search(r"operator torchvision::\w+ does not exist", str(problem)):
            return True
        problem = problem.__cause__ or problem.__context__
    return False


def _define() -> None:
    import torch

    new_library: Any = torch.library.Library
    library = new_library("torchvision", "FRAGMENT")
    _library.append(library)
    for name, schema in SCHEMAS.items():
        library.define(schema)
        if name not in LEFT_TO_TORCHVISION:
            library.impl(name, SHAPES[name], "Meta")
    for name, (backward, setup) in GRADIENTS.items():
        torch.library.register_autograd(
            f"torchvision::{name}", backward, setup_context=setup, lib=library
        )
    library.impl("nms", nms, "CPU")
    library.impl("roi_align", roi_align, "CPU")


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


def _deform_conv2d_backward(_grad: Any, *inputs: Any) -> Any:
    return tuple(tensor.new_empty(tensor.shape) for tensor in inputs[:5])


def _backward_of_pooling(grad: Any, *arguments: Any) -> Any:
    """The gradient of the input, whose shape is the four sizes that follow one another."""
    sizes = [value for value in arguments if type(value) is int]
    start = 2  # after the height and width of what is pooled
    if len(sizes) == 7:  # the number of samples comes before or after the shape
        start = 2 if arguments[-1].__class__ is bool else 3
    return grad.new_empty(sizes[start : start + 4])


SHAPES: dict[str, Callable[..., Any]] = {
    "roi_align": _roi_align,
    "roi_pool": _roi_pool,
    "ps_roi_align": _position_sensitive,
    "ps_roi_pool": _position_sensitive,
    "deform_conv2d": _deform_conv2d,
    "_deform_conv2d_backward": _deform_conv2d_backward,
    "_roi_align_backward": _backward_of_pooling,
    "_roi_pool_backward": _backward_of_pooling,
    "_ps_roi_align_backward": _backward_of_pooling,
    "_ps_roi_pool_backward": _backward_of_pooling,
}
"""What each returns on abstract tensors."""


def _keep_inputs(ctx: Any, inputs: Any, output: Any) -> None:  # noqa: ARG001
    """All tensors but the mask where none is used, which is a place holder then."""
    x, weight, offset, mask, bias, *ctx.plain = inputs
    ctx.save_for_backward(x, weight, offset, bias, *((mask,) if ctx.plain[-1] else ()))


def _keep_regions(ctx: Any, inputs: Any, output: Any) -> None:
    """The regions, and which input each output came from where there is a second result."""
    x, rois, *plain = inputs
    ctx.save_for_backward(rois, *(output[1:] if isinstance(output, tuple) else ()))
    ctx.plain, ctx.shape = plain, tuple(x.shape)


def _deform_conv2d_gradients(ctx: Any, grad: Any) -> Any:
    import torch

    x, weight, offset, bias, *masks = ctx.saved_tensors
    mask = masks[0] if masks else x.new_empty((x.shape[0], 1))
    tensors = (x, weight, offset, mask, bias)
    made = torch.ops.torchvision._deform_conv2d_backward(grad, *tensors, *ctx.plain)
    return (*made, *(None for _ in ctx.plain))


def _pooling_gradients(name: str) -> Callable[..., Any]:
    def gradients(ctx: Any, grad: Any, *_: Any) -> Any:
        import torch

        scale, height, width, *rest = ctx.plain
        operator = getattr(torch.ops.torchvision, f"_{name}_backward")
        before, after = (rest, []) if name == "ps_roi_align" else ([], rest)
        arguments = (scale, height, width, *before, *ctx.shape, *after)
        made = operator(grad, *ctx.saved_tensors, *arguments)
        return (made, None, *(None for _ in ctx.plain))

    return gradients


GRADIENTS: dict[str, tuple[Callable[..., Any], Callable[..., None]]] = {
    "deform_conv2d": (_deform_conv2d_gradients, _keep_inputs),
    **{
        name: (_pooling_gradients(name), _keep_regions)
        for name in ("roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool")
    },
}
"""How each is differentiated, as torchvision's compiled operators are, and what it keeps for that.
Source: torchvision, csrc/ops/autograd."""
