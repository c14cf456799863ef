"""Reports about budgets, made by hand: what their renderers are tried on."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

from cnninspect.commands.check.report import BudgetCheck, CheckedLimit, CheckedModel
from cnninspect.commands.compare.report import Comparison
from cnninspect.commands.find.report import Finding, FoundModel, OtherInput
from cnninspect.commands.scale.report import (
    CompoundGrid,
    GridPoint,
    Law,
    LayerShare,
    Rational,
    Scaling,
    ScalingPoint,
    Term,
)
from cnninspect.metrics.difference import (
    Change,
    Difference,
    LayerFacts,
    MisshapenTensor,
    OddTensor,
    ParameterShape,
    Renaming,
    TensorDifference,
    WholeNetwork,
)
from cnninspect.metrics.figures import (
    BytesAs,
    ComparedModel,
    LimitText,
    Ratios,
    StageFigures,
    Unmeasured,
)
from cnninspect.metrics.summary import (
    ConventionTotal,
    Counts,
    Coverage,
    EngineInfo,
    Totals,
    Uncounted,
)
from cnninspect.records.models import Accuracy, ModelInfo
from cnninspect.records.operations import NamedTensor, TensorSpec

SIDE = 224


def compared(name, parameters, macs, *, source="zoo", **changes) -> ComparedModel:
    """A network of so many parameters and multiply-accumulates, half of them in each stage."""
    reference = name if source == "zoo" else f"{source}:{name}"
    half = Counts(parameters // 2, parameters // 2, 2 * parameters, macs // 2, 500_000, 2_000_000)
    made = ComparedModel(
        model=ModelInfo(reference, source, reference),
        inputs=(NamedTensor("x", TensorSpec((1, 3, SIDE, SIDE))),),
        outputs=(NamedTensor("output", TensorSpec((1, 1000))),),
        engine=EngineInfo("meta", "abstract", 60, 30),
        mode="eval",
        totals=Totals(
            parameters=parameters,
            trainable_parameters=parameters,
            buffers=100,
            parameter_bytes=4 * parameters,
            macs=macs,
            flops=2 * macs,
            activations=1_000_000,
            activation_bytes=4_000_000,
            layers=60,
        ),
        convention=ConventionTotal("macs", macs, ""),
        coverage=Coverage(60, 20, 40, 0),
        uncounted=(),
        published=(),
        depth=18,
        weighted_layers=21,
        receptive_field=(435, 435),
        gradient_paths=256,
        bytes_as=tuple(
            BytesAs(dtype, parameters * bits // 8)
            for dtype, bits in (
                ("float32", 32), ("float16", 16), ("bfloat16", 16), ("int8", 8), ("int4", 4),
            )
        ),
        stages=(StageFigures("1/2", 1, half), StageFigures("head", 1, half)),
        ratios=Ratios(1.0, 1.0, 1.0, 1.0),
        fits=True,
    )  # fmt: skip
    return replace(made, **changes)


def three_models() -> Comparison:
    """One that fits, one that does not, one of which something is unknown; and one that failed."""
    small = compared("resnet18", 11_689_512, 1_814_073_344)
    large = compared(
        "vgg16",
        138_357_544,
        15_470_264_320,
        ratios=Ratios(11.836, 8.528, 5.456, 11.836),
        fits=False,
        exceeded=("max_params", "max_macs"),
        gradient_paths=1,
        receptive_field=(404, 404),
        stages=(
            StageFigures("1", 2, Counts(38_720, 38_720, 154_880, 1_936_392_192, 6_422_528)),
            StageFigures(
                "head", 3, Counts(123_642_856, 123_642_856, 494_571_424, 123_633_664, 9192)
            ),
        ),
    )
    vague = compared(
        "swin_v9",
        28_288_354,
        4_490_566_656,
        source="torchvision",
        ratios=Ratios(2.42, 2.475, 7.1, 2.42),
        fits=None,
        uncounted=(Uncounted("aten.fft_rfft", 2, ("a",)),),
        gradient_paths=3 * 10**20,
        accuracy=Accuracy(81.474, 95.776, "IMAGENET1K_V1", "torchvision"),
        engine=EngineInfo("real", "real", 9, 9, notes=("built with real weights, because …",)),
    )
    return Comparison(
        baseline="resnet18",
        limits=(
            LimitText("max_params", "25M", 25_000_000),
            LimitText("max_macs", "250%", 4_535_183_360),
        ),
        models=(small, large, vague),
        failed=(
            Unmeasured("resnt18", "there is no model called 'resnt18'", "did you mean resnet18?",
                       "UnknownModel"),
        ),
    )  # fmt: skip


def found_models() -> Finding:
    """Two on the frontier, two beside it, one that failed and one that is open."""

    def found(model, frontier):
        fields = {f.name: getattr(model, f.name) for f in dataclasses.fields(ComparedModel)}
        return FoundModel(**{**fields, "ratios": None}, frontier=frontier)

    accuracy = Accuracy(67.668, 87.402, "IMAGENET1K_V1", "torchvision")
    return Finding(
        sources=("zoo", "torchvision"),
        pattern="*net*",
        searched=60,
        inputs=(TensorSpec((1, 3, 32, 32)),),
        other_inputs=(
            OtherInput((TensorSpec((1, 1, 28, 28)),), ("lenet5_caffe", "highway_mnist")),
        ),
        axes=("parameters", "macs", "accuracy"),
        baseline=None,
        limits=(LimitText("max_params", "6M", 6_000_000),),
        models=(
            found(compared("fitnet1", 250_000, 36_000_000), True),
            found(
                compared("mobilenet_v3_small", 2_542_856, 56_510_400, source="torchvision",
                         accuracy=accuracy),
                True,
            ),
            found(compared("resnet20", 269_722, 40_551_040), False),
            found(compared("resnet32", 464_154, 68_862_592), False),
        ),
        failed=(Unmeasured("torchvision:raft", "it does not run", "", "RunFailed"),),
        open=("zoo_net",),
    )  # fmt: skip


def checked(name, limit, value, **changes) -> CheckedLimit:
    titles = {"params": "parameters", "macs": "MACs", "bytes": "parameter bytes"}
    made = CheckedLimit(
        model="net.py:make",
        name=name,
        subject=titles.get(name[4:], name),
        layers="",
        limit=limit,
        value=value,
        ok=value <= limit,
        unit="",
        text=f"{limit:,}",
        reason="",
        line=3,
    )
    return replace(made, **changes)


def broken_budget() -> BudgetCheck:
    """Limits of every kind, kept and not, with names that would break out of a format."""
    totals = compared("x", 21_797_672, 3_663_761_408).totals
    model = CheckedModel(
        ModelInfo("net.py:make", "python", "net.py:make"),
        (NamedTensor("x", TensorSpec((1, 3, SIDE, SIDE))),),
        "eval",
        totals,
        "sha256:" + 64 * "0",
        ok=False,
    )
    return BudgetCheck(
        ok=False,
        limits=(
            checked("max_params", 22_000_000, 21_797_672, text="22M"),
            checked("max_macs", 3_500_000_000, 3_663_761_408, text="3.5G", line=4),
            checked("max_bytes", 99_614_720, 87_190_688, text="95MiB", unit="bytes", line=5),
            checked("max_params", 13_078_603, 13_114_368, layers="layer4.*", text="60%", line=9,
                    reason="60% of the network's 21,797,672"),
            checked("forbid", 0, 2, subject="layers of type Drop*", text="none", line=6,
                    reason="a.<b>&'\"|,:%\n\x1b[31m"),
            checked("min_coverage", 100.0, 98.25, subject="coverage", unit="%", text="100%",
                    ok=False, line=None,
                    reason="nothing is known of aten.odd: the MACs are a lower bound"),
            checked("max_growth", 22_210_072, 21_797_672, subject="parameters, growth", text="+90%",
                    reason="+86.47 % over resnet18's 11,689,512", line=7),
        ),
        models=(model,),
        failed=(Unmeasured("other.py:make", "there is no file other.py", "check the path",
                           "FileMissing"),),
        differences=(),
        budget="budget.toml",
    )  # fmt: skip


def layer(path, kind="Conv2d", weights=(64, 3, 7, 7), parameters=9408, macs=118_013_952):
    return LayerFacts(
        path, kind, ((1, 64, 112, 112),), (ParameterShape("weight", weights),), parameters, macs
    )


def changed_network() -> Difference:
    """Layers added, removed, renamed, renumbered, changed, and one with another output only."""
    old = WholeNetwork(ModelInfo("old", "zoo", "old"), 67, 11_689_512, 1_814_073_344)
    new = WholeNetwork(ModelInfo("new", "zoo", "new"), 70, 21_797_672, 3_663_761_408)
    return Difference(
        old,
        new,
        same=60,
        changes=(
            Change("changed", layer("", "Net"), layer("", "Net"), ("output",), 1, 0, 0),
            Change("removed", layer("stem", "Sequential"), None, (), 3, -9408, -118_013_952),
            Change("added", None, layer("layer1.2", "BasicBlock"), (), 6, 73_984, 231_211_008),
            Change("renamed", layer("features.1"), layer("features.2"), (), 1, 0, 0),
            Change("renamed", layer("features.2"), layer("features.3"), (), 1, 0, 0),
            Change("renamed", layer("a"), layer("backbone.a"), (), 4, 0, 0),
            Change("changed", layer("fc", "Linear", (1000, 512), 513_000, 512_000),
                   layer("fc", "Linear", (10, 512), 5_130, 5_120), ("tensors", "macs"), 1,
                   -507_870, -506_880),
        ),
    )  # fmt: skip


def odd_weights() -> TensorDifference:
    """A file with a prefix, an averaged copy, another head and old habits."""
    counters = tuple(
        OddTensor(
            f"bn{i}.num_batches_tracked", (), "old files do not count", "*.num_batches_tracked"
        )
        for i in range(20)
    )
    copies = tuple(OddTensor(f"ema.conv{i}", (3, 3), "an EMA copy", "ema.*") for i in range(4))
    return TensorDifference(
        "resnet18",
        "weights.pth",
        matched=100,
        renaming=Renaming("", "module.", 102, "DataParallel was around the model"),
        missing=(OddTensor("fc.bias", (1000,), "is it head.bias?"), *counters),
        unexpected=copies,
        misshapen=(
            MisshapenTensor("fc.weight", (1000, 512), (10, 512), "another number of classes"),
        ),
        notes=("the file stores float16",),
    )


def quadratic_law() -> Scaling:
    """A square with a constant, on a grid of sizes."""

    def whole(value):
        return Rational(value, 1)

    shares = tuple(LayerShare(f"layer{i // 3}.{i}", whole(100 * (i + 1))) for i in range(12))
    macs = Law(
        "macs",
        (
            Term(2, whole(7800), shares),
            Term(0, Rational(-149, 2), (LayerShare("fc", Rational(-149, 2)),)),
        ),
        (whole(160), whole(192), whole(224)),
        (whole(256), whole(288)),
        2.0,
    )
    constant = Law(
        "parameters", (Term(0, whole(21_797_672), ()),), (whole(160),), (whole(192),), 0.0
    )
    none = Law("activations", (), (), (), 1.97)
    return Scaling(
        model=ModelInfo("resnet34", "zoo", "resnet34"),
        over="resolution",
        variable="r",
        how="the input",
        step=whole(32),
        start=whole(160),
        points=tuple(
            ScalingPoint(whole(r), 21_797_672, 7800 * r * r, 75 * r * r) for r in (160, 192, 224)
        ),
        laws=(macs, constant, none),
        notes=("sizes change in steps between",),
    )


def small_grid() -> CompoundGrid:
    """Two points, one of them published."""
    return CompoundGrid(
        ModelInfo("efficientnet_b0", "zoo", "efficientnet_b0"), 5_288_548, 385_814_752, 2.0, 0.1,
        points=(
            GridPoint(2.0, 1.0, 1.0, 2.0, 224, 10_222_984, 782_254_048, 2.0275, False),
            GridPoint(1.2, 1.1, 1.15, 1.9203, 258, 9_109_994, 992_629_472, 2.5728, True),
        ),
    )  # fmt: skip
