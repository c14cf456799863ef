"""Every counted operator with tensors in which no two sizes are alike, and its formula in full.

So a factor that is dropped, doubled or taken from another tensor shows, also where the product
would stay the same.  Shapes stand as text: `self:2x3` is an argument, what follows `->` the result.
"""

# ruff: noqa: E501 - a case is easier to check on one line

import re
from math import prod

import pytest

from cnninspect.costs import BUILT_IN, cost_of, registered
from cnninspect.records.operations import CostState, Operation, TensorSpec


def spec(text):
    return TensorSpec(tuple(int(size) for size in text.split("x") if size))


def op(name, shapes, **others):
    """`shapes` may name an argument twice: then it is a list of tensors."""
    before, _, after = shapes.partition("->")
    arguments = {}
    for each in before.split():
        key, _, shape = each.partition(":")
        arguments[key] = [*arguments.get(key, []), spec(shape)]
    plain = {k: v[0] if len(v) == 1 and k not in LISTS else tuple(v) for k, v in arguments.items()}
    return Operation(name, tuple((plain | others).items()), tuple(map(spec, after.split())))


LISTS = ("params", "tensors", "Inputs")
MATRICES = "7 batch × 2 rows × 3 inner × 5 columns"
CONV = "2 batch × 20 positions × 10 out channels × 3 in channels per group × 6 kernel"
TRANSPOSED = "2 batch × 28 in positions × 6 in channels × 5 out channels per group × 6 kernel"
ATTEND = (
    "8 heads × 7 queries × 9 keys × 10 key width + 8 heads × 7 queries × 9 keys × 6 value width"
)
ATTEND_BACK = ATTEND.replace("8 heads", "2 products × 8 heads")


def twice(terms):
    return f"{terms} + {terms}"


def after(namespace, names):
    return [f"{namespace}.{name}" for name in names.split()]


CONV_SHAPES = "{}:2x6x6x6 weight:10x3x3x2 -> 2x10x4x5"
TRANSPOSED_SHAPES = "{}:2x6x4x7 weight:6x5x3x2 -> 2x10x9x14"
CONVOLUTIONS = [
    (after("aten", "convolution _convolution convolution_overrideable conv1d conv2d conv3d thnn_conv2d slow_conv3d mkldnn_convolution"),
     CONV_SHAPES.format("input"), {"groups": 2, "transposed": False}, CONV),
    (after("aten", """_slow_conv2d_forward slow_conv3d_forward slow_conv_dilated2d slow_conv_dilated3d _conv_depthwise2d
        conv_depthwise3d cudnn_convolution cudnn_convolution_relu cudnn_convolution_add_relu miopen_convolution
        miopen_convolution_relu miopen_convolution_add_relu miopen_depthwise_convolution _mps_convolution"""),
     CONV_SHAPES.format("self"), {}, CONV),
    (["aten._nnpack_spatial_convolution", "torchvision.deform_conv2d"], CONV_SHAPES.format("input"), {}, CONV),
    (after("aten", "convolution _convolution"), TRANSPOSED_SHAPES.format("input"), {"transposed": True}, TRANSPOSED),
    (after("aten", "conv_transpose1d conv_transpose2d conv_transpose3d"), TRANSPOSED_SHAPES.format("input"), {}, TRANSPOSED),
    (after("aten", "slow_conv_transpose2d slow_conv_transpose3d cudnn_convolution_transpose miopen_convolution_transpose _mps_convolution_transpose"),
     TRANSPOSED_SHAPES.format("self"), {}, TRANSPOSED),
    (["aten.conv_tbc"], "self:33x2x5 weight:4x5x8 -> 30x2x8", {},
     "2 batch × 30 positions × 8 out channels × 5 in channels per group × 4 kernel"),
    (after("quantized", """conv1d conv1d_relu conv1d_dynamic conv2d conv2d_relu conv2d_add conv2d_add_relu conv2d_dynamic
        conv3d conv3d_relu conv3d_dynamic"""), CONV_SHAPES.format("qx"), {}, CONV),
    (after("quantized", """conv_transpose1d conv_transpose1d_dynamic conv_transpose2d conv_transpose2d_dynamic
        conv_transpose3d conv_transpose3d_dynamic"""), TRANSPOSED_SHAPES.format("qx"), {}, TRANSPOSED),
]  # fmt: skip

BACK = "grad_output:2x10x4x5 {}:2x6x6x6 weight:10x3x3x2 -> 2x6x6x6"
BACK_TRANSPOSED = "grad_output:2x10x9x14 {}:2x6x4x7 weight:6x5x3x2 -> 2x6x4x7"
LINEAR_BACK = "15 rows × 3 inner × 7 columns"
CONVOLUTIONS_BACKWARD = [
    (after("aten", "convolution_backward convolution_backward_overrideable"), BACK.format("input"), {"output_mask": (True, True, False), "transposed": False}, twice(CONV)),
    (["aten.mps_convolution_backward"], BACK.format("self"), {"output_mask": (True, False, True)}, CONV),
    (["aten.convolution_backward"], BACK_TRANSPOSED.format("input"), {"output_mask": (True, True, True), "transposed": True}, twice(TRANSPOSED)),
    (["aten.mps_convolution_transpose_backward"], BACK_TRANSPOSED.format("self"), {"output_mask": (True, True)}, twice(TRANSPOSED)),
    (["aten.mps_convolution_transpose_backward"], BACK_TRANSPOSED.format("self"), {"output_mask": (False, True)}, TRANSPOSED),
    (["torchvision._deform_conv2d_backward"], "grad:2x10x4x5 input:2x6x6x6 weight:10x3x3x2 -> 2x6x6x6", {}, twice(CONV)),
]  # fmt: skip

PRODUCTS = [
    (["aten.mm", "aten._int_mm", "aten._scaled_mm", "aten._scaled_mm_v2"], "self:2x3 mat2:3x5 -> 2x5", {}, MATRICES.replace("7 batch", "1 batch")),
    (["aten.addmm", "aten._addmm_activation"], "self:5 mat1:2x3 mat2:3x5 -> 2x5", {}, MATRICES.replace("7 batch", "1 batch")),
    (["aten.bmm"], "self:7x2x3 mat2:7x3x5 -> 7x2x5", {}, MATRICES),
    (["aten.baddbmm"], "self:5 batch1:7x2x3 batch2:7x3x5 -> 7x2x5", {}, MATRICES),
    (["aten.addbmm"], "self:5 batch1:7x2x3 batch2:7x3x5 -> 2x5", {}, MATRICES),
    (["aten.mv"], "self:2x3 vec:3 -> 2", {}, "1 batch × 2 rows × 3 inner × 1 column"),
    (["aten.addmv"], "self:2 mat:2x3 vec:3 -> 2", {}, "1 batch × 2 rows × 3 inner × 1 column"),
    (["aten.dot"], "self:3 tensor:3 ->  1", {}, "1 batch × 1 row × 3 inner × 1 column"),
    (["aten.vdot"], "self:3 other:3 -> 1", {}, "1 batch × 1 row × 3 inner × 1 column"),
    (["aten.matmul", "aten.linalg_matmul"], "self:7x2x3 other:3x5 -> 7x2x5", {}, MATRICES),
    (["aten.matmul"], "self:11x1x2x3 other:7x3x5 -> 11x7x2x5", {}, "77 batch × 2 rows × 3 inner × 5 columns"),
    (["aten.matmul"], "self:3 other:7x3x5 -> 7x5", {}, "7 batch × 1 row × 3 inner × 5 columns"),
    (["quantized.matmul"], "qa:7x2x3 qb:7x3x5 -> 7x2x5", {}, MATRICES),
    (["aten.linear", "nested.linear"], "input:7x2x3 weight:5x3 bias:5 -> 7x2x5", {}, "1 batch × 14 rows × 3 inner × 5 columns"),
    (["aten.mkldnn_linear"], "self:7x2x3 weight:5x3 -> 7x2x5", {}, "1 batch × 14 rows × 3 inner × 5 columns"),
    (["aten.inner"], "self:7x2x3 other:5x3 -> 7x2x5", {}, "1 batch × 14 rows × 3 inner × 5 columns"),
    (["aten.tensordot"], "self:2x3x4x7 other:4x5x3 -> 2x7x5", {"dims_self": (1, 2), "dims_other": (2, 0)}, "1 batch × 14 rows × 12 inner × 5 columns"),
    (["aten.tensordot"], "self:2x3x4 other:5x1x4 -> 2x5", {"dims_self": (1, -1), "dims_other": (1, 2)}, "1 batch × 2 rows × 4 inner × 5 columns"),
    (["aten.affine_grid_generator", "aten.cudnn_affine_grid_generator"], "theta:7x2x3 -> 7x5x11x2", {}, "7 batch × 55 rows × 3 inner × 2 columns"),
    (["aten.bilinear"], "input1:7x2x3 input2:7x2x5 weight:11x3x5 -> 7x2x11", {}, "14 batch × 11 outputs × 3 left × 5 right"),
    (["aten._trilinear"], "i1:7x3 i2:11x3x5 i3:7x5 -> 7x11", {"expand1": (1, 3), "expand2": (0,), "expand3": (1, 2), "sumdim": (2, 3)}, "1155 products"),
    (["aten._trilinear"], "i1:7x3 i2:11x3x5 i3:7x5 -> 7x11", {"expand1": (1, 3), "expand2": (0,), "expand3": (1, 2), "sumdim": ()}, "0"),
    (["aten._foreach_mm"], "self:2x3 self:7x5 mat2:3x11 mat2:5x13 -> 2x11 7x13", {}, "1 batch × 2 rows × 3 inner × 11 columns + 1 batch × 7 rows × 5 inner × 13 columns"),
    (after("aten", "_grouped_mm _scaled_grouped_mm _scaled_grouped_mm_v2"), "self:10x3 mat2:7x3x5 offs:7 -> 10x5", {}, "1 batch × 10 rows × 3 inner × 5 columns"),
    (["transformers.grouped_mm_fallback"], "input:10x3 weight:7x3x5 offs:7 -> 10x5", {}, "1 batch × 10 rows × 3 inner × 5 columns"),
    (["aten._grouped_mm"], "self:7x2x3 mat2:7x3x5 -> 7x2x5", {}, MATRICES),
    (["aten._grouped_mm"], "self:7x2x3 mat2:3x25 offs:5 -> 7x2x5", {}, "1 batch × 2 rows × 3 inner × 25 columns"),
    (["aten.einsum"], "tensors:2x3 tensors:3x5 tensors:5x7 tensors:7x11 -> 2x11", {"equation": "ab,bc,cd,de->ae"},
     "1 batch × 2 rows × 3 inner × 5 columns + 1 batch × 7 rows × 5 inner × 2 columns + 1 batch × 11 rows × 7 inner × 2 columns"),
    (["aten.einsum"], "tensors:2x3 tensors:3x5 tensors:5x7 tensors:7x11 -> 2x11", {"equation": "ab,bc,cd,de->ae", "path": (2, 3, 1, 2, 0, 1)},
     "1 batch × 5 rows × 7 inner × 11 columns + 1 batch × 3 rows × 5 inner × 11 columns + 1 batch × 2 rows × 3 inner × 11 columns"),
    (after("aten", """_weight_int4pack_mm _weight_int4pack_mm_for_cpu _weight_int4pack_mm_with_scales_and_zeros
        _weight_int8pack_mm _dyn_quant_matmul_4bit _mixed_dtypes_linear fbgemm_linear_fp16_weight
        fbgemm_linear_fp16_weight_fp32_activation fbgemm_linear_int8_weight fbgemm_linear_int8_weight_fp32_activation"""),
     "self:7x2x3 packed:13 -> 7x2x5", {}, "1 batch × 14 rows × 3 inner × 5 columns"),
    ([*after("quantized", """linear linear_relu linear_leaky_relu linear_tanh linear_dynamic linear_relu_dynamic linear_dynamic_fp16
        linear_relu_dynamic_fp16"""), *after("onednn", "qlinear_pointwise linear_dynamic_fp16 linear_relu_dynamic_fp16"), "mkl._mkl_linear"],
     "X:7x2x3 -> 7x2x5", {}, "1 batch × 14 rows × 3 inner × 5 columns"),
    (["aten.linear_backward"], "self:3x5x3 grad_output:3x5x7 weight:7x3 -> 3x5x3", {"output_mask": (True, True, True)}, twice("1 batch × " + LINEAR_BACK)),
    (["aten.linear_backward"], "self:3x5x3 grad_output:3x5x7 weight:7x3 -> 3x5x3", {"output_mask": (False, True, True)}, "1 batch × " + LINEAR_BACK),
    (["aten.linear_backward"], "self:3x5x3 grad_output:3x5x7 weight:7x3 -> 3x5x3", {"output_mask": (False, False, True)}, "0"),
    (after("aten", "mkldnn_linear_backward mkldnn_linear_backward_input mkldnn_linear_backward_weights"),
     "grad_output:3x5x7 weight:7x3 -> 3x5x3", {}, "1 batch × " + LINEAR_BACK),
    (["aten.matmul_backward"], "grad:7x2x5 self:7x2x3 other:3x5 -> 7x2x3", {"mask": (True, True)}, twice(MATRICES)),
    (["aten.matmul_backward"], "grad:7x2x5 self:7x2x3 other:3x5 -> 7x2x3", {"mask": (False, True)}, MATRICES),
    (["aten.matmul_backward"], "grad:7x2x5 self:7x2x3 other:3x5 -> 7x2x3", {}, twice(MATRICES)),
]  # fmt: skip

VECTORS = "1 batch × {} rows × 3 inner × 1 column"
PAIRS = "7 batch × 2 rows × 3 inner × 5 columns"
DISTANCES = [
    (["aten.linalg_vecdot"], "x:7x3x2 y:3x1 -> 7x2", {"dim": 1}, VECTORS.format(14)),
    (["aten.cosine_similarity"], "x1:7x3x2 x2:1x3x1 -> 7x2", {}, VECTORS.format(14)),
    (["aten.cosine_embedding_loss"], "input1:7x3 input2:7x3 target:7 -> 1", {}, VECTORS.format(7)),
    (["aten.pairwise_distance"], "x1:7x2x3 x2:2x3 -> 7x2", {"p": 2.0}, VECTORS.format(14)),
    (["aten.dist"], "self:7x3 other:3 -> 1", {}, VECTORS.format(7)),
    (["aten.triplet_margin_loss"], "anchor:5x3 positive:3 negative:2x5x3 -> 5", {}, f"{VECTORS.format(5)} + {VECTORS.format(10)}"),
    (["aten.triplet_margin_loss"], "anchor:3 positive:5x3 negative:2x5x3 -> 5", {"swap": True},
     f"{VECTORS.format(5)} + {VECTORS.format(10)} + {VECTORS.format(10)}"),
    (after("aten", "_cdist_forward cdist _euclidean_dist"), "x1:7x2x3 x2:5x3 -> 7x2x5", {}, PAIRS),
    (["aten._cdist_backward"], "grad:7x2x5 x1:7x2x3 x2:5x3 -> 7x2x3", {"p": 2.0}, PAIRS),
    (["aten._pdist_forward", "aten.pdist"], "self:5x3 -> 10", {}, VECTORS.format(10)),
    (["aten._pdist_backward"], "grad:10 self:5x3 -> 5x3", {}, twice(VECTORS.format(10))),
    (["autograd.vecdot_backward"], "x:7x3 y:3 -> 7x3 3", {}, VECTORS.format(7)),
    (["autograd.vecdot_backward"], "x:7x3 y:3 -> 7x3", {"output_mask": (True, False)}, "0"),
    (["autograd.cosine_similarity_backward"], "x1:7x1x3 x2:1x2x3 -> 7x1x3 1x2x3", {}, twice(VECTORS.format(14))),
    (["autograd.pairwise_distance_backward"], "x1:3 x2:7x3 -> 3", {"output_mask": (True, False)}, VECTORS.format(7)),
]  # fmt: skip

SDPA = "query:2x4x7x10 key:2x4x9x10 value:2x4x9x6 -> 2x4x7x6"
LENGTH_FIRST = "query:2x7x4x10 key:2x9x4x10 value:2x9x4x6 -> 2x7x4x6"
HEADS = "{b} heads × {q} queries × {k} keys × 8 key width + {b} heads × {q} queries × {k} keys × 8 value width"
ATTENTION = [
    (after("aten", """scaled_dot_product_attention _scaled_dot_product_attention_math _scaled_dot_product_attention_math_for_mps
        _scaled_dot_product_flash_attention _scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_efficient_attention
        _scaled_dot_product_cudnn_attention _scaled_dot_product_fused_attention_overrideable"""), SDPA, {}, ATTEND),
    (["higher_order.flex_attention"], SDPA, {}, ATTEND),
    (["aten.scaled_dot_product_attention"], "query:1x4x7x10 key:2x2x9x10 value:2x2x9x6 -> 2x4x7x6", {}, ATTEND),
    (after("aten", """_scaled_dot_product_flash_attention_backward _scaled_dot_product_flash_attention_for_cpu_backward
        _scaled_dot_product_efficient_attention_backward _scaled_dot_product_cudnn_attention_backward
        _scaled_dot_product_fused_attention_overrideable_backward"""), SDPA, {}, ATTEND_BACK),
    (after("aten", "_flash_attention_forward _flash_attention_forward_no_dropout_inplace _efficient_attention_forward"), LENGTH_FIRST, {}, ATTEND),
    (after("aten", "_flash_attention_backward _efficient_attention_backward"), LENGTH_FIRST, {}, ATTEND_BACK),
    (after("aten", "_native_multi_head_attention _triton_multi_head_attention"), "query:2x7x32 key:2x9x32 value:2x9x32 -> 2x7x32", {"num_head": 4},
     "1 batch × 64 rows × 32 inner × 32 columns + " + HEADS.format(b=8, q=7, k=9)),
    (["aten._transformer_encoder_layer_fwd"], "src:2x7x32 ffn_weight_1:48x32 -> 2x7x32", {"num_heads": 4},
     "1 batch × 56 rows × 32 inner × 32 columns + " + HEADS.format(b=8, q=7, k=7)
     + " + 1 batch × 14 rows × 32 inner × 48 columns + 1 batch × 14 rows × 48 inner × 32 columns"),
]  # fmt: skip


def steps(gates, *, tokens=21, directions=1, fed=32):
    word = "direction" if directions == 1 else "directions"
    gate = "gate" if gates == 1 else "gates"
    return f"{tokens} tokens × {directions} {word} × {gates} {gate} × 20 hidden × {fed} inputs and fed back"


def network(gates, name="params"):
    return f"input:7x3x12 {name}:{20 * gates}x12 {name}:{20 * gates}x20 {name}:{20 * gates} {name}:{20 * gates} -> 7x3x20"


def cell(gates):
    return f"input:3x12 w_ih:{20 * gates}x12 w_hh:{20 * gates}x20 -> 3x20"


ONE = {"num_layers": 1, "bidirectional": False}
RECURRENT = [
    *[([f"aten.{name}"], network(gates), ONE, steps(gates)) for name, gates in
      (("lstm", 4), ("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1), ("_lstm_mps", 4))],
    *[([f"aten.{name}_cell"], cell(gates), {}, steps(gates, tokens=3)) for name, gates in
      (("lstm", 4), ("gru", 3), ("rnn_tanh", 1), ("rnn_relu", 1))],
    *[(["aten._cudnn_rnn", "aten.miopen_rnn"], network(gates, "weight"), {"mode": mode, **ONE}, steps(gates))
      for mode, gates in enumerate((1, 1, 4, 3))],
    *[(["aten.mkldnn_rnn_layer"], f"input:7x3x12 weight0:{20 * gates}x12 weight1:{20 * gates}x20 -> 7x3x20", {"mode": mode}, steps(gates))
      for mode, gates in enumerate((1, 1, 4, 3))],
    (["aten.lstm"], "data:15x12 params:80x12 params:80x5 params:5x20 -> 15x5", ONE,
     steps(4, tokens=15, fed=17) + " + 15 tokens × 1 direction × 20 hidden × 5 projection"),
    (["aten.gru"], "input:7x3x12 params:60x12 params:60x20 params:60x12 params:60x20 params:60x40 params:60x20 params:60x40 params:60x20 -> 7x3x40",
     {"num_layers": 2, "bidirectional": True}, f"{steps(3, directions=2)} + {steps(3, directions=2, fed=60)}"),
    (["aten.quantized_lstm", "aten.quantized_gru"], network(4), {}, "1 batch × 21 rows × 12 inner × 80 columns + 1 batch × 21 rows × 20 inner × 80 columns"),
    (after("quantized", """quantized_lstm_cell_dynamic quantized_gru_cell_dynamic quantized_rnn_relu_cell_dynamic quantized_rnn_tanh_cell_dynamic"""),
     cell(4), {}, "1 batch × 3 rows × 12 inner × 80 columns + 1 batch × 3 rows × 20 inner × 80 columns"),
]  # fmt: skip

ONNX = [
    (["onnx.Conv", "onnx.DeformConv"], "X:2x6x6x6 W:10x3x3x2 -> 2x10x4x5", {"group": 2}, CONV),
    (["onnx.ConvInteger", "onnx.QLinearConv"], "x:2x6x6x6 w:10x3x3x2 -> 2x10x4x5", {}, CONV),
    (["onnx.ConvTranspose"], "X:2x6x4x7 W:6x5x3x2 -> 2x10x9x14", {}, TRANSPOSED),
    (["onnx.Gemm"], "A:2x3 B:3x5 C:5 -> 2x5", {}, "1 batch × 2 rows × 3 inner × 5 columns"),
    (["onnx.Gemm"], "A:3x2 B:3x5 C:5 -> 2x5", {"transA": 1}, "1 batch × 2 rows × 3 inner × 5 columns"),
    (["onnx.Gemm"], "A:2x3 B:5x3 C:5 -> 2x5", {"transB": 1}, "1 batch × 2 rows × 3 inner × 5 columns"),
    (["onnx.MatMul", "onnx.MatMulInteger"], "A:7x2x3 B:3x5 -> 7x2x5", {}, MATRICES),
    (["onnx.QLinearMatMul"], "a:7x2x3 b:3x5 -> 7x2x5", {}, MATRICES),
    (["onnx.Einsum"], "Inputs:2x3 Inputs:3x5 -> 2x5", {"equation": "ab,bc->ac"}, "1 batch × 2 rows × 3 inner × 5 columns"),
    (["onnx.AffineGrid"], "theta:7x2x3 -> 7x5x11x2", {}, "7 batch × 55 rows × 3 inner × 2 columns"),
    (["onnx.Attention", "ai.onnx.preview.FlexAttention"], "Q:2x4x7x10 K:2x4x9x10 V:2x4x9x6 -> 2x4x7x6", {}, ATTEND),
    (["onnx.Attention"], "Q:2x7x40 K:2x6x20 V:2x6x12 past_key:2x2x3x10 -> 2x7x24", {"q_num_heads": 4, "kv_num_heads": 2}, ATTEND),
    *[([f"onnx.{name}"], f"X:7x3x12 W:2x{20 * gates}x12 R:2x{20 * gates}x20 -> 7x2x3x20", {}, steps(gates, directions=2))
      for name, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1))],
    (["onnx.LSTM"], "X:7x3x12 W:1x80x12 R:1x80x20 -> 7x1x3x20", {"steps": 13}, steps(4, tokens=13)),
    (["ai.onnx.ml.LinearClassifier", "ai.onnx.ml.LinearRegressor"], "X:7x3 -> 7x5", {"coefficients": (0.5,) * 15}, "7 rows × 15 coefficients"),
    (["ai.onnx.ml.LinearRegressor"], "X:3 coefficients:15 -> 5", {}, "1 row × 15 coefficients"),
    (["ai.onnx.ml.SVMClassifier", "ai.onnx.ml.SVMRegressor"], "X:7x3 -> 7x5", {"coefficients": (0.5,) * 10, "support_vectors": (0.5,) * 33},
     "7 rows × 33 elements of support vectors + 7 rows × 10 coefficients"),
]  # fmt: skip

HEADS_OF = "{} heads × {} queries × {} keys × {} key width + {} heads × {} queries × {} keys × {} value width"


def heads(h, q, k, width, value):
    return HEADS_OF.format(h, q, k, width, h, q, k, value)


MICROSOFT = [
    (["FusedMatMul", "FusedMatMulActivation", "TransposeMatMul", "FusedGemm", "QGemm"], "A:7x2x3 B:3x5 -> 7x2x5", {}, MATRICES),
    (["FusedMatMul"], "A:7x3x2 B:7x5x3 -> 7x2x5", {"transA": 1, "transB": 1}, MATRICES),
    (["FusedMatMul"], "A:2x7x3 B:3x7x5 -> 7x2x5", {"transBatchA": 1, "transBatchB": 1}, MATRICES),
    (["FusedMatMul"], "A:2x7x3x11 B:11x5 -> 7x3x2x5", {"transBatchA": 1}, "21 batch × 2 rows × 11 inner × 5 columns"),
    (["FusedMatMul"], "A:3x7x2 B:7x3x5 -> 7x2x5", {"transBatchA": 1, "transA": 1}, MATRICES),
    (["FusedMatMul"], "A:3 B:3x5 -> 5", {"transA": 1, "transBatchA": 1}, "1 batch × 1 row × 3 inner × 5 columns"),
    (["FusedMatMul"], "A:2x3 B:5x3 -> 2x5", {"transB": 1, "transBatchB": 1}, "1 batch × 2 rows × 3 inner × 5 columns"),
    (["DynamicQuantizeMatMul", "GemmFastGelu", "MatMulInteger16", "MatMulIntegerToFloat"], "A:7x2x3 B:7x3x5 -> 7x2x5", {}, MATRICES),
    (["MatMulNBits", "MatMulBnb4"], "A:7x2x3 B:5x1x8 -> 7x2x5", {"K": 3, "N": 5}, "1 batch × 14 rows × 3 inner × 5 columns"),
    (["CDist"], "A:2x3 B:5x3 -> 2x5", {}, "1 batch × 2 rows × 3 inner × 5 columns"),
    (["FusedConv"], "X:2x6x6x6 W:10x3x3x2 -> 2x10x4x5", {"group": 2}, CONV),
    (["QLinearConv"], "x:2x6x6x6 w:10x3x3x2 -> 2x10x4x5", {}, CONV),
    (["QLinearConv"], "x:2x6x6x6 w:10x3x3x2 -> 2x4x5x10", {"channels_last": 1}, CONV),
    (["NhwcConv", "NhwcFusedConv"], "X:2x6x6x6 W:10x3x3x2 -> 2x4x5x10", {}, CONV),
    (["nchwc.Conv"], "X:2x3x6x6 W:16x8x3x2 -> 2x16x4x5", {"channels": 10, "group": 1}, CONV),
    (["nchwc.Conv"], "X:2x3x6x6 W:16x8x3x2 -> 2x16x4x5", {"channels": 10}, CONV),
    (["nchwc.Conv"], "X:2x6x6x6 W:10x3x3x2 -> 2x10x4x5", {"group": 2}, CONV),
    (["nchwc.Conv"], "X:2x6x6x6 W:10x8x3x2 -> 2x10x4x5", {"group": 2, "channels": 10}, CONV.replace("3 in", "8 in")),
    (["nchwc.Conv"], "X:2x3x6x6 W:16x1x1 -> 2x3x6x6", {"normalizes": True}, "0"),
    (["DynamicQuantizeLSTM"], "X:7x3x12 W:2x12x80 R:2x20x80 -> 7x2x3x20", {}, steps(4, directions=2)),
    (["Attention"], "input:2x7x10 weights:10x48 -> 2x7x16", {"num_heads": 4}, "1 batch × 14 rows × 10 inner × 48 columns + " + heads(8, 7, 7, 4, 4)),
    (["QAttention"], "input:2x7x10 weight:10x48 -> 2x7x16", {"num_heads": 4}, "1 batch × 14 rows × 10 inner × 48 columns + " + heads(8, 7, 7, 4, 4)),
    (["Attention"], "input:2x7x10 weights:10x64 past:2x2x4x3x5 -> 2x7x24", {"num_heads": 4, "qkv_hidden_sizes": (20, 20, 24)},
     "1 batch × 14 rows × 10 inner × 64 columns + " + heads(8, 7, 10, 5, 6)),
    (["MultiHeadAttention", "DecoderMaskedMultiHeadAttention"], "query:2x7x40 key:2x9x40 value:2x9x24 -> 2x7x24", {"num_heads": 4}, heads(8, 7, 9, 10, 6)),
    (["MultiHeadAttention"], "query:2x7x40 key:2x4x9x10 value:2x4x9x6 -> 2x7x24", {"num_heads": 4}, heads(8, 7, 9, 10, 6)),
    (["MultiHeadAttention"], "query:2x7x40 key:2x9x4x2x10 -> 2x7x40", {"num_heads": 4}, heads(8, 7, 9, 10, 10)),
    (["MultiHeadAttention"], "query:2x7x4x3x10 past_key:2x4x5x10 -> 2x7x40", {"num_heads": 4}, heads(8, 7, 12, 10, 10)),
    (["MultiHeadAttention"], "query:2x7x40 key:2x9x40 value:2x9x24 past_key:2x4x5x10 -> 2x7x24", {"num_heads": 4}, heads(8, 7, 14, 10, 6)),
    (["GroupQueryAttention"], "query:2x7x40 key:2x9x20 value:2x9x20 past_key:2x2x5x10 -> 2x7x40", {"num_heads": 4, "kv_num_heads": 2}, heads(8, 7, 14, 10, 10)),
    (["GroupQueryAttention"], "query:2x7x80 -> 2x7x40", {"num_heads": 4, "kv_num_heads": 2}, heads(8, 7, 7, 10, 10)),
]  # fmt: skip
MICROSOFT = [([f"com.microsoft.{name}" for name in names], *rest) for names, *rest in MICROSOFT]

CASES = [
    (name, shapes, others, terms)
    for names, shapes, others, terms in (
        *CONVOLUTIONS, *CONVOLUTIONS_BACKWARD, *PRODUCTS, *DISTANCES, *ATTENTION, *RECURRENT,
        *ONNX, *MICROSOFT,
    )
    for name in names
]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "shapes", "others", "terms"),
    [pytest.param(*case, id=f"{case[0]} {i}") for i, case in enumerate(CASES)],
)
def test_an_operator_costs_what_its_formula_says_with_these_numbers(name, shapes, others, terms):
    operation = op(name, shapes, **others)
    costed = cost_of(operation)
    assert costed.state is CostState.COUNTED, costed.reason
    assert costed.reason.replace(",", "") == terms
    numbers = [[int(n) for n in re.findall(r"\d+", term)] for term in terms.split(" + ")]
    assert costed.cost.macs == sum(map(prod, numbers))
    assert costed.cost.activations == operation.output.numel


def test_every_operator_that_is_counted_has_a_case():
    counted = {name for name, state in registered().items() if state is CostState.COUNTED}
    loops = {"onnx.Loop", "onnx.Scan"}  # their formula is a cost, below
    assert (counted & BUILT_IN) - {case[0] for case in CASES} == loops


@pytest.mark.parametrize("name", ["onnx.Loop", "onnx.Scan"])
def test_rounds_that_are_alike_are_multiplied(name):
    alike = {"rounds": 5, "macs_per_round": 7, "activations_per_round": 11}
    costed = cost_of(op(name, "-> 3", **alike))
    assert (costed.cost.macs, costed.cost.activations) == (35, 55)
    for missing in alike:
        rest = {key: value for key, value in alike.items() if key != missing}
        costed = cost_of(op(name, "-> 3", **rest, why="it cannot be told"))
        assert (costed.state, costed.reason) == (CostState.UNKNOWN, "it cannot be told")
    costed = cost_of(op(name, "-> 3", **alike, unknown_in_a_round=("a.b", "c.d")))
    assert costed.state is CostState.UNKNOWN
    assert costed.reason == "its body holds what is not counted: a.b, c.d"


@pytest.mark.parametrize(
    "name", ["aten.pairwise_distance", "aten.cdist", "aten._pdist_backward", "aten.triplet_margin_loss"]
)  # fmt: skip
def test_distances_of_another_power_are_unknown(name):
    costed = cost_of(op(name, "x1:7x3 x2:7x3 self:5x3 anchor:3 positive:3 negative:3 -> 7", p=1.0))
    assert costed.state is CostState.UNKNOWN
    assert "power 1.0" in costed.reason


@pytest.mark.parametrize(
    ("name", "shapes", "others", "why"),
    [
        ("aten._cudnn_rnn", network(4, "weight"), {**ONE, "mode": "lstm"}, "mode"),
        ("aten.mkldnn_rnn_layer", "input:7x3x12 weight0:80x12 weight1:80x20 -> 7x3x20", {}, "mode"),
        ("aten.lstm", "input:7x3x12 params:80 -> 7x3x20", ONE, "number of layers"),
        ("aten.lstm", "input:7x3x12 -> 7x3x20", {**ONE, "params": "many"}, "not a list"),
        ("aten._native_multi_head_attention", "query:2x7x32 key:2x9x32 -> 2x7x32", {}, "heads"),
        ("aten.quantized_lstm", "input:7x3x12 -> 7x3x20", {}, "packed"),
        ("com.microsoft.MatMulNBits", "A:7x2x3 -> 7x2x5", {"K": 3}, "K or N"),
        ("com.microsoft.Attention", "input:2x7x10 weights:10x48 -> 2x7x16", {}, "heads"),
        ("com.microsoft.GroupQueryAttention", "query:2x7x80 -> 2x7x40", {"num_heads": 4}, "kv_num"),
        *[("aten._flash_attention_forward", LENGTH_FIRST, {name: 3}, "packed")
          for name in ("cum_seq_q", "cu_seqlens_q", "seqused_k", "seqlen_k", "block_table")],
        ("aten.convolution_backward", BACK.format("input"), {}, "output_mask"),
        ("aten.einsum", "tensors:2x3 -> 2", {}, "equation"),
        ("onnx.Einsum", "Inputs:2x3 -> 2", {}, "equation"),
    ],
)  # fmt: skip
def test_an_operator_that_lacks_something_is_unknown_with_the_reason(name, shapes, others, why):
    costed = cost_of(op(name, shapes, **others))
    assert costed.state is CostState.UNKNOWN
    assert why in costed.reason
