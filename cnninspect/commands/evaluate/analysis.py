"""From predictions to measures, by scikit-learn; no torch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from cnninspect.commands.evaluate.report import (
    Averages,
    ClassScores,
    Confusion,
    Evaluation,
    Interval,
    Predictions,
)
from cnninspect.errors import BadOption, MissingLibrary, UnusableData
from cnninspect.records.models import ModelInfo

BINS = 15
"""Of confidence.  Source: Guo et al. 2017, On Calibration of Modern Neural Networks, section 2."""
RESAMPLES = 1000
MOST_CLASSES = 2_000
"""Of which confusions are told: there are as many as classes times classes."""
WORST = 10
"""Confusions that are told."""


def metrics_library() -> Any:
    """scikit-learn's metrics.

    Raises:
        MissingLibrary: it is not installed.
    """
    try:
        return import_module("sklearn.metrics")
    except ImportError as problem:
        raise MissingLibrary("scikit-learn", "data", "evaluate") from problem


def evaluation_of(
    found: Predictions,
    *,
    data: str,
    part: str = "given",
    model: ModelInfo | None = None,
    weights: str | None = None,
    beta: float = 1.0,
    top_k: int = 5,
    seed: int = 0,
    skipped: int = 0,
    notes: tuple[str, ...] = (),
) -> Evaluation:
    """All measures of these predictions.

    Raises:
        BadOption: beta or k cannot be used.
        UnusableData: there are no predictions.
    """
    if not 0 < beta < float("inf"):
        raise BadOption("--beta", beta, "above 0")
    if top_k < 1:
        raise BadOption("--top-k", top_k, "1 or more")
    if not found.labels:
        raise UnusableData(data, "it has no examples")
    if len(found.classes) > MOST_CLASSES:
        raise UnusableData(
            data,
            f"it has {len(found.classes):,} classes, and confusions are told of up to "
            f"{MOST_CLASSES:,}",
            "is it a column of classes that is taken for one?",
        )
    numpy, metrics = import_module("numpy"), metrics_library()
    labels, predicted = numpy.array(found.labels), numpy.array(found.predicted)
    every = list(range(len(found.classes)))
    confusion = metrics.confusion_matrix(labels, predicted, labels=every)

    def averaged(how: str | None) -> Any:
        return metrics.precision_recall_fscore_support(
            labels, predicted, beta=beta, labels=every, average=how, zero_division=0
        )

    by_class = averaged(None)
    macro, micro, weighted = (
        Averages(*(float(x) for x in averaged(how)[:3])) for how in ("macro", "micro", "weighted")
    )
    classes = tuple(
        ClassScores(name, float(p), float(r), float(f), int(n), int(confusion[:, i].sum()))
        for i, (name, p, r, f, n) in enumerate(zip(found.classes, *by_class))
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are predicted and do not occur
        balanced = float(metrics.balanced_accuracy_score(labels, predicted))
    scores = None if found.scores is None else numpy.array(found.scores, dtype="float64")
    kept_k = None if scores is None else min(top_k, scores.shape[1])
    return Evaluation(
        model=model,
        weights=weights,
        data=data,
        part=part,
        examples=len(labels),
        skipped=skipped,
        accuracy=float((labels == predicted).mean()),
        balanced_accuracy=balanced,
        loss=None if scores is None else _loss(numpy, labels, scores),
        beta=beta,
        classes=classes,
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        macro=macro,
        micro=micro,
        weighted=weighted,
        top_k=kept_k,
        top_k_accuracy=None if scores is None else _top(numpy, labels, scores, kept_k),
        calibration_error=None if scores is None else _calibration(numpy, labels, scores),
        intervals=_intervals(numpy, labels, predicted, (len(every), beta, seed)),
        resamples=RESAMPLES,
        worst=_worst(found.classes, confusion.tolist()),
        notes=notes,
    )


def _loss(numpy: Any, labels: Any, scores: Any) -> float:
    """Mean of −log of the label's probability."""
    chances = scores[numpy.arange(len(labels)), labels]
    return float(-numpy.log(numpy.maximum(chances, numpy.finfo("float64").tiny)).mean())


def _top(numpy: Any, labels: Any, scores: Any, k: int | None) -> float:
    """Share of the labels that fewer than k other classes have higher scores than."""
    own = scores[numpy.arange(len(labels)), labels][:, None]
    return float(((scores > own).sum(1) < (k or 1)).mean())


def _calibration(numpy: Any, labels: Any, scores: Any) -> float:
    """Expected calibration error: |accuracy − confidence| by bin, weighted by its examples."""
    confidence = scores.max(1)
    right = scores.argmax(1) == labels
    bins = numpy.minimum((confidence * BINS).astype(int), BINS - 1)
    error = 0.0
    for each in range(BINS):
        inside = bins == each
        if inside.any():
            error += abs(right[inside].mean() - confidence[inside].mean()) * inside.mean()
    return float(error)


def _intervals(
    numpy: Any, labels: Any, predicted: Any, how: tuple[int, float, int]
) -> tuple[Interval, ...]:
    """95 % of the accuracies and macro F-betas of samples with replacement."""
    count, beta, seed = how
    draws = numpy.random.default_rng(seed)
    pairs = labels * count + predicted
    accuracies, f_betas = [], []
    occurring, totals = numpy.unique(pairs, return_counts=True)
    rows, columns = occurring // count, occurring % count
    for _ in range(RESAMPLES):
        drawn = draws.multinomial(len(labels), totals / len(labels))
        actual = numpy.bincount(rows, drawn, count)
        guessed = numpy.bincount(columns, drawn, count)
        right = numpy.bincount(rows, drawn * (rows == columns), count)
        accuracies.append(right.sum() / len(labels))
        below = beta**2 * actual + guessed  # F-beta = (1 + β²)·TP / (β²·actual + predicted)
        f_betas.append(((1 + beta**2) * right / numpy.maximum(below, 1)).mean())
    return tuple(
        Interval(name, *(float(x) for x in numpy.quantile(values, (0.025, 0.975))))
        for name, values in (("accuracy", accuracies), ("macro f_beta", f_betas))
    )


def _worst(classes: Sequence[str], confusion: Sequence[Sequence[int]]) -> tuple[Confusion, ...]:
    found = [
        Confusion(classes[i], classes[j], count, count / sum(row))
        for i, row in enumerate(confusion)
        for j, count in enumerate(row)
        if i != j and count
    ]
    return tuple(sorted(found, key=lambda each: (-each.count, -each.share))[:WORST])
