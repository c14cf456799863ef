"""Every network of the zoo by its name, as `cnninspect summary NAME` meets it."""

import pytest
from published_measures import traced

import cnninspect
from cnninspect.zoo import catalogue


@pytest.mark.parametrize("name", catalogue.names())
def test_a_network_is_traced_without_computing_and_counted_whole(name):
    summary = cnninspect.summarize(traced(name))
    assert (summary.engine.build, summary.engine.run) == ("meta", "abstract")
    assert summary.engine.notes == ()
    assert summary.uncounted == ()
    assert summary.totals.macs > 0
    assert summary.totals.parameters == catalogue.find(name)[1].parameters
    assert all(published.matches for published in summary.published)
    assert [layer.path for layer in summary.layers if not layer.calls] == []


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "densenet121", "vgg16_bn"])
def test_a_torchvision_name_shows_that_its_published_numbers_match(name):
    summary = cnninspect.summarize(traced(name))
    assert {published.quantity for published in summary.published} == {"macs", "parameters"}
