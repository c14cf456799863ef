"""The sizes of inputs: those asked for, those of the file, those that are assumed."""

import numpy as np
import pytest
from graphs import INT64, convolution, model, node, scalar, unshaped, value, weight

from cnninspect.errors import BadInput, BadOption, RunFailed, ShapeMismatch
from cnninspect.records.models import GivenValue, InputRequest


def typed(*shape, name=None, dtype=None):
    """What `--input` asks for: a shape with or without the batch."""
    return InputRequest(shape, dtype=dtype, name=name, batched=None)


def shapes(trace):
    return [tensor.spec.shape for tensor in trace.inputs]


def adding(*axes):
    return model([node("Relu", "x", "y")], [value("x", *axes)], [unshaped("y")])


def test_fixed_sizes_are_those_of_the_file(follow):
    assert shapes(follow(convolution(batch=2))) == [(2, 3, 8, 8)]


@pytest.mark.parametrize(
    ("asked", "batch", "expected"),
    [
        ([], 1, (1, 3, 8, 8)),
        ([], 5, (5, 3, 8, 8)),
        ([typed(3, 8, 8)], 1, (1, 3, 8, 8)),
        ([typed(3, 8, 8)], 5, (5, 3, 8, 8)),
        ([typed(4, 3, 8, 8)], 1, (4, 3, 8, 8)),
        ([typed(4, 3, 8, 8)], 2, (8, 3, 8, 8)),
        ([typed(4, 3, 8, 8, name="x", dtype="float32")], 1, (4, 3, 8, 8)),
    ],
)
def test_an_open_batch_is_what_was_asked_for(follow, asked, batch, expected):
    assert shapes(follow(convolution(batch="N"), asked, batch=batch)) == [expected]


def test_tensors_and_shapes_by_name_will_do(follow):
    class Tensor:
        shape, dtype = (6, 3, 8, 8), "torch.float32"

    assert shapes(follow(convolution(batch="N"), [Tensor()])) == [(6, 3, 8, 8)]
    assert shapes(follow(convolution(batch="N"), kwargs={"x": (6, 3, 8, 8)})) == [(6, 3, 8, 8)]


@pytest.mark.parametrize(
    ("axes", "expected", "note"),
    [
        (("batch", 3, "height", "width"), (1, 3, 224, 224), "height=224, width=224 assumed"),
        ((None, 3, None, None), (1, 3, 224, 224), "x[2]=224, x[3]=224 assumed"),
        (("batch", "sequence"), (1, 128), "sequence=128 assumed"),
        (("batch", "heads", "past_length", 64), None, ""),
        (("batch_size", "past_sequence_length"), (1, 0), "past_sequence_length=0 assumed"),
    ],
)
def test_open_sizes_with_telling_names_are_assumed_and_said(follow, axes, expected, note):
    if expected is None:
        with pytest.raises(BadInput, match="nothing tells heads"):
            follow(adding(*axes))
        return
    trace = follow(adding(*axes))
    assert shapes(trace) == [expected]
    assert trace.how.notes[0].startswith(note)


def test_sizes_of_the_same_name_are_the_same(follow):
    made = model(
        [node("Add", "a b", "y")],
        [value("a", "N", "length", 4), value("b", "N", "length", 4)], [unshaped("y")],
    )  # fmt: skip
    assert shapes(follow(made, [typed(2, 9, 4)])) == [(2, 9, 4), (2, 9, 4)]
    with pytest.raises(BadInput, match="9 is length=9, and 8 was given"):
        follow(made, [typed(2, 9, 4), typed(2, 8, 4)])


def test_the_example_of_an_export_says_what_open_sizes_were(follow):
    made = adding("batch", 3, "height", "width")
    made.metadata_props.add(key="cnninspect.inputs", value="x:float32:2x3x48x64")
    trace = follow(made)
    assert shapes(trace) == [(1, 3, 48, 64)]
    assert trace.how.notes == ()


@pytest.mark.parametrize(
    ("asked", "options", "message"),
    [
        ([typed(4, 8, 8)], {}, "3 is fixed in the file, and 4 was given"),
        ([typed(8, 8)], {}, "x is N×3×8×8 in the file"),
        ([typed(3, 8, 8, name="z")], {}, "no input of that name"),
        ([typed(3, 8, 8, dtype="int64")], {}, "x is float32 in the file, not int64"),
        ([typed(3, 8, 8), typed(3, 8, 8)], {}, "2 were given, and the file takes x"),
        (["text"], {}, "takes tensors, their shapes or their values"),
        ([typed(1, 3, -8, 8)], {}, "cannot be negative"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(follow, asked, options, message):
    with pytest.raises(BadInput, match=message):
        follow(convolution(batch="N"), asked, **options)


def test_an_input_without_a_shape_has_to_be_told(follow):
    parts = [unshaped("x")], [unshaped("y")], [weight("w", 4, 3, 3, 3)]
    told = model([node("Conv", "x w", "y")], *parts)
    with pytest.raises(BadInput, match="does not say what shape it has") as problem:
        follow(told)
    assert "--input x:" in problem.value.hint
    trace = follow(told, [typed(2, 3, 8, 8)])
    assert shapes(trace) == [(2, 3, 8, 8)]
    assert [tensor.spec.shape for tensor in trace.outputs] == [(2, 4, 6, 6)]
    with pytest.raises(BadInput, match="cannot be negative"):
        follow(told, [typed(1, -3)])


def test_a_batch_that_the_file_fixes_cannot_be_chosen(follow):
    with pytest.raises(BadInput, match="fixes the first size of its input at 1") as problem:
        follow(convolution(), batch=4)
    assert "--dynamic batch" in problem.value.hint


def test_a_size_without_the_batch_gets_the_one_that_the_file_fixes(follow):
    assert shapes(follow(convolution(batch=4), [typed(3, 8, 8)])) == [(4, 3, 8, 8)]


def test_files_run_as_they_were_exported(follow):
    with pytest.raises(BadOption, match="--mode train"):
        follow(convolution(), mode="train")


def test_sizes_that_do_not_fit_name_the_layer(follow):
    made = model(
        [node("Flatten", "x", "f"), node("Gemm", "f head.weight", "y", name="/head/Gemm")],
        [value("x", "N", 3, "h", "w")], [unshaped("y")], [weight("head.weight", 48, 5)],
    )  # fmt: skip
    assert shapes(follow(made, [typed(3, 4, 4)])) == [(1, 3, 4, 4)]
    with pytest.raises(ShapeMismatch) as problem:
        follow(made, [typed(3, 5, 5)])
    assert (problem.value.layer, problem.value.got) == ("head", "1×75, 48×5")


def test_inputs_that_are_stored_tensors_are_left_out(follow):
    made = model(
        [node("Add", "x w", "y")], [value("x", 2), value("w", 2)], [unshaped("y")],
        [weight("w", 2)], ir=3, opset=9,
    )  # fmt: skip
    assert [tensor.name for tensor in follow(made).inputs] == ["x"]


def test_tokens_keep_their_type(follow):
    made = model([node("Gather", "w x", "y")], [value("x", "batch", "tokens", dtype=INT64)],
                 [unshaped("y")], [weight("w", 10, 4)])  # fmt: skip
    assert follow(made).inputs[0].spec.dtype == "int64"


@pytest.mark.parametrize("given", [GivenValue(7), np.array(7), 7, np.array([7])[0]])
def test_values_of_inputs_are_known_as_the_graph_runs(follow, given):
    made = model(
        [node("Range", "zero n one", "y")],
        [value("n", dtype=INT64)], [unshaped("y", INT64)], [scalar("zero", 0), scalar("one", 1)],
    )  # fmt: skip
    assert follow(made, {"n": given}).outputs[0].spec.shape == (7,)


@pytest.mark.parametrize(
    ("given", "said"), [(2.5, "is int64 in the file"), ([1, 2], "n is"), ("x", "takes numbers")]
)
def test_values_that_an_input_cannot_hold_are_refused(follow, given, said):
    made = model(
        [node("Range", "zero n one", "y")],
        [value("n", dtype=INT64)], [unshaped("y", INT64)], [scalar("zero", 0), scalar("one", 1)],
    )  # fmt: skip
    with pytest.raises(BadInput) as problem:
        follow(made, {"n": GivenValue(given)})
    assert said in str(problem.value)


@pytest.mark.parametrize(
    "inputs",
    [
        {"a": (7, 4), "b": (9, 4)}, {"b": (9, 4), "a": (7, 4)}, [{"a": (7, 4), "b": (9, 4)}],
        {"a": np.zeros((7, 4), np.float32), "b": np.zeros((9, 4), np.float32)},
        [np.zeros((7, 4), np.float32), np.zeros((9, 4), np.float32)], [(7, 4), (9, 4)],
    ],
)  # fmt: skip
def test_inputs_go_by_order_or_by_name(follow, inputs):
    made = model([node("Concat", "a b", "y", axis=0)], [value("a", "n", 4), value("b", "m", 4)],
                 [unshaped("y")])  # fmt: skip
    trace = follow(made, inputs)
    assert [named.spec.shape for named in trace.inputs] == [(7, 4), (9, 4)]
    assert trace.outputs[0].spec.shape == (16, 4)


def test_a_first_size_that_is_no_batch_is_said_to_be_assumed(follow):
    made = model([node("Relu", "x", "y")], [value("x", "boxes", 4)], [unshaped("y")])
    assert any("boxes=1 assumed" in note for note in follow(made).how.notes)
    made = model([node("Relu", "x", "y")], [value("x", "batch", 4)], [unshaped("y")])
    assert follow(made).how.notes == ()


def test_assumed_sizes_that_do_not_fit_are_not_the_files_fault(follow):
    made = model([node("Concat", "x c", "y", axis=1)], [value("x", "N", 3, "h", "w")],
                 [unshaped("y")], [weight("c", 1, 1, 48, 48)])  # fmt: skip
    with pytest.raises(RunFailed) as problem:
        follow(made)
    assert problem.value.hint == "h=224, w=224 were assumed; --input sets them"
