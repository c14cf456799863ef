"""torchvision's box operators in plain tensor arithmetic, for where its compiled ones are missing.

They give the same results as the compiled ones, slower: detection models need them, since how many
boxes they keep depends on values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

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
