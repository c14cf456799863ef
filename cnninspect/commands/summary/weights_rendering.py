"""How a `Checkpoint` is written: the tensors of a file of weights, by module."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from cnninspect.page.formats import Field, Renderer
from cnninspect.page.layer_tree import TABLE_LEVEL, TreeView, natural
from cnninspect.page.page import (
    Block,
    Cell,
    Column,
    Fact,
    Facts,
    Kind,
    Notice,
    Page,
    Style,
    Table,
    chooser,
)
from cnninspect.page.quantities import bytes_text, count, plural, share, sizes
from cnninspect.records.checkpoint import Checkpoint, StoredTensor
from cnninspect.records.traces import run_name

COLUMN_NAMES = ("path", "shape", "dtype", "tensors", "elements", "share", "bytes", "storage",
                "offset", "stride", "shared")  # fmt: skip
"""What can be typed after `--columns`."""
DEFAULT = ("path", "shape", "dtype", "elements", "share", "bytes")
ALIASES = {
    "parameters": "elements", "parameters_share": "share", "parameter_bytes": "bytes",
    "output": "shape", "name": "path", "order": "order",
}  # fmt: skip
"""What a column of networks is called here."""
SORT_KEYS: dict[str, Callable[[StoredTensor], Any]] = {
    "elements": lambda tensor: -tensor.spec.numel,
    "bytes": lambda tensor: -tensor.nbytes,
    "path": lambda tensor: natural(tensor.name),
    "shape": lambda tensor: [-size for size in tensor.spec.shape],
    "dtype": lambda tensor: tensor.spec.dtype,
    "storage": lambda tensor: (natural(tensor.storage), tensor.offset),
    "order": lambda _: 0,
}
"""What a list can be sorted by: largest first, names from a to z; `order` is that of the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointView(TreeView):
    """What to show of a file of weights, and how: rows are tensors, with modules above them."""

    known_columns = COLUMN_NAMES
    known_orders = SORT_KEYS
    aliases = ALIASES

    @property
    def order(self) -> Callable[[StoredTensor], Any]:
        """The key to sort a flat list by."""
        name = self.sort or "elements"
        return SORT_KEYS[ALIASES.get(name, name)]

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns of the table, names first."""
        names = tuple(ALIASES.get(name, name) for name in self.columns) or DEFAULT
        return names if "path" in names else ("path", *names)


ITSELF = "(itself)"
"""Name of a tensor that has the name of a module too."""


@dataclass(frozen=True, slots=True)
class Node:
    """A module, a tensor, or both."""

    name: str
    """What it is called within the node above."""
    path: str
    """The names from the top down; `""` for the whole file."""
    tensors: tuple[StoredTensor, ...] = ()
    """Every tensor in it, at whatever depth, in the order of the file."""
    children: tuple[Node, ...] = ()
    """What is shown under it."""
    times: int = 1
    """How many alike in a row this stands for."""

    @property
    def tensor(self) -> StoredTensor | None:
        """The tensor that this node is; None for a module."""
        only = self.tensors[0] if len(self.tensors) == 1 else None
        return only if only is not None and not self.children else None

    @property
    def elements(self) -> int:
        """Elements of its tensors, without those that lie in the bytes of others before them."""
        return sum(t.spec.numel for t in self.tensors if t.shares_with is None)

    @property
    def nbytes(self) -> int:
        """Bytes of the same."""
        return sum(t.nbytes for t in self.tensors if t.shares_with is None)


def tree_of(tensors: Sequence[StoredTensor], level: int | None, *, fold: bool = False) -> Node:
    """The whole file as a node, with nodes down to `level` names; None: all of them."""
    named = [(tuple(tensor.name.split(".")) if tensor.name else (), tensor) for tensor in tensors]
    root = _node((), named, level)
    return replace(root, children=folded(root.children)) if fold else root


Named = tuple[tuple[str, ...], StoredTensor]
"""The names of a tensor from the top down, and the tensor."""


def _node(path: tuple[str, ...], held: Sequence[Named], level: int | None) -> Node:
    tensors = tuple(tensor for _, tensor in held)
    if level is not None and len(path) >= level:
        only = held[0][0] if len(held) == 1 and path else path
        return Node(".".join(only[len(path) - 1 :]) if path else "", ".".join(only), tensors)
    name = path[-1] if path else ""
    return Node(name, ".".join(path), tensors, tuple(_children(path, held, level)))


def _children(path: tuple[str, ...], held: Sequence[Named], level: int | None) -> Iterator[Node]:
    at = len(path)
    below: dict[str, list[Named]] = {}
    for named in held:
        names = named[0]
        below.setdefault(names[at] if at < len(names) else "", []).append(named)
    for first, inside in below.items():
        if not first and all(at >= len(names) for names, _ in inside):
            if len(held) > len(inside):
                yield Node(ITSELF, ".".join(path), tuple(tensor for _, tensor in inside))
            continue
        child = _node((*path, first), inside, level)
        if len(child.children) == 1 and child.children[0].name != ITSELF:
            only = child.children[0]  # a module that holds nothing else
            child = replace(only, name=f"{child.name}.{only.name}")
        yield child


def folded(nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes with every run of alike siblings as one, at every depth."""
    result = []
    for _, group in groupby(nodes, key=likeness):
        run = tuple(group)
        first = replace(run[0], children=folded(run[0].children))
        if len(run) > 1 and run[0].tensor is None:
            result.append(replace(first, name=run_name(run[0].name, run[-1].name), times=len(run)))
        else:
            result += [first, *run[1:]]
    return tuple(result)


def likeness(node: Node) -> Hashable:
    """Equal for nodes that hold tensors of the same names, shapes and dtypes."""
    prefix = f"{node.path}."
    return tuple((t.name.removeprefix(prefix), t.spec, t.shares_with is None) for t in node.tensors)


CSV_FIELDS = (
    "name", "shape", "dtype", "elements", "bytes", "storage", "offset", "stride", "shares_with",
)  # fmt: skip
COLUMNS = {
    "path": Column("tensor", Kind.PATH),
    "shape": Column("shape", Kind.SHAPE, sacrifice=4),
    "dtype": Column("dtype", Kind.WORD, sacrifice=3),
    "tensors": Column("tensors", Kind.NUMBER, sacrifice=5),
    "elements": Column("elements", Kind.NUMBER),
    "share": Column("%", Kind.NUMBER, "share", sacrifice=2),
    "bytes": Column("bytes", Kind.NUMBER, sacrifice=6),
    "storage": Column("storage", Kind.PATH, sacrifice=8),
    "offset": Column("offset", Kind.NUMBER, sacrifice=9),
    "stride": Column("stride", Kind.SHAPE, sacrifice=7),
    "shared": Column("shares its bytes with", Kind.PROSE, "shared", sacrifice=1),
}
LONG = 200
"""Characters of a value that are shown in a table; data have all of them."""
NAMES_SHOWN = 12
"""Names that a pickle asks for, and other values, that are shown; more are counted."""


def page(report: Checkpoint, view: CheckpointView) -> Page:
    """Warnings first, then the table, then what else the file holds."""
    blocks: list[Block] = []
    if alarm := warning(report):
        blocks.append(alarm)
    blocks.append(_table(report, view))
    blocks.append(Facts(tuple(_facts(report, human=view.human))))
    size = bytes_text(report.file_bytes, human=view.human)
    about = f"a file of weights · {report.format} · {size} · nothing in it was run"
    return Page(report.reference, about, tuple(blocks))


def warning(report: Checkpoint) -> Notice | None:
    """The names that loading would look up and that PyTorch's safe loading refuses."""
    refused = [found.name for found in report.globals if not found.allowed]
    if not refused:
        return None
    names = "name" if len(refused) == 1 else "names"
    return Notice(
        f"loading this file may run any code: it asks for {len(refused):,} {names} that "
        "torch.load(weights_only=True) refuses",
        tuple(refused[:NAMES_SHOWN])
        + ((f"and {len(refused) - NAMES_SHOWN:,} more",) if len(refused) > NAMES_SHOWN else ()),
        Style.WARNING,
    )


# --- the table ---


def _table(report: Checkpoint, view: CheckpointView) -> Table:
    names = view.shown
    if not view.columns and any(tensor.shares_with for tensor in report.tensors):
        names = (*names, "shared")
    if view.is_flat:
        rows, remarks = _flat_rows(report, view, names), ["each tensor by itself"]
    else:
        level = TABLE_LEVEL if view.level == "auto" else view.level
        root = tree_of(report.tensors, level, fold=view.fold)
        rows, remarks = list(_tree_rows(root, report.elements, view, names)), []
        if view.fold:
            remarks.append("×n: n modules in a row that are alike; the row counts one of them")
        if any(_hides(node) for node in _all(root)):
            remarks.append("deeper tensors are counted with the module that holds them; "
                           "--level shows more")  # fmt: skip
    if any(tensor.shares_with for tensor in report.tensors):
        remarks.append("bytes that tensors share are counted once, with the first of them")
    columns = tuple(COLUMNS[name] for name in names)
    return Table(columns, tuple(rows), remarks=tuple(remarks), chooser=chooser(view.columns))


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _all(child)


def _hides(node: Node) -> bool:
    """Whether tensors are in a node that are not shown under it."""
    return len(node.tensors) > 1 and not node.children


def _tree_rows(
    root: Node, elements: int, view: CheckpointView, names: Sequence[str]
) -> Iterator[tuple[Cell, ...]]:
    yield _row(root, Cell("all tensors", Style.STRONG), elements, view, names)
    yield from _branches(root, "", elements, view, names)


def _branches(
    node: Node, below: str, elements: int, view: CheckpointView, names: Sequence[str]
) -> Iterator[tuple[Cell, ...]]:
    for child in node.children:
        is_last = child is node.children[-1]
        mark = f"  ×{child.times}" if child.times > 1 else ""
        guide = below + ("└─ " if is_last else "├─ ")
        name = Cell(child.name, guide=guide, mark=mark, full=child.path)
        yield _row(child, name, elements, view, names)
        yield from _branches(child, below + ("   " if is_last else "│  "), elements, view, names)


def _flat_rows(
    report: Checkpoint, view: CheckpointView, names: Sequence[str]
) -> list[tuple[Cell, ...]]:
    ordered = sorted(report.tensors, key=view.order)
    listed = ordered if view.top is None else ordered[: view.top]
    elements = report.elements
    rows = [
        _row(Node(t.name, t.name, (t,)), Cell(t.name or "(the file itself)"), elements, view, names)
        for t in listed
    ]
    if rest := tuple(ordered[len(listed) :]):
        name = Cell(f"({plural(len(rest), 'other')})", Style.FAINT)
        rows.append(_row(Node("", "", rest), name, elements, view, names))
    return rows


def _row(
    node: Node, name: Cell, elements: int, view: CheckpointView, names: Sequence[str]
) -> tuple[Cell, ...]:
    style = Style.FAINT if node.children and node.path else Style.PLAIN
    texts = _texts(node, elements, human=view.human)
    return tuple(name if key == "path" else Cell(texts[key], style) for key in names)


def _texts(node: Node, of_all: int, *, human: bool) -> dict[str, str]:
    """What stands in each column, for a tensor or for a module that holds some.

    `of_all` is how many elements the whole file has.
    """
    tensor = node.tensor
    dtypes = list(dict.fromkeys(t.spec.dtype for t in node.tensors))
    elements = tensor.spec.numel if tensor else node.elements
    size = tensor.nbytes if tensor else node.nbytes
    return {
        "shape": sizes(tensor.spec.shape) if tensor else plural(len(node.tensors), "tensor"),
        "dtype": dtypes[0] if len(dtypes) == 1 else plural(len(dtypes), "dtype"),
        "tensors": f"{len(node.tensors):,}",
        "elements": count(elements, human=human),
        "share": "" if tensor and tensor.shares_with else share(elements, of_all),
        "bytes": count(size, human=human, unit="B"),
        "storage": tensor.storage if tensor else "",
        "offset": f"{tensor.offset:,}" if tensor else "",
        "stride": sizes(tensor.stride) if tensor and tensor.stride else "",
        "shared": (tensor.shares_with or "") if tensor else _sharing(node),
    }


def _sharing(node: Node) -> str:
    shared = sum(tensor.shares_with is not None for tensor in node.tensors)
    return plural(shared, "tensor") if shared else ""


# --- what else there is ---


def _facts(report: Checkpoint, *, human: bool) -> Iterator[Fact]:
    total = f"{plural(len(report.tensors), 'tensor')} · {count(report.elements, human=human)}"
    yield Fact("tensors", f"{total} elements · {bytes_text(report.tensor_bytes, human=human)}")
    by_dtype: dict[str, int] = {}
    for tensor in report.tensors:
        by_dtype[tensor.spec.dtype] = by_dtype.get(tensor.spec.dtype, 0) + tensor.spec.numel
    if len(by_dtype) > 1:
        parts = (f"{dtype} {count(n, human=human)}" for dtype, n in by_dtype.items())
        yield Fact("elements", " · ".join(parts))
    if report.globals:
        known = [found.name for found in report.globals if found.allowed]
        text = _first(known) or "none that safe loading knows"
        yield Fact("asks for", f"{text} (looked up by torch.load, not here)")
    values = [f"{key}: {_begin(value)}" if key else _begin(value) for key, value in report.metadata]
    if values:
        yield Fact("other values", _first(values, between=" · "))
    said = "torch.load would refuse" if warning(report) else None
    for note in report.notes:
        if said is None or not note.startswith(said):  # the warning says it
            yield Fact("note", note)


def _begin(value: str) -> str:
    """A value, or the begin of a long one: training notes may take a megabyte."""
    return value if len(value) <= LONG else f"{value[:LONG]}… ({len(value):,} characters)"


def _first(words: Sequence[str], between: str = ", ") -> str:
    more = len(words) - NAMES_SHOWN
    return between.join(words[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


# --- data ---


def rows(
    report: Checkpoint, view: CheckpointView
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each tensor."""
    tensors = report.tensors
    if view.is_flat:
        tensors = tuple(sorted(tensors, key=view.order))[: view.top]
    return CSV_FIELDS, (_csv_row(tensor) for tensor in tensors)


def _csv_row(tensor: StoredTensor) -> Sequence[Field]:
    return (
        tensor.name, tensor.spec.shape, tensor.spec.dtype, tensor.spec.numel, tensor.nbytes,
        tensor.storage, tensor.offset, tensor.stride, tensor.shares_with,
    )  # fmt: skip


RENDERER = Renderer(view=CheckpointView, page=page, rows=rows)
