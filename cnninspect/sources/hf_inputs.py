"""What a transformers model takes, worked out from its class and configuration."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

from cnninspect.records.models import InputRequest, TensorValues

TOKENS = 128
"""Length of a text where nothing else is said."""
CHOICES = 2
"""Answers of a multiple choice."""
IMAGE, DETECTION = 224, 800
"""Height and width of a picture where the configuration gives none; the second for detection."""
FRAMES = 4
"""Of a video where the configuration gives none."""
SAMPLES = 16_000
"""A second of sound at 16 kHz."""
SPECTRUM_STEPS = 1024
"""Steps of a spectrogram where the configuration gives none."""
SERIES_STEPS, ACTIONS = 64, 20
"""Steps of a time series where the configuration gives none, and of what somebody did."""
LEVELS = 3
"""How far parts of parts of a configuration are looked into."""
OFFSET_POSITIONS = frozenset(
    {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "longformer",
     "mpnet", "data2vec-text", "esm", "ibert", "xmod", "luke"}
)  # fmt: skip
"""Model types that count positions from the padding token on, and so have fewer of them."""
BESIDE_TEXT = ("pixel_values", "input_features")
"""What models of two towers take beside a text."""
PLACEHOLDERS = ("image_token_id", "image_token_index", "audio_token_id")
"""Keys of models that put pictures or sounds between the words of a text."""
ASKED_FOR = {
    "bros": ("bbox",), "udop": ("bbox",), "lxmert": ("visual_feats", "visual_pos"),
    "visual_bert": ("visual_embeds",),
    "decision_transformer": (
        "states", "actions", "rewards", "returns_to_go", "timesteps", "attention_mask",
    ),
    "longformer": ("global_attention_mask",),
    "siglip2": ("pixel_attention_mask", "spatial_shapes"),
    "sam3": ("input_ids",), "sam3_lite_text": ("input_ids",), "instructblipvideo": ("input_ids",),
    "pe_audio_video": ("pixel_values_videos", "input_values"),
}  # fmt: skip
"""Arguments that have a default and are needed all the same, by the model's type."""
CHANNELS = ("in_channels", "in_chans", "num_channels")
"""Keys that say how many channels a picture has."""
POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_target_positions")
"""Keys that say how many positions there are."""


def default_inputs(kind: Any, config: Any, tokens: int) -> tuple[tuple[InputRequest, ...], ...]:
    """The inputs that `forward` needs, by name: the likeliest, then others to try; may be empty.

    `tokens` is the length of texts, shortened to what the model has positions for.
    """
    made = Makers(kind, config, tokens)
    wanted = made.wanted()
    first = tuple(made.request(name) for name in wanted)
    if not first or None in first:
        return ()
    requests = tuple(request for request in first if request is not None)
    found = [requests]
    for i, request in enumerate(requests):
        found += [(*requests[:i], other, *requests[i + 1 :]) for other in made.others(request)]
    return tuple(found)


class Makers:
    """Makes a request for each argument of a model, by its name."""

    def __init__(self, kind: Any, config: Any, tokens: int) -> None:
        self.kind = kind
        self.config = config
        self.tokens = tokens
        self.taken = inspect.signature(kind.forward).parameters
        self.required = [
            name
            for name, p in self.taken.items()
            if name != "self"
            and p.default is p.empty
            and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        ]
        self.by_name: dict[str, Callable[[], InputRequest | None]] = {
            "input_ids": lambda: self._text("input_ids"),
            "decoder_input_ids": lambda: self._text("decoder_input_ids"),
            "qformer_input_ids": lambda: self._text("qformer_input_ids"),
            "pixel_values": self._picture,
            "pixel_values_videos": self._video,
            "input_features": self._spectrum,
            "input_values": self._sound,
            "hidden_states": self._hidden,
            "inputs_embeds": self._embedded,
            "spectrogram": self._spectrogram,
            "past_values": self._series,
            "past_observed_mask": lambda: self._like_series("past_observed_mask"),
            "past_time_features": lambda: self._time_features("past_time_features"),
            "future_values": lambda: self._future("future_values"),
            "future_time_features": lambda: self._time_features("future_time_features"),
            "static_categorical_features": lambda: self._static("categorical", "int64"),
            "static_real_features": lambda: self._static("real", None),
            "past_values_padding": lambda: self._like_series("past_values_padding"),
            "freq": lambda: InputRequest((1, 1), "int64", name="freq", high=3),
            "global_attention_mask": self._global_mask,
            "states": lambda: self._acted("states", _number(config, "state_dim")),
            "actions": lambda: self._acted("actions", _number(config, "act_dim")),
            "rewards": lambda: self._acted("rewards", 1),
            "returns_to_go": lambda: self._acted("returns_to_go", 1),
            "timesteps": lambda: InputRequest(
                (1, ACTIONS), "int64", name="timesteps", high=ACTIONS
            ),
            "bbox": self._boxes,
            "visual_feats": lambda: self._regions("visual_feats", "visual_feat_dim"),
            "visual_pos": lambda: self._regions("visual_pos", "visual_pos_dim"),
            "visual_embeds": lambda: self._regions("visual_embeds", "visual_embedding_dim"),
            "spatial_shapes": self._patch_grid,
            "grid_thw": lambda: self._grid("grid_thw"),
            "image_grid_thw": lambda: self._grid("image_grid_thw"),
        }

    def wanted(self) -> list[str]:
        """The names of the arguments to make, as `forward` and the model's type ask for them."""
        config, taken = self.config, self.taken
        main = getattr(self.kind, "main_input_name", "input_ids")
        wanted = [main] if isinstance(main, str) else list(main)
        if wanted[0] not in taken and self.required:  # not what this class takes
            wanted = []
        if main == "input_ids":
            wanted += [n for n in BESIDE_TEXT if n in taken and _has_two_towers(self.kind, config)]
        if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in taken:
            wanted.append("decoder_input_ids")
        wanted += self.required
        wanted += [n for n in ASKED_FOR.get(getattr(config, "model_type", ""), ()) if n in taken]
        if "past_time_features" in taken and "lags_sequence" in _keys(config):
            wanted += ["past_time_features", "past_observed_mask"]
            wanted += ["future_values", "future_time_features"]
            for kind in ("categorical", "real"):
                if _number(config, f"num_static_{kind}_features"):
                    wanted.append(f"static_{kind}_features")
        return list(dict.fromkeys(wanted))

    def request(self, name: str) -> InputRequest | None:
        """What to make for an argument; None where nobody can tell."""
        if name in self.by_name:
            return self.by_name[name]()
        if name.endswith(("attention_mask", "features_mask", "mel_mask", "values_mask")):
            return self._mask(name)
        if name.endswith("features") and name in self.required:  # input_audio_features, …
            found = self._spectrum()
            return found and InputRequest(found.shape, name=name)
        return None

    def others(self, request: InputRequest) -> list[InputRequest]:
        """Other shapes of the same input: steps before bins, pairs and clips of pictures, …"""
        name, shape = request.name, request.shape
        shapes: list[tuple[int, ...]] = []
        if name == "input_features" and len(shape) == 3:
            shapes.append((shape[0], shape[2], shape[1]))
            width = _number(self.config, "input_dim")
            shapes += [(*shape[:2], width)] if width else []
        if name == "pixel_values" and len(shape) == 4:
            shapes += [(1, 2, *shape[1:]), (1, 1, *shape[1:]), (1, 8, *shape[1:])]
            patch = _number(self.config, "patch_size")
            if patch:
                count, width = (shape[-1] // patch) ** 2, shape[1] * patch**2
                shapes += [(1, count, width), (count, shape[1], patch, patch), (count, width)]
        if name == "pixel_values" and len(shape) == 5:
            shapes.append((shape[0] * shape[1], *shape[2:]))
        if name in ("hidden_states", "pixel_values") and len(shape) == 2:  # patches in rows
            patch = _patch(self.config)
            square = patch * (_number(self.config, "spatial_merge_size") or 1)
            channels = _number(self.config, *CHANNELS) or 3
            shapes += [(shape[0], channels, patch, patch), (shape[0], square, square, channels)]
        if name == "input_values" and len(shape) == 2:
            shapes.append((1, 1, shape[1]))
        if name in ("input_ids", "decoder_input_ids") and len(shape) == 2:
            books = self._code_books()
            shapes += [(books, shape[1])] if books else []
            shapes += [(1, shape[1], n) for n in (books + 1, books) if books]
        return [replace(request, shape=shape) for shape in shapes]

    def _code_books(self) -> int:
        """How many codes of sound stand at each step of a sequence, a text beside them left out."""
        config, keys = self.config, ("num_codebooks", "audio_num_codebooks")
        decoders = [getattr(config, key, None) for key in ("decoder_config", "decoder")]
        return _number(config, *keys) or next(
            (n for part in decoders if (n := _number(part, *keys, "num_channels"))), 0
        )

    def _text(self, name: str) -> InputRequest:
        config = self.config
        text = getattr(config, "text_config", None)
        if text is None or isinstance(text, dict):
            text = config.get_text_config(decoder=name.startswith("decoder"))
        if name.startswith("qformer"):
            text = getattr(config, "qformer_config", text)
        limits = [getattr(text, key, None) for key in POSITIONS]
        limit = min(
            (size for size in limits if isinstance(size, int) and size > 0), default=self.tokens
        )
        if getattr(text, "model_type", "") in OFFSET_POSITIONS:
            limit -= (text.pad_token_id or 0) + 1
        sizes_known = [getattr(text, key, None) for key in ("vocab_size", "codebook_vocab_size")]
        high = min((size for size in sizes_known if isinstance(size, int)), default=None)
        is_choice = "MultipleChoice" in self.kind.__name__
        sizes = (CHOICES,) if is_choice else ()
        length = max(min(self.tokens, limit), 1)
        return InputRequest((1, *sizes, length), "int64", name=name, high=high)

    def _mask(self, name: str) -> InputRequest | None:
        """Ones over the tokens, steps or patches that it belongs to."""
        of = {"input_features_mask": "input_features", "audio_mel_mask": "audio_mel"}.get(name)
        if of == "audio_mel" or (of is None and "audio" in name):
            of = "input_features"
        if self.config.model_type == "decision_transformer":
            return InputRequest((1, ACTIONS), "int64", name=name)
        if name.startswith("pixel"):
            of = "pixel_values"
        request = self.request(of or name.replace("attention_mask", "input_ids"))
        if request is None:
            return None
        length = request.shape[-1] if request.dtype == "int64" else request.shape[1]
        return InputRequest((1, length), "int64" if of is None else "bool", name=name)

    def _global_mask(self) -> InputRequest:
        """The first token attends to all others, as in classification."""
        shape = self._text("input_ids").shape
        row = (1,) + (0,) * (shape[-1] - 1)
        return _valued("global_attention_mask", shape, row * math.prod(shape[:-1]), batch_dim=0)

    def _picture(self) -> InputRequest:
        config = self.config
        grid = (
            self._grid("grid_thw") if {"grid_thw", "image_grid_thw"} & set(self.required) else None
        )
        if grid is not None:
            return self._patches("pixel_values")
        fallback = DETECTION if "ObjectDetection" in self.kind.__name__ else IMAGE
        parts = _parts(config)
        vision: Any = next(
            (part for part in parts if getattr(part, "image_size", None) is not None), config
        )
        size = getattr(vision, "image_size", None)
        size = size or next((s for part in parts if (s := _size_in_timm(part))), fallback)
        if isinstance(size, dict):
            size = (size.get("height", fallback), size.get("width", fallback))
        sizes: tuple[int, ...] = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
        known = [getattr(part, "num_channels", None) for part in parts]
        channels = [count for count in (*known, 3) if isinstance(count, int)][:1]
        if getattr(config, "model_type", "").startswith("siglip2"):
            return InputRequest((1, self._siglip_patches(), channels[0] * _patch(config) ** 2),
                                name="pixel_values")  # fmt: skip
        ratios = getattr(config, "scaled_images_ratios", None)
        if ratios:  # the smallest copy of the picture is one patch
            sizes = (round(_number(config, "patch_size") / min(ratios)),) * 2
        frames = getattr(vision, "num_frames", None)
        if frames is None and "BlipVideo" in self.kind.__name__:
            frames = FRAMES
        clip: tuple[int, ...] = (frames,) if isinstance(frames, int) else ()
        return InputRequest((1, *clip, *channels, *sizes), name="pixel_values")

    def _siglip_patches(self) -> int:
        return next((p.num_patches for p in _parts(self.config) if hasattr(p, "num_patches")), 256)

    def _patch_grid(self) -> InputRequest:
        side = math.isqrt(self._siglip_patches())
        return _valued("spatial_shapes", (1, 2), (side, side), batch_dim=0)

    def _grid(self, name: str) -> InputRequest:
        """One picture of that many patches in height and width, which towers merge by squares."""
        side = self._side()
        return _valued(name, (1, 3), (1, side, side))

    def _side(self) -> int:
        """Patches along a picture: a multiple of what is merged, and of a window of these."""
        merge = _number(self.config, "spatial_merge_size") or 2
        return max(IMAGE // _patch(self.config) // merge, 1) * merge

    def _patches(self, name: str) -> InputRequest:
        """A picture in rows, one for each patch, as towers with a grid take it."""
        config = self.config
        channels = _number(config, *CHANNELS) or 3
        frames = _number(config, "temporal_patch_size", "patch_temporal") or 1
        width = channels * frames * _patch(config) ** 2
        return InputRequest((self._side() ** 2, width), name=name, batch_dim=None)

    def _hidden(self) -> InputRequest | None:
        """What towers call hidden states: patches of a picture, frames of sound, or a picture."""
        if {"grid_thw", "image_grid_thw"} & set(self.required):
            return self._patches("hidden_states")
        width = _number(self.config, "input_dim")
        if width:
            return InputRequest((1, SPECTRUM_STEPS // 8, width), name="hidden_states")
        if "Backbone" in self.kind.__name__:
            return InputRequest(self._picture().shape, name="hidden_states")
        return None

    def _embedded(self) -> InputRequest | None:
        width = _number(self.config, "hidden_size")
        return InputRequest((1, self.tokens, width), name="inputs_embeds") if width else None

    def _video(self) -> InputRequest:
        config = self.config
        frames: Any = getattr(config, "frames_per_clip", None) or getattr(config, "num_frames", 16)
        size: Any = getattr(config, "crop_size", None) or getattr(config, "image_size", None)
        size = size or next((s for part in _parts(config) if (s := _size_in_timm(part))), IMAGE)
        shape = (1, frames, getattr(config, "in_chans", 3), size, size)
        return InputRequest(shape, name="pixel_values_videos")

    def _spectrum(self) -> InputRequest | None:
        """Whisper has bins before steps, twice as many steps as positions; others the reverse."""
        config, name = self.config, "input_features"
        positions = getattr(config, "max_source_positions", None)
        bins = getattr(config, "num_mel_bins", None)
        if bins and positions and not hasattr(config, "input_feat_per_channel"):
            return InputRequest((1, bins, 2 * positions), name=name)
        if any(hasattr(part, "spec_size") for part in _parts(config)):  # CLAP: ten seconds
            audio = getattr(config, "audio_config", config)
            return InputRequest((1, 1, 1001, audio.num_mel_bins), name=name)
        keys = (
            "input_feat_per_channel", "feature_projection_input_dim", "num_mel_bins", "input_dim",
            "input_feat_size",
        )  # fmt: skip
        width = next((n for part in _parts(config) if (n := _number(part, *keys))), 0)
        if getattr(config, "model_type", "").startswith("granite_speech5"):
            width *= 4  # two steps side by side, each with its differences
        return InputRequest((1, SPECTRUM_STEPS, width), name=name) if width else None

    def _spectrogram(self) -> InputRequest | None:
        width = _number(self.config, "model_in_dim", "num_mel_bins")
        return InputRequest((1, TOKENS, width), name="spectrogram") if width else None

    def _sound(self) -> InputRequest:
        """Samples of a wave, with channels where it is a codec, or a spectrogram of patches."""
        config = self.config
        if hasattr(config, "num_mel_bins") and hasattr(config, "patch_size"):
            steps = getattr(config, "max_length", None) or SPECTRUM_STEPS
            return InputRequest((1, steps, config.num_mel_bins), name="input_values")
        channels = getattr(config, "audio_channels", None)
        is_codec = hasattr(config, "codebook_size")
        shape = (1, channels or 1, SAMPLES) if is_codec else (1, SAMPLES)
        return InputRequest(shape, name="input_values")

    def _series_steps(self) -> int:
        config = self.config
        steps = _number(config, "context_length") or SERIES_STEPS
        lags: list[int] = getattr(config, "lags_sequence", None) or [0]
        return steps + max(lags)

    def _series(self) -> InputRequest:
        """The past of a series, with the steps before it that the model looks back to."""
        channels = _number(self.config, "num_input_channels")
        size = _number(self.config, "input_size") or 1
        width = (channels,) if channels else (size,) if size > 1 else ()
        return InputRequest((1, self._series_steps(), *width), name="past_values")

    def _future(self, name: str) -> InputRequest:
        past = self._series().shape
        return InputRequest((1, _number(self.config, "prediction_length"), *past[2:]), name=name)

    def _static(self, kind: str, dtype: str | None) -> InputRequest:
        """What does not change in a series; categories are the first two of each."""
        count = _number(self.config, f"num_static_{kind}_features")
        high = None if dtype is None else 1
        return InputRequest((1, count), dtype, name=f"static_{kind}_features", high=high)

    def _acted(self, name: str, width: int) -> InputRequest:
        """States, actions or rewards of a number of steps."""
        return InputRequest((1, ACTIONS, width), name=name)

    def _like_series(self, name: str) -> InputRequest:
        return InputRequest(self._series().shape, name=name)

    def _time_features(self, name: str) -> InputRequest:
        width = _number(self.config, "num_time_features")
        is_future = name.startswith("future")
        steps = _number(self.config, "prediction_length") if is_future else self._series_steps()
        return InputRequest((1, steps, width), name=name)

    def _boxes(self) -> InputRequest:
        """A box around each word: four corners for BROS, two for others."""
        length = self._text("input_ids").shape[-1]
        corners = 8 if getattr(self.config, "model_type", "") == "bros" else 4
        if corners == 8:
            return InputRequest((1, length, corners), name="bbox")
        return InputRequest((1, length, corners), "int64", name="bbox", high=2)

    def _regions(self, name: str, key: str) -> InputRequest | None:
        """What was found in 36 regions of a picture."""
        width = _number(self.config, key)
        return InputRequest((1, 36, width), name=name) if width else None


def _has_two_towers(kind: Any, config: Any) -> bool:
    """Whether text and something else always run both, each in a tower of its own.

    Models that put pictures between the words have a token for them, and run without as well.
    """
    if any(hasattr(config, key) for key in PLACEHOLDERS):
        return False
    has_parts = hasattr(config, "text_config") and hasattr(config, "vision_config")
    return hasattr(kind, "get_text_features") or has_parts or hasattr(config, "image_size")


def _valued(
    name: str, shape: tuple[int, ...], numbers: tuple[int, ...], *, batch_dim: int | None = None
) -> InputRequest:
    """Whole numbers that matter: how large something is, or what attends to all."""
    values = TensorValues.of(numbers, shape, "int64")
    return InputRequest(shape, "int64", name=name, values=values, batch_dim=batch_dim)


def _number(config: Any, *keys: str) -> int:
    """The first of the keys that is a whole number; 0 where there is none."""
    for key in keys:
        value: object = getattr(config, key, None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return 0


def _patch(config: Any) -> int:
    """The side of a patch of a picture."""
    return next((size for part in _parts(config) if (size := _number(part, "patch_size"))), 14)


def _size_in_timm(config: Any) -> int:
    """Height and width of the pictures that a network of timm takes; 0 where it is none."""
    name = getattr(config, "architecture", None)
    if not isinstance(name, str) or find_spec("timm") is None:
        return 0
    from timm.models import get_pretrained_cfg

    known = get_pretrained_cfg(name)
    return int(known.input_size[-1]) if known is not None else 0


def _keys(config: Any) -> frozenset[str]:
    return frozenset(vars(config)) if hasattr(config, "__dict__") else frozenset()


def _parts(config: Any) -> list[Any]:
    """The parts of a configuration that describe what goes in, before the whole of it."""
    keys = (
        "vision_config", "encoder", "encoder_config", "audio_config", "audio_encoder",
        "backbone_config", "video_config", "prompt_encoder_config",
    )  # fmt: skip
    below = ("backbone_config", "vision_config", "video_config")
    parts, level = [], [getattr(config, key, None) for key in keys]
    for _ in range(LEVELS):
        held = [part for part in level if part is not None and not isinstance(part, dict)]
        parts += held
        level = [getattr(part, key, None) for part in held for key in below]
    return [*parts, config]
