"""Free operators that create, move, order or describe data."""

from __future__ import annotations

REASONS: dict[str, str] = {
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
    "a copy, also into another place, layout or dtype": """
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
    "the making of a tensor": """
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
