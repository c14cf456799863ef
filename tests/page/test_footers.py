"""What stands below a table, counted out."""

from dataclasses import replace

import pytest
from hand_built import resnet10

from cnninspect.page.footers import TENSORS_NAMED
from cnninspect.page.formats import render
from cnninspect.records.operations import NamedTensor, TensorSpec


@pytest.mark.parametrize(
    ("count", "named", "more"),
    [(1, 0, ""), (2, 2, ""), (TENSORS_NAMED, TENSORS_NAMED, ""),
     (TENSORS_NAMED + 1, TENSORS_NAMED, "and 1 more"),
     (TENSORS_NAMED + 1200, TENSORS_NAMED, "and 1,200 more")],
)  # fmt: skip
def test_of_many_outputs_the_first_are_named_and_the_others_counted(count, named, more):
    outputs = tuple(NamedTensor(f"out{i:04}x", TensorSpec((1, i + 1))) for i in range(count))
    text = " ".join(render(replace(resnet10(), outputs=outputs), width=400).split())
    assert sum(f"out{i:04}x" in text for i in range(count)) == named
    assert ("more" in text.partition("outputs")[2].partition("traced")[0]) is bool(more)
    assert more in text
