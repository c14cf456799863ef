"""One function for each question: what notebooks and the command line both call."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from cnninspect.errors import BadReference, RunFailed, UnknownChoice
from cnninspect.records.models import GraphFile, LoadedModel, ModelInfo

if TYPE_CHECKING:
    from os import PathLike

    from torch import nn

    from cnninspect.records.audit import Audit
    from cnninspect.records.batch_fit import BatchFit
    from cnninspect.records.budget_check import BudgetCheck
    from cnninspect.records.checkpoint import Checkpoint
    from cnninspect.records.comparison import Comparison, Finding
    from cnninspect.records.difference import Difference, LayerFacts, TensorDifference
    from cnninspect.records.explanation import Explanation
    from cnninspect.records.export_report import ExportReport
    from cnninspect.records.gradient_passes import WeightedLayer
    from cnninspect.records.gradient_profile import (
        GradientProfile,
        ModelGradients,
        PathProfile,
    )
    from cnninspect.records.gradient_settings import GradientSettings
    from cnninspect.records.listing import Listing
    from cnninspect.records.memory import Memory
    from cnninspect.records.scaling import CompoundGrid, Scaling
    from cnninspect.records.summary import Summary
    from cnninspect.records.traces import Trace
    from cnninspect.surveys.gate import Gate

Model = Union[str, "nn.Module", "Trace"]
"""A reference, a live module, or a trace that was made before."""

MODES = ("eval", "train")


def trace(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    weights: str | PathLike[str] | None = None,
) -> Trace:
    """Run a model without computing, and write down every layer and every call.

    `inputs` are the positional arguments of `forward`: tensors, shapes as tuples of integers, lists
    of shapes, or whatever else it takes; a single tensor may stand by itself, and a dictionary may
    hold the arguments by name.  None: the model's own default.  A live module is left exactly as it
    was.  `weights` is a file of safetensors or torch.save, which
    has to fit the model.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.records.traces import Trace

    if isinstance(model, Trace):
        return model
    if mode not in MODES:
        raise UnknownChoice("mode", mode, MODES)
    from cnninspect.engine.dispatching import trace as run

    return run(
        load(model),
        as_arguments(inputs),
        kwargs=kwargs,
        mode=mode,
        batch=batch,
        weights=weights,
    )


def summarize(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    weights: str | PathLike[str] | None = None,
    convention: str = "macs",
    backward: bool = False,
    device: str | None = None,
    freeze: Sequence[str] = (),
    unfreeze: Sequence[str] = (),
    head: int | None = None,
) -> Union[Summary, Any]:
    """A model layer by layer: shapes, parameters, MACs, and the totals.

    Of a file of weights, which holds no network, it is the table of its tensors, a
    `cnninspect.records.checkpoint.Checkpoint`; torch is not imported for that.

    `convention` names the rules for `report.convention.total`; `report.totals.macs` always stays
    the exact MACs.  With `backward`, each layer has the MACs of the backward pass in training, and
    with `device` (a100, h100, h200, rtx4090, cpu:GFLOPS:GBPS) the least time that it takes there.
    As in transfer learning, `head` gives a reference that many classes, and `freeze` are patterns
    of layers or parameters that are not trained, but for those of `unfreeze`.  The other arguments
    are those of `trace`.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    runs = (inputs, kwargs, weights, device, head), (mode, batch, convention, backward)
    if runs == ((None,) * 5, ("eval", 1, "macs", False)) and not freeze and not unfreeze:
        table = weights_table(model)
        if table is not None:
            return table
    from cnninspect.analyses.freezing import frozen, frozen_names
    from cnninspect.analyses.summarizing import summarize_trace

    model = with_head(model, head)
    traced = trace(model, inputs, kwargs=kwargs, mode=mode, batch=batch, weights=weights)
    traced = frozen(traced, freeze, unfreeze)
    report = summarize_trace(traced, convention)
    if backward:
        from cnninspect.analyses.memory_use import with_backward

        still = frozen_names(traced) if freeze or unfreeze else ()
        step = memory(model, inputs, kwargs=kwargs, batch=batch, freeze=still)
        report = with_backward(report, step)
    if device is not None:
        from cnninspect.analyses.roofline import with_roofline

        report = with_roofline(report, traced, device)
    return report


def audit(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
    counters: Sequence[str] | None = None,
    run: bool = True,
    by_layer: bool = False,
    with_onnx: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Audit:
    """The MACs of a model beside the counts of other tools, rules and papers, and why they differ.

    `counters` names those to compare with; None: all.  Without `run`, no other tool is run, and
    only their rules are applied.  `by_layer` adds every layer's counts, `with_onnx` the count of an
    ONNX export.  `progress` is called with the tools done, those to do, and the one at work.

    Raises:
        UnknownChoice: there is no such counter.
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.analyses.auditing import audit_trace
    from cnninspect.analyses.auditing_counters import COUNTERS, TOOLS
    from cnninspect.records.traces import Trace
    from cnninspect.surveys.tool_runs import exported_graph, tool_runs

    for name in counters or ():
        if name not in COUNTERS:
            raise UnknownChoice("--counter", name, COUNTERS)
    traced = trace(model, inputs, kwargs=kwargs, mode=mode, batch=batch)
    wanted = [name for name in TOOLS if run and (counters is None or name in counters)]
    given: dict[str, Any] = {"inputs": as_arguments(inputs), "kwargs": kwargs, "batch": batch}
    subject = model if isinstance(model, Trace) else load(model)
    is_asked_for = counters is not None
    runs = tool_runs(subject, traced, wanted, **given, is_asked_for=is_asked_for, progress=progress)
    with_onnx = with_onnx or "onnx" in (counters or ())
    graph = exported_graph(subject, **given) if with_onnx else None
    return audit_trace(traced, tuple(runs), wanted=counters, graph=graph, by_layer=by_layer)


def memory(
    model: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    batch: int = 1,
    mode: str | None = None,
    optimizer: str = "sgd",
    dtype: str | None = None,
    amp: str | None = None,
    freeze: Sequence[str] = (),
    inference: bool = False,
) -> Memory:
    """What a step of training, or of inference, needs: bytes and MACs, by layer and in total.

    `dtype` is that of the weights, `amp` the one that autocast computes in, `freeze` are patterns
    of parameters that are not trained; `mode` is train, or eval for inference, unless given.

    Raises:
        NothingToTrain: no output depends on a trainable parameter.
        PatternMatchesNothing: a pattern of `freeze` names nothing.
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.analyses.freezing import frozen, frozen_names
    from cnninspect.analyses.memory_use import memory_of
    from cnninspect.analyses.optimizers import find_optimizer
    from cnninspect.engine.training import trace_training

    find_optimizer(optimizer)
    still: tuple[str, ...] = ()
    if freeze:
        still = frozen_names(frozen(trace(model, inputs, kwargs=kwargs, batch=batch), freeze))
    step = trace_training(
        network(model, "a step of training"),
        as_arguments(inputs),
        kwargs=kwargs,
        mode=mode or ("eval" if inference else "train"),
        batch=batch,
        frozen=still,
        dtype=dtype,
        amp=amp,
        inference=inference,
    )
    purpose = "inference" if inference else "training"
    return memory_of(step, optimizer=optimizer, purpose=purpose, amp=amp or "")


def fit_batch(
    model: Model, limit_bytes: int, *, optimizer: str = "sgd", **options: Any
) -> BatchFit:
    """The largest batch whose step needs at most `limit_bytes`, confirmed by traces around it.

    `options` are those of `memory` but for `batch`; inputs are those of a batch of one.

    Raises:
        DoesNotFit: not even a batch of one does; the hint says what would help.
    """
    from cnninspect.analyses.batch_fitting import fit_of

    return fit_of(
        lambda batch, **others: memory(model, batch=batch, **{**options, **others}),
        limit_bytes,
        optimizer=optimizer,
        is_inference=bool(options.get("inference")),
    )


def explain(model: Model, layer: str, **options: Any) -> Explanation:
    """Where one layer's numbers come from: each formula with the numbers put into it.

    `options` are those of `trace`.

    Raises:
        UnknownLayer: the model has no layer of that path.
    """
    from cnninspect.analyses.explaining import explain_layer
    from cnninspect.analyses.summarizing import summarize_trace

    traced = trace(model, **options)
    return explain_layer(traced, summarize_trace(traced, "macs"), layer)


def gradients(
    models: Union[Model, Sequence[Model]],
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    targets: Any = None,
    batch: int | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    **settings: Any,
) -> GradientProfile:
    """How large the gradient is at each depth of models, by real forward and backward passes.

    `settings` are the fields of `cnninspect.records.gradient_settings.GradientSettings`; `batch`
    None is 8, or 1 where `inputs` hold the batch already.  `targets` are labels or values for the
    loss; None: drawn at random.  `progress` is called with the passes done, those to do, and what
    was done.  A live module is left exactly as it was.

    Raises:
        CannotTrain: nothing in a model can be trained.
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.engine.gradients.batches import Feed
    from cnninspect.engine.gradients.profiling import passes_of
    from cnninspect.records.gradient_profile import GradientProfile
    from cnninspect.records.gradient_settings import GradientSettings

    every = several(models)
    feed = Feed(as_arguments(inputs), kwargs, targets)
    if batch is None and (inputs is not None or kwargs):
        batch = 1 if _hold_batch(every[0], feed) else None
    chosen = GradientSettings(**(settings if batch is None else {"batch": batch, **settings}))
    done = 0

    def report(what: str) -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, len(every) * passes_of(chosen), what)

    return GradientProfile(
        chosen, tuple(_gradients_of(model, chosen, feed, report) for model in every)
    )


def gradient_paths(
    models: Union[Model, Sequence[Model]],
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "train",
    batch: int = 2,
) -> PathProfile:
    """In how many ways a gradient gets from the output of models to the input; nothing is run.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.analyses.gradient_paths import gradient_paths as paths_of
    from cnninspect.records.gradient_profile import ModelPaths, PathProfile

    found = []
    for model in several(models):
        traced, layers = _weighted(model, inputs, kwargs, mode=mode, batch=batch)
        paths = paths_of(traced, layers)
        found.append(
            ModelPaths(
                traced.model, traced.inputs, traced.mode, len(layers), paths.count, paths.lengths
            )
        )
    return PathProfile(tuple(found))


def compare(
    models: Union[Model, Sequence[Model]],
    inputs: Any = None,
    *,
    baseline: Model | None = None,
    remember: bool = False,
    **options: Any,
) -> Comparison:
    """Models side by side, with their ratios to the baseline, which is the first unless named.

    `options` are limits, such as `max_params="25M"` or `min_macs=10**9`; `kwargs`, `batch`, `mode`
    and `convention`, as for `summarize`; `dtype`, for bytes as if parameters were stored so; and
    `jobs`, the processes that measure references, 1 unless given.  `remember` keeps what is
    measured of named architectures in the user's cache folder.  A model that fails is in `failed`.

    Raises:
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    from cnninspect.surveys.panel import compare_models

    subjects = [as_subject(model) for model in several(models)]
    first = None if baseline is None else as_subject(baseline)
    given = as_arguments(inputs)
    return compare_models(subjects, first, remember=remember, arguments=given, **options)


def find(
    pattern: str = "*",
    inputs: Any = None,
    *,
    sources: Sequence[str] = ("zoo",),
    axes: Sequence[str] = ("parameters", "macs", "accuracy"),
    baseline: str | None = None,
    remember: bool = True,
    **options: Any,
) -> Finding:
    """Every architecture of these sources that keeps the limits, the Pareto frontier first.

    `pattern` is matched against names as in a shell, and otherwise as a part of them.  The
    frontier is of those `axes` that something is known of.  `options` are those of `compare`.

    Raises:
        UnknownChoice: there is no such source or axis.
        UnknownModel: no name matches.
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    from cnninspect.surveys.panel import find_models

    return find_models(
        pattern,
        sources=sources,
        axes=axes,
        baseline=baseline,
        remember=remember,
        arguments=as_arguments(inputs),
        **options,
    )


def scale(
    model: Union[str, nn.Module],
    inputs: Any = None,
    *,
    over: str = "resolution",
    sizes: Sequence[Union[int, float, Fraction]] = (),
    batch: int = 1,
    mode: str = "eval",
) -> Scaling:
    """How a network grows over its resolution, batch, width, depth, sequence, or a setting.

    It is run at several sizes, and exact polynomials are fitted to what is counted, which further
    sizes must confirm.  Without `sizes`, they are chosen so that layers round nothing.

    Raises:
        CannotScale: it has no such size, or does not tell.
    """
    from cnninspect.surveys.scaling_runs import scale as run

    return run(
        model if isinstance(model, str) else load(model),
        as_arguments(inputs),
        over=over,
        sizes=tuple(Fraction(size) for size in sizes),
        batch=batch,
        mode=mode,
    )


def scale_grid(
    model: str,
    *,
    tolerance: float = 0.1,
    jobs: int | None = 1,
    remember: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> CompoundGrid:
    """Every α, β, γ for depth, width and resolution with α·β²·γ² ≈ 2, and what it costs.

    For networks with settings of these names, such as `efficientnet_b0`.

    Raises:
        CannotScale: the network has no such settings.
    """
    from cnninspect.surveys.compound import compound_grid
    from cnninspect.surveys.remembering import Memory

    memory = Memory() if remember else None
    return compound_grid(model, tolerance=tolerance, jobs=jobs, memory=memory, progress=progress)


def check(
    model: Model | None = None,
    inputs: Any = None,
    *,
    budget: str | PathLike[str] | None = None,
    locked: str | PathLike[str] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    **rules: Any,
) -> BudgetCheck:
    """Whether a model keeps its limits; without one, every model that the budget file names.

    `rules` are the keys of a budget file: `max_params="22M"`, `forbid=["Dropout"]`,
    `layers={"layer4.*": {"max_params": "60%"}}`, `baseline="resnet18"`, `max_growth="2%"`, …; they
    replace what the file says of the same.  `locked` is a lock file that it must not have moved
    from.

    Raises:
        NothingToCheck: there is no limit, since a gate that checks nothing must not pass.
        PatternMatchesNothing: a pattern for layers fits none.
        UnknownKey, BadBudget, BadQuantity, Contradiction: a rule is of no use.
    """
    gate = _gate(budget, inputs, kwargs, rules, locked=locked)
    return gate.check(None if model is None else as_subject(model))


def lock_text(
    model: Model | None,
    path: str | PathLike[str],
    *,
    budget: str | PathLike[str] | None = None,
    **rules: Any,
) -> tuple[str, tuple[Difference, ...]]:
    """The text of a lock file with these models put in, and where they moved from what it said."""
    from cnninspect.surveys.gate import merged_lock

    gate = _gate(budget, None, None, rules)
    subjects = gate.subjects(None if model is None else as_subject(model), is_to_lock=True)
    models = [gate.lock_of(subject, allowed) for subject, allowed in subjects]
    return merged_lock(Path(path), models)


def _gate(
    budget: str | PathLike[str] | None,
    inputs: Any,
    kwargs: Mapping[str, Any] | None,
    rules: Mapping[str, Any],
    locked: str | PathLike[str] | None = None,
) -> Gate:
    from cnninspect.analyses.budget_file import typed_budget
    from cnninspect.surveys.gate import Gate

    return Gate(
        typed=typed_budget(rules),
        file=None if budget is None else Path(budget),
        lock=None if locked is None else Path(locked),
        arguments=as_arguments(inputs),
        kwargs=kwargs,
    )


def diff(
    old: Model,
    new: Model,
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    mode: str = "eval",
    batch: int = 1,
) -> Union[Difference, TensorDifference]:
    """Which layers were added, removed, renamed and changed, and what that costs.

    Where one of the two is a file of weights: which tensors of the file do not fit the network,
    and why.  The other arguments are those of `trace`, for both.

    Raises:
        CnnInspectError: see `cnninspect.errors`.
    """
    from cnninspect.analyses import weight_matching
    from cnninspect.analyses.diffing import difference

    before, after = weights_table(old), weights_table(new)
    if before is not None and after is not None:
        return weight_matching.match_files(before, after)
    run: dict[str, Any] = {"kwargs": kwargs, "mode": mode, "batch": batch}
    if after is not None:
        return weight_matching.match_network(trace(old, inputs, **run), after)
    if before is not None:
        return weight_matching.match_network(trace(new, inputs, **run), before)
    return difference(_facts(old, inputs, **run), _facts(new, inputs, **run))


def models(pattern: str = "*", *, source: str | None = None, family: str | None = None) -> Listing:
    """What can be named, without importing torch.

    `pattern` is matched against names as a shell does, and otherwise as a part of them.

    Raises:
        UnknownChoice: there is no such source or family.
    """
    from cnninspect.sources.listing import list_models

    return list_models(pattern, source=source, family=family)


def _gradients_of(
    model: Model, settings: GradientSettings, feed: Any, report: Callable[[str], None]
) -> ModelGradients:
    from dataclasses import replace

    from cnninspect.analyses.freezing import frozen, frozen_names
    from cnninspect.analyses.gradient_profiling import profile_of
    from cnninspect.engine.gradients.profiling import measure

    loaded = network(model, "training")
    try:
        traced, layers = _weighted(
            model, feed.inputs, feed.kwargs, mode=settings.mode, batch=settings.batch
        )
    except RunFailed as problem:
        if "Expected more than 1 value per channel" in str(problem):
            problem.hint = "batch norm needs several values: a larger --batch, or --mode eval"
        raise
    feed = replace(
        feed,
        specs=tuple(tensor.spec for tensor in traced.inputs),
        frozen=frozenset(frozen_names(frozen(traced, settings.freeze))),
    )
    measured = measure(loaded, layers, settings, feed, report)
    notes = traced.how.notes
    return profile_of(
        traced, layers, measured.passes, loss=measured.loss, data=measured.data, notes=notes
    )


def _hold_batch(model: Model, feed: Any) -> bool:
    """Whether the inputs that a person gave have the batch in them, at least one of them."""
    from cnninspect.records.models import InputRequest

    typed = [item for item in feed.inputs or () if isinstance(item, InputRequest)]
    if len(typed) < len(feed.inputs or ()) or not typed:
        return True
    # A shape without the batch gets it in front, so the traced input has one size more.
    traced = trace(model, feed.inputs, kwargs=feed.kwargs)
    return any(
        len(item.shape) == len(tensor.spec.shape) for item, tensor in zip(typed, traced.inputs)
    )


def _weighted(
    model: Model, inputs: Any, kwargs: Mapping[str, Any] | None, *, mode: str, batch: int
) -> tuple[Trace, tuple[WeightedLayer, ...]]:
    """A trace in that mode and its weighted layers.

    Where training leaves layers out at random (stochastic depth), it is a trace of testing.
    """
    from cnninspect.analyses.weighted_layers import weighted_layers

    traced = trace(model, inputs, kwargs=kwargs, mode=mode, batch=batch)
    layers = weighted_layers(traced)
    if mode == "train" and any(not layer.calls and layer.parameters for layer in traced.layers):
        other = trace(model, inputs, kwargs=kwargs, mode="eval", batch=batch)
        others = weighted_layers(other)
        if len(others) > len(layers):
            return other, others
    return traced, layers


def several(models: Union[Model, Sequence[Model]]) -> tuple[Model, ...]:
    """One model or more as a tuple."""
    if isinstance(models, (list, tuple)):
        return tuple(models)
    return (models,)  # type: ignore[return-value]


def with_head(model: Model, classes: int | None) -> Model:
    """The reference with a last layer for so many classes; None: the model as it is.

    Raises:
        BadOption: it is no reference, or there cannot be so many.
        BadReference: the reference says already how many.
    """
    if classes is None:
        return model
    from cnninspect.errors import BadOption
    from cnninspect.sources import rewriting

    if not isinstance(model, str):
        raise BadOption("head", classes, "left out for a live module: give it a head of its own")
    return rewriting.with_head(model, classes)


def weights_table(model: Model) -> Checkpoint | None:
    """The tensors of the file of weights that a reference names; None: it is no such file."""
    if not isinstance(model, str):
        return None
    from cnninspect.sources.registry import reference_of
    from cnninspect.surveys.measuring import weights_of

    return weights_of(reference_of(model))


def _facts(model: Model, inputs: Any, **run: Any) -> tuple[ModelInfo, tuple[LayerFacts, ...]]:
    from cnninspect.analyses.layer_facts import facts_of
    from cnninspect.analyses.summarizing import summarize_trace

    traced = trace(model, inputs, **run)
    return traced.model, facts_of(traced, summarize_trace(traced, "macs"))


def as_subject(model: Model) -> Union[str, LoadedModel, GraphFile, Trace]:
    """A reference or a trace as it is, a live module as a model that must not change."""
    from cnninspect.records.traces import Trace

    return model if isinstance(model, (str, Trace)) else network(model, "a comparison")


def export_onnx(
    model: Union[str, nn.Module],
    path: str | PathLike[str],
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    **settings: Any,
) -> ExportReport:
    """Write a network to an ONNX file that does what the network does, and say how that is known.

    `settings` are the fields of `cnninspect.records.export_report.ExportSettings`: `opset`,
    `dynamic` (sizes left open, as in `("batch",)`), `dtype`, `weights`, `batch`, `seed`,
    `exporter`, `verify`, `keep_traces`, `force`.  A live module is left exactly as it was.

    Raises:
        ExportMismatch: the file did something else; it is not kept.
        ExportFailed: torch's exporter cannot write such a network.
        FileExists, FileUnwritable: the file cannot be written.
        MissingLibrary: onnxruntime, which runs the file, is not installed.
        CnnInspectError: as for `trace`.
    """
    from pathlib import Path

    from cnninspect.analyses.reconciling import export_report
    from cnninspect.engine.onnx_export.making import make_file
    from cnninspect.errors import ExportMismatch
    from cnninspect.records.export_report import ExportSettings

    chosen = ExportSettings(**settings)
    loaded, place = network(model, "an export"), Path(path)
    made = make_file(loaded, place, chosen, inputs=as_arguments(inputs), kwargs=kwargs)
    report = export_report(made, place, chosen)
    if not report.is_right:
        raise ExportMismatch(loaded.info.reference, report)
    return report


def network(model: Model, needed_for: str) -> LoadedModel:
    """What a reference names, if it has modules, or a live module as a model that must not change.

    Raises:
        BadReference: it is a file that holds a graph, or a trace.
    """
    from cnninspect.records.traces import Trace

    if isinstance(model, Trace):
        raise BadReference(
            model.model.reference, f"it is a trace, and {needed_for} needs a network of modules"
        )
    loaded = load(model)
    if isinstance(loaded, GraphFile):
        raise BadReference(
            loaded.info.reference,
            f"it is a graph in a file, and {needed_for} needs a network of modules",
            "give the network that it was exported from",
        )
    return loaded


def load(model: Union[str, nn.Module]) -> Union[LoadedModel, GraphFile]:
    """What a reference names, or a live module as a model that must not change."""
    if isinstance(model, str):
        from cnninspect.sources.registry import load as load_reference

        return load_reference(model)
    name = type(model).__name__
    return LoadedModel(ModelInfo(name, "module", name), lambda: model, live=True)


def as_arguments(inputs: Any) -> Sequence[Any] | None:
    """The positional arguments of `forward`, with each shape turned into a request for a tensor.

    A list of shapes among them becomes a list of tensors, which have no batch of their own.
    """
    from cnninspect.records.models import InputRequest

    if inputs is None:
        return None
    if is_shape(inputs) or not isinstance(inputs, (list, tuple)):
        inputs = (inputs,)

    def requested(value: Any, *, batch_dim: int | None = 0) -> Any:
        if is_shape(value):
            return InputRequest(tuple(value), batch_dim=batch_dim)
        if isinstance(value, (list, tuple)) and value and all(is_shape(item) for item in value):
            return [requested(item, batch_dim=None) for item in value]
        return value

    return tuple(requested(value) for value in inputs)


def is_shape(value: Any) -> bool:
    """Whether this is a tensor's shape: a tuple or list of whole numbers."""
    return (
        isinstance(value, (tuple, list))
        and len(value) > 0
        and all(isinstance(size, int) and not isinstance(size, bool) for size in value)
    )
