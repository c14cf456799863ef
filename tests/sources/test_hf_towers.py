"""Inputs of towers whose configurations say in words of their own what goes in."""

import pytest

from cnninspect.sources.hf_inputs import default_inputs
from cnninspect.sources.torchvision_schemas import import_torchvision

import_torchvision()
transformers = pytest.importorskip("transformers")
SHAPES = {
    "granite_speech5_encoder": ("GraniteSpeech5Encoder", {"input_features": (1, 1024, 4 * 80)}),
    "depth_pro": ("DepthProModel", {"pixel_values": (1, 3, 1536, 1536)}),
    "sam2": ("Sam2Model", {"pixel_values": (1, 3, 1024, 1024)}),
    "sam3": ("Sam3Model", {"pixel_values": (1, 3, 1008, 1008), "input_ids": (1, 32)}),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_tower_gets_what_it_takes(kind):
    name, shapes = SHAPES[kind]
    if kind not in transformers.CONFIG_MAPPING or not hasattr(transformers, name):
        pytest.skip("another version of transformers")
    requests = default_inputs(getattr(transformers, name), transformers.CONFIG_MAPPING[kind](), 128)
    assert {request.name: request.shape for request in requests[0]} == shapes


def test_a_configuration_whose_layers_differ_is_read():
    from cnninspect.sources.hf import _has_key

    class Differs:
        @property
        def num_attention_heads(self):
            raise ValueError("it varies across layers")

    assert _has_key(Differs(), "num_attention_heads")
    assert not _has_key(object(), "num_attention_heads")
