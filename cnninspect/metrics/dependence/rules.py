"""Which rule says what the result of an operation depends on, by the operation's name."""

from __future__ import annotations

from cnninspect.metrics.dependence import joints, layouts, mixing, resampling, sliding
from cnninspect.metrics.dependence.mixing import Rule
from cnninspect.metrics.dependence.operands import Operands
from cnninspect.metrics.dependence.reach import Untold
from cnninspect.metrics.dependence.states import Dependence
from cnninspect.records.operations import Operation

CREATORS = frozenset(
    f"aten.{name}"
    for name in (
        "empty_like", "full_like", "new_empty", "new_empty_strided", "new_full", "new_ones",
        "new_zeros", "ones_like", "rand_like", "randint_like", "randn_like", "zeros_like", "fill_",
        "zero_",
    )
)  # fmt: skip
"""Operations that take a tensor and none of its values."""

BY_RULE: tuple[tuple[Rule, str], ...] = (
    (mixing.elementwise, """
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
    (mixing.first_alone, """
        batch_norm native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_functional
        _native_batch_norm_legit_no_training _batch_norm_no_update _batch_norm_with_update
        cudnn_batch_norm miopen_batch_norm instance_norm group_norm native_group_norm layer_norm
        native_layer_norm rms_norm _fused_rms_norm"""),
    (mixing.copy, "copy"),
    (mixing.reduction, """
        all amax amin aminmax any argmax argmin count_nonzero frobenius_norm linalg_vector_norm
        logsumexp max mean median min nanmean nansum norm prod std std_mean sum var var_mean"""),
    (mixing.softmax, "_log_softmax _safe_softmax _softmax log_softmax softmax"),
    (mixing.product_of("self", "mat2"), "mm bmm"),
    (mixing.product_of("mat1", "mat2"), "addmm"),
    (mixing.product_of("batch1", "batch2"), "baddbmm"),
    (mixing.product_of("self", "other"), "matmul"),
    (mixing.linear, "linear"),
    (mixing.attention, "scaled_dot_product_attention"),
    (sliding.convolution, """
        _convolution convolution convolution_overrideable cudnn_convolution mkldnn_convolution
        conv1d conv2d conv3d"""),
    (sliding.pooling, """
        avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d max_pool1d_with_indices
        max_pool2d_with_indices max_pool3d_with_indices"""),
    (sliding.adaptive_pooling, """
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d
        _adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d"""),
    (sliding.padding, """
        constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d
        replication_pad2d replication_pad3d"""),
    (resampling.nearest, """
        upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d
        _upsample_nearest_exact2d _upsample_nearest_exact3d"""),
    (resampling.interpolation(1, 1), "upsample_linear1d upsample_bilinear2d upsample_trilinear3d"),
    (resampling.interpolation(2, 2), "upsample_bicubic2d"),
    (resampling.pixel_shuffle, "pixel_shuffle"),
    (layouts.view, """
        _reshape_alias _unsafe_view alias data detach flatten lift_fresh ravel reshape reshape_as
        squeeze unflatten unsqueeze view view_as"""),
    (layouts.permute, "adjoint mT permute swapaxes swapdims t transpose"),
    (layouts.expand, "broadcast_to expand expand_as"),
    (layouts.repeat, "repeat"),
    (layouts.restride, "as_strided"),
    (layouts.shuffle_channels, "channel_shuffle native_channel_shuffle"),
    (layouts.gather, "_unsafe_index index index_select"),
    (layouts.reorder, "cummax cummin cumprod cumsum flip roll sort topk"),
    (joints.select, "select"),
    (joints.cut, "narrow slice"),
    (joints.split, "chunk split split_with_sizes tensor_split unsafe_chunk unsafe_split"),
    (joints.unbind, "unbind"),
    (joints.halve, "glu"),
    (joints.concatenate, "cat concat concatenate"),
    (joints.stack, "stack"),
)  # fmt: skip

RULES: dict[str, Rule] = {f"aten.{name}": rule for rule, names in BY_RULE for name in names.split()}

WINDOWED = frozenset({sliding.convolution, sliding.pooling, sliding.adaptive_pooling})
"""Rules for operations that tell positions from channels."""
SEVERAL = frozenset({joints.split, joints.unbind})
"""Rules that hold for each result, whatever its size."""
FIRST_WINS = frozenset({mixing.elementwise, mixing.first_alone, mixing.linear, sliding.convolution})
"""Rules for which, of two tensors of the same shape, the first may be taken to be the one that is
not a parameter: it is all one, or weights come last."""
REARRANGING = frozenset({layouts.permute, joints.select, joints.cut, joints.split, joints.unbind})
"""Rules for views in which other elements, or fewer, are found than in what they are views of."""
CHANGING_SHAPE = REARRANGING | {layouts.view, layouts.expand, layouts.restride}
"""Rules for operations that write nothing, also where their name says that they are in place."""


def rule_of(operation: Operation) -> Rule | None:
    """The rule for operations of this name, or for those that are not in place."""
    name = operation.name
    rule = RULES.get(name)
    if rule is None and name.endswith("_"):
        return RULES.get(name[:-1])
    return rule


def dependence_of(operands: Operands) -> Dependence:
    """What the elements of an operation's first result depend on.

    Raises:
        Untold: it cannot be told.
        NotChannelsFirst: the input is not what a convolution takes.
    """
    operation = operands.operation
    rule = rule_of(operation)
    writes = operation.name.endswith("_") and rule not in CHANGING_SHAPE
    if writes and operands.tensors and operands.first.state.is_rearranged:
        raise Untold  # what it is a view of changes too, and nobody knows where
    if operation.name in CREATORS:
        return operands.constant
    if all(tensor.given is not None and tensor.given.is_constant for tensor in operands.tensors):
        is_view = any(tensor.state.is_rearranged for tensor in operands.tensors)
        return operands.constant._replace(is_rearranged=is_view or rule in REARRANGING)
    if rule is None or not (operands.is_certain or rule in FIRST_WINS):
        raise Untold
    return rule(operands)
