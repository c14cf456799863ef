"""How well a network, an ONNX file, or a table of predictions classifies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, Union

from cnninspect.errors import BadOption, UnknownChoice
from cnninspect.sources.open import load, trace

if TYPE_CHECKING:
    from torch import nn

    from cnninspect.commands.evaluate.report import Evaluation
    from cnninspect.records.models import GraphFile, LoadedModel

PARTS = ("auto", "held-out", "all")


def evaluate(
    model: Union[str, nn.Module, LoadedModel, GraphFile, None] = None,
    inputs: Any = None,
    *,
    weights: str | PathLike[str] | None = None,
    data: str | PathLike[str] | None = None,
    predictions: str | PathLike[str] | None = None,
    classes: Sequence[str] = (),
    part: str = "auto",
    held_out: float = 0.2,
    beta: float = 1.0,
    top_k: int = 5,
    seed: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int, str], None] | None = None,
) -> Evaluation:
    """How well labels are predicted: accuracy, confusion, precision, recall, F-beta, intervals.

    A model, a file of `weights` for it, or an ONNX file is judged by `data`: digits, a folder with
    one of images for each class, or a .npz file; of these the examples that were `held-out` in
    training, or `all`.  A CSV file of `predictions` needs neither, and no torch.  `seed` is of
    the samples that the confidence intervals come from.

    Raises:
        UnusableData, LabelOutOfRange: the data, or their labels, do not go with the model.
        CnnInspectError: see `cnninspect.errors`.
    """
    from pathlib import Path

    from cnninspect.commands.evaluate.analysis import evaluation_of

    looks: dict[str, Any] = {"beta": beta, "top_k": top_k, "seed": seed}
    if part not in PARTS:
        raise UnknownChoice("--part", part, PARTS)
    if not 0 < held_out < 1:
        raise BadOption("--held-out", held_out, "between 0 and 1")
    if predictions is not None:
        if model is not None or data is not None or weights is not None:
            raise BadOption("--predictions", predictions, "used alone: they need no model or data")
        from cnninspect.commands.evaluate.predictions_file import read_predictions

        path = Path(predictions)
        return evaluation_of(read_predictions(path, tuple(classes)), data=path.name, **looks)
    if model is None:
        raise BadOption("MODEL", "none", "given, or --predictions FILE.csv")
    from cnninspect.commands.evaluate.measuring import judge_network, judge_onnx
    from cnninspect.metrics.example_shape import example_shape
    from cnninspect.records.models import GraphFile, LoadedModel

    loaded = load(model)
    traced = trace(loaded, inputs)
    how: dict[str, Any] = {
        "data": str(data or "digits"),
        "part": part,
        "held_out": held_out,
        "progress": progress,
    }
    file = None if weights is None else str(weights)
    shape = example_shape(traced, how["data"])
    if isinstance(loaded, GraphFile):
        if file is not None:
            raise BadOption("--weights", file, "left out: an ONNX file has its own")
        judged = judge_onnx(loaded.path, shape, **how)
    else:
        judged = judge_network(loaded, shape, weights=file, device=device, **how)
    untrained = file is None and isinstance(loaded, LoadedModel) and not loaded.live
    notes = judged.notes
    if untrained and loaded.info.source not in ("pt2", "pt"):
        notes = (*notes, "no --weights: these are the answers of an untrained network")
    return evaluation_of(
        judged.predictions,
        data=judged.data,
        part=judged.part,
        model=traced.model,
        weights=file,
        skipped=judged.skipped,
        notes=notes,
        **looks,
    )
