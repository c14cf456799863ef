"""Frozen layers in a trace."""

import pytest

import cnninspect
from cnninspect.errors import BadOption, BadReference, PatternMatchesNothing


def trainable(**options):
    report = cnninspect.summarize("lenet5_modern", **options)
    return {x.path: x.own.trainable_parameters for x in report.layers if x.own.parameters}


def test_a_layer_stands_for_all_under_it():
    assert trainable(freeze=["features"])["features.0.conv"] == 0
    assert trainable(freeze=["features"])["classifier.0"] == 48_120


def test_parameters_can_be_named_themselves():
    assert trainable(freeze=["*.bias"])["classifier.4"] == 840


def test_what_is_frozen_can_be_thawed():
    found = trainable(freeze=["*"], unfreeze=["classifier.4"])
    assert sum(found.values()) == found["classifier.4"] == 850


def test_frozen_and_trainable_make_the_whole():
    report = cnninspect.summarize("lenet5_modern", freeze=["features"])
    assert report.totals.parameters == 61_706
    assert report.totals.trainable_parameters == 59_134
    assert "59,134 trainable, 2,572 not" in cnninspect.render(report)


def test_a_shared_parameter_is_frozen_by_either_name():
    from torch import nn

    shared = nn.Linear(3, 3)
    net = nn.Sequential(shared, nn.ReLU(), shared)
    report = cnninspect.summarize(net, [(1, 3)], freeze=["2"])
    assert report.totals.trainable_parameters == 0
    assert all(p.requires_grad for p in net.parameters())


def test_a_pattern_that_names_nothing_is_an_error():
    with pytest.raises(PatternMatchesNothing, match="backbone"):
        cnninspect.summarize("mlp", freeze=["backbone"])


def test_a_new_head_is_a_setting_of_the_reference():
    report = cnninspect.summarize("resnet20@norm=none", head=7)
    assert report.model.reference == "resnet20@norm=none,num_classes=7"
    assert report.outputs[0].spec.shape == (1, 7)
    with pytest.raises(BadReference, match="num_classes=5"):
        cnninspect.summarize("resnet20@num_classes=5", head=7)
    with pytest.raises(BadOption):
        cnninspect.summarize("resnet20", head=0)
