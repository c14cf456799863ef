"""Makes foreign text harmless, and spells a page for encodings without box characters."""

from __future__ import annotations

import codecs
import html
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

from cnninspect.page.page import Page

BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
"""Letters and marks that show nothing, though their category says that they do.

Source: Default_Ignorable_Code_Point in DerivedCoreProperties.txt of Unicode, and the empty Braille
pattern.
"""
COMMANDS = re.compile(r"^\s*:(?=:)|(?<=#)#(?=[a-z]*\[)", re.IGNORECASE)
"""What logs take for a command: `::` first in a line (GitHub), `##[` and `##vso[` anywhere (Azure),
`##teamcity[`."""

MARKDOWN_ACTIVE = re.compile(r"""[^\w\s.,:;/()+=%@?'"\u0080-\uffff-]""")
"""What Markdown or HTML may act on wherever it stands: ASCII punctuation but for the harmless."""
MARKDOWN_EDGE = re.compile(r"(?<![^\W_])_|_(?![^\W_])|(?<!\w)@|:(?=//)|(?<=www)\.")
"""What it acts on in places: emphasis around a word, a mention of a user, a bare address."""
CODE_SAFE = re.compile(r"[\w.,:;/()+=%@×·–-]([\w.,:;/()+=%@×·– -]*[\w.,:;/()+=%@×·–-])?")
FORMULA_STARTS = tuple("=+-@＝＋－＠")
LATER_FORMULA = re.compile(r";(\s*)([=+@＝＋－＠-])")


def visible(text: str) -> str:
    r"""Text that prints as itself, on one line, and that no log takes for a command.

    Controls, line breaks, hidden marks and spaces that are none become `\x1b`, `\u200b` and such.
    """
    if not is_plain(text):
        text = text.translate(ESCAPES)
    if "::" in text or "##" in text:
        return COMMANDS.sub(lambda match: _escaped_last(match.group()), text)
    return text


def is_plain(text: str) -> bool:
    """Whether every sign shows: neither a control, a mark of format, half a sign nor a blank.

    By its Unicode category (Cc, Cf, Cs, Co, Cn, Zl, Zp, and Zs but for the space), of which new
    ones need no change here, and those of `BLANK`.
    """
    return text.isprintable() and (text.isascii() or not BLANK.search(text))


class _Escapes(dict[int, str]):
    """What stands for each sign, by its number: itself if it is plain."""

    def __init__(self, escape: Callable[[int], str]) -> None:
        super().__init__()
        self._escape = escape

    def __missing__(self, code: int) -> str:
        self[code] = chr(code) if is_plain(chr(code)) else self._escape(code)
        return self[code]


def _escape(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(code: int) -> str:
    if code == ord("\n"):  # between values only
        return "\n"
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000  # two halves, as JSON writes what is beyond the first 65,536
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


ESCAPES, JSON_ESCAPES = _Escapes(_escape), _Escapes(_json_escape)


def uncommanded(line: str) -> str:
    """A line that is ready to print, and that no log takes for a command."""
    return COMMANDS.sub(lambda match: _escaped_last(match.group()), line)


def _escaped_last(text: str) -> str:
    return text[:-1] + _escape(ord(text[-1]))


def markdown_text(text: str) -> str:
    """Text that Markdown and HTML show as it stands, in a table or out of it."""
    text = MARKDOWN_ACTIVE.sub(lambda match: _entity(match.group()), visible(text))
    return MARKDOWN_EDGE.sub(lambda match: _entity(match.group()), text)


def _entity(character: str) -> str:
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(character, f"&#{ord(character)};")


def markdown_code(text: str) -> str:
    """A name set as code: in backticks, or in an HTML tag where it holds what backticks cannot."""
    if not text:
        return ""
    if CODE_SAFE.fullmatch(text) and visible(text) == text:
        return f"`{text}`"
    return f"<code>{markdown_text(text)}</code>"


def html_text(text: str) -> str:
    """Text for an HTML element or a quoted attribute."""
    return html.escape(visible(text), quote=True)


def csv_text(text: str) -> str:
    """Text that a spreadsheet takes for text: an apostrophe before what it would calculate.

    Some split cells at semicolons, so what follows one is looked at, too.
    """
    text = LATER_FORMULA.sub(r";\1'\2", visible(text)) if ";" in text else visible(text)
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) else text


def json_text(encoded: str) -> str:
    """JSON in which what a terminal might act on is written in JSON's own escapes.

    Such characters occur inside strings only, so the data stay the same.
    """
    encoded = encoded.translate(JSON_ESCAPES)
    return encoded.replace("##", "#\\u0023") if "##" in encoded else encoded


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
