"""Loops, scans and sequences: as often as they run, and what is said where nobody knows."""

import numpy as np
import pytest
from graphs import BOOL, INT64, graph, ints, model, node, scalar, unshaped, value, weight

from cnninspect.errors import FileUnreadable
from cnninspect.metrics.summarizing import summarize_trace
from cnninspect.records.models import GivenValue

ROUND = 2 * 4 * 4


def summary(trace):
    return summarize_trace(trace, "macs")


def body(*nodes):
    """A body that multiplies what it is given by a stored matrix."""
    return graph(
        [*nodes, node("MatMul", "h w", "h2")],
        [value("i", dtype=INT64), value("go", dtype=BOOL), unshaped("h")],
        [value("go2", dtype=BOOL), unshaped("h2")],
    )


GOES_ON = node("Identity", "go", "go2")


def test_values_of_inputs_say_how_often_a_loop_runs(follow):
    made = model(
        [node("Loop", "n _ x", "y", body=body(GOES_ON))],
        [value("x", 2, 4), value("n", dtype=INT64)], [unshaped("y")], [weight("w", 4, 4)],
    )  # fmt: skip
    assert [gap.op for gap in summary(follow(made)).uncounted] == ["onnx.Loop"]
    for given in (GivenValue(5), np.array(5), 5):
        report = summary(follow(made, {"n": given}))
        assert (report.totals.macs, report.uncounted) == (5 * ROUND, ())


def test_the_body_of_a_loop_that_data_end_is_looked_into(follow):
    made = model(
        [node("Loop", "n _ x", "y", body=body(GOES_ON), name="steps")],
        [value("x", 2, 4), value("n", dtype=INT64)], [unshaped("y")], [weight("w", 4, 4)],
    )  # fmt: skip
    trace = follow(made)
    report = summary(trace)
    assert report.totals.parameters == 16
    assert trace.outputs[0].spec.shape == (2, 4)
    assert any("a round of it takes 32 MACs" in note for note in trace.how.notes)
    assert report.uncounted[0].reason == "how often it runs depends on data"


def test_sizes_that_grow_from_round_to_round_are_unknown_where_nobody_knows_how_often(follow):
    grows = graph(
        [GOES_ON, node("Concat", "h h", "h2", axis=0)],
        [value("i", dtype=INT64), value("go", dtype=BOOL), unshaped("h")],
        [value("go2", dtype=BOOL), unshaped("h2")],
    )
    nodes = [node("Loop", "n _ x", "y", body=grows), node("Shape", "y", "s", start=1)]
    made = model(nodes, [value("x", 2, 4), value("n", dtype=INT64)],
                 [unshaped("y"), unshaped("s", INT64)])  # fmt: skip
    assert [output.name for output in follow(made).outputs] == ["s"]
    assert follow(made, {"n": GivenValue(3)}).outputs[0].spec.shape == (16, 4)


@pytest.mark.parametrize("rounds", [0, 1, 17, 1000, 10**6])
def test_rounds_that_are_all_alike_are_multiplied(follow, rounds):
    made = model(
        [node("Loop", "n _ x", "y", body=body(GOES_ON))], [value("x", 2, 4)], [unshaped("y")],
        [weight("w", 4, 4), scalar("n", rounds)],
    )  # fmt: skip
    report = summary(follow(made))
    assert (report.totals.macs, report.uncounted) == (rounds * ROUND, ())


def test_a_multiplied_loop_that_holds_something_unknown_is_unknown(follow):
    inner = body(GOES_ON, node("Foo", "h", "f", domain="my.domain"))
    made = model(
        [node("Loop", "n _ x", "y", body=inner)], [value("x", 2, 4)], [unshaped("y")],
        [weight("w", 4, 4), scalar("n", 10**6)], domains=("my.domain",),
    )  # fmt: skip
    assert [gap.reason for gap in summary(follow(made)).uncounted] == [
        "its body holds what is not counted: my.domain.Foo"
    ]


def test_nested_loops_of_empty_bodies_end(follow):
    io = [value("i", dtype=INT64), value("go", dtype=BOOL), value("h", 3)]
    inner = graph([], io, [value("go", dtype=BOOL), value("h", 3)])
    for _ in range(3):
        loop = node("Loop", "n _ h", "h2", body=inner)
        inner = graph([loop], io, [value("go", dtype=BOOL), value("h2", 3)])
    made = model([node("Loop", "n _ x", "y", body=inner)], [value("x", 3)], [unshaped("y")],
                 [scalar("n", 29_999)])  # fmt: skip
    assert follow(made).outputs[0].spec.shape == (3,)


@pytest.mark.parametrize("count", [np.nan, 2.0])
def test_a_count_that_is_no_whole_number_does_not_fit(follow, count):
    from cnninspect.errors import FileUnreadable

    made = model(
        [node("Loop", "n _ x", "y", body=body(GOES_ON))], [value("x", 2, 4)], [unshaped("y")],
        [weight("w", 4, 4), scalar("n", count, np.float32)],
    )  # fmt: skip
    with pytest.raises(FileUnreadable, match="no whole number"):
        follow(made)


# --- scans --------------------------------------------------------------------------------


def stepping(*results):
    nodes = [node("MatMul", "h w", "hw"), node("Add", "hw t", "h2")]
    nodes += [node("Identity", "h2", name) for name in results]
    outs = [unshaped("h2"), *map(unshaped, results)]
    return graph(nodes, [unshaped("h"), unshaped("t")], outs)


@pytest.mark.parametrize(
    ("axes", "shapes"),
    [
        ({}, [(2, 4), (7, 2, 4), (7, 2, 4)]),
        ({"scan_output_axes": [0, 1]}, [(2, 4), (7, 2, 4), (2, 7, 4)]),
        ({"scan_output_axes": [2, -2]}, [(2, 4), (2, 4, 7), (2, 7, 4)]),
    ],
)
def test_results_of_a_scan_are_stacked_each_along_its_axis(follow, axes, shapes):
    made = model(
        [node("Scan", "h0 x", "y a b", body=stepping("p", "q"), num_scan_inputs=1, **axes)],
        [value("h0", 2, 4), value("x", 7, 2, 4)], [unshaped("y"), unshaped("a"), unshaped("b")],
        [weight("w", 4, 4)],
    )  # fmt: skip
    trace = follow(made)
    assert [output.spec.shape for output in trace.outputs] == shapes
    assert summary(trace).totals.macs == 7 * ROUND


@pytest.mark.parametrize(
    ("axis", "shape"),
    [(0, (7, 2, 4)), (1, (2, 7, 4)), (2, (2, 4, 7)), (-1, (2, 4, 7)), (-2, (2, 7, 4)),
     (-3, (7, 2, 4))],
)  # fmt: skip
def test_a_scan_runs_along_the_axis_that_it_names_from_either_end(follow, axis, shape):
    made = model(
        [node("Scan", "h0 x", "y a", body=stepping("p"), num_scan_inputs=1,
              scan_input_axes=[axis])],
        [value("h0", 2, 4), value("x", *shape)], [unshaped("y"), unshaped("a")],
        [weight("w", 4, 4)],
    )  # fmt: skip
    trace = follow(made)
    assert [output.spec.shape for output in trace.outputs] == [(2, 4), (7, 2, 4)]
    assert summary(trace).totals.macs == 7 * ROUND


@pytest.mark.parametrize(
    "axes",
    [{"scan_input_axes": [3]}, {"scan_input_axes": [-4]}, {"scan_output_axes": [3]},
     {"scan_output_axes": [-4]}, {"scan_input_axes": [0, 1]}],
)  # fmt: skip
def test_a_scan_along_an_axis_that_is_not_there_is_refused(follow, axes):
    made = model(
        [node("Scan", "h0 x", "y a", body=stepping("p"), num_scan_inputs=1, **axes)],
        [value("h0", 2, 4), value("x", 7, 2, 4)], [unshaped("y"), unshaped("a")],
        [weight("w", 4, 4)],
    )  # fmt: skip
    with pytest.raises(FileUnreadable, match=r"axis|axes"):
        follow(made)


def test_a_scan_over_very_many_steps_is_multiplied(follow):
    made = model(
        [node("Scan", "h0 x", "y a", body=stepping("p"), num_scan_inputs=1)],
        [value("h0", 2, 4), value("x", 50_000, 2, 4)], [unshaped("y"), unshaped("a")],
        [weight("w", 4, 4)],
    )  # fmt: skip
    trace = follow(made)
    assert summary(trace).totals.macs == 50_000 * ROUND
    assert trace.outputs[1].spec.shape == (50_000, 2, 4)


def test_the_first_form_of_a_scan_has_a_batch_in_front(follow):
    made = model(
        [node("Scan", "_ h0 x", "y a", body=stepping("p"), num_scan_inputs=1)],
        [value("h0", 3, 2, 4), value("x", 3, 5, 2, 4)], [unshaped("y"), unshaped("a")],
        [weight("w", 4, 4)], opset=8, ir=3,
    )  # fmt: skip
    trace = follow(made)
    assert [output.spec.shape for output in trace.outputs] == [(3, 2, 4), (3, 5, 2, 4)]
    assert summary(trace).totals.macs == 3 * 5 * ROUND


# --- branches -----------------------------------------------------------------------------


def test_of_two_branches_the_one_that_does_not_take_the_sizes_does_not_run(follow):
    branches = {
        f"{which}_branch": graph([node("MatMul", f"x {which}_w", "z")], [], [unshaped("z")])
        for which in ("then", "else")
    }
    made = model(
        [node("Equal", "sr k", "c"), node("If", "c", "y", name="rate", **branches)],
        [value("x", 1, "n"), value("sr", dtype=INT64)], [unshaped("y")],
        [scalar("k", 16000), weight("then_w", 512, 4), weight("else_w", 256, 3)],
    )  # fmt: skip
    for size, macs in ((512, 2048), (256, 768)):
        trace = follow(made, [(1, size)])
        assert summary(trace).totals.macs == macs
        assert any("does not take these sizes" in note for note in trace.how.notes)
    told = follow(made, {"x": (1, 512), "sr": GivenValue(16000)})
    assert summary(told).totals.macs == 2048
    assert not any("depends on data" in note for note in told.how.notes)


# --- sequences ----------------------------------------------------------------------------


def test_sequences_of_known_lengths_are_followed(follow):
    nodes = [
        node("SplitToSequence", "x k", "a", axis=0), node("SequenceAt", "a one", "b"),
        node("SequenceInsert", "a b", "c"), node("SequenceErase", "c zero", "d"),
        node("SequenceLength", "d", "n"), node("ConcatFromSequence", "d", "e", axis=0),
        node("MatMul", "e w", "y"),
    ]  # fmt: skip
    stored = [scalar("k", 2), scalar("one", 1), scalar("zero", 0), weight("w", 4, 3)]
    made = model(nodes, [value("x", 7, 4)], [unshaped("y"), unshaped("n", INT64)], stored)
    trace = follow(made)
    assert trace.outputs[0].spec.shape == (2 + 2 + 1 + 2, 3)
    assert summary(trace).totals.macs == 7 * 12


def test_a_sequence_is_stacked_along_a_new_axis(follow):
    nodes = [node("SequenceConstruct", "x x x", "a"),
             node("ConcatFromSequence", "a", "y", axis=1, new_axis=1)]  # fmt: skip
    made = model(nodes, [value("x", 2, 4)], [unshaped("y")])
    assert follow(made).outputs[0].spec.shape == (2, 3, 4)


def test_a_body_for_each_of_a_sequence_is_counted_each_time(follow):
    each = graph([node("MatMul", "h w", "z")], [unshaped("h")], [unshaped("z")])
    nodes = [node("SplitToSequence", "x", "a", axis=0), node("SequenceMap", "a", "b", body=each),
             node("ConcatFromSequence", "b", "y", axis=0)]  # fmt: skip
    made = model(nodes, [value("x", 5, 4)], [unshaped("y")], [weight("w", 4, 3)])
    trace = follow(made)
    assert trace.outputs[0].spec.shape == (5, 3)
    assert summary(trace).totals.macs == 5 * 12


def test_a_recurrent_layer_takes_as_many_steps_as_its_sequences_have(follow):
    lengths = ints("n", 7, 3)
    lengths.data_type, lengths.raw_data = 6, np.array([7, 3], np.int32).tobytes()
    made = model(
        [node("LSTM", "x w r _ n", "y", hidden_size=3)], [value("x", 7, 2, 5)], [unshaped("y")],
        [weight("w", 1, 12, 5), weight("r", 1, 12, 3), lengths],
    )  # fmt: skip
    assert summary(follow(made)).totals.macs == (7 + 3) * 12 * (5 + 3)
