"""torchvision's models: the default inputs of all, the counts of one of each kind."""

import json
from importlib.resources import files

import pytest
import torch

import cnninspect
from cnninspect.errors import BadReference, BadSetting, UnknownModel, UnknownSetting
from cnninspect.sources import registry

NAMES = [entry.name for entry in registry.entries(("torchvision",))]
PUBLISHED = json.loads(files("cnninspect.metrics").joinpath("published.json").read_text())["rows"]
"""Of classifiers: parameters and GMACs in torchvision's metadata."""

TUNED_LATER = ("vit_h_14", "regnet_y_128gf")
"""Models whose counts are for weights tuned on larger pictures, which their builders do not take
unless they are told so."""


def default_shapes(reference):
    return [request.shape for request in registry.load(reference).inputs]


@pytest.mark.parametrize("name", NAMES)
def test_every_model_has_the_input_that_its_published_count_was_made_with(name):
    shapes = default_shapes(f"torchvision:{name}")
    if name.startswith("raft"):
        assert shapes == [(1, 3, 512, 512)] * 2
        return
    plain = name.removeprefix("quantized_")
    published = [tuple(row["input"]) for row in PUBLISHED if row["model"] == plain]
    pictures = [shape if len(shape) > 3 else (1, *shape) for shape in published]
    if name in TUNED_LATER:
        pictures = [(1, 3, 224, 224)]
    assert shapes == [min(pictures)]


@pytest.mark.parametrize(
    ("reference", "gmacs", "parameters"),
    [
        # torchvision 0.28, `_ops` and `num_params` of the published weights
        ("mobilenet_v3_small", 0.057, 2_542_856),
        ("efficientnet_b0", 0.386, 5_288_548),
        ("swin_t", 4.491, 28_288_354),
        ("vit_b_32", 4.409, 88_224_232),
        ("maxvit_t", 5.558, 30_919_624),
        ("googlenet@aux_logits=false", 1.498, 6_624_904),
        ("inception_v3", 5.713, 27_161_264),
        ("vit_b_16@image_size=384", 55.484, 86_859_496),
        ("lraspp_mobilenet_v3_large", 2.086, 3_221_538),
        ("deeplabv3_mobilenet_v3_large@aux_loss=true", 10.452, 11_029_328),
        ("fcn_resnet50@aux_loss=true", 152.717, 35_322_218),
        ("r3d_18", 40.697, 33_371_472),
        ("swin3d_t", 43.882, 28_158_070),
        ("mvit_v2_s", 64.224, 34_537_744),
        ("quantized_mobilenet_v2", 0.301, 3_504_872),
        ("raft_small", 47.655, 990_162),
    ],
)
def test_one_of_each_kind_has_its_published_count(reference, gmacs, parameters):
    trace = cnninspect.trace(f"torchvision:{reference}")
    assert (trace.how.build, trace.how.run) == ("meta", "abstract")
    report = cnninspect.summarize(trace)
    assert report.totals.parameters == parameters
    assert abs(report.totals.macs / 1e9 - gmacs) <= 0.0005 * (1 + 1e-9)
    assert report.uncounted == ()


def test_a_detection_model_is_run_for_real_and_says_why():
    report = cnninspect.summarize("torchvision:ssdlite320_mobilenet_v3_large")
    assert (report.engine.build, report.engine.run) == ("real", "real")
    assert any(note.startswith("run for real, because aten.") for note in report.engine.notes)
    assert abs(report.totals.macs / 1e9 - 0.583) <= 0.0005  # boxes cost nothing that is counted
    assert report.totals.parameters == 3_440_060
    assert report.uncounted == ()


def test_settings_reach_the_builder():
    small = cnninspect.summarize("torchvision:resnet18@num_classes=10,width_per_group=64")
    assert small.layers[-1].output_shapes == ((1, 10),)
    assert default_shapes("torchvision:mvit_v2_s@temporal_size=8") == [(1, 3, 8, 224, 224)]
    assert default_shapes("torchvision:maxvit_t@input_size=448x448") == [(1, 3, 448, 448)]


def test_an_unknown_name_has_its_nearest_names():
    with pytest.raises(UnknownModel, match="in torchvision") as caught:
        registry.load("torchvision:resnet5")
    assert "resnet50" in caught.value.hint


@pytest.mark.parametrize("key", ["weights", "weights_backbone", "progress", "quantize"])
def test_weights_cannot_be_asked_for(key):
    with pytest.raises(BadReference, match="about weights"):
        registry.load(f"torchvision:fcn_resnet50@{key}=DEFAULT")


def test_keywords_that_a_builder_passes_on_have_no_name_of_their_own():
    with pytest.raises(UnknownSetting):
        registry.load("torchvision:fcn_resnet50@kwargs=1")


def test_an_unknown_setting_lists_what_the_network_takes():
    with pytest.raises(UnknownSetting) as caught:
        cnninspect.summarize("torchvision:resnet18@num_clases=10")
    assert "num_classes (int, 1000)" in caught.value.hint
    with pytest.raises(BadSetting):
        cnninspect.summarize("torchvision:fcn_resnet50@num_classes=ten")


def test_the_list_has_families_and_published_parameters():
    by_name = {entry.name: entry for entry in registry.entries(("torchvision",))}
    assert (by_name["resnet18"].family, by_name["resnet18"].parameters) == ("resnet", 11_689_512)
    assert by_name["fcn_resnet50"].family == "segmentation.fcn"


class Deformed(torch.nn.Module):
    def __init__(self):
        super().__init__()
        from torchvision.ops import DeformConv2d, RoIAlign, RoIPool

        self.offset = torch.nn.Conv2d(4, 18, 3, padding=1, bias=False)
        self.deform = DeformConv2d(4, 8, 3, padding=1)
        self.align, self.pool = RoIAlign(3, 1.0, 2), RoIPool(2, 1.0)

    def forward(self, x, rois):
        y = self.deform(x, self.offset(x))
        return y, self.align(y, rois), self.pool(y, rois)


def test_a_deformable_convolution_costs_what_a_plain_one_does():
    registry.source("torchvision")
    registry.load("torchvision:alexnet")  # torchvision can be imported from now on
    report = cnninspect.summarize(Deformed(), [(2, 4, 10, 12), torch.rand(5, 5)])
    rows = {layer.path: layer for layer in report.layers}
    assert rows["deform"].own.macs == 2 * 10 * 12 * 8 * 4 * 9
    assert rows["align"].output_shapes == ((5, 8, 3, 3),)
    assert rows["pool"].output_shapes == ((5, 8, 2, 2),)
    assert report.engine.run == "abstract"
    assert report.uncounted == ()
