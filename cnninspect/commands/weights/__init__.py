"""What the numbers in files of weights look like."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Union

from cnninspect.errors import BadOption
from cnninspect.sources.open import Model, as_arguments, network, surroundings_of, trace

if TYPE_CHECKING:
    from cnninspect.commands.weights.report import FeatureReuse, Weights

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
            loaded = network(each, "its weights")
            with surroundings_of(loaded):
                found.append(figures_of_network(loaded, seed=seed))
    return Weights(seed, tuple(found))


def feature_reuse(
    model: Model,
    inputs: Any = None,
    *,
    weights: str | PathLike[str] | None = None,
    seed: int = 0,
) -> FeatureReuse:
    """How much later layers read of what earlier ones made, by their weights, block by block.

    Which channels of a concatenation come from which layer is told by the dataflow, so every
    network that joins channels has an answer.  `weights` is a file for a named architecture;
    without one, it is as it starts from `seed`.  A live module is looked at as it is.

    Raises:
        FileMissing, FileUnreadable, WeightsMismatch: the weights cannot be loaded.
        BadOption: a live module is given a file.
        CnnInspectError: see `cnninspect.errors`.
    """
    from pathlib import Path

    from cnninspect.commands.weights.analysis import block_of, joining_readers
    from cnninspect.commands.weights.measuring import part_means
    from cnninspect.commands.weights.report import FeatureReuse
    from cnninspect.metrics.channel_sources import readers

    loaded = network(model, "its weights")
    if loaded.live and weights is not None:
        raise BadOption("--weights", weights, "left out for a live module, which has its own")
    traced = trace(loaded, as_arguments(inputs))
    joinings = joining_readers(readers(traced))
    every = list(dict.fromkeys(reader for joining in joinings for reader in joining))
    file = None if weights is None else Path(weights)
    with surroundings_of(loaded):
        means = part_means(loaded, every, seed=seed, weights=file)
    notes = list(traced.how.notes)
    if weights is None and not loaded.live:
        notes.append("no --weights: an untrained network reads all alike")
    return FeatureReuse(
        model=traced.model,
        weights=None if file is None else str(file),
        blocks=tuple(block_of(joining, means) for joining in joinings),
        notes=tuple(notes),
    )


def _is_file_of_weights(name: str) -> bool:
    from pathlib import Path

    path = Path(name)
    return path.suffix.lower() in SUFFIXES or (path.suffix == ".pt" and path.is_file())
