"""What is counted: the operators of PyTorch and torchvision that have a formula.

The whole policy is this table.  Names on the left are as dispatch shows them, without the
overload; composite operators (`conv2d`, `linear`, `matmul`, …) are here for the modes in which
they are not taken apart.
"""

from __future__ import annotations

from cnninspect.costs.attention import (
    attention,
    attention_backward,
    encoder_layer,
    length_first_attention,
    length_first_attention_backward,
    multi_head_attention,
)
from cnninspect.costs.convolutions import (
    convolution,
    convolution_backward,
    deformable_convolution_backward,
    packed_convolution,
    packed_transposed_convolution,
    time_first_convolution,
    transposed_convolution,
    transposed_convolution_backward,
)
from cnninspect.costs.distances import FORMULAS as DISTANCES
from cnninspect.costs.products import (
    affine_grid,
    bilinear,
    einsum,
    grouped_product,
    inner,
    linear,
    linear_backward,
    list_of_products,
    matmul_backward,
    packed_linear,
    product_of,
    tensordot,
    trilinear,
)
from cnninspect.costs.recurrent import (
    cell_of,
    cudnn_network,
    layers_of,
    onednn_layer,
    packed_recurrence,
)
from cnninspect.costs.registry import Formula

CONVOLUTIONS: dict[str, Formula] = {
    "aten.convolution": convolution,
    "aten._convolution": convolution,
    "aten.convolution_overrideable": convolution,
    "aten.conv1d": convolution,
    "aten.conv2d": convolution,
    "aten.conv3d": convolution,
    "aten.conv_tbc": time_first_convolution,
    "aten.conv_transpose1d": transposed_convolution,
    "aten.conv_transpose2d": transposed_convolution,
    "aten.conv_transpose3d": transposed_convolution,
    "aten.thnn_conv2d": convolution,
    "aten._slow_conv2d_forward": convolution,
    "aten.slow_conv3d": convolution,
    "aten.slow_conv3d_forward": convolution,
    "aten.slow_conv_dilated2d": convolution,
    "aten.slow_conv_dilated3d": convolution,
    "aten.slow_conv_transpose2d": transposed_convolution,
    "aten.slow_conv_transpose3d": transposed_convolution,
    "aten._conv_depthwise2d": convolution,
    "aten.conv_depthwise3d": convolution,
    "aten._nnpack_spatial_convolution": convolution,
    "aten.mkldnn_convolution": convolution,
    "aten.cudnn_convolution": convolution,
    "aten.cudnn_convolution_relu": convolution,
    "aten.cudnn_convolution_add_relu": convolution,
    "aten.cudnn_convolution_transpose": transposed_convolution,
    "aten.miopen_convolution": convolution,
    "aten.miopen_convolution_relu": convolution,
    "aten.miopen_convolution_add_relu": convolution,
    "aten.miopen_convolution_transpose": transposed_convolution,
    "aten.miopen_depthwise_convolution": convolution,
    "aten._mps_convolution": convolution,
    "aten._mps_convolution_transpose": transposed_convolution,
    # Deformed windows: the interpolation at their positions is resampling and not counted.
    "torchvision.deform_conv2d": convolution,
}

MATRIX_PRODUCTS: dict[str, Formula] = {
    "aten.mm": product_of("self", "mat2"),
    "aten.addmm": product_of("mat1", "mat2"),
    "aten._addmm_activation": product_of("mat1", "mat2"),
    "aten.bmm": product_of("self", "mat2"),
    "aten.baddbmm": product_of("batch1", "batch2"),
    "aten.addbmm": product_of("batch1", "batch2"),
    "aten.mv": product_of("self", "vec"),
    "aten.addmv": product_of("mat", "vec"),
    "aten.dot": product_of("self", "tensor"),
    "aten.vdot": product_of("self", "other"),
    "aten.matmul": product_of("self", "other"),
    "aten.linalg_matmul": product_of("self", "other"),
    "aten.linear": linear,
    "nested.linear": linear,  # of parts of different lengths, which the engine packs
    "aten.inner": inner,
    "aten.tensordot": tensordot,
    "aten.einsum": einsum,
    "aten.affine_grid_generator": affine_grid,
    "aten.cudnn_affine_grid_generator": affine_grid,
    "aten.bilinear": bilinear,
    "aten._trilinear": trilinear,
    "aten._foreach_mm": list_of_products,
    "aten._grouped_mm": grouped_product,
    "aten._scaled_grouped_mm": grouped_product,
    "aten._scaled_grouped_mm_v2": grouped_product,
    "transformers.grouped_mm_fallback": grouped_product,
    "aten._scaled_mm": product_of("self", "mat2"),
    "aten._scaled_mm_v2": product_of("self", "mat2"),
    "aten._int_mm": product_of("self", "mat2"),
    "aten.mkldnn_linear": linear,
    "quantized.matmul": product_of("qa", "qb"),
}

# The weight is packed out of shape, so the sizes come from input and output.
PACKED_PRODUCTS: dict[str, Formula] = dict.fromkeys(
    (
        "aten._weight_int4pack_mm",
        "aten._weight_int4pack_mm_for_cpu",
        "aten._weight_int4pack_mm_with_scales_and_zeros",
        "aten._weight_int8pack_mm",
        "aten._dyn_quant_matmul_4bit",
        "aten._mixed_dtypes_linear",
        "aten.fbgemm_linear_fp16_weight",
        "aten.fbgemm_linear_fp16_weight_fp32_activation",
        "aten.fbgemm_linear_int8_weight",
        "aten.fbgemm_linear_int8_weight_fp32_activation",
        "quantized.linear",
        "quantized.linear_relu",
        "quantized.linear_leaky_relu",
        "quantized.linear_tanh",
        "quantized.linear_dynamic",
        "quantized.linear_relu_dynamic",
        "quantized.linear_dynamic_fp16",
        "quantized.linear_relu_dynamic_fp16",
        "onednn.qlinear_pointwise",
        "onednn.linear_dynamic_fp16",
        "onednn.linear_relu_dynamic_fp16",
        "mkl._mkl_linear",
    ),
    packed_linear,
)

# The weight is in an object, which the engine unpacks.
PACKED_CONVOLUTIONS: dict[str, Formula] = {
    **dict.fromkeys(
        (
            "quantized.conv1d", "quantized.conv1d_relu", "quantized.conv1d_dynamic",
            "quantized.conv2d", "quantized.conv2d_relu", "quantized.conv2d_add",
            "quantized.conv2d_add_relu", "quantized.conv2d_dynamic",
            "quantized.conv3d", "quantized.conv3d_relu", "quantized.conv3d_dynamic",
        ),
        packed_convolution,
    ),
    **dict.fromkeys(
        (
            "quantized.conv_transpose1d", "quantized.conv_transpose1d_dynamic",
            "quantized.conv_transpose2d", "quantized.conv_transpose2d_dynamic",
            "quantized.conv_transpose3d", "quantized.conv_transpose3d_dynamic",
        ),
        packed_transposed_convolution,
    ),
}  # fmt: skip
PACKED_RECURRENT: dict[str, Formula] = dict.fromkeys(
    (
        "aten.quantized_lstm", "aten.quantized_gru",
        "quantized.quantized_lstm_cell_dynamic", "quantized.quantized_gru_cell_dynamic",
        "quantized.quantized_rnn_relu_cell_dynamic", "quantized.quantized_rnn_tanh_cell_dynamic",
    ),
    packed_recurrence,
)  # fmt: skip

ATTENTION: dict[str, Formula] = {
    "aten.scaled_dot_product_attention": attention,
    "aten._scaled_dot_product_attention_math": attention,
    "aten._scaled_dot_product_attention_math_for_mps": attention,
    "aten._scaled_dot_product_flash_attention": attention,
    "aten._scaled_dot_product_flash_attention_for_cpu": attention,
    "aten._scaled_dot_product_efficient_attention": attention,
    "aten._scaled_dot_product_cudnn_attention": attention,
    "aten._scaled_dot_product_fused_attention_overrideable": attention,
    "higher_order.flex_attention": attention,
    "aten._flash_attention_forward": length_first_attention,
    "aten._flash_attention_forward_no_dropout_inplace": length_first_attention,
    "aten._efficient_attention_forward": length_first_attention,
    "aten._native_multi_head_attention": multi_head_attention,
    "aten._triton_multi_head_attention": multi_head_attention,
    "aten._transformer_encoder_layer_fwd": encoder_layer,
}

RECURRENT: dict[str, Formula] = {
    "aten.lstm": layers_of(4),
    "aten.gru": layers_of(3),
    "aten.rnn_tanh": layers_of(1),
    "aten.rnn_relu": layers_of(1),
    "aten._lstm_mps": layers_of(4),
    "aten._cudnn_rnn": cudnn_network,
    "aten.miopen_rnn": cudnn_network,
    "aten.mkldnn_rnn_layer": onednn_layer,
    "aten.lstm_cell": cell_of(4),
    "aten.gru_cell": cell_of(3),
    "aten.rnn_tanh_cell": cell_of(1),
    "aten.rnn_relu_cell": cell_of(1),
}

BACKWARD: dict[str, Formula] = {
    "aten.convolution_backward": convolution_backward,
    "aten.convolution_backward_overrideable": convolution_backward,
    "torchvision._deform_conv2d_backward": deformable_convolution_backward,
    "aten.mps_convolution_backward": convolution_backward,
    "aten.mps_convolution_transpose_backward": transposed_convolution_backward,
    "aten.linear_backward": linear_backward,
    "aten.matmul_backward": matmul_backward,
    "aten.mkldnn_linear_backward": linear_backward,
    "aten.mkldnn_linear_backward_input": linear_backward,
    "aten.mkldnn_linear_backward_weights": linear_backward,
    "aten._scaled_dot_product_flash_attention_backward": attention_backward,
    "aten._scaled_dot_product_flash_attention_for_cpu_backward": attention_backward,
    "aten._scaled_dot_product_efficient_attention_backward": attention_backward,
    "aten._scaled_dot_product_cudnn_attention_backward": attention_backward,
    "aten._scaled_dot_product_fused_attention_overrideable_backward": attention_backward,
    "aten._flash_attention_backward": length_first_attention_backward,
    "aten._efficient_attention_backward": length_first_attention_backward,
}

COUNTED: dict[str, Formula] = {
    **CONVOLUTIONS,
    **MATRIX_PRODUCTS,
    **DISTANCES,
    **PACKED_PRODUCTS,
    **PACKED_CONVOLUTIONS,
    **PACKED_RECURRENT,
    **ATTENTION,
    **RECURRENT,
    **BACKWARD,
}
