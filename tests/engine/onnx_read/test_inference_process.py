"""ONNX's own inference is asked in another process, whose death is an answer."""

import os
import signal

import numpy as np
import pytest
from graphs import ints, model, node, scalar, unshaped, value, weight

from cnninspect.engine.onnx_read import inference_process
from cnninspect.engine.onnx_read.inference_process import InferenceProcess, NoAnswer, question
from cnninspect.errors import CnnInspectError


@pytest.fixture
def process():
    made = InferenceProcess()
    yield made
    made.close()


def asked(op="Relu", version=14, shape=(2, 3)):
    sized = value("x", *shape).type.SerializeToString()
    made = node(op, "i0", "o0").SerializeToString()
    return question(
        domain="", op=op, version=version, node=made, ir_version=10, opsets=[("", version)],
        types=[sized], data=[b""],
    )  # fmt: skip


def test_it_answers_one_question_after_another(process):
    for _ in range(2):
        kind, name, _ = process.ask(asked())
        assert (kind, name) == (b"+", b"o0")
    kind, said = process.ask(asked(shape=(), op="Flatten", version=13))
    assert kind in (b"+", b"-") or said


def test_what_it_refuses_is_said(process):
    kind, said = process.ask(asked(op="NoSuchOperator"))
    assert kind == b"-"
    assert b"SchemaError" in said


def test_its_death_is_no_answer_and_it_is_started_again(process):
    process.ask(asked())
    os.kill(process._process.pid, signal.SIGKILL)
    process._process.wait()
    assert process.ask(asked())[0] == b"+"


def test_a_question_that_never_ends_is_no_answer(process, monkeypatch):
    monkeypatch.setattr(inference_process, "WALL_SECONDS", 0.0)
    process._started()
    with pytest.raises(NoAnswer):
        process.ask(asked())


def test_a_question_beyond_measure_is_not_asked(process):
    with pytest.raises(NoAnswer, match="too large"):
        process.ask([b"\0" * (inference_process.LARGEST + 1)])


def test_a_file_whose_inference_dies_opens_with_that_operator_unknown(follow, monkeypatch):
    def dies(_self, _parts):
        raise NoAnswer("ONNX's own inference crashed, or took too long")

    monkeypatch.setattr(InferenceProcess, "ask", dies)
    made = model(
        [node("NegativeLogLikelihoodLoss", "x t", "y"), node("MatMul", "x w", "z")],
        [value("x", 2, 3)], [unshaped("y"), unshaped("z")], [ints("t", 0, 1), weight("w", 3, 4)],
    )  # fmt: skip
    trace = follow(made)
    assert [output.name for output in trace.outputs] == ["z"]
    notes = " ".join(trace.how.notes)
    assert "what onnx.NegativeLogLikelihoodLoss gives is not known: ONNX's own" in notes


@pytest.mark.parametrize(
    ("wrong", "stored"),
    [
        (node("GatherND", "x i", "y", batch_dims=-(2**31)), [ints("i", 0, 2)]),
        (node("Einsum", "x x", "y", equation="...."), []),
        (node("Einsum", "x x", "y", equation="->->"), []),
        (node("STFT", "x s _ s", "y", onesided=3), [scalar("s", 0)]),
        (node("STFT", "x s _ s", "y"), [weight("s", 3)]),
        (node("Range", "a a n", "y"), [scalar("a", 0.0, np.float32), scalar("n", 0.0, np.float32)]),
        (node("Split", "x", "y", num_outputs=2**40), []),
        (node("DFT", "x", "y", axis=77), []),
        (node("Col2Im", "x i i", "y"), [ints("i", 0, 0)]),
        (node("TopK", "x i", "y _"), [ints("i", -5)]),
        (node("OneHot", "x i i", "y"), [ints("i", -(2**62))]),
        (node("Pad", "x i", "y"), [ints("i", *[-(2**62)] * 4)]),
    ],
    ids=lambda item: item.op_type if hasattr(item, "op_type") else "",
)  # fmt: skip
def test_what_makes_onnx_crash_or_hang_never_reaches_it(follow, wrong, stored, monkeypatch):
    def never(_self, _parts):
        raise AssertionError("ONNX was asked")

    monkeypatch.setattr(InferenceProcess, "ask", never)
    made = model([wrong], [value("x", 2, 2)], [unshaped("y")], stored, opset=18)
    try:
        follow(made)
    except CnnInspectError as problem:
        assert "does not fit" in str(problem)
