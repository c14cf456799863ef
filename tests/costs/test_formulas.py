"""Hand-made operations and what they cost, each id its derivation."""

# ruff: noqa: E501 - a case is easier to check on one line

import pytest

from cnninspect.costs import cost_of
from cnninspect.records.operations import CostState, Operation, TensorSpec


def t(*shape, dtype="float32"):
    return TensorSpec(shape, dtype)


def op(name, outputs, **arguments):
    return Operation(name, tuple(arguments.items()), tuple(outputs))


def conv(given, weight, output, name="aten.convolution", **more):
    return op(name, [t(*output)], input=t(*given), weight=t(*weight), **more)


CONVOLUTIONS = [
    ("112·112 out, 64·3 channels, 7·7", conv((1, 3, 224, 224), (64, 3, 7, 7), (1, 64, 112, 112)),
     112 * 112 * 64 * 3 * 7 * 7),
    ("batch 8 is eight times one", conv((8, 3, 10, 10), (4, 3, 3, 3), (8, 4, 8, 8)),
     8 * (8 * 8 * 4 * 3 * 9)),
    ("batch 0 costs nothing", conv((0, 3, 10, 10), (4, 3, 3, 3), (0, 4, 8, 8)), 0),
    ("no output positions cost nothing", conv((2, 3, 0, 4), (4, 3, 1, 1), (2, 4, 0, 4)), 0),
    ("depthwise: 1 channel in each of 24 groups", conv((1, 24, 10, 10), (24, 1, 3, 3), (1, 24, 10, 10), groups=24),
     10 * 10 * 24 * 9),
    ("4 groups of 32/4 channels", conv((1, 32, 5, 5), (64, 8, 1, 1), (1, 64, 5, 5), groups=4), 25 * 64 * 8),
    ("1d: 30 out, 8·4 channels, 3", conv((2, 4, 32), (8, 4, 3), (2, 8, 30)), 2 * 30 * 8 * 4 * 3),
    ("3d: 2·4·4 out, 6·3 channels, 3·2·2", conv((1, 3, 4, 5, 5), (6, 3, 3, 2, 2), (1, 6, 2, 4, 4)),
     2 * 4 * 4 * 6 * 3 * 3 * 2 * 2),
    ("without a batch", conv((3, 10, 10), (4, 3, 3, 3), (4, 8, 8), "aten.conv2d"), 8 * 8 * 4 * 3 * 9),
    ("transposed: every 6·6 in meets 4·9", conv((1, 8, 6, 6), (8, 4, 3, 3), (1, 4, 13, 13), transposed=True),
     6 * 6 * 8 * 4 * 9),
    ("transposed, 2 groups: 8 in meet 3·9", conv((2, 8, 6, 6), (8, 3, 3, 3), (2, 6, 13, 13), transposed=True, groups=2),
     2 * 6 * 6 * 8 * 3 * 9),
    ("composite transposed, no batch", conv((8, 6), (8, 4, 3), (4, 13), "aten.conv_transpose1d"), 6 * 8 * 4 * 3),
    ("input called self", op("aten.cudnn_convolution", [t(1, 4, 8, 8)], self=t(1, 3, 10, 10), weight=t(4, 3, 3, 3)),
     8 * 8 * 4 * 3 * 9),
    ("deformable as plain", conv((1, 3, 10, 10), (4, 3, 3, 3), (1, 4, 8, 8), "torchvision.deform_conv2d"),
     8 * 8 * 4 * 3 * 9),
    ("tbc: 30 steps, batch 2, 3·4·8", op("aten.conv_tbc", [t(30, 2, 8)], self=t(32, 2, 4), weight=t(3, 4, 8)),
     30 * 2 * 3 * 4 * 8),
]  # fmt: skip


def backward(mask, **more):
    return op(
        "aten.convolution_backward", [t(2, 4, 9, 9)],
        grad_output=t(2, 6, 7, 7), input=t(2, 4, 9, 9), weight=t(6, 2, 3, 3), output_mask=mask, **more,
    )  # fmt: skip


FORWARD = 2 * 7 * 7 * 6 * 2 * 9
BACKWARD = [
    ("input and weight: twice forward", backward((True, True, True), transposed=False), 2 * FORWARD),
    ("weight alone: as forward", backward((False, True, False), transposed=False), FORWARD),
    ("bias alone: nothing", backward((False, False, True), transposed=False), 0),
    ("transposed: twice 6·6·8·4·9", op(
        "aten.convolution_backward", [t(1, 8, 6, 6)], grad_output=t(1, 4, 13, 13), input=t(1, 8, 6, 6),
        weight=t(8, 4, 3, 3), transposed=True, output_mask=(True, True, False)), 2 * 6 * 6 * 8 * 4 * 9),
    ("linear, both: twice 10·3·5", op(
        "aten.linear_backward", [t(2, 5, 3)], self=t(2, 5, 3), grad_output=t(2, 5, 5), weight=t(5, 3),
        output_mask=(True, True, True)), 2 * 10 * 3 * 5),
    ("attention: twice forward", op(
        "aten._scaled_dot_product_efficient_attention_backward", [t(2, 4, 7, 8)], query=t(2, 4, 7, 8),
        key=t(2, 4, 9, 8), value=t(2, 4, 9, 6)), 2 * 2 * 4 * 7 * 9 * (8 + 6)),
]  # fmt: skip

PRODUCTS = [
    ("mm 2·3·4", op("aten.mm", [t(2, 4)], self=t(2, 3), mat2=t(3, 4)), 2 * 3 * 4),
    ("mm with nothing to sum", op("aten.mm", [t(2, 4)], self=t(2, 0), mat2=t(0, 4)), 0),
    ("addmm without its bias", op("aten.addmm", [t(2, 4)], self=t(4), mat1=t(2, 3), mat2=t(3, 4)), 2 * 3 * 4),
    ("bmm 5·2·3·4", op("aten.bmm", [t(5, 2, 4)], self=t(5, 2, 3), mat2=t(5, 3, 4)), 5 * 2 * 3 * 4),
    ("addbmm sums over the batch too", op("aten.addbmm", [t(2, 4)], self=t(2, 4), batch1=t(5, 2, 3), batch2=t(5, 3, 4)),
     5 * 2 * 3 * 4),
    ("mv 6·7", op("aten.mv", [t(6)], self=t(6, 7), vec=t(7)), 42),
    ("dot 9", op("aten.dot", [t()], self=t(9), tensor=t(9)), 9),
    ("matmul of vectors 9", op("aten.matmul", [t()], self=t(9), other=t(9)), 9),
    ("matmul of matrix and vector", op("aten.matmul", [t(5, 6)], self=t(5, 6, 7), other=t(7)), 5 * 6 * 7),
    ("matmul of vector and matrix", op("aten.matmul", [t(6)], self=t(7), other=t(7, 6)), 7 * 6),
    ("matmul broadcasts 5,1 with 3", op("aten.matmul", [t(5, 3, 2, 4)], self=t(5, 1, 2, 6), other=t(3, 6, 4)),
     5 * 3 * 2 * 6 * 4),
    ("linear on 5·6 rows", op("aten.linear", [t(5, 6, 16)], input=t(5, 6, 32), weight=t(16, 32)), 5 * 6 * 32 * 16),
    ("linear on one row", op("aten.linear", [t(16)], input=t(32), weight=t(16, 32)), 32 * 16),
    ("linear to a scalar", op("aten.linear", [t(5)], input=t(5, 32), weight=t(32)), 5 * 32),
    ("packed int4: 3·64·8", op("aten._weight_int4pack_mm", [t(3, 8)], self=t(3, 64), mat2=t(1, 4, 32, 4)), 3 * 64 * 8),
    ("quantised linear 3·64·8", op("quantized.linear", [t(3, 8, dtype="quint8")], X=t(3, 64, dtype="quint8")), 3 * 64 * 8),
    ("two numbers in an element", op(
        "aten._scaled_mm", [t(2, 4)], self=t(2, 3, dtype="float4_e2m1fn_x2"), mat2=t(3, 4, dtype="float4_e2m1fn_x2")),
     2 * 6 * 4),
    ("grouped rows: each of 10 once", op("aten._grouped_mm", [t(10, 4)], self=t(10, 3), mat2=t(5, 3, 4), offs=t(5)),
     10 * 3 * 4),
    ("grouped stacks are a bmm", op("aten._grouped_mm", [t(5, 2, 4)], self=t(5, 2, 3), mat2=t(5, 3, 4)), 5 * 2 * 3 * 4),
    ("list of products", op("aten._foreach_mm", [t(2, 4), t(1, 1)], self=(t(2, 3), t(1, 7)), mat2=(t(3, 4), t(7, 1))),
     2 * 3 * 4 + 7),
    ("inner 2·3·5", op("aten.inner", [t(2, 3)], self=t(2, 5), other=t(3, 5)), 2 * 3 * 5),
    ("inner with a scalar is a scaling", op("aten.inner", [t(2, 5)], self=t(2, 5), other=t()), 0),
    ("tensordot over 4 and 5", op(
        "aten.tensordot", [t(3, 6)], self=t(3, 4, 5), other=t(5, 4, 6), dims_self=(1, -1), dims_other=(1, 0)),
     3 * 4 * 5 * 6),
    ("tensordot over nothing is an outer product", op(
        "aten.tensordot", [t(3, 6)], self=t(3), other=t(6), dims_self=(), dims_other=()), 0),
    ("dots along dimension 0", op("aten.linalg_vecdot", [t(4, 3)], x=t(5, 4, 1), y=t(5, 1, 3), dim=0), 5 * 4 * 3),
    ("bilinear 10 rows, 4·5·6", op("aten.bilinear", [t(10, 4)], input1=t(10, 5), input2=t(10, 6), weight=t(4, 5, 6)),
     10 * 4 * 5 * 6),
    ("trilinear, as bilinear ends", op(
        "aten._trilinear", [t(10, 4)], i1=t(10, 5), i2=t(4, 5, 6), i3=t(10, 6),
        expand1=(1, 3), expand2=(0,), expand3=(1, 2), sumdim=(2, 3)), 10 * 4 * 5 * 6),
    ("affine grid: 2·7·7 positions, 3·2", op("aten.affine_grid_generator", [t(2, 7, 7, 2)], theta=t(2, 2, 3)),
     2 * 7 * 7 * 3 * 2),
]  # fmt: skip

ATTENTION = [
    ("scores 16·16·8 and sum 16·16·8, 8 heads", op(
        "aten.scaled_dot_product_attention", [t(2, 4, 16, 8)], query=t(2, 4, 16, 8), key=t(2, 4, 16, 8),
        value=t(2, 4, 16, 8), is_causal=True), 2 * 4 * 16 * 16 * (8 + 8)),
    ("value wider than key", op(
        "aten._scaled_dot_product_flash_attention_for_cpu", [t(2, 4, 7, 6)], query=t(2, 4, 7, 8), key=t(2, 4, 9, 8),
        value=t(2, 4, 9, 6)), 2 * 4 * 7 * 9 * (8 + 6)),
    ("8 query heads share 2", op(
        "aten.scaled_dot_product_attention", [t(1, 8, 5, 4)], query=t(1, 8, 5, 4), key=t(1, 2, 5, 4),
        value=t(1, 2, 5, 4), enable_gqa=True), 8 * 5 * 5 * (4 + 4)),
    ("no heads: (length, width)", op(
        "aten.scaled_dot_product_attention", [t(5, 4)], query=t(5, 4), key=t(6, 4), value=t(6, 4)), 5 * 6 * 8),
    ("length first", op(
        "aten._flash_attention_forward", [t(2, 7, 4, 8)], query=t(2, 7, 4, 8), key=t(2, 9, 4, 8), value=t(2, 9, 4, 8)),
     2 * 4 * 7 * 9 * (8 + 8)),
    ("multi-head: 4 projections of 10·32·32, attention", op(
        "aten._native_multi_head_attention", [t(2, 10, 32)], query=t(2, 10, 32), key=t(2, 10, 32), value=t(2, 10, 32),
        embed_dim=32, num_head=4), 2 * (4 * 10 * 32 * 32 + 2 * 10 * 10 * 32)),
    ("encoder layer: multi-head, 10·32·64 twice", op(
        "aten._transformer_encoder_layer_fwd", [t(2, 10, 32)], src=t(2, 10, 32), embed_dim=32, num_heads=4,
        ffn_weight_1=t(64, 32)), 2 * (4 * 10 * 32 * 32 + 2 * 10 * 10 * 32 + 2 * 10 * 32 * 64)),
]  # fmt: skip


def rnn(name, given, params, layers=1, two_ways=False, **more):
    return op(
        name, [t(7, 3, 20)], **{"input": t(*given), **more}, params=tuple(t(*p) for p in params),
        num_layers=layers, bidirectional=two_ways,
    )  # fmt: skip


LSTM = [(80, 12), (80, 20), (80,), (80,)]
RECURRENT = [
    ("lstm: 21 tokens, 4·20·(12+20)", rnn("aten.lstm", (7, 3, 12), LSTM), 21 * 4 * 20 * (12 + 20)),
    ("lstm without a batch: 7 tokens", rnn("aten.lstm", (7, 12), LSTM), 7 * 4 * 20 * (12 + 20)),
    ("lstm of no tokens", rnn("aten.lstm", (0, 3, 12), LSTM), 0),
    ("packed: 15 tokens", op(
        "aten.lstm", [t(15, 20)], data=t(15, 12), batch_sizes=t(7), params=tuple(t(*p) for p in LSTM), num_layers=1,
        bidirectional=False), 15 * 4 * 20 * (12 + 20)),
    ("two layers: the second sees 20", rnn("aten.lstm", (7, 3, 12), [*LSTM, (80, 20), (80, 20), (80,), (80,)], 2),
     21 * 4 * 20 * (12 + 20 + 20 + 20)),
    ("both ways: twice; the second layer sees 40", rnn(
        "aten.gru", (7, 3, 12), [(60, 12), (60, 20)] * 2 + [(60, 40), (60, 20)] * 2, 2, two_ways=True),
     21 * 2 * 3 * 20 * (12 + 20 + 40 + 20)),
    ("projected to 5: 4·20·(12+5) and 20·5", rnn("aten.lstm", (7, 3, 12), [(80, 12), (80, 5), (80,), (80,), (5, 20)]),
     21 * (4 * 20 * (12 + 5) + 20 * 5)),
    ("gru: 3 gates", rnn("aten.gru", (7, 3, 12), [(60, 12), (60, 20)]), 21 * 3 * 20 * (12 + 20)),
    ("plain: 1 gate", rnn("aten.rnn_tanh", (7, 3, 12), [(20, 12), (20, 20)]), 21 * 20 * (12 + 20)),
    ("cell: one step of 3", op("aten.lstm_cell", [t(3, 20)], input=t(3, 12), w_ih=t(80, 12), w_hh=t(80, 20)),
     3 * 4 * 20 * (12 + 20)),
    ("cuDNN: mode 3 is a GRU", op(
        "aten._cudnn_rnn", [t(7, 3, 20)], input=t(7, 3, 12), weight=(t(60, 12), t(60, 20), t(60), t(60)), mode=3,
        num_layers=1, bidirectional=False), 21 * 3 * 20 * (12 + 20)),
    ("oneDNN: mode 2 is an LSTM", op(
        "aten.mkldnn_rnn_layer", [t(7, 3, 20)], input=t(7, 3, 12), weight0=t(80, 12), weight1=t(80, 20), mode=2),
     21 * 4 * 20 * (12 + 20)),
]  # fmt: skip

CASES = [*CONVOLUTIONS, *BACKWARD, *PRODUCTS, *ATTENTION, *RECURRENT]


@pytest.mark.parametrize(
    ("operation", "expected"),
    [pytest.param(o, n, id=f"{o.name.partition('.')[2]}: {why}") for why, o, n in CASES],
)
def test_macs_follow_the_derivation(operation, expected):
    costed = cost_of(operation)
    assert costed.state is CostState.COUNTED, costed.reason
    assert costed.cost.macs == expected
    assert costed.cost.activations == operation.output.numel


UNCOUNTABLE = [
    ("packed attention", op(
        "aten._efficient_attention_forward", [t(1, 7, 4, 8)], query=t(1, 7, 4, 8), key=t(1, 7, 4, 8),
        value=t(1, 7, 4, 8), cu_seqlens_q=t(3)), "packed"),
    ("a matrix product with a scalar", op("aten.matmul", [t(3)], self=t(3), other=t()), "scalar"),
    ("a missing argument", op("aten.mm", [t(2, 2)], self=t(2, 2)), "mat2"),
    ("weights that do not fit the layers", rnn("aten.lstm", (7, 3, 12), [(80, 12)] * 3, 2), "layers"),
    ("a quantised convolution", op("quantized.conv2d", [t(1, 2, 3, 3)]), "shows no shape"),
    ("a Fourier transform", op("aten._fft_r2c", [t(3)]), "Fourier"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("operation", "why"), [pytest.param(o, why, id=name) for name, o, why in UNCOUNTABLE]
)
def test_what_cannot_be_told_is_unknown_with_a_reason(operation, why):
    costed = cost_of(operation)
    assert costed.state is CostState.UNKNOWN
    assert why in costed.reason
    assert costed.cost.macs == 0


def test_the_reason_of_a_count_is_its_formula_with_the_numbers():
    costed = cost_of(conv((1, 3, 224, 224), (64, 3, 7, 7), (1, 64, 112, 112)))
    assert costed.reason == (
        "1 batch × 12,544 positions × 64 out channels × 3 in channels per group × 49 kernel"
    )
