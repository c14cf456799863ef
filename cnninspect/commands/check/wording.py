"""A checked limit in words and numbers."""

from __future__ import annotations

from cnninspect.commands.check.report import CheckedLimit
from cnninspect.page.quantities import count, share

SIGNS = {"max": "≤", "min": "≥"}
"""By the first word of a limit's name."""


def subject_text(limit: CheckedLimit) -> str:
    """What is limited: `MACs of layer4.*`; a share with what was written: `parameters, 60%`."""
    of_layers = f" of {limit.layers}" if limit.layers else ""
    share = f", {limit.text}" if limit.text.endswith("%") and limit.unit != "%" else ""
    return f"{limit.subject}{of_layers}{share}"


def limit_text(limit: CheckedLimit, *, human: bool = False) -> str:
    """What is allowed: `≤ 4,000,000,000`, `none`."""
    if limit.name in ("forbid", "locked"):
        return limit.text
    return f"{SIGNS[limit.name[:3]]} {number_text(limit.limit, limit, human=human)}"


def value_text(limit: CheckedLimit, *, human: bool = False) -> str:
    """What there is: `3,663,761,408`."""
    if limit.name == "locked":
        return "as locked" if limit.ok else "moved"
    return number_text(limit.value, limit, human=human)


def used_text(limit: CheckedLimit) -> str:
    """How much of what is allowed at most is used: `99.1 %`."""
    if not limit.name.startswith("max") or limit.limit <= 0:
        return ""
    return f"{share(limit.value, limit.limit) or '0'} %"


def number_text(value: float, limit: CheckedLimit, *, human: bool = False) -> str:
    """A number in the limit's unit."""
    if limit.unit == "%":
        return f"{value:.1f} %" if value in (0, 100) or 0.05 <= value < 99.95 else f"{value:.4f} %"
    return count(int(value), human=human, unit="B" if limit.unit == "bytes" else "")


def sentence(limit: CheckedLimit) -> str:
    """The limit as one sentence: `MACs: 3,663,761,408, allowed ≤ 3,000,000,000 (3G)`."""
    is_told = limit.text in limit_text(limit) + subject_text(limit)
    typed = "" if is_told else f" ({limit.text})"
    why = f"; {limit.reason}" if limit.reason else ""
    return f"{subject_text(limit)}: {value_text(limit)}, allowed {limit_text(limit)}{typed}{why}"


def rule_of(limit: CheckedLimit) -> str:
    """A name that no other limit of the model has.

    `max_macs`, `max_macs:layer4.*`, `forbid:Dropout*`, `max_growth:parameters`.
    """
    of_what = limit.layers
    if limit.name == "forbid":
        of_what = limit.subject.removeprefix("layers of type ")
    elif limit.name == "max_growth":
        of_what = limit.subject.removesuffix(", growth")
    return f"{limit.name}:{of_what}" if of_what else limit.name
