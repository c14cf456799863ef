"""What can be told of a file of weights without its network, and what the names of tensors tell."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from difflib import SequenceMatcher

from cnninspect.metrics.figures import DTYPES, WEIGHTS_ONLY, Figures
from cnninspect.metrics.summary import BytesAs, ConventionTotal, Coverage, EngineInfo, Totals
from cnninspect.records.checkpoint import Checkpoint, StoredTensor
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import BITS, TensorSpec

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


Shape = tuple[int, ...]

PREFIXES = (
    (r"(^|\.)module\.", "DataParallel or DistributedDataParallel was around the model"),
    (r"(^|\.)_orig_mod\.", "torch.compile was around the model"),
    (r"(^|\.)_fsdp_wrapped_module\.", "FullyShardedDataParallel was around the model"),
    (r"(^|[._])ema[._]|(^|\.)shadow", "it is an average of the weights over training (EMA)"),
    (r"^(model_)?state_dict\.", "the file holds more than the weights"),
    (r"^(model|net|network)\.", "the model was part of another one, or the file holds more"),
    (r"^(backbone|encoder|visual|trunk)\.", "the model was the backbone of another one"),
)
"""What a prefix tells of where the weights come from."""

AVERAGES = r"(^|[._])ema([._]|$)|shadow|averag|momentum_encoder|teacher"
"""Prefixes of copies that are averaged over training."""

UNEXPECTED = (
    (r"exp_avg|momentum_buffer|(^|\.)optimizer\w*\.|max_exp_avg_sq", "the state of an optimizer"),
    (r"num_batches_tracked$", "a counter of batch normalisation, which the network has not"),
    (r"(running_mean|running_var)$", "a statistic of batch normalisation, which it has not"),
    (r"(total_ops|total_params)$", "left behind by thop"),
    (r"lora_[AB]\b|lora_(down|up)", "a LoRA adapter beside the weights"),
    (r"\.(weight_g|weight_v)$|parametrizations\.", "a weight in parts: weight normalisation"),
    (r"_packed_params|zero_point$", "a quantised model's"),
    (r"(^|\.)aux(\w*)\.", "an auxiliary classifier, which is used in training only"),
    (r"(position_ids|inv_freq|relative_position_index|attn_mask|masked_bias)$",
     "a constant that other versions do not store"),
)  # fmt: skip
"""What a name tells of a tensor that the network does not have."""

COUNTER = "num_batches_tracked"
ALIKE = 0.6
"""How alike two names must be for one to be a guess at the other."""


def prefix_reason(before: str, after: str) -> str:
    """Where prefixes come from: every habit that they show."""
    found = [
        reason
        for prefix in (after, before)
        for pattern, reason in PREFIXES
        if prefix and re.search(pattern, prefix)
    ]
    return "; ".join(dict.fromkeys(found))


def is_average(prefix: str) -> bool:
    """Whether what stands under a prefix is an average of the weights over training."""
    return bool(re.search(AVERAGES, prefix))


def is_optimizer_state(name: str) -> bool:
    """Whether a tensor is what an optimizer remembers of another."""
    return bool(re.search(UNEXPECTED[0][0], name))


def is_buffer(name: str) -> bool:
    """Whether a tensor is a statistic or a counter of batch normalisation."""
    return bool(re.search(rf"(^|\.)(running_mean|running_var|{COUNTER})$", name))


def unexpected_reason(name: str, known: Collection[str]) -> tuple[str, str]:
    """Why a file has a tensor that the network has not, and a pattern for those alike.

    `known` are the network's names.
    """
    parts = name.split(".")
    pattern, optimizer = UNEXPECTED[0]
    if re.search(pattern, name):  # which has the names of weights in it
        return optimizer, f"{parts[0]}.*"
    for i in range(1, len(parts)):
        if ".".join(parts[i:]) in known:
            prefix = ".".join(parts[:i])
            reason = "an EMA copy" if is_average(prefix) else "another copy"
            return f"{reason} of the weights", f"{prefix}.*"
    for pattern, reason in UNEXPECTED:
        if re.search(pattern, name):
            return reason, f"*.{parts[-1]}"
    return "", ""


def missing_reason(
    name: str,
    shape: Shape,
    extra: Mapping[str, Shape],
    shared: Mapping[str, str],
    present: Collection[str],
) -> tuple[str, str]:
    """Why a file lacks a tensor of the network, and a pattern for those alike.

    `extra` are the tensors that only the file has; `shared` says which names stand for the same
    parameter, and `present` which ones the file has.
    """
    if shared.get(name) in present:
        return f"it is the same as {shared[name]}, which is there", ""
    guess = _guess(name, shape, extra)
    if guess:
        return f"is it {guess}?", ""
    if name.endswith(COUNTER):
        return "files from before PyTorch 0.4.1 do not count batches", f"*.{COUNTER}"
    return "", ""


def misshapen_reason(name: str, old: Shape, new: Shape, order: tuple[str, ...]) -> str:
    """Why a tensor has another shape; `order` are all names of the network, in its order."""
    if re.search(r"pos(ition)?(al)?_?emb|relative_position|rel_pos", name):
        return "positions, for another size of the input"
    if math.prod(old) == math.prod(new):
        return "as many elements in another shape"
    differing = [i for i, (a, b) in enumerate(zip(old, new)) if a != b]
    if len(old) == len(new) and differing == [0] and name in order[-2:]:
        return f"another number of classes: {old[0]:,} and {new[0]:,}"
    if len(old) == len(new) and differing == [1] and name in order[:2]:
        return f"another number of input channels: {old[1]:,} and {new[1]:,}"
    return ""


def _guess(name: str, shape: Shape, extra: Mapping[str, Shape]) -> str:
    """The tensor of that shape whose name is the most alike; empty where none is."""
    best, likeness = "", ALIKE
    for other, its_shape in extra.items():
        if its_shape == shape and other.rpartition(".")[2] == name.rpartition(".")[2]:
            matcher = SequenceMatcher(None, name, other)
            if matcher.quick_ratio() > likeness and matcher.ratio() > likeness:
                best, likeness = other, matcher.ratio()
    return best
