"""How a `Difference` is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cnninspect.metrics.difference import Change, Difference, LayerFacts
from cnninspect.page.footers import lower_bounds
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Notice, Page, Style, Table
from cnninspect.page.quantities import ZERO, count, plural, shapes_text, share, sizes
from cnninspect.records.traces import parent_of

COLUMNS = (
    Column("", Kind.SHAPE, "sign"),
    Column("layer", Kind.PATH),
    Column("type", Kind.WORD, sacrifice=3),
    Column("weights", Kind.SHAPE, sacrifice=1),
    Column("output", Kind.SHAPE, sacrifice=2),
    Column("parameters", Kind.NUMBER),
    Column("MACs", Kind.NUMBER),
)
CSV_FIELDS = (
    "kind", "old_path", "new_path", "old_type", "new_type", "what", "layers", "parameters", "macs",
)  # fmt: skip
SIGNS = {"added": "+", "removed": "-", "renamed": "→", "changed": "~"}
INKS = {"+": Style.GOOD, "-": Style.BAD, "→": Style.ACCENT, "~": Style.WARNING}

REMARK = "- and + of one name: a layer that changed; →: renamed; a row counts all under its layer"

FOLDED = "×n: n layers that changed alike, counted together; --all shows each"


@dataclass(frozen=True, slots=True, kw_only=True)
class DifferenceView(View):
    """What to show of a difference, and how."""

    every: bool = False
    """Each renamed layer by itself, and layers that differ in nothing but their shapes and work."""


def page(report: Difference, view: DifferenceView) -> Page:
    """What came, went and changed, in the order of the network; then totals."""
    shown, reshaped = [], 0
    for change in report.changes:
        if not view.every and change.kind == "changed" and not _is_structural(change):
            reshaped += 1
        else:
            shown.append(change)
    blocks: list[Block] = []
    if shown:
        rows = tuple(_rows(shown, view))
        is_folded = any("×" in row[1].mark for row in rows)
        blocks.append(Table(COLUMNS, rows, remarks=(REMARK, FOLDED) if is_folded else (REMARK,)))
    if reshaped:
        others = (
            f"{plural(reshaped, 'layer')} of the same weights with another output or other MACs"
        )
        blocks.append(Notice(f"{others}; --all shows them"))
    if not report.changes:
        blocks.append(Notice("no difference", style=Style.GOOD))
    whole = (report.old, report.new)
    blocks += lower_bounds((side.model.name, side.uncounted) for side in whole)
    blocks.append(Facts(tuple(_totals(report, human=view.human))))
    return Page(f"{report.old.model.name} → {report.new.model.name}", blocks=tuple(blocks))


def _is_structural(change: Change) -> bool:
    return bool({"type", "tensors"} & set(change.what))


def _rows(changes: Sequence[Change], view: DifferenceView) -> Iterator[tuple[Cell, ...]]:
    told: set[tuple[str, str]] = set()
    times = Counter(() if view.every else map(_likeness, changes))
    folded: set[tuple[object, ...]] = set()
    for change in changes:
        likeness = _likeness(change)
        if times.get(likeness, 1) > 1 and change.kind != "renamed":
            if likeness not in folded:
                folded.add(likeness)
                yield from _change_rows(change, human=view.human, times=times[likeness])
            continue
        old, new = change.old, change.new
        if change.kind == "renamed" and old and new:
            family = (parent_of(old.path), parent_of(new.path))
            alike = [] if view.every or change.what else _renamed_alike(changes, family)
            if len(alike) > 1:
                if family not in told:
                    told.add(family)
                    yield _renamed_row(alike)
                continue
        yield from _change_rows(change, human=view.human)


def _likeness(change: Change) -> tuple[object, ...]:
    """What two changes have in common that one row may stand for, wherever their layers are."""
    sides = [
        (side.type, side.tensors, side.parameters, side.macs) if side else None
        for side in (change.old, change.new)
    ]
    return (change.kind, change.what, change.layers, change.parameters, change.macs, *sides)


def _renamed_alike(changes: Sequence[Change], family: tuple[str, str]) -> list[Change]:
    """The layers that went from one parent to another and are otherwise as they were."""
    return [
        c
        for c in changes
        if c.kind == "renamed" and c.old and c.new and not c.what
        and (parent_of(c.old.path), parent_of(c.new.path)) == family
    ]  # fmt: skip


def _renamed_row(alike: Sequence[Change]) -> tuple[Cell, ...]:
    """The first of them, and how many there are: `features.1 → features.2  ×30`."""
    first = alike[0]
    assert first.old is not None
    assert first.new is not None
    text = f"{first.old.path} → {first.new.path}"
    mark = f"  ×{len(alike)}"
    return _row("→", Cell(text, Style.ACCENT, mark=mark), None)


def _change_rows(change: Change, *, human: bool, times: int = 1) -> Iterator[tuple[Cell, ...]]:
    """The rows of a change, which stands for so many like it."""
    old, new = change.old, change.new
    like_it = f"  ×{times}" if times > 1 else ""
    if times > 1:  # they are in different places, and of different sizes
        old, new = (side and replace(side, output_shapes=()) for side in (old, new))
    if change.kind in ("added", "removed"):
        sign = SIGNS[change.kind]
        facts = new or old
        assert facts is not None
        mark = f"  +{plural(change.layers - 1, 'layer')}" if change.layers > 1 else ""
        name = Cell(facts.path, INKS[sign], mark=mark + like_it)
        counts = (times * change.parameters, times * change.macs)
        yield _row(sign, name, facts, counts, human=human)
    elif old and new:
        if change.kind == "renamed":
            mark = f"  {plural(change.layers, 'layer')}" if change.layers > 1 else ""
            yield _row("→", Cell(f"{old.path} → {new.path}", Style.ACCENT, mark=mark), None)
        if change.what:
            for sign, facts in (("-", old), ("+", new)):
                counts = (times * facts.parameters, times * facts.macs)
                name = Cell(facts.path or "the model itself", INKS[sign], mark=like_it)
                yield _row(sign, name, facts, counts, human=human, is_signed=False)


def _row(
    sign: str,
    name: Cell,
    facts: LayerFacts | None,
    counts: tuple[int, int] = (0, 0),
    *,
    human: bool = False,
    is_signed: bool = True,
) -> tuple[Cell, ...]:
    ink = INKS[sign]
    write = signed if is_signed else count
    weights = next((t.shape for t in facts.tensors), None) if facts else None
    return (
        Cell(sign, ink),
        name,
        Cell(facts.type if facts else "", ink),
        Cell(sizes(weights), ink),
        Cell(shapes_text(facts.output_shapes) if facts else "", ink),
        *(
            Cell(write(value, human=human), ink) if value else Cell(ZERO if facts else "", ink)
            for value in counts
        ),
    )


def signed(value: int, *, human: bool = False) -> str:
    """A number with its sign: `+1,024`.

    >>> signed(1024), signed(-3)
    ('+1,024', '-3')
    """
    return f"{'+' if value > 0 else ''}{count(value, human=human)}"


def changed_text(old: int, new: int, *, human: bool) -> str:
    """`11,689,512 → 21,797,672 (+10,108,160, +86.5 %)`, or the one number where it is the same."""
    if old == new:
        return count(new, human=human)
    percent = share(abs(new - old), old)
    sign = "+" if new > old else "-"
    relative = f", {sign}{percent} %".replace(f"{sign}<", "under ") if percent else ""
    difference = signed(new - old, human=human)
    return f"{count(old, human=human)} → {count(new, human=human)} ({difference}{relative})"


def _totals(report: Difference, *, human: bool) -> Iterator[Fact]:
    sides = (report.old, report.new)
    yield Fact("layers", changed_text(*(side.layers for side in sides), human=human))
    yield Fact("parameters", changed_text(*(side.parameters for side in sides), human=human))
    if any(side.uncounted for side in sides):  # how much they differ by, nobody knows
        bounds = [f"{'≥ ' if s.uncounted else ''}{count(s.macs, human=human)}" for s in sides]
        yield Fact("MACs", " → ".join(bounds))
    else:
        yield Fact("MACs", changed_text(*(side.macs for side in sides), human=human))
    yield Fact("the same", plural(max(report.same - 1, 0), "layer"))
    for side in dict.fromkeys(sides):
        yield from (Fact("note", f"{side.model.name}: {note}") for note in side.notes)


def rows(
    report: Difference,
    view: DifferenceView,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each change."""
    return CSV_FIELDS, (
        (
            c.kind,
            c.old.path if c.old else None,
            c.new.path if c.new else None,
            c.old.type if c.old else None,
            c.new.type if c.new else None,
            " ".join(c.what),
            c.layers,
            c.parameters,
            c.macs,
        )
        for c in report.changes
    )


RENDERER = Renderer(view=DifferenceView, page=page, rows=rows)
