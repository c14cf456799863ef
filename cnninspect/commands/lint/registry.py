"""What a rule is, which rules there are, and which of them are asked.

A rule is a function that is given a `TracedNetwork` and yields a `Found` for each thing that is
wrong.  Its docstring is its documentation: a sentence that says what it finds, then paragraphs that
begin with `Why:`, `Source:`, `Example:` and `Mend:`.  Other packages add rules by an entry point of
the group `cnninspect.lint_rules` whose value is such a function with `@rule(…)` above it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from cnninspect.commands.lint.report import CERTAINTIES, SEVERITIES, RuleCard, Saving
from cnninspect.errors import UnknownChoice

if TYPE_CHECKING:
    from cnninspect.commands.lint.network import TracedNetwork

GROUPS = {
    "W": "waste",
    "S": "signal",
    "T": "training",
    "P": "speed",
    "D": "deploy",
    "F": "transfer",
}
"""What the first letter of an id stands for; the rules of `waste` are in `waste_rules.py`."""
ENTRY_POINTS = "cnninspect.lint_rules"
ID = re.compile(r"[A-Z]{1,5}[0-9]{3}")
SECTIONS = ("Why", "Source", "Example", "Mend")


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is wrong, as a rule yields it."""

    layers: tuple[str, ...]
    """Paths of the layers that it is about; empty for the network as a whole."""
    message: str
    """What is wrong, in whole sentences with the figures."""
    mend: str = ""
    """What to do about it here; empty: what the rule's docstring says."""
    saving: Saving = field(default_factory=Saving)
    severity: str = ""
    """Empty: the rule's own."""
    certainty: str = ""
    """Empty: the rule's own."""


Check = Callable[["TracedNetwork"], Iterator[Found]]


@dataclass(frozen=True, slots=True)
class LintRule:
    """Something to look for."""

    id: str
    check: Check
    severity: str
    certainty: str
    preview: bool = False
    group: str = ""

    @property
    def name(self) -> str:
        """What it is called: the function's name with hyphens."""
        return self.check.__name__.replace("_", "-")

    def card(self) -> RuleCard:
        """The rule in words, from its docstring."""
        what, sections = _taken_apart(inspect.getdoc(self.check) or "")
        return RuleCard(
            rule=self.id,
            name=self.name,
            group=self.group or GROUPS.get(self.id[0], "others"),
            severity=self.severity,
            certainty=self.certainty,
            preview=self.preview,
            what=what,
            why=sections.get("Why", ""),
            source=sections.get("Source", ""),
            example=sections.get("Example", ""),
            mend=sections.get("Mend", ""),
        )


def rule(
    id: str,  # noqa: A002
    *,
    severity: str = "warning",
    certainty: str = "certain",
    preview: bool = False,
    group: str = "",
) -> Callable[[Check], LintRule]:
    """Makes a rule of the function under it.

    Raises:
        ValueError: the id, the severity or the certainty is none.
    """
    if not ID.fullmatch(id):
        raise ValueError(f"{id!r} is no id of a rule: letters and three digits, such as W001")
    if severity not in SEVERITIES or certainty not in CERTAINTIES:
        raise ValueError(f"{id} is neither {severity!r} nor {certainty!r}")

    def made(check: Check) -> LintRule:
        return LintRule(id, check, severity, certainty, preview, group)

    return made


@cache
def all_rules() -> tuple[LintRule, ...]:
    """Every rule, those of other packages last.

    Raises:
        ValueError: two have the same id.
        Exception: a package offers a rule that cannot be loaded.
    """
    found: list[LintRule] = []
    for group in GROUPS.values():
        module = import_module(f"cnninspect.commands.lint.{group}_rules")
        found += [value for value in vars(module).values() if isinstance(value, LintRule)]
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        loaded = entry.load()
        if not isinstance(loaded, LintRule):
            raise TypeError(f"{entry.value} is no rule: @rule(…) makes one of a function")
        found.append(loaded)
    ids = [each.id for each in found]
    if len(set(ids)) < len(ids):
        twice = next(each for each in ids if ids.count(each) > 1)
        raise ValueError(f"two rules are called {twice}")
    return tuple(found)


def chosen_rules(
    select: Sequence[str] = (), ignore: Sequence[str] = (), *, preview: bool = False
) -> tuple[LintRule, ...]:
    """The rules that are asked: those selected, else all but those in preview, less those ignored.

    A choice is an id, its beginning (`W`), a name, a pattern (`*-norm`), or a group (`waste`);
    `all` stands for every rule.

    Raises:
        UnknownChoice: a choice stands for no rule.
    """
    chosen = [r for r in all_rules() if not select or _is_meant(r, select)]
    if not preview:
        chosen = [r for r in chosen if not r.preview or _is_named(r, select)]
    for option, choices in (("--select", select), ("--ignore", ignore)):
        for choice in choices:
            if not any(_is_meant(r, (choice,)) for r in all_rules()):
                raise UnknownChoice(option, choice, _choices())
    return tuple(r for r in chosen if not _is_meant(r, ignore))


def rules_called(name: str) -> tuple[LintRule, ...]:
    """The rules that a choice stands for, as `--explain` shows them.

    Raises:
        UnknownChoice: there is none.
    """
    found = tuple(r for r in all_rules() if _is_meant(r, (name,)))
    if not found:
        raise UnknownChoice("--explain", name, _choices())
    return found


def _choices() -> tuple[str, ...]:
    rules = all_rules()
    groups = dict.fromkeys(GROUPS.values())
    return (*(r.id for r in rules), *(r.name for r in rules), *groups, "all")


def _is_meant(rule: LintRule, choices: Iterable[str]) -> bool:
    return any(
        choice == "all"
        or (choice != "" and rule.id.startswith(choice.upper()))
        or choice == (rule.group or GROUPS.get(rule.id[0]))
        or fnmatchcase(rule.name, choice)
        for choice in choices
    )


def _is_named(rule: LintRule, choices: Iterable[str]) -> bool:
    """Whether a rule is chosen by itself, not with its group."""
    return any(choice in (rule.id, rule.name) for choice in choices)


def _taken_apart(text: str) -> tuple[str, dict[str, str]]:
    """What a docstring says first, and the paragraphs that its headings begin."""
    sections: dict[str, str] = {}
    opening = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        heading, colon, rest = paragraph.partition(":")
        if colon and heading in SECTIONS:
            keeps_lines = heading == "Example"
            sections[heading] = inspect.cleandoc(rest) if keeps_lines else " ".join(rest.split())
        else:
            opening.append(" ".join(paragraph.split()))
    return " ".join(opening), sections
