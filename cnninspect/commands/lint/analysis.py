"""From a trace to what is wrong with the network."""

from __future__ import annotations

from collections.abc import Sequence

from cnninspect.commands.lint.network import TracedNetwork
from cnninspect.commands.lint.registry import Found, LintRule
from cnninspect.commands.lint.report import SEVERITIES, LintedModel, LintFinding
from cnninspect.errors import ShapeMismatch
from cnninspect.records.models import ModelInfo


def findings_of(net: TracedNetwork, rules: Sequence[LintRule]) -> tuple[LintFinding, ...]:
    """What these rules find, the worst first, and by rule in their order."""
    found = [
        finding_of(each, item, net.trace.model.reference)
        for each in rules
        for item in each.check(net)
    ]
    return tuple(sorted(found, key=lambda finding: SEVERITIES.index(finding.severity)))


def finding_of(rule: LintRule, found: Found, model: str) -> LintFinding:
    """What a rule has found, with what the rule says of itself where the find says nothing."""
    return LintFinding(
        rule=rule.id,
        name=rule.name,
        severity=found.severity or rule.severity,
        certainty=found.certainty or rule.certainty,
        model=model,
        layers=found.layers,
        message=found.message,
        mend=found.mend or rule.card().mend,
        saving=found.saving,
    )


def mismatch_found(problem: ShapeMismatch, rule: LintRule, model: ModelInfo) -> LintFinding:
    """A layer that does not take the shape that it gets, as what the rule for heads has found."""
    layer, kind = problem.layer, problem.layer_type
    message = f"{layer or 'The model'} ({kind}) gets {problem.got} and wants {problem.wanted}."
    return finding_of(rule, Found((layer,) if layer else (), message), model.reference)


def linted(net: TracedNetwork, notes: Sequence[str] = ()) -> LintedModel:
    """The model that was looked at."""
    return LintedModel(
        model=net.trace.model,
        inputs=net.trace.inputs,
        mode=net.trace.mode,
        parameters=net.parameter_count,
        macs=net.macs,
        notes=(*net.trace.how.notes, *notes),
    )
