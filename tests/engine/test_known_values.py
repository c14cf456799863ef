"""Which values are known in a run, and of which dtype what is made, whatever changes meanwhile."""

import pytest
import torch
from torch import nn

import cnninspect


class Runs(nn.Module):
    """A layer, and after it a function of its output."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.linear = nn.Linear(3, 3)

    def forward(self, x):
        return self.function(self.linear(x))


def run(function):
    return cnninspect.trace(Runs(function), (2, 3))


# --- what something unknown was written into ---


def by_index(known, y):
    known[1] = y.mean()


def by_copy(known, y):
    known.copy_(y[0])


def by_addition(known, y):
    known += y[0]


def through_a_view(known, y):
    known.view(3, 1)[0].fill_(y.mean())


def by_mask(known, y):
    known.masked_fill_(torch.tensor([True, False, True]), y.mean())


WRITES = [by_index, by_copy, by_addition, through_a_view, by_mask]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("look", [lambda k: k, lambda k: k.view(1, 3), lambda k: k[1:2]])
def test_what_something_unknown_was_written_into_is_not_known(write, look):
    def decides(y):
        known = torch.zeros(3)
        seen = look(known)
        write(known, y)
        return y + 1 if seen.sum() > 0 else y - 1

    assert run(decides).how.run == "real"


@pytest.mark.parametrize("write", WRITES)
def test_other_values_stay_known(write):
    def decides(y):
        for _ in range(20):
            gone = torch.zeros(3)
            write(gone, y)
            del gone  # a new one may lie where this one lay
            known = torch.ones(3)
            y = y + 1 if known.sum() == 3 else y.new_zeros(5)
        return y

    traced = run(decides)
    assert traced.how.run == "abstract"
    assert traced.outputs[0].spec.shape == (2, 3)


# --- where what was written comes from ---


@pytest.mark.parametrize("write", WRITES)
def test_what_was_written_through_a_view_comes_from_who_wrote_it(write):
    def writes(y):
        base = torch.empty_like(y)[0]
        view = base.view(3)
        write(view, y)
        return base * 2

    traced = run(writes)
    last = traced.calls[-1]
    assert last.operation.name == "aten.mul"
    (source,) = {index for index in last.inputs if index >= 0}
    names = {"aten.copy_", "aten.add_", "aten.fill_", "aten.masked_fill_"}
    assert traced.calls[source].operation.name in names


# --- the default dtype ---


MAKERS = {
    "empty": lambda: torch.empty(2, 3), "zeros": lambda: torch.zeros(2, 3),
    "full": lambda: torch.full((2, 3), 0.5), "rand": lambda: torch.rand(2, 3),
    "many": lambda: torch.zeros(1500, 1500), "steps": lambda: torch.linspace(0, 1, 7),
    "from whole numbers": lambda: torch.arange(4) / 2,
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_the_default_dtype_of_the_moment_holds_within_a_run(name):
    make = MAKERS[name]

    def changes(y):
        made = [make(), make()]
        torch.set_default_dtype(torch.float64)
        made += [make(), make()]
        torch.set_default_dtype(torch.float32)
        made.append(make())
        return [tensor + 0 for tensor in made]

    before = torch.get_default_dtype()
    try:
        traced = run(changes)
    finally:
        torch.set_default_dtype(before)
    expected = ["float32"] * 2 + ["float64"] * 2 + ["float32"]
    assert [output.spec.dtype for output in traced.outputs] == expected
    adding = [call for call in traced.calls if call.operation.name == "aten.add"]
    made_by = [traced.calls[call.inputs[0]].operation for call in adding]
    assert [operation.output.dtype for operation in made_by] == expected
