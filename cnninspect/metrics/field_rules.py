"""What the result of an operation depends on: `RULES`, by the operation's name.

Where no rule can tell, it is `Untold`.

Source: Araujo, Norris, Sim 2019, Computing Receptive Fields of Convolutional Neural Networks,
Distill, doi:10.23915/distill.00021.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from math import lcm, prod

from cnninspect.metrics.reach import (
    ANY,
    Axis,
    Dependence,
    Moving,
    Number,
    Operand,
    Operands,
    Shape,
    Untold,
    broadcast,
    combined,
    moved,
    some_of,
    taken,
)
from cnninspect.records.operations import Operation, TensorSpec


class NotChannelsFirst(Exception):
    """The input is not laid out as (batch, channels, *positions)."""


Rule = Callable[[Operands], Dependence]


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
    if len(kept) != len(given.out):
        raise Untold
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
    stride = given.by_dimension("stride", len(window), 1)
    make = _transposed if given.operation.argument("transposed") is True else _slide
    state = windowed(first, given.out, _slides(given, make, window, stride))
    if given.by_dimension("groups", 1, 1) == (1,):
        state = state.each(lambda axis: taken(axis, [1]))
    elif state.holds(1):
        raise Untold
    every = (t.state.each(lambda axis: taken(axis, range(9))) for t in (weight, *bias))
    return combined([state, *every])


def _slides(
    given: Operands, make: Callable[[int, int, int, int], Slide], window: Shape, stride: Shape
) -> list[Slide]:
    margin = given.by_dimension("padding", len(window), 0)
    dilation = given.by_dimension("dilation", len(window), 1)
    return list(map(make, window, stride, margin, dilation))


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
    return windowed(given.tensors[0], given.out, _slides(given, _slide, window, stride))


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
    """Repetition along dimensions of size 1 and new ones; `repeat`: also along others."""
    first, out = given.tensors[0], given.out
    shape = (1,) * (len(out) - len(first.shape)) + first.shape
    return broadcast(first, tuple(n if s == 1 else s for s, n in zip(shape, out)))


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
        _convolution conv convolution convolution_overrideable cudnn_convolution
        mkldnn_convolution"""),
    (pooling, "avg_pool max_pool"),
    (adaptive_pooling, "adaptive_avg_pool _adaptive_avg_pool adaptive_max_pool"),
    (padding, "constant_pad_nd reflection_pad replication_pad"),
    (resampling(_nearest), "upsample_nearest _upsample_nearest_exact"),
    (resampling(_interpolated), """
        upsample_linear upsample_bilinear upsample_trilinear upsample_bicubic"""),
    (pixel_shuffle, "pixel_shuffle"),
    (view, """
        _reshape_alias _unsafe_view alias data detach flatten lift_fresh ravel reshape reshape_as
        squeeze unflatten unsqueeze view view_as"""),
    (permute, "adjoint mT permute swapaxes swapdims t transpose"),
    (expand, "broadcast_to expand expand_as repeat"),
    (restride, "as_strided"),
    (some_along(0), "_unsafe_index index index_select"),
    (some_along(1), "channel_shuffle native_channel_shuffle"),
    (some_along(-1), "cummax cummin cumprod cumsum flip glu sort topk"),
    (parts, "chunk select split split_with_sizes tensor_split unbind unsafe_chunk unsafe_split"),
    (cut, "narrow slice"),
    (concatenate, "cat concat concatenate stack"),
)  # fmt: skip
"""The operations of aten that each rule is for, by names without `ENDING`."""
ENDING = re.compile(r"(\dd)?(_with_indices)?_?$")
"""The end of a name that says in how many dimensions, or in place: `2d_with_indices`, `_`."""
RULES = {f"aten.{name}": rule for rule, names in BY_RULE for name in names.split()}

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
    """The rule for operations of this name."""
    return RULES.get(operation.name) or RULES.get(ENDING.sub("", operation.name))


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
