"""Networks as ONNX files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Union

from cnninspect.interrupts import stopped_gently
from cnninspect.sources.open import as_arguments, check_batch, network, surroundings_of

if TYPE_CHECKING:
    from os import PathLike

    from torch import nn
    from typing_extensions import Unpack

    from cnninspect.commands.export.report import ExportReport


class ExportOptions(TypedDict, total=False):
    """The fields of `cnninspect.records.exports.ExportSettings`, which says what they mean."""

    opset: int | None
    dynamic: tuple[str, ...]
    dtype: str | None
    weights: str | PathLike[str] | None
    batch: int
    seed: int
    exporter: str
    verify: bool
    keep_traces: bool
    force: bool
    quantize: str | None
    calibrate: str | None
    data: str | None
    strict: bool


def export_onnx(
    model: Union[str, nn.Module],
    path: str | PathLike[str],
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    **settings: Unpack[ExportOptions],
) -> ExportReport:
    """Write a network to an ONNX file that does what the network does, and say how that is known.

    `settings` are the fields of `cnninspect.records.exports.ExportSettings`: `opset`,
    `dynamic` (sizes left open, as in `("batch",)`), `dtype`, `weights`, `batch`, `seed`,
    `exporter`, `verify`, `keep_traces`, `force`, `quantize`, `calibrate`, `data`, `strict`.  A live
    module is left exactly as it was.

    Raises:
        ExportMismatch: the file did something else; it is not kept.
        ExportUnexplained: with `strict`, its counts differ for no known reason; it is not kept.
        ExportFailed: torch's exporter cannot write such a network.
        FileExists, FileUnwritable: the file cannot be written.
        MissingLibrary: onnxruntime, which runs the file, is not installed.
        CnnInspectError: as for `trace`.
    """
    with stopped_gently():
        return _export(model, Path(path), as_arguments(inputs), kwargs, settings)


def _export(
    model: Union[str, nn.Module],
    place: Path,
    inputs: Sequence[Any] | None,
    kwargs: Mapping[str, Any] | None,
    settings: Mapping[str, Any],
) -> ExportReport:
    from cnninspect.commands.export.analysis import export_report
    from cnninspect.engine.onnx_write.making import making
    from cnninspect.errors import ExportMismatch, ExportUnexplained
    from cnninspect.records.exports import ExportSettings

    chosen = ExportSettings(**settings)
    check_batch(chosen.batch)
    loaded = network(model, "an export")
    with (
        surroundings_of(loaded),
        making(loaded, place, chosen, inputs=inputs, kwargs=kwargs) as (made, keep),
    ):
        report = export_report(made, place, chosen)
        if not report.is_right:
            raise ExportMismatch(loaded.info.reference, report)
        if chosen.strict and report.unexplained:
            raise ExportUnexplained(loaded.info.reference, report)
        keep()
    return report
