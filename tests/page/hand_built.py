"""Reports made by hand: what the renderers are tried on."""

from __future__ import annotations

from dataclasses import replace

from cnninspect.commands.explain.report import ExplainedOperation, ExplainedTensor, Explanation
from cnninspect.commands.list import Listing
from cnninspect.metrics.summary import (
    ConventionTotal,
    Counts,
    Coverage,
    EngineInfo,
    LayerSummary,
    MatrixForm,
    Published,
    Summary,
    Totals,
    Uncounted,
)
from cnninspect.records.models import ModelEntry, ModelInfo, Setting
from cnninspect.records.operations import CostState, NamedTensor, TensorSpec
from cnninspect.records.traces import level_of, parent_of


def image(*shape: int) -> tuple[NamedTensor, ...]:
    return (NamedTensor("x", TensorSpec(shape)),)


def conv(path, inputs, outputs, size, kernel, stride=1, field=None) -> LayerSummary:
    """A convolution without bias whose output is `size` × `size`."""
    weights = inputs * outputs * kernel * kernel
    elements = outputs * size * size
    macs = weights * size * size
    matrix = MatrixForm(
        rows=outputs,
        inner=inputs * kernel * kernel,
        columns=size * size,
        groups=1,
        batch=1,
        unfolded_bytes=4 * inputs * kernel * kernel * size * size,
    )
    own = Counts(weights, weights, 4 * weights, macs, elements, 4 * elements, macs)
    return LayerSummary(
        path=path,
        type="Conv2d",
        level=level_of(path),
        calls=1,
        input_shapes=((1, inputs, size * stride, size * stride),),
        output_shapes=((1, outputs, size, size),),
        own=own,
        total=own,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        receptive_field=field and (field, field),
        matrix=matrix,
    )


def plain(path, kind, inputs, outputs, *, own=None, calls=1) -> LayerSummary:
    """A layer that is not a convolution."""
    own = own or Counts()
    ran = calls > 0
    return LayerSummary(
        path=path,
        type=kind,
        level=level_of(path),
        calls=calls,
        input_shapes=(inputs,) if ran else (),
        output_shapes=(outputs,) if ran else (),
        own=own,
        total=own,
    )


def norm(path, channels, size) -> LayerSummary:
    shape = (1, channels, size, size)
    own = Counts(2 * channels, 2 * channels, 8 * channels)
    return plain(path, "BatchNorm2d", shape, shape, own=own)


def block(path, inputs, outputs, size, stride=1, field=11) -> tuple[LayerSummary, ...]:
    """A basic block of a ResNet."""
    before, after = (1, inputs, size * stride, size * stride), (1, outputs, size, size)
    layers = [
        replace(plain(path, "BasicBlock", before, after), receptive_field=(field, field)),
        conv(f"{path}.conv1", inputs, outputs, size, 3, stride, field - 4),
        norm(f"{path}.bn1", outputs, size),
        plain(f"{path}.relu", "ReLU", after, after, calls=2),
        conv(f"{path}.conv2", outputs, outputs, size, 3, 1, field),
        norm(f"{path}.bn2", outputs, size),
    ]
    if stride != 1:
        layers += [
            plain(f"{path}.downsample", "Sequential", before, after),
            conv(f"{path}.downsample.0", inputs, outputs, size, 1, stride),
            norm(f"{path}.downsample.1", outputs, size),
        ]
    return tuple(layers)


def with_totals(layers) -> tuple[LayerSummary, ...]:
    """The layers with totals worked out from their own counts."""
    totals: dict[str, Counts] = {}
    for layer in layers:
        path = layer.path
        while True:
            totals[path] = totals.get(path, Counts()) + layer.own
            if not path:
                break
            path = parent_of(path)
    return tuple(replace(layer, total=totals[layer.path]) for layer in layers)


def summary_of(layers, *, name="tiny", **changes) -> Summary:
    """A summary around those layers, the first of which is the model itself."""
    layers = with_totals(layers)
    whole = layers[0].total
    made = Summary(
        model=ModelInfo(reference=name, source="zoo", name=name),
        inputs=image(1, 3, 224, 224),
        outputs=image(1, 1000),
        engine=EngineInfo("meta", "abstract", calls=71, operations=33),
        mode="eval",
        totals=Totals(
            parameters=whole.parameters,
            trainable_parameters=whole.trainable_parameters,
            buffers=0,
            parameter_bytes=whole.parameter_bytes,
            macs=whole.macs,
            flops=2 * whole.macs,
            activations=whole.activations,
            activation_bytes=whole.activation_bytes,
            layers=len(layers) - 1,
        ),
        convention=ConventionTotal("macs", whole.macs, ""),
        coverage=Coverage(71, 11, 60, 0),
        layers=layers,
    )
    return replace(made, **changes)


def resnet10() -> Summary:
    """A ResNet of two stages, of three blocks and of one."""
    linear = Counts(513_000, 513_000, 2_052_000, 512_000, 1000, 4000, 512_000)
    layers = (
        plain("", "ResNet", (1, 3, 224, 224), (1, 1000)),
        conv("conv1", 3, 64, 112, 7, 2, 7),
        norm("bn1", 64, 112),
        plain("relu", "ReLU", (1, 64, 112, 112), (1, 64, 112, 112)),
        replace(
            plain("maxpool", "MaxPool2d", (1, 64, 112, 112), (1, 64, 56, 56)),
            kernel=(3, 3),
            stride=(2, 2),
            receptive_field=(11, 11),
        ),
        plain("layer1", "Sequential", (1, 64, 56, 56), (1, 64, 56, 56)),
        *block("layer1.0", 64, 64, 56, field=27),
        *block("layer1.1", 64, 64, 56, field=43),
        *block("layer1.2", 64, 64, 56, field=59),
        plain("layer2", "Sequential", (1, 64, 56, 56), (1, 512, 28, 28)),
        *block("layer2.0", 64, 512, 28, 2, field=83),
        plain("avgpool", "AdaptiveAvgPool2d", (1, 512, 28, 28), (1, 512, 1, 1)),
        plain("fc", "Linear", (1, 512), (1, 1000), own=linear),
    )
    made = summary_of(layers, name="resnet10")
    return replace(
        made,
        totals=replace(made.totals, buffers=2_571),
        published=(Published("macs", 3.6, "3.6 GMACs", "torchvision", matches=True),),
    )


def odd_network() -> Summary:
    """What is rare, all in one.

    Unknown operations, frozen and own parameters, a layer that never ran, several outputs, notes,
    another convention, and a number in print that differs.
    """
    frozen = Counts(4096, 0, 16_384, 5_000_000, 800, 3200, 10_000_000)
    layers = (
        plain("", "Odd", (1, 16), (1, 4), own=Counts(640, 640, 2560)),
        plain("encoder", "Encoder", (1, 16), (1, 8), own=Counts(8, 8, 32, 77, 1, 4, 154)),
        replace(
            plain("encoder.lstm", "LSTM", (1, 5, 16), (1, 5, 32), own=frozen),
            output_shapes=((1, 5, 32), (1, 1, 32), (1, 1, 32)),
        ),
        plain("encoder.mystery", "Mystery", (1, 8), (1, 8)),
        plain("aux", "Linear", (1, 8), (1, 8), own=Counts(72, 72, 288), calls=0),
    )
    made = summary_of(layers, name="odd")
    return replace(
        made,
        model=ModelInfo("odd.py:Odd@width=16", "python", "Odd"),
        inputs=(
            NamedTensor("tokens", TensorSpec((1, 16), "int64")),
            NamedTensor("mask", TensorSpec((1, 16), "bool")),
        ),
        engine=EngineInfo(
            "real",
            "real",
            calls=12,
            operations=9,
            notes=(
                "built for real, because its constructor reads the values of its own weights, "
                "which do not exist on the meta device",
            ),
        ),
        mode="train",
        convention=ConventionTotal("fvcore", 10_000_154, "fvcore.nn.flop_count", "FLOPs"),
        coverage=Coverage(12, 3, 5, 4),
        uncounted=(
            Uncounted("aten.fft_rfft", 3, ("encoder.mystery",)),
            Uncounted("custom.op", 1, tuple(f"encoder.mystery.{i}" for i in range(9))),
        ),
        published=(
            Published("macs", 9.9, "9.9 MMACs", "Table 2 of Doe 2020", matches=False),
            Published("parameters", 4.8, "4.8 k", "torchvision", matches=True),
        ),
    )


def basic_block_explained() -> Explanation:
    """The second block of `resnet10`, with an operation in each of the three states."""
    report = resnet10()
    (layer,) = (layer for layer in report.layers if layer.path == "layer1.1")
    spec = TensorSpec((1, 64, 56, 56))
    law = "batch × output positions × output channels × input channels × kernel positions"
    worked = "1 · 56 · 56 · 64 · 64 · 3 · 3 = 115,605,504"
    return Explanation(
        model=report.model,
        layer=layer,
        inputs=(spec,),
        outputs=(spec,),
        operations=(
            ExplainedOperation(
                "aten.convolution",
                "layer1.1.conv1",
                2,
                CostState.COUNTED,
                231_211_008,
                law,
                worked,
            ),
            ExplainedOperation("aten.add", "layer1.1", 1, CostState.FREE, 0, "element by element"),
            ExplainedOperation("custom.swirl", "layer1.1", 1, CostState.UNKNOWN, 0),
        ),
        parameters=(
            ExplainedTensor("scale", (64, 1), "float32", 64, trainable=True),
            ExplainedTensor("tied", (1000, 64), "float32", 64_000, False, "fc.weight"),
        ),
        buffers=(ExplainedTensor("steps", (), "int64", 1, trainable=False),),
        model_parameters=report.totals.parameters,
        model_macs=report.totals.macs,
    )


def listing_of_families() -> Listing:
    """Two families of the zoo, and names of which nothing is known."""
    settings = (
        Setting("num_classes", 1000, "outputs of the last layer", minimum=1),
        Setting("depths", (2, 2, 2, 2), "blocks of each stage"),
        Setting("head", "gap", "what comes before the last layer", choices=("gap", "flatten")),
        Setting("dropout", 0.0, "share dropped before the last layer", minimum=0, maximum=1),
        Setting("skip", True, "whether a block has its shortcut"),
    )
    deeper = (settings[0], replace(settings[1], default=(3, 4, 6, 3)), *settings[2:])
    paper = "He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, arXiv:1512.03385"
    return Listing(
        (
            ModelEntry("resnet18", "zoo", "resnet", 11_689_512, 2015, paper, settings),
            ModelEntry("resnet34", "zoo", "resnet", 21_797_672, 2015, paper, deeper),
            ModelEntry("lenet5", "zoo", "lenet", 60_000, 1998, "LeCun et al. 1998, Section II"),
            ModelEntry("convnext_tiny", "timm"),
        )
    )
