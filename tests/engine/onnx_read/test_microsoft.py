"""ONNX Runtime's own operators: shapes as it gives them, and what they cost."""

import numpy as np
import pytest
from graphs import externally, model, node, unshaped, value, weight
from onnx import TensorProto, numpy_helper

from cnninspect.metrics.summarizing import summarize_trace
from cnninspect.metrics.summary import StoredAs

I8, U8 = np.int8, np.uint8
UINT8 = TensorProto.UINT8
MS = "com.microsoft"
QUANTISED = [weight("s"), weight("z", dtype=U8), weight("zi", dtype=I8)]


def attention(batch, heads, queries, keys, width, value_width=None):
    return batch * heads * queries * keys * (width + (value_width or width))


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "shape", "macs", "stored"),
    [
        ("FusedMatMul", "x w", {"transA": 1}, (8, 5), 8 * 3 * 5, [weight("w", 3, 5)]),
        ("FusedMatMul", "x w", {"transB": 1}, (3, 5), 3 * 8 * 5, [weight("w", 5, 8)]),
        ("FusedMatMul", "x w", {}, (7, 3, 5), 7 * 3 * 8 * 5, [weight("w", 7, 8, 5)]),
        ("FusedMatMul", "x w", {}, (3,), 24, [weight("w", 8)]),
        ("MatMulNBits", "x w s", {"K": 8, "N": 6, "bits": 4, "block_size": 16}, (3, 6), 144,
         [weight("w", 6, 1, 8, dtype=U8), weight("s", 6)]),
        ("DynamicQuantizeMatMul", "x w s", {}, (3, 5), 120, [weight("w", 8, 5, dtype=I8),
                                                            weight("s")]),
        ("QuickGelu", "x", {}, (3, 8), 0, []),
        ("BiasGelu", "x w", {}, (3, 8), 0, [weight("w", 8)]),
        ("BiasSplitGelu", "x w", {}, (3, 4), 0, [weight("w", 8)]),
    ],
)  # fmt: skip
def test_products_and_activations(follow, op, inputs, attributes, shape, macs, stored):
    made = model([node(op, inputs, "y", domain=MS, **attributes)], [value("x", 3, 8)],
                 [unshaped("y")], stored, domains=(MS,))  # fmt: skip
    trace = follow(made)
    report = summarize_trace(trace, "macs")
    assert trace.outputs[0].spec.shape == shape
    assert (report.totals.macs, report.uncounted) == (macs, ())


@pytest.mark.parametrize(
    ("op", "inputs", "given", "attributes", "shapes", "macs"),
    [
        ("Attention", "q w", {"q": (2, 5, 8), "w": (8, 24)}, {"num_heads": 2},
         [(2, 5, 8)], 2 * 5 * 8 * 24 + attention(2, 2, 5, 5, 4)),
        ("Attention", "q w", {"q": (2, 5, 8), "w": (8, 20)},
         {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 4]},
         [(2, 5, 4)], 2 * 5 * 8 * 20 + attention(2, 2, 5, 5, 4, 2)),
        ("Attention", "q w _ _ p", {"q": (2, 1, 8), "w": (8, 24), "p": (2, 2, 2, 6, 4)},
         {"num_heads": 2}, [(2, 1, 8), (2, 2, 2, 7, 4)],
         2 * 8 * 24 + attention(2, 2, 1, 7, 4)),
        ("MultiHeadAttention", "q k v", {"q": (2, 5, 8), "k": (2, 3, 8), "v": (2, 3, 12)},
         {"num_heads": 2}, [(2, 5, 12)], attention(2, 2, 5, 3, 4, 6)),
        ("MultiHeadAttention", "q k v _ _ _ p p",
         {"q": (2, 5, 8), "k": (2, 3, 8), "v": (2, 3, 8), "p": (2, 2, 9, 4)},
         {"num_heads": 2}, [(2, 5, 8), (2, 2, 12, 4)], attention(2, 2, 5, 12, 4)),
        ("MultiHeadAttention", "q k v", {"q": (2, 5, 8), "k": (2, 2, 3, 4), "v": (2, 2, 3, 4)},
         {"num_heads": 2}, [(2, 5, 8)], attention(2, 2, 5, 3, 4)),
        ("MultiHeadAttention", "q", {"q": (2, 5, 2, 3, 4)}, {"num_heads": 2}, [(2, 5, 8)],
         attention(2, 2, 5, 5, 4)),
        ("GroupQueryAttention", "q k v p p", {"q": (2, 5, 16), "k": (2, 5, 8), "v": (2, 5, 8),
                                              "p": (2, 2, 3, 4)},
         {"num_heads": 4, "kv_num_heads": 2}, [(2, 5, 16), (2, 2, 8, 4)],
         attention(2, 4, 5, 8, 4)),
        ("GroupQueryAttention", "q", {"q": (2, 5, 32)}, {"num_heads": 4, "kv_num_heads": 2},
         [(2, 5, 16)], attention(2, 4, 5, 5, 4)),
    ],
)  # fmt: skip
def test_attention(follow, op, inputs, given, attributes, shapes, macs):
    outputs = ["y", "present"][: len(shapes)]
    made = model([node(op, inputs, " ".join(outputs), domain=MS, **attributes)],
                 [value(name, *shape) for name, shape in given.items()],
                 list(map(unshaped, outputs)), domains=(MS,))  # fmt: skip
    trace = follow(made)
    report = summarize_trace(trace, "macs")
    assert [output.spec.shape for output in trace.outputs] == shapes
    assert (report.totals.macs, report.uncounted) == (macs, ())


@pytest.mark.parametrize(
    ("op", "inputs", "attributes", "shape"),
    [
        ("QLinearAdd", "a s z x s z s z", {}, (1, 4, 8, 8)),
        ("QLinearMul", "a s z x s z s z", {}, (1, 4, 8, 8)),
        ("QLinearConcat", "s z a s z x s z", {"axis": 2}, (1, 4, 16, 8)),
        ("QLinearAveragePool", "a s z s z", {"kernel_shape": [2, 2]}, (1, 4, 7, 7)),
        ("QLinearGlobalAveragePool", "a s z s z", {}, (1, 4, 1, 1)),
        ("QLinearSigmoid", "a s z s z", {}, (1, 4, 8, 8)),
        ("QLinearLeakyRelu", "a s z s z", {}, (1, 4, 8, 8)),
        ("QLinearSoftmax", "a s z s z", {}, (1, 4, 8, 8)),
    ],
)
def test_between_quantised_convolutions(follow, op, inputs, attributes, shape):
    conv = "{} s z w s zi s z"
    nodes = [node("QLinearConv", conv.format("x"), "a", pads=[1] * 4),
             node(op, inputs, "b", domain=MS, **attributes),
             node("QLinearConv", conv.format("b"), "y", pads=[1] * 4)]  # fmt: skip
    made = model(nodes, [value("x", 1, 4, 8, 8, dtype=UINT8)], [unshaped("y", UINT8)],
                 [*QUANTISED, weight("w", 4, 4, 3, 3, dtype=I8)], domains=(MS,))  # fmt: skip
    trace = follow(made)
    assert trace.outputs[0].spec.shape == shape
    report = summarize_trace(trace, "macs")
    assert report.totals.macs == 4 * 36 * (64 + shape[2] * shape[3])
    assert report.totals.parameters == 144


def test_a_quantised_product_stays_bytes_if_it_has_a_scale(follow):
    for scales, dtype in (("_ s z", "uint8"), ("", "float32")):
        made = model(
            [node("QGemm", f"x s z w s zi {scales}".strip(), "y", domain=MS)],
            [value("x", 2, 8, dtype=UINT8)], [unshaped("y", 0)],
            [*QUANTISED, weight("w", 8, 6, dtype=I8)], domains=(MS,),
        )  # fmt: skip
        trace = follow(made)
        assert (trace.outputs[0].spec.shape, trace.outputs[0].spec.dtype) == ((2, 6), dtype)
        assert summarize_trace(trace, "macs").totals.macs == 96


def test_an_lstm_that_quantises_as_it_runs(follow):
    made = model(
        [node("DynamicQuantizeLSTM", "x w r b _ _ _ _ s zi s zi", "y h", hidden_size=16,
              domain=MS)],
        [value("x", 5, 2, 32)], [unshaped("y"), unshaped("h")],
        [*QUANTISED, weight("w", 1, 32, 64, dtype=I8), weight("r", 1, 16, 64, dtype=I8),
         weight("b", 1, 128)], domains=(MS,),
    )  # fmt: skip
    trace = follow(made)
    totals = summarize_trace(trace, "macs").totals
    assert [output.spec.shape for output in trace.outputs] == [(5, 1, 2, 16), (1, 2, 16)]
    assert totals.macs == 5 * 2 * 64 * (32 + 16)
    assert totals.parameters == 32 * 64 + 16 * 64 + 128


def test_the_entrance_of_a_fused_bert(follow):
    nodes = [
        node("EmbedLayerNormalization", "i j we pe se g b", "e m", domain=MS),
        node("Attention", "e w wb", "a", num_heads=4, domain=MS),
        node("SkipLayerNormalization", "a e g b", "s", domain=MS), node("MatMul", "s o", "y"),
    ]  # fmt: skip
    shapes = {"we": (50, 32), "pe": (20, 32), "se": (2, 32), "g": (32,), "b": (32,), "w": (32, 96),
              "wb": (96,), "o": (32, 8)}  # fmt: skip
    stored = [weight(name, *shape) for name, shape in shapes.items()]
    made = model(nodes, [value("i", 2, 5, dtype=6), value("j", 2, 5, dtype=6)], [unshaped("y")],
                 stored, domains=(MS,))  # fmt: skip
    trace = follow(made)
    assert trace.outputs[0].spec.shape == (2, 5, 8)
    macs = 10 * 32 * 96 + attention(2, 4, 5, 5, 8) + 10 * 32 * 8
    assert summarize_trace(trace, "macs").totals.macs == macs


@pytest.mark.parametrize(
    ("automatic", "size"), [("SAME_UPPER", 4), ("SAME_LOWER", 4), ("VALID", 3)]
)
def test_fused_convolutions_pad_by_themselves(follow, automatic, size):
    fused = node("FusedConv", "x w", "y", domain=MS, activation="Relu", auto_pad=automatic,
                 strides=[2, 2])  # fmt: skip
    made = model([fused], [value("x", 1, 3, 8, 8)], [unshaped("y")], [weight("w", 5, 3, 3, 3)],
                 domains=(MS,))  # fmt: skip
    trace = follow(made)
    assert trace.outputs[0].spec.shape == (1, 5, size, size)
    assert summarize_trace(trace, "macs").totals.macs == size * size * 5 * 27


def test_channels_in_blocks(follow):
    blocked = f"{MS}.nchwc"
    nodes = [
        node("ReorderInput", "x", "a", domain=blocked), node("Conv", "a w", "b", domain=blocked),
        node("MaxPool", "b", "c", kernel_shape=[2, 2], strides=[2, 2], domain=blocked),
        node("ReorderOutput", "c", "y", channels=16, domain=blocked),
    ]  # fmt: skip
    made = model(nodes, [value("x", 1, 16, 8, 8)], [unshaped("y")], [weight("w", 16, 16, 3, 3)],
                 domains=(blocked,))  # fmt: skip
    trace = follow(made)
    assert trace.outputs[0].spec.shape == (1, 16, 3, 3)
    assert summarize_trace(trace, "macs").totals.macs == 36 * 16 * 16 * 9


def test_channels_that_only_fill_up_a_block_are_left_out(follow):
    blocked = f"{MS}.nchwc"
    nodes = [
        node("Conv", "x w b", "a", domain=blocked), node("Conv", "x v", "c", domain=blocked),
        node("Add", "a c", "d"),
        node("MaxPool", "d", "e", kernel_shape=[2, 2], domain=blocked),
        node("ReorderOutput", "e", "y", channels=6, domain=blocked),
    ]  # fmt: skip
    stored = [weight("w", 16, 3, 5, 5), weight("b", 16), weight("v", 16, 3, 5, 5)]
    made = model(nodes, [value("x", 1, 3, 8, 8)], [unshaped("y")], stored, domains=(blocked,))
    trace = follow(made)
    totals = summarize_trace(trace, "macs").totals
    assert trace.outputs[0].spec.shape == (1, 6, 3, 3)
    assert totals.macs == 2 * 16 * 6 * 75
    assert totals.parameters == 2 * 6 * 75 + 6


def test_weights_are_told_by_the_types_in_which_they_are_stored(follow):
    nodes = [node("DequantizeLinear", "w s", "d"), node("MatMul", "x d", "y")]
    made = model(nodes, [value("x", 3, 8)], [unshaped("y")],
                 [weight("w", 8, 5, dtype=I8), weight("s")])  # fmt: skip
    assert summarize_trace(follow(made), "macs").stored == (StoredAs("int8", 40, 40),)


def test_bytes_of_packed_weights_are_those_that_are_stored(follow):
    packed = node("MatMulNBits", "x w s", "y", K=16, N=16, bits=4, block_size=16, domain=MS)
    made = model([packed], [value("x", 1, 16)], [unshaped("y")],
                 [weight("w", 16, 1, 8, dtype=U8), weight("s", 16)], domains=(MS,))  # fmt: skip
    assert summarize_trace(follow(made), "macs").stored == (
        StoredAs("uint4", 256, 128), StoredAs("float32", 16, 64),
    )  # fmt: skip


def in_blocks(name, array, block):
    """A weight whose channels are filled up and laid out in blocks, as onnxruntime stores it."""
    outputs, inputs, *window = array.shape
    wide = inputs if inputs < block else -(-inputs // block) * block
    filled = np.zeros((-(-outputs // block) * block, wide, *window), np.float32)
    filled[:outputs, :inputs] = array
    parts = filled.reshape(len(filled) // block, block, wide, *window)
    if wide == inputs and inputs < block:
        laid = np.moveaxis(parts, 1, -1)
    else:
        laid = parts.reshape(len(parts), block, wide // block, block, *window)
        laid = laid.transpose(0, 2, 4, 5, 3, 1)
    return numpy_helper.from_array(np.ascontiguousarray(laid).reshape(filled.shape), name)


@pytest.mark.parametrize("block", [8, 16])
@pytest.mark.parametrize("channels", [4, 12, 20, 32])
@pytest.mark.parametrize("between", ["Relu", "QuickGelu", "Sigmoid"])
def test_zeros_at_both_ends_tell_how_many_channels_there_are(follow, block, channels, between):
    blocked = f"{MS}.nchwc"
    first, last = np.ones((channels, 3, 3, 3)), np.ones((16, channels, 3, 3))
    nodes = [
        node("Conv", "x w", "a", domain=blocked),
        node(between, "a", "b", domain=MS if between == "QuickGelu" else ""),
        node("Conv", "b v", "c", domain=blocked),
        node("ReorderOutput", "c", "y", channels=16, domain=blocked),
    ]
    if channels < block:  # such a convolution takes what is not in blocks
        nodes.insert(2, node("ReorderOutput", "b", "r", channels=channels, domain=blocked))
        nodes[3].input[0] = "r"
    stored = [in_blocks("w", first, block), in_blocks("v", last, block)]
    made = model(nodes, [value("x", 1, 3, 9, 9)], [unshaped("y")], stored, domains=(MS, blocked))
    trace = follow(made)
    totals = summarize_trace(trace, "macs").totals
    assert totals.macs == 49 * channels * 27 + 25 * 16 * channels * 9
    assert totals.parameters == channels * 27 + 16 * channels * 9
    has_cut = channels >= block and channels % block
    assert any("fills up a block" in note for note in trace.how.notes) == bool(has_cut)


@pytest.mark.parametrize("dead", ["w", "v"])
def test_filters_that_are_0_at_one_end_only_are_weights(follow, dead):
    blocked = f"{MS}.nchwc"
    first, last = np.ones((16, 3, 3, 3)), np.ones((16, 16, 3, 3))
    if dead == "w":
        first[12:] = 0
    else:
        last[:, 12:] = 0
    nodes = [
        node("Conv", "x w", "a", domain=blocked), node("Conv", "a v", "c", domain=blocked),
        node("ReorderOutput", "c", "y", channels=16, domain=blocked),
    ]  # fmt: skip
    stored = [in_blocks("w", first, 16), in_blocks("v", last, 16)]
    made = model(nodes, [value("x", 1, 3, 9, 9)], [unshaped("y")], stored, domains=(blocked,))
    trace = follow(made)
    assert summarize_trace(trace, "macs").totals.parameters == 16 * 27 + 16 * 16 * 9
    assert not any("block" in note for note in trace.how.notes)


def test_weights_beside_the_file_are_looked_at_for_blocks_and_may_be_missing(follow, tmp_path):
    blocked = f"{MS}.nchwc"
    first, last = np.ones((12, 3, 3, 3)), np.ones((16, 12, 3, 3))
    nodes = [
        node("Conv", "x w", "a", domain=blocked), node("Conv", "a v", "c", domain=blocked),
        node("ReorderOutput", "c", "y", channels=16, domain=blocked),
    ]  # fmt: skip
    stored = [in_blocks("w", first, 8), in_blocks("v", last, 8)]
    made = model(nodes, [value("x", 1, 3, 9, 9)], [unshaped("y")], stored, domains=(blocked,))
    beside = tmp_path / "weights.bin"
    beside.write_bytes(made.graph.initializer[0].raw_data)
    apart = externally(made, tmp_path, location="weights.bin")
    assert summarize_trace(follow(apart), "macs").totals.parameters == 12 * 27 + 16 * 12 * 9
    beside.unlink()
    assert summarize_trace(follow(apart), "macs").totals.parameters == 16 * 27 + 16 * 16 * 9


def test_a_batch_norm_that_became_a_convolution_counts_nothing(follow):
    blocked = f"{MS}.nchwc"
    nodes = [
        node("ReorderInput", "x", "a", domain=blocked),
        node("Conv", "a {0} {1}", "b", group=16, domain=blocked),
        node("ReorderOutput", "b", "y", channels=16, domain=blocked),
    ]  # fmt: skip
    found = []
    for scale, shift in (("bn_scale_token_3", "bn_B_token_4"), ("w", "s")):
        nodes[1].input[1:] = [scale, shift]
        stored = [weight(scale, 16, 1, 1, 1), weight(shift, 16)]
        made = model(nodes, [value("x", 1, 16, 8, 8)], [unshaped("y")], stored, domains=(blocked,))
        totals = summarize_trace(follow(made), "macs").totals
        found.append((totals.macs, totals.parameters))
    assert found == [(0, 32), (64 * 16, 32)]


def test_values_are_looked_at_up_to_a_bound(follow, monkeypatch):
    from cnninspect.engine.onnx_read import stored_values

    blocked = f"{MS}.nchwc"
    nodes = [node("Conv", "x w", "a0", domain=blocked)]
    nodes += [node("Conv", f"a{i} v", f"a{i + 1}", domain=blocked) for i in range(30)]
    stored = [
        in_blocks("w", np.ones((12, 3, 1, 1)), 16),
        in_blocks("v", np.ones((12, 12, 1, 1)), 16),
    ]
    read = []
    monkeypatch.setattr(
        stored_values, "_filling", lambda tensor, content: read.append(tensor.name) or (4, 4)
    )
    made = model(nodes, [value("x", 1, 3, 2, 2)], [unshaped("a30")], stored, domains=(blocked,))
    follow(made)
    assert sorted(read) == ["v", "w"]
    monkeypatch.setattr(stored_values, "MOST_TOGETHER", 100)
    read.clear()
    follow(made)
    assert read == []
