"""Ratios, limits and frontiers over hand-made figures."""

from dataclasses import replace

import pytest
from hand_made_figures import figures

from cnninspect.commands.compare.report import comparison_of
from cnninspect.commands.find.report import select
from cnninspect.errors import BadQuantity
from cnninspect.metrics.frontier import cost_on
from cnninspect.metrics.limits import limits_of
from cnninspect.metrics.summary import Uncounted
from cnninspect.records.models import Accuracy
from cnninspect.records.operations import NamedTensor, TensorSpec

SMALL, LARGE = figures("small", 100, 1000), figures("large", 300, 4000)
VAGUE = replace(figures("vague", 50, 500), uncounted=(Uncounted("x.odd", 1, ("a",)),))


def found(
    models, baseline=None, axes=("parameters", "macs", "accuracy"), any_input=False, **limits
):
    return select(
        models, [], baseline=baseline, limits=limits_of(limits.items()), axes=axes,
        sources=("zoo",), pattern="*", any_input=any_input,
    )  # fmt: skip


def test_ratios_are_to_the_baseline():
    report = comparison_of([SMALL, LARGE], [], baseline=SMALL)
    assert report.models[0].ratios.macs == 1
    assert report.models[1].ratios.macs == 4
    assert report.models[1].ratios.parameters == 3


def test_limits_mark_what_fits_and_name_what_is_exceeded():
    limits = limits_of([("max_params", "200"), ("min_macs", "2000")])
    report = comparison_of([SMALL, LARGE], [], baseline=None, limits=limits)
    assert [model.fits for model in report.models] == [False, False]
    assert [model.exceeded for model in report.models] == [("min_macs",), ("max_params",)]


def test_a_share_is_one_of_the_baseline():
    limits = limits_of([("max_macs", "50%")])
    report = comparison_of([SMALL, LARGE], [], baseline=LARGE, limits=limits)
    assert [model.fits for model in report.models] == [True, False]
    assert report.limits[0].limit == 2000
    with pytest.raises(BadQuantity, match=r"max.macs"):
        comparison_of([SMALL], [], baseline=None, limits=limits)


def test_what_has_no_formula_leaves_a_limit_on_work_open():
    report = comparison_of([VAGUE], [], baseline=None, limits=limits_of([("max_macs", "600")]))
    assert report.models[0].fits is None
    over = comparison_of([VAGUE], [], baseline=None, limits=limits_of([("max_macs", "400")]))
    assert over.models[0].fits is False
    by_size = comparison_of([VAGUE], [], baseline=None, limits=limits_of([("max_params", "60")]))
    assert by_size.models[0].fits is True


def test_only_what_fits_is_found_and_what_is_open_is_named():
    report = found([SMALL, LARGE, VAGUE], max_macs="1000")
    assert [model.model.name for model in report.models] == ["small"]
    assert report.open == ("vague",)
    assert report.searched == 3


def test_the_frontier_comes_first_and_then_fewest_macs():
    worse = figures("worse", 110, 1100)
    slim = figures("slim", 40, 9000)
    report = found([LARGE, worse, SMALL, slim])
    assert [(m.model.name, m.frontier) for m in report.models] == [
        ("small", True), ("slim", True), ("worse", False), ("large", False),
    ]  # fmt: skip
    assert report.axes == ("parameters", "macs")


def test_accuracy_is_an_axis_where_it_is_known():
    best = replace(LARGE, accuracy=Accuracy(80.0, None, "V1", "torchvision"))
    report = found([SMALL, best, figures("worse", 400, 5000)])
    assert {m.model.name for m in report.models if m.frontier} == {"small", "large"}
    assert "accuracy" in report.axes


def test_capacity_takes_many_parameters_for_good():
    report = found([SMALL, LARGE, figures("worse", 200, 4000)], axes=("capacity", "macs"))
    assert {m.model.name for m in report.models if m.frontier} == {"small", "large"}


def test_what_takes_something_else_than_most_is_left_out():
    digits = replace(
        figures("digits", 10, 100), inputs=(NamedTensor("x", TensorSpec((1, 1, 8, 8))),)
    )
    renamed = replace(LARGE, inputs=(NamedTensor("image", TensorSpec((1, 3, 8, 8))),))
    report = found([digits, SMALL, renamed])
    assert [model.model.name for model in report.models] == ["small", "large"]
    assert report.inputs == (TensorSpec((1, 3, 8, 8)),)
    assert [other.models for other in report.other_inputs] == [("digits",)]
    assert report.other_inputs[0].inputs == (TensorSpec((1, 1, 8, 8)),)
    everything = found([digits, SMALL, renamed], any_input=True)
    assert {model.model.name for model in everything.models} == {"digits", "small", "large"}
    assert everything.inputs is None
    assert everything.other_inputs == ()


def test_the_most_common_input_is_that_of_what_fits():
    """Networks beyond the limit have no say in what is compared."""
    digits = [
        replace(figures(name, 10, 100), inputs=(NamedTensor("x", TensorSpec((1, 1, 8, 8))),))
        for name in ("one", "two")
    ]
    large = [figures(f"large{i}", 300, 4000) for i in range(5)]
    report = found([*large, *digits], max_params="200")
    assert [model.model.name for model in report.models] == ["one", "two"]
    assert report.other_inputs == ()


@pytest.mark.parametrize(
    ("limits", "fits"),
    [
        ([("min_macs", "400")], True), ([("min_macs", "600")], None),
        ([("min_macs", "600"), ("max_params", "10")], False),
        ([("min_params", "60")], False), ([("max_macs", "600"), ("min_macs", "400")], None),
    ],
)  # fmt: skip
def test_what_has_no_formula_may_still_reach_a_minimum(limits, fits):
    report = comparison_of([VAGUE], [], baseline=None, limits=limits_of(limits))
    assert report.models[0].fits is fits
    assert ("min_macs" in report.models[0].exceeded) is False


def test_on_a_frontier_the_more_accurate_is_the_better():
    def with_accuracy(name, params, top1):
        return replace(figures(name, params, 1000), accuracy=Accuracy(top1, top1, "d", "s"))

    models = [with_accuracy("a", 100, 70.0), with_accuracy("b", 200, 80.0),
              with_accuracy("c", 300, 75.0)]  # fmt: skip
    report = found(models, axes=("parameters", "accuracy"))
    assert {model.model.name for model in report.models if model.frontier} == {"a", "b"}
    assert cost_on({"accuracy": models[0].accuracy}, "accuracy") == -70.0
    assert cost_on({"accuracy": None}, "accuracy") is None
    assert cost_on({"totals": models[1].totals}, "capacity") == -200.0
    assert cost_on({"totals": models[1].totals}, "macs") == 1000
