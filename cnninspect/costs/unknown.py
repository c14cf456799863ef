"""What cannot be counted, with the reason: reported wherever it occurs, never taken for zero.

The line between free and unknown: an operation is *free* if no element of its result is a sum of
products of two tensors that the network computes or learns.  It may multiply (scaling, gating,
outer products), add (sums, pooling), or weigh by a fixed rule (interpolation).  Where there is
such a sum in some form and no agreed count for it, the operation stands here: transforms,
decompositions, distances, sparse products, and quantised kernels whose weight shows no shape.
"""

from __future__ import annotations

REASONS: dict[str, str] = {
    "a fast Fourier transform: its work depends on the factors of the length": """
        aten._fft_c2c aten._fft_c2r aten._fft_r2c aten.fft_fft aten.fft_fft2 aten.fft_fftn
        aten.fft_hfft aten.fft_hfft2 aten.fft_hfftn aten.fft_ifft aten.fft_ifft2 aten.fft_ifftn
        aten.fft_ihfft aten.fft_ihfft2 aten.fft_ihfftn aten.fft_irfft aten.fft_irfft2
        aten.fft_irfftn aten.fft_rfft aten.fft_rfft2 aten.fft_rfftn aten.stft aten.istft
        prims.fft_c2c prims.fft_c2r prims.fft_r2c onnx.DFT onnx.STFT""",
    "a matrix decomposition or solver: its work depends on the algorithm": """
        aten._cholesky_solve_helper aten._linalg_det aten._linalg_eigh aten._linalg_eigvals
        aten._linalg_slogdet aten._linalg_solve_ex aten._linalg_svd aten._lu_with_info
        aten._spsolve aten.cholesky aten.cholesky_inverse aten.cholesky_solve aten.det aten.geqrf
        aten.inverse aten.linalg_cholesky aten.linalg_cholesky_ex aten.linalg_cond
        aten.linalg_det aten.linalg_eig aten.linalg_eigh aten.linalg_eigvals aten.linalg_eigvalsh
        aten.linalg_householder_product aten.linalg_inv aten.linalg_inv_ex aten.linalg_ldl_factor
        aten.linalg_ldl_factor_ex aten.linalg_ldl_solve aten.linalg_lstsq aten.linalg_lu
        aten.linalg_lu_factor aten.linalg_lu_factor_ex aten.linalg_lu_solve
        aten.linalg_matrix_norm aten.linalg_matrix_rank aten.linalg_norm aten.linalg_pinv
        aten.linalg_qr aten.linalg_slogdet aten.linalg_solve aten.linalg_solve_ex
        aten.linalg_solve_triangular aten.linalg_svd aten.linalg_svdvals aten.linalg_tensorinv
        aten.linalg_tensorsolve aten.logdet aten.lu_solve aten.nuclear_norm aten.orgqr aten.ormqr
        aten.pinverse aten.qr aten.slogdet aten.svd aten.triangular_solve prims.svd
        onnx.Det""",
    "a product or power of matrices in an order that it chooses itself": """
        aten.chain_matmul aten.linalg_multi_dot aten.linalg_matrix_power aten.matrix_power
        aten.linalg_matrix_exp aten.matrix_exp aten.matrix_exp_backward
        aten._compute_linear_combination""",
    "a distance or similarity: it sums squares or products, and no convention counts it": """
        aten._cdist_forward aten._cdist_backward aten.cdist aten._euclidean_dist
        aten._pdist_forward aten._pdist_backward aten.pdist aten.dist aten.dist_backward
        aten.pairwise_distance aten.cosine_similarity aten.cosine_embedding_loss
        aten.triplet_margin_loss aten.cov aten.corrcoef aten.cross aten.linalg_cross""",
    "a product with a sparse matrix: its work depends on the elements that are not zero": """
        aten._sparse_mm aten._sparse_addmm aten._sparse_mm_reduce_impl
        aten._sparse_mm_reduce_impl_backward aten._sparse_sparse_matmul aten.smm aten.hspmm
        aten.sspaddmm aten.sparse_sampled_addmm aten._cslt_sparse_mm aten._cslt_sparse_mm_search
        aten._sparse_semi_structured_linear aten._sparse_semi_structured_mm
        aten._sparse_semi_structured_addmm sparse.qlinear sparse.qlinear_dynamic
        sparse.qlinear_relu sparse.qlinear_relu_dynamic""",
    "a recurrence over the sequence: its work depends on how it is cut into chunks": """
        onnx.LinearAttention onnx.CausalConvWithState""",
    "attention over packed sequences: their lengths are values, not shapes": """
        aten._cudnn_attention_forward aten._cudnn_attention_backward""",
    "a kernel that no release of PyTorch calls": """
        aten._triton_scaled_dot_attention""",
    "a second derivative of a convolution: its terms depend on what is asked for": """
        aten._convolution_double_backward""",
    "a backward pass that is seldom met": """
        aten._cudnn_rnn_backward aten.miopen_rnn_backward aten.lstm_mps_backward
        aten.mkldnn_rnn_layer_backward aten.conv_tbc_backward aten._slow_conv2d_backward
        aten.affine_grid_generator_backward aten.cudnn_affine_grid_generator_backward""",
    "a quantised kernel: its weight is packed and shows no shape": """
        aten.quantized_gru_cell aten.quantized_lstm_cell
        aten.quantized_rnn_relu_cell aten.quantized_rnn_tanh_cell
        aten._wrapped_quantized_linear_prepacked
        onednn.qconv_pointwise onednn.qconv1d_pointwise onednn.qconv2d_pointwise
        onednn.qconv3d_pointwise mkldnn_prepacked.conv2d_run""",
    "control flow: which branch runs, and how often, depends on values": """
        higher_order.cond higher_order.while_loop higher_order.scan higher_order.map_impl
        higher_order.associative_scan onnx.If onnx.SequenceMap""",
}

UNKNOWN: dict[str, str] = {op: why for why, ops in REASONS.items() for op in ops.split()}
