"""What stands in for characters that a place cannot take, as a terminal of ASCII or Latin-1."""

from __future__ import annotations

import codecs
import re
from dataclasses import fields, is_dataclass, replace
from typing import Any

from cnninspect.page.page import Page

SPELLINGS = {
    "×": "x",
    "·": "*",
    "²": "^2",
    "³": "^3",
    "−": "-",
    "–": "-",
    "—": "-",
    "…": "...",
    "→": "->",
    "↔": "<->",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "±": "+/-",
    "√": "sqrt ",
    "‖": "||",
    "∂": "d",
    "⌊": "floor(",
    "⌈": "ceil(",
    "⌋": ")",
    "⌉": ")",
    "µ": "u",
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "θ": "theta",
    "ξ": "xi",
    "π": "pi",
    "φ": "phi",
    "▶": ">",
    "▲": "^",
    "⚠": "!",
    "─": "-",
    "│": "|",
    "├": "|",
    "└": "`",
}
"""Character to what is written instead, where a place does not have it."""
SPELLINGS.update(dict.fromkeys("┬┴┼┤┐┌┘", "+"))
SPELLINGS.update(dict.fromkeys("█▉▊▋▌", "#"))
SPELLINGS.update(dict.fromkeys("▍▎▏", "-"))
DRAWN = {"…": "~"}
"""As `SPELLINGS`, for what is drawn into columns that have their width already."""
SEPARATOR = re.compile(" · ")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
POWER = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")


def takes_everything(encoding: str) -> bool:
    """Whether an encoding has every character there is."""
    return codecs.lookup(encoding).name.startswith("utf")


def spelled(text: str, encoding: str) -> str:
    """The text in characters that `encoding` has.

    >>> spelled("1×3×224 · 9/32·r⁴ ≤ 100", "ascii"), spelled("1×3 → 2", "latin-1")
    ('1x3x224, 9/32*r^4 <= 100', '1×3 -> 2')
    """
    if takes_everything(encoding) or _has(text, encoding):
        return text
    if not _has("·", encoding):
        text = SEPARATOR.sub(", ", text)
    text = POWER.sub(lambda run: _power(run.group(), encoding), text)
    text = "".join(x if _has(x, encoding) else SPELLINGS.get(x, x) for x in text)
    return text.encode(encoding, "replace").decode(encoding)


def drawn(text: str, encoding: str) -> str:
    """As `spelled`, for text that is laid out: each character by one."""
    if takes_everything(encoding) or _has(text, encoding):
        return text
    one_for_one = {x: by for x, by in (SPELLINGS | DRAWN).items() if len(by) == 1}
    text = "".join(x if _has(x, encoding) else one_for_one.get(x, x) for x in text)
    return text.encode(encoding, "replace").decode(encoding)


def spelled_page(page: Page, encoding: str) -> Page:
    """The page with every text `spelled`."""
    return page if takes_everything(encoding) else _spelled(page, encoding)


def _spelled(value: Any, encoding: str) -> Any:
    if isinstance(value, str):
        return spelled(value, encoding)
    if isinstance(value, tuple):
        return tuple(_spelled(item, encoding) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in fields(value)]
        return replace(value, **{name: _spelled(getattr(value, name), encoding) for name in names})
    return value


def _power(digits: str, encoding: str) -> str:
    return digits if _has(digits, encoding) else "^" + digits.translate(SUPERSCRIPTS)


def _has(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
