"""Deploy: what stands in the way of ONNX files, fixed graphs and integers of 8 bits."""

from __future__ import annotations

from collections.abc import Iterator

from cnninspect.commands.lint.network import TracedNetwork
from cnninspect.commands.lint.operators import plain_name
from cnninspect.commands.lint.registry import Found, rule
from cnninspect.commands.lint.wording import percent, plural, some, verb
from cnninspect.records.operations import Operation, TensorSpec

_NAMES = """
    _cdist_forward _ctc_loss _linalg_eigh _linalg_slogdet _linalg_solve_ex _linalg_svd
    _pdist_forward _thnn_fused_gru_cell _thnn_fused_lstm_cell binomial cholesky cholesky_inverse
    cholesky_solve cummax cummin fractional_max_pool2d fractional_max_pool3d geqrf grid_sampler_3d
    histogram index_reduce kthvalue linalg_cholesky_ex linalg_eig linalg_householder_product
    linalg_inv_ex linalg_ldl_factor_ex linalg_lstsq linalg_lu linalg_lu_factor_ex linalg_lu_solve
    linalg_matrix_exp linalg_qr linalg_solve_triangular lu_unpack masked_select median mode
    nanmedian ormqr poisson polygamma searchsorted segment_reduce triangular_solve
    unique_dim_consecutive
"""
NOT_EXPORTED = frozenset(f"aten.{name}" for name in _NAMES.split())
"""Operators that PyTorch 2.13's exporter neither translates nor takes apart; a test asks it."""


@rule("D001")
def not_in_onnx(net: TracedNetwork) -> Iterator[Found]:
    """An operation has no translation to ONNX, or is of a domain that only some runtimes know.

    Why: The export fails there, or the file runs in one runtime and in no other.

    Source: torch.onnx, the registry of its exporter (torchlib); ONNX, Operator Schemas, ai.onnx.

    Example:
        torch.linalg.svd(x), x.median(dim=1)

    Mend: Write it with operators that have a translation, or leave it outside of the exported part.
    """
    found: dict[str, list[int]] = {}
    for call in net.calls:
        name = plain_name(call.operation)
        is_foreign = net.is_graph and not name.startswith(("onnx.", "aten."))
        if name in NOT_EXPORTED or is_foreign:
            found.setdefault(name, []).append(call.index)
    for name, calls in found.items():
        paths = net.paths(calls)
        what = name.removeprefix("aten.")
        why = (
            "is no operator of ONNX itself: only runtimes that know its domain run it"
            if net.is_graph
            else "has no translation to ONNX: an export fails there"
        )
        yield Found(paths, f"{what}, in {some(paths)}, {why}.")


@rule("D002")
def control_flow_on_data(net: TracedNetwork) -> Iterator[Found]:
    """What the network does next depends on the values that it computes.

    Why: A graph that is recorded once holds the way that was taken then. Tracing, torch.compile and
    export fail or break there, and a GPU waits for the CPU to look at the value.

    Source: PyTorch, torch.export, data-dependent control flow; torch.cond.

    Example:
        if x.mean() > 0: x = self.refine(x)

    Mend: torch.where or torch.cond, or a decision that only shapes go into.
    """
    for note in net.trace.how.notes:
        if note.startswith("run for real, because") and "other data may give other counts" in note:
            reason = note.removeprefix("run for real, because ").partition(";")[0]
            yield Found(
                (),
                f"What it does depends on values that it computes: {reason}. A recorded graph "
                f"holds "
                f"one way only.",
            )
            return
    asked = [call.index for call in net.calls if call.operation.name == "aten._local_scalar_dense"]
    computed = [i for i in asked if net.is_data[i]]
    if computed and net.trace.how.run == "real":
        paths = net.paths(computed)
        yield Found(
            paths, f"{some(paths)} {verb(len(paths), 'asks', 'ask')} for a value with item()."
        )


CHANGING = frozenset(
    (
        *("aten.nonzero", "aten.masked_select", "aten._unique2", "aten._unique", "aten.argwhere"),
        *("aten.unique_consecutive", "aten.unique_dim", "onnx.NonZero", "onnx.Compress"),
        *("onnx.Unique", "onnx.NonMaxSuppression", "torchvision.nms"),
    )
)


@rule("D003")
def size_depends_on_data(net: TracedNetwork) -> Iterator[Found]:
    """A result has a size that depends on values.

    Why: Memory cannot be planned, compilers start again for each size, and many accelerators take
    no such operator at all.

    Source: PyTorch, torch.export, data-dependent shapes; ONNX, NonZero.

    Example:
        x[x > 0].mean()

    Mend: Masks of a fixed size: (x * mask).sum() / mask.sum().
    """
    found: dict[str, list[int]] = {}
    for call in net.calls:
        name = plain_name(call.operation)
        if (name in CHANGING or _is_masked(call.operation)) and net.is_data[call.index]:
            found.setdefault(name, []).append(call.index)
    for name, calls in found.items():
        paths = net.paths(calls)
        yield Found(
            paths,
            f"{name.partition('.')[2]}, in {some(paths)}, gives results whose size depends on the "
            f"data.",
        )


def _is_masked(operation: Operation) -> bool:
    """Whether elements are chosen by truth values: `x[x > 0]`."""
    indices = operation.argument("indices")
    return operation.name == "aten.index" and any(
        isinstance(index, TensorSpec) and index.dtype in ("bool", "uint8")
        for index in (indices if isinstance(indices, tuple) else ())
    )


OPSETS = {
    "aten.grid_sampler_3d": (20, "GridSample on volumes"),
    "aten._grid_sampler_3d": (20, "GridSample on volumes"),
    "aten.affine_grid_generator": (20, "AffineGrid"),
    "torchvision.deform_conv2d": (19, "DeformConv"),
    "onnx.DeformConv": (19, "DeformConv"),
    "onnx.AffineGrid": (20, "AffineGrid"),
    "onnx.Gelu": (20, "Gelu"),
    "onnx.Attention": (23, "Attention"),
    "onnx.RMSNormalization": (23, "RMSNormalization"),
    "onnx.RotaryEmbedding": (23, "RotaryEmbedding"),
    "onnx.Swish": (24, "Swish"),
    "onnx.TensorScatter": (24, "TensorScatter"),
}
"""Operators that ONNX has from an opset on that not every runtime knows."""
USUAL_OPSET = 18


@rule("D004", severity="info")
def needs_newer_opset(net: TracedNetwork) -> Iterator[Found]:
    """An operation needs a newer opset of ONNX than 18, which PyTorch's exporter writes.

    Why: Runtimes on phones and in browsers are slow to follow. An older opset may have no such
    operator, or only dozens of smaller ones in its place.

    Source: ONNX, Operator Schemas, since version; torch.onnx, default opset 18.

    Example:
        torchvision.ops.DeformConv2d(64, 64, 3)

    Mend: cnninspect export --opset with the one that is named, or an operation without it.
    """
    needed: dict[str, list[int]] = {}
    for call in net.calls:
        name = plain_name(call.operation)
        if name in OPSETS:
            needed.setdefault(name, []).append(call.index)
    for name, calls in needed.items():
        opset, operator = OPSETS[name]
        paths = net.paths(calls)
        yield Found(paths, f"{some(paths)}: {operator} needs opset {opset} or newer.")


NO_INT8 = {
    "attention": "multiplies activations with each other, which the dynamic quantiser leaves alone",
    "recurrent": "is a recurrent layer, for which the static quantiser has no rule",
}
"""Why ONNX Runtime leaves in floating point what multiplies."""


@rule("D005", severity="info")
def no_int8_kernel(net: TracedNetwork) -> Iterator[Found]:
    """Operations that multiply stay in floating point in a file of 8-bit integers.

    Why: They keep their share of the time and memory. The dynamic quantiser needs a stored weight,
    which a product of two activations has not; the static one has no rule for recurrent layers.

    Source: ONNX Runtime, onnxruntime.quantization.registry, IntegerOpsRegistry and QDQRegistry.

    Example:
        nn.LSTM(64, 64)

    Mend: Know it before counting on four times less; the other quantiser, or float16 for these.
    """
    for kind, why in NO_INT8.items():
        found = [i for i in net.of_kind(kind) if net.macs_of(i)]
        macs = sum(net.macs_of(i) for i in found)
        if not found or macs < 0.05 * net.macs:
            continue
        paths = net.paths(found)
        one = f"{net.layer(found[0])} {why}"
        others = f", and so {verb(len(paths) - 1, 'does', 'do')} {len(paths) - 1} more layers"
        yield Found(
            paths,
            f"{one}{others if paths[1:] else ''}: {percent(macs / net.macs)} of the MACs stay in "
            f"floating point.",
        )


FLOAT_BETWEEN = {
    "aten.gelu": "GELU",
    "aten.mish": "Mish",
    "aten.hardswish": "hard-swish",
    "aten.hardsigmoid": "hard-sigmoid",
    "aten.elu": "ELU",
    "aten.selu": "SELU",
    "aten.softplus": "softplus",
    "aten.tanh": "tanh",
    "onnx.Erf": "GELU",
    "onnx.Gelu": "GELU",
    "onnx.Swish": "SiLU",
    "onnx.Mish": "Mish",
    "onnx.HardSwish": "hard-swish",
    "onnx.HardSigmoid": "hard-sigmoid",
    "onnx.Elu": "ELU",
    "onnx.Selu": "SELU",
    "onnx.Softplus": "softplus",
    "onnx.Tanh": "tanh",
}
"""Activations for which ONNX Runtime's quantisers have no rule; SiLU is a sigmoid and a product,
for which they have."""


@rule("D006", severity="info")
def float_between_integers(net: TracedNetwork) -> Iterator[Found]:
    """Activations that stay in floating point stand between layers of 8-bit integers.

    Why: In a quantised file each of them is surrounded by a conversion to floating point and one
    back, which may cost more than the integers save. ReLU is for free.

    Source: ONNX Runtime, onnxruntime.quantization.registry; Jacob et al. 2018, arXiv:1712.05877,
    section 3, on ReLU and ReLU6.

    Example:
        nn.Conv2d(32, 32, 3), nn.Hardswish(), nn.Conv2d(32, 32, 3)

    Mend: ReLU or ReLU6 where the network is to run on integers.
    """
    between: dict[str, list[int]] = {}
    for call in net.calls:
        name = FLOAT_BETWEEN.get(plain_name(call.operation))
        if name is not None and net.is_data[call.index] and _is_between(net, call.index):
            between.setdefault(name, []).append(call.index)
    if between:
        calls = sorted(i for chosen in between.values() for i in chosen)
        paths = net.paths(calls)
        yield Found(
            paths,
            f"{plural(len(calls), 'activation')} ({', '.join(between)}: {some(paths)}) "
            f"{verb(len(calls), 'stays', 'stay')} in floating point between layers of integers: "
            f"{2 * len(calls):,} conversions in a quantised file.",
        )


def _is_between(net: TracedNetwork, call: int) -> bool:
    """Whether convolutions or linear maps stand before and behind."""
    passing = frozenset(("batch norm", "reshape", "copy", "multiply", "moving"))
    source = net.before(call, passing)
    is_after = source is not None and source >= 0 and net.weight(source) is not None
    return is_after and any(net.weight(i) is not None for i in net.after(call, passing))
