"""Shapes of what moves a window over its input: convolutions and pooling.

A size is (padded input - window) / stride + 1, rounded down, or up with `ceil_mode`; a window spans
dilation · (kernel - 1) + 1.  Source: ONNX, Operators.md, Conv, ConvTranspose, MaxPool.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.operator_shapes.known_node import KnownNode, NotKnown, tensor
from cnninspect.engine.onnx_read.values import Dims, Value

Rule = Callable[[KnownNode], list[Value]]
INT32, INT64 = 6, 7


def convolution(given: int, weight: int, *, element: Callable[[KnownNode], int]) -> Rule:
    """A rule: a convolution of the inputs at these places."""

    def rule(node: KnownNode) -> list[Value]:
        x, w = node.dims(given), node.dims(weight)
        if len(x) != len(w) or len(x) < 3:
            raise Malformed(f"its input has {len(x)} axes, and its weight {len(w)}")
        _check_channels(x[1], w[1], node.whole("group", 1))
        window = _window(node, w[2:])
        return [tensor(element(node), (x[0], w[0], *positions(node, x[2:], window)))]

    return rule


def transposed_convolution(node: KnownNode) -> list[Value]:
    """A transposed convolution."""
    x, w = node.dims(0), node.dims(1)
    if len(x) != len(w) or len(x) < 3:
        raise Malformed(f"its input has {len(x)} axes, and its weight {len(w)}")
    if x[1] is not None and w[0] is not None and x[1] != w[0]:
        raise Malformed(f"its weight is for {w[0]} channels, and its input has {x[1]}")
    groups = node.whole("group", 1)
    channels = None if w[1] is None else w[1] * groups
    window, spatial = _window(node, w[2:]), x[2:]
    wanted = node.wholes("output_shape")
    if wanted is not None:
        sizes: Dims = tuple(wanted[-len(spatial) :])
    else:
        sizes = _transposed_positions(node, spatial, window)
    return [tensor(node.element(0), (x[0], channels, *sizes))]


def _transposed_positions(node: KnownNode, spatial: Dims, window: Dims) -> Dims:
    axes = len(spatial)
    strides, dilations = _each(node, "strides", axes), _each(node, "dilations", axes)
    added = node.wholes("output_padding") or (0,) * axes
    pads = node.wholes("pads") or (0,) * 2 * axes
    _see(len(added) >= axes and len(pads) >= 2 * axes, "pads")
    automatic = node.text("auto_pad", "NOTSET")
    sizes: list[int | None] = []
    for i, (size, kernel) in enumerate(zip(spatial, window)):
        if size is None or kernel is None:
            sizes.append(None)
        else:
            around = 0 if automatic != "NOTSET" else pads[i] + pads[i + axes]
            spanned = dilations[i] * (kernel - 1) + 1
            natural = (size - 1) * strides[i] + added[i] + spanned - around
            is_same = automatic in ("SAME_UPPER", "SAME_LOWER")
            sizes.append(min(natural, size * strides[i]) if is_same else natural)
    return tuple(sizes)


def pooling(node: KnownNode) -> list[Value]:
    """A window that moves over each channel; `MaxPool` tells where it found what as well."""
    x = node.dims(0)
    kernel = node.wholes("kernel_shape")
    if kernel is None or len(kernel) != len(x) - 2:
        raise Malformed("its kernel_shape does not fit its input")
    dims = (x[0], x[1], *positions(node, x[2:], kernel, may_lack=True))
    return [tensor(node.element(0), dims), tensor(INT64, dims)]


def global_pooling(node: KnownNode) -> list[Value]:
    """One element for each channel."""
    x = node.dims(0)
    return [tensor(node.element(0), (*x[:2], *[1] * (len(x) - 2)))]


def unpooling(node: KnownNode) -> list[Value]:
    """The reverse of `MaxPool`, to a size that is given or follows from the window."""
    x = node.dims(0)
    if node.has(2):
        return [tensor(node.element(0), node.wholes_in(2))]
    kernel = node.wholes("kernel_shape")
    axes = len(x) - 2
    if kernel is None or len(kernel) != axes:
        raise Malformed("its kernel_shape does not fit its input")
    strides, pads = _each(node, "strides", axes), node.wholes("pads") or (0,) * 2 * axes
    _see(len(pads) >= 2 * axes, "pads")
    sizes = [
        None if s is None else (s - 1) * strides[i] + kernel[i] - pads[i] - pads[i + axes]
        for i, s in enumerate(x[2:])
    ]
    return [tensor(node.element(0), (*x[:2], *sizes))]


def region_pooling(node: KnownNode) -> list[Value]:
    """`RoiAlign`: a small picture of each region."""
    x, regions = node.dims(0), node.dims(1)
    high, wide = node.whole("output_height", 1), node.whole("output_width", 1)
    return [tensor(node.element(0), (regions[0], x[1], high, wide))]


def max_region_pooling(node: KnownNode) -> list[Value]:
    """`MaxRoiPool`: a small picture of each region."""
    x, regions, shape = node.dims(0), node.dims(1), node.wholes("pooled_shape")
    if shape is None:
        raise Malformed("its attribute pooled_shape is missing")
    return [tensor(node.element(0), (regions[0], x[1], *shape))]


def positions(node: KnownNode, spatial: Dims, window: Dims, *, may_lack: bool = False) -> Dims:
    """How many places the window takes along each axis.

    Raises:
        Malformed: it is larger than the input with its padding, which onnxruntime refuses as well;
            of pooling it takes one that lacks less than a stride (`may_lack`).
    """
    axes = len(spatial)
    strides, dilations = _each(node, "strides", axes), _each(node, "dilations", axes)
    pads = node.wholes("pads") or (0,) * 2 * axes
    _see(len(pads) >= 2 * axes and len(window) == axes, "pads")
    automatic, rounds_up = node.text("auto_pad", "NOTSET"), node.whole("ceil_mode", 0)
    sizes: list[int | None] = []
    for i, (size, kernel) in enumerate(zip(spatial, window)):
        if size is None or kernel is None:
            sizes.append(None)
            continue
        if automatic in ("SAME_UPPER", "SAME_LOWER"):
            sizes.append(-(-size // strides[i]))
            continue
        before, after = (0, 0) if automatic == "VALID" else (pads[i], pads[i + axes])
        room = size + before + after - dilations[i] * (kernel - 1) - 1
        if room < 0 and may_lack and -room < strides[i]:
            room = 0
        if room < 0:
            raise Malformed(
                f"its window spans {dilations[i] * (kernel - 1) + 1}, "
                f"and its padded input only {size + before + after}"
            )
        places = room // strides[i] + 1
        if rounds_up and room % strides[i] and places * strides[i] < size + before:
            places += 1  # unless it would begin in the padding behind the input
        sizes.append(places)
    return tuple(sizes)


def _window(node: KnownNode, of_weight: Dims) -> Dims:
    kernel = node.wholes("kernel_shape")
    if kernel is None:
        return of_weight
    if len(kernel) != len(of_weight):
        raise Malformed("its kernel_shape does not fit its weight")
    if any(w is not None and k != w for k, w in zip(kernel, of_weight)):
        raise Malformed("its kernel_shape is not that of its weight")
    return kernel


def _each(node: KnownNode, name: str, axes: int) -> Sequence[int]:
    found = node.wholes(name) or (1,) * axes
    if min(found, default=1) <= 0:
        raise Malformed(f"its {name} are not positive")
    _see(len(found) == axes, name)
    return found


def _see(is_right: bool, name: str) -> None:
    if not is_right:
        raise Malformed(f"its {name} do not fit its axes")


def _check_channels(given: int | None, per_group: int | None, groups: int) -> None:
    if given is None or per_group is None:
        return
    if given != per_group * groups:
        raise Malformed(
            f"its weight is for {per_group * groups} channels, and its input has {given}"
        )


def _first(node: KnownNode) -> int:
    return node.element(0)


def _zero_point(node: KnownNode) -> int:
    element = node.element(7)
    if not element:
        raise NotKnown
    return element


RULES: dict[str, Rule] = {
    "Conv": convolution(0, 1, element=_first),
    "ConvInteger": convolution(0, 1, element=lambda _: INT32),
    "QLinearConv": convolution(0, 3, element=_zero_point),
    "DeformConv": convolution(0, 1, element=_first),
    "ConvTranspose": transposed_convolution,
    "MaxPool": pooling,
    "AveragePool": pooling,
    "LpPool": pooling,
    "GlobalAveragePool": global_pooling,
    "GlobalMaxPool": global_pooling,
    "GlobalLpPool": global_pooling,
    "MaxUnpool": unpooling,
    "RoiAlign": region_pooling,
    "MaxRoiPool": max_region_pooling,
}
"""Shape of the outputs, by operator of ONNX."""
