"""timm's models: one of each kind, their inputs, settings and mistakes."""

import pytest

import cnninspect
from cnninspect.errors import BadReference, UnknownModel, UnknownSetting
from cnninspect.sources import registry


@pytest.mark.parametrize(
    ("reference", "image", "parameters"),
    [
        # parameters as timm's results tables give them, in millions
        ("resnet50", (3, 224, 224), 25.56),
        ("resnet50.a1_in1k", (3, 224, 224), 25.56),
        ("vit_base_patch16_224", (3, 224, 224), 86.57),
        ("vit_base_patch16_384", (3, 384, 384), 86.86),
        ("convnext_tiny", (3, 224, 224), 28.59),
        ("swinv2_tiny_window8_256", (3, 256, 256), 28.35),
        ("efficientnet_b3", (3, 288, 288), 12.23),
        ("efficientnet_b1_pruned", (3, 240, 240), 6.33),
        ("mixer_b16_224", (3, 224, 224), 59.88),
        ("regnety_016", (3, 224, 224), 11.20),
        ("maxvit_tiny_tf_224", (3, 224, 224), 30.92),
        ("botnet26t_256", (3, 256, 256), 12.49),
        ("sequencer2d_s", (3, 224, 224), 27.65),
        ("mobilevit_s", (3, 256, 256), 5.58),
        ("eva02_tiny_patch14_224", (3, 224, 224), 5.50),
    ],
)
def test_one_of_each_kind_is_traced_without_computing(reference, image, parameters):
    trace = cnninspect.trace(f"timm:{reference}")
    report = cnninspect.summarize(trace)
    assert trace.inputs[0].spec.shape == (1, *image)
    assert (trace.how.build, trace.how.run) == ("meta", "abstract")
    assert round(report.totals.parameters / 1e6, 2) == parameters
    assert report.uncounted == ()


def test_settings_reach_the_model_and_its_input():
    trace = cnninspect.trace("timm:vit_tiny_patch16_224@img_size=160,in_chans=1,num_classes=7")
    assert trace.inputs[0].spec.shape == (1, 1, 160, 160)
    assert trace.outputs[0].spec.shape == (1, 7)
    assert registry.load("timm:vit_tiny_patch16_224@img_size=(96,160)").inputs[0].shape == (
        1, 3, 96, 160,
    )  # fmt: skip


def test_an_unknown_name_has_its_nearest_names():
    with pytest.raises(UnknownModel, match="in timm") as caught:
        registry.load("timm:convnext_tny")
    assert "convnext_tiny" in caught.value.hint


def test_an_unknown_setting_lists_what_the_network_takes():
    with pytest.raises(UnknownSetting, match="timm:resnet18 has no setting 'clases'") as caught:
        cnninspect.summarize("timm:resnet18@clases=3")
    assert "num_classes (int, 1000)" in caught.value.hint


@pytest.mark.parametrize(
    "reference",
    ["timm:hf-hub:somebody/model", "timm:hf_hub:x", "timm:resnet18@pretrained=true",
     "timm:resnet18@checkpoint_path=w.pth"],
)  # fmt: skip
def test_weights_cannot_be_asked_for(reference):
    with pytest.raises(BadReference):
        registry.load(reference)


def test_the_list_has_families():
    by_name = {entry.name: entry for entry in registry.entries(("timm",))}
    assert len(by_name) > 1000
    assert by_name["convnext_tiny"].family == "convnext"
