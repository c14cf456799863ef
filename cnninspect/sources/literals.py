"""Values as people write them: Python's literals, JSON's, sizes, and words without quotes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

WORDS = {
    "true": True, "false": False, "none": None, "null": None, "nan": float("nan"),
    "inf": float("inf"), "+inf": float("inf"), "-inf": float("-inf"),
    "infinity": float("inf"), "-infinity": float("-inf"),
}  # fmt: skip
"""Words that are no text, in any case."""
MOST_BRACKETS = 64
"""Brackets in brackets that are looked into."""

_SIZES = re.compile(r"\d{1,18}(x\d{1,18})+")
_QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.S)
_BARE = re.compile(r"[^,\[\](){}'\"]+")
_KEY = re.compile(r"[^,:\[\](){}'\"]+")
_CLOSING = {"[": "]", "(": ")", "{": "}"}


def literal(text: str) -> Any:
    """The value that a user means: a literal of Python or JSON, `3x4x6` as a tuple, else text.

    Words without quotes are text inside brackets, too.

    >>> literal("0.5"), literal("false"), literal("3x4x6x3"), literal("(1, 2)"), literal("silu")
    (0.5, False, (3, 4, 6, 3), (1, 2), 'silu')
    >>> literal('{"affine": true}'), literal("[relu, none]"), literal("(INSTANCE, {eps: 1e-5})")
    ({'affine': True}, ['relu', None], ('INSTANCE', {'eps': 1e-05}))
    """
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    if _SIZES.fullmatch(text):
        return tuple(int(size) for size in text.split("x"))
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    if text[:1] in _CLOSING:
        try:
            return _Reader(text).whole()
        except _Unreadable:
            pass
    return text


class _Unreadable(ValueError):
    """The text is not what its first bracket promises."""


class _Reader:
    """Reads brackets, quotes and words from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def whole(self) -> Any:
        """The value that the whole text is."""
        value = self._value(MOST_BRACKETS)
        if self._next():
            raise _Unreadable
        return value

    def _next(self) -> str:
        """The next sign that is not a space; empty at the end."""
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _Unreadable
        self.at = found.end()
        return found[0].strip()

    def _value(self, brackets: int) -> Any:
        sign = self._next()
        if sign in ("'", '"'):
            return literal(self._take(_QUOTED))
        if sign not in _CLOSING or not sign:
            return literal(self._take(_BARE))
        if not brackets:
            raise _Unreadable
        self.at += 1
        if sign == "{":
            return dict(self._items("}", lambda: self._pair(brackets - 1)))
        items, has_comma = self._items_and_comma(_CLOSING[sign], lambda: self._value(brackets - 1))
        if sign == "[":
            return items
        return tuple(items) if len(items) != 1 or has_comma else items[0]

    def _pair(self, brackets: int) -> tuple[Any, Any]:
        is_quoted = self._next() in ("'", '"')
        key = literal(self._take(_QUOTED)) if is_quoted else self._take(_KEY)
        if self._next() != ":":
            raise _Unreadable
        self.at += 1
        return key, self._value(brackets)

    def _items(self, closing: str, item: Callable[[], Any]) -> list[Any]:
        return self._items_and_comma(closing, item)[0]

    def _items_and_comma(self, closing: str, item: Callable[[], Any]) -> tuple[list[Any], bool]:
        """What stands up to the closing bracket, and whether a comma stands before that."""
        items: list[Any] = []
        has_comma = False
        while self._next() != closing:
            if items and not has_comma:
                raise _Unreadable
            items.append(item())
            has_comma = self._next() == ","
            self.at += has_comma
        self.at += 1
        return items, has_comma
