"""Free operators that work element by element, and sums over elements."""

from __future__ import annotations

REASONS: dict[str, str] = {
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
    "a step of an optimiser, element by element": """
        _fused_adagrad _fused_adam _fused_adamw _fused_sgd""",
}
