"""A file of weights as figures: what can be told without the network."""

from __future__ import annotations

from cnninspect.analyses.weight_reasons import is_buffer, is_optimizer_state
from cnninspect.records.checkpoint import Checkpoint, StoredTensor
from cnninspect.records.comparison import DTYPES, WEIGHTS_ONLY, BytesAs, Figures
from cnninspect.records.models import ModelInfo
from cnninspect.records.summary import ConventionTotal, Coverage, EngineInfo, Totals
from cnninspect.records.tensors import BITS, TensorSpec

NOTE = "a file of weights: its tensors are counted, and there is no network to run"


def figures_of_weights(file: Checkpoint, convention: str = "macs") -> Figures:
    """Parameters and bytes of a file; statistics and counters of batch normalisation are buffers.

    The state of an optimizer is left out; a second copy of the weights is counted as it is there.
    """
    held = [tensor for tensor in file.tensors if tensor.shares_with is None]
    weights = [t for t in held if not is_buffer(t.name) and not is_optimizer_state(t.name)]
    parameters = sum(tensor.spec.numel for tensor in weights)
    nothing = Coverage(0, 0, 0, 0)
    return Figures(
        model=ModelInfo(file.reference, "checkpoint", file.reference),
        inputs=(),
        outputs=(),
        engine=EngineInfo("file", WEIGHTS_ONLY, 0, 0, (NOTE, *file.notes)),
        mode="eval",
        totals=Totals(
            parameters=parameters,
            trainable_parameters=parameters,
            buffers=sum(tensor.spec.numel for tensor in held if is_buffer(tensor.name)),
            parameter_bytes=sum(tensor.nbytes for tensor in weights),
            macs=0,
            flops=0,
            activations=0,
            activation_bytes=0,
            layers=len({tensor.name.rpartition(".")[0] for tensor in weights}),
        ),
        convention=ConventionTotal(convention, 0, ""),
        coverage=nothing,
        uncounted=(),
        published=(),
        depth=0,
        weighted_layers=0,
        receptive_field=None,
        gradient_paths=0,
        bytes_as=tuple(
            BytesAs(dtype, sum(_stored(tensor, dtype) for tensor in weights)) for dtype in DTYPES
        ),
        stages=(),
    )


def _stored(tensor: StoredTensor, dtype: str) -> int:
    spec = tensor.spec
    is_floating = "float" in spec.dtype and BITS[spec.dtype] > 4
    return TensorSpec(spec.shape, dtype).nbytes if is_floating else tensor.nbytes
