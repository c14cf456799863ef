"""Every family of the zoo exports, does in onnxruntime what it does in torch, costs the same."""

import pytest

from cnninspect.zoo import catalogue

IMAGES = ("batch",)
SEQUENCES = ("batch", "sequence")
SMALL = {
    "mlp": ("mlp", IMAGES),
    "shallow_cnn": ("shallow_cnn@resolution=8", IMAGES),
    "lenet": ("lenet5", IMAGES),
    "lenet_modern": ("lenet5_modern", IMAGES),
    "alexnet": ("alexnet@resolution=67,head=gap,num_classes=10", IMAGES),
    "zfnet": ("zfnet@resolution=64,head=gap,num_classes=10", IMAGES),
    "vgg": ("vgg11@resolution=32,head=gap,num_classes=10", IMAGES),
    "googlenet": ("googlenet@resolution=32,num_classes=10", IMAGES),
    "inception": ("inception_reduced@in_channels=16,resolution=8", IMAGES),
    "highway": ("highway_mnist", IMAGES),
    "fitnet": ("fitnet1", IMAGES),
    "resnet": ("resnet18@resolution=32,width=0.25,num_classes=10", IMAGES),
    "plain": ("plain18@resolution=32,width=0.25,num_classes=10", IMAGES),
    "cifar_resnet": ("resnet20@depth=8", IMAGES),
    "cifar_plain": ("plain20@depth=8", IMAGES),
    "preresnet": ("preresnet18@resolution=32,num_classes=10", IMAGES),
    "cifar_preresnet": ("preresnet110@depth=8", IMAGES),
    "wide_resnet": ("wrn40_1@depth=10", IMAGES),
    "densenet": ("densenet121@resolution=32,growth_rate=8,num_classes=10", ()),
    "cifar_densenet": ("densenet40_k12@depth=7", IMAGES),
    "resnext": ("resnext50_32x4d@resolution=32,cardinality=4,num_classes=10", IMAGES),
    "cifar_resnext": ("resnext29_8x64d@cardinality=2,base_width=8", IMAGES),
    "senet": ("se_resnet18@resolution=32,num_classes=10", IMAGES),
    "efficientnet": ("efficientnet_b0@resolution=32,width=0.5,depth=0.3,num_classes=10", IMAGES),
    "efficientnet_compound": ("efficientnet@resolution=32,num_classes=10", ()),
    "rnn": ("rnn@length=6,hidden_size=16,num_layers=2", SEQUENCES),
    "lstm": ("lstm@length=6,hidden_size=16,num_layers=2,bidirectional=true", SEQUENCES),
    "gru": ("gru@length=6,hidden_size=16,bidirectional=true", SEQUENCES),
    "token_classifier": ("lstm_imdb@length=6,vocabulary=50", SEQUENCES),
    "language_model": ("gru_text@length=6,hidden_size=16", SEQUENCES),
}
"""A small member of each family, and the sizes that are left open."""
LARGE = {"densenet", "resnext", "googlenet", "efficientnet_compound", "senet", "preresnet"}
FORMS = (
    ("inception_naive@in_channels=16,resolution=8", IMAGES),
    ("highway32", ()),
    ("resnet50@resolution=32,width=0.25,num_classes=10", IMAGES),
    ("preresnet164@depth=11", IMAGES),
    ("googlenet@resolution=32,aux=true,num_classes=10", ()),
    ("rnn@length=6,hidden_size=8,nonlinearity=relu,bidirectional=true", SEQUENCES),
    ("lstm_lm@length=6,hidden_size=16", SEQUENCES),
)
"""Other forms of some of them."""


def test_every_family_is_among_them():
    assert {family.name for family in catalogue.FAMILIES} == set(SMALL)


def prove(export, reference, dynamic):
    report, _ = export(reference, dynamic=dynamic)
    assert report.macs.onnx == report.macs.torch > 0
    assert report.not_verified == ""
    assert report.is_right
    assert len(report.verification) == (4 if dynamic else 3)
    explained = sum(d.change for d in report.differences if d.quantity == "parameters")
    assert report.parameters.onnx - report.parameters.torch == explained
    assert all(d.reason for d in report.differences)
    if dynamic:
        assert [run.batch for run in report.verification] == [1, 2, 3, 7]
    return report


@pytest.mark.parametrize(
    ("reference", "dynamic"),
    [
        pytest.param(*SMALL[name], id=name, marks=[pytest.mark.slow] if name in LARGE else [])
        for name in SMALL
    ],
)
def test_a_family_exports_and_verifies_and_costs_the_same(export, reference, dynamic):
    report = prove(export, reference, dynamic)
    if "sequence" in dynamic:
        lengths = [run.sizes["sequence"] for run in report.verification]
        assert lengths == [2, 3, 7, 1]


@pytest.mark.slow
@pytest.mark.parametrize(("reference", "dynamic"), FORMS, ids=lambda item: str(item))
def test_other_forms_do_as_well(export, reference, dynamic):
    prove(export, reference, dynamic)
