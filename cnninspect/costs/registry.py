"""Which formula an operator has: what is registered, and what is knowingly unknown."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Union

from cnninspect.costs.laws import NotCounted, Terms, macs, spell
from cnninspect.records.operations import Cost, Costed, CostState, Operation, ShapeNotKnown

Formula = Callable[[Operation], Union[Terms, Cost, int]]


_counted: dict[str, Formula] = {}
_free: dict[str, str] = {}
_unknown: dict[str, str] = {}


def register(op_name: str, formula: Formula) -> None:
    """Gives the operations of this name a formula.

    Raises:
        ValueError: the name is registered already.
    """
    _check_new(op_name)
    _counted[op_name] = formula


def register_free(op_name: str, reason: str) -> None:
    """Says that the operations of this name do no multiply-accumulates, and why.

    Raises:
        ValueError: the name is registered already.
    """
    _check_new(op_name)
    _free[op_name] = reason


def register_unknown(op_name: str, reason: str) -> None:
    """Says why the operations of this name cannot be counted.

    Raises:
        ValueError: the name is registered already.
    """
    _check_new(op_name)
    _unknown[op_name] = reason


def registered() -> dict[str, CostState]:
    """Every name in the tables with its state."""
    return {
        **dict.fromkeys(_counted, CostState.COUNTED),
        **dict.fromkeys(_free, CostState.FREE),
        **dict.fromkeys(_unknown, CostState.UNKNOWN),
    }


def cost_of(operation: Operation) -> Costed:
    """What an operation costs, and by which source.

    The name of an operation in place (`aten.add_`) stands for the one without the underscore.
    Names in no table are looked for among the formulas that installed packages offer.
    """
    for name in names_of(operation):
        if name in _counted:
            return _apply(_counted[name], operation)
        if name in _free:
            return Costed(CostState.FREE, Cost(), _free[name])
        if name in _unknown:
            return _not_known(_unknown[name])
    return _offered(operation)


def names_of(operation: Operation) -> tuple[str, ...]:
    """The names to look an operation up under: its own, then the one that is not in place."""
    name = operation.name
    return (name, name[:-1]) if name.endswith("_") and not name.endswith("__") else (name,)


def written(operation: Operation) -> int:
    """Elements of the first tensor that it returns; 0 where it returns none."""
    return operation.output.numel if operation.outputs else 0


def _check_new(op_name: str) -> None:
    for table, state in ((_counted, "counted"), (_free, "free"), (_unknown, "unknown")):
        if op_name in table:
            raise ValueError(f"{op_name} is registered already: it is {state}")


def _apply(formula: Formula, operation: Operation) -> Costed:
    # Whatever a formula stumbles over, somebody's own one included, must not stop the count.
    try:
        result = formula(operation)
    except NotCounted as problem:
        return _not_known(str(problem))
    except Exception as problem:
        unknown = operation.unknown_inputs
        if unknown:
            name, given = unknown[0]
            return _not_known(str(ShapeNotKnown(name, given.because)), lacks_shape=True)
        if not operation.outputs:
            return _not_known("the shape of its output is not known", lacks_shape=True)
        return _not_known(f"its formula failed: {type(problem).__name__}: {problem}")
    if isinstance(result, Cost):
        return Costed(CostState.COUNTED, result, getattr(formula, "__name__", ""))
    if isinstance(result, int):
        cost = Cost(macs=result, activations=written(operation))
        return Costed(CostState.COUNTED, cost, getattr(formula, "__name__", ""))
    cost = Cost(macs=macs(result), activations=written(operation))
    return Costed(CostState.COUNTED, cost, spell(result))


def _offered(operation: Operation) -> Costed:
    for name in names_of(operation):
        try:
            formula = formula_of(name)
        except BrokenFormula as problem:
            return _not_known(str(problem))
        if formula is not None:
            return _apply(formula, operation)
    return _not_known("it has no formula")


def _not_known(reason: str, *, lacks_shape: bool = False) -> Costed:
    return Costed(CostState.UNKNOWN, Cost(), reason, lacks_shape)


GROUP = "cnninspect.costs"


class BrokenFormula(Exception):
    """A package offers a formula that cannot be loaded.  Ends up as a reason, not as an error."""

    def __init__(self, entry: EntryPoint, problem: BaseException) -> None:
        super().__init__(
            f"the formula {entry.value} could not be loaded: {type(problem).__name__}: {problem}"
        )


@cache
def formula_of(op_name: str) -> Any:
    """The formula that a package offers for this operator, or None.

    Raises:
        BrokenFormula: it is offered and cannot be loaded.
    """
    entry = _offers().get(op_name)
    if entry is None:
        return None
    try:
        formula = entry.load()
    except Exception as problem:
        raise BrokenFormula(entry, problem) from problem
    if not callable(formula):
        raise BrokenFormula(entry, TypeError("it is not a function"))
    return formula


@cache
def _offers() -> dict[str, EntryPoint]:
    """Entry points by operator; of several for the same one, the first."""
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        found.setdefault(entry.name, entry)
    return found


REASONS: dict[str, str] = {
    "a fast Fourier transform: its work depends on the factors of the length": """
        aten._fft_c2c aten._fft_c2r aten._fft_r2c aten.fft_fft aten.fft_fft2 aten.fft_fftn
        aten.fft_hfft aten.fft_hfft2 aten.fft_hfftn aten.fft_ifft aten.fft_ifft2 aten.fft_ifftn
        aten.fft_ihfft aten.fft_ihfft2 aten.fft_ihfftn aten.fft_irfft aten.fft_irfft2
        aten.fft_irfftn aten.fft_rfft aten.fft_rfft2 aten.fft_rfftn aten.stft aten.istft
        prims.fft_c2c prims.fft_c2r prims.fft_r2c onnx.DFT onnx.STFT""",
    "a matrix decomposition or solver: its work depends on the algorithm": """
        aten._cholesky_solve_helper aten._linalg_det aten._linalg_eigh aten._linalg_eigvals
        aten._linalg_slogdet aten._linalg_solve_ex aten._linalg_svd aten._lu_with_info
        aten._spsolve aten.cholesky aten.cholesky_inverse aten.cholesky_solve aten.det aten.geqrf
        aten.inverse aten.linalg_cholesky aten.linalg_cholesky_ex aten.linalg_cond
        aten.linalg_det aten.linalg_eig aten.linalg_eigh aten.linalg_eigvals aten.linalg_eigvalsh
        aten.linalg_householder_product aten.linalg_inv aten.linalg_inv_ex aten.linalg_ldl_factor
        aten.linalg_ldl_factor_ex aten.linalg_ldl_solve aten.linalg_lstsq aten.linalg_lu
        aten.linalg_lu_factor aten.linalg_lu_factor_ex aten.linalg_lu_solve
        aten.linalg_matrix_norm aten.linalg_matrix_rank aten.linalg_norm aten.linalg_pinv
        aten.linalg_qr aten.linalg_slogdet aten.linalg_solve aten.linalg_solve_ex
        aten.linalg_solve_triangular aten.linalg_svd aten.linalg_svdvals aten.linalg_tensorinv
        aten.linalg_tensorsolve aten.logdet aten.lu_solve aten.nuclear_norm aten.orgqr aten.ormqr
        aten.pinverse aten.qr aten.slogdet aten.svd aten.triangular_solve prims.svd
        onnx.Det""",
    "a product or power of matrices in an order that it chooses itself": """
        aten.chain_matmul aten.linalg_multi_dot aten.linalg_matrix_power aten.matrix_power
        aten.linalg_matrix_exp aten.matrix_exp aten.matrix_exp_backward
        aten._compute_linear_combination""",
    "a sum of products that no convention counts": """
        aten.dist_backward aten.cov aten.corrcoef aten.cross aten.linalg_cross""",
    "a product with a sparse matrix: its work depends on the elements that are not zero": """
        aten._sparse_mm aten._sparse_addmm aten._sparse_mm_reduce_impl
        aten._sparse_mm_reduce_impl_backward aten._sparse_sparse_matmul aten.smm aten.hspmm
        aten.sspaddmm aten.sparse_sampled_addmm aten._cslt_sparse_mm aten._cslt_sparse_mm_search
        aten._sparse_semi_structured_linear aten._sparse_semi_structured_mm
        aten._sparse_semi_structured_addmm sparse.qlinear sparse.qlinear_dynamic
        sparse.qlinear_relu sparse.qlinear_relu_dynamic""",
    "a recurrence over the sequence: its work depends on how it is cut into chunks": """
        onnx.LinearAttention onnx.CausalConvWithState""",
    "attention over packed sequences: their lengths are values, not shapes": """
        aten._cudnn_attention_forward aten._cudnn_attention_backward""",
    "a kernel that no release of PyTorch calls": """
        aten._triton_scaled_dot_attention""",
    "a second derivative of a convolution: its terms depend on what is asked for": """
        aten._convolution_double_backward""",
    "a backward pass that is seldom met": """
        aten._cudnn_rnn_backward aten.miopen_rnn_backward aten.lstm_mps_backward
        aten.mkldnn_rnn_layer_backward aten.conv_tbc_backward aten._slow_conv2d_backward
        aten.affine_grid_generator_backward aten.cudnn_affine_grid_generator_backward""",
    "a quantised kernel: its weight is packed and shows no shape": """
        aten.quantized_gru_cell aten.quantized_lstm_cell
        aten.quantized_rnn_relu_cell aten.quantized_rnn_tanh_cell
        aten._wrapped_quantized_linear_prepacked
        onednn.qconv_pointwise onednn.qconv1d_pointwise onednn.qconv2d_pointwise
        onednn.qconv3d_pointwise mkldnn_prepacked.conv2d_run""",
    "control flow: which branch runs, and how often, depends on values": """
        higher_order.cond higher_order.while_loop higher_order.scan higher_order.map_impl
        higher_order.associative_scan onnx.If onnx.SequenceMap""",
}

UNKNOWN: dict[str, str] = {op: why for why, ops in REASONS.items() for op in ops.split()}
