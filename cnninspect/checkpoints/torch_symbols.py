"""What the names in PyTorch's checkpoints stand for, and the tensors that calls would rebuild.

Source: what `torch.load(weights_only=True)` accepts without being told more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cnninspect.checkpoints.pickles import Call, Global, Persistent
from cnninspect.files import Malformed, excerpt
from cnninspect.records.operations import BITS, TensorSpec

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


# --- tensors ---

MAX_DIMENSIONS = 64
"""What PyTorch allows."""
BEYOND = 1 << 63
"""No size, stride or offset of PyTorch reaches this."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of bytes that tensors lie in."""

    key: str
    """Its name in the file."""
    nbytes: int
    """Bytes that the pickle says it has."""
    start: int = 0
    """Bytes to skip at its begin, in old files where a storage may be part of another."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A tensor that loading would make."""

    spec: TensorSpec
    stride: tuple[int, ...]
    storage: Storage | None
    """None: it has no data, as on the meta device."""
    offset: int = 0
    """Bytes before its first element in the storage."""

    @property
    def end(self) -> int:
        """Bytes up to the end of its last element in the storage."""
        if self.spec.numel == 0:
            return self.offset
        last = sum((size - 1) * step for size, step in zip(self.spec.shape, self.stride))
        return self.offset + (last + 1) * element_bytes(self.spec.dtype)


def tensor_of(symbol: object) -> Rebuilt | None:
    """The tensor that a symbol stands for, taken out of a parameter if it is one; else None.

    Raises:
        Malformed: it is said to be a tensor, and it could not be one.
    """
    for _ in range(8):  # a parameter of a subclass of a tensor; nothing wraps more often
        if not isinstance(symbol, Call):
            return None
        if symbol.name in PARAMETERS:
            symbol = symbol.arguments[0] if symbol.arguments else None
        elif symbol.name == SUBCLASS and len(symbol.arguments) > 2:
            function, _, arguments = symbol.arguments[:3]
            symbol = Call(function, arguments if isinstance(arguments, tuple) else ())
        elif symbol.name in STRIDED:
            return _strided(symbol)
        elif symbol.name == META:
            return _meta(symbol)
        else:
            return None
    return None


def element_bytes(dtype: str) -> int:
    """Bytes that one element takes in a storage."""
    return -(-BITS[dtype] // 8)


def _strided(call: Call) -> Rebuilt:
    if len(call.arguments) < 4:
        raise Malformed(f"{call.name} lacks arguments")
    symbol, offset, size, stride = call.arguments[:4]
    storage, dtype = storage_of(symbol)
    if call.name.endswith("_v3") and len(call.arguments) > 6:
        dtype = _dtype(call.arguments[6])
    if dtype is None:
        raise Malformed("a tensor does not say its dtype")
    if not (isinstance(offset, int) and 0 <= offset < BEYOND):
        raise Malformed(f"a tensor begins at {excerpt(type(offset).__name__)}, not at a number")
    return _checked(size, stride, dtype, storage, offset * element_bytes(dtype))


def _meta(call: Call) -> Rebuilt:
    if len(call.arguments) < 3:
        raise Malformed(f"{call.name} lacks arguments")
    dtype = _dtype(call.arguments[0])
    return _checked(call.arguments[1], call.arguments[2], dtype, None, 0)


def _checked(
    size: object, stride: object, dtype: str, storage: Storage | None, offset: int
) -> Rebuilt:
    shape, steps = _sizes(size), _sizes(stride)
    if len(shape) != len(steps):
        raise Malformed(f"a tensor of shape {excerpt(shape)} has {len(steps)} strides")
    rebuilt = Rebuilt(TensorSpec(shape, dtype), steps, storage, offset)
    if storage is not None and rebuilt.end > storage.nbytes:
        raise Malformed(
            f"a tensor of shape {excerpt(shape)} ({dtype}) ends {rebuilt.end:,} bytes into its"
            f" storage of {storage.nbytes:,}"
        )
    return rebuilt


def _sizes(symbol: object) -> tuple[int, ...]:
    """A shape or strides: numbers, perhaps within a call of torch.Size."""
    if isinstance(symbol, Call) and symbol.name == "torch.Size" and symbol.arguments:
        symbol = symbol.arguments[0]
    if not isinstance(symbol, (tuple, list)) or len(symbol) > MAX_DIMENSIONS:
        raise Malformed("a tensor's shape or strides cannot be read")
    numbers = tuple(number for number in symbol if isinstance(number, int))
    if len(numbers) < len(symbol) or not all(0 <= number < BEYOND for number in numbers):
        raise Malformed("a tensor's shape or strides are not whole numbers from 0")
    return tuple(int(number) for number in numbers)


def _dtype(symbol: object) -> str:
    dtype = dtype_of(symbol.name) if isinstance(symbol, Global) else None
    if dtype is None:
        what = symbol.name if isinstance(symbol, Global) else type(symbol).__name__
        raise Malformed(f"a tensor has the dtype {excerpt(what)}, which is not known")
    return dtype


def storage_of(symbol: object) -> tuple[Storage, str | None]:
    """What `('storage', class, key, location, elements)` says, and the elements' dtype.

    Raises:
        Malformed: it says something else.
    """
    identity = symbol.identity if isinstance(symbol, Persistent) else None
    if not isinstance(identity, tuple) or len(identity) < 5 or identity[0] != "storage":
        raise Malformed("a tensor does not say where its data lies")
    kind, key, _, elements, *rest = identity[1:]
    if not (isinstance(kind, Global) and isinstance(key, str) and len(key) < 1000):
        raise Malformed("a tensor's storage cannot be read")
    dtype = storage_dtype(kind.name)
    if dtype is None and kind.name != UNTYPED_STORAGE:
        raise Malformed(f"a tensor lies in a {excerpt(kind.name)}, which is not known")
    width = 1 if dtype is None else element_bytes(dtype)
    if not (isinstance(elements, int) and 0 <= elements < BEYOND):
        raise Malformed("a storage's length is not a whole number from 0")
    storage = Storage(key, elements * width)
    if rest and isinstance(rest[0], tuple) and len(rest[0]) == 3:
        storage = _part_of(storage, rest[0], width)
    return storage, dtype


def _part_of(whole: Storage, view: tuple[object, ...], width: int) -> Storage:
    """Old files: the part `(key, offset, elements)` of a storage."""
    _, offset, elements = view
    if not (isinstance(offset, int) and isinstance(elements, int)):
        raise Malformed("a part of a storage cannot be read")
    if offset < 0 or elements < 0 or (offset + elements) * width > whole.nbytes:
        raise Malformed("a part of a storage lies beyond it")
    return Storage(whole.key, elements * width, start=offset * width)
