"""Hypothesis strategies for summaries."""

from __future__ import annotations

from dataclasses import replace

from hand_built import plain, summary_of
from hypothesis import strategies as st

from cnninspect.metrics.summary import (
    ConventionTotal,
    Counts,
    Coverage,
    MatrixForm,
    Summary,
    Uncounted,
)

sane_names = st.text(st.sampled_from("abcdefghij_0123456789層é"), min_size=1, max_size=14)
any_names = st.text(min_size=1, max_size=12).map(lambda name: name.replace(".", ",") or "x")
numbers = st.one_of(st.just(0), st.integers(0, 2000), st.integers(0, 10**13))
shapes = st.lists(st.integers(0, 5000), max_size=4).map(tuple)
pairs = st.one_of(st.none(), st.tuples(st.integers(1, 999), st.integers(1, 999)))


@st.composite
def counts(draw) -> Counts:
    parameters, macs, activations = draw(numbers), draw(numbers), draw(numbers)
    return Counts(
        parameters=parameters,
        trainable_parameters=draw(st.sampled_from([0, parameters])),
        parameter_bytes=4 * parameters,
        macs=macs,
        activations=activations,
        activation_bytes=4 * activations,
        convention=macs + draw(numbers),
    )


@st.composite
def summaries(draw, names=sane_names) -> Summary:
    """Any tree of up to a dozen layers, with whatever counts."""
    layers = [plain("", draw(names), (1,), (1,), own=draw(counts()))]
    for _ in range(draw(st.integers(0, 12))):
        parent = draw(st.sampled_from(layers))
        path = f"{parent.path}.{draw(names)}" if parent.path else draw(names)
        if path in {layer.path for layer in layers}:
            continue
        layer = plain(path, draw(names), (), (), own=draw(counts()), calls=draw(st.integers(0, 3)))
        layer = replace(
            layer,
            input_shapes=tuple(draw(st.lists(shapes, max_size=2))),
            output_shapes=tuple(draw(st.lists(shapes, max_size=2))),
            kernel=draw(pairs),
            receptive_field=draw(pairs),
            matrix=draw(st.sampled_from([None, MatrixForm(64, 147, 12544, 32, 1, 10**9)])),
        )
        layers.append(layer)
    layers = depth_first(layers)
    made = summary_of(layers, name=draw(names))
    if draw(st.booleans()):
        total = made.layers[0].total.convention
        made = replace(made, convention=ConventionTotal("torchinfo", total, "its docs", "MACs"))
    if draw(st.booleans()):
        somewhere = tuple(draw(st.sampled_from(layers)).path for _ in range(7))
        gap = Uncounted(draw(names), 7, somewhere)
        made = replace(made, uncounted=(gap,), coverage=Coverage(20, 3, 10, 7))
    return made


def depth_first(layers):
    """Parents before children, and each layer's children right under it."""
    order = {layer.path: i for i, layer in enumerate(layers)}

    def place(layer):
        names = layer.path.split(".") if layer.path else []
        return [order.get(".".join(names[: i + 1]), -1) for i in range(len(names))]

    return sorted(layers, key=place)
