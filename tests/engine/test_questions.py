"""What a network asks about values: answered where that is possible, found out where it is not."""

import contextlib
import types
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnninspect


class Net(nn.Module):
    """A forward of one's own with two layers; both may be trained."""

    def __init__(self, function):
        super().__init__()
        self.l, self.big, self.function = nn.Linear(8, 8), nn.Linear(8, 16), function
        self.register_buffer("steps", torch.tensor(3.0))

    def forward(self, x):
        return self.function(self, x)


def summary(function, inputs=((2, 8),), **options):
    return cnninspect.summarize(Net(function).eval(), list(inputs), **options)


# --- questions whose error is caught ---


def item(s, x):
    try:
        return s.big(x) if x.abs().max().item() > 1e9 else s.l(x)
    except RuntimeError:
        return s.big(x)


def truth(s, x):
    with contextlib.suppress(Exception):
        if x.sum() < 1e9:
            return s.l(x)
    return s.big(x)


def swallowed(ask):
    def forward(s, x):
        try:
            ask(x)
        except Exception:
            return s.big(x)
        return s.l(x)

    return forward


SWALLOWED = {
    "item": item,
    "truth": truth,
    "nonzero": swallowed(lambda x: torch.nonzero(x > -1e9)),
    "mask": swallowed(lambda x: x[x > -1e9]),
    "tolist": swallowed(lambda x: x.tolist()),
    "numpy": swallowed(lambda x: x.numpy().sum()),
    "array": swallowed(lambda x: __import__("numpy").asarray(x)),
    "float": swallowed(lambda x: float(x[0, 0])),
    "int": swallowed(lambda x: range(int(x[0, 0]))),
    "unique": swallowed(lambda x: torch.unique(x)),
    "equal": swallowed(lambda x: torch.equal(x, x + 1)),
}


@pytest.mark.parametrize("forward", SWALLOWED.values(), ids=SWALLOWED)
def test_a_question_whose_error_is_caught_is_found_out(forward):
    report = summary(forward)
    assert (report.engine.run, report.totals.macs) == ("real", 128)
    assert any("other data may give other counts" in note for note in report.engine.notes)


# --- questions that have an answer ---


def raising(s, x):
    y = s.l(x)
    if torch.isnan(y).any() or not torch.isfinite(y).all() or (y != y).any():
        raise FloatingPointError
    return y


def backward(s, x):
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        s.l(x).sum().backward()
        return x.grad


def gradient(s, x):
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        return torch.autograd.grad(s.l(x).tanh().sum(), x)[0]


ANSWERED = {
    "finite": (raising, 128),
    "assert": (lambda s, x: (torch._assert_async((s.l(x) > 0).all()), s.l(x))[1], 256),
    "distribution": (lambda s, x: torch.distributions.Normal(s.l(x), s.l(x).exp()).rsample(), 256),
    "categorical": (lambda s, x: torch.distributions.Categorical(logits=s.l(x)).sample(), 128),
    "quantile": (lambda s, x: torch.quantile(s.l(x), 0.5), 128),
    "rank": (lambda s, x: torch.linalg.matrix_rank(s.l(x)), 128),
    "bytes": (lambda s, x: s.l(torch.where((x > 0).byte(), x, -x)), 128),
    "byte mask": (lambda s, x: s.l(x)[torch.tensor([1, 1], dtype=torch.uint8)], 128),
    "loop": (lambda s, x: [x := s.l(x) for _ in range(int(s.steps))][-1], 3 * 128),
    "fake quantise": (
        lambda s, x: s.l(torch.fake_quantize_per_tensor_affine(x, 0.1, 0, 0, 9)), 128
    ),
    "shape of numpy": (lambda s, x: s.l(x.reshape(x.detach().numpy().shape)), 128),
    "tensor of tensors": (lambda s, x: (y := s.l(x)) * torch.tensor([y.mean(), 1.0])[1], 128),
    "grad": (gradient, 2 * 128),
    "backward": (backward, 3 * 128),
    "func.grad": (lambda s, x: torch.func.grad(lambda r: s.l(r).tanh().sum())(x), 2 * 128),
    "jacrev": (lambda s, x: torch.func.jacrev(lambda r: s.l(r).tanh())(x[0]), 64 + 8 * 64),
    "inference": (
        lambda s, x: torch.inference_mode()(lambda: F.linear(x, s.l.weight.view(8, 8)))(), 128
    ),
}  # fmt: skip


@pytest.mark.parametrize(("forward", "macs"), ANSWERED.values(), ids=ANSWERED)
def test_what_can_be_answered_needs_no_real_run(forward, macs):
    report = summary(forward)
    assert (report.engine.run, report.totals.macs) == ("abstract", macs)
    assert all(p.grad is None for p in Net(forward).parameters())


def test_a_live_network_that_calls_backward_gets_no_gradients():
    net = Net(backward)
    cnninspect.summarize(net, [(2, 8)])
    assert all(p.grad is None for p in net.parameters())


# --- experts ---


class Experts(nn.Module):
    def __init__(self, experts=8, chosen=2, how="where"):
        super().__init__()
        self.gate = nn.Linear(4, experts, bias=False)
        self.experts = nn.ModuleList(nn.Linear(4, 4, bias=False) for _ in range(experts))
        self.chosen, self.how = chosen, how

    def forward(self, x):
        weights, chosen = self.gate(x).softmax(-1).topk(self.chosen, -1)
        return getattr(self, self.how)(x, weights, chosen)

    def where(self, x, weights, chosen):
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            row, column = torch.where(chosen == i)
            out.index_add_(0, row, expert(x[row]) * weights[row, column, None])
        return out

    def any(self, x, weights, chosen):
        out = torch.zeros_like(x)
        for i, expert in enumerate(self.experts):
            mask = (chosen == i).any(-1)
            if mask.any():
                out[mask] += expert(x[mask])
        return out

    def counted(self, x, weights, chosen):
        order = chosen.flatten().argsort()
        sizes = torch.bincount(chosen.flatten(), minlength=len(self.experts)).tolist()
        parts = x.repeat_interleave(self.chosen, 0)[order].split(sizes)
        return torch.cat([expert(part) for expert, part in zip(self.experts, parts)])


@pytest.mark.parametrize("how", ["where", "any", "counted"])
@pytest.mark.parametrize(("experts", "chosen"), [(8, 2), (5, 1), (3, 3)])
@pytest.mark.parametrize("tokens", [1, 7, 40])
def test_experts_cost_tokens_times_chosen(how, experts, chosen, tokens):
    net = Experts(experts, chosen, how)
    report = cnninspect.summarize(net, [torch.zeros(tokens, 4)])
    assert report.engine.run == "abstract"
    assert report.totals.macs == tokens * 4 * experts + tokens * chosen * 16
    if chosen < experts:
        assert any("taken to choose" in note for note in report.engine.notes)


# --- what is run late, and what is returned in objects ---


class Generating(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.Linear(8, 8)

    def forward(self, x):
        for row in x:
            yield self.l(row)


class Waiting(Generating):
    async def forward(self, x):
        return self.l(x)


@pytest.mark.parametrize("kind", [Generating, Waiting])
def test_a_forward_that_runs_late_is_run(kind):
    assert cnninspect.summarize(kind(), [(2, 8)]).totals.macs == 128


@pytest.mark.parametrize(
    ("forward", "macs"),
    [
        (lambda s, x: (s.l(v) for v in x), 128),
        (lambda s, x: map(s.l, [x]), 128),
        (lambda s, x: {"a": s.l(x), "b": (s.l(v) for v in x)}, 256),
        (lambda s, x: [zip([s.l(x)], (s.l(v) for v in x))], 192),
    ],
)
def test_what_is_returned_to_run_late_is_run(forward, macs):
    assert summary(forward).totals.macs == macs


@dataclass
class Result:
    logits: object
    hidden: object = None


class Slots:
    __slots__ = ("logits",)

    def __init__(self, logits):
        self.logits = logits


class Plain:
    def __init__(self, logits):
        self.logits, self._private, self.itself = logits, logits, self


HELD = {
    "namespace": lambda y: types.SimpleNamespace(logits=y),
    "dataclass": Result,
    "slots": Slots,
    "instance": Plain,
    "mapping": lambda y: types.MappingProxyType({"logits": y}),
    "nested": lambda y: {"out": [types.SimpleNamespace(logits=y)]},
}


@pytest.mark.parametrize("hold", HELD.values(), ids=HELD)
def test_outputs_in_objects_are_found(hold):
    net = Net(lambda s, x: hold(s.l(x)))
    (output,) = cnninspect.summarize(net, [(2, 8)]).outputs
    assert (output.name.rpartition(".")[2], output.spec.shape) == ("logits", (2, 8))
    assert cnninspect.memory(net, [(2, 8)]).totals.backward_macs == 128


def test_a_distribution_is_walked():
    report = summary(lambda s, x: torch.distributions.Normal(s.l(x), 1.0))
    assert [output.name for output in report.outputs] == ["loc", "scale"]
