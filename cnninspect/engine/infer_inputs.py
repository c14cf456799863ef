"""Inputs that nobody gave: shapes from the signature and the first layers, and values."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine.module_tree import type_name, walk
from cnninspect.records.models import InputRequest

PADDING = re.compile(r"pad", re.I)
"""Masks that are true where there is nothing."""
MASK = re.compile(r"mask", re.I)
LENGTHS = re.compile(r"(^|_)(lengths?|lens?|n_?frames)$", re.I)
GRID = re.compile(r"grid|thw", re.I)
"""Inputs that say how many patches lie in each direction."""


def has_meaning(name: str) -> bool:
    """Whether the values of an input of that name are more than numbers at random."""
    return any(pattern.search(name) for pattern in (MASK, LENGTHS, GRID))


def integers(
    name: str, shape: tuple[int, ...], *, high: int | None, others: Sequence[tuple[int, ...]]
) -> Tensor:
    """The values of an input of integers; `others` are the shapes of the inputs beside it.

    Values lie under `high`; where that is not known, they are 0 and 1 in turns.
    """
    if MASK.search(name):
        return torch.full(shape, 0 if PADDING.search(name) else 1)
    if LENGTHS.search(name) and high is None and len(shape) == 1:
        return torch.full(shape, _steps(shape[0], others))
    if GRID.search(name) and high is None and shape and shape[-1] in (2, 3) and others:
        grid = _grid(math.prod(shape[:-1]), shape[-1], others[0])
        if grid is not None:
            return torch.tensor(grid).expand(shape).clone()
    top = max(2 if high is None else high, 1)
    return (torch.arange(math.prod(shape)) % top).reshape(shape)


def _steps(batch: int, others: Sequence[tuple[int, ...]]) -> int:
    """The steps of the first sequence of that batch, whichever of the two comes first."""
    for shape in others:
        if len(shape) >= 2 and batch in shape[:2]:
            return shape[1] if shape[0] == batch else shape[0]
    return 1


def _grid(grids: int, sizes: int, patches: tuple[int, ...]) -> list[int] | None:
    """Frames, height and width of a picture, as square as that many patches allow."""
    if not patches or patches[0] % max(grids, 1):
        return None
    count = patches[0] // max(grids, 1)
    height = max((h for h in range(1, math.isqrt(count) + 1) if count % h == 0), default=1)
    return [1] * (sizes - 2) + [height, count // height]


IMAGE, VIDEO, TOKENS, STEPS = 224, (16, 112, 112), 128, 128
"""Sizes that are assumed where nothing says otherwise."""
OTHER_IMAGES = (32, 28, 64, 96, 128, 256, 299, 384, 512)
"""Sizes of pictures to try where that one does not fit a later layer."""

PICTURES = re.compile(r"im(g|age)|pixel|frame|picture|photo")
TEXTS = re.compile(r"tok(en)?s?\b|ids\b|idx|indices|words?\b|text|src|tgt|sequence")
"""Names of arguments that say what they are for."""


class Signature:
    """What `forward` can be called with, as far as it says."""

    def __init__(self, model: nn.Module) -> None:
        self.names: tuple[str, ...] = ()
        """Arguments that may be given by position, in order."""
        self.required: tuple[str, ...] = ()
        """Those that have no default, the ones by keyword only included."""
        self.keywords: frozenset[str] = frozenset()
        """Arguments that may be given by keyword."""
        self.kinds: dict[str, str] = {}
        """The annotations of arguments as text, where there are any: `int`, `Tensor`."""
        self.takes_more = True
        """Whether further positional arguments are taken."""
        self.takes_any_keyword = True
        """Whether further keywords are taken."""
        schema = getattr(model.forward, "schema", None)
        if schema is not None:
            self._read_schema(schema.arguments[1:])
            return
        try:
            self._read(inspect.signature(model.forward).parameters.values())
        except (TypeError, ValueError):
            return

    def _read(self, parameters: Iterable[inspect.Parameter]) -> None:
        parameters = list(parameters)
        by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        open_kinds = {p.kind for p in parameters}
        self.takes_more = inspect.Parameter.VAR_POSITIONAL in open_kinds
        self.takes_any_keyword = inspect.Parameter.VAR_KEYWORD in open_kinds
        self.names = tuple(p.name for p in parameters if p.kind in by_position)
        named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        self.required = tuple(p.name for p in named if p.default is p.empty)
        self.keywords = frozenset(p.name for p in named if p.kind is not p.POSITIONAL_ONLY)
        self.kinds = {
            p.name: _kind_text(p.annotation) for p in named if p.annotation is not p.empty
        }

    def _read_schema(self, arguments: Iterable[Any]) -> None:
        """The same from the schema of a TorchScript method."""
        arguments = list(arguments)
        self.takes_more = self.takes_any_keyword = False
        self.names = tuple(a.name for a in arguments)
        self.required = tuple(a.name for a in arguments if not a.has_default_value())
        self.keywords = frozenset(self.names)
        self.kinds = {a.name: str(a.type) for a in arguments}


def _kind_text(annotation: Any) -> str:
    """An annotation as text: the name of a class, what is written of others."""
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).strip("'\"")


def worked_out(
    model: nn.Module, required: Iterable[str], shapes: Mapping[str, tuple[int, ...]] | None = None
) -> tuple[InputRequest, ...]:
    """A batch of one for each required argument of `forward`; empty where nothing tells.

    `shapes` are those that were given, by name: pictures go to a convolution of their channels,
    whatever is registered before it.

    Arguments after the first one need a name that says what they are for, or the same name up to
    a number (`image1`, `image2`).
    """
    required = tuple(required)
    whole = taken_by_whole(model)
    if whole:
        return whole
    shapes = shapes or {}
    name = required[0] if required else ""
    first = _for_shape(model, shapes.get(name, ())) or _for_name(model, name)
    if first is None:
        return ()
    found = [replace(first, name=required[0] if required else None)]
    for name in required[1:]:
        request = None
        if PICTURES.search(name) or TEXTS.search(name):
            request = _for_name(model, name)
        elif name.rstrip("0123456789") == required[0].rstrip("0123456789"):
            request = first
        if request is None:
            break
        found.append(replace(request, name=name))
    return tuple(found)


def other_sizes(requests: tuple[InputRequest, ...]) -> Iterator[tuple[InputRequest, ...]]:
    """The same pictures in other customary sizes."""
    if not any(is_picture(request) for request in requests):
        return
    for size in OTHER_IMAGES:
        yield tuple(
            replace(request, shape=(*request.shape[:-2], size, size))
            if is_picture(request)
            else request
            for request in requests
        )


def is_picture(request: InputRequest) -> bool:
    """Whether a request is for pictures of the assumed size."""
    return len(request.shape) == 4 and request.shape[-2:] == (IMAGE, IMAGE)


def taken_by_whole(model: nn.Module) -> tuple[InputRequest, ...]:
    """The inputs of PyTorch's own modules that take several."""
    if isinstance(model, nn.Transformer):
        return _sequences(("src", "tgt"), model.d_model, is_batch_first=model.batch_first)
    if isinstance(model, (nn.TransformerDecoder, nn.TransformerDecoderLayer)):
        layer = model.layers[0] if isinstance(model, nn.TransformerDecoder) else model
        attention = layer.self_attn
        is_first = attention.batch_first
        return _sequences(("tgt", "memory"), attention.embed_dim, is_batch_first=is_first)
    if isinstance(model, nn.MultiheadAttention):
        names = ("query", "key", "value")
        widths = (model.embed_dim, model.kdim, model.vdim)
        return tuple(
            _sequence(name, width, is_batch_first=model.batch_first)
            for name, width in zip(names, widths)
        )
    if isinstance(model, nn.Bilinear):
        sizes = model.in1_features, model.in2_features
        return tuple(InputRequest((1, n), name=f"input{i}") for i, n in enumerate(sizes, start=1))
    return ()


def _sequences(
    names: Iterable[str], width: int, *, is_batch_first: bool
) -> tuple[InputRequest, ...]:
    return tuple(_sequence(name, width, is_batch_first=is_batch_first) for name in names)


def _sequence(name: str | None, width: int, *, is_batch_first: bool) -> InputRequest:
    shape = (1, STEPS, width) if is_batch_first else (STEPS, 1, width)
    return InputRequest(shape, name=name, batch_dim=0 if is_batch_first else 1)


def _for_name(model: nn.Module, name: str) -> InputRequest | None:
    """What the first layer takes that is of the kind which the name speaks of, or the first one."""
    wanted: tuple[str, ...] = ()
    if PICTURES.search(name):
        wanted = ("Conv1d", "Conv2d", "Conv3d")
    elif TEXTS.search(name):
        wanted = ("Embedding", "EmbeddingBag")
    requests = [(type_name(m), taken_by(m)) for _, m in walk(model)]
    found = [(kind, request) for kind, request in requests if request is not None]
    return next(
        (request for kind, request in found if kind in wanted),
        found[0][1] if found else None,
    )


def _for_shape(model: nn.Module, shape: tuple[int, ...]) -> InputRequest | None:
    """What the first convolution takes that a shape fits in its channels and rank."""
    for _, module in walk(model):
        if isinstance(module, nn.modules.conv._ConvNd):
            rank = len(module.kernel_size)
            if len(shape) in (rank + 1, rank + 2) and shape[-rank - 1] == module.in_channels:
                return taken_by(module)
    return None


def taken_by(module: nn.Module) -> InputRequest | None:
    """What a layer takes; None where it is no layer that says."""
    if isinstance(module, torch.jit.ScriptModule):
        return _taken_by_script(module)
    if isinstance(module, nn.modules.conv._ConvNd) and module.in_channels:
        return _for_convolution(
            module.in_channels, len(module.kernel_size), is_transposed=module.transposed
        )
    if isinstance(module, nn.Linear) and module.in_features:
        return InputRequest((1, module.in_features))
    if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
        return InputRequest((1, TOKENS), "int64", high=module.num_embeddings)
    if isinstance(module, nn.RNNBase):
        return _sequence(None, module.input_size, is_batch_first=module.batch_first)
    if isinstance(module, nn.RNNCellBase):
        return InputRequest((1, module.input_size))
    if isinstance(module, nn.MultiheadAttention):
        return _sequence(None, module.embed_dim, is_batch_first=module.batch_first)
    return _taken_by_norm(module)


def _taken_by_norm(module: nn.Module) -> InputRequest | None:
    if isinstance(module, nn.LayerNorm):
        return InputRequest((1, *module.normalized_shape))
    if isinstance(module, nn.modules.batchnorm._NormBase) and module.num_features:
        rank = {"1": 0, "2": 2, "3": 3}.get(type(module).__name__[-2:-1], 0)
        sizes = {0: (), 2: (IMAGE, IMAGE), 3: VIDEO}[rank]
        return InputRequest((1, module.num_features, *sizes))
    return None


def _for_convolution(channels: int, rank: int, *, is_transposed: bool) -> InputRequest:
    """Pictures for a convolution; one position for a transposed one, which makes pictures."""
    sizes = {1: (IMAGE,), 2: (IMAGE, IMAGE), 3: VIDEO}[rank]
    return InputRequest((1, channels, *((1,) * rank if is_transposed else sizes)))


def _taken_by_script(module: nn.Module) -> InputRequest | None:
    """What a layer of TorchScript takes, by its class's name and the shape of its weight."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, torch.Tensor):
        return None
    kind, shape = type_name(module), tuple(weight.shape)
    if kind in ("Conv1d", "Conv2d", "Conv3d"):
        groups = getattr(module, "groups", 1)
        channels = shape[1] * (groups if isinstance(groups, int) else 1)
        return _for_convolution(channels, len(shape) - 2, is_transposed=False)
    if kind == "Linear":
        return InputRequest((1, shape[1]))
    if kind == "Embedding":
        return InputRequest((1, TOKENS), "int64", high=shape[0])
    return None
