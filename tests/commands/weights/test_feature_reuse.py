"""Feature reuse: whose channels are read, against weights cut by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.errors import BadOption, WeightsMismatch
from cnninspect.metrics.channel_sources import readers

SMALL = "densenet_bc100_k12@depth=22,growth_rate=4,resolution=8"


class Dense(nn.Module):
    """Three layers that read all before them, with every way of passing channels on."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.norm = nn.Conv2d(1, 5, 3, padding=1), nn.BatchNorm2d(5)
        self.a = nn.Conv2d(5, 3, 3, padding=1)
        self.b = nn.Conv2d(8, 4, 1)
        self.grouped = nn.Conv2d(12, 6, 1, groups=2)
        self.up = nn.ConvTranspose2d(12, 2, 2, stride=2)
        self.head = nn.Linear(14 * 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        first = torch.relu(self.norm(self.stem(x)))
        second = self.a(first)
        third = self.b(torch.cat([first, second], 1))
        every = torch.cat([first, second, third], 1)
        gate = every.mean((2, 3), keepdim=True).sigmoid()
        grouped = self.grouped(every * gate)
        up = nn.functional.max_pool2d(self.up(every), 2)
        joined = torch.cat([every, up], 1)  # 14 channels
        joined = nn.functional.adaptive_avg_pool2d(joined + 0 * grouped.sum(), 2)
        return self.head(joined.flatten(1))


def parts(net: nn.Module, shape: tuple[int, ...]) -> dict[str, list[tuple[str, int]]]:
    traced = cnninspect.trace(net, shape)
    return {r.path: [(p.source, p.channels) for p in r.parts] for r in readers(traced)}


def test_channels_are_followed_to_the_layers_that_made_them() -> None:
    found = parts(Dense(), (2, 1, 8, 8))
    assert found["a"] == [("stem", 5)]
    assert found["b"] == [("stem", 5), ("a", 3)]
    whole = [("stem", 5), ("a", 3), ("b", 4)]
    assert found["grouped"] == found["up"] == whole


class Cut(nn.Module):
    """Reads some of the channels, and what was shuffled."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(2, 4, 1), nn.Conv2d(2, 6, 1)
        self.middle, self.shuffled = nn.Conv2d(5, 2, 1), nn.Conv2d(10, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.cat([self.one(x), self.other(x)], 1)
        n, c, h, w = both.shape
        mixed = both.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return self.middle(both[:, 2:7]) + self.shuffled(mixed)


def test_a_cut_keeps_its_part_and_a_shuffle_none() -> None:
    found = parts(Cut(), (1, 2, 4, 4))
    assert found["middle"] == [("one", 2), ("other", 3)]
    assert len(found["shuffled"]) == 1
    assert found["shuffled"][0][0] not in ("one", "other")


def test_figures_are_the_means_of_the_weights_cut_by_hand() -> None:
    net = Dense()
    report = cnninspect.feature_reuse(net, (2, 1, 8, 8))
    (block,) = report.blocks
    found = {layer.path: {r.source: r for r in layer.reuses} for layer in block.layers}
    assert list(found)[:4] == ["a", "b", "grouped", "up"]
    weight = net.b.weight.detach().double().abs()
    assert found["b"]["stem"].mean_weight == pytest.approx(float(weight[:, :5].mean()))
    assert found["b"]["a"].mean_weight == pytest.approx(float(weight[:, 5:].mean()))
    weight = net.up.weight.detach().double().abs()
    assert found["up"]["a"].mean_weight == pytest.approx(float(weight[5:8].mean()))
    weight = net.grouped.weight.detach().double().abs()[..., 0, 0]  # (6, 6): two groups of 3
    channels = torch.cat([weight[:3].mean(0), weight[3:].mean(0)])
    assert found["grouped"]["b"].mean_weight == pytest.approx(float(channels[8:].mean()))
    largest = max(r.mean_weight for layer in found.values() for r in layer.values())
    for layer in found.values():
        own = max(reuse.mean_weight for reuse in layer.values())
        for reuse in layer.values():
            assert reuse.relative == pytest.approx(reuse.mean_weight / largest)
            assert reuse.of_layer == pytest.approx(reuse.mean_weight / own)


@pytest.mark.parametrize("reference", [SMALL, "torchvision:densenet121"])
def test_a_densenet_has_a_block_for_each_of_its_own(reference: str) -> None:
    if reference.startswith("torchvision"):
        traced = cnninspect.trace(reference, (1, 3, 32, 32))
        from cnninspect.commands.weights.analysis import joining_readers

        sizes = [len(joining) for joining in joining_readers(readers(traced))]
        assert sizes == [7, 13, 25, 17]  # the layers, and a transition or the classifier
        return
    report = cnninspect.feature_reuse(reference)
    assert [block.name for block in report.blocks] == [f"features.denseblock{i}" for i in (1, 2, 3)]
    for block in report.blocks:
        assert [len(layer.reuses) for layer in block.layers] == [1, 2, 3, 4]
        assert len(block.sources) == 4
    assert report.blocks[0].sources[0] == "features.conv0"
    assert report.blocks[1].sources[0] == "features.transition1.conv"
    assert report.blocks[2].layers[-1].path == "classifier"
    assert any("untrained" in note for note in report.notes)


def test_weights_of_a_file_are_those_that_are_looked_at(tmp_path: Path) -> None:
    from cnninspect.sources.registry import load

    net = load(SMALL).build()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "denseblock2.denselayer3.conv1" in name:
                parameter.zero_()
                parameter[:, -4:] = 0.5
    path = tmp_path / "weights.pth"
    torch.save(net.state_dict(), path)
    report = cnninspect.feature_reuse(SMALL, weights=path)
    layer = report.blocks[1].layers[2]
    assert [r.mean_weight for r in layer.reuses] == [0.0, 0.0, 0.5]
    assert report.notes == ()
    with pytest.raises(WeightsMismatch):
        cnninspect.feature_reuse("densenet_bc100_k12@depth=22", weights=path)
    with pytest.raises(BadOption) as error:
        cnninspect.feature_reuse(net, (1, 3, 8, 8), weights=path)
    assert "live module" in str(error.value.hint)


def test_a_network_that_joins_nothing_says_so() -> None:
    report = cnninspect.feature_reuse("lenet5_modern")
    assert report.blocks == ()
    assert "no layer reads channels of several others" in cnninspect.render(report, format="table")


def test_the_picture_has_a_heat_map_for_each_block() -> None:
    pytest.importorskip("matplotlib")
    from cnninspect.commands.weights.reuse_rendering import picture

    report = cnninspect.feature_reuse(SMALL)
    figure: Any = picture(report, "figure")
    maps = [axis for axis in figure.axes if axis.images]
    assert len(maps) == 3
    grid = maps[0].images[0].get_array()
    assert grid.shape == (4, 4)
    assert float(grid.max()) == 1.0
    assert bool(grid.mask[3, 0]) if hasattr(grid, "mask") else grid[3, 0] != grid[3, 0]
    rows = cnninspect.render(report, format="csv").splitlines()
    assert rows[0].startswith("block,layer,source,channels,mean_weight,relative")
    assert len(rows) == 1 + 3 * 10
