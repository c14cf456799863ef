"""The box operators in Python, against their definitions element by element."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cnninspect.sources.torchvision_schemas import import_torchvision, nms, roi_align


def overlap(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return width * height / (sum(areas) - width * height)


def kept_by_definition(boxes, scores, threshold):
    kept = []
    for i in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(overlap(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


@given(st.integers(0, 10_000), st.integers(0, 30), st.floats(0.05, 0.95))
def test_boxes_are_kept_by_definition(seed, count, threshold):
    torch.manual_seed(seed)
    corners = torch.rand(count, 2, dtype=torch.float64) * 5
    boxes = torch.cat([corners, corners + 0.1 + torch.rand(count, 2, dtype=torch.float64) * 5], 1)
    scores = torch.rand(count, dtype=torch.float64)
    wanted = kept_by_definition(boxes.tolist(), scores.tolist(), threshold)
    found = nms(boxes, scores, threshold)
    assert found.tolist() == wanted
    assert found.dtype == torch.int64


def at(plane, y, x):
    """One value of a plane by bilinear interpolation, 0 a whole position outside of it."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0.0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    y0, x0 = math.floor(y), math.floor(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    top = plane[y0, x0] * (1 - (x - x0)) + plane[y0, x1] * (x - x0)
    bottom = plane[y1, x0] * (1 - (x - x0)) + plane[y1, x1] * (x - x0)
    return float(top * (1 - (y - y0)) + bottom * (y - y0))


def pooled_by_definition(x, roi, scale, bins, samples, aligned):
    image, *corners = roi.tolist()
    x1, y1, x2, y2 = (corner * scale - 0.5 * aligned for corner in corners)
    width, height = x2 - x1, y2 - y1
    if not aligned:
        width, height = max(width, 1), max(height, 1)
    rows, columns = samples or math.ceil(height / bins), samples or math.ceil(width / bins)
    result = torch.zeros(x.shape[1], bins, bins, dtype=x.dtype)
    for c in range(x.shape[1]):
        for i in range(bins):
            for j in range(bins):
                values = [
                    at(
                        x[int(image), c],
                        y1 + height / bins * (i + (r + 0.5) / rows),
                        x1 + width / bins * (j + (s + 0.5) / columns),
                    )
                    for r in range(rows)
                    for s in range(columns)
                ]
                result[c, i, j] = sum(values) / max(len(values), 1)
    return result


ROIS = torch.tensor(
    [[0, 1, 1, 9, 7], [1, 0, 0, 15, 15], [1, 5, 5, 5, 5], [0, -4, 2, 30, 3], [0, 40, 40, 50, 50]],
    dtype=torch.float64,
)


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("samples", [0, 1, 2])
@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_regions_are_averaged_by_definition(aligned, samples, scale):
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 10, dtype=torch.float64)
    found = roi_align(x, ROIS, scale, 2, 2, samples, aligned)
    wanted = [pooled_by_definition(x, roi, scale, 2, samples, aligned) for roi in ROIS]
    torch.testing.assert_close(found, torch.stack(wanted))


def test_a_constant_map_stays_constant_inside_and_no_region_gives_nothing():
    x = torch.full((1, 2, 16, 16), 3.0)
    assert roi_align(x, torch.tensor([[0.0, 2, 2, 12, 10]]), 1.0, 4, 5, 2, True).unique() == 3
    assert roi_align(x, torch.zeros(0, 5), 1.0, 4, 5, 2, True).shape == (0, 2, 4, 5)


def test_they_agree_with_the_compiled_ones_where_those_are_there():
    _, notes = import_torchvision()
    if notes:
        pytest.skip("torchvision's compiled operators do not fit this torch")
    x = torch.randn(2, 3, 8, 10)
    for aligned in (True, False):
        for samples in (0, 2):
            arguments = (x, ROIS.float(), 0.5, 2, 3, samples, aligned)
            compiled = torch.ops.torchvision.roi_align(*arguments)
            torch.testing.assert_close(roi_align(*arguments), compiled)
