"""Which rung a network is traced on: without computing where its values do not matter."""

import copy
import os

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.engine import free_memory
from cnninspect.engine.tracing import trace
from cnninspect.errors import RunFailed
from cnninspect.records.models import LoadedModel, ModelInfo


class Chooses(nn.Module):
    """Goes on with the rows that score above 0."""

    def __init__(self):
        super().__init__()
        self.score, self.rest = nn.Linear(8, 1), nn.Linear(8, 4)

    def forward(self, x):
        return self.rest(x[self.score(x)[:, 0] > 0])


class Branches(Chooses):
    def forward(self, x):
        return self.rest(x) if self.score(x).sum() > 1e9 else x


class Lists(Chooses):
    def forward(self, x):
        return [self.rest(x[i]) for i in torch.nonzero(self.score(x)[:, 0] < 1e9)[:, 0]]


class Masks(nn.Module):
    """Looks at a mask of its own, as transformers do, which no input or weight has a part in."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 4)

    def forward(self, x):
        mask = torch.ones(300, 300, device=x.device)
        mask = mask.to(device=x.device, dtype=torch.bool)
        return self.linear(x) if mask.all() else x


class Experts(nn.Module):
    """Rows by group, each with a matrix of its own."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, 8, 4))

    def forward(self, x):
        ends = torch.tensor([2, 5, len(x)], dtype=torch.int32)
        return torch.ops.aten._grouped_mm(x, self.weight, ends)


class Copies(nn.Module):
    def __init__(self):
        super().__init__()
        block = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8))
        self.blocks = nn.Sequential(*[copy.deepcopy(block) for _ in range(2)])

    def forward(self, x):
        return self.blocks(x)


def traced(kind, shape=(6, 8)):
    loaded = LoadedModel(ModelInfo(kind.__name__, "python", kind.__name__), kind)
    return trace(loaded, [torch.randn(shape)])


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(Chooses, "aten.index"), (Branches, "bool()"), (Lists, "aten.nonzero")],
)
def test_a_network_that_asks_for_values_is_run_for_real_and_says_why(kind, reason):
    found = traced(kind)
    assert (found.how.build, found.how.run) == ("real", "real")
    assert found.how.notes[:1] == (
        f"run for real, because {reason} asks for a value that depends on weights or float inputs"
        "; other data may give other counts",
    )
    assert cnninspect.summarize(found).totals.macs >= 6 * 8


@pytest.mark.parametrize("kind", [Masks, Experts, Copies])
def test_a_network_that_only_asks_for_what_is_known_is_not(kind):
    found = traced(kind)
    assert (found.how.build, found.how.run, found.how.notes) == ("meta", "abstract", ())


def test_groups_of_rows_cost_each_row_once():
    report = cnninspect.summarize(traced(Experts))
    assert report.layers[0].output_shapes == ((6, 4),)
    assert report.totals.macs == 6 * 8 * 4


def test_copies_have_parameters_of_their_own():
    assert cnninspect.summarize(traced(Copies)).totals.parameters == 2 * (72 + 16)


def test_weights_that_do_not_fit_into_memory_are_not_allocated(monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda _: 10)
    with pytest.raises(RunFailed, match="its weights take 180 bytes and there are 100"):
        traced(Chooses)


@pytest.mark.parametrize(("limit", "fits"), [("100", False), ("max", True), ("100000", True)])
def test_the_limit_of_a_container_is_seen(monkeypatch, tmp_path, limit, fits):
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    places = ((str(tmp_path / "memory.max"), str(tmp_path / "memory.current")),)
    monkeypatch.setattr(free_memory, "CGROUPS", places)
    if fits:
        assert traced(Chooses).how.run == "real"
    else:
        with pytest.raises(RunFailed, match="its weights take 180 bytes and there are 100"):
            traced(Chooses)


def test_a_live_module_is_run_where_it_is(monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda _: 10)  # its weights have their memory already
    assert cnninspect.trace(Chooses(), torch.randn(6, 8)).how.run == "real"


@pytest.mark.parametrize("code", [0, 3])
def test_a_network_that_ends_the_process_is_an_error(code):
    class Quits(nn.Linear):
        def forward(self, x):
            raise SystemExit(code)

    with pytest.raises(RunFailed, match=rf"ends the process \(exit {code}\)"):
        cnninspect.summarize(Quits(2, 2), inputs=[(1, 2)])
