"""How a `LintReport` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.commands.lint.registry import all_rules
from cnninspect.commands.lint.report import LintedModel, LintFinding, LintReport, RuleCard, Saving
from cnninspect.page import ci_formats
from cnninspect.page.ci_formats import Case, Problem, SarifRule, annotation
from cnninspect.page.footers import tensors_text
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.model_table import failures
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Notice, Page, Style, Table
from cnninspect.page.quantities import count, plural, scaled, scaled_time

COLUMNS = (Column("", Kind.SHAPE, "severity"), Column("rule"), Column("finding", Kind.PROSE))
STYLES = {"error": Style.BAD, "warning": Style.WARNING, "info": Style.FAINT}
CSV_FIELDS = (
    "model", "rule", "name", "severity", "certainty", "layers", "message", "mend",
    "parameters_saved", "macs_saved", "bytes_saved", "seconds_saved",
)  # fmt: skip


def page(report: LintReport, view: View) -> Page:
    """What is wrong with each network, the worst first, with what to do and what that saves."""
    blocks: list[Block] = []
    for model in report.models:
        found = [f for f in report.findings if f.model == model.model.reference]
        title = model.model.reference if len(report.models) > 1 else ""
        if found:
            rows = tuple(_row(finding, human=view.human) for finding in found)
            blocks.append(Table(COLUMNS, rows, title=title))
        elif len(report.models) > 1:
            blocks.append(Notice(f"{title}: nothing found"))
    blocks += failures(report.failed)
    facts = tuple(_facts(report))
    if facts:
        blocks.append(Facts(facts))
    return Page(_names(report.models), _about(report), tuple(blocks))


def _names(models: Sequence[LintedModel]) -> str:
    shown = [model.model.name for model in models[:4]]
    return ", ".join(shown) + (f" and {len(models) - 4:,} more" if len(models) > 4 else "")


def _about(report: LintReport) -> str:
    parts = [counted_text(report)]
    if len(report.models) == 1:
        model = report.models[0]
        reference = model.model.reference
        parts = [*([reference] if reference != model.model.name else []), *parts]
    return " · ".join(parts)


def counted_text(report: LintReport) -> str:
    """`2 warnings, 3 remarks`."""
    nouns = {"error": "error", "warning": "warning", "info": "remark"}
    found = [plural(n, nouns[name]) for name, n in report.counted().items() if n]
    return ", ".join(found) or f"nothing found by {plural(len(report.rules), 'rule')}"


def _row(finding: LintFinding, *, human: bool) -> tuple[Cell, ...]:
    ink = STYLES[finding.severity]
    lines = [f"{finding.name}: {finding.message}", f"Mend: {finding.mend}"]
    saved = saving_text(finding.saving, human=human)
    if saved:
        lines.append(f"Saves: {saved}.")
    if finding.certainty != "certain":
        lines.append(f"How sure: {finding.certainty}.")
    return (
        Cell(finding.severity, ink),
        Cell(finding.rule, Style.ACCENT),
        Cell("\n".join(lines)),
    )


def saving_text(saving: Saving, *, human: bool = False) -> str:
    """What mending saves: `64 parameters, 1,024 MACs, 256 B`."""
    parts = []
    if saving.parameters:
        parts.append(f"{count(saving.parameters, human=human)} parameters")
    if saving.bytes:
        parts.append(scaled(saving.bytes, "B"))
    if saving.macs:
        parts.append(f"{count(saving.macs, human=human)} MACs")
    if saving.seconds:
        parts.append(f"{scaled_time(saving.seconds)} of the least time")
    return ", ".join(parts)


def _facts(report: LintReport) -> Iterator[Fact]:
    if len(report.models) == 1:
        model = report.models[0]
        inputs = tensors_text(model.inputs)
        yield Fact("input", f"{inputs} · {model.mode}" if inputs else model.mode)
    if any(f.saving.seconds for f in report.findings):
        yield Fact("least times", f"on {report.device}")
    notes = dict.fromkeys(note for model in report.models for note in model.notes)
    yield from (Fact("note", note) for note in notes)
    if report.findings:
        rule = report.findings[0].rule
        yield Fact("more", f"cnninspect lint --explain {rule} says why, and who found out")


def rows(
    report: LintReport,
    view: View,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each finding."""
    return CSV_FIELDS, (
        (
            f.model, f.rule, f.name, f.severity, f.certainty, " ".join(f.layers), f.message, f.mend,
            f.saving.parameters, f.saving.macs, f.saving.bytes, f.saving.seconds,
        )
        for f in report.findings
    )  # fmt: skip


# --- for continuous integration ---

TITLE = "cnninspect lint"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
KINDS = {"error": "error", "warning": "warning", "info": "notice"}
UNMEASURED = "unmeasured"
"""The rule of models that could not be traced."""


def sentence(finding: LintFinding) -> str:
    """A finding in sentences: what is wrong, what to do, what that saves."""
    saved = saving_text(finding.saving)
    about = f"{finding.name}: {finding.message} {finding.mend}"
    return f"{about} Saves {saved}." if saved else about


def write_annotations(report: LintReport) -> str:
    """One line for each finding, else one that says that there is none."""
    places = _places(report)
    lines = []
    for finding in report.findings:
        file, line = places[finding.model]
        text = f"{finding.model}: {finding.rule} {sentence(finding)}"
        lines.append(annotation(KINDS[finding.severity], text, title=TITLE, file=file, line=line))
    lines += [
        annotation("error", f"{x.reference}: {x.error}", title=TITLE, file=report.budget)
        for x in report.failed
    ]
    if not lines:
        lines = [annotation("notice", counted_text(report), title=TITLE, file=report.budget)]
    return "".join(f"{line}\n" for line in lines)


def write_junit(report: LintReport) -> str:
    """The report as a document with a suite for each model and a case for each rule.

    Remarks are no failures.
    """
    suites = []
    for model in report.models:
        found = [f for f in report.findings if f.model == model.model.reference]
        cases = []
        for rule in report.rules:
            bad = [f for f in found if f.rule == rule and f.severity != "info"]
            text = " ".join(sentence(f) for f in bad)
            cases.append(Case(rule, bad[0].severity, text) if bad else Case(rule))
        suites.append((model.model.reference, cases))
    failed = [
        (x.reference, [Case("traced", x.kind, x.error, is_error=True)]) for x in report.failed
    ]
    return ci_formats.write_junit(TITLE, [*suites, *failed])


def write_sarif(report: LintReport) -> str:
    """The report as a log with one run."""
    places = _places(report)
    cards = {rule.id: rule.card() for rule in all_rules()}
    rules = [_sarif_rule(cards[name]) for name in report.rules if name in cards]
    if report.failed:
        rules.append(SarifRule(UNMEASURED, "the model could not be traced"))
    problems = [
        Problem(
            rule=f.rule,
            text=f"{f.model}: {sentence(f)}",
            model=f.model,
            fingerprint=f"{f.model} {f.rule} {' '.join(f.layers)}",
            level=LEVELS[f.severity],
            layers=f.layers,
            file=places[f.model][0],
            line=places[f.model][1],
        )
        for f in report.findings
    ]
    problems += [
        Problem(
            rule=UNMEASURED,
            text=f"{x.reference}: {x.error}",
            model=x.reference,
            fingerprint=f"{x.reference} {UNMEASURED}",
            file=report.budget,
        )
        for x in report.failed
    ]
    return ci_formats.write_sarif(rules, problems, fingerprints="finding/v1")


def _sarif_rule(card: RuleCard) -> SarifRule:
    full = " ".join(part for part in (card.why, f"Source: {card.source}") if part)
    return SarifRule(card.rule, card.what, name=card.name, full=full, help=card.mend)


def _places(report: LintReport) -> dict[str, tuple[str | None, int | None]]:
    """Where to show what is wrong with each model: its own code, else the budget file."""
    return {
        model.model.reference: (model.file, model.line)
        if model.file is not None
        else (report.budget, report.budget_line)
        for model in report.models
    }


RENDERER = Renderer(
    view=View,
    page=page,
    rows=rows,
    writers={
        "junit": lambda report, _: write_junit(report),
        "sarif": lambda report, _: write_sarif(report),
        "github": lambda report, _: write_annotations(report),
    },
)
