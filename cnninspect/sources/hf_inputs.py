"""What a transformers model takes, worked out from its class and configuration."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from cnninspect.records.models import InputRequest

TOKENS = 128
"""Length of a text where nothing else is said."""
IMAGE, DETECTION = 224, 800
"""Height and width of a picture where the configuration gives none; the second for detection."""
SAMPLES = 16_000
"""A second of sound at 16 kHz."""
SPECTRUM_STEPS = 1024
"""Steps of a spectrogram where the configuration gives none."""
OFFSET_POSITIONS = frozenset(
    {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "roberta-prelayernorm", "longformer",
     "mpnet", "data2vec-text", "esm", "ibert", "xmod", "luke"}
)  # fmt: skip
"""Model types that count positions from the padding token on, and so have fewer of them."""
BESIDE_TEXT = ("pixel_values", "input_features")
"""What models of two towers take beside a text."""
PLACEHOLDERS = ("image_token_id", "image_token_index", "audio_token_id")
"""Keys of models that put pictures or sounds between the words of a text."""
MADE = frozenset(
    {"input_ids", "decoder_input_ids", "pixel_values", "pixel_values_videos", "input_features",
     "input_values"}
)  # fmt: skip
"""The arguments that something is known of."""
POSITIONS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_target_positions")
"""Keys that say how many positions there are."""


def default_inputs(kind: Any, config: Any, tokens: int) -> tuple[InputRequest, ...]:
    """The inputs that `forward` needs, by name; empty where nobody can tell.

    `tokens` is the length of texts, shortened to what the model has positions for.
    """
    main = getattr(kind, "main_input_name", "input_ids")
    taken = inspect.signature(kind.forward).parameters
    wanted = [main] if isinstance(main, str) else list(main)
    if main == "input_ids":
        wanted += [name for name in BESIDE_TEXT if name in taken and _has_two_towers(kind, config)]
    if getattr(config, "is_encoder_decoder", False) and "decoder_input_ids" in taken:
        wanted.append("decoder_input_ids")
    wanted += [name for name, p in taken.items() if name in MADE and p.default is p.empty]
    wanted = list(dict.fromkeys(wanted))
    makers: dict[str, Callable[[], InputRequest | None]] = {
        "input_ids": lambda: _text(config, "input_ids", tokens),
        "decoder_input_ids": lambda: _text(config, "decoder_input_ids", tokens),
        "pixel_values": lambda: _picture(kind, config),
        "pixel_values_videos": lambda: _video(config, "pixel_values_videos"),
        "input_features": lambda: _spectrum(config),
        "input_values": lambda: _sound(config),
    }
    made = [makers[name]() for name in wanted if name in makers]
    if len(made) < len(wanted) or None in made:
        return ()
    return tuple(request for request in made if request is not None)


def _has_two_towers(kind: Any, config: Any) -> bool:
    """Whether text and something else always run both, each in a tower of its own.

    Models that put pictures between the words have a token for them, and run without as well.
    """
    if any(hasattr(config, key) for key in PLACEHOLDERS):
        return False
    has_parts = hasattr(config, "text_config") and hasattr(config, "vision_config")
    return hasattr(kind, "get_text_features") or has_parts or hasattr(config, "image_size")


def _text(config: Any, name: str, tokens: int) -> InputRequest:
    text = getattr(config, "text_config", None)
    if text is None or isinstance(text, dict):
        text = config.get_text_config(decoder=name.startswith("decoder"))
    limits = [getattr(text, key, None) for key in POSITIONS]
    limit = min((size for size in limits if isinstance(size, int) and size > 0), default=tokens)
    if text.model_type in OFFSET_POSITIONS:
        limit -= (text.pad_token_id or 0) + 1
    vocabulary = getattr(text, "vocab_size", None)
    high = vocabulary if isinstance(vocabulary, int) else None
    return InputRequest((1, max(min(tokens, limit), 1)), "int64", name=name, high=high)


def _picture(kind: Any, config: Any) -> InputRequest:
    fallback = DETECTION if "ObjectDetection" in kind.__name__ else IMAGE
    vision: Any = next(
        (part for part in _parts(config) if getattr(part, "image_size", None) is not None), config
    )
    size = getattr(vision, "image_size", None) or fallback
    if isinstance(size, dict):
        size = (size.get("height", fallback), size.get("width", fallback))
    sizes: tuple[int, ...] = tuple(size) if isinstance(size, (tuple, list)) else (size, size)
    known = [getattr(part, "num_channels", None) for part in _parts(config)]
    channels = [count for count in (*known, 3) if isinstance(count, int)][:1]
    frames = getattr(vision, "num_frames", None)
    clip: tuple[int, ...] = (frames,) if isinstance(frames, int) else ()
    return InputRequest((1, *clip, *channels, *sizes), name="pixel_values")


def _video(config: Any, name: str) -> InputRequest:
    frames: Any = getattr(config, "frames_per_clip", None) or getattr(config, "num_frames", 16)
    size: Any = getattr(config, "crop_size", None) or getattr(config, "image_size", None) or IMAGE
    return InputRequest((1, frames, getattr(config, "in_chans", 3), size, size), name=name)


def _spectrum(config: Any) -> InputRequest | None:
    """Whisper has bins before steps, twice as many steps as positions; others steps before bins."""
    positions = getattr(config, "max_source_positions", None)
    bins = getattr(config, "num_mel_bins", None)
    if bins and positions and not hasattr(config, "input_feat_per_channel"):
        return InputRequest((1, bins, 2 * positions), name="input_features")
    if any(hasattr(part, "spec_size") for part in _parts(config)):  # CLAP: one channel, ten seconds
        return InputRequest((1, 1, 1001, config.audio_config.num_mel_bins), name="input_features")
    keys = ("input_feat_per_channel", "feature_projection_input_dim", "num_mel_bins")
    width = next((getattr(part, k) for part in _parts(config) for k in keys if hasattr(part, k)), 0)
    return InputRequest((1, SPECTRUM_STEPS, width), name="input_features") if width else None


def _sound(config: Any) -> InputRequest:
    """Samples of a wave, with channels where it is a codec, or a spectrogram of patches."""
    if hasattr(config, "num_mel_bins") and hasattr(config, "patch_size"):
        steps = getattr(config, "max_length", None) or SPECTRUM_STEPS
        return InputRequest((1, steps, config.num_mel_bins), name="input_values")
    channels = getattr(config, "audio_channels", None)
    is_codec = hasattr(config, "codebook_size")
    shape = (1, channels or 1, SAMPLES) if is_codec else (1, SAMPLES)
    return InputRequest(shape, name="input_values")


def _parts(config: Any) -> list[Any]:
    """The parts of a configuration that describe what goes in, before the whole of it."""
    keys = (
        "vision_config", "encoder", "encoder_config", "audio_config", "audio_encoder",
        "backbone_config",
    )  # fmt: skip
    parts = [getattr(config, key, None) for key in keys]
    return [part for part in parts if part is not None and not isinstance(part, dict)] + [config]
