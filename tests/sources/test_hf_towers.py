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
    "kimi_k25_vision": (
        "Kimi_K25VisionModel", {"pixel_values": (256, 588), "grid_thw": (1, 3)},
    ),
    "muse_glimmer_vision": (
        "MuseGlimmerVisionModel", {"pixel_values": (256, 1176), "grid_thw": (1, 3)},
    ),
    "nemotron3_5_transcribe_word_timestamp": (
        "Nemotron3_5TranscribeWordTimestampModel", {"inputs_embeds": (1, 128, 1280)},
    ),
    "pe_video_encoder": ("PeVideoEncoder", {"pixel_values_videos": (1, 16, 3, 336, 336)}),
    "pe_audio_video": (
        "PeAudioVideoModel",
        {
            "input_ids": (1, 128),
            "pixel_values_videos": (1, 16, 3, 336, 336),
            "input_values": (1, 16_000),
        },
    ),
    "sam3": ("Sam3Model", {"pixel_values": (1, 3, 1008, 1008), "input_ids": (1, 32)}),
}  # fmt: skip
OTHERS = {
    "kimi_k25_vision": ("Kimi_K25VisionModel", "pixel_values", (256, 3, 14, 14)),
    "inkling2_vision": ("Inkling2VisionModel", "pixel_values", (100, 40, 40, 3)),
    "dia": ("DiaModel", "decoder_input_ids", (9, 128)),
    "musicgen": ("MusicgenForConditionalGeneration", "decoder_input_ids", (4, 128)),
    "kyutai_speech_to_text": ("KyutaiSpeechToTextModel", "input_ids", (1, 128, 33)),
}
"""What else is tried, for inputs whose form no key of the configuration tells."""


@pytest.mark.parametrize("kind", OTHERS)
def test_other_forms_of_an_input_are_tried(kind):
    name, wanted, shape = OTHERS[kind]
    if kind not in transformers.CONFIG_MAPPING or not hasattr(transformers, name):
        pytest.skip("another version of transformers")
    requests = default_inputs(getattr(transformers, name), transformers.CONFIG_MAPPING[kind](), 128)
    tried = [(r.shape, r.dtype) for attempt in requests for r in attempt if r.name == wanted]
    assert (shape, "int64" if wanted.endswith("ids") else None) in tried


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
