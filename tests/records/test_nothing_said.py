"""What a record says where nothing was said: nothing was left out, and nothing is known."""

import pytest

from cnninspect.errors import BadOption
from cnninspect.records.operations import Cost, TensorSpec
from cnninspect.records.passes import DataUsed, GradientSettings
from cnninspect.records.traces import SavedStorage


def test_of_data_no_file_was_left_out_unless_one_was():
    data = DataUsed("digits")
    assert (data.images, data.classes, data.skipped) == (None, (), 0)


def test_what_is_kept_is_no_input_and_costs_nothing_unless_said():
    assert not SavedStorage("layer", 4).is_input
    assert Cost() == Cost(0, 0)
    assert Cost(3, 5) * 2 + Cost(1, 1) == Cost(7, 11)
    assert TensorSpec((2,)).dtype == "float32"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"every": 0, "steps": 5}, "--every 0"), ({"every": -2, "steps": 5}, "--every -2"),
        ({"batch": 0}, "--batch 0"), ({"seeds": 0}, "--seeds 0"), ({"seed": -1}, "--seed -1"),
        ({"batches": 0}, "--batches 0"), ({"steps": -1}, "--steps -1"), ({"every": 3}, "--every 3"),
    ],
    ids=str,
)  # fmt: skip
def test_a_number_that_cannot_be_is_named_as_it_was_given(settings, said):
    with pytest.raises(BadOption) as refused:
        GradientSettings(**settings)
    assert " ".join(str(refused.value).replace(":", "").replace("'", "").split()).find(said) >= 0
