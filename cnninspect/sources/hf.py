"""transformers models from their configuration: `hf:DIR` or `hf:config.json`, without weights.

The configuration is read as plain JSON.  Its class comes from transformers itself: code that a
repository brings along (`auto_map`) is never run.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cnninspect.errors import (
    BadReference,
    BadSetting,
    FileMissing,
    FileUnreadable,
    UnknownModel,
    UnknownSetting,
    first_line,
)
from cnninspect.files import exists, is_folder, opened
from cnninspect.records.models import LoadedModel, ModelInfo, Reference
from cnninspect.sources.construction import construct, other_peoples_code
from cnninspect.sources.hf_inputs import TOKENS, default_inputs
from cnninspect.sources.libraries import library
from cnninspect.sources.literals import literal
from cnninspect.sources.torchvision_schemas import import_torchvision

FILE = "config.json"
LENGTH = "length"
"""A setting that is not of the configuration: tokens in the default input."""
HINT = "another version of transformers may have it"
MOST_BYTES = 32 * 2**20
"""Configurations are small; a larger file is something else."""
MOST_LAYERS = 10_000
"""Layers that one key of a configuration may ask for; the deepest networks have some 1,000."""
COUNTS = re.compile(
    r"(^|_)(layers?|depths?|blocks?|stages?|stacks?|hidden_layers|repeats?|levels?)$|^n_layers?$"
)
"""Keys that say how many parts of the network there are."""
COUNTED = re.compile(r"^(num|n)_|^(layers|depths?|blocks|stages)$")
"""Those of them that cannot mean a place, which may be counted from the end: `feature_layer`."""
ENDLESS = f"at most {MOST_LAYERS:,} are built"
SPECIAL = "__float__"
CHOOSING = ("architectures", "model_type")
"""Keys that choose the class, and so are set before it is looked for."""


def load(reference: Reference) -> LoadedModel:
    """The architecture that a configuration describes.

    Raises:
        FileMissing, FileUnreadable: there is no configuration, or it is not one.
        MissingLibrary: transformers is not installed.
        UnknownModel: transformers has no such architecture or model type.
        BadReference: the architecture is code of its own repository.
        UnknownSetting, BadSetting: the configuration has no such key, or not of that type.
    """
    path = _path(reference)
    content = read_configuration(path)
    typed = dict(reference.settings)
    content |= {key: _words(typed.pop(key)) for key in CHOOSING if key in typed}
    model_type = content.get("model_type")
    if not isinstance(model_type, (str, type(None))):
        kind = type(model_type).__name__
        raise FileUnreadable(path, f'"model_type" is a {kind}, not text', 'as in "bert"')
    check_counts(path, content)
    transformers = library("transformers", f"the reference {reference.text}")
    if find_spec("torchvision") is not None:  # its models import it, and may trip over it
        import_torchvision()
    with other_peoples_code(reference.text):
        kind = _architecture(reference, transformers, content)
        config = _configuration(transformers, kind, content, path)
    tokens = typed.pop(LENGTH, str(TOKENS)) if not hasattr(config, LENGTH) else str(TOKENS)
    if not tokens.isdigit() or int(tokens) < 1:
        raise BadSetting(reference.name, LENGTH, tokens, "a whole number of tokens")
    _override(reference.name, config, typed.items())
    _without_weights(config)
    notes = (*_notes(content, kind), *_made_runnable(config))
    make = partial(getattr(kind, "_from_config", kind), config)
    try:
        first, *others = default_inputs(kind, config, int(tokens)) or ((),)
    except Exception as problem:  # keys of a kind that no code expects
        first, others = (), []
        notes = (*notes, f"its default input could not be worked out: {first_line(problem)}")
    return LoadedModel(
        ModelInfo(reference.text, "hf", reference.text),
        lambda: construct(reference.text, make),
        inputs=first,
        other_inputs=tuple(others),
        notes=notes,
    )


def configured(reference: Reference) -> dict[str, Any]:
    """What the configuration of a reference says, before its settings.

    Raises:
        FileMissing, FileUnreadable: there is no configuration, or it is not one.
    """
    return read_configuration(_path(reference))


def read_configuration(path: Path) -> dict[str, Any]:
    """The content of a `config.json`.

    Raises:
        FileMissing, FileUnreadable: it is not there, or it is not a JSON object.
    """
    with opened(path) as (stream, size):
        if size > MOST_BYTES:
            raise FileUnreadable(path, "it is too large for a configuration")
        text = stream.read(size)
    try:
        content = json.loads(text, object_hook=_special_float)
    except json.JSONDecodeError as problem:
        raise FileUnreadable(
            path, f"it is not JSON: {problem.msg} in line {problem.lineno}"
        ) from problem
    except (ValueError, RecursionError) as problem:
        raise FileUnreadable(path, first_line(problem)) from problem
    if not isinstance(content, dict):
        raise FileUnreadable(path, f"it holds a {type(content).__name__}, not an object")
    return content


def _special_float(data: dict[str, Any]) -> Any:
    """The float in `{"__float__": "Infinity"}`, as transformers writes what JSON lacks."""
    word = data.get(SPECIAL) if data.keys() == {SPECIAL} else None
    return float(word) if word in ("Infinity", "-Infinity", "NaN") else data


def check_counts(path: object, content: Any, key: str = "", *, most: int = MOST_LAYERS) -> None:
    """See that a configuration asks for no more layers than any network has, and none below 0.

    Raises:
        FileUnreadable: it does; building too many would go on without end.
    """
    if isinstance(content, dict):
        for name, value in content.items():
            check_counts(path, value, str(name), most=most)
    elif isinstance(content, list):
        numbers = [item for item in content if type(item) is int]
        is_count = COUNTS.search(key)
        if is_count and numbers and sum(numbers) > most:
            raise FileUnreadable(path, f"{key} asks for {_spelt(sum(numbers))} layers", ENDLESS)
        for item in content:
            check_counts(path, item, key, most=most)
    elif type(content) is int and COUNTS.search(key) and _is_odd(content, key, most):
        raise FileUnreadable(path, f"{key} asks for {_spelt(content)} of them", ENDLESS)


def _is_odd(count: int, key: str, most: int) -> bool:
    return count > most or (count < 0 and bool(COUNTED.search(key)))


def _spelt(count: int) -> str:
    """The count, or its order of magnitude where the digits would fill a screen."""
    return f"{count:,}" if abs(count) < 10**30 else f"over 10^{math.floor(math.log10(abs(count)))}"


def _words(text: str) -> Any:
    """The names in `BertModel` and `[BertModel]`."""
    value = literal(text)
    return value if isinstance(value, list) else text


def _path(reference: Reference) -> Path:
    path = Path(reference.name)
    with suppress(RuntimeError):  # there is no such user: then it is a name like any other
        path = path.expanduser()
    if is_folder(path):
        path /= FILE
        if not exists(path):
            raise FileMissing(path)
    elif not exists(path):
        raise FileMissing(
            path, f"hf: takes a {FILE} or its folder, and downloads nothing from the hub"
        )
    return path


def _architecture(reference: Reference, transformers: Any, content: dict[str, Any]) -> Any:
    """The class of the model: the first of `architectures`, else the bare model of its type."""
    names = content.get("architectures")
    name = names[0] if isinstance(names, list) and names else names or None
    if name is None:
        name = _bare_model(transformers, content.get("model_type"))
    if not isinstance(name, str):
        raise FileUnreadable(
            reference.name,
            "it names neither an architecture nor a known model type",
            'a configuration has "architectures": ["BertForMaskedLM"] or "model_type": "bert"',
        )
    try:
        kind = getattr(transformers, name, None)
    except Exception as problem:  # transformers imports it now, and whatever it is built on
        raise BadReference(
            reference.text, f"transformers cannot import {name}: {first_line(problem)}"
        ) from problem
    if isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel):
        return kind
    wanted = getattr(kind, "_backends", ())
    if wanted:  # what stands in transformers for a class whose library is missing
        libraries = " ".join(wanted)
        raise BadReference(reference.text, f"{name} needs {libraries}", f"pip install {libraries}")
    if content.get("auto_map"):
        raise BadReference(
            reference.text,
            f"{name} is code of its own repository (auto_map), which is not run here",
            "load it yourself and hand the module to cnninspect.summarize, or use file.py:callable",
        )
    known = [n for n in dir(transformers) if n.endswith(("Model", "Encoder")) or "For" in n]
    raise UnknownModel(name, known, f"transformers {transformers.__version__}", hint=HINT)


def _bare_model(transformers: Any, model_type: object) -> object:
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    name = MODEL_MAPPING_NAMES.get(model_type) if isinstance(model_type, str) else None
    if name is None and isinstance(model_type, str):
        known = list(MODEL_MAPPING_NAMES)
        version = transformers.__version__
        raise UnknownModel(model_type, known, f"transformers {version}", hint=HINT)
    return name[0] if isinstance(name, (tuple, list)) else name


def _configuration(transformers: Any, kind: Any, content: dict[str, Any], path: Path) -> Any:
    model_type = content.get("model_type")
    config_class = kind.config_class
    if isinstance(model_type, str) and model_type in transformers.CONFIG_MAPPING:
        config_class = transformers.CONFIG_MAPPING[model_type]
    try:
        return config_class.from_dict(content)
    except Exception as problem:  # whatever a configuration's own checks raise
        raise FileUnreadable(path, first_line(problem), "a value in it does not fit") from problem


def _override(model: str, config: Any, typed: Iterable[tuple[str, str]]) -> None:
    """Set keys of the configuration; `text_config.num_hidden_layers` is one of a part of it."""
    for key, text in typed:
        *parts, name = key.split(".")
        holder = config
        for part in parts:
            holder = getattr(holder, part, None)
        known = holder.to_dict() if hasattr(holder, "to_dict") else {}
        if name not in known and not hasattr(holder, name):
            raise UnknownSetting(model, key, sorted(config.to_dict()))
        value, old = literal(text), known.get(name)
        if isinstance(old, int) and type(value) is not type(old):
            expected = "true or false" if isinstance(old, bool) else "a whole number"
            raise BadSetting(model, key, text, expected)
        try:
            check_counts(model, value, name)
        except FileUnreadable as problem:
            raise BadSetting(model, key, text, f"0 to {MOST_LAYERS:,}") from problem
        try:
            setattr(holder, name, list(value) if isinstance(old, list) else value)
        except Exception as problem:  # configurations check what is set
            raise BadSetting(
                model, key, text, f"something else: {first_line(problem)}"
            ) from problem


def _made_runnable(config: Any) -> tuple[str, ...]:
    """Set what the configuration leaves to whoever runs the model; says what was set."""
    notes = []
    languages = getattr(config, "languages", None)
    if languages and getattr(config, "default_language", "") is None:
        config.default_language = languages[0]
        notes.append(f"run in the language {languages[0]}, the first one that it has")
    part: Any
    for part in (config, getattr(config, "text_config", None)):
        kinds = getattr(part, "layers_block_type", None) or getattr(part, "layer_types", None) or ()
        has_attention = any("attention" in kind and "linear" not in kind for kind in kinds)
        is_hybrid = _has_key(part, "num_attention_heads")  # others have a cache of their own kind
        if kinds and is_hybrid and not has_attention and getattr(part, "use_cache", False):
            part.use_cache = False
            notes.append("run without a cache of keys and values, since no layer has attention")
    return tuple(notes)


def _without_weights(config: Any) -> None:
    """Ask for backbones without weights, in the configuration and its parts."""
    for part in (
        config,
        *(getattr(config, key, None) for key in getattr(config, "sub_configs", ())),
    ):
        if getattr(part, "use_pretrained_backbone", False):
            part.use_pretrained_backbone = False


def _notes(content: dict[str, Any], kind: Any) -> tuple[str, ...]:
    notes = []
    if not content.get("architectures"):
        notes.append(f"the configuration names no architecture: {kind.__name__} by its model type")
    if content.get("auto_map"):
        notes.append("code of the configuration's repository (auto_map) is left aside")
    if content.get("quantization_config"):
        notes.append("quantization_config is left aside: weights as they were before it")
    return tuple(notes)


def _has_key(config: Any, key: str) -> bool:
    """Whether a configuration has that key, also where its value differs from layer to layer."""
    try:
        return hasattr(config, key)
    except Exception:  # a class of transformers' own, which is no AttributeError
        return True
