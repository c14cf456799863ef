"""The names that PyTorch's checkpoints use, and what they stand for.

Source: what `torch.load(weights_only=True)` accepts without being told more.
"""

from __future__ import annotations

import re

from cnninspect.records.tensors import BITS

STORAGE_DTYPES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
    "QInt8Storage": "qint8",
    "QUInt8Storage": "quint8",
    "QInt32Storage": "qint32",
    "QUInt4x2Storage": "quint4x2",
    "QUInt2x4Storage": "quint2x4",
}
"""Element type by the class of a storage."""
UNTYPED_STORAGE = "torch.storage.UntypedStorage"
"""A storage that is counted in bytes."""

PARAMETERS = frozenset({
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch.nn.parameter.Parameter",
})  # fmt: skip
"""Called with a tensor first: parameters."""
STRIDED = frozenset({
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_qtensor",
})  # fmt: skip
"""Called with storage, offset, size and stride first; the third has the dtype seventh."""
SPARSE = "torch._utils._rebuild_sparse_tensor"
META = "torch._utils._rebuild_meta_tensor_no_storage"
SUBCLASS = "torch._tensor._rebuild_from_type_v2"
DICTIONARIES = frozenset({
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.Counter",
    "builtins.dict",
    "__builtin__.dict",
})  # fmt: skip
"""Dictionaries that a pickle makes by a call."""
PLAIN_CALLS = frozenset({
    "torch.Size",
    "torch.device",
    "torch.serialization._get_layout",
    "_codecs.encode",
    "builtins.bytearray",
    "builtins.complex",
    "builtins.set",
    "__builtin__.bytearray",
    "__builtin__.complex",
    "__builtin__.set",
})  # fmt: skip
"""Values that a pickle makes by a call, and that hold no tensors."""

_ALLOWED = frozenset({
    "collections.OrderedDict",
    "collections.Counter",
    "torch.nn.parameter.Parameter",
    "torch.serialization._get_layout",
    "torch.Size",
    "torch.Tensor",
    "torch.device",
    "_codecs.encode",
    "builtins.bytearray",
    "builtins.set",
    "builtins.complex",
    # the last four as pickles of protocol 2 spell them for Python 2
    "__builtin__.bytearray",
    "__builtin__.set",
    "__builtin__.complex",
    "torch.per_tensor_affine",
    "torch.per_tensor_symmetric",
    "torch.per_channel_affine",
    "torch.per_channel_symmetric",
    "torch.per_channel_affine_float_qparams",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_parameter_with_state",
    "torch._utils._rebuild_qtensor",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch._utils._rebuild_sparse_tensor",
    "torch._utils._rebuild_meta_tensor_no_storage",
    "torch._utils._rebuild_nested_tensor",
    "torch._utils._rebuild_wrapper_subclass",
    "torch._utils._rebuild_device_tensor_from_numpy",
    "torch._utils._rebuild_device_tensor_from_cpu_tensor",
    "torch._tensor._rebuild_from_type_v2",
    "torch.storage.TypedStorage",
    UNTYPED_STORAGE,
})  # fmt: skip
_ALLOWED_PATTERN = re.compile(
    r"torch\.(?:(?:cuda\.)?(?:sparse\.)?"
    r"(?:Double|Float|Half|BFloat16|Long|Int|Short|Char|Byte|Bool)Tensor"
    r"|u?int[1-7]|bits(?:8|16|1x8|2x4|4x2))"
)


def is_allowed(name: str) -> bool:
    """Whether PyTorch's `weights_only` loading knows this name."""
    return (
        name in _ALLOWED
        or dtype_of(name) is not None
        or storage_dtype(name) is not None
        or _ALLOWED_PATTERN.fullmatch(name) is not None
    )


def dtype_of(name: str) -> str | None:
    """`float16` of `torch.float16`; None where it is not the name of a dtype."""
    module, _, attribute = name.rpartition(".")
    return attribute if module == "torch" and attribute in BITS else None


def storage_dtype(name: str) -> str | None:
    """Element type of a storage's class, as in `torch.FloatStorage`; None for other names."""
    module, _, attribute = name.rpartition(".")
    return STORAGE_DTYPES.get(attribute) if module in ("torch", "torch.cuda") else None
