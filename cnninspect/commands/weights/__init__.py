"""What the numbers in files of weights look like."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Union

from cnninspect.sources.open import network

if TYPE_CHECKING:
    from cnninspect.commands.weights.report import Weights

SUFFIXES = (".safetensors", ".pth", ".bin", ".ckpt")
"""Of files that hold weights and no network."""


def weights(
    files: Union[str, PathLike[str], Any, Sequence[Union[str, PathLike[str], Any]]],
    *,
    seed: int = 0,
) -> Weights:
    """Norms, histogram, sparsity and spectral norm of every tensor of files or networks.

    A file is safetensors or a state dict, read piece by piece; a reference stands for its network
    as it starts from `seed`, a live module for itself.

    Raises:
        FileMissing, FileUnreadable: there is no such file, or it holds no weights.
        CnnInspectError: see `cnninspect.errors`.
    """
    from pathlib import Path

    from cnninspect.commands.weights.measuring import figures_of_file, figures_of_network
    from cnninspect.commands.weights.report import Weights

    every = files if isinstance(files, (list, tuple)) else (files,)
    found = []
    for each in every:
        if isinstance(each, PathLike) or (isinstance(each, str) and _is_file_of_weights(each)):
            found.append(figures_of_file(Path(each)))
        else:
            found.append(figures_of_network(network(each, "its weights"), seed=seed))
    return Weights(seed, tuple(found))


def _is_file_of_weights(name: str) -> bool:
    from pathlib import Path

    path = Path(name)
    return path.suffix.lower() in SUFFIXES or (path.suffix == ".pt" and path.is_file())
