"""Fake tensors refuse what real ones refuse, and have the layouts that those have.

Calls are drawn at random, over dtypes, layouts and sizes, a few of them illegal, and made both with
real tensors on the CPU and with fake ones.
"""

import random
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import cnninspect
from cnninspect.engine.fake_mode import Abstraction
from cnninspect.engine.fake_tensors import abstract_twin
from cnninspect.engine.fusion import Fusion
from cnninspect.engine.layouts import MARK, layout_of
from cnninspect.engine.recording import Recorder
from cnninspect.errors import RunFailed

DTYPES = [torch.float32] * 4 + [torch.float64, torch.bfloat16, torch.complex64, torch.int64]


class Draw:
    """Random tensors and sizes, seldom wrong ones."""

    def __init__(self, seed):
        self.choose = random.Random(seed)
        dtype = self.any(DTYPES)
        self.dtypes = [dtype if self.choose.random() < 0.75 else self.any(DTYPES) for _ in range(4)]

    def any(self, values):
        return self.choose.choice(values)

    def size(self):
        return self.any([1, 2, 3, 4])

    def sizes(self, rank):
        return [self.size() for _ in range(rank)]

    def tensor(self, sizes, which=0):
        sizes = list(sizes)
        if sizes and self.choose.random() < 0.15:
            sizes[self.choose.randrange(len(sizes))] += 1
        dtype, way = self.dtypes[which], self.choose.random()
        if way < 0.15 and len(sizes) > 1:
            turned = [*sizes[:-2], sizes[-1], sizes[-2]]
            return torch.zeros(turned, dtype=dtype).transpose(-1, -2)
        if way < 0.25 and sizes:
            return torch.zeros([*sizes[:-1], 1], dtype=dtype).expand(sizes)
        return torch.zeros(sizes, dtype=dtype)

    def maybe(self, sizes, which):
        return self.any([None, self.tensor(sizes, which)])


def linear(d):
    inputs, outputs = d.sizes(2)
    x = d.tensor([*d.sizes(d.any([0, 1, 2])), inputs])
    bias = d.any([None, torch.zeros(outputs, dtype=d.dtypes[2])])
    if torch.int64 in d.dtypes:  # whole numbers are added in another order
        bias = None
    return F.linear, (x, d.tensor([outputs, inputs], 1), bias)


def product(d):
    n, a, b, c = d.sizes(4)
    shapes = {
        torch.mm: ([a, b], [b, c]), torch.bmm: ([n, a, b], [n, b, c]), torch.mv: ([a, b], [b]),
        torch.dot: ([a], [a]), torch.matmul: ([n, a, b], [b, c]),
        torch.addmm: ([a, c], [a, b], [b, c]), torch.baddbmm: ([n, a, c], [n, a, b], [n, b, c]),
    }  # fmt: skip
    function = d.any(list(shapes))
    return function, tuple(d.tensor(shape, i) for i, shape in enumerate(shapes[function]))


def convolution(d):
    rank, groups = d.any([1, 2, 3]), d.any([1, 1, 2])
    inputs, outputs = groups * d.size(), groups * d.size()
    x = d.tensor([d.size(), inputs, *(d.any([2, 5, 6]) for _ in range(rank))])
    weight = d.tensor([outputs, inputs // groups, *d.sizes(rank)], 1)
    more = d.maybe([outputs], 2), d.any([1, 2]), d.any([0, 1]), d.any([1, 2]), groups
    return (F.conv1d, F.conv2d, F.conv3d)[rank - 1], (x, weight, *more)


def normalisation(d):
    shape = d.sizes(d.any([1, 2]))
    x = d.tensor([*d.sizes(d.any([0, 1, 2])), *shape])
    return F.layer_norm, (x, shape, d.maybe(shape, 1), d.maybe(shape, 2))


def batch_norm(d):
    channels = d.size()
    x = d.tensor([d.size(), channels, *d.sizes(d.any([1, 2]))])
    mean, variance = d.tensor([channels], 1), d.tensor([channels], 1)
    return F.batch_norm, (x, mean, variance, d.maybe([channels], 2), d.maybe([channels], 3))


def elementwise(d):
    functions = [
        torch.abs,
        torch.exp,
        F.gelu,
        F.relu,
        torch.sigmoid,
        F.silu,
        torch.tanh,
        F.hardswish,
    ]
    return d.any(functions), (d.tensor(d.sizes(d.any([0, 1, 3, 4]))),)


def of_two(d):
    shape = d.sizes(d.any([1, 2, 3]))
    other = d.any([d.tensor(shape[d.any([0, 0, 1]) :], 1), 2, 2.5])
    functions = [torch.add, torch.sub, torch.mul, torch.div, torch.eq, torch.ge]
    return d.any(functions), (d.tensor(shape), other)


def joined(d):
    shape = d.sizes(d.any([1, 2, 3]))
    tensors = [d.tensor(shape, i) for i in range(d.any([1, 2, 3]))]
    return d.any([torch.cat, torch.stack]), (tensors, d.any([0, 1, -1, 4]))


def pooling(d):
    function = d.any([F.max_pool2d, F.avg_pool2d])
    return function, (d.tensor([d.size(), d.size(), 5, 4]), d.any([1, 2, 3]), d.any([None, 1, 2]))


def reduction(d):
    function = d.any([torch.mean, torch.sum, torch.amax])
    dims = d.any([[0], [-1], [0, 1], [1, 1], [7]])
    return function, (d.tensor(d.sizes(d.any([1, 2, 3]))), dims, d.any([True, False]))


def softmax(d):
    return d.any([F.softmax, F.log_softmax]), (d.tensor(d.sizes(d.any([1, 2]))), d.any([-1, 0, 5]))


def attention(d):
    batch, heads, queries, keys, width, values = d.sizes(6)
    q = d.tensor([batch, heads, queries, width])
    k = d.tensor([batch, heads, keys, width], 1)
    v = d.tensor([*k.shape[:-1], values], 2)
    if v.shape[-2] != k.shape[-2]:  # the kernel on the CPU reads beyond its end then
        v = torch.zeros([*k.shape[:-1], values], dtype=v.dtype)
    return F.scaled_dot_product_attention, (q, k, v)


KINDS = [
    linear, product, convolution, normalisation, batch_norm, elementwise, of_two, joined, pooling,
    reduction, softmax, attention,
]  # fmt: skip


def fake(value):
    if isinstance(value, torch.Tensor):
        twin = abstract_twin(value)
        twin.__dict__[MARK] = (0, layout_of(twin))
        return twin
    return [fake(item) for item in value] if isinstance(value, list) else value


def outcome(function, args):
    """What comes of a call: shapes and dtypes, or that it raises."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = function(*args)
    except (RuntimeError, IndexError, ValueError, NotImplementedError, TypeError) as problem:
        return str(problem)
    return tuple(result.shape), result.dtype


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_call_on_fake_tensors_ends_as_on_real_ones(kind):
    compared = refused = 0
    for seed in range(150):
        function, args = kind(Draw(seed))
        real = outcome(function, args)
        if isinstance(real, str) and ("not implemented for" in real or "not support" in real):
            continue  # it may be supported on another device
        recorder = Recorder({})
        fakes = [fake(value) if not isinstance(value, (int, bool)) else value for value in args]
        with torch.no_grad(), Fusion(recorder, computes=False), Abstraction(recorder):
            seen = outcome(function, fakes)
        where = f"{function.__name__} seed {seed}: real {real}, fake {seen}"
        assert isinstance(seen, str) == isinstance(real, str), where
        if not isinstance(real, str):
            assert seen == real, where
        compared += 1
        refused += isinstance(real, str)
    assert compared > 40
    assert 0 < refused < compared or kind in (elementwise, pooling)


def test_a_float64_layer_refuses_float32_as_it_does_for_real():
    net = nn.Linear(4, 3, dtype=torch.float64)
    with pytest.raises(RunFailed, match="same dtype"):
        cnninspect.summarize(net, [torch.zeros(2, 4)])


def test_float32_weights_beside_half_precision_stay_possible():
    net = nn.LayerNorm(4).eval()
    assert cnninspect.summarize(net, [torch.zeros(2, 4, dtype=torch.bfloat16)]).totals.macs == 0


@pytest.mark.parametrize("odd", [None, 0, 1, 2])
@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (torch.addmm, [(2, 4), (2, 3), (3, 4)]), (torch.addmv, [(2,), (2, 3), (3,)]),
        (torch.baddbmm, [(5, 2, 4), (5, 2, 3), (5, 3, 4)]),
        (torch.addbmm, [(2, 4), (5, 2, 3), (5, 3, 4)]),
    ],
)  # fmt: skip
def test_a_product_with_a_sum_takes_three_of_one_dtype(function, shapes, odd):
    dtypes = [torch.float64 if i == odd else torch.float32 for i in range(3)]
    args = [torch.zeros(shape, dtype=dtype) for shape, dtype in zip(shapes, dtypes)]
    real = outcome(function, args)
    recorder = Recorder({})
    with torch.no_grad(), Fusion(recorder, computes=False), Abstraction(recorder):
        seen = outcome(function, [fake(value) for value in args])
    assert isinstance(real, str) is isinstance(seen, str) is (odd is not None)
