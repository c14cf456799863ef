"""Small faults that can be planted in a file: what each changes, and where.

A mutant replaces one piece of text, so the rest of the file, comments and line numbers stay.  It is
known by its content (function, line, what the line becomes) and not by a line number, so that what
is written down about it holds while code moves.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

COMPARISONS = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="), ast.Is: ("is", "is not"),
    ast.IsNot: (r"is\s+not", "is"), ast.In: ("in", "not in"), ast.NotIn: (r"not\s+in", "in"),
}  # fmt: skip
ARITHMETIC = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "//"), ast.FloorDiv: ("//", "*"),
    ast.Div: ("/", "*"), ast.Mod: ("%", "//"), ast.Pow: ("**", "*"),
}  # fmt: skip
CONNECTIVES = {ast.And: ("and", "or"), ast.Or: ("or", "and")}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault: `source[start:end]` (bytes) becomes `new`."""

    path: str
    """The file, below the root of the checkout."""
    function: str
    """Classes and functions around it, joined by dots; empty at the level of the module."""
    statement: int
    """The line on which the innermost statement around it begins."""
    line: int
    operator: str
    start: int
    end: int
    new: str
    was: str
    """The line (or lines) that change, joined and stripped."""
    becomes: str

    @property
    def name(self) -> str:
        """What it is known by, whichever file and line it stands in."""
        return f"{self.function}: {self.was} → {self.becomes}"

    def rank(self, seed: int) -> str:
        """Its place in the order of samples: by content, so that edits elsewhere change no draw."""
        return hashlib.sha256(f"{seed} {self.name}".encode()).hexdigest()

    def apply(self, source: bytes) -> bytes:
        """The file with the fault."""
        return source[: self.start] + self.new.encode() + source[self.end :]


def mutants_of(source: bytes, path: str) -> list[Mutant]:
    """Every fault of this module's kinds, in the order of the file; all of them can be compiled."""
    tree = ast.parse(source)
    text = _Text(source)
    found = []
    for place, node in _places(tree):
        for operator, start, end, new in _changes(node, place, text):
            mutant = _mutant(text, path, place, operator, (start, end, new))
            if mutant is not None:
                found.append(mutant)
    return sorted(found, key=lambda mutant: (mutant.start, mutant.end, mutant.new))


def is_valid(mutant: Mutant, source: bytes) -> bool:
    """Whether the file with the fault can be compiled, and says something else than before."""
    try:
        changed = ast.parse(mutant.apply(source))
    except SyntaxError:
        return False
    return ast.dump(changed) != ast.dump(ast.parse(source))


class _Text:
    """A source by lines and bytes, as the positions of nodes are given."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))

    def span(self, node: ast.expr | ast.stmt | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        start = self.starts[node.lineno - 1] + node.col_offset
        return start, self.starts[node.end_lineno - 1] + node.end_col_offset

    def lines(self, start: int, end: int) -> tuple[int, int]:
        """From the start of the first line of a span to the end of its last."""
        newline = self.source.find(b"\n", end)
        return self.source.rfind(b"\n", 0, start) + 1, len(self.source) if newline < 0 else newline

    def number(self, position: int) -> int:
        return self.source.count(b"\n", 0, position) + 1


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands."""

    function: str
    statement: int
    returns: str
    """What the function says that it returns."""
    restores: bool
    """Whether the statement puts something back: in `finally`, in `__exit__`, after a `yield`."""


def _places(tree: ast.Module) -> Iterator[tuple[_Place, ast.AST]]:
    """Every node that runs, with its place: no annotations, docstrings, or what is for checkers."""
    yield from _below(tree, _Place("", 1, "", restores=False))


def _below(node: ast.AST, place: _Place) -> Iterator[tuple[_Place, ast.AST]]:
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "type_params"):
            continue
        values = value if isinstance(value, list) else [value]
        restores = place.restores or (isinstance(node, ast.Try) and field == "finalbody")
        for child in values:
            if not isinstance(child, ast.AST) or _is_silent(child):
                continue
            here = _Place(place.function, place.statement, place.returns, restores)
            if isinstance(child, ast.stmt):
                here = _Place(place.function, child.lineno, place.returns, restores)
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = f"{place.function}.{child.name}".strip(".")
                returns = "" if isinstance(child, ast.ClassDef) else _text(child.returns)
                here = _Place(name, child.lineno, returns, child.name == "__exit__")
            yield here, child
            yield from _below(child, here)
            if (
                field == "body"
                and isinstance(child, ast.Expr)
                and isinstance(child.value, ast.Yield)
            ):
                restores = True


def _is_silent(node: ast.AST) -> bool:
    """Whether it does nothing when the program runs."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True  # a docstring
    if isinstance(node, ast.If) and _text(node.test) == "TYPE_CHECKING":
        return True
    return isinstance(node, ast.Assign) and _text(node.targets[0]) == "__all__"


def _text(node: ast.AST | None) -> str:
    return ast.unparse(node) if node is not None else ""


def _changes(node: ast.AST, place: _Place, text: _Text) -> Iterator[tuple[str, int, int, str]]:
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        for left, sign, right in zip(sides, node.ops, sides[1:]):
            yield from _sign("comparison", text, (left, right), COMPARISONS[type(sign)])
    elif isinstance(node, ast.BinOp) and type(node.op) in ARITHMETIC:
        if not any(_is_text(side) for side in (node.left, node.right)):
            yield from _sign("arithmetic", text, (node.left, node.right), ARITHMETIC[type(node.op)])
    elif isinstance(node, ast.AugAssign) and type(node.op) in ARITHMETIC:
        old, new = ARITHMETIC[type(node.op)]
        sides = (node.target, node.value)
        yield from _sign("arithmetic", text, sides, (re.escape(old) + "=", new + "="), plain=True)
    elif isinstance(node, ast.BoolOp):
        for left, right in zip(node.values, node.values[1:]):
            yield from _sign("and, or", text, (left, right), CONNECTIVES[type(node.op)])
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        start, _ = text.span(node)
        yield "not", start, start + 3, ""
    elif isinstance(node, ast.Constant):
        yield from _constants(node, text)
    elif isinstance(node, ast.Return) and node.value is not None:
        yield from _returned(node.value, place, text)
    elif isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg is not None:
                yield from _without(keyword, text)
    elif isinstance(node, ast.Slice):
        for bound, by in ((node.lower, "+ 1"), (node.upper, "- 1")):
            if bound is not None and not isinstance(bound, ast.Constant):
                start, end = text.span(bound)
                yield "slice", start, end, f"({text.source[start:end].decode()}) {by}"
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "restoration" if place.restores else "statement", *text.span(node), "pass"
    elif isinstance(node, ast.Assign | ast.Delete) and place.restores:
        yield "restoration", *text.span(node), "pass"


def _sign(
    operator: str, text: _Text, sides: tuple[ast.expr, ast.expr], signs: tuple[str, str],
    *, plain: bool = False,
) -> Iterator[tuple[str, int, int, str]]:  # fmt: skip
    """The sign between two expressions, replaced."""
    old, new = signs
    start, end = text.span(sides[0])[1], text.span(sides[1])[0]
    between = text.source[start:end].decode()
    pattern = old if plain or "\\" in old else re.escape(old)
    found = re.search(rf"\b{pattern}\b" if old[0].isalpha() else pattern, between)
    if found is not None and "#" not in between:
        before = start + len(between[: found.start()].encode())
        yield operator, before, before + len(found[0].encode()), new


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _constants(node: ast.Constant, text: _Text) -> Iterator[tuple[str, int, int, str]]:
    start, end = text.span(node)
    if isinstance(node.value, bool):
        yield "boolean", start, end, str(not node.value)
    elif isinstance(node.value, int | float):
        yield "constant", start, end, repr(node.value + 1)
        yield (
            "constant",
            start,
            end,
            f"({node.value - 1!r})" if node.value < 1 else repr(node.value - 1),
        )


def _returned(value: ast.expr, place: _Place, text: _Text) -> Iterator[tuple[str, int, int, str]]:
    start, end = text.span(value)
    if place.returns == "bool":
        yield "returned", start, end, f"not ({text.source[start:end].decode()})"
    elif place.returns in ("int", "float"):
        yield "returned", start, end, "0"
    elif _text(value) != "None":
        yield "returned", start, end, "None"


def _without(keyword: ast.keyword, text: _Text) -> Iterator[tuple[str, int, int, str]]:
    """A call without this argument, and without one comma beside it."""
    start, end = text.span(keyword)
    after = re.match(rb"\s*,[ \t]*", text.source[end:])
    before = re.search(rb",\s*$", text.source[:start])
    if after:
        yield "keyword", start, end + after.end(), ""
    elif before:
        yield "keyword", before.start(), end, ""
    else:
        yield "keyword", start, end, ""


def _mutant(
    text: _Text, path: str, place: _Place, operator: str, change: tuple[int, int, str]
) -> Mutant | None:
    start, end, new = change
    first, last = text.lines(start, end)
    was = text.source[first:last].decode()
    becomes = (text.source[first:start] + new.encode() + text.source[end:last]).decode()
    was, becomes = " ".join(was.split()), " ".join(becomes.split())
    if was == becomes:
        return None
    return Mutant(
        path, place.function, place.statement, text.number(start), operator, start, end, new,
        was, becomes,
    )  # fmt: skip
