"""What a record says where nothing was said: nothing was left out, and nothing is known."""

from cnninspect.records.operations import Cost, TensorSpec
from cnninspect.records.passes import DataUsed
from cnninspect.records.traces import SavedStorage


def test_of_data_no_file_was_left_out_unless_one_was():
    data = DataUsed("digits")
    assert (data.images, data.classes, data.skipped) == (None, (), 0)


def test_what_is_kept_is_no_input_and_costs_nothing_unless_said():
    assert not SavedStorage("layer", 4).is_input
    assert Cost() == Cost(0, 0)
    assert Cost(3, 5) * 2 + Cost(1, 1) == Cost(7, 11)
    assert TensorSpec((2,)).dtype == "float32"
