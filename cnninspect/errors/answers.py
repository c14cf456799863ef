"""The work was done and the answer is no: the command returns 3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnninspect.errors.tree import AnswerIsNo
from cnninspect.errors.wording import some


class UnsafeToLoad(AnswerIsNo):
    """With --strict: loading a file of weights would look up what may run any code."""

    def __init__(self, path: str, names: Sequence[str]) -> None:
        super().__init__(
            f"{path} asks for names that torch.load(weights_only=True) refuses: {some(names)}",
            "load it only if you trust its author, or ask for safetensors",
        )


class Unexplained(AnswerIsNo):
    """With --strict: a counter has another number, and nobody can say why."""

    def __init__(self, counters: Sequence[str]) -> None:
        has = "has a difference" if len(counters) == 1 else "have differences"
        super().__init__(
            f"{', '.join(counters)} {has} that nothing explains",
            "--by-layer shows the layers; --counter leaves a counter out by naming the others",
        )


class UnknownOperations(AnswerIsNo):
    """With --strict: some operations have no formula, so the count is not whole."""

    def __init__(self, operations: Sequence[str]) -> None:
        super().__init__(
            f"nothing is known of the cost of {', '.join(operations)}",
            "without --strict the rest is counted; cnninspect.register_cost adds a formula",
        )


class Unhealthy(AnswerIsNo):
    """With --fail-on: some models' gradients have a verdict that was named."""

    def __init__(self, verdicts: Sequence[tuple[str, str]]) -> None:
        said = ", ".join(f"{model}: {verdict}" for model, verdict in verdicts)
        rate = "a smaller --lr, " if " at step " in said else ""
        super().__init__(
            f"gradients are not as they should be ({said})",
            f"{rate}other weights (--init), normalisation or skip connections may mend it",
        )


class OverBudget(AnswerIsNo):
    """A model does not keep its limits; the report says which."""

    def __init__(self, broken: int, checked: int) -> None:
        is_one = checked == 1
        super().__init__(f"{broken} of {checked} {'limit is' if is_one else 'limits are'} not kept")


class Moved(AnswerIsNo):
    """A model is not what it was; the report says where."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)


class DoesNotFit(AnswerIsNo):
    """Not even a batch of one fits.

    `helps` are pairs: what to do, and the bytes it then takes; `also` is what may help, too.
    """

    def __init__(
        self,
        model: str,
        needed: int,
        limit: int,
        helps: Sequence[tuple[str, int]],
        also: Sequence[str] = (),
    ) -> None:
        tried = [
            f"{what} takes {less:,} bytes{', which fits' if less <= limit else ''}"
            for what, less in helps
        ]
        super().__init__(
            f"{model} does not fit: a batch of one needs {needed:,} bytes, "
            f"{needed - limit:,} more than the {limit:,} there are",
            "; ".join([*tried, *also]),
        )


class ExportMismatch(AnswerIsNo):
    """An exported file does not do what the model does; it was not kept.  `report` tells all."""

    def __init__(self, model: str, report: Any) -> None:
        at = report.mismatch
        where = f"first in {at.path} ({at.type})" if at else "in its outputs"
        error = at.max_rel_error if at else max(r.max_rel_error for r in report.verification)
        allowed = report.verification[0].tolerance
        differs = f"differs {where} by {error:.2g} of the largest element; {allowed:g} is allowed"
        if error == float("inf"):
            differs = "fails, or gives other shapes or what is no number"
        super().__init__(
            f"the file does not do what {model} does: it {differs}",
            "the file was not kept; --no-verify writes it as it is"
            if report.exporter == "dynamo"
            else "the file was not kept; this exporter fixes whatever depends on data",
        )
        self.report = report
