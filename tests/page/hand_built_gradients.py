"""Gradient profiles made by hand: what their renderers are tried on."""

from __future__ import annotations

import math
from dataclasses import fields, replace

from cnninspect.commands.gradients.report import (
    GradientProfile,
    Jump,
    LayerGradients,
    ModelGradients,
    ModelPaths,
    NotFinite,
    PathProfile,
    StateGradients,
    TrainingPoint,
    Trend,
)
from cnninspect.metrics.gradient_paths import PathLength
from cnninspect.records.models import ModelInfo
from cnninspect.records.operations import NamedTensor, TensorSpec
from cnninspect.records.passes import DataUsed, GradientSettings, Norms

IMAGE = (NamedTensor("x", TensorSpec((8, 3, 32, 32))),)
NAMES = tuple(field.name for field in fields(Norms))


def layer(path, depth, size, *, spread=1.2, kind="Conv2d", **changes) -> LayerGradients:
    """A layer all of whose norms are `size`, or None."""
    low, high = (
        Norms(**dict.fromkeys(NAMES, None if size is None else factor * size))
        for factor in (1 / spread, spread)
    )
    made = LayerGradients(
        path=path, type=kind, depth=depth, calls=1, parameters=100, trainable=100,
        low=low, high=high, **dict.fromkeys(NAMES, size),
    )  # fmt: skip
    return replace(made, **changes)


def model(name, layers, *, slope=0.0, verdict="healthy", paths=1, **changes) -> ModelGradients:
    orders = None if slope is None else -slope * (len(layers) - 1)
    made = ModelGradients(
        model=ModelInfo(name, "zoo", name),
        inputs=IMAGE,
        loss="cross-entropy",
        loss_value=2.345,
        seeds=3,
        passes=3,
        paths=paths,
        path_lengths=(PathLength(2, 1), PathLength(len(layers), paths - 1))
        if paths > 1
        else (PathLength(len(layers), 1),),
        layers=tuple(layers),
        slope=slope,
        orders=orders,
        norm_orders=orders,
        verdict=verdict,
        trend=trend_of_hand(slope, orders, verdict),
        predicted_slope=None,
        dead=(),
        asleep=(),
        frozen=(),
        not_finite=None,
        data=DataUsed("random"),
    )
    return replace(made, **changes)


def trend_of_hand(slope, orders, verdict) -> Trend:
    """A straight line, with its largest steps."""
    if slope is None:
        return Trend(None, None, None, verdict)
    jump = Jump(-slope, above="layer1.conv1", below="layer0.conv2")
    return Trend(
        slope,
        orders,
        orders,
        verdict,
        fitted_orders=orders,
        fitted_norm_orders=orders,
        range_orders=abs(orders),
        drop=jump if slope > 0 else None,
        rise=jump if slope < 0 else None,
        decisive_orders=orders,
        reason="ends",
        is_borderline=2.2 < abs(orders) < 3,
    )


def names(blocks):
    return ["conv1", *(f"layer{i}.conv{j}" for i in range(blocks) for j in (1, 2)), "fc"]


def plain(blocks=3, slope=0.5) -> ModelGradients:
    paths = names(blocks)
    layers = [layer(p, i, 10 ** (slope * i - 6)) for i, p in enumerate(paths, start=1)]
    return model("plain8", layers, slope=slope, verdict="vanishing")


def residual(blocks=3) -> ModelGradients:
    """The same layers with a projection between."""
    paths = names(blocks)
    paths.insert(3, "layer1.shortcut")
    layers = [layer(p, i, 2e-3 * i) for i, p in enumerate(paths, start=1)]
    return model("resnet8", layers, slope=0.02, paths=8)


def profile(*models, **settings) -> GradientProfile:
    return GradientProfile(GradientSettings(**{"seeds": 3, **settings}), models)


def side_by_side() -> GradientProfile:
    return profile(residual(), plain())


def of_unlike_depths() -> GradientProfile:
    """Six models of three depths."""
    made = []
    for kind in ("plain", "residual"):
        for depth in (8, 20, 50):
            layers = [layer(f"{kind}.{i}", i, 10 ** (-i / 9)) for i in range(1, depth + 1)]
            made.append(model(f"{kind}{depth}", layers, slope=0.1, paths=2**depth))
    return profile(*made, seeds=1)


def odd() -> GradientProfile:
    """What is rare, all in one."""
    layers = [
        layer("embed", 1, None, trainable=0),
        layer("a" * 40, 2, 0.0, gradient_norm=0.0),
        layer("b", 3, 1e-30),
        layer("c", 4, math.nan),
        layer("d", 5, math.inf),
    ]
    made = model(
        "odd",
        layers,
        verdict="not-finite",
        paths=3**40,
        dead=tuple(f"block.{i}" for i in range(7)),
        frozen=("embed",),
        not_finite=NotFinite("c", "activations", 2),
        data=DataUsed("pictures", 1200, ("cat", "dog"), 3),
        notes=("input 8x3x32x32 worked out from the first layers",),
        loss_value=math.nan,
        slope=None,
    )
    return profile(made, data="pictures", freeze=("embed",), init="normal:0.1", mode="eval")


def over_time() -> GradientProfile:
    """A network that forgets beside one that remembers."""

    def state(kind, slope, verdict):
        norms = tuple(10 ** (slope * (i - 59)) for i in range(60))
        trend = trend_of_hand(slope, -slope * 59, verdict)
        return StateGradients("recurrent", 0, False, kind, norms, norms, norms, trend)

    rnn = model("rnn", [layer("recurrent", 1, 1.0, kind="RNN")], slope=0.3, verdict="vanishing")
    lstm = model("lstm", [layer("recurrent", 1, 1.0, kind="LSTM")], slope=0.01)

    def with_states(made, *states):
        trend = states[0].trend
        orders = trend.orders
        return replace(made, states=states, trend=trend, orders=orders, norm_orders=orders)

    return profile(
        with_states(rnn, state("hidden", 0.3, "vanishing")),
        with_states(lstm, state("hidden", 0.02, "healthy"), state("cell", 0.01, "healthy")),
        over="time",
    )


def trained() -> GradientProfile:
    """Four measured steps."""
    start = residual()
    points = tuple(
        TrainingPoint(
            step,
            2.3 / (1 + step),
            trend_of_hand(0.01, -0.1, "healthy"),
            tuple(layer(each.path, each.depth, 1e-3 / (1 + step)) for each in start.layers),
        )
        for step in (0, 10, 20, 30)
    )
    return profile(
        replace(start, training=points), steps=30, every=10, optimizer="adam", data="digits"
    )


def path_profile() -> PathProfile:
    """A small distribution, a plain network, and one of very many paths."""
    small = tuple(PathLength(2 * k, n) for k, n in enumerate((1, 3, 3, 1)))
    huge = tuple(PathLength(k, 10 ** (100 + k)) for k in range(90))
    return PathProfile(
        (
            ModelPaths(ModelInfo("three", "zoo", "three"), IMAGE, "train", 7, 8, small),
            ModelPaths(
                ModelInfo("plain", "zoo", "plain"), IMAGE, "train", 5, 1, (PathLength(5, 1),)
            ),
            ModelPaths(
                ModelInfo("huge", "zoo", "huge"), IMAGE, "train", 90,
                sum(item.paths for item in huge), huge,
            ),
        )
    )  # fmt: skip
