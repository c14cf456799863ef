"""What is handed in from Python: models of every kind, names, options, and the words of errors."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.errors import AlreadyTraced, BadOption, CnnInspectError, NotAModel, UnknownArgument
from cnninspect.python_words import in_python
from cnninspect.sources.known_names import registered, suggestion
from cnninspect.sources.registry import with_setting
from cnninspect.zoo import catalogue


class Pipeline:
    def __init__(self):
        self.net = nn.Linear(8, 8)

    def __call__(self, x):
        return self.net(x)


NO_MODELS = [
    (nn.Identity, "the class Identity", "make an instance: Identity(…)"),
    (None, "None", "gives None"),
    ([nn.Linear(2, 2)], "a list of 1", "compare takes several"),
    (nn.Linear(2, 2).state_dict(), "a dictionary", "weights are no network"),
    (lambda x: x, "the function", "call it"),
    (Pipeline(), "type Pipeline", "the module itself"),
    (5, "type int", "the module itself"),
    (torch.ones(2), "type Tensor", "the module itself"),
]
QUESTIONS = {
    "trace": cnninspect.trace,
    "summarize": cnninspect.summarize,
    "memory": cnninspect.memory,
    "audit": cnninspect.audit,
    "explain": lambda model: cnninspect.explain(model, "layer"),
    "diff": lambda model: cnninspect.diff(model, "lenet5"),
    "scale": cnninspect.scale,
    "compare": lambda model: cnninspect.compare([model, "lenet5"]),
    "gradient_paths": lambda model: cnninspect.gradient_paths([model]),
    "gradients": lambda model: cnninspect.gradients([model]),
    "check": lambda model: cnninspect.check(0 if model is None else model, max_params=1),
    "export": lambda model: cnninspect.export_onnx(model, "never.onnx"),
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
@pytest.mark.parametrize(("value", "what", "hint"), NO_MODELS, ids=lambda v: type(v).__name__)
def test_what_is_no_model_is_said_in_every_question(ask, value, what, hint):
    with pytest.raises(NotAModel, match="a model is a reference such as"):
        ask(value)


@pytest.mark.parametrize(("value", "what", "hint"), NO_MODELS, ids=lambda v: type(v).__name__)
def test_the_error_says_what_was_handed_in(value, what, hint):
    with pytest.raises(NotAModel) as caught:
        cnninspect.summarize(value, [(2, 8)])
    assert str(caught.value).endswith(what) or what in str(caught.value)
    assert hint in caught.value.hint
    assert caught.value.exit_code == 2


def test_an_array_and_a_path_will_do(tmp_path):
    array = np.ones((2, 8), np.float32)
    assert cnninspect.summarize(nn.Linear(8, 3), array).totals.macs == 48
    assert cnninspect.trace(nn.Linear(8, 3), array).inputs[0].spec.shape == (2, 8)
    with pytest.raises(CnnInspectError, match="there is no file"):
        cnninspect.summarize(Path("gone.onnx"))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"batch": 8, "mode": "train"}, "batch and mode would change nothing"),
        ({"inputs": (2, 8)}, "inputs would"),
        ({"kwargs": {"a": 1}}, "kwargs would"),
        ({"weights": "w.pth"}, "weights would"),
    ],
)
def test_a_trace_is_not_run_again(options, says):
    trace = cnninspect.trace(nn.Linear(8, 3), (1, 8))
    assert cnninspect.summarize(trace).totals.macs == 24
    with pytest.raises(AlreadyTraced, match=says):
        cnninspect.summarize(trace, **options)


BATCHED = {
    "trace": cnninspect.trace, "summarize": cnninspect.summarize, "memory": cnninspect.memory,
    "audit": cnninspect.audit, "gradients": cnninspect.gradients, "compare": cnninspect.compare,
    "scale": cnninspect.scale, "gradient_paths": cnninspect.gradient_paths,
    "check": lambda m, **k: cnninspect.check(m, max_params=1, **k),
    "find": lambda m, **k: cnninspect.find(m, jobs=1, **k),
    "export": lambda m, **k: cnninspect.export_onnx(m, "never.onnx", **k),
    "explain": lambda m, **k: cnninspect.explain(m, "c1", **k),
    "diff": lambda m, **k: cnninspect.diff(m, m, **k),
}  # fmt: skip


@pytest.mark.parametrize("ask", BATCHED.values(), ids=BATCHED)
@pytest.mark.parametrize("batch", [0, -1])
def test_no_question_takes_a_batch_below_one(ask, batch):
    with pytest.raises(BadOption, match=f"batch={batch}"):
        ask("lenet5", batch=batch)


def names(comparison):
    return [model.model.name for model in comparison.models]


def test_models_stand_side_by_side_in_every_form():
    small, large = nn.Linear(8, 2), nn.Linear(8, 99)
    assert names(cnninspect.compare("lenet5", "lenet5_modern")) == ["lenet5", "lenet5_modern"]
    assert names(cnninspect.compare([small, large], (1, 8))) == ["Linear", "Linear (2)"]
    assert names(cnninspect.compare(small, large, (1, 8))) == ["Linear", "Linear (2)"]
    assert names(cnninspect.compare(small, large, inputs=(1, 8))) == ["Linear", "Linear (2)"]
    named = cnninspect.compare({"small": small, "large": large}, inputs=(1, 8))
    assert names(named) == ["small", "large"]
    assert [model.totals.parameters for model in named.models] == [18, 891]
    assert names(cnninspect.compare({"paper": "lenet5"})) == ["paper"]
    paths = cnninspect.gradient_paths({"a": small}, (2, 8))
    assert paths.models[0].model.name == "a"


def test_an_argument_that_there_is_not_is_one_of_our_errors():
    for ask in (
        lambda: cnninspect.compare("lenet5", max_prams=3),
        lambda: cnninspect.summarize("lenet5", bach=3),
        lambda: cnninspect.gradients("lenet5", stps=3),
        lambda: cnninspect.export_onnx("lenet5", "never.onnx", opst=3),
        lambda: cnninspect.check("lenet5", max_prams=3),
    ):
        with pytest.raises(UnknownArgument):
            ask()
        with pytest.raises(TypeError):  # as everywhere in Python
            ask()


@pytest.mark.parametrize(
    ("typed", "called"),
    [
        ("add --input image2:float32:1x16 with its own dtype and shape",
         'add inputs={"image2": (1, 16)} with its own dtype and shape'),
        ("add --input rate=1 with its own value", 'add kwargs={"rate": 1} with its own value'),
        ("--input sets the input's shape, as in --input 3x224x224",
         "inputs= sets the input's shape, as in inputs=[(3, 224, 224)]"),
        ("batch norm needs several values: a larger --batch, or --mode eval",
         'batch norm needs several values: a larger batch=, or mode="eval"'),
        ("cnninspect summary lenet5 shows every layer",
         'cnninspect.summarize("lenet5") shows every layer'),
        ("add --force to overwrite it", "add force=True to overwrite it"),
        ("--batch -1 is not possible", "batch=-1 is not possible"),
        ("did you mean vgg16?", "did you mean vgg16?"),
    ],
)  # fmt: skip
def test_hints_speak_of_arguments(typed, called):
    assert in_python(typed) == called


def test_errors_speak_python_there_and_of_options_on_the_command_line(capsys):
    from cnninspect.commands.application import run

    with pytest.raises(CnnInspectError) as caught:
        cnninspect.summarize("lenet5", [(1, 4, 32, 32)])
    assert "inputs=" in caught.value.hint
    assert "--" not in caught.value.hint
    with pytest.raises(CnnInspectError) as refused:
        cnninspect.summarize("lenet5", batch=0)
    assert str(refused.value) == "batch=0 is not possible"
    with pytest.raises(SystemExit):
        run(["summary", "lenet5", "--input", "1x4x32x32"])
    assert "--input" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "key", "value", "wanted"),
    [
        ("shallow_cnn@in_channels=16,num_classes=10,channels=16", "channels", 32,
         "shallow_cnn@in_channels=16,num_classes=10,channels=32"),
        ("a@k=1", "k", 2, "a@k=2"),
        ("a", "k", 2, "a@k=2"),
        ("zoo:a@b=(1,2)", "k", 2, "zoo:a@b=(1,2),k=2"),
        ("f.py:m@s=(1,2),k=[a,b]", "s", 3, "f.py:m@s=3,k=[a,b]"),
        ("a@k=k=1,kk=k=1", "kk", 2, "a@k=k=1,kk=2"),
    ],
)  # fmt: skip
def test_a_setting_is_set_among_the_others(text, key, value, wanted):
    assert with_setting(text, key, value) == wanted


@pytest.mark.usefixtures("image_libraries")
def test_names_of_libraries_are_found_in_any_case():
    import timm
    import torchvision

    assert set(registered("torchvision")) <= set(torchvision.models.list_models())
    assert len(registered("torchvision")) > 80
    assert set(registered("timm")) >= set(timm.list_models())
    known = catalogue.names()
    assert suggestion("VGG16", known) == "did you mean vgg16, torchvision:vgg16 or timm:vgg16?"
    assert suggestion("MobileNet_V2", known) == "did you mean torchvision:mobilenet_v2?"
    assert "timm:" in suggestion("convnextv2_tinny", known)
    assert suggestion("zzzz", known) == ""
    with pytest.raises(CnnInspectError, match="no model called 'mobilenet_v2'") as caught:
        cnninspect.summarize("mobilenet_v2")
    assert caught.value.hint == "did you mean torchvision:mobilenet_v2?"
