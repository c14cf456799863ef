"""Evaluation: checked by hand, against scikit-learn, and against the network itself."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from sklearn import metrics
from torch import nn

import cnninspect
from cnninspect.commands.evaluate.analysis import evaluation_of
from cnninspect.commands.evaluate.report import Predictions
from cnninspect.engine.real_passes.data_sets import load_data, split
from cnninspect.errors import (
    BadOption,
    FileMissing,
    FileUnreadable,
    LabelOutOfRange,
    UnknownChoice,
    UnusableData,
    WeightsMismatch,
)


def made(labels: list[int], predicted: list[int], names: str = "abc", scores: Any = None) -> Any:
    return Predictions(tuple(names), tuple(labels), tuple(predicted), scores)


def at_random(count: int = 200, classes: int = 4, seed: int = 0) -> Any:
    draws = numpy.random.default_rng(seed)
    scores = draws.dirichlet(numpy.ones(classes), size=count)
    labels = draws.integers(0, classes - 1, size=count)  # the last class does not occur
    return labels, scores


# --- by hand ---


def test_a_case_worked_by_hand() -> None:
    # a: 3 of 4 found, and one b taken for it; b: 1 of 3; c: 2 of 2, and two others taken for it
    found = evaluation_of(made([0, 0, 0, 0, 1, 1, 1, 2, 2], [0, 0, 0, 1, 1, 0, 2, 2, 2]), data="x")
    assert found.confusion == ((3, 1, 0), (1, 1, 1), (0, 0, 2))
    a, b, c = found.classes
    assert (a.precision, a.recall) == (3 / 4, 3 / 4)
    assert (b.precision, b.recall) == (1 / 2, 1 / 3)
    assert (c.precision, c.recall) == (pytest.approx(2 / 3), 1)
    assert [each.support for each in found.classes] == [4, 3, 2]
    assert [each.predicted for each in found.classes] == [4, 2, 3]
    assert found.accuracy == pytest.approx(6 / 9)
    assert found.balanced_accuracy == pytest.approx((3 / 4 + 1 / 3 + 1) / 3)
    assert found.macro.precision == pytest.approx((3 / 4 + 1 / 2 + 2 / 3) / 3)
    assert found.weighted.recall == pytest.approx((4 * 3 / 4 + 3 * 1 / 3 + 2) / 9)
    assert found.micro.f_beta == pytest.approx(6 / 9)
    worst = [(each.label, each.predicted, each.count) for each in found.worst]
    assert worst == [("b", "a", 1), ("b", "c", 1), ("a", "b", 1)]
    assert found.loss is found.top_k_accuracy is found.calibration_error is None


@pytest.mark.parametrize(
    ("beta", "precise", "complete"),
    [(0.5, 0.7759, 0.5488), (1, 0.6429, 0.6429), (2, 0.5488, 0.7759)],
)
def test_beta_above_1_weighs_recall_more(beta: float, precise: float, complete: float) -> None:
    """Precision 0.9 and recall 0.5, and the other way round."""
    of_0 = [0] * 90
    high_precision = made(of_0 + [1] * 5, [0] * 45 + [1] * 45 + [0] * 5, "ab")
    high_recall = made([0] * 50 + [1] * 45, [0] * 45 + [1] * 5 + [0] * 45, "ab")
    for predictions, expected in ((high_precision, precise), (high_recall, complete)):
        found = evaluation_of(predictions, data="x", beta=beta).classes[0]
        assert {round(found.precision, 1), round(found.recall, 1)} == {0.5, 0.9}
        assert found.f_beta == pytest.approx(expected, abs=1e-4)


def test_calibration_and_top_k_worked_by_hand() -> None:
    scores = ((0.9, 0.1, 0.0), (0.9, 0.1, 0.0), (0.5, 0.3, 0.2), (0.2, 0.2, 0.6))
    found = evaluation_of(made([0, 1, 0, 2], [0, 0, 0, 2], scores=scores), data="x", top_k=2)
    # bins: 0.9 twice, half of them right; 0.5 once, right; 0.6 once, right
    error = (2 * abs(0.5 - 0.9) + abs(1 - 0.5) + abs(1 - 0.6)) / 4
    assert found.calibration_error == pytest.approx(error)
    assert found.top_k_accuracy == 1
    assert evaluation_of(
        made([0, 1, 0, 2], [0, 0, 0, 2], scores=scores), data="x", top_k=1
    ).top_k_accuracy == pytest.approx(0.75)
    assert found.loss == pytest.approx(-numpy.log([0.9, 0.1, 0.5, 0.6]).mean())


# --- against scikit-learn ---


@pytest.mark.parametrize("beta", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_measures_are_those_of_scikit_learn(beta: float, seed: int) -> None:
    labels, scores = at_random(seed=seed)
    predicted = scores.argmax(1)
    rows = tuple(map(tuple, scores.tolist()))
    found = evaluation_of(
        made(labels.tolist(), predicted.tolist(), "abcd", rows), data="x", beta=beta, top_k=2
    )
    every = range(4)
    for average, mine in (
        ("macro", found.macro),
        ("micro", found.micro),
        ("weighted", found.weighted),
    ):
        expected = metrics.precision_recall_fscore_support(
            labels, predicted, beta=beta, average=average, labels=every, zero_division=0
        )
        assert (mine.precision, mine.recall, mine.f_beta) == pytest.approx(expected[:3])
    assert found.accuracy == pytest.approx(metrics.accuracy_score(labels, predicted))
    assert found.loss == pytest.approx(metrics.log_loss(labels, scores, labels=every))
    top = metrics.top_k_accuracy_score(labels, scores, k=2, labels=every)
    assert found.top_k_accuracy == pytest.approx(top)
    assert sum(map(sum, found.confusion)) == found.examples == 200


def test_intervals_hold_what_they_say() -> None:
    labels, scores = at_random(count=400)
    found = evaluation_of(made(labels.tolist(), scores.argmax(1).tolist(), "abcd"), data="x")
    low, high = next((i.low, i.high) for i in found.intervals if i.name == "accuracy")
    deviation = (found.accuracy * (1 - found.accuracy) / 400) ** 0.5
    assert low == pytest.approx(found.accuracy - 1.96 * deviation, abs=0.01)
    assert high == pytest.approx(found.accuracy + 1.96 * deviation, abs=0.01)
    low, high = next((i.low, i.high) for i in found.intervals if i.name == "macro f_beta")
    assert low < found.macro.f_beta < high
    other = evaluation_of(
        made(labels.tolist(), scores.argmax(1).tolist(), "abcd"), data="x", seed=1
    )
    assert other.intervals != found.intervals


# --- networks ---


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("weights") / "mlp.safetensors"
    cnninspect.train("mlp", epochs=2, batch=256, output=file)
    return str(file)


def test_a_network_is_judged_by_what_was_held_out(weights: str) -> None:
    found = cnninspect.evaluate("mlp", weights=weights, data="digits")
    assert (found.part, found.examples, found.data) == ("held-out", 360, "digits")
    trained = cnninspect.train("mlp", epochs=2, batch=256).models[0].epochs[-1]
    assert found.accuracy == pytest.approx(trained.held_out_accuracy)
    assert found.loss == pytest.approx(trained.held_out_loss, rel=1e-4)
    assert len(found.classes) == 10  # and not 26, which the network has
    every = cnninspect.evaluate("mlp", weights=weights, data="digits", part="all")
    assert (every.part, every.examples) == ("all", 1797)


def test_an_untrained_network_is_told_and_foreign_weights_judged_by_all(tmp_path: Path) -> None:
    found = cnninspect.evaluate("mlp")
    assert any("untrained" in note for note in found.notes)
    assert found.part == "all"
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    torch.save(net.state_dict(), tmp_path / "w.pth")
    judged = cnninspect.evaluate(net, (1, 1, 8, 8), weights=tmp_path / "w.pth")
    assert judged.part == "all"
    assert any("--part held-out is the honest figure" in note for note in judged.notes)
    digits = load_data("digits", (1, 8, 8))
    with torch.no_grad():
        answers = net(digits.inputs).argmax(1)
    assert judged.accuracy == pytest.approx(float((answers == digits.labels).float().mean()))
    _, kept = split(digits, 0.2)
    held = cnninspect.evaluate(net, (1, 1, 8, 8), weights=tmp_path / "w.pth", part="held-out")
    right = (answers == digits.labels)[kept].float().mean()
    assert held.accuracy == pytest.approx(float(right))
    assert held.notes == ()


@pytest.mark.parametrize("batch", ["N", 7])
def test_an_onnx_file_gives_what_the_network_gives(batch: Any, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper, save

    torch.manual_seed(0)
    linear = nn.Linear(64, 10)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["flat"]),
         helper.make_node("Gemm", ["flat", "w", "b"], ["y"], transB=1)],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 1, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 10])],
        [numpy_helper.from_array(linear.weight.detach().numpy(), "w"),
         numpy_helper.from_array(linear.bias.detach().numpy(), "b")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    save(model, tmp_path / "net.onnx")
    by_file = cnninspect.evaluate(str(tmp_path / "net.onnx"), data="digits", part="held-out")
    by_torch = cnninspect.evaluate(
        nn.Sequential(nn.Flatten(), linear), (1, 1, 8, 8), data="digits", part="held-out"
    )
    assert by_file.confusion == by_torch.confusion
    assert by_file.loss == pytest.approx(by_torch.loss, rel=1e-5)
    with pytest.raises(BadOption, match="weights="):
        cnninspect.evaluate(str(tmp_path / "net.onnx"), weights="w.pth")


def test_what_does_not_go_together_is_refused(weights: str, tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch):
        cnninspect.evaluate("lenet5_modern", weights=weights)
    with pytest.raises(LabelOutOfRange):
        cnninspect.evaluate(nn.Sequential(nn.Flatten(), nn.Linear(64, 5)), (1, 1, 8, 8))
    with pytest.raises(UnusableData, match="no image"):
        cnninspect.evaluate(nn.Linear(7, 10))
    broken = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    nn.init.constant_(broken[1].bias, float("nan"))
    with pytest.raises(UnusableData, match="not finite"):
        cnninspect.evaluate(broken, (1, 1, 8, 8))
    with pytest.raises(UnknownChoice):
        cnninspect.evaluate("mlp", part="some")
    with pytest.raises(BadOption, match="beta="):
        cnninspect.evaluate("mlp", weights=weights, beta=0)
    with pytest.raises(BadOption, match="MODEL"):
        cnninspect.evaluate()


# --- predictions ---


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def test_predictions_by_name(tmp_path: Path) -> None:
    file = table(tmp_path / "p.csv", "id,label,prediction", "1,cat,cat", "2,dog,cat", "3,cow,cow")
    found = cnninspect.evaluate(predictions=file)
    assert [each.name for each in found.classes] == ["cat", "cow", "dog"]
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.loss is None
    named = cnninspect.evaluate(predictions=file, classes=["dog", "cow", "cat", "owl"])
    assert [each.name for each in named.classes] == ["dog", "cow", "cat", "owl"]
    assert named.macro.recall == pytest.approx(2 / 4)


def test_predictions_by_scores(tmp_path: Path) -> None:
    file = table(tmp_path / "p.csv", "y_true,0,1,2", "0,8,1,1", "2,0.1,0.5,0.4", "1,0,1,0")
    found = cnninspect.evaluate(predictions=file, top_k=2)
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.top_k_accuracy == 1
    assert found.loss == pytest.approx(-numpy.log([0.8, 0.4, 1]).mean())


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (["a,b", "1,2"], "none of its columns"),
        (["label,prediction"], "no rows"),
        (["label", "1"], "hold labels and no predictions"),
        (["label,0,1", "0,-1,2"], "below 0"),
        (["label,x", "0,0.5"], "no column of scores for 0"),
    ],
)
def test_other_tables_are_refused(rows: list[str], problem: str, tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match=problem):
        cnninspect.evaluate(predictions=table(tmp_path / "p.csv", *rows))


def test_a_class_that_is_not_among_those_named_is_refused(tmp_path: Path) -> None:
    file = table(tmp_path / "p.csv", "label,prediction", "a,b", "c,a")
    with pytest.raises(FileUnreadable, match="line 3: 'c' is no class"):
        cnninspect.evaluate(predictions=file, classes=["a", "b"])
    with pytest.raises(FileMissing):
        cnninspect.evaluate(predictions=tmp_path / "none.csv")


def test_predictions_are_judged_without_torch(tmp_path: Path) -> None:
    file = table(tmp_path / "p.csv", "label,prediction", "a,b", "b,b")
    code = (
        "import sys; from cnninspect.commands import application as a\n"
        "try: a.run(sys.argv[1:])\n"
        "finally: assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "evaluate", "--predictions", str(file), "--format", "json"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"] == 0.5


# --- how it is written ---


def test_rows_hold_every_class_and_its_confusions() -> None:
    found = evaluation_of(made([0, 1, 2, 2], [0, 2, 2, 1]), data="x")
    rows = list(csv.DictReader(cnninspect.render(found, format="csv").splitlines()))
    assert [row["class"] for row in rows] == ["a", "b", "c"]
    assert rows[2]["taken for b"] == "1"
    text = cnninspect.render(found)
    assert "worst confusions" in text
    assert "above 1 recall weighs more" in text
    shares = cnninspect.render(found, shares=True)
    assert "0.500" in shares
