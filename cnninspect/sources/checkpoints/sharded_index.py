"""The index of a checkpoint in several files, `model.safetensors.index.json` or the like.

    {"metadata": {"total_size": …}, "weight_map": {"name of a tensor": "name of a file", …}}

Source: the description of sharded checkpoints at huggingface.co/docs/transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO

from cnninspect.records.checkpoint import Checkpoint
from cnninspect.sources.checkpoints.malformed import Malformed, excerpt
from cnninspect.sources.checkpoints.safetensors_header import MAX_HEADER, parse
from cnninspect.sources.checkpoints.tables import check_number

MAX_SHARDS = 10_000
LONGEST_NAME = 255
"""Characters of the name of a file, as systems have it."""


def read_sharded_index(
    stream: IO[bytes], folder: Path, read: Callable[[Path], Checkpoint]
) -> Checkpoint:
    """The table of all the files that an index names, each read by `read`.

    Raises:
        Malformed: the index cannot be read, or the files do not hold what it says.
    """
    weight_map, metadata = parse_index(stream.read(MAX_HEADER))
    shards = {name: read(folder / name) for name in dict.fromkeys(weight_map.values())}
    held = {file: {tensor.name for tensor in shard.tensors} for file, shard in shards.items()}
    for name, file in weight_map.items():
        if name not in held[file]:
            raise Malformed(f"{file} does not hold {excerpt(name)}, which the index says it does")
    tensors = [
        replace(tensor, storage=f"{file}/{tensor.storage}")
        for file, shard in shards.items()
        for tensor in shard.tensors
    ]
    check_number(len(tensors))
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise Malformed("two of its files hold a tensor of the same name")
    extra = sum(tensor.name not in weight_map for tensor in tensors)
    parts = list(shards.values())
    return Checkpoint(
        reference="",
        format=parts[0].format,
        tensors=tuple(tensors),
        globals=tuple(dict.fromkeys(item for part in parts for item in part.globals)),
        metadata=metadata,
        file_bytes=sum(part.file_bytes for part in parts),
        notes=(
            f"{len(parts):,} file{'s' if len(parts) > 1 else ''}",
            *([f"{extra:,} of the tensors not in the index"] if extra else []),
            *dict.fromkeys(note for part in parts for note in part.notes),
        ),
    )


def parse_index(text: bytes) -> tuple[Mapping[str, str], tuple[tuple[str, str], ...]]:
    """File by tensor, and what else the index says.

    Raises:
        Malformed: it is not such an index, or names files of other folders.
    """
    table = parse(text)
    weight_map, metadata = table.get("weight_map"), table.get("metadata")
    if not isinstance(weight_map, dict) or not weight_map:
        raise Malformed("it has no weight_map")
    files = set()
    for name, file in weight_map.items():
        is_name = (
            isinstance(file, str) and len(file) <= LONGEST_NAME and file not in ("", ".", "..")
        )
        if not is_name or set(file) & set("/\\:\0"):
            raise Malformed(f"{excerpt(name)} is not in a file of the same folder")
        files.add(file)
    if len(files) > MAX_SHARDS:
        raise Malformed(f"it names {len(files):,} files")
    facts = metadata.items() if isinstance(metadata, dict) else ()
    return weight_map, tuple(
        (key, excerpt(value, 200)) for key, value in facts if isinstance(value, (str, int, float))
    )
