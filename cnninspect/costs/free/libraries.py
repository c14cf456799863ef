"""Free operators outside `aten`, by their full names."""

from __future__ import annotations

REASONS: dict[str, str] = {
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
    "a view, a copy or the making of a tensor": """
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
