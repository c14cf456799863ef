"""Each entry of the tables is reached by its function; what is taken apart counts once."""

import subprocess
import sys
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._higher_order_ops import scan, while_loop
from torch._higher_order_ops.map import map as map_rows
from torch.nn.attention.flex_attention import flex_attention

import cnninspect
from cnninspect.costs import cost_of
from cnninspect.records.operations import CostState


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self.a, self.b = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def traced(function, *shapes):
    return cnninspect.trace(Calls(function), [torch.rand(shape) for shape in shapes])


S = (3, 3)
SQUARE = [S]
REACHED = {
    "aten.cosine_similarity": (lambda s, x, y: F.cosine_similarity(x, y), [(2, 4)] * 2),
    "aten.pairwise_distance": (lambda s, x, y: nn.PairwiseDistance()(x, y), [(2, 4)] * 2),
    "aten.triplet_margin_loss": (lambda s, x, y, z: F.triplet_margin_loss(x, y, z), [(2, 4)] * 3),
    "aten.cosine_embedding_loss": (
        lambda s, x, y: F.cosine_embedding_loss(x, y, torch.ones(2)), [(2, 4)] * 2,
    ),
    "aten.linalg_vecdot": (lambda s, x, y: torch.linalg.vecdot(x, y), [(2, 4)] * 2),
    "aten._cdist_forward": (lambda s, x, y: torch.cdist(x, y), [(2, 4)] * 2),
    "aten._pdist_forward": (lambda s, x: torch.pdist(x), [(3, 4)]),
    "aten.dist": (lambda s, x, y: torch.dist(x, y), [(2, 4)] * 2),
    "aten.linalg_cross": (lambda s, x, y: torch.linalg.cross(x, y), [(2, 3)] * 2),
    "aten._fft_r2c": (lambda s, x: torch.fft.rfft(x), [(2, 8)]),
    "aten._fft_c2r": (lambda s, x: torch.fft.irfft(x.to(torch.cfloat)), [(2, 5)]),
    "aten._fft_c2c": (lambda s, x: torch.fft.fft(x.to(torch.cfloat)), [(2, 8)]),
    "aten.linalg_cholesky_ex": (lambda s, x: torch.linalg.cholesky(x), SQUARE),
    "aten.linalg_inv_ex": (lambda s, x: torch.linalg.inv(x), SQUARE),
    "aten._linalg_det": (lambda s, x: torch.linalg.det(x), SQUARE),
    "aten._linalg_slogdet": (lambda s, x: torch.linalg.slogdet(x), SQUARE),
    "aten._linalg_eigh": (lambda s, x: torch.linalg.eigh(x), SQUARE),
    "aten._linalg_svd": (lambda s, x: torch.linalg.svd(x), SQUARE),
    "aten.linalg_qr": (lambda s, x: torch.linalg.qr(x), SQUARE),
    "aten._linalg_solve_ex": (lambda s, x, y: torch.linalg.solve(x, y), [S, S]),
    "aten.linalg_solve_triangular": (
        lambda s, x, y: torch.linalg.solve_triangular(x, y, upper=True), [S, S],
    ),
    "aten.linalg_matrix_exp": (lambda s, x: torch.linalg.matrix_exp(x), SQUARE),
    "aten._trilinear": (
        lambda s, x, y: F.bilinear(x, y, torch.rand(5, 4, 3)), [(2, 4), (2, 3)],
    ),
    "aten.affine_grid_generator": (lambda s, x: F.affine_grid(x, [1, 1, 4, 4]), [(1, 2, 3)]),
    "aten.scaled_dot_product_attention": (
        lambda s, x: F.scaled_dot_product_attention(x, x, x), [(1, 2, 4)],
    ),
    "aten._int_mm": (
        lambda s, x: torch._int_mm(x.to(torch.int8), torch.ones(16, 8, dtype=torch.int8)),
        [(32, 16)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REACHED)
def test_the_public_function_reaches_its_entry_of_the_table(name):
    function, shapes = REACHED[name]
    calls = traced(function, *shapes).calls
    assert name in {call.operation.name for call in calls}
    costed = next(cost_of(c.operation) for c in calls if c.operation.name == name)
    assert costed.state is not CostState.FREE
    assert costed.cost.macs or costed.state is CostState.UNKNOWN


SUMMED = {
    "matmul": (lambda s, x, y: x @ y, [(2, 3, 4), (4, 5)], 2 * 3 * 4 * 5),
    "inner": (lambda s, x, y: torch.inner(x, y), [(3, 4), (5, 4)], 3 * 4 * 5),
    "tensordot": (lambda s, x, y: torch.tensordot(x, y, 1), [(3, 4), (4, 5)], 3 * 4 * 5),
    "einsum": (lambda s, x, y: torch.einsum("ij,kj->ik", x, y), [(3, 4), (5, 4)], 3 * 4 * 5),
    "vecdot": (lambda s, x, y: torch.linalg.vecdot(x, y), [(3, 4), (3, 4)], 12),
    "multi_dot": (lambda s, x, y: torch.linalg.multi_dot([x, y]), [(3, 4), (4, 5)], 60),
    "matrix_power": (lambda s, x: torch.linalg.matrix_power(x, 2), [(3, 3)], 27),
    "conv without batch": (lambda s, x, w: F.conv1d(x, w), [(4, 9), (6, 4, 3)], 6 * 4 * 3 * 7),
    "cov": (lambda s, x: torch.cov(x), [(3, 5)], 3 * 3 * 5),
}


@pytest.mark.parametrize("name", SUMMED)
def test_a_composite_counts_what_it_is_made_of(name):
    function, shapes, macs = SUMMED[name]
    report = cnninspect.summarize(traced(function, *shapes))
    assert (report.totals.macs, report.coverage.unknown) == (macs, 0)


COMPLEX = [
    (F.conv1d, (2, 3, 9), (4, 3, 2), {}, 2 * 4 * 3 * 2 * 8),
    (F.conv2d, (1, 4, 5, 6), (6, 2, 2, 3), {"groups": 2}, 6 * 2 * 6 * 4 * 4),
    (F.conv3d, (1, 2, 3, 3, 3), (2, 2, 2, 2, 2), {}, 2 * 2 * 8 * 8),
    (F.conv_transpose2d, (1, 3, 4, 5), (3, 2, 2, 2), {"stride": 2}, 20 * 3 * 2 * 4),
]


@pytest.mark.parametrize(("function", "given", "weight", "options", "macs"), COMPLEX)
def test_a_complex_convolution_counts_once(function, given, weight, options, macs):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.rand(weight, dtype=torch.cfloat))
            self.scale = nn.Parameter(torch.rand(1))

        def forward(self, x):
            return function((x * self.scale).to(torch.cfloat), self.w, **options).abs()

    assert cnninspect.summarize(Net(), [given]).totals.macs == macs
    step = cnninspect.memory(Net(), [given])
    assert (step.totals.forward_macs, step.totals.backward_macs) == (macs, 2 * macs)
    assert not cnninspect.summarize(Net(), [given], backward=True).uncounted


def cross(function):
    """What a function gives for each row of one tensor and each of another."""
    return lambda x, y: function(x[:, None], y[None])


DISTANCES = {
    # name: function of (3, 4) and (3, 4), MACs forward, MACs backward
    "cosine": (F.cosine_similarity, 12, 0),
    "cosine of all pairs": (cross(lambda x, y: F.cosine_similarity(x, y, -1)), 36, 72),
    "one cosine": (lambda x, y: F.cosine_similarity(x, y[:1]), 12, 12),
    "distance": (F.pairwise_distance, 12, 0),
    "distance of all pairs": (cross(F.pairwise_distance), 36, 72),
    "dots": (torch.linalg.vecdot, 12, 0),
    "dots of all pairs": (cross(torch.linalg.vecdot), 36, 72),
    "cdist": (torch.cdist, 36, 72),
    "pdist": (lambda x, y: torch.pdist(x + y), 12, 24),
    "dist": (torch.dist, 12, 0),
    "cosine loss": (lambda x, y: F.cosine_embedding_loss(x, y, torch.ones(3)), 12, 0),
    "triplet loss": (lambda x, y: F.triplet_margin_loss(x, y, x.flip(0)), 24, 0),
    "triplet loss with swap": (
        lambda x, y: F.triplet_margin_loss(x, y, x.flip(0), swap=True), 36, 0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DISTANCES)
def test_a_distance_counts_each_coordinate_of_each_pair(name):
    function, forward, backward = DISTANCES[name]
    net = Calls(lambda s, x, y: function(s.a(x), s.b(y)))
    report = cnninspect.summarize(net, [(3, 4)] * 2, backward=True)
    step = cnninspect.memory(net, [(3, 4)] * 2)
    products = 2 * 48  # of the two layers, forward; backward for their weights alone
    assert (report.totals.macs, report.uncounted) == (products + forward, ())
    assert step.totals.forward_macs == products + forward
    assert step.totals.backward_macs == products + backward


def test_a_distance_that_sums_no_products_is_unknown():
    report = cnninspect.summarize(traced(lambda s, x, y: torch.cdist(x, y, p=1), *[(3, 4)] * 2))
    assert [gap.reason for gap in report.uncounted] == ["a distance of power 1.0 sums no products"]


# --- control flow ---

ROWS = 16 * 2
FLOW = {
    "cond, dearer": (
        lambda s, x: torch.cond(x.sum() > 0, lambda q: s.a(q), lambda q: s.b(s.b(q)), (x,)),
        2 * ROWS,
    ),
    "cond, other dearer": (
        lambda s, x: torch.cond(x.sum() > 0, lambda q: s.a(s.b(q)), lambda q: s.b(q), (x,)),
        2 * ROWS,
    ),
    "cond, known": (
        lambda s, x: torch.cond(
            torch.tensor(x.shape[0] > 3), s.a, lambda q: s.b(s.a(s.b(q))), (x,)
        ),
        3 * ROWS,
    ),
    "while": (
        lambda s, x: while_loop(
            lambda i, q: i < 3, lambda i, q: (i + 1, s.a(q)), (torch.tensor(0), x)
        )[1],
        3 * ROWS,
    ),
    "map": (lambda s, x: map_rows(lambda row: s.a(row), x), ROWS),
    "scan": (
        lambda s, x: scan(lambda c, q: ((h := s.a(c) + q), h.clone()), x[0], x)[1],
        ROWS,
    ),
    "flex": (
        lambda s, x: flex_attention(*[s.a(x)[None, None]] * 3),
        ROWS + 2 * 2 * 2 * 4,
    ),
}


@pytest.mark.parametrize("name", FLOW)
def test_control_flow_is_what_it_stands_for(name):
    function, macs = FLOW[name]
    report = cnninspect.summarize(Calls(function), [(2, 4)])
    assert (report.totals.macs, report.coverage.unknown) == (macs, 0)
    assert report.engine.run == "abstract"
    assert ("condition" in " ".join(report.engine.notes)) == ("dearer" in name)


def test_a_loop_as_long_as_values_say_is_run_for_real():
    def forward(s, x):
        return while_loop(lambda q: q.sum() < 100, lambda q: (s.a(q).abs() + 50,), (x,))[0]

    report = cnninspect.summarize(Calls(forward), [(2, 4)])
    assert report.engine.run == "real"


# --- sparse tensors ---

INDICES = torch.tensor([[0, 1, 2], [1, 2, 0]])
pytestmark = pytest.mark.filterwarnings("ignore")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    SPARSE = torch.sparse_coo_tensor(INDICES, torch.ones(3), (3, 3))
    KINDS = [SPARSE, SPARSE.coalesce(), SPARSE.to_sparse_csr()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", [torch.matmul, torch.sparse.mm, lambda a, x: a @ x])
def test_a_sparse_product_is_unknown_and_its_bytes_are_those_it_keeps(kind, how):
    class Graph(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Linear(4, 2, bias=False)
            self.register_buffer("a", kind)

        def forward(self, x):
            return how(self.a, self.w(x))

    report = cnninspect.summarize(Graph(), [(3, 4)])
    assert (report.totals.macs, report.coverage.unknown) == (3 * 4 * 2, 1)
    kept = [kind.crow_indices(), kind.col_indices()] if kind.layout == torch.sparse_csr else [
        kind._indices()
    ]  # fmt: skip
    wanted = sum(t.numel() * 8 for t in kept) + 3 * 4
    assert cnninspect.memory(Graph(), [(3, 4)]).totals.buffer_bytes == wanted


IN_A_FRESH_PROCESS = """
import sys, torch, cnninspect
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4, bias=False)

    def forward(self, x):
        return torch.cond(x.sum() > 0, self.a, lambda y: self.a(self.a(y)), (x,))

assert "torch._dynamo" not in sys.modules
report = cnninspect.{question}
print(report.totals.{count}, end="")
"""


@pytest.mark.parametrize(
    ("question", "count"),
    [("summarize(Net(), [(2, 4)])", "macs"), ("memory(Net(), [(2, 4)])", "forward_macs")],
)
def test_the_first_condition_of_a_process_is_followed_too(question, count):
    code = IN_A_FRESH_PROCESS.format(question=question, count=count)
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stdout == str(2 * ROWS), run.stderr[-500:]


WITH_A_PARAMETER = {
    "cdist": ((30, 8), lambda x, w: torch.cdist(x, w)),
    "multi_dot": ((8, 3), lambda x, w: torch.linalg.multi_dot([x, w, w.t()])),
    "take_along_dim": (
        (4, 8), lambda x, w: torch.take_along_dim(x, torch.zeros(4, 1, dtype=torch.long), 1) + w,
    ),
    "stft": ((8,), lambda x, w: torch.stft(x[0], 8, window=w, return_complex=True).abs()),
    "istft": ((8,), lambda x, w: torch.istft(torch.polar(x.expand(5, 8), x[:1]), 8, window=w)),
    "grid_sample": ((1, 3, 6, 6), lambda x, w: F.grid_sample(w, x.reshape(1, 4, 4, 2))),
}  # fmt: skip


@pytest.mark.parametrize("name", WITH_A_PARAMETER)
@pytest.mark.parametrize("is_buffer", [False, True], ids=["parameter", "buffer"])
def test_what_compares_devices_takes_real_weights_beside_fake_activations(name, is_buffer):
    shape, function = WITH_A_PARAMETER[name]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            w = torch.rand(shape)
            if is_buffer:
                self.register_buffer("w", w)
            else:
                self.w = nn.Parameter(w)

        def forward(self, x):
            return function(x * 2, self.w)

    trace = cnninspect.trace(Net(), [(5, 8) if name == "istft" else (4, 8)])
    assert trace.how.run == "abstract"
    assert "w" in {used for call in trace.calls for used in call.parameters}
