"""Foreign text made harmless for the place it goes to.

Names, types and notes come from models and files that anybody may have written.  Each function
first makes invisible characters visible, then takes away what its medium would act on.
"""

from __future__ import annotations

import html
import re

UNSAFE = re.compile(
    "["
    "\x00-\x1f\x7f-\x9f"  # controls: escape sequences, line breaks, terminal commands
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # zero width, line breaks, direction
    "\ud800-\udfff"  # halves of characters, which no encoding takes
    "]"
)

MARKDOWN_ACTIVE = re.compile(r"""[^\w\s.,:;/()+=%@?'"\u0080-\uffff-]""")
"""What Markdown or HTML may act on wherever it stands: ASCII punctuation but for the harmless."""
MARKDOWN_EDGE = re.compile(r"(?<![^\W_])_|_(?![^\W_])|(?<!\w)@|:(?=//)|(?<=www)\.")
"""What it acts on in places: emphasis around a word, a mention of a person, a bare address."""
CODE_SAFE = re.compile(r"[\w.,:;/()+=%@×·–-]([\w.,:;/()+=%@×·– -]*[\w.,:;/()+=%@×·–-])?")
FORMULA_STARTS = tuple("=+-@＝＋－＠")


def visible(text: str) -> str:
    r"""Text that prints as itself: controls, line breaks, hidden marks become `\x1b` and such."""
    return UNSAFE.sub(lambda match: _escape(ord(match.group())), text)


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


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
    if CODE_SAFE.fullmatch(text) and not UNSAFE.search(text):
        return f"`{text}`"
    return f"<code>{markdown_text(text)}</code>"


def html_text(text: str) -> str:
    """Text for an HTML element or a quoted attribute."""
    return html.escape(visible(text), quote=True)


def csv_text(text: str) -> str:
    """Text that a spreadsheet takes for text: an apostrophe before what it would calculate."""
    text = visible(text)
    return f"'{text}" if text.lstrip().startswith(FORMULA_STARTS) else text


def json_text(encoded: str) -> str:
    """JSON in which what a terminal might act on is written in JSON's own escapes.

    Such characters occur inside strings only, so the data stay the same.
    """
    return UNSAFE.sub(
        lambda match: match.group() if match.group() == "\n" else f"\\u{ord(match.group()):04x}",
        encoded,
    )
