"""`cnninspect.compare` and `cnninspect.find`."""

from importlib.util import find_spec

import pytest
from torch import nn

import cnninspect
from cnninspect.errors import BadOption, CnnInspectError, Contradiction, UnknownChoice, UnknownModel


def names(report):
    return [model.model.name for model in report.models]


def test_references_modules_and_traces_stand_side_by_side():
    module = nn.Conv2d(1, 2, 3)
    trace = cnninspect.trace("mlp")
    report = cnninspect.compare(["lenet5_modern", trace])
    assert names(report) == ["lenet5_modern", "mlp"]
    assert report.models[1].ratios.macs == 28_200 / 416_520
    alone = cnninspect.compare(module, (1, 1, 8, 8))
    assert alone.models[0].totals.parameters == 20


def test_nothing_cannot_be_compared():
    with pytest.raises(BadOption, match="nothing"):
        cnninspect.compare([])


def test_the_baseline_may_be_any_model():
    report = cnninspect.compare(["lenet5_modern", "mlp"], baseline="mlp")
    assert report.baseline == "mlp"
    assert report.models[1].ratios.parameters == 1
    added = cnninspect.compare(["lenet5_modern"], baseline="mlp")
    assert names(added) == ["mlp", "lenet5_modern"]


def test_one_that_fails_is_a_row_and_not_the_end():
    report = cnninspect.compare(["mlp", "nosuch", "lenet5"])
    assert names(report) == ["mlp", "lenet5"]
    (problem,) = report.failed
    assert problem.reference == "nosuch"
    assert "no model called 'nosuch'" in problem.error


def test_a_baseline_that_fails_matters_only_for_shares():
    assert cnninspect.compare(["nosuch", "mlp"]).models[0].ratios is None
    with pytest.raises(CnnInspectError, match="the baseline nosuch"):
        cnninspect.compare(["nosuch", "mlp"], max_params="50%")


def test_bytes_can_be_those_of_another_dtype():
    report = cnninspect.compare("mlp", dtype="int8", max_bytes="28326B")
    assert report.models[0].fits
    assert report.models[0].totals.parameter_bytes == 28_326
    with pytest.raises(BadOption, match="float99"):
        cnninspect.compare("mlp", dtype="float99")


def test_what_is_typed_wrongly_is_said_before_anything_is_measured(monkeypatch):
    monkeypatch.setattr("cnninspect.store.survey.survey", None)
    with pytest.raises(Contradiction):
        cnninspect.compare("mlp", max_params=1, min_params=2)
    with pytest.raises(UnknownChoice, match="fvcor"):
        cnninspect.compare("mlp", convention="fvcor")
    with pytest.raises(UnknownChoice, match="test"):
        cnninspect.compare("mlp", mode="test")
    with pytest.raises(TypeError, match="max_prams"):
        cnninspect.compare("mlp", max_prams=1)
    with pytest.raises(BadOption, match="jobs"):
        cnninspect.compare("mlp", jobs=0)
    with pytest.raises(UnknownChoice, match="beauty"):
        cnninspect.find(axes=["beauty"])


def test_only_what_fits_is_found():
    report = cnninspect.find("lenet*", max_params="61k", jobs=1)
    assert names(report) == ["lenet5"]
    assert report.searched == 3
    assert report.pattern == "lenet*"


def test_a_share_is_one_of_the_baseline_which_is_not_found_itself():
    report = cnninspect.find("lenet*", max_params="100%", baseline="lenet5_modern", jobs=1)
    assert set(names(report)) == {"lenet5", "lenet5_modern"}
    assert {m.ratios.parameters for m in report.models if m.model.name == "lenet5_modern"} == {1.0}


def test_names_that_are_not_there_are_errors():
    with pytest.raises(UnknownModel):
        cnninspect.find("nosuch*")
    with pytest.raises(UnknownChoice, match="source"):
        cnninspect.find(sources=["zooo"])


@pytest.mark.skipif(find_spec("torchvision") is None, reason="the extra vision is not installed")
def test_torchvision_publishes_accuracy_for_the_size_that_is_traced():
    report = cnninspect.compare(["torchvision:squeezenet1_1"])
    assert report.models[0].accuracy.top1 == 58.178
    at_other_size = cnninspect.compare(["torchvision:squeezenet1_1"], (1, 3, 96, 96))
    assert at_other_size.models[0].accuracy is None
    with_settings = cnninspect.compare(["torchvision:squeezenet1_1@num_classes=3"])
    assert with_settings.models[0].accuracy is None


def test_a_file_of_weights_has_parameters_and_no_work(tmp_path):
    import torch

    from cnninspect.sources import open as api

    module = api.load("resnet20").build()
    optimizer = torch.optim.Adam(module.parameters())
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    path = tmp_path / "weights.pth"
    torch.save({"model": module.state_dict(), "optimizer": optimizer.state_dict()}, path)
    report = cnninspect.compare(["resnet20", str(path)], max_params="300k", max_macs="1G")
    ours, file = report.models
    assert file.totals.parameters == ours.totals.parameters == 269_722
    assert file.totals.buffers == ours.totals.buffers
    assert file.bytes_as == ours.bytes_as
    assert (file.ratios.parameters, file.ratios.macs) == (1.0, None)
    assert (ours.fits, file.fits) == (True, None)  # whether its work fits, nobody can say
    table = cnninspect.render(report, columns=("model", "macs", "depth", "fits"))
    assert "open" in table
