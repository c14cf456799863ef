"""Windows that slide over positions: convolutions, poolings, padding and resampling."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from cnninspect.metrics.dependence.axes import Axis, Moving
from cnninspect.metrics.dependence.operands import Operands
from cnninspect.metrics.dependence.places import Shape, whole
from cnninspect.metrics.dependence.reach import Number, Untold
from cnninspect.metrics.dependence.shares import SOMEWHERE, part, some_along
from cnninspect.metrics.dependence.states import Dependence, all_of, combine


class NotChannelsFirst(Exception):
    """The input is not laid out as (batch, channels, *positions)."""


class Slide(NamedTuple):
    """An output position q takes in those from ⌈rate·q + first⌉ to ⌊rate·q + last⌋."""

    rate: Number = 1
    first: Number = 0
    last: Number = 0


STILL = Slide()


def convolution(operands: Operands) -> Dependence:
    """A convolution, transposed if its argument `transposed` says so."""
    given, weight = operands.named("input", "self"), operands.named("weight")
    window = weight.shape[2:]
    rank = len(window)
    if len(given.shape) != rank + 2 or isinstance(operands.operation.argument("padding"), str):
        raise Untold
    is_transposed = operands.operation.argument("transposed") is True
    stride, padding, dilation = (
        by_dimension(operands.integers(name), rank, default)
        for name, default in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    slides = tuple(map(_transposed if is_transposed else _slide, window, stride, padding, dilation))
    _check_layout(given.state, given.shape, slides)
    state = slide_over(given.state, given.shape, operands.out, slides)
    groups, outputs = operands.integer("groups", 1), operands.out[1]
    if groups == 1:
        state = all_of(state, 1)
    elif any(place.dim == 1 for place, _ in state.parts):
        raise Untold
    elif not groups == outputs == given.shape[1]:
        state = state.each(lambda axis: _in_groups(axis, outputs))
    return combine([state, *(all_of(o.state) for o in operands.tensors if o is not given)])


def pooling(operands: Operands) -> Dependence:
    """A pooling with a window of its own."""
    window = operands.integers("kernel_size")
    rank = rank_of(operands)
    window = by_dimension(window, rank, 1)
    stride = operands.integers("stride")
    strides = by_dimension(stride, rank, 1) if stride else window
    padding = by_dimension(operands.integers("padding"), rank, 0)
    dilation = by_dimension(operands.integers("dilation"), rank, 1)
    slides = tuple(map(_slide, window, strides, padding, dilation))
    _check_layout(operands.first.state, operands.first.shape, slides)
    return slide_over(operands.first.state, operands.first.shape, operands.out, slides)


def adaptive_pooling(operands: Operands) -> Dependence:
    """A pooling to an output of a given size: position q takes in ⌊q·r⌋ to ⌈(q+1)·r⌉ − 1."""
    rank = rank_of(operands)
    slides = []
    for size, out in zip(operands.first.shape[-rank:], operands.out[-rank:]):
        ratio = Fraction(size, out)
        part = Fraction(1, ratio.denominator)
        slides.append(Slide(ratio, part - 1, ratio - part))
    return slide_over(operands.first.state, operands.first.shape, operands.out, slides)


def padding(operands: Operands) -> Dependence:
    """Padding or, where negative, cropping: of the last dimension first.

    Padding that repeats or mirrors what is inside counts as if it went on outside.
    """
    first, pads = operands.first, operands.integers("pad") or operands.integers("padding")
    slides = [STILL] * len(first.shape)
    empty = []
    for i, (before, after) in enumerate(zip(pads[::2], pads[1::2])):
        slides[-1 - i] = Slide(1, -before, -before)
        if before > 0 or after > 0:
            empty.append((len(first.shape) - 1 - i, before))
    state = slide_over(first.state, first.shape, operands.out, slides)
    held = {place.dim for place, _ in state.parts}
    for dim, before in empty:
        if dim not in held:  # not positions: elements that depend on nothing are put beside others
            share = part(dim, operands.out[dim], before, first.shape[dim])
            axes = [a._replace(share=SOMEWHERE if a.share else share) for a in state.axes]
            state = state._replace(axes=tuple(axes))
    return state


def slide_over(state: Dependence, shape: Shape, out: Shape, slides: Sequence[Slide]) -> Dependence:
    """The state after windows have slid over the last dimensions, one of `slides` for each."""
    slid = state.each(lambda axis: _slide_axis(axis, shape, out, slides))
    return slid._replace(is_rearranged=False)


def by_dimension(values: tuple[int, ...], rank: int, default: int) -> tuple[int, ...]:
    """One value for each of `rank` dimensions: those given, the one given, or the default."""
    if not values:
        return (default,) * rank
    return values * rank if len(values) == 1 else values


def _slide_axis(axis: Axis, shape: Shape, out: Shape, slides: Sequence[Slide]) -> Axis:
    start = len(shape) - len(slides)
    moving = []
    for place, reach in axis.moving:
        slide = slides[place.dim - start] if place.dim >= start else STILL
        if slide != STILL or (place.dim >= start and shape[place.dim] != out[place.dim]):
            if not place.is_all_of(shape):
                raise Untold
            place = whole(place.dim, out[place.dim])
            reach = reach.through(*slide)
        moving.append(Moving(place, reach))
    return axis._replace(moving=tuple(moving))


def _in_groups(axis: Axis, outputs: int) -> Axis:
    """The axis after channels have been mixed in groups, so that they are others now."""
    if axis.share is None or axis.share.place.dim != 1:
        return axis
    return axis._replace(share=some_along(1, outputs))


def _slide(window: int, stride: int, padding: int, dilation: int) -> Slide:
    return Slide(stride, -padding, (window - 1) * dilation - padding)


def _transposed(window: int, stride: int, padding: int, dilation: int) -> Slide:
    """Output q gets from input p where q = p · stride − padding + tap · dilation."""
    reach = (window - 1) * dilation
    if stride == 1:
        return Slide(1, padding - reach, padding)
    if dilation > 1 or window < stride:
        raise Untold  # some outputs get nothing from within the window
    return Slide(Fraction(1, stride), Fraction(padding - reach, stride), Fraction(padding, stride))


def rank_of(operands: Operands) -> int:
    """Number of dimensions that a pooling or resampling works on, from its name: `…2d`."""
    found = re.search(r"(\d)d", operands.operation.name)
    if found is None:
        raise Untold
    return int(found[1])


def _check_layout(state: Dependence, shape: Shape, slides: Sequence[Slide]) -> None:
    """What the first window slides over are positions, all of them, and not channels.

    Raises:
        NotChannelsFirst: the input's dimensions stand for something else.
    """
    start = len(shape) - len(slides)
    if any(axis.is_untouched and 0 < axis.moving[0].place.dim < start for axis in state.axes):
        raise NotChannelsFirst
    if any(axis.is_untouched for axis in state.axes):
        held = {place.dim for place, _ in state.parts}
        for dim, slide in enumerate(slides, start):
            if slide != STILL and shape[dim] > 1 and dim not in held:
                raise NotChannelsFirst
