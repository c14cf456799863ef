"""Free operators that are layers of networks, with their gradients."""

from __future__ import annotations

REASONS: dict[str, str] = {
    "normalisation": """
        _batch_norm_impl_index _batch_norm_impl_index_backward _batch_norm_no_update
        _batch_norm_with_update _batch_norm_with_update_functional _fused_rms_norm
        _fused_rms_norm_backward _native_batch_norm_legit _native_batch_norm_legit_functional
        _native_batch_norm_legit_no_training _weight_norm _weight_norm_differentiable_backward
        _weight_norm_interface _weight_norm_interface_backward batch_norm batch_norm_backward
        batch_norm_backward_elemt batch_norm_backward_reduce batch_norm_elemt
        batch_norm_gather_stats batch_norm_gather_stats_with_counts batch_norm_stats
        batch_norm_update_stats cudnn_batch_norm cudnn_batch_norm_backward group_norm
        instance_norm layer_norm miopen_batch_norm miopen_batch_norm_backward native_batch_norm
        native_batch_norm_backward native_group_norm native_group_norm_backward native_layer_norm
        native_layer_norm_backward norm_except_dim quantized_batch_norm renorm rms_norm""",
    "pooling": """
        _adaptive_avg_pool2d _adaptive_avg_pool2d_backward _adaptive_avg_pool3d
        _adaptive_avg_pool3d_backward adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
        adaptive_avg_pool3d_backward adaptive_max_pool1d adaptive_max_pool2d
        adaptive_max_pool2d_backward adaptive_max_pool3d adaptive_max_pool3d_backward avg_pool1d
        avg_pool2d avg_pool2d_backward avg_pool3d avg_pool3d_backward fractional_max_pool2d
        fractional_max_pool2d_backward fractional_max_pool3d fractional_max_pool3d_backward
        max_pool1d max_pool1d_with_indices max_pool2d max_pool2d_backward max_pool2d_with_indices
        max_pool2d_with_indices_backward max_pool3d max_pool3d_with_indices
        max_pool3d_with_indices_backward max_unpool2d max_unpool3d mkldnn_adaptive_avg_pool2d
        mkldnn_adaptive_avg_pool2d_backward mkldnn_max_pool2d mkldnn_max_pool2d_backward
        mkldnn_max_pool3d mkldnn_max_pool3d_backward quantized_max_pool1d quantized_max_pool2d
        quantized_max_pool3d""",
    "softmax": """
        _log_softmax _log_softmax_backward_data _masked_softmax _masked_softmax_backward
        _nested_tensor_softmax_with_shape _safe_softmax _softmax _softmax_backward_data
        _sparse_log_softmax _sparse_log_softmax_backward_data _sparse_softmax
        _sparse_softmax_backward_data log_softmax softmax special_log_softmax special_softmax""",
    "dropout": """
        _cudnn_init_dropout_state _fill_mem_eff_dropout_mask_ _fused_dropout _masked_scale
        alpha_dropout dropout feature_alpha_dropout feature_dropout native_dropout
        native_dropout_backward""",
    "resampling by a fixed rule of interpolation": """
        __interpolate __upsample __upsample_bilinear __upsample_nearest
        _grid_sampler_2d_cpu_fallback _grid_sampler_2d_cpu_fallback_backward
        _upsample_bicubic2d_aa _upsample_bicubic2d_aa_backward _upsample_bilinear2d_aa
        _upsample_bilinear2d_aa_backward _upsample_lanczos2d_aa _upsample_lanczos2d_aa_backward
        _upsample_nearest_exact1d _upsample_nearest_exact1d_backward _upsample_nearest_exact2d
        _upsample_nearest_exact2d_backward _upsample_nearest_exact3d
        _upsample_nearest_exact3d_backward cudnn_grid_sampler cudnn_grid_sampler_backward
        grid_sampler grid_sampler_2d grid_sampler_2d_backward grid_sampler_3d
        grid_sampler_3d_backward upsample_bicubic2d upsample_bicubic2d_backward upsample_bilinear2d
        upsample_bilinear2d_backward upsample_linear1d upsample_linear1d_backward
        upsample_nearest1d upsample_nearest1d_backward upsample_nearest2d
        upsample_nearest2d_backward upsample_nearest3d upsample_nearest3d_backward
        upsample_trilinear3d upsample_trilinear3d_backward""",
    "a look-up in a table": """
        _embedding_bag _embedding_bag_backward _embedding_bag_dense_backward
        _embedding_bag_forward_only _embedding_bag_per_sample_weights_backward
        _embedding_bag_sparse_backward _no_grad_embedding_renorm_ embedding embedding_backward
        embedding_bag embedding_dense_backward embedding_renorm embedding_sparse_backward
        one_hot""",
    "a loss": """
        _ctc_loss _ctc_loss_backward _cudnn_ctc_loss binary_cross_entropy
        binary_cross_entropy_backward binary_cross_entropy_with_logits cross_entropy_loss ctc_loss
        hinge_embedding_loss huber_loss huber_loss_backward kl_div l1_loss margin_ranking_loss
        miopen_ctc_loss mse_loss mse_loss_backward multi_margin_loss multi_margin_loss_backward
        multilabel_margin_loss multilabel_margin_loss_backward multilabel_margin_loss_forward
        nll_loss nll_loss2d nll_loss2d_backward nll_loss2d_forward nll_loss_backward
        nll_loss_forward nll_loss_nd poisson_nll_loss smooth_l1_loss smooth_l1_loss_backward
        soft_margin_loss soft_margin_loss_backward""",
    "the gates of a recurrent cell, element by element; their products are counted apart": """
        _thnn_differentiable_gru_cell_backward _thnn_differentiable_lstm_cell_backward
        _thnn_fused_gru_cell _thnn_fused_gru_cell_backward _thnn_fused_lstm_cell
        _thnn_fused_lstm_cell_backward _thnn_fused_lstm_cell_backward_impl""",
    "a bias and a scale for attention; its products are counted apart": """
        _transform_bias_rescale_qkv""",
    "quantisation: scaling, rounding and packing": """
        _choose_qparams_per_tensor _convert_weight_to_int4pack _convert_weight_to_int4pack_for_cpu
        _dyn_quant_pack_4bit_weight _empty_affine_quantized _empty_per_channel_affine_quantized
        _fake_quantize_learnable_per_channel_affine
        _fake_quantize_learnable_per_channel_affine_backward
        _fake_quantize_learnable_per_tensor_affine
        _fake_quantize_learnable_per_tensor_affine_backward
        _fake_quantize_per_tensor_affine_cachemask_tensor_qparams _fused_moving_avg_obs_fq_helper
        _fused_moving_avg_obs_fq_helper_functional _make_per_channel_quantized_tensor
        _make_per_tensor_quantized_tensor _rowwise_prune _saturate_weight_to_fp16
        _wrapped_linear_prepack choose_qparams_optimized dequantize empty_quantized
        fake_quantize_per_channel_affine fake_quantize_per_channel_affine_cachemask
        fake_quantize_per_channel_affine_cachemask_backward fake_quantize_per_tensor_affine
        fake_quantize_per_tensor_affine_cachemask
        fake_quantize_per_tensor_affine_cachemask_backward fbgemm_linear_quantize_weight
        fbgemm_pack_gemm_matrix_fp16 fbgemm_pack_quantized_matrix fused_moving_avg_obs_fake_quant
        int_repr q_per_channel_axis q_per_channel_scales q_per_channel_zero_points q_scale
        q_zero_point qscheme quantize_per_channel quantize_per_tensor
        quantize_per_tensor_dynamic""",
}
