"""Values of single stored tensors, which are left out as a file is read, looked at after all.

Some questions need them: whether the first state of a recurrent layer is nothing but zeros, and
which channels only fill up a block.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import TensorProto, numpy_helper

from cnninspect.engine.onnx_read.protobuf import BITS_OF, MARK
from cnninspect.engine.onnx_read.reading import Neighbours
from cnninspect.errors import FileMissing, FileUnreadable
from cnninspect.files import opened

MOST_BYTES, MOST_TOGETHER = 1 << 28, 1 << 30
"""Bytes of a tensor that are looked at, and of all tensors of a file."""
Counts = tuple[int, int]
BLOCKS = (16, 8)
"""Channels in a block, by the processor on which onnxruntime wrote the file."""


class StoredValues:
    """The values of a file's tensors, one tensor at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._neighbours = Neighbours(path)
        self._left = MOST_TOGETHER
        self._fillings: dict[str, Counts] = {}

    def bytes_of(self, tensor: TensorProto) -> bytes | None:
        """Its values as bytes; None where they are missing, too many, or not stored as such."""
        needed = BITS_OF.get(tensor.data_type, 0)
        for size in tensor.dims:
            needed *= size
        needed = -(-needed // 8)
        if not 0 < needed <= min(MOST_BYTES, self._left):
            return None
        self._left -= needed
        if tensor.data_location == TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            if not self._neighbours.check(tensor.name, entries, needed):
                return None
            return _whole(self._neighbours.read(entries, needed), needed)
        if not tensor.doc_string.startswith(MARK):
            return numpy_helper.to_array(tensor).tobytes()
        start = tensor.doc_string.removeprefix(MARK)
        return self._read(int(start), needed) if start else None

    def is_zero(self, tensor: TensorProto) -> bool:
        """Whether all its values are known to be 0."""
        found = self.bytes_of(tensor)
        return found is not None and found.count(0) == len(found)

    def filling(self, tensor: TensorProto) -> Counts:
        """How many filters at the end of a blocked weight, and inputs of each, only fill a block.

        A weight of (outputs, inputs, height, width) is stored as (outputs / b, inputs / b, height,
        width, b, b) for blocks of b channels, inputs before outputs, and where there are fewer
        inputs than b, as (outputs / b, inputs, height, width, b).  What fills up a block is 0.
        Source: onnxruntime, core/mlas/lib/reorder.cpp.
        """
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) != 4:
            return 0, 0
        if tensor.name not in self._fillings:
            content = self.bytes_of(tensor)
            self._fillings[tensor.name] = (0, 0) if content is None else _filling(tensor, content)
        return self._fillings[tensor.name]

    def _read(self, start: int, needed: int) -> bytes | None:
        try:
            with opened(self._path) as (file, _):
                file.seek(start)
                return _whole(file.read(needed), needed)
        except (FileMissing, FileUnreadable, OSError):  # it was changed since it was read
            return None


def _filling(tensor: TensorProto, content: bytes) -> Counts:
    outputs, inputs, height, width = tensor.dims
    is_set = np.frombuffer(content, np.uint32) != 0
    found = 0, 0
    for block in BLOCKS:
        if outputs % block or (inputs > block and inputs % block):
            continue
        of_outputs = is_set.reshape(outputs // block, -1, block)[-1].any(axis=0)
        of_inputs = np.ones(1, bool)
        if inputs % block == 0:
            shape = (outputs // block, inputs // block, height * width, block, block)
            of_inputs = is_set.reshape(shape)[:, -1].any(axis=(0, 1, 3))
        found = _unset_at_end(of_outputs), _unset_at_end(of_inputs)
        if any(found):
            break
    return found


def _whole(content: bytes, needed: int) -> bytes | None:
    return content if len(content) == needed else None


def _unset_at_end(is_set: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """How many at the end are not set; 0 if none is set, which is no filling up."""
    places = np.flatnonzero(is_set)
    return len(is_set) - 1 - int(places[-1]) if len(places) else 0
