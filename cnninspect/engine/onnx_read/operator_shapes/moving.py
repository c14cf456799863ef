"""Shapes of what moves elements about: reshaping, joining, cutting, padding, resampling."""

from __future__ import annotations

from collections.abc import Callable
from math import floor

import numpy as np

from cnninspect.engine.onnx_read.errors import Malformed
from cnninspect.engine.onnx_read.operator_shapes.known_node import (
    KnownNode,
    NotKnown,
    axis_in,
    broadcast,
    product,
    tensor,
)
from cnninspect.engine.onnx_read.values import Dims, Value
from cnninspect.records.operations import shape_text

Rule = Callable[[KnownNode], list[Value]]


def reshape(node: KnownNode) -> list[Value]:
    """Another shape, in which 0 keeps a size and -1 is what is left."""
    wanted = node.given_or("shape", 1)
    if wanted is None:
        wanted = []
    if min(wanted, default=0) < -1 or wanted.count(-1) > 1:
        raise Malformed(f"it cannot have the shape {shape_text(wanted)}")
    keeps = not node.whole("allowzero", 0)
    given = node.value(0).dims
    if given is None and (-1 in wanted or (keeps and 0 in wanted)):
        return [
            tensor(node.element(0), [None if s == -1 or (keeps and s == 0) else s for s in wanted])
        ]
    dims: list[int | None] = []
    for i, size in enumerate(wanted):
        if size == 0 and keeps:
            if given is not None and i >= len(given):
                raise Malformed(f"it keeps size number {i + 1}, which its input does not have")
            dims.append(given[i] if given is not None else None)
        else:
            dims.append(size)
    if given is None:
        return [tensor(node.element(0), dims)]
    total = product(given)
    if -1 in wanted:
        at = wanted.index(-1)
        rest = product([*dims[:at], *dims[at + 1 :]])
        dims[at] = None
        if total is not None and rest is not None:
            if (rest and total % rest) or (not rest and total):
                raise Malformed(_does_not_fill(total, wanted))
            dims[at] = total // rest if rest else 0
    elif total is not None and product(dims) not in (total, None):
        raise Malformed(_does_not_fill(total, wanted))
    return [tensor(node.element(0), dims)]


def _does_not_fill(total: int, wanted: list[int]) -> str:
    return f"{total:,} elements do not make {shape_text(wanted)}"


def transpose(node: KnownNode) -> list[Value]:
    """The axes in another order; reversed where none is said."""
    dims = node.dims(0)
    order = node.wholes("perm") or tuple(reversed(range(len(dims))))
    if sorted(order) != list(range(len(dims))):
        raise Malformed("its perm does not name each axis once")
    return [tensor(node.element(0), [dims[axis] for axis in order])]


def concat(node: KnownNode) -> list[Value]:
    """Tensors one behind the other along an axis."""
    several = [node.dims(i) for i in range(len(node.inputs))]
    element = next((node.element(i) for i in range(len(several)) if node.element(i)), 0)
    return [tensor(element, joined(several, node.whole("axis", 1 if node.version < 4 else None)))]


def joined(several: list[Dims], axis: int) -> Dims:
    """The sizes of tensors one behind the other.

    Raises:
        Malformed: they differ along another axis.
    """
    if not several:
        raise Malformed("it has nothing to join")
    rank = len(several[0])
    at = axis_in(axis, rank)
    if rank == 0:
        raise Malformed("scalars cannot be joined")
    found: list[int | None] = []
    for i in range(rank):
        if any(len(dims) != rank for dims in several):
            raise Malformed("it joins tensors with different numbers of axes")
        sizes = [dims[i] for dims in several]
        known = [size for size in sizes if size is not None]
        if i == at:
            found.append(sum(known) if len(known) == len(sizes) else None)
        elif len(set(known)) > 1:
            shown = " and ".join(shape_text(dims) for dims in several[:3])
            raise Malformed(f"{shown} cannot be joined along axis {axis}")
        else:
            found.append(known[0] if known else None)
    return tuple(found)


def split(node: KnownNode) -> list[Value]:
    """Pieces along an axis."""
    dims, count = node.dims(0), len(node.outputs)
    at = axis_in(node.whole("axis", 0), len(dims))
    sizes = node.given_or("split", 1) if node.version > 1 or not node.has(1) else node.wholes_in(1)
    size = dims[at]
    if sizes is None:
        pieces = cut_evenly(size, node.whole("num_outputs", count), is_new=node.version >= 18)
    else:
        if min(sizes, default=0) < 0 or (size is not None and sum(sizes) != size):
            raise Malformed(f"it splits {size} into {' + '.join(map(str, sizes))}")
        pieces = [*sizes]
    if len(pieces) != count:
        raise Malformed(f"it splits into {len(pieces)} and has {count} outputs")
    return [tensor(node.element(0), (*dims[:at], s, *dims[at + 1 :])) for s in pieces]


def cut_evenly(size: int | None, count: int, *, is_new: bool) -> list[int | None]:
    """Sizes of `count` equal pieces, of which the last may be smaller since opset 18.

    Raises:
        Malformed: it cannot be cut so.
    """
    if not 0 < count < 100_000:
        raise Malformed(f"it splits into {count}")
    if size is None:
        return [None] * count
    if size % count and not is_new:
        raise Malformed(f"it splits {size} into {count} equal parts")
    each = -(-size // count)
    last = size - each * (count - 1)
    if last < 0:
        raise Malformed(f"it splits {size} into {count} parts")
    return [*[each] * (count - 1), last]


def slice_(node: KnownNode) -> list[Value]:
    """From a start to an end, along some axes, by steps."""
    dims = node.dims(0)
    starts, ends = node.given_or("starts", 1), node.given_or("ends", 2)
    if starts is None or ends is None:
        raise Malformed("its starts or ends are missing")
    axes = node.given_or("axes", 3)
    steps = (node.wholes_in(4) if node.has(4) else None) or [1] * len(starts)
    axes = list(range(len(starts))) if axes is None else axes
    if not len(starts) == len(ends) == len(axes) == len(steps):
        raise Malformed("its starts, ends, axes and steps are not equally many")
    found = list(dims)
    for start, end, axis, step in zip(starts, ends, axes, steps):
        at = axis_in(axis, len(dims))
        size = dims[at]
        if step == 0:
            raise Malformed("it goes on by steps of 0")
        found[at] = None if size is None else len(range(*slice(start, end, step).indices(size)))
        if size is not None and step < 0:
            found[at] = len(_backwards(start, end, step=step, size=size))
    return [tensor(node.element(0), found)]


def _backwards(start: int, end: int, *, step: int, size: int) -> range:
    """Backwards, a start is clamped to the elements that there are, and an end to those or -1."""
    start = min(max(start + size if start < 0 else start, 0), size - 1)
    end = min(max(end + size if end < 0 else end, -1), size)
    return range(start, end, step)


def squeeze(node: KnownNode) -> list[Value]:
    """Without some axes of size 1; without all where none is said."""
    dims, axes = node.dims(0), node.given_or("axes", 1)
    if axes is None:
        if None in dims:
            raise NotKnown
        return [tensor(node.element(0), [size for size in dims if size != 1])]
    gone = {axis_in(axis, len(dims)) for axis in axes}
    if any(dims[axis] not in (1, None) for axis in gone):
        raise Malformed(f"it takes out an axis that is not 1 of {shape_text(dims)}")
    return [tensor(node.element(0), [size for i, size in enumerate(dims) if i not in gone])]


def unsqueeze(node: KnownNode) -> list[Value]:
    """With further axes of size 1."""
    dims, axes = list(node.dims(0)), node.given_or("axes", 1)
    if axes is None:
        raise Malformed("its axes are missing")
    rank = len(dims) + len(axes)
    added = {axis_in(axis, rank) for axis in axes}
    if len(added) < len(axes):
        raise Malformed("it names an axis twice")
    rest = iter(dims)
    return [tensor(node.element(0), [1 if i in added else next(rest) for i in range(rank)])]


def flatten(node: KnownNode) -> list[Value]:
    """Two axes: what is before an axis, and the rest."""
    dims, axis = node.dims(0), node.whole("axis", 1)
    if not -len(dims) <= axis <= len(dims):
        raise Malformed(f"its axis {axis} is not among the {len(dims)} that there are")
    at = axis + len(dims) if axis < 0 else axis
    return [tensor(node.element(0), (product(dims[:at]), product(dims[at:])))]


def expand(node: KnownNode) -> list[Value]:
    """Repeated to a shape that it is broadcast to."""
    return [tensor(node.element(0), broadcast(node.dims(0), tuple(node.wholes_in(1))))]


def tile(node: KnownNode) -> list[Value]:
    """Repeated along each axis."""
    dims = node.dims(0)
    if node.version < 6:
        times, axis = node.wholes_in(1), node.wholes_in(2)
        repeats = [times[0] if i == axis[0] else 1 for i in range(len(dims))]
    else:
        repeats = node.wholes_in(1)
    if len(repeats) != len(dims):
        raise Malformed(f"it repeats {len(repeats)} axes of {len(dims)}")
    return [tensor(node.element(0), [None if s is None else s * r for s, r in zip(dims, repeats)])]


def pad(node: KnownNode) -> list[Value]:
    """With more elements before and behind each axis."""
    dims = node.dims(0)
    pads = node.given_or("pads" if node.version > 1 else "paddings", 1)
    if pads is None:
        raise Malformed("its pads are missing")
    axes = node.wholes_in(3) if node.has(3) else list(range(len(dims)))
    if len(pads) != 2 * len(axes):
        raise Malformed(f"it has {len(pads)} pads for {len(axes)} axes")
    found = list(dims)
    for i, axis in enumerate(axes):
        at = axis_in(axis, len(dims))
        size = dims[at]
        found[at] = None if size is None else size + pads[i] + pads[i + len(axes)]
    return [tensor(node.element(0), found)]


def resize(node: KnownNode) -> list[Value]:
    """Another size along each axis, by factors or as said."""
    dims = node.dims(0)
    axes = [axis_in(a, len(dims)) for a in node.wholes("axes") or range(len(dims))]
    found = list(dims)
    if node.has(3) and not _is_empty(node, 3):
        sizes = node.wholes_in(3)
        policy = node.text("keep_aspect_ratio_policy", "stretch")
        if len(sizes) != len(axes):
            raise Malformed(f"it has {len(sizes)} sizes for {len(axes)} axes")
        if policy != "stretch":
            sizes = _in_proportion(sizes, [dims[a] for a in axes], is_least="smaller" in policy)
        for axis, size in zip(axes, sizes):
            found[axis] = size
        return [tensor(node.element(0), found)]
    scales = _floats_in(node, 1 if node.version < 11 else 2)
    if len(scales) != len(axes):
        raise Malformed(f"it has {len(scales)} scales for {len(axes)} axes")
    for axis, scale in zip(axes, scales):
        found[axis] = scaled(dims[axis], scale)
    return [tensor(node.element(0), found)]


def _in_proportion(sizes: list[int], dims: list[int | None], *, is_least: bool) -> list[int]:
    if None in dims or 0 in dims:
        raise NotKnown
    ratios = [size / dim for size, dim in zip(sizes, dims)]  # type: ignore[operator]
    ratio = max(ratios) if is_least else min(ratios)
    return [floor(dim * ratio + 0.5) for dim in dims]  # type: ignore[operator]


def upsample(node: KnownNode) -> list[Value]:
    """Another size along each axis, by factors."""
    dims, scales = node.dims(0), node.attributes.get("scales")
    if node.version == 1:
        scales = [1.0, 1.0, *(node.attributes.get(f"{side}_scale") for side in ("height", "width"))]  # type: ignore[assignment]
    given = _floats_in(node, 1) if scales is None else scales
    factors = (
        [f for f in given if isinstance(f, (int, float))]
        if not isinstance(given, (int, float, str))
        else []
    )
    if len(factors) != len(dims):
        raise Malformed(f"it has {len(factors)} scales for {len(dims)} axes")
    return [tensor(node.element(0), [scaled(s, float(f)) for s, f in zip(dims, factors)])]


def scaled(size: int | None, scale: float) -> int | None:
    """A size times a factor in single precision, rounded down, as onnxruntime has it.

    Raises:
        Malformed: the factor is no number, or makes it too large.
    """
    if size is None:
        return None
    if not 0 < scale < 2.0**40:
        raise Malformed(f"it scales by {scale}")
    return int(np.floor(np.float32(size) * np.float32(scale)))


def _floats_in(node: KnownNode, i: int) -> list[float]:
    content = node.content(i)
    if content is None:
        node.value(i)
        raise NotKnown
    return [float(number) for number in content.reshape(-1)]


def _is_empty(node: KnownNode, i: int) -> bool:
    dims = node.value(i).dims
    return dims is not None and 0 in dims


def depth_to_space(node: KnownNode) -> list[Value]:
    """Channels moved into space, block by block."""
    n, channels, high, wide = _picture(node)
    block = _block(node)
    if channels is not None and channels % block**2:
        raise Malformed(f"{channels} channels do not make blocks of {block}×{block}")
    dims = (
        n,
        None if channels is None else channels // block**2,
        _times(high, block),
        _times(wide, block),
    )
    return [tensor(node.element(0), dims)]


def space_to_depth(node: KnownNode) -> list[Value]:
    """Space moved into channels, block by block."""
    n, channels, high, wide = _picture(node)
    block = _block(node)
    if (high or 0) % block or (wide or 0) % block:
        raise Malformed(f"{high}×{wide} does not fall into blocks of {block}×{block}")
    sizes = [None if size is None else size // block for size in (high, wide)]
    return [tensor(node.element(0), (n, _times(channels, block**2), *sizes))]


def _picture(node: KnownNode) -> Dims:
    dims = node.dims(0)
    if len(dims) != 4:
        raise Malformed(f"it takes pictures, and is given {len(dims)} axes")
    return dims


def _block(node: KnownNode) -> int:
    block = node.whole("blocksize")
    if not 0 < block < 2**31:
        raise Malformed(f"its blocks are of {block}")
    return block


def _times(size: int | None, factor: int) -> int | None:
    return None if size is None else size * factor


def sampled(node: KnownNode) -> list[Value]:
    """`GridSample`: a value for each place of a grid."""
    dims, grid = node.dims(0), node.dims(1)
    return [tensor(node.element(0), (*dims[:2], *grid[1:-1]))]


def columns_to_image(node: KnownNode) -> list[Value]:
    """`Col2Im`: blocks added up to a picture."""
    dims, picture = node.dims(0), node.wholes_in(1)
    block = product(node.wholes_in(2))
    channels = None if dims[1] is None or not block else dims[1] // block
    return [tensor(node.element(0), (dims[0], channels, *picture))]


def centred(node: KnownNode) -> list[Value]:
    """`CenterCropPad`: cut or padded to sizes that are given for some axes."""
    dims, sizes = list(node.dims(0)), node.wholes_in(1)
    axes = [axis_in(a, len(dims)) for a in node.wholes("axes") or range(len(dims))]
    if len(axes) != len(sizes):
        raise Malformed(f"it has {len(sizes)} sizes for {len(axes)} axes")
    for axis, size in zip(axes, sizes):
        dims[axis] = size
    return [tensor(node.element(0), dims)]


RULES: dict[str, Rule] = {
    "GridSample": sampled,
    "Col2Im": columns_to_image,
    "CenterCropPad": centred,
    "Reshape": reshape,
    "Transpose": transpose,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Flatten": flatten,
    "Expand": expand,
    "Tile": tile,
    "Pad": pad,
    "Resize": resize,
    "Upsample": upsample,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": space_to_depth,
}
"""Shape of the outputs, by operator of ONNX."""
