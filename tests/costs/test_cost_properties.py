"""Properties of costs over random operations."""

from hypothesis import given
from hypothesis import strategies as st

from cnninspect.costs import cost_of
from cnninspect.records.operations import CostState, Operation, TensorSpec

sizes = st.integers(0, 6)


def op(name, output, **arguments):
    specs = {k: TensorSpec(v) if isinstance(v, tuple) else v for k, v in arguments.items()}
    return Operation(name, tuple(specs.items()), (TensorSpec(output),))


@st.composite
def makers(draw):
    """A function from a batch size to an operation."""
    a, b, c, d = (draw(st.integers(1, 6)) for _ in range(4))
    transposed = draw(st.booleans())
    weight = (a, b, c, c)
    return draw(
        st.sampled_from(
            [
                lambda n: op(
                    "aten.convolution", (n, a, d, d),
                    input=(n, b, d, d), weight=weight, transposed=transposed,
                ),
                lambda n: op("aten.bmm", (n, a, c), self=(n, a, b), mat2=(n, b, c)),
                lambda n: op("aten.linear", (n, a, c), input=(n, a, b), weight=(c, b)),
                lambda n: op("aten.matmul", (n, a, c), self=(n, a, b), other=(b, c)),
                lambda n: op(
                    "aten.scaled_dot_product_attention", (n, a, b, d),
                    query=(n, a, b, c), key=(n, a, d, c), value=(n, a, d, b),
                ),
                lambda n: op(
                    "aten.lstm_cell", (n, a), input=(n, b), w_ih=(4 * a, b), w_hh=(4 * a, a)
                ),
                lambda n: op(
                    "aten.bilinear", (n, a), input1=(n, b), input2=(n, c), weight=(a, b, c)
                ),
            ]
        )
    )  # fmt: skip


@given(makers(), sizes)
def test_costs_are_linear_in_the_batch(make, batch):
    one, many = cost_of(make(1)), cost_of(make(batch))
    assert one.state is many.state is CostState.COUNTED
    assert many.cost == one.cost * batch
    assert one.cost.macs > 0


@given(makers(), sizes)
def test_costs_are_never_negative(make, batch):
    cost = cost_of(make(batch)).cost
    assert cost.macs >= 0
    assert cost.activations >= 0
