"""ONNX's operators: hand-made operations, and every operator of the standard in a table."""

# ruff: noqa: E501 - a case is easier to check on one line

import pytest

from cnninspect.costs import cost_of, registered
from cnninspect.records.operations import CostState, Operation, TensorSpec


def op(name, output, **arguments):
    specs = {
        k: TensorSpec(v) if k[0].isupper() or k in "xwab" or k == "past_key" else v
        for k, v in arguments.items()
    }
    return Operation(f"onnx.{name}", tuple(specs.items()), (TensorSpec(output),))


CASES = [
    ("8·8 out, 4·3 channels, 3·3", op("Conv", (1, 4, 8, 8), X=(1, 3, 10, 10), W=(4, 3, 3, 3)), 64 * 4 * 3 * 9),
    ("batch 5, 4 groups of 8", op("Conv", (5, 64, 5, 5), X=(5, 32, 5, 5), W=(64, 8, 1, 1), group=4), 5 * 25 * 64 * 8),
    ("quantised", op("QLinearConv", (1, 4, 8, 8), x=(1, 3, 10, 10), w=(4, 3, 3, 3)), 64 * 4 * 3 * 9),
    ("every 6·6 in meets 4·9", op("ConvTranspose", (1, 4, 13, 13), X=(1, 8, 6, 6), W=(8, 4, 3, 3)), 36 * 8 * 4 * 9),
    ("2·3·5", op("Gemm", (2, 5), A=(2, 3), B=(3, 5), C=(5,)), 2 * 3 * 5),
    ("both transposed", op("Gemm", (2, 5), A=(3, 2), B=(5, 3), transA=1, transB=1), 2 * 3 * 5),
    ("batches broadcast", op("MatMul", (7, 4, 2, 5), A=(7, 1, 2, 3), B=(4, 3, 5)), 7 * 4 * 2 * 3 * 5),
    ("quantised 2·3·5", op("QLinearMatMul", (2, 5), a=(2, 3), b=(3, 5)), 2 * 3 * 5),
    ("7 steps of 2, 4·20·(12+20)", op("LSTM", (7, 1, 2, 20), X=(7, 2, 12), W=(1, 80, 12), R=(1, 80, 20)), 14 * 4 * 20 * 32),
    ("both ways", op("GRU", (7, 2, 2, 20), X=(7, 2, 12), W=(2, 60, 12), R=(2, 60, 20)), 14 * 2 * 3 * 20 * 32),
    ("one gate", op("RNN", (7, 1, 2, 20), X=(7, 2, 12), W=(1, 20, 12), R=(1, 20, 20)), 14 * 20 * 32),
    ("4 heads, 7·9 pairs, 8+6", op("Attention", (2, 4, 7, 6), Q=(2, 4, 7, 8), K=(2, 4, 9, 8), V=(2, 4, 9, 6)), 2 * 4 * 7 * 9 * 14),
    ("3d: 8 heads of 4, 2 for keys", op("Attention", (2, 7, 32), Q=(2, 7, 32), K=(2, 9, 8), V=(2, 9, 8), q_num_heads=8, kv_num_heads=2), 2 * 8 * 7 * 9 * 8),
    ("5 keys from the past", op("Attention", (1, 4, 1, 8), Q=(1, 4, 1, 8), K=(1, 4, 1, 8), V=(1, 4, 1, 8), past_key=(1, 4, 5, 8)), 4 * 6 * 16),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "expected"), [pytest.param(o, n, id=f"{o.name}: {why}") for why, o, n in CASES]
)
def test_macs_follow_the_derivation(operation, expected):
    costed = cost_of(operation)
    assert costed.state is CostState.COUNTED, costed.reason
    assert costed.cost.macs == expected
    assert costed.cost.activations == operation.output.numel


def test_einsum_sums_all_inputs():
    inputs = (TensorSpec((2, 3)), TensorSpec((3, 4)))
    arguments = (("Inputs", inputs), ("equation", "ij,jk->ik"))
    costed = cost_of(Operation("onnx.Einsum", arguments, (TensorSpec((2, 4)),)))
    assert costed.cost.macs == 2 * 3 * 4


def test_a_missing_number_of_heads_is_unknown():
    costed = cost_of(op("Attention", (2, 7, 32), Q=(2, 7, 32), K=(2, 9, 8), V=(2, 9, 8)))
    assert costed.state is CostState.UNKNOWN
    assert "heads" in costed.reason


def test_every_operator_of_the_standard_is_in_a_table():
    onnx = pytest.importorskip("onnx")
    if not onnx.__version__.startswith("1.23"):
        pytest.skip("another version of ONNX")
    standard = {
        f"onnx.{schema.name}"
        for schema in onnx.defs.get_all_schemas_with_history()
        if schema.domain == ""
    }
    listed = {name for name in registered() if name.startswith("onnx.")}
    assert standard - listed == set()
    assert listed - standard == {"onnx.SimplifiedLayerNormalization"}  # ONNX Runtime writes it
