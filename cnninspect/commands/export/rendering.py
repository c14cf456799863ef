"""How an `ExportReport` is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnninspect.commands.export.report import Discrepancy, ExportReport, Reconciled
from cnninspect.page.formats import Field, Renderer, View
from cnninspect.page.page import Block, Cell, Column, Fact, Facts, Kind, Notice, Page, Style, Table
from cnninspect.page.quantities import bytes_text, count, plural
from cnninspect.records.exports import Quantization, QuantizedLayer, Verification
from cnninspect.records.operations import NamedTensor

CSV_FIELDS = ("batch", "sizes", "max_abs_error", "max_rel_error", "tolerance", "ok")
LAYERS_NAMED = 3
"""Layers named for each difference."""


def page(report: ExportReport, view: View) -> Page:
    """What was written, how it was compared, what differs and why."""
    blocks: list[Block] = [Facts(tuple(_file(report, view)))]
    blocks += _comparison(report)
    blocks.append(Facts(tuple(_counts(report, view))))
    if report.quantization is not None:
        blocks += _quantization(report.quantization, view)
    return Page(report.file, _about(report), tuple(blocks))


def _about(report: ExportReport) -> str:
    return f"{report.model.reference} · {report.model.source}"


def _file(report: ExportReport, view: View) -> Iterator[Fact]:
    size = bytes_text(report.bytes, human=view.human)
    if report.is_right:
        yield Fact("file", f"{size} · sha256 {report.sha256}")
    else:
        yield Fact("file", f"not kept, since it is wrong; it was of {size}", Style.WARNING)
    if report.data_file:
        data = bytes_text(report.data_bytes, human=view.human)
        yield Fact("data", f"{data} in {report.data_file}, which must stay beside it")
    if report.weights:
        yield Fact("weights", report.weights)
    exporter = "torch.export" if report.exporter == "dynamo" else "TorchScript"
    yield Fact("format", f"opset {report.opset}, IR {report.ir_version}, by way of {exporter}")
    for label, tensors in (("input", report.inputs), ("output", report.outputs)):
        for tensor in tensors:
            yield Fact(label, f"{tensor.name} {_axes(report, tensor)} {tensor.spec.dtype}")


def _axes(report: ExportReport, tensor: NamedTensor) -> str:
    """`batch×3×224×224`: open sizes by name."""
    names = {size.axis: size.name for size in report.open_sizes if size.tensor == tensor.name}
    axes = [names.get(i, str(size)) for i, size in enumerate(tensor.spec.shape)]
    return "×".join(axes) or "scalar"


def _comparison(report: ExportReport) -> Iterator[Block]:
    if report.not_verified:
        yield Notice(f"not compared with the network: {report.not_verified}", style=Style.WARNING)
    if report.verification:
        yield _table(report)
    if report.mismatch is not None:
        at = report.mismatch
        yield Notice(
            f"the first layer that differs is {at.path} ({at.type}): "
            f"by {_error(at.max_abs_error)}, {_error(at.max_rel_error)} of its largest element",
            style=Style.WARNING,
        )


def _table(report: ExportReport) -> Table:
    names = dict.fromkeys(name for run in report.verification for name in run.sizes)
    others = [name for name in names if name != "batch"]
    columns = (
        Column("batch", Kind.NUMBER),
        *(Column(name, Kind.NUMBER) for name in others),
        Column("largest difference", Kind.NUMBER),
        Column("relative", Kind.NUMBER),
        Column("allowed", Kind.NUMBER, sacrifice=1),
        Column("", name="verdict"),
    )
    return Table(
        columns,
        tuple(_row(run, others) for run in report.verification),
        title="onnxruntime against torch, on random inputs",
    )


def _row(run: Verification, others: Sequence[str]) -> tuple[Cell, ...]:
    verdict = Cell("same", Style.GOOD) if run.ok else Cell("different", Style.WARNING)
    return (
        Cell(f"{run.batch:,}"),
        *(Cell(f"{run.sizes[name]:,}" if name in run.sizes else "") for name in others),
        Cell(_error(run.max_abs_error)),
        Cell(_error(run.max_rel_error)),
        Cell(f"{run.tolerance:g}"),
        verdict,
    )


def _error(value: float) -> str:
    return "0" if value == 0 else f"{value:.1e}"


def _counts(report: ExportReport, view: View) -> Iterator[Fact]:
    yield _both("parameters", report.parameters, view)
    yield from _reasons(report, "parameters", view)
    yield _both("MACs", report.macs, view)
    yield from _reasons(report, "macs", view)
    for note in report.notes:
        yield Fact("note", note)


def _both(label: str, numbers: Reconciled, view: View) -> Fact:
    torch, onnx = (count(n, human=view.human) for n in (numbers.torch, numbers.onnx))
    if numbers.torch == numbers.onnx:
        return Fact(label, f"{onnx}, as in the network", Style.GOOD)
    return Fact(label, f"{onnx} in the file, {torch} in the network")


def _reasons(report: ExportReport, quantity: str, view: View) -> Iterator[Fact]:
    for difference in report.differences:
        if difference.quantity == quantity:
            change = count(abs(difference.change), human=view.human)
            sign = "+" if difference.change > 0 else "−"
            where = f"({_where(difference)})"
            if difference.reason:
                yield Fact("", f"{sign}{change}  {difference.reason} {where}")
                continue
            amount = f"{change} {'more' if difference.change > 0 else 'less'}"
            remark = f"; {difference.remark}" if difference.remark else ""
            yield Fact("", f"{amount}, not explained {where}{remark}", Style.WARNING)


def _where(difference: Discrepancy) -> str:
    layers = [path or "the model itself" for path in difference.layers]
    if len(layers) > LAYERS_NAMED:
        return f"{plural(len(layers), 'layer')}, from {layers[0]} to {layers[-1]}"
    return ", ".join(layers)


# --- integers for weights ---


def _quantization(found: Quantization, view: View) -> Iterator[Block]:
    """Size, differences and accuracy before and after; then the layers that stayed as they were."""
    yield Facts(tuple(_before_and_after(found, view)), title="integers of 8 bits for weights")
    stayed = [layer for layer in found.layers if not layer.is_int8]
    if stayed:
        yield Table(
            (
                Column("layer", Kind.PATH),
                Column("operator", Kind.WORD, sacrifice=2),
                Column("parameters", Kind.NUMBER, sacrifice=1),
                Column("MACs", Kind.NUMBER),
                Column("why", Kind.PROSE),
            ),
            tuple(_stayed(layer, view) for layer in stayed),
            title="layers that stayed in floating point",
        )


def _stayed(layer: QuantizedLayer, view: View) -> tuple[Cell, ...]:
    return (
        Cell(layer.path or "the model itself"),
        Cell(layer.operator),
        Cell(count(layer.parameters, human=view.human) if layer.parameters else ""),
        Cell(count(layer.macs, human=view.human) if layer.macs else ""),
        Cell(layer.reason or "not known"),
    )


def _before_and_after(found: Quantization, view: View) -> Iterator[Fact]:
    how = "dynamic: ranges of activations are found while it runs"
    if found.method == "static":
        how = f"static: ranges from {found.calibration_images:,} images of {found.calibration}"
    yield Fact("method", how)
    before, after = (
        bytes_text(size, human=view.human) for size in (found.bytes_before, found.bytes_after)
    )
    yield Fact("size", f"{after}, {found.bytes_after / found.bytes_before:.1%} of {before} before")
    whole = sum(layer.macs for layer in found.layers)
    number = sum(layer.is_int8 for layer in found.layers)
    part = f", {found.int8_macs / whole:.1%} of the MACs" if whole else ""
    yield Fact("int8", f"{number:,} of {plural(len(found.layers), 'layer')}{part}")
    for label, value in (("parameters", found.parameters), ("MACs", found.macs)):
        yield Fact(label, "not known" if value is None else count(value, human=view.human))
    yield Fact(
        "outputs",
        f"differ by {_error(found.max_abs_error)} at most, {found.max_rel_error:.1%} of the "
        f"largest; {found.rms_rel_error:.1%} in the root mean square ({found.compared_on})",
    )
    if found.accuracy is not None:
        at = found.accuracy
        yield Fact(
            "accuracy",
            f"{at.before:.1%} before, {at.after:.1%} after, on {at.images:,} images of {at.data}; "
            f"{at.agreement:.1%} get the same class from both",
        )


def rows(
    report: ExportReport,
    view: View,  # noqa: ARG001
) -> tuple[Sequence[str], Iterator[Sequence[Field]]]:
    """A row for each run that was compared."""
    return CSV_FIELDS, (
        (
            run.batch,
            " ".join(f"{name}={size}" for name, size in run.sizes.items()),
            run.max_abs_error,
            run.max_rel_error,
            run.tolerance,
            run.ok,
        )
        for run in report.verification
    )


RENDERER = Renderer(view=View, page=page, rows=rows)
