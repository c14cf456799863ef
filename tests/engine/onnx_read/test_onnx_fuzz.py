"""Damaged files, made of real ones: each is followed, or refused with one clear error."""

import onnx
import pytest
from graphs import convolution, graph, model, node, scalar, unshaped, value, weight
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import AttributeProto

from cnninspect.engine.onnx_read.tracing import trace
from cnninspect.errors import CnnInspectError
from cnninspect.metrics.summarizing import summarize_trace
from cnninspect.records.models import GraphFile, ModelInfo

CASES = settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SIZES = st.one_of(
    st.integers(-3, 9), st.sampled_from([2**31 - 1, 2**31, 2**62, 2**63 - 1, -(2**63)])
)


def looping():
    body = graph(
        [node("MatMul", "h w", "h2"), node("Identity", "go", "go2")],
        [value("i", dtype=7), value("go", dtype=9), unshaped("h")],
        [value("go2", dtype=9), unshaped("h2")],
    )
    choice = graph([node("Relu", "x", "r")], [], [unshaped("r")])
    return model(
        [node("If", "yes", "a", then_branch=choice, else_branch=choice),
         node("Loop", "n yes a", "y", body=body)],
        [value("x", 2, 4)], [unshaped("y")],
        [weight("w", 4, 4), scalar("n", 3), scalar("yes", True, bool)],
    )  # fmt: skip


@pytest.fixture
def read(tmp_path):
    """Follows a file and adds it up; whatever is wrong with it, there is one clear error."""
    path = tmp_path / "model.onnx"

    def run(content):
        path.write_bytes(content)
        try:
            traced = trace(GraphFile(ModelInfo("model.onnx", "onnx", "model.onnx"), path))
        except CnnInspectError as problem:
            assert str(problem)
            assert "\n" not in str(problem)
        else:
            assert summarize_trace(traced, "macs").totals.macs >= 0

    return run


@pytest.fixture(scope="session")
def originals(real_files):
    return (*real_files, convolution().SerializeToString(), looping().SerializeToString())


@st.composite
def damages(draw):
    """Ways to damage a file: by position from 0 to 1, what to do, and with which bytes."""
    return draw(
        st.lists(
            st.tuples(
                st.floats(0, 1),
                st.sampled_from(["overwrite", "insert", "delete", "repeat", "cut"]),
                st.binary(min_size=1, max_size=12),
            ),
            min_size=1,
            max_size=4,
        )
    )


def damaged(content, changes):
    for where, how, some in changes:
        at = int(where * len(content))
        if how == "overwrite":
            content = content[:at] + some + content[at + len(some) :]
        elif how == "insert":
            content = content[:at] + some + content[at:]
        elif how == "delete":
            content = content[:at] + content[at + some[0] :]
        elif how == "repeat":
            content = content[:at] + content[max(at - some[0], 0) : at] + content[at:]
        else:
            content = content[:at]
    return content


@CASES
@given(which=st.integers(0, 3), changes=damages())
def test_files_with_damaged_bytes(read, originals, which, changes):
    read(damaged(originals[which], changes))


def changed(made, draw):
    """A model with one thing in it changed that may no longer fit."""
    kind = draw(st.sampled_from(["attribute", "input", "output", "op", "dims", "dtype", "drop",
                                 "swap", "opset", "open", "domain", "values"]))  # fmt: skip
    nodes = made.graph.node
    if not nodes:
        return
    chosen = nodes[draw(st.integers(0, len(nodes) - 1))]
    if kind == "attribute" and chosen.attribute:
        attribute = chosen.attribute[draw(st.integers(0, len(chosen.attribute) - 1))]
        if attribute.type == AttributeProto.INTS:
            attribute.ints[:] = draw(st.lists(SIZES, max_size=5))
        elif draw(st.booleans()):
            attribute.i = draw(SIZES)
        else:
            attribute.type = draw(st.integers(0, 14))
    elif kind == "input" and chosen.input:
        names = [name for n in nodes for name in (*n.input, *n.output)]
        chosen.input[draw(st.integers(0, len(chosen.input) - 1))] = draw(st.sampled_from(names))
    elif kind == "output" and chosen.output:
        chosen.output[0] = draw(st.sampled_from(["", "x", "y", "other"]))
    elif kind == "op":
        known = sorted({schema.name for schema in onnx.defs.get_all_schemas()})
        chosen.op_type = draw(st.sampled_from(known))
    elif kind == "domain":
        chosen.domain = draw(st.sampled_from(["ai.onnx", "ai.onnx.ml", "com.microsoft", "a.b"]))
    elif kind == "drop":
        nodes.remove(chosen)
    elif kind == "swap":
        nodes.insert(0, chosen)
    elif kind == "opset":
        made.opset_import[0].version = draw(st.integers(-1, 40))
    elif kind == "open":
        made.graph.input[0].type.tensor_type.shape.dim[0].dim_value = draw(SIZES)
    elif made.graph.initializer:
        tensors = made.graph.initializer
        tensor = tensors[draw(st.integers(0, len(tensors) - 1))]
        if kind == "dims":
            tensor.dims[:] = draw(st.lists(SIZES, max_size=4))
        elif kind == "values":
            tensor.raw_data = draw(st.binary(max_size=len(tensor.raw_data) + 8))
        else:
            tensor.data_type = draw(st.integers(-1, 30))


@CASES
@given(which=st.integers(0, 3), data=st.data())
def test_models_that_no_longer_fit_together(read, originals, which, data):
    made = onnx.ModelProto.FromString(originals[which])
    for _ in range(data.draw(st.integers(1, 3))):
        changed(made, data.draw)
    read(made.SerializeToString())
