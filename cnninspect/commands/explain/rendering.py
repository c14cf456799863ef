"""How an `Explanation` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cnninspect.commands.explain.report import (
    Backward,
    ExplainedOperation,
    ExplainedTensor,
    Explanation,
    Matrix,
)
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.layer_columns import matrix_text
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
)
from cnninspect.page.quantities import bytes_text, count, plural, share, sizes
from cnninspect.records.operations import CostState, TensorSpec

CSV_FIELDS = ("op", "layer", "calls", "state", "macs", "reason", "formula")
TIMES = {0: "never called", 1: "called once", 2: "called twice"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationView(View):
    """What to show of an explanation."""

    every: bool = False
    """Free operations as well, where others are counted."""


def page(report: Explanation, view: ExplanationView) -> Page:
    """Shapes and counts, then each operation with its formula, then what the layer owns.

    Where the way back was asked for, that stands in the place of the operations.
    """
    layer = report.layer
    calls = TIMES.get(layer.calls, f"called {layer.calls:,} times")
    about = f"{layer.type} in {report.model.reference}" if layer.path else layer.type
    blocks: list[Block] = [Facts(tuple(_facts(report, human=view.human)))]
    if report.backward or report.without_rule:
        blocks += _way_back(report, human=view.human)
        return Page(layer.path or report.model.reference, f"{about} · {calls}", tuple(blocks))
    if report.operations:
        blocks.append(_operations(report, view))
    if report.parameters or report.buffers:
        blocks.append(_tensors(report, human=view.human))
    return Page(layer.path or report.model.reference, f"{about} · {calls}", tuple(blocks))


def _facts(report: Explanation, *, human: bool) -> Iterator[Fact]:
    layer = report.layer
    yield Fact("input", _specs(report.inputs))
    yield Fact("output", _specs(report.outputs))
    if layer.kernel:
        stride = f", stride {sizes(layer.stride)}" if layer.stride else ""
        yield Fact("kernel", f"{sizes(layer.kernel)}{stride}")
    if layer.receptive_field:
        yield Fact("receptive field", sizes(layer.receptive_field))
    if layer.matrix:
        unfolded = bytes_text(layer.matrix.unfolded_bytes, human=human)
        yield Fact("im2col", f"{matrix_text(layer.matrix)}, unfolded input {unfolded}")
    total, own = layer.total, layer.own
    is_bound = any(operation.state is CostState.UNKNOWN for operation in report.operations)
    bound, bound_of_model = ("≥ " if open_ else "" for open_ in (is_bound, report.uncounted))
    for label, sign, whole, mine, sign_of_model, model in (
        ("parameters", "", total.parameters, own.parameters, "", report.model_parameters),
        ("MACs", bound, total.macs, own.macs, bound_of_model, report.model_macs),
    ):
        parts = [sign + count(whole, human=human)]
        if whole and layer.path:
            of_model = f"{sign_of_model}{count(model, human=human)}"
            parts.append(f"{share(whole, model)} % of the model's {of_model}")
        if 0 < mine < whole:
            parts.append(f"{count(mine, human=human)} its own")
        yield Fact(label, " · ".join(parts))
    if total.activations:
        size = bytes_text(total.activation_bytes, human=human)
        yield Fact("activations", f"{bound}{count(total.activations, human=human)} · {size}")
    yield from (Fact("note", note) for note in report.notes)


def _specs(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{sizes(spec.shape)} {spec.dtype}" for spec in specs) or "none"


def _operations(report: Explanation, view: ExplanationView) -> Table:
    path = report.layer.path
    told = [operation for operation in report.operations if operation.state != CostState.FREE]
    listed = report.operations if view.every or not told else told
    free = sum(o.calls for o in report.operations) - sum(o.calls for o in listed)
    is_several = any(operation.layer != path for operation in listed)
    columns = (
        Column("operation", Kind.PATH),
        Column("layer", Kind.PATH),
        Column("calls", Kind.NUMBER, sacrifice=1),
        Column("MACs", Kind.NUMBER),
        Column("why", Kind.PROSE),
    )
    rows = tuple(_operation_row(operation, path, human=view.human) for operation in listed)
    shown = [i for i, column in enumerate(columns) if is_several or column.header != "layer"]
    return Table(
        columns=tuple(columns[i] for i in shown),
        rows=tuple(tuple(row[i] for i in shown) for row in rows),
        remarks=(f"{plural(free, 'free call')} hidden; --all shows them",) if free else (),
    )


def _operation_row(operation: ExplainedOperation, path: str, *, human: bool) -> tuple[Cell, ...]:
    style = Style.PLAIN if operation.state == CostState.COUNTED else Style.FAINT
    macs, why = operation.state.value, operation.reason
    if operation.state == CostState.COUNTED:
        macs = count(operation.macs, human=human)
        why = "\n".join(part for part in (operation.reason, operation.formula) if part)
    elif operation.state == CostState.UNKNOWN:
        style, why = Style.WARNING, why or "there is no formula for it"
    inside = operation.layer.removeprefix(f"{path}.") if path else operation.layer
    return (
        Cell(operation.op, style),
        Cell("(own)" if operation.layer == path else inside, style, full=operation.layer),
        Cell(f"{operation.calls:,}", style),
        Cell(macs, style),
        Cell(why, style),
    )


TENSOR_COLUMNS = (
    Column("tensor", Kind.PATH),
    Column("shape", Kind.SHAPE),
    Column("elements", Kind.NUMBER),
    Column("dtype", Kind.WORD, sacrifice=1),
    Column("kind", Kind.PROSE),
)


def _tensors(report: Explanation, *, human: bool) -> Table:
    owned = [(t, "parameter" if t.trainable else "frozen parameter") for t in report.parameters]
    owned += [(tensor, "buffer") for tensor in report.buffers]
    return Table(
        TENSOR_COLUMNS,
        tuple(_tensor_row(tensor, kind, human=human) for tensor, kind in owned),
    )


def _tensor_row(tensor: ExplainedTensor, kind: str, *, human: bool) -> tuple[Cell, ...]:
    shared = f", shared with {tensor.shared_with} and counted there" if tensor.shared_with else ""
    return (
        Cell(tensor.name),
        Cell(sizes(tensor.shape)),
        Cell(count(tensor.numel, human=human)),
        Cell(tensor.dtype),
        Cell(kind + shared, Style.FAINT),
    )


def _way_back(report: Explanation, *, human: bool) -> Iterator[Block]:
    """Each rule with its formulas, then its example; the last operation comes first."""
    path = report.layer.path
    for rule in report.backward:
        facts = [Fact("gradient", _gradients(rule))]
        facts += [Fact("rule", text, Style.STRONG) for text in rule.formulas]
        if rule.input_macs:
            each = count(rule.input_macs, human=human)
            facts.append(Fact("MACs", f"{each} for ∂L/∂x, {each} for the weights"))
        inside = rule.layer.removeprefix(f"{path}.") if path else rule.layer
        where = f"{inside}: " if rule.layer != path and inside else ""
        times = f" · {rule.calls:,} times" if rule.calls > 1 else ""
        yield Facts(tuple(facts), title=f"back through {where}{rule.rule}{times}")
        yield _example(rule)
    if report.without_rule:
        names = ", ".join(report.without_rule)
        yield Notice(f"without a rule here: {names}", style=Style.WARNING)


def _gradients(rule: Backward) -> str:
    given, gone = rule.gradient_in, rule.gradient_out
    return f"{sizes(given.shape)} comes in, {sizes(gone.shape)} goes on"


def _example(rule: Backward) -> Table:
    """The tensors side by side, one row under the other."""
    height = max(len(matrix.rows) for matrix in rule.example)
    columns = tuple(Column(matrix.name, Kind.SHAPE) for matrix in rule.example)
    texts = [_lines(matrix) for matrix in rule.example]
    rows = tuple(
        tuple(Cell(lines[row] if row < len(lines) else "") for lines in texts)
        for row in range(height)
    )
    about = f"one channel, one example; {rule.about_example}" if rule.about_example else ""
    return Table(columns, rows, remarks=(about,) if about else ())


def _lines(matrix: Matrix) -> list[str]:
    """The rows of a matrix as text, its numbers right under each other."""
    texts = [[_number(value) for value in row] for row in matrix.rows]
    wide = max((len(text) for row in texts for text in row), default=1)
    return ["  ".join(text.rjust(wide) for text in row) for row in texts]


def _number(value: float) -> str:
    """Two decimals at most, none of them a 0 at the end."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", "−")


BACKWARD_FIELDS = ("op", "layer", "calls", "rule", "formulas", "input_macs", "weight_macs")


def rows(
    report: Explanation,
    view: ExplanationView,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each operation, or for each rule of the way back."""
    if report.backward:
        return BACKWARD_FIELDS, (
            (b.op, b.layer, b.calls, b.rule, "; ".join(b.formulas), b.input_macs, b.weight_macs)
            for b in report.backward
        )
    return CSV_FIELDS, (
        (o.op, o.layer, o.calls, o.state.value, o.macs, o.reason, o.formula)
        for o in report.operations
    )


RENDERER = Renderer(view=ExplanationView, page=page, rows=rows)
