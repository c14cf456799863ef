"""What is free: operations that do no multiply-accumulates, each with the reason.

An operation is free if no element of its result is a sum of products of two tensors that the
network computes or learns.  So these are free although they multiply or add:

* what works element by element: scaling, gating, activations, also `addcmul` and `lerp`, whose
  every element is one product and one sum without a running total;
* sums, norms and statistics over a dimension: additions, and squares of a single tensor;
* normalisation and softmax, which are made of those two;
* pooling, and resampling by interpolation: the weights follow from positions by a fixed rule, as
  other counters have it too, though a bilinear sample is a weighted sum of four;
* outer products: all products and no sum;
* looking up (also `embedding_bag`, which adds up rows), moving, creating and describing data.

The matrix product that a network writes out as `(a * b).sum()` is therefore not seen.  Where
leaving out might be disputed, the operation is not here but among the unknown.

The tables name operators without the underscore of in-place variants.
"""

from __future__ import annotations

TENSORS: dict[str, str] = {
    "a view or another shape of the same data": """
        _conj_copy _fw_primal _fw_primal_copy _indices _indices_copy _make_dual _make_dual_copy
        _mkldnn_reshape _mkldnn_transpose _ncf_unsqueeze _ncf_view _neg_view_copy
        _nested_get_values _nested_get_values_copy _nested_select_backward
        _nested_view_from_buffer _nested_view_from_buffer_copy _nested_view_from_jagged
        _nested_view_from_jagged_copy _remove_batch_dim _add_batch_dim _reshape_alias
        _reshape_alias_copy _reshape_copy _reshape_from_tensor _sparse_broadcast_to
        _sparse_broadcast_to_copy _unpack_dual _unsafe_view
        _values _values_copy adjoint alias alias_copy as_strided as_strided_ as_strided_copy
        atleast_1d atleast_2d atleast_3d broadcast_tensors broadcast_to ccol_indices
        ccol_indices_copy channel_shuffle chunk col_indices col_indices_copy crow_indices
        crow_indices_copy data detach detach_copy diagonal diagonal_backward diagonal_copy dsplit
        expand expand_as expand_copy flatten hsplit imag indices indices_copy lift lift_fresh
        lift_fresh_copy linalg_diagonal mH mT matrix_H moveaxis movedim narrow narrow_copy
        native_channel_shuffle numpy_T permute permute_copy pixel_shuffle pixel_unshuffle ravel
        real requires_grad_ reshape reshape_as row_indices row_indices_copy select
        select_backward select_copy slice slice_backward slice_copy slice_inverse split split_copy
        split_with_sizes split_with_sizes_copy squeeze squeeze_copy swapaxes swapdims t t_copy
        tensor_split transpose transpose_copy unbind unbind_copy unflatten unflatten_dense_tensors
        unfold unfold_backward unfold_copy unsafe_chunk unsafe_split unsafe_split_with_sizes
        unsqueeze unsqueeze_copy values values_copy view view_as view_as_complex
        view_as_complex_copy view_as_real view_as_real_copy view_copy vsplit""",
    "copy or cast": """
        _autocast_to_full_precision _autocast_to_reduced_precision _cast_Byte _cast_Char
        _cast_Double _cast_Float _cast_Half _cast_Int _cast_Long _cast_Short _chunk_cat _coalesce
        _copy_from _copy_from_and_resize _cslt_compress _cudnn_rnn_flatten_weight
        _jagged_to_padded_dense_forward _lazy_clone _nested_from_padded
        _nested_from_padded_and_nested_example _nested_from_padded_tensor
        _nested_tensor_from_mask _nested_tensor_from_tensor_list _pack_padded_sequence
        _pack_padded_sequence_backward _pack_sequence _pad_circular _pad_enum
        _pad_packed_sequence _padded_dense_to_jagged_forward _pin_memory _propagate_xla_data
        _resize_output _sparse_mask_projection _sparse_semi_structured_apply
        _sparse_semi_structured_apply_dense _sparse_semi_structured_tile _stack _to_copy _to_cpu
        _to_dense _to_sparse _to_sparse_bsc _to_sparse_bsr _to_sparse_csc _to_sparse_csr
        _to_sparse_semi_structured as_strided_scatter as_tensor block_diag cartesian_prod cat
        chalf clone coalesce col2im column_stack combinations concat concatenate constant_pad_nd
        contiguous copy copy_sparse_to_sparse cpu cuda diag diag_embed diagflat diagonal_scatter
        dstack fill fill_diagonal_ flatten_dense_tensors flip fliplr flipud hstack im2col lu_unpack
        meshgrid mkldnn_reorder_conv2d_weight mkldnn_reorder_conv3d_weight
        nested_to_padded_tensor pad pad_sequence pin_memory record_stream reflection_pad1d
        reflection_pad1d_backward reflection_pad2d reflection_pad2d_backward reflection_pad3d
        reflection_pad3d_backward repeat repeat_interleave replication_pad1d
        replication_pad1d_backward replication_pad2d replication_pad2d_backward replication_pad3d
        replication_pad3d_backward resize resize_as resize_as_sparse roll rot90 row_stack
        select_scatter set set_data slice_scatter sparse_mask sparse_resize
        sparse_resize_and_clear stack tile to to_dense to_dense_backward to_mkldnn
        to_mkldnn_backward to_padded_tensor to_sparse to_sparse_bsc to_sparse_bsr to_sparse_csc
        to_sparse_csr tril triu type_as vstack zero fft_fftshift fft_ifftshift""",
    "tensor creation": """
        _dim_arange _efficientzerotensor _make_dep_token _new_zeros_with_same_feature_meta
        _no_grad_fill_ _no_grad_zero_ _sparse_bsc_tensor_unsafe _sparse_bsr_tensor_unsafe
        _sparse_compressed_tensor_unsafe _sparse_compressed_tensor_with_dims
        _sparse_coo_tensor_unsafe _sparse_coo_tensor_with_dims
        _sparse_coo_tensor_with_dims_and_tensors _sparse_csc_tensor_unsafe
        _sparse_csr_tensor_unsafe _spdiags arange bartlett_window blackman_window empty empty_like
        empty_permuted empty_strided eye fft_fftfreq fft_rfftfreq from_file full full_like
        hamming_window hann_window kaiser_window linspace logspace new_empty new_empty_strided
        new_full new_ones new_zeros ones ones_like range scalar_tensor sparse_bsc_tensor
        sparse_bsr_tensor sparse_compressed_tensor sparse_coo_tensor sparse_csc_tensor
        sparse_csr_tensor tensor tril_indices triu_indices zeros zeros_like""",
    "random numbers": """
        _dirichlet_grad _no_grad_normal_ _no_grad_uniform_ _philox_key_fold_in _philox_key_split
        _philox_normal _philox_uniform _sample_dirichlet _sobol_engine_draw _sobol_engine_ff_
        _sobol_engine_initialize_state_ _sobol_engine_scramble_ _standard_gamma
        _standard_gamma_grad bernoulli binomial cauchy exponential geometric log_normal
        multinomial normal normal_functional poisson rand rand_like randint randint_like randn
        randn_like random randperm uniform""",
    "gathering and scattering by index": """
        _convert_indices_from_coo_to_csr _convert_indices_from_csr_to_coo _gather_sparse_backward
        _index_put_impl _unsafe_index _unsafe_index_put _unsafe_masked_index
        _unsafe_masked_index_put_accumulate argwhere gather gather_backward index index_add
        index_copy index_fill index_put index_reduce index_select index_select_backward
        masked_fill masked_scatter masked_scatter_backward masked_select masked_select_backward
        nonzero nonzero_numpy nonzero_static put scatter scatter_add scatter_reduce take
        take_along_dim""",
    "sorting, searching and selecting": """
        _unique _unique2 argsort bucketize kthvalue median mode msort nanmedian nanquantile
        quantile searchsorted sort topk unique_consecutive unique_dim unique_dim_consecutive""",
    "a fact about a tensor, or a check": """
        _assert_async _assert_scalar _assert_tensor_metadata _coalesced _convolution_mode
        _debug_has_internal_overlap _dimI _dimV _functional_assert_async
        _functional_assert_scalar _functional_sym_constrain_range
        _functional_sym_constrain_range_for_size _fused_sdp_choice
        _has_compatible_shallow_copy_type _has_same_storage_numel _infer_size _is_zerotensor
        _linalg_check_errors _local_scalar_dense _nested_compute_contiguous_strides_offsets
        _nested_get_jagged_dummy _nested_get_lengths _nested_get_max_seqlen
        _nested_get_min_seqlen _nested_get_offsets _nested_get_ragged_idx
        _nested_tensor_from_mask_left_aligned _nested_tensor_size
        _nested_tensor_storage_offsets _nested_tensor_strides _nnz _print _shape_as_tensor
        _use_cudnn_ctc_loss _use_cudnn_rnn_flatten_weight _use_miopen_ctc_loss
        _validate_compressed_sparse_indices _validate_sparse_bsc_tensor_args
        _validate_sparse_bsr_tensor_args _validate_sparse_compressed_tensor_args
        _validate_sparse_coo_tensor_args _validate_sparse_csc_tensor_args
        _validate_sparse_csr_tensor_args _version cudnn_is_acceptable dense_dim dim element_size
        get_device is_coalesced is_complex is_conj is_contiguous is_distributed is_floating_point
        is_inference is_leaf is_neg is_non_overlapping_and_dense is_nonzero is_pinned
        is_same_size is_set_to is_signed is_strides_like_format item numel output_nr
        result_type retain_grad retains_grad size sparse_dim storage_offset stride
        sym_constrain_range sym_constrain_range_for_size sym_is_contiguous sym_numel sym_size
        sym_storage_offset sym_stride warn""",
    "the start of a backward pass; what it does is counted by itself": """
        _backward backward get_gradients grad""",
    "a list, a dictionary or a number of TorchScript": """
        Bool Complex ComplexImplicit Delete Float FloatImplicit Int IntImplicit ScalarImplicit
        __contains__ __getitem__ _list_to_tensor _set_item _tensor_to_list append clear count dict
        extend get insert items keys len list pop popitem remove reverse setdefault sorted
        update""",
}


ARITHMETIC: dict[str, str] = {
    "arithmetic element by element": """
        __and__ __iand__ __ilshift__ __ior__ __irshift__ __ixor__ __lshift__ __or__ __rshift__
        __xor__ _add_relu _conj _conj_physical _neg_view abs absolute add addcdiv addcmul angle
        bitwise_and bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift bitwise_xor ceil
        clamp clamp_max clamp_min clip complex conj conj_physical copysign deg2rad div divide fix
        float_power floor floor_divide fmax fmin fmod frac frexp gcd gradient hypot lcm ldexp lerp
        maximum minimum mul multiply nan_to_num neg negative nextafter polar positive pow rad2deg
        reciprocal remainder resolve_conj resolve_neg round rsqrt rsub sgn sign signbit sqrt square
        sub subtract true_divide trunc diff""",
    "a function of each element": """
        acos acosh arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan atan2 atanh
        cos cosh digamma erf erfc erfinv exp exp2 expm1 i0 igamma igammac lgamma log log10 log1p
        log2 logaddexp logaddexp2 logit logit_backward mvlgamma polygamma sin sinc sinh
        special_airy_ai special_bessel_j0 special_bessel_j1 special_bessel_y0 special_bessel_y1
        special_chebyshev_polynomial_t special_chebyshev_polynomial_u
        special_chebyshev_polynomial_v special_chebyshev_polynomial_w special_digamma special_entr
        special_erf special_erfc special_erfcx special_erfinv special_exp2 special_expit
        special_expm1 special_gammainc special_gammaincc special_gammaln
        special_hermite_polynomial_h special_hermite_polynomial_he special_i0 special_i0e
        special_i1 special_i1e special_laguerre_polynomial_l special_legendre_polynomial_p
        special_log1p special_log_ndtr special_logit special_modified_bessel_i0
        special_modified_bessel_i1 special_modified_bessel_k0 special_modified_bessel_k1
        special_multigammaln special_ndtr special_ndtri special_polygamma special_psi special_round
        special_scaled_modified_bessel_k0 special_scaled_modified_bessel_k1
        special_shifted_chebyshev_polynomial_t special_shifted_chebyshev_polynomial_u
        special_shifted_chebyshev_polynomial_v special_shifted_chebyshev_polynomial_w special_sinc
        special_spherical_bessel_j0 special_xlog1py special_xlogy special_zeta tan xlogy""",
    "an activation": """
        _prelu_kernel _prelu_kernel_backward celu elu elu_backward gelu gelu_backward glu
        glu_backward glu_backward_jvp glu_jvp hardshrink hardshrink_backward hardsigmoid
        hardsigmoid_backward hardswish hardswish_backward hardtanh hardtanh_backward heaviside
        infinitely_differentiable_gelu_backward leaky_relu leaky_relu_backward log_sigmoid
        log_sigmoid_backward log_sigmoid_forward mish mish_backward prelu relu relu6 rrelu
        rrelu_with_noise rrelu_with_noise_backward rrelu_with_noise_functional selu sigmoid
        sigmoid_backward silu silu_backward softplus softplus_backward softshrink
        softshrink_backward tanh tanh_backward threshold threshold_backward""",
    "a comparison or logic": """
        _is_all_true _is_any_true all allclose any eq equal ge greater greater_equal gt isclose
        isfinite isin isinf isnan isneginf isposinf isreal le less less_equal logical_and
        logical_not logical_or logical_xor lt ne not_equal where""",
    "products without a sum": "addr ger kron linalg_vander outer vander",
    "a sum, a norm or another statistic over elements": """
        _aminmax _logcumsumexp _nested_sum_backward _segment_reduce_backward _sparse_csr_prod
        _sparse_csr_sum _sparse_sum _sparse_sum_backward amax amin aminmax argmax argmin bincount
        count_nonzero cummax _cummax_helper cummaxmin_backward cummin _cummin_helper cumprod
        cumprod_backward cumsum cumulative_trapezoid frobenius_norm hash_tensor histc histogram
        _histogramdd_bin_edges _histogramdd_from_bin_cts _histogramdd_from_bin_tensors histogramdd
        linalg__powsum linalg_vector_norm logcumsumexp logsumexp max mean min nanmean nansum
        native_norm norm prod segment_reduce special_logsumexp std std_mean sum sum_to_size
        _grad_sum_to_size trace trace_backward trapezoid trapz value_selecting_reduction_backward
        var var_mean""",
    "arithmetic element by element, over lists of tensors": """
        _amp_foreach_non_finite_check_and_unscale _amp_update_scale _foreach_abs _foreach_acos
        _foreach_add _foreach_addcdiv _foreach_addcmul _foreach_asin _foreach_atan _foreach_ceil
        _foreach_clamp_max _foreach_clamp_min _foreach_clone _foreach_copy _foreach_cos
        _foreach_cosh _foreach_div _foreach_erf _foreach_erfc _foreach_exp _foreach_expm1
        _foreach_floor _foreach_frac _foreach_lerp _foreach_lgamma _foreach_log _foreach_log10
        _foreach_log1p _foreach_log2 _foreach_max _foreach_maximum _foreach_minimum _foreach_mul
        _foreach_neg _foreach_norm _foreach_pow _foreach_powsum _foreach_reciprocal _foreach_round
        _foreach_rsqrt _foreach_sigmoid _foreach_sign _foreach_sin _foreach_sinh _foreach_sqrt
        _foreach_sub _foreach_tan _foreach_tanh _foreach_trunc _foreach_zero""",
    "a step of an optimizer, element by element": """
        _fused_adagrad _fused_adam _fused_adamw _fused_sgd""",
}


LAYERS: dict[str, str] = {
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


LIBRARIES: dict[str, str] = {
    "arithmetic element by element": """
        prims.abs prims.acos prims.acosh prims.add prims.asin prims.asinh prims.atan prims.atan2
        prims.atanh prims.bessel_i0 prims.bessel_i0e prims.bessel_i1 prims.bessel_i1e
        prims.bessel_j0 prims.bessel_j1 prims.bitwise_and prims.bitwise_not prims.bitwise_or
        prims.bitwise_xor prims.cbrt prims.ceil prims.conj prims.conj_physical prims.cos prims.cosh
        prims.digamma prims.div prims.eq prims.erf prims.erf_inv prims.erfc prims.erfcx prims.exp
        prims.exp2 prims.expm1 prims.floor prims.fmax prims.fmin prims.fmod prims.frexp prims.gcd
        prims.ge prims.gt prims.hypot prims.igamma prims.igammac prims.isfinite prims.le
        prims.lgamma prims.log prims.log10 prims.log1p prims.log2 prims.lt prims.maximum
        prims.minimum prims.mul prims.ndtri prims.ne prims.neg prims.nextafter prims.pow
        prims.reciprocal prims.remainder prims.round prims.rsqrt prims.shift_left
        prims.shift_right_arithmetic prims.sign prims.signbit prims.sin prims.sinh
        prims.spherical_bessel_j0 prims.sqrt prims.sub prims.tan prims.tanh prims.trunc prims.where
        prims.zeta quantized.add quantized.add_relu quantized.add_scalar
        quantized.add_scalar_relu quantized.celu quantized.clamp quantized.elu
        quantized.hardswish quantized.leaky_relu quantized.mul quantized.mul_relu
        quantized.mul_scalar quantized.mul_scalar_relu quantized.prelu quantized.relu6
        quantized.sigmoid quantized.threshold onednn.qadd onednn.qadd_relu onednn.qmul""",
    "a sum or another statistic over elements": """
        prims.amax prims.amin prims.prod prims.sum prims.var prims.xor_sum""",
    "a view, a copy or tensor creation": """
        prims.as_strided prims.as_strided_scatter prims.broadcast_in_dim prims.cat prims.clone
        prims.collapse prims.collapse_view prims.convert_element_type prims.copy_strided
        prims.copy_to prims.device_put prims.empty prims.empty_permuted prims.empty_strided
        prims.fill prims.full prims.full_like prims.imag prims.iota prims.item
        prims.maximum_value prims.minimum_value prims.normal prims.real prims.reshape prims.resize
        prims.rev prims.scalar_tensor prims.split_dim prims.squeeze prims.transpose prims.uniform
        prims.view_of prims.view_of_dtype quantized.cat quantized.cat_relu rngprims.philox_rand
        inductor._reinterpret_tensor inductor.resize_storage_bytes_ inductor.accumulate_grad_""",
    "normalisation": """
        quantized.batch_norm quantized.batch_norm1d quantized.batch_norm1d_relu
        quantized.batch_norm2d quantized.batch_norm2d_relu quantized.batch_norm3d
        quantized.batch_norm3d_relu quantized.batch_norm_relu quantized.group_norm
        quantized.instance_norm quantized.layer_norm onednn.qbatch_norm2d""",
    "pooling": "quantized.max_pool1d quantized.max_pool2d",
    "softmax": "quantized.softmax",
    "dropout": "quantized.dropout",
    "a look-up in a table": """
        quantized.embedding_4bit quantized.embedding_byte
        quantized.embedding_bag_2bit_rowwise_offsets quantized.embedding_bag_4bit
        quantized.embedding_bag_4bit_rowwise_offsets quantized.embedding_bag_byte
        quantized.embedding_bag_byte_rowwise_offsets""",
    "quantisation: scaling, rounding and packing": """
        quantized.conv1d_prepack quantized.conv1d_unpack quantized.conv2d_prepack
        quantized.conv2d_unpack quantized.conv3d_prepack quantized.conv3d_unpack
        quantized.conv_transpose1d_prepack quantized.conv_transpose2d_prepack
        quantized.conv_transpose3d_prepack quantized.linear_prepack quantized.linear_prepack_fp16
        quantized.linear_unpack quantized.linear_unpack_fp16 onednn.linear_prepack_fp16
        onednn.qconv_prepack onednn.qlinear_prepack quantized_decomposed.choose_qparams
        quantized_decomposed.dequantize_per_channel quantized_decomposed.dequantize_per_tensor
        quantized_decomposed.quantize_per_channel quantized_decomposed.quantize_per_tensor""",
    "pooling or resampling of regions by a fixed rule of interpolation": """
        torchvision.roi_align torchvision.roi_pool torchvision.ps_roi_align torchvision.ps_roi_pool
        torchvision.qroi_align torchvision._roi_align_backward torchvision._roi_pool_backward
        torchvision._ps_roi_align_backward torchvision._ps_roi_pool_backward
        torchvision._interpolate_bilinear2d_aa torchvision._interpolate_bilinear2d_aa_backward""",
    "the selection of boxes by their overlap": "torchvision.nms torchvision.qnms",
    "the reading or writing of a picture": """
        image.decode_image image.decode_jpeg image.decode_png image.encode_jpeg image.encode_png
        image.read_file image.write_file""",
    "a mark for the profiler": """
        profiler._record_function_enter profiler._record_function_enter_new
        profiler._record_function_exit profiler._call_end_callbacks_on_jit_fut""",
    "a fact about a tensor, or a value of TorchScript": """
        prim.device prim.dtype prim.layout prim.data prim.grad prim.requires_grad prim.itemsize
        prim.nbytes prim.is_cpu prim.is_cuda prim.is_meta prim.is_mkldnn prim.is_mps prim.is_nested
        prim.is_quantized prim.is_sparse prim.is_sparse_csr prim.is_vulkan prim.is_xla prim.is_xpu
        prim.NumToTensor prim.TupleIndex prim.TupleUnpack prim.ConstantChunk prim.Print
        prim.RaiseException prim.Uninitialized prim.unchecked_cast
        prim.unchecked_unwrap_optional prim.abs prim.max prim.min prim.tolist prim.type
        prim.name prim.id prim.index""",
    "a wrapper: the operations within are recorded by themselves": """
        higher_order.wrap higher_order.wrap_with_set_grad_enabled higher_order.wrap_with_autocast
        higher_order.wrap_activation_checkpoint higher_order.tag_activation_checkpoint
        higher_order.invoke_subgraph""",
    "a side effect in a graph": """
        higher_order.with_effects higher_order.print prims._make_token prims._sink_tokens""",
    "communication between processes": """
        _c10d_functional.all_gather_into_tensor _c10d_functional.all_reduce
        _c10d_functional.all_to_all_single _c10d_functional.broadcast
        _c10d_functional.reduce_scatter_tensor _c10d_functional.wait_tensor""",
}


ONNX: dict[str, str] = {
    "arithmetic element by element": """
        Abs Add BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Ceil Clip Div Floor Max Mean
        Min Mod Mul Neg Pow Reciprocal RotaryEmbedding Round Sign Sqrt Sub Sum""",
    "a function of each element": """
        Acos Acosh Asin Asinh Atan Atanh Cos Cosh Erf Exp Log Sin Sinh Tan""",
    "an activation": """
        Celu Elu Gelu HardSigmoid HardSwish LeakyRelu Mish PRelu Relu Selu Shrink Sigmoid Softplus
        Softsign SwiGLU Swish Tanh ThresholdedRelu""",
    "a comparison or logic": """
        And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Where Xor""",
    "a sum, a norm or another statistic over elements": """
        ArgMax ArgMin CumProd CumSum ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
        ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare""",
    "normalisation": """
        BatchNormalization GroupNormalization InstanceNormalization LRN LayerNormalization
        LpNormalization MeanVarianceNormalization RMSNormalization""",
    "pooling": """
        AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool MaxRoiPool
        MaxUnpool""",
    "softmax": "Hardmax LogSoftmax Softmax",
    "dropout": "Dropout",
    "a loss": "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    "resampling by a fixed rule of interpolation": "GridSample Resize RoiAlign Upsample",
    "a view, a copy or another shape of the same data": """
        BitCast Cast CastLike CenterCropPad Col2Im Concat DepthToSpace Expand Flatten Identity Pad
        Reshape ReverseSequence Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unsqueeze""",
    "tensor creation": """
        BlackmanWindow Constant ConstantOfShape EyeLike HammingWindow HannWindow MelWeightMatrix
        Range""",
    "random numbers": """
        Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike""",
    "gathering and scattering by index": """
        Compress Gather GatherElements GatherND NonZero OneHot Scatter ScatterElements ScatterND
        TensorScatter""",
    "sorting, searching and selecting": "NonMaxSuppression TopK Unique",
    "quantisation: scaling and rounding": "DequantizeLinear DynamicQuantizeLinear QuantizeLinear",
    "a fact about a tensor": "Shape Size",
    "a sequence or an optional value": """
        ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt
        SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength
        SplitToSequence""",
    "text, or the reading of a picture": """
        ImageDecoder RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer""",
}


TABLES = (
    ("aten.", ARITHMETIC),
    ("aten.", LAYERS),
    ("aten.", TENSORS),
    ("onnx.", ONNX),
    ("", LIBRARIES),
)
"""Namespace and table."""

FREE: dict[str, str] = {
    namespace + op: reason
    for namespace, table in TABLES
    for reason, ops in table.items()
    for op in ops.split()
}
"""Reason by operation name."""
