"""transformers models from tiny configurations: inputs, rungs, settings and mistakes."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import cnninspect
from cnninspect.errors import (
    BadReference,
    BadSetting,
    BuildFailed,
    CnnInspectError,
    FileMissing,
    FileUnreadable,
    UnknownModel,
    UnknownSetting,
)
from cnninspect.sources import registry

TEXT = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 64, "pad_token_id": 1}  # fmt: skip
LLAMA = TEXT | {"num_key_value_heads": 1, "head_dim": 8}
EXPERTS = LLAMA | {"num_local_experts": 4, "num_experts_per_tok": 2}
PICTURE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
           "intermediate_size": 32, "image_size": 32, "patch_size": 8}  # fmt: skip
PAIR = {"encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
        "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "d_model": 16,
        "vocab_size": 50, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2,
        "decoder_start_token_id": 2}  # fmt: skip
T5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2, "vocab_size": 50}
SOUND = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
         "intermediate_size": 32, "conv_dim": [8, 8], "conv_kernel": [10, 3],
         "conv_stride": [5, 2], "num_feat_extract_layers": 2, "vocab_size": 20,
         "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2}  # fmt: skip
RESNET = {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 16, 16, 16],
          "depths": [1, 1, 1, 1], "layer_type": "basic",
          "out_features": ["stage4"]}  # fmt: skip

IDS, PIXELS = ("input_ids", (1, 64)), ("pixel_values", (1, 3, 32, 32))
CASES = {
    # class, model type, configuration, inputs
    "BertForMaskedLM": ("bert", TEXT, [IDS]),
    "RobertaModel": ("roberta", TEXT, [("input_ids", (1, 62))]),
    "DistilBertModel": ("distilbert", {"vocab_size": 50, "dim": 16, "n_layers": 1, "n_heads": 2,
                                       "hidden_dim": 32, "max_position_embeddings": 64}, [IDS]),
    "AlbertModel": ("albert", TEXT | {"embedding_size": 8}, [IDS]),
    "DebertaV2ForSequenceClassification": ("deberta-v2", TEXT, [IDS]),
    "ElectraForPreTraining": ("electra", TEXT | {"embedding_size": 8}, [IDS]),
    "GPT2LMHeadModel": ("gpt2", {"vocab_size": 50, "n_embd": 16, "n_layer": 2, "n_head": 2,
                                 "n_positions": 64}, [IDS]),
    "LlamaForCausalLM": ("llama", LLAMA, [IDS]),
    "MistralForCausalLM": ("mistral", LLAMA, [IDS]),
    "MixtralForCausalLM": ("mixtral", EXPERTS, [IDS]),
    "Qwen2ForCausalLM": ("qwen2", LLAMA, [IDS]),
    "Qwen2MoeForCausalLM": ("qwen2_moe", LLAMA | {"num_experts": 4, "num_experts_per_tok": 2,
                            "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16},
                            [IDS]),
    "GemmaForCausalLM": ("gemma", LLAMA, [IDS]),
    "PhiForCausalLM": ("phi", TEXT, [IDS]),
    "FalconForCausalLM": ("falcon", {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1,
                                     "num_attention_heads": 2}, [("input_ids", (1, 128))]),
    "OPTForCausalLM": ("opt", TEXT | {"ffn_dim": 32, "word_embed_proj_dim": 16}, [IDS]),
    "MambaForCausalLM": ("mamba", {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 1,
                                   "state_size": 4}, [("input_ids", (1, 128))]),
    "BertForMultipleChoice": ("bert", TEXT, [("input_ids", (1, 2, 64))]),
    "XLNetForMultipleChoice": ("xlnet", {"vocab_size": 50, "d_model": 16, "n_layer": 1, "n_head": 2,
                               "d_inner": 32}, [("input_ids", (1, 2, 128))]),
    "BrosModel": ("bros", TEXT | {"hidden_size": 64}, [IDS, ("bbox", (1, 64, 8))]),
    "DecisionTransformerModel": (
        "decision_transformer", {"hidden_size": 16, "n_layer": 1, "n_head": 2, "n_inner": 32,
                                 "state_dim": 5, "act_dim": 3},
        [("states", (1, 20, 5)), ("actions", (1, 20, 3)), ("rewards", (1, 20, 1)),
         ("returns_to_go", (1, 20, 1)), ("timesteps", (1, 20)), ("attention_mask", (1, 20))],
    ),
    "PatchTSTForPrediction": ("patchtst", {"context_length": 16, "patch_length": 4,
                              "patch_stride": 4, "num_input_channels": 2, "d_model": 16,
                              "ffn_dim": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
                              "prediction_length": 4},
                              [("past_values", (1, 16, 2))]),
    "Siglip2VisionModel": (
        "siglip2_vision_model", PICTURE | {"num_patches": 16},
        [("pixel_values", (1, 16, 192)), ("pixel_attention_mask", (1, 16)),
         ("spatial_shapes", (1, 2))],
    ),
    "GlmAsrEncoder": ("glmasr_encoder", TEXT | {"num_mel_bins": 8},
                      [("input_features", (1, 8, 1024))]),
    "T5ForConditionalGeneration": ("t5", T5, [("input_ids", (1, 128)),
                                              ("decoder_input_ids", (1, 128))]),
    "BartForConditionalGeneration": ("bart", PAIR | {"max_position_embeddings": 64},
                                     [IDS, ("decoder_input_ids", (1, 64))]),
    "WhisperForConditionalGeneration": (
        "whisper", PAIR | {"num_mel_bins": 8, "max_source_positions": 20,
                           "max_target_positions": 16},
        [("input_features", (1, 8, 40)), ("decoder_input_ids", (1, 16))],
    ),
    "Wav2Vec2ForCTC": ("wav2vec2", SOUND, [("input_values", (1, 16000))]),
    "ViTForImageClassification": ("vit", PICTURE, [PIXELS]),
    "Dinov2Model": ("dinov2", PICTURE, [PIXELS]),
    "SwinModel": ("swin", {"image_size": 32, "patch_size": 4, "embed_dim": 8, "depths": [1, 1],
                           "num_heads": [2, 2], "window_size": 4}, [PIXELS]),
    "SegformerForSemanticSegmentation": (
        "segformer", {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 16, 16],
                      "decoder_hidden_size": 16, "num_attention_heads": [1, 1, 2, 2],
                      "image_size": 64},
        [("pixel_values", (1, 3, 64, 64))],
    ),
    "DetrForObjectDetection": (
        "detr", {"backbone_config": RESNET, "use_timm_backbone": False, "d_model": 16,
                 "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
                 "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
                 "num_queries": 5},
        [("pixel_values", (1, 3, 800, 800))],
    ),
    "VideoMAEModel": ("videomae", PICTURE | {"num_frames": 4, "tubelet_size": 2},
                      [("pixel_values", (1, 4, 3, 32, 32))]),
    "CLIPModel": ("clip", {"text_config": TEXT, "vision_config": PICTURE, "projection_dim": 8},
                  [IDS, PIXELS]),
    "BlipForImageTextRetrieval": ("blip", {"text_config": TEXT | {"encoder_hidden_size": 16},
                                           "vision_config": PICTURE, "projection_dim": 8},
                                  [PIXELS, IDS]),
    "LlavaForConditionalGeneration": (
        "llava", {"text_config": LLAMA | {"model_type": "llama"}, "image_token_index": 49,
                  "vision_config": PICTURE | {"model_type": "clip_vision_model"}},
        [IDS],
    ),
}  # fmt: skip


@pytest.fixture
def configuration(tmp_path):
    """Writes a configuration and gives the reference to it."""

    def write(content):
        path = tmp_path / "config.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return f"hf:{path}"

    return write


@pytest.mark.parametrize(("name", "case"), CASES.items(), ids=CASES)
def test_a_model_of_each_kind_is_traced_without_computing(configuration, name, case):
    model_type, content, inputs = case
    reference = configuration({"architectures": [name], "model_type": model_type, **content})
    trace = cnninspect.trace(reference)
    assert {(t.name, t.spec.shape) for t in trace.inputs} == set(inputs)
    assert (trace.how.build, trace.how.run) == ("meta", "abstract")
    assert all(note.startswith("not called: ") for note in trace.how.notes)
    assert trace.layers[0].type == name
    report = cnninspect.summarize(trace)
    assert report.totals.macs > 0
    assert report.uncounted == ()


def test_the_dtype_of_the_configuration_holds(configuration):
    content = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **LLAMA}
    full = cnninspect.summarize(configuration(content))
    half = cnninspect.summarize(configuration(content | {"dtype": "bfloat16"}))
    assert half.totals.parameters == full.totals.parameters
    assert 2 * half.totals.parameter_bytes == full.totals.parameter_bytes


def test_the_macs_of_a_llama_by_hand(configuration):
    content = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", **LLAMA}
    report = cnninspect.summarize(configuration(content) + "@length=10")
    projections = 16 * 16 + 2 * 16 * 8 + 16 * 16  # queries, one head of keys and values, output
    attention = 2 * 10 * 16  # scores and sums, for each token
    layer = projections + attention + 3 * 16 * 32
    assert report.totals.macs == 10 * (2 * layer + 16 * 50)


def test_settings_override_keys(configuration):
    reference = configuration({"model_type": "clip", "text_config": TEXT, "vision_config": PICTURE})
    plain = cnninspect.summarize(reference)
    fewer = cnninspect.summarize(f"{reference}@text_config.num_hidden_layers=1,length=8")
    assert fewer.totals.parameters < plain.totals.parameters
    assert fewer.inputs[0].spec.shape == (1, 8)
    assert not [layer for layer in fewer.layers if layer.path.startswith("text_model.encoder.1")]


def test_a_folder_stands_for_its_configuration(configuration, tmp_path):
    configuration({"model_type": "bert", **TEXT})
    report = cnninspect.summarize(f"hf:{tmp_path}")
    assert report.layers[0].type == "BertModel"
    assert "BertModel by its model type" in report.engine.notes[0]


BERT = {"architectures": ["BertModel"], "model_type": "bert", **TEXT}


@pytest.mark.parametrize(
    ("content", "kind", "says"),
    [
        ("", FileUnreadable, "not JSON"),
        ("{", FileUnreadable, "not JSON"),
        ("[1, 2]", FileUnreadable, "holds a list"),
        ("\x00\xff", FileUnreadable, "not JSON"),
        ({}, FileUnreadable, "neither an architecture nor a known model type"),
        ({"architectures": [3]}, FileUnreadable, "neither an architecture"),
        ({"model_type": "brt"}, UnknownModel, "'brt'"),
        ({"architectures": ["BertForMaskdLM"]}, UnknownModel, "BertForMaskdLM"),
        ({"architectures": ["pipeline"], "model_type": "bert"}, UnknownModel, "pipeline"),
        ({"architectures": ["AutoTokenizer"]}, UnknownModel, "AutoTokenizer"),
        ({"architectures": ["Their"], "auto_map": {"AutoModel": "code.Their"}}, BadReference,
         "code of its own repository"),
        (BERT | {"num_hidden_layers": "two"}, FileUnreadable, "num_hidden_layers.*'two'"),
        (BERT | {"architectures": "BertForMaskdLM"}, UnknownModel, "BertForMaskdLM"),
        (BERT | {"num_attention_heads": 3}, BuildFailed, "16"),
    ],
)  # fmt: skip
def test_a_bad_configuration_is_one_clear_error(configuration, content, kind, says):
    with pytest.raises(kind, match=says):
        cnninspect.summarize(configuration(content))


def test_what_has_no_end_is_not_read(tmp_path):
    (tmp_path / "config.json").symlink_to("/dev/zero")
    for reference in (f"hf:{tmp_path}", f"hf:{tmp_path}/config.json"):
        with pytest.raises(FileUnreadable, match="not a regular file"):
            cnninspect.summarize(reference)


def test_no_code_of_a_repository_is_run(configuration, tmp_path):
    (tmp_path / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    auto_map = {"AutoConfig": "code.Config", "AutoModel": "code.Model"}
    for content in ({"model_type": "theirs"}, {"architectures": ["Model"]}, BERT):
        reference = configuration(content | {"auto_map": auto_map})
        try:
            report = cnninspect.summarize(reference)
        except (BadReference, UnknownModel):
            continue
        assert any("auto_map" in note for note in report.engine.notes)
    assert not (tmp_path / "ran").exists()


def test_a_name_of_the_hub_is_not_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileMissing, match="no file google/bert") as caught:
        registry.load("hf:google/bert")
    assert "downloads nothing from the hub" in caught.value.hint
    with pytest.raises(FileMissing, match=r"config\.json"):
        registry.load("hf:.")


def test_bad_settings_are_errors(configuration):
    reference = configuration(BERT)
    with pytest.raises(UnknownSetting, match="num_layers") as caught:
        registry.load(f"{reference}@num_layers=2")
    assert "num_hidden_layers" in caught.value.hint
    for setting in ("num_hidden_layers=two", "num_hidden_layers=1.5", "length=0", "length=x"):
        with pytest.raises(BadSetting):
            registry.load(f"{reference}@{setting}")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from([*BERT, "auto_map", "dtype", "quantization_config"]),
        st.none() | st.booleans() | st.integers(-3, 70) | st.text(max_size=5) | st.just([]),
        max_size=3,
    )
)
def test_no_configuration_leads_to_anything_but_a_report_or_one_of_our_errors(
    configuration, changes
):
    exit_code = 0
    try:
        cnninspect.trace(configuration(BERT | changes))
    except CnnInspectError as error:
        exit_code = error.exit_code
    assert exit_code in (0, 1, 2)


SERIES = {"context_length": 8, "prediction_length": 4, "lags_sequence": [1, 2], "d_model": 16,
          "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
          "encoder_attention_heads": 2, "decoder_attention_heads": 2}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "more", "shapes"),
    [
        ("TimeSeriesTransformerForPrediction", {},
         {"past_values": (1, 10), "past_time_features": (1, 10, 0), "past_observed_mask": (1, 10),
          "future_values": (1, 4), "future_time_features": (1, 4, 0)}),
        ("TimeSeriesTransformerModel",
         {"input_size": 3, "num_time_features": 2, "num_static_real_features": 1},
         {"past_values": (1, 10, 3), "past_time_features": (1, 10, 2),
          "past_observed_mask": (1, 10, 3), "future_values": (1, 4, 3),
          "future_time_features": (1, 4, 2), "static_real_features": (1, 1)}),
    ],
)  # fmt: skip
def test_a_series_has_a_past_and_a_future(configuration, name, more, shapes):
    content = {"architectures": [name], "model_type": "time_series_transformer", **SERIES, **more}
    trace = cnninspect.trace(configuration(content))
    assert {tensor.name: tensor.spec.shape for tensor in trace.inputs} == shapes


def test_towers_get_the_grid_of_their_patches(configuration):
    content = {"architectures": ["Qwen2VisionTransformerPretrainedModel"], "depth": 1,
               "model_type": "qwen2_vl_vision", "embed_dim": 32, "hidden_size": 16, "num_heads": 2,
               "patch_size": 14, "spatial_merge_size": 2, "temporal_patch_size": 2}  # fmt: skip
    import transformers

    if not hasattr(transformers, content["architectures"][0]):
        pytest.skip("this version calls it otherwise")
    trace = cnninspect.trace(configuration(content))
    shapes = {tensor.name: tensor.spec.shape for tensor in trace.inputs}
    assert shapes == {"hidden_states": (256, 3 * 2 * 14 * 14), "grid_thw": (1, 3)}


def test_a_batch_multiplies_what_the_model_takes(configuration):
    content = PICTURE | {"num_patches": 16, "model_type": "siglip2_vision_model"}
    reference = configuration(content | {"architectures": ["Siglip2VisionModel"]})
    one, three = (cnninspect.summarize(reference, batch=batch) for batch in (1, 3))
    assert [tensor.spec.shape[0] for tensor in three.inputs] == [3, 3, 3]
    assert three.totals.macs == 3 * one.totals.macs


def test_floats_that_json_lacks_are_read(configuration):
    content = {"architectures": ["BambaModel"], "model_type": "bamba", **LLAMA,
               "time_step_limit": [0.0, {"__float__": "Infinity"}], "mamba_n_heads": 4,
               "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 4,
               "num_hidden_layers": 1}  # fmt: skip
    report = cnninspect.summarize(configuration(content))
    assert report.totals.macs > 0
    assert any("without a cache" in note for note in report.engine.notes)


def test_the_class_is_chosen_by_settings(configuration):
    reference = configuration(BERT)
    assert cnninspect.trace(reference).layers[0].type == "BertModel"
    masked = cnninspect.trace(f"{reference}@architectures=BertForMaskedLM")
    assert masked.layers[0].type == "BertForMaskedLM"
    listed = cnninspect.trace(f"{reference}@architectures=[BertForMaskedLM],length=8")
    assert listed.layers[0].type == "BertForMaskedLM"
    other = cnninspect.trace(configuration({"model_type": "bert", **TEXT}) + "@model_type=electra")
    assert other.layers[0].type == "ElectraModel"


@pytest.mark.parametrize(
    "change",
    [
        {"num_hidden_layers": 2**40},
        {"num_hidden_layers": 10_001},
        {"num_hidden_layers": -1},
        {"num_hidden_layers": 10**4000},
        {"model_type": [1]},
        {"model_type": {"a": 1}},
        {"text_config": {"num_hidden_layers": 2**40}},
        {"depths": [1, 2**62]},
        {"depths": [6000, 6000]},
        {"vision_config": [{"n_layers": 2**40}]},
    ],
)
def test_counts_have_a_bound_and_types_are_checked(configuration, change):
    with pytest.raises(FileUnreadable) as caught:
        cnninspect.summarize(configuration(BERT | change))
    assert caught.value.hint


def test_a_layer_that_is_counted_from_the_end_is_no_count(configuration):
    before = cnninspect.summarize(configuration(BERT)).totals
    assert cnninspect.summarize(configuration(BERT | {"feature_layer": -2})).totals == before


def test_counts_that_are_typed_have_one_too(configuration):
    with pytest.raises(BadSetting, match="num_hidden_layers"):
        cnninspect.summarize(configuration(BERT) + f"@num_hidden_layers={2**40}")


@pytest.mark.parametrize("key", ["AutoConfig", "AutoModel", "AutoModelForMaskedLM"])
@pytest.mark.parametrize("content", [BERT, {"model_type": "theirs"}, {"architectures": ["Theirs"]}])
def test_no_code_named_in_a_configuration_runs(configuration, tmp_path, monkeypatch, key, content):
    monkeypatch.chdir(tmp_path)
    code = f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Theirs: pass\n"
    for name in ("modeling_theirs.py", "configuration_theirs.py", "theirs.py"):
        (tmp_path / name).write_text(code)
    for place in ("modeling_theirs.Theirs", "theirs--modeling_theirs.Theirs", "./theirs.Theirs"):
        more = {"auto_map": {key: place}, "trust_remote_code": True, "custom_pipelines": place}
        try:
            cnninspect.summarize(configuration(content | more))
        except CnnInspectError:
            continue
    assert not (tmp_path / "ran").exists()
