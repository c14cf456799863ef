"""What a network, or an ONNX file, predicts for data."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from cnninspect.commands.evaluate.report import Predictions
from cnninspect.engine.process_state import RUNS, Ledger, RandomStates, set_apart
from cnninspect.engine.real_passes.batches import Feed
from cnninspect.engine.real_passes.data_sets import DataSet, load_data, split
from cnninspect.engine.real_passes.preparation import ready_model
from cnninspect.engine.recording import tensors_in
from cnninspect.errors import (
    CnnInspectError,
    FileMissing,
    FileUnreadable,
    LabelOutOfRange,
    MissingLibrary,
    RunFailed,
    UnusableData,
    first_line,
)
from cnninspect.files import opened
from cnninspect.records.models import LoadedModel
from cnninspect.records.operations import shape_text
from cnninspect.records.passes import GradientSettings
from cnninspect.sources.open import surroundings_of

BATCH = 256
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """Predictions, and what they were made from."""

    predictions: Predictions
    data: str
    part: str
    skipped: int
    notes: tuple[str, ...] = ()


def chosen_examples(
    data: DataSet, part: str, *, weights: str | None, held_out: float
) -> tuple[Tensor, str, tuple[str, ...]]:
    """Numbers of the examples of a part, its name, and notes.

    `auto` is what was held out when these weights were trained, where the file says that it was on
    data of this name, or where the data say themselves what is held out; else all.
    """
    about = about_weights(weights)
    same = about.get("cnninspect.data") == data.name
    notes: tuple[str, ...] = ()
    if part == "auto":
        part = "held-out" if same or data.held_out is not None else "all"
        if part == "all" and about.get("cnninspect.data") is None and weights is not None:
            notes = (
                "all examples are judged: where the weights were trained on some of them, "
                "--part held-out is the honest figure",
            )
    if part == "all":
        return torch.arange(len(data)), part, notes
    share = _share(about.get("cnninspect.held_out", ""), held_out) if same else held_out
    return split(data, share)[1], part, notes


def _share(text: str, otherwise: float) -> float:
    """The share that a file of weights says, if it is one."""
    try:
        found = float(text)
    except ValueError:
        return otherwise
    return found if 0 < found < 1 else otherwise


def about_weights(weights: str | None) -> dict[str, str]:
    """What `train` wrote beside the weights; empty for files of others."""
    if weights is None:
        return {}
    try:
        with opened(weights) as (file, _):
            size = int.from_bytes(file.read(8), "little")
            if size > 2**26:
                return {}
            found = json.loads(file.read(size)).get("__metadata__", {})
    except (FileMissing, FileUnreadable, ValueError, RecursionError, AttributeError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if found else {}


def judge_network(
    loaded: LoadedModel,
    shape: tuple[int, ...],
    *,
    weights: str | None,
    data: str,
    part: str,
    held_out: float,
    device: str,
    progress: Progress | None,
) -> Judged:
    """What a network predicts for each example.

    Raises:
        UnusableData, LabelOutOfRange, RunFailed: it cannot be judged by these data.
        WeightsMismatch, FileMissing, FileUnreadable: the weights do not fit.
    """
    found = load_data(data, shape)
    chosen, named, notes = chosen_examples(found, part, weights=weights, held_out=held_out)
    settings = GradientSettings(weights=weights, device=device, mode="eval")
    with surroundings_of(loaded), RUNS, Ledger() as ledger, ledger:
        set_apart(ledger, traces=False)
        torch.set_grad_enabled(False)
        RandomStates(ledger)
        model = ready_model(ledger, loaded, (), settings, Feed(), seed=0)
        place = next(iter(nn.Module.parameters(model))).device

        def run(inputs: Tensor) -> Tensor:
            try:
                outputs = model(inputs.to(place))
            except CnnInspectError:
                raise
            except Exception as problem:  # whatever forward raises
                raise RunFailed(first_line(problem)) from problem
            return next(t for t in tensors_in(outputs) if t.dtype.is_floating_point)

        predictions = _predictions(found, chosen, run, progress)
    return Judged(predictions, found.name, named, found.skipped, notes)


def judge_onnx(
    path: Path,
    shape: tuple[int, ...],
    *,
    data: str,
    part: str,
    held_out: float,
    progress: Progress | None,
) -> Judged:
    """What an ONNX file predicts, run by onnxruntime.

    Raises:
        MissingLibrary: onnxruntime is not installed.
        UnusableData, LabelOutOfRange, RunFailed: it cannot be judged by these data.
    """
    try:
        runtime = import_module("onnxruntime")
    except ImportError as problem:
        raise MissingLibrary("onnxruntime", "verify", f"evaluating {path}") from problem
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    try:
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # onnxruntime has errors of its own for each thing
        raise RunFailed(f"onnxruntime: {first_line(problem)}") from problem
    (taken,) = session.get_inputs()[:1]
    fixed = taken.shape[0] if taken.shape and isinstance(taken.shape[0], int) else None
    found = load_data(data, shape)
    chosen, named, notes = chosen_examples(found, part, weights=None, held_out=held_out)

    def run(inputs: Tensor) -> Tensor:
        pieces = inputs.split(fixed) if fixed else (inputs,)
        outputs = []
        for piece in pieces:
            fed = piece
            if fixed and len(piece) < fixed:
                fed = torch.cat([piece, piece[:1].expand(fixed - len(piece), *piece.shape[1:])])
            try:
                (first, *_) = session.run(None, {taken.name: fed.numpy()})
            except Exception as problem:  # onnxruntime has errors of its own for each thing
                raise RunFailed(f"onnxruntime: {first_line(problem)}") from problem
            outputs.append(torch.as_tensor(first)[: len(piece)])
        return torch.cat(outputs)

    return Judged(
        _predictions(found, chosen, run, progress), found.name, named, found.skipped, notes
    )


def _predictions(
    data: DataSet, chosen: Tensor, run: Callable[[Tensor], Tensor], progress: Progress | None
) -> Predictions:
    parts = []
    for number, batch in enumerate(chosen.split(BATCH), start=1):
        scores = run(data.inputs[batch]).float().cpu()
        if scores.dim() != 2 or scores.shape[1] < 2:
            given = shape_text(scores.shape)
            raise UnusableData(data.name, f"the model gives {given}, not a score for each class")
        known = len(data.classes)
        if scores.shape[1] < known:
            raise LabelOutOfRange(known - 1, scores.shape[1], known)
        parts.append(scores)
        if progress is not None:
            progress(number, -(-len(chosen) // BATCH), "evaluating")
    chances = torch.cat(parts).double().softmax(1)
    if not bool(torch.isfinite(chances).all()):
        raise UnusableData(data.name, "the model's scores are not finite", "look at its weights")
    answers = chances.argmax(1)
    labels = data.labels[chosen]
    most = max(int(answers.max()), int(labels.max()), len(data.classes) - 1) + 1
    names = (*data.classes, *(str(i) for i in range(len(data.classes), most)))
    # Outputs beyond the classes of the data stand for nothing here, unless one was answered.
    kept = chances[:, :most]
    return Predictions(
        names,
        tuple(labels.tolist()),
        tuple(answers.tolist()),
        tuple(tuple(row) for row in kept.tolist()),
    )
