"""What curves of training say: whether a model fits, and whether depth made it worse."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

from cnninspect.commands.train.report import (
    GOOD,
    OVERFITTING,
    UNDECIDED,
    UNDERFITTING,
    Degradation,
    Epoch,
    Fit,
    TrainedModel,
)

RISE = 1.1
"""A held-out loss above its least value by this factor has risen."""
LEAST_GAP = 0.05
"""A difference of accuracies below this is none, however many examples say so."""
FITTED = 0.9
"""A training accuracy below this is low."""
WORSE = 0.01
"""By so much less accuracy on what it was trained on does a deeper network fit worse."""


def fit_of(epochs: Sequence[Epoch], *, held_out: int) -> Fit:
    """The verdict on fitting, by a rule that the docs write down.

    `held_out` is the number of examples kept back.  Overfitting: the held-out loss lies a tenth or
    more above its least value, reached two epochs or more before the end, while the training loss
    went on falling; or the accuracies differ by more than 0.05 and two standard errors of the
    held-out one.  Else underfitting: the training accuracy is below 0.9.
    """
    if not epochs:
        return Fit(UNDECIDED, None, math.nan, "no epoch was completed")
    last = epochs[-1]
    gap = last.accuracy - last.held_out_accuracy
    if len(epochs) < 2:
        return Fit(UNDECIDED, None, gap, "one epoch tells no trend")
    best = min(epochs, key=lambda each: each.held_out_loss)
    has_risen = last.held_out_loss > RISE * best.held_out_loss and last.loss < best.loss
    if has_risen and last.epoch - best.epoch >= 2:
        return Fit(
            OVERFITTING,
            best.epoch,
            gap,
            f"held-out loss rose from {best.held_out_loss:.3f} to {last.held_out_loss:.3f} while "
            f"training loss fell from {best.loss:.3f} to {last.loss:.3f}",
        )
    if gap > _noticeable(last, held_out):
        since = _since(epochs, held_out)
        return Fit(OVERFITTING, since, gap, f"accuracies differ by {gap:.3f}")
    if last.accuracy < FITTED:
        return Fit(
            UNDERFITTING, None, gap, f"training accuracy {last.accuracy:.3f} is below {FITTED}"
        )
    return Fit(GOOD, None, gap, f"training accuracy {last.accuracy:.3f}, gap {gap:+.3f}")


def _noticeable(epoch: Epoch, held_out: int) -> float:
    """The gap that is more than chance: two standard errors of the held-out accuracy, and 0.05."""
    p = epoch.held_out_accuracy
    return max(LEAST_GAP, 2 * math.sqrt(p * (1 - p) / max(held_out, 1)))


def _since(epochs: Sequence[Epoch], held_out: int) -> int:
    """The last epoch before the gap came to stay; 0 where it was there from the first."""
    for each in reversed(epochs):
        if each.accuracy - each.held_out_accuracy <= _noticeable(each, held_out):
            return each.epoch
    return 0


def degradation_among(models: Sequence[TrainedModel]) -> tuple[Degradation, ...]:
    """Neighbours in depth of each family, and whether the deeper one fits its own data worse.

    A family are models whose references differ in numbers alone.
    """
    families: dict[str, list[TrainedModel]] = {}
    for model in models:
        if model.epochs:
            families.setdefault(re.sub(r"\d+", "#", model.model.reference), []).append(model)
    found = []
    for family in families.values():
        by_depth = sorted(family, key=lambda each: each.depth)
        for shallower, deeper in pairwise(by_depth):
            if shallower.depth == deeper.depth:
                continue
            low, high = shallower.epochs[-1], deeper.epochs[-1]
            found.append(
                Degradation(
                    shallower.model.name,
                    deeper.model.name,
                    low.accuracy,
                    high.accuracy,
                    high.accuracy < low.accuracy - WORSE and high.loss > low.loss,
                )
            )
    return tuple(found)
