"""What the elements of a tensor depend on in the network's input, and what operations make of it.

Along a dimension of the input, an element depends on an interval of positions that moves with its
own (`Reach`), on a fixed one such as the whole, or on both (`Axis`).  `RULES` says by an
operation's name how that follows from its tensors; where no rule can tell, it is `Untold`.

Source: Araujo, Norris, Sim 2019, Computing Receptive Fields of Convolutional Neural Networks,
Distill, doi:10.23915/distill.00021.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from fractions import Fraction
from math import ceil, floor, lcm, prod
from typing import NamedTuple, Union

from cnninspect.records.operations import Operation
from cnninspect.records.tensors import TensorSpec

Shape = tuple[int, ...]
Interval = tuple[int, int]
"""First and last input position."""
Number = Union[int, Fraction]


class Untold(Exception):
    """What an element depends on cannot be told."""


class NotChannelsFirst(Exception):
    """The input is not laid out as (batch, channels, *positions)."""


class Reach(NamedTuple):
    """What an element at position q depends on: from `at(q)[0]` to `at(q)[1]`, both included.

        low + jump · ⌈rate · q + first⌉   up to   high + jump · ⌊rate · q + last⌋

    Windows that slide over the tensor only change `low`, `high` and `jump`; the rest is for
    up-sampling, where several neighbours depend on the same position of a coarser tensor: `jump` is
    the distance of *its* positions, and the rounding says which of them an element meets.
    """

    low: int = 0
    high: int = 0
    jump: int = 1
    rate: Number = 1
    first: Number = 0
    last: Number = 0

    def at(self, position: int) -> Interval:
        """First and last input position that the element at `position` depends on."""
        middle = self.rate * position
        low, high = ceil(middle + self.first), floor(middle + self.last)
        return self.low + self.jump * low, self.high + self.jump * high

    def through(self, rate: Number, first: Number, last: Number) -> Reach:
        """The reach of an element that takes in those from ⌈rate·q + first⌉ to ⌊rate·q + last⌋.

        Raises:
            Untold: two roundings after one another that are not the same as one.
        """
        inner, m = self.rate, self.rate.denominator
        # ⌈(⌈x⌉ + n) / m⌉ = ⌈(x + n) / m⌉ for whole n and m, and the same for ⌊ ⌋.
        is_whole = rate.denominator == first.denominator == last.denominator == 1
        nests = inner.numerator == (m * self.first).denominator == (m * self.last).denominator == 1
        if not (inner == 1 or is_whole or nests):
            raise Untold
        rate, first, last = inner * rate, self.first + inner * first, self.last + inner * last
        n = rate.denominator
        if n != 1:  # rate · q is a multiple of 1/n, so that finer shifts make no difference
            first, last = Fraction(ceil(first * n), n), Fraction(floor(last * n), n)
            return Reach(self.low, self.high, self.jump, rate, first, last)
        low, high = self.low + self.jump * ceil(first), self.high + self.jump * floor(last)
        return Reach(low, high, self.jump * int(rate))


class Moving(NamedTuple):
    """Positions that lie along a dimension: index i has position (i // inner) mod size."""

    dim: int
    size: int
    reach: Reach = Reach()
    inner: int = 1
    """More than 1 where other positions were flattened into the same dimension."""

    @property
    def range(self) -> Interval:
        """What all elements together depend on."""
        return self.reach.at(0)[0], self.reach.at(self.size - 1)[1]


ANY = -1
"""A dimension that is not known, and so is never taken together."""


class Axis(NamedTuple):
    """What the elements of a tensor depend on along one dimension of the input."""

    moving: tuple[Moving, ...] = ()
    """According to their position."""
    fixed: Interval | None = None
    """All alike, as after global pooling."""
    varies: frozenset[int] = frozenset()
    """Dimensions along which some elements depend on less, as where channels with different fields
    lie side by side."""
    is_reached: bool = True
    """Whether some element depends on all of it, not only several together."""

    @property
    def is_untouched(self) -> bool:
        """Whether each element depends on its own position alone."""
        return len(self.moving) == 1 and not self.fixed and self.moving[0].reach == Reach()


class Dependence(NamedTuple):
    """What the elements of a tensor depend on."""

    axes: tuple[Axis, ...]
    """By spatial dimension of the input."""
    is_view: bool = False
    """Whether it shares memory with a tensor of another arrangement."""

    @property
    def is_constant(self) -> bool:
        """Whether nothing depends on the input."""
        return not any(axis.moving or axis.fixed for axis in self.axes)

    def each(self, change: Callable[[Axis], Axis], *, is_view: bool = False) -> Dependence:
        """The same with each axis changed."""
        return Dependence(tuple(map(change, self.axes)), is_view)

    def holds(self, *dims: int) -> bool:
        """Whether positions lie along any of these dimensions."""
        return any(part.dim in dims for axis in self.axes for part in axis.moving)


class Operand(NamedTuple):
    """A tensor argument of an operation."""

    name: str
    """The argument it is, or is in a list of."""
    shape: Shape
    state: Dependence


class Operands(NamedTuple):
    """The tensors that an operation is given, and its plain arguments."""

    operation: Operation
    tensors: tuple[Operand, ...]
    constant: Dependence
    """The state of a tensor that does not depend on the input."""

    @property
    def out(self) -> Shape:
        """Shape of the first result."""
        return self.operation.output.shape

    def integers(self, *names: str) -> Shape:
        """The first of these arguments that was given, as a tuple; empty where none was.

        Raises:
            Untold: it is something else.
        """
        value = next((v for k, v in self.operation.arguments if k in names and v is not None), ())
        values = value if isinstance(value, tuple) else (value,)
        whole = tuple(v for v in values if isinstance(v, int))
        if len(whole) != len(values):
            raise Untold
        return whole

    def by_dimension(self, name: str, rank: int, default: int) -> Shape:
        """One value of an argument for each of `rank` dimensions."""
        values = self.integers(name) or (default,)
        return values * rank if len(values) == 1 else values

    def dims(self, default: int = 0) -> list[int]:
        """The argument `dim` or `dims`, of the first tensor and counted from the front."""
        rank = max(len(self.tensors[0].shape), 1)
        return [d % rank for d in self.integers("dim", "dims") or (default,)]


Rule = Callable[[Operands], Dependence]

# --- how what is known of elements combines ---


def hull(*intervals: Interval | None) -> Interval | None:
    """The smallest interval around all that there are."""
    ends = list(zip(*(interval for interval in intervals if interval)))
    return (min(ends[0]), max(ends[1])) if ends else None


def is_within(inner: Interval, outer: Interval) -> bool:
    """Whether one interval lies in the other."""
    return outer[0] <= inner[0] and inner[1] <= outer[1]


MOST_PARTS = 4
"""Moving parts that are kept; with more, nothing is told."""


def with_part(moving: Sequence[Moving], part: Moving) -> tuple[Moving, ...]:
    """Moving parts with one more, made one with another of its place where that says the same."""
    new = part.reach
    for i, known in enumerate(moving):
        old, joined = known.reach, None
        if known._replace(reach=new) != part:
            continue
        if (old.jump, *old[3:]) == (new.jump, *new[3:]):
            joined = old._replace(low=min(old.low, new.low), high=max(old.high, new.high))
        elif old.jump * old.rate == new.jump * new.rate:
            pairs = [(old.at(q), new.at(q)) for q in range(lcm(period_of(old), period_of(new)))]
            if all(is_within(b, a) for a, b in pairs):
                joined = old
            elif all(is_within(a, b) for a, b in pairs):
                joined = new
        if joined:
            return (*moving[:i], known._replace(reach=joined), *moving[i + 1 :])
    if len(moving) == MOST_PARTS:
        raise Untold
    return (*moving, part)


def period_of(reach: Reach) -> int:
    """After how many positions the number of input positions repeats itself."""
    return reach.rate.denominator


def united(axes: Sequence[Axis], beside: int | None = None) -> Axis:
    """What elements depend on that each take in one of every tensor, all of one shape.

    With `beside`, each element is of one tensor instead: they lie side by side along that
    dimension.
    """
    known = [axis for axis in axes if axis.moving or axis.fixed] or axes[:1]
    if all(axis == known[0] for axis in known) and (beside is None or len(known) == len(axes)):
        return known[0]
    moving = known[0].moving
    for part in (part for axis in known[1:] for part in axis.moving):
        moving = with_part(moving, part)
    whole = Axis(moving, hull(*(axis.fixed for axis in known)))
    full = [axis for axis in known if axis.is_reached and axis[:2] == whole[:2]]
    full.sort(key=lambda axis: len(axis.varies))
    varies = frozenset[int]().union(*(axis.varies for axis in full[:1] or known))
    if beside is not None:
        return whole._replace(varies=varies | {beside}, is_reached=bool(full))
    uneven = [axis for axis in known if axis.varies]
    is_reached = bool(full) or not uneven or (len(uneven) == 1 and uneven[0].is_reached)
    return whole._replace(varies=varies, is_reached=is_reached)


def combined(states: Iterable[Dependence], beside: int | None = None) -> Dependence:
    """The state of elements that depend on one element of each, or lie `beside` one another."""
    axes = zip(*(state.axes for state in states))
    return Dependence(tuple(united(of_each, beside) for of_each in axes))


def taken(axis: Axis, gone: Collection[int], *, stays: bool = False) -> Axis:
    """The axis of elements that take in all along some dimensions.

    With `stays`, they go on to depend on their own position too.
    """
    parts = [part for part in axis.moving if part.dim in gone]
    varies = axis.varies.difference(gone)
    if not parts and varies == axis.varies:
        return axis
    left = axis.moving if stays else tuple(part for part in axis.moving if part.dim not in gone)
    fixed = hull(axis.fixed, *(part.range for part in parts))
    return Axis(left, fixed, varies, axis.is_reached or not varies)


def moved(axis: Axis, dims: Sequence[int | None]) -> Axis:
    """The same with dimension d become `dims[d]`; None: all along it have been taken together."""
    axis = taken(axis, [d for d, new in enumerate(dims) if new is None])
    new = {d: to for d, to in enumerate(dims) if to is not None}
    parts = tuple(part._replace(dim=new[part.dim]) for part in axis.moving)
    return axis._replace(moving=parts, varies=frozenset(new.get(d, d) for d in axis.varies))


def some_of(axis: Axis, dims: Iterable[int]) -> Axis:
    """The axis of some elements along dimensions, nobody knows which."""
    if axis.varies.isdisjoint(dims):
        return axis
    return axis._replace(varies=frozenset({ANY}), is_reached=False)


def broadcast(tensor: Operand, to: Shape) -> Dependence:
    """The state of a tensor that is repeated along its dimensions of size 1, and new ones."""
    shape, state = tensor.shape, tensor.state
    if shape == to or state.is_constant:
        return state
    shift = len(to) - len(shape)
    repeated = [d for d, size in enumerate(shape) if size == 1 and to[shift + d] != 1]
    dims = range(shift, len(to))
    return state.each(lambda axis: moved(taken(axis, repeated), dims), is_view=state.is_view)


# --- element by element, and all along dimensions ---


def created(given: Operands) -> Dependence:
    """None of the values of its tensors."""
    return given.constant


def elementwise(given: Operands) -> Dependence:
    """One element of each tensor, smaller ones repeated."""
    return combined(broadcast(tensor, given.out) for tensor in given.tensors)


def first_alone(given: Operands) -> Dependence:
    """The first tensor element by element, the others being constants.

    So it is for normalisation; a mean and variance that are not learned are left out by convention.
    """
    if not all(tensor.state.is_constant for tensor in given.tensors[1:]):
        raise Untold
    return combined([given.tensors[0].state])


def copy(given: Operands) -> Dependence:
    """The last tensor, written over the first."""
    return combined([broadcast(given.tensors[-1], given.out)])


def reduction(given: Operands) -> Dependence:
    """All along some dimensions, or the whole tensor, taken together."""
    first, *others = given.tensors
    if others:
        return elementwise(given)  # the maximum of two tensors
    rank, keeps = len(first.shape), given.operation.argument("keepdim") is True
    gone = given.dims() if given.integers("dim") else range(rank)
    kept = [d for d in range(rank) if keeps or d not in gone]
    dims = [None if d in gone else kept.index(d) for d in range(rank)]
    return first.state.each(lambda axis: moved(axis, dims))


def softmax(given: Operands) -> Dependence:
    """Each element with all along a dimension."""
    return given.tensors[0].state.each(lambda axis: taken(axis, given.dims(-1), stays=True))


def product(given: Operands) -> Dependence:
    """The matrix product of the last two tensors, plus those before."""
    *rest, one, other = given.tensors
    if min(len(one.shape), len(other.shape)) < 2:
        raise Untold
    factors = [_taken_in(one, given.out, -1), _taken_in(other, given.out, -2)]
    return combined([*factors, *(broadcast(tensor, given.out) for tensor in rest)])


def linear(given: Operands) -> Dependence:
    """The last dimension times a matrix of constants."""
    first_alone(given)
    return _taken_in(given.tensors[0], given.out, -1)


def attention(given: Operands) -> Dependence:
    """Each query with all keys and values; a mask of numbers is a bias that lets all through."""
    mask = given.operation.argument("attn_mask")
    is_restricted = isinstance(mask, TensorSpec) and mask.dtype == "bool"
    if is_restricted or given.operation.argument("is_causal"):
        raise Untold
    gone = {"query": (-1,), "key": (-2, -1), "value": (-2,), "attn_mask": (-1,)}
    return combined(_taken_in(tensor, given.out, *gone[tensor.name]) for tensor in given.tensors)


def _taken_in(tensor: Operand, out: Shape, *gone: int) -> Dependence:
    """The state of results that take in all along some of a tensor's last two dimensions.

    The dimensions before those are a batch, repeated where smaller than that of the result.
    """
    rank = len(out)
    to = (*out[: max(rank - 2, rank - len(tensor.shape))], *tensor.shape[-2:])
    dims = [None if d - rank in gone else d for d in range(rank)]
    return broadcast(tensor, to).each(lambda axis: moved(axis, dims))


# --- windows, padding, resampling ---

Slide = tuple[Number, Number, Number]
"""(rate, first, last): position q takes in those from ⌈rate·q + first⌉ to ⌊rate·q + last⌋."""
STILL: Slide = (1, 0, 0)


def slid(tensor: Operand, out: Shape, slides: Sequence[Slide], **view: bool) -> Dependence:
    """The state after windows have slid over the last dimensions, one of `slides` for each."""
    shape, start = tensor.shape, len(tensor.shape) - len(slides)
    dims = {d: s for d, s in enumerate(slides, start) if s != STILL or shape[d] != out[d]}

    def slide(part: Moving) -> Moving:
        if part.dim not in dims:
            return part
        if part.inner != 1 or part.size != shape[part.dim]:
            raise Untold
        return Moving(part.dim, out[part.dim], part.reach.through(*dims[part.dim]))

    return tensor.state.each(
        lambda axis: some_of(axis, dims)._replace(moving=tuple(map(slide, axis.moving))), **view
    )


def windowed(tensor: Operand, out: Shape, slides: Sequence[Slide]) -> Dependence:
    """The state after windows have slid over positions.

    Raises:
        NotChannelsFirst: they slide over other dimensions of the input.
    """
    state, start = tensor.state, len(tensor.shape) - len(slides)
    untouched = [axis.moving[0].dim for axis in state.axes if axis.is_untouched]
    over = [d for d, s in enumerate(slides, start) if s != STILL and tensor.shape[d] > 1]
    if any(0 < d < start for d in untouched) or (
        untouched and not all(state.holds(d) for d in over)
    ):
        raise NotChannelsFirst
    return slid(tensor, out, slides)


def convolution(given: Operands) -> Dependence:
    """A convolution, transposed if its argument `transposed` says so."""
    first, weight, *bias = given.tensors
    window = weight.shape[2:]
    if len(first.shape) != len(window) + 2:
        raise Untold
    options = (("stride", 1), ("padding", 0), ("dilation", 1))
    settings = (given.by_dimension(name, len(window), default) for name, default in options)
    make = _transposed if given.operation.argument("transposed") is True else _slide
    state = windowed(first, given.out, list(map(make, window, *settings)))
    if given.by_dimension("groups", 1, 1) == (1,):
        state = state.each(lambda axis: taken(axis, [1]))
    elif state.holds(1):
        raise Untold
    every = (t.state.each(lambda axis: taken(axis, range(9))) for t in (weight, *bias))
    return combined([state, *every])


def _slide(window: int, stride: int, padding: int, dilation: int) -> Slide:
    return stride, -padding, (window - 1) * dilation - padding


def _transposed(window: int, stride: int, padding: int, dilation: int) -> Slide:
    """Output q gets from input p where q = p · stride − padding + tap · dilation."""
    if stride > 1 and (dilation > 1 or window < stride):
        raise Untold  # some outputs get nothing from within the window
    first = padding - (window - 1) * dilation
    return Fraction(1, stride), Fraction(first, stride), Fraction(padding, stride)


def pooling(given: Operands) -> Dependence:
    """A pooling with a window of its own."""
    rank = rank_of(given)
    window = given.by_dimension("kernel_size", rank, 1)
    stride = given.by_dimension("stride", rank, 1) if given.integers("stride") else window
    margin = given.by_dimension("padding", rank, 0)
    dilation = given.by_dimension("dilation", rank, 1)
    slides = list(map(_slide, window, stride, margin, dilation))
    return windowed(given.tensors[0], given.out, slides)


def rank_of(given: Operands) -> int:
    """Number of dimensions that a pooling or resampling works on, from its name: `…2d`."""
    return int(given.operation.name.removesuffix("_with_indices")[-2])


def padding(given: Operands) -> Dependence:
    """Padding or, where negative, cropping: of the last dimension first.

    Padding that repeats or mirrors what is inside counts as if it went on outside.
    """
    first, pads = given.tensors[0], given.integers("pad", "padding")
    rank, pairs = len(first.shape), list(zip(pads[::2], pads[1::2]))[::-1]
    state = slid(first, given.out, [(1, -before, -before) for before, _ in pairs])
    padded = {d for d, pair in enumerate(pairs, rank - len(pairs)) if max(pair) > 0}
    empty = {d for d in padded if not first.state.holds(d)}
    # Where those are no positions, elements that depend on nothing now lie beside the others.
    return state.each(lambda axis: axis._replace(varies=axis.varies | empty))


def resampling(slide: Callable[[Operands, Fraction, int, int], Slide]) -> Rule:
    """A rule: `slide` for each dimension, from the ratio and sizes of input and output."""

    def rule(given: Operands) -> Dependence:
        first, rank = given.tensors[0], rank_of(given)
        sizes = list(zip(first.shape[-rank:], given.out[-rank:]))
        values = [v for name, v in given.operation.arguments if name.startswith("scale")]
        flat = values[0] if values and isinstance(values[0], tuple) else values
        factors = [f for f in flat if isinstance(f, (int, float))]
        if any(abs(size * f - out) > 1e-6 * out for f, (size, out) in zip(factors, sizes)):
            raise Untold  # the factor was rounded to get a size, but not for the positions
        slides = [slide(given, Fraction(size, out), size, out) for size, out in sizes]
        return slid(first, given.out, slides)

    return rule


def _adaptive(_: Operands, ratio: Fraction, *__: int) -> Slide:
    """A pooling to a given size: position q takes in ⌊q·r⌋ to ⌈(q+1)·r⌉ − 1."""
    part = Fraction(1, ratio.denominator)
    return ratio, part - 1, ratio - part


def _nearest(given: Operands, ratio: Fraction, *_: int) -> Slide:
    """The nearest position, ⌊q·r⌋; `exact` takes ⌊(q + ½)·r⌋."""
    shift = ratio / 2 if "exact" in given.operation.name else Fraction(0)
    part = Fraction(1, lcm(ratio.denominator, shift.denominator))
    return ratio, shift + part - 1, shift


def _interpolated(given: Operands, ratio: Fraction, size: int, out: int) -> Slide:
    """Between positions on either side of the exact one: 1, bicubic 2.

    Where the exact position is one of the input's, that alone counts.
    """
    shift = (ratio - 1) / 2
    if given.operation.argument("align_corners") is True:
        ratio, shift = Fraction(size - 1, out - 1) if out > 1 else Fraction(0), Fraction(0)
    part = Fraction(1, lcm(ratio.denominator, shift.denominator))
    aside = ("cubic" in given.operation.name) + 1 - part if part != 1 else 0
    return ratio, shift - aside, shift + aside


def pixel_shuffle(given: Operands) -> Dependence:
    """Channels become positions: r × r neighbours come from the same position."""
    first, (factor,) = given.tensors[0], given.by_dimension("upscale_factor", 1, 1)
    if first.state.holds(len(given.out) - 3) or any(axis.varies for axis in first.state.axes):
        raise Untold
    return slid(first, given.out, [(Fraction(1, factor), Fraction(1 - factor, factor), 0)] * 2)


# --- views, parts and joins ---


def view(given: Operands) -> Dependence:
    """Another shape of the same elements in the same order."""
    (_, shape, state), *_ = given.tensors
    to = given.out
    if shape == to or state.is_constant:
        return state

    def rearrange(axis: Axis) -> Axis:
        axis = taken(axis, [p.dim for p in axis.moving if not _in_view(p, shape, to)])
        parts = (_in_view(part, shape, to) for part in axis.moving)
        varies = (_dims_of(dim, shape, to) if dim != ANY else {ANY} for dim in axis.varies)
        return axis._replace(
            moving=tuple(part for part in parts if part), varies=frozenset[int]().union(*varies)
        )

    return state.each(rearrange, is_view=state.is_view)


def _in_view(part: Moving, shape: Shape, to: Shape) -> Moving | None:
    """The same positions after a change of shape; None: a single one, nowhere in particular.

    Raises:
        Untold: they are now spread over several dimensions.
    """
    from_end = part.dim - len(shape)
    if shape[from_end:] == to[from_end:]:
        return part._replace(dim=len(to) + from_end)
    if part.size == 1:
        return None
    weight = part.inner * prod(shape[part.dim + 1 :])  # elements from one position to the next
    for dim in reversed(range(len(to))):
        inner, rest = divmod(weight, prod(to[dim + 1 :]))
        if inner and not rest and to[dim] % (inner * part.size) == 0:
            return part._replace(dim=dim, inner=inner)
    raise Untold


def _dims_of(dim: int, shape: Shape, to: Shape) -> set[int]:
    """The dimensions after a change of shape along which one of those before is found."""
    low = prod(shape[dim + 1 :])
    below = [prod(to[d + 1 :]) for d in range(len(to))]
    return {d for d, b in enumerate(below) if b < low * shape[dim] and b * to[d] > low}


def restride(given: Operands) -> Dependence:
    """The same shape with other strides, where no order of positions can be meant."""
    state = given.tensors[0].state
    is_single = all(part.size == 1 for axis in state.axes for part in axis.moving)
    if given.tensors[0].shape != given.out or not is_single:
        raise Untold
    return state


def permute(given: Operands) -> Dependence:
    """Dimensions in another order: `dims` in `permute`, else two of them change places."""
    _, shape, state = given.tensors[0]
    rank = len(shape)
    order = [d % rank for d in given.integers("dims")]
    if not order:
        names = (("dim0", "axis0"), ("dim1", "axis1"))
        swapped = [d % rank for pair in names for d in given.integers(*pair)]
        one, other = swapped or (max(rank - 2, 0), rank - 1)  # t, mT, adjoint
        order = list(range(rank))
        order[one], order[other] = other, one
    dims = [order.index(d) for d in range(rank)]
    is_view = state.is_view or order != sorted(order)
    return state.each(lambda axis: moved(axis, dims), is_view=is_view)


def expand(given: Operands) -> Dependence:
    """Repetition along dimensions of size 1 and new ones."""
    return broadcast(given.tensors[0], given.out)


def repeat(given: Operands) -> Dependence:
    """Copies of the whole tensor beside one another."""
    first, out = given.tensors[0], given.out
    shape = (1,) * (len(out) - len(first.shape)) + first.shape
    return combined([broadcast(first, tuple(n if s == 1 else s for s, n in zip(shape, out)))])


def some_along(default: int, *, is_view: bool = False) -> Rule:
    """A rule: some elements along dimensions without positions, or all in another order.

    Where the result has a dimension less, it is that one.
    """

    def rule(given: Operands) -> Dependence:
        (_, shape, state), *chosen = given.tensors
        indices = given.operation.argument("indices")
        dims = given.dims(default)
        if isinstance(indices, tuple):
            dims = [d for d, index in enumerate(indices) if index is not None]
        is_known = all(index.state.is_constant and len(index.shape) == 1 for index in chosen)
        if state.holds(*dims) or len(chosen) > 1 or not is_known:
            raise Untold
        places: list[int | None] = list(range(len(shape)))
        if len(given.out) < len(shape):
            places = [d - (d > dims[0]) for d in range(len(shape))]
        return state.each(lambda axis: moved(some_of(axis, dims), places), is_view=is_view)

    return rule


def cut(given: Operands) -> Dependence:
    """Every `step`-th element of a dimension, from `start` on."""
    (first, *_), (dim,) = given.tensors, given.dims()
    if first.shape == given.out:
        return first.state
    (start,), (step,) = given.by_dimension("start", 1, 0), given.by_dimension("step", 1, 1)
    start = max(0, start + first.shape[dim] if start < 0 else start)
    slides = [(step, start, start) if d == dim else STILL for d in range(len(first.shape))]
    return slid(first, given.out, slides, is_view=True)


def concatenate(given: Operands) -> Dependence:
    """Tensors one after the other along a dimension; `stack`: along a new one.

    Positions along it are given up.
    """
    tensors = [tensor for tensor in given.tensors if tensor.shape != (0,)]
    rank = len(given.out)
    dim = (*given.integers("dim"), 0)[0] % rank
    places = range(rank) if len(tensors[0].shape) == rank else [d + (d >= dim) for d in range(rank)]

    def apart(axis: Axis) -> Axis:
        axis = moved(axis, places)
        if all(part.dim != dim for part in axis.moving):
            return axis
        axis = taken(axis, [dim])
        return axis._replace(varies=axis.varies | {dim}, is_reached=False)

    return combined((tensor.state.each(apart) for tensor in tensors), dim)


# --- the table ---

adaptive_pooling = resampling(_adaptive)
parts = some_along(0, is_view=True)

BY_RULE: tuple[tuple[Rule, str], ...] = (
    (elementwise, """
        abs acos add addcdiv addcmul asin atan atan2 bitwise_and bitwise_not bitwise_or
        bitwise_xor ceil celu clamp clamp_max clamp_min clip clone contiguous cos cosh
        div divide dropout elu eq erf erfc exp exp2 expm1 feature_dropout float_power floor
        floor_divide fmax fmin fmod frac ge gelu greater gt hardshrink hardsigmoid hardswish
        hardtanh heaviside isfinite isinf isnan leaky_relu le lerp less log log10 log1p
        log2 log_sigmoid log_sigmoid_forward logaddexp logical_and logical_not logical_or
        logical_xor logit lt masked_fill maximum minimum mish mul multiply nan_to_num
        native_dropout ne neg negative pow prelu _prelu_kernel reciprocal relu relu6 remainder
        round rrelu rrelu_with_noise rsqrt rsub selu sigmoid sign silu sin sinh softplus softshrink
        special_expit sqrt square sub subtract tan tanh threshold to _to_copy true_divide trunc
        type_as where xlogy"""),
    (first_alone, """
        batch_norm native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_functional
        _native_batch_norm_legit_no_training _batch_norm_no_update _batch_norm_with_update
        cudnn_batch_norm miopen_batch_norm instance_norm group_norm native_group_norm layer_norm
        native_layer_norm rms_norm _fused_rms_norm"""),
    (copy, "copy"),
    (created, """
        empty_like full_like new_empty new_empty_strided new_full new_ones new_zeros ones_like
        rand_like randint_like randn_like zeros_like fill zero"""),
    (reduction, """
        all amax amin aminmax any argmax argmin count_nonzero frobenius_norm linalg_vector_norm
        logsumexp max mean median min nanmean nansum norm prod std std_mean sum var var_mean"""),
    (softmax, "_log_softmax _safe_softmax _softmax log_softmax softmax"),
    (product, "mm bmm addmm baddbmm matmul"),
    (linear, "linear"),
    (attention, "scaled_dot_product_attention"),
    (convolution, """
        _convolution convolution convolution_overrideable cudnn_convolution mkldnn_convolution
        conv1d conv2d conv3d"""),
    (pooling, """
        avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d max_pool1d_with_indices
        max_pool2d_with_indices max_pool3d_with_indices"""),
    (adaptive_pooling, """
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d
        _adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d"""),
    (padding, """
        constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d
        replication_pad2d replication_pad3d"""),
    (resampling(_nearest), """
        upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d
        _upsample_nearest_exact2d _upsample_nearest_exact3d"""),
    (resampling(_interpolated), """
        upsample_linear1d upsample_bilinear2d upsample_trilinear3d upsample_bicubic2d"""),
    (pixel_shuffle, "pixel_shuffle"),
    (view, """
        _reshape_alias _unsafe_view alias data detach flatten lift_fresh ravel reshape reshape_as
        squeeze unflatten unsqueeze view view_as"""),
    (permute, "adjoint mT permute swapaxes swapdims t transpose"),
    (expand, "broadcast_to expand expand_as"),
    (repeat, "repeat"),
    (restride, "as_strided"),
    (some_along(0), "_unsafe_index index index_select"),
    (some_along(1), "channel_shuffle native_channel_shuffle"),
    (some_along(-1), "cummax cummin cumprod cumsum flip glu roll sort topk"),
    (parts, "chunk select split split_with_sizes tensor_split unbind unsafe_chunk unsafe_split"),
    (cut, "narrow slice"),
    (concatenate, "cat concat concatenate stack"),
)  # fmt: skip
"""The operations that each rule is for, by their names in `aten`."""

RULES: dict[str, Rule] = {f"aten.{name}": rule for rule, names in BY_RULE for name in names.split()}

WINDOWED = frozenset({convolution, pooling, adaptive_pooling})
"""Rules for operations that tell positions from channels."""
FIRST_WINS = frozenset({created, elementwise, first_alone, linear, convolution})
"""Rules for which, of two tensors of the same shape, the first may be taken to be the one that is
not a parameter: it is all one, or weights come last."""
REARRANGING = frozenset({permute, cut, parts})
"""Rules for views in which other elements, or fewer, are found than in what they are views of."""
CHANGING_SHAPE = REARRANGING | {view, expand, restride}
"""Rules for operations that write nothing, also where their name says that they are in place."""


def rule_of(operation: Operation) -> Rule | None:
    """The rule for operations of this name, or for those that are not in place."""
    return RULES.get(operation.name) or RULES.get(operation.name.removesuffix("_"))


def dependence_of(given: Operands) -> Dependence:
    """What the elements of an operation's first result depend on.

    Raises:
        Untold: it cannot be told.
        NotChannelsFirst: the input is not what a convolution takes.
    """
    operation, tensors, constant = given
    rule = rule_of(operation)
    is_view = any(tensor.state.is_view for tensor in tensors)
    writes = operation.name.endswith("_") and rule not in CHANGING_SHAPE
    if writes and tensors and tensors[0].state.is_view:
        raise Untold  # what it is a view of changes too, and nobody knows where
    if all(tensor.state.is_constant for tensor in tensors):
        return constant._replace(is_view=is_view or rule in REARRANGING)
    if rule is None:
        raise Untold
    return rule(given)
