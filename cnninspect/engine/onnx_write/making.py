"""Makes an ONNX file of a network and proves it; it is put into place by whoever has looked at it.

In reading order: `making` from the network to what is known of the file; the file itself; whether
it does what the network does; the same with integers for weights.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto
from torch import nn

from cnninspect.costs import cost_of
from cnninspect.engine.free_memory import peak_bytes
from cnninspect.engine.onnx_read.tracing import trace as trace_file
from cnninspect.engine.onnx_write import calibration, quantization
from cnninspect.engine.onnx_write.axes import Feed, at_least_two, open_axes
from cnninspect.engine.onnx_write.bisection import difference_inside, first_difference
from cnninspect.engine.onnx_write.exporting import EXPORTERS, exported, opset_of, readable
from cnninspect.engine.onnx_write.kinship import kinships
from cnninspect.engine.onnx_write.preparing import feed_for, network_for_real, weights_text
from cnninspect.engine.onnx_write.verification import (
    Need,
    Runs,
    check_available,
    compare,
    reason_of,
)
from cnninspect.engine.onnx_write.writing import (
    annotate,
    check_place,
    data_beside,
    describe,
    put_into_place,
    retell,
    sha256_of,
    strip,
    workshop,
)
from cnninspect.engine.process_state import RUNS, Ledger, RandomStates, set_apart
from cnninspect.engine.tracing import trace as trace_network
from cnninspect.errors import (
    BadInput,
    BadOption,
    ExportFailed,
    FileUnreadable,
    RunFailed,
    UnknownChoice,
)
from cnninspect.records.exports import (
    ExportSettings,
    LayerMismatch,
    MadeFile,
    OpenSize,
    Quantization,
)
from cnninspect.records.models import GraphFile, InputRequest, LoadedModel, ModelInfo
from cnninspect.records.traces import Trace

QUANTIZED = ("int8",)
"""What weights may be turned into."""
COPIES_ON_DISK = 3
"""How often the weights are in the workshop at the same time."""


@contextmanager
def making(
    loaded: LoadedModel,
    path: Path,
    settings: ExportSettings,
    *,
    inputs: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    explained: bool = True,
) -> Iterator[tuple[MadeFile, Callable[[], None]]]:
    """What is known of the file, and what puts it into place; otherwise it is gone afterwards.

    What explains a difference of parameters, which takes a look at all values, is left out unless
    it is to be `explained`.

    Raises:
        FileExists, FileUnwritable: the file cannot be written.
        ExportFailed: the exporter cannot write such a network.
        MissingLibrary: the file is to be run and onnxruntime is not installed.
        BuildFailed, RunFailed, BadInput: as for a trace.
        BadOption: settings that do not go together, or images that the network does not take.
    """
    _check(settings, path)
    network = trace_network(loaded, inputs, kwargs=kwargs, batch=settings.batch)
    needed = sum(p.spec.nbytes for layer in network.layers for p in layer.parameters)
    with (
        RUNS,
        Ledger() as ledger,
        ledger,
        workshop(path, COPIES_ON_DISK * needed) as folder,
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")  # of the network's code, which its user may not know
        set_apart(ledger, traces=False)
        RandomStates(ledger)
        module = network_for_real(ledger, loaded, settings, network)
        feed = feed_for(
            module, loaded, inputs, kwargs=kwargs, settings=settings, trace=network, ledger=ledger
        )
        axes = open_axes(feed, settings.dynamic, module)
        feed = at_least_two(Feed(feed.given, feed.names, feed.batch_axes, axes))
        pictures = _pictures(settings, feed)
        bench = Bench(folder / path.name, module, feed, network, loaded, settings)
        made = bench.proved()
        if explained:
            made = bench.explained(made)
        if settings.quantize is not None and made.mismatch is None and _all_same(made):
            made = bench.quantized(made, pictures)
        yield made, lambda: put_into_place(folder, path, force=settings.force)


def _check(settings: ExportSettings, path: Path) -> None:
    """Refuse early what cannot be."""
    check_place(path, force=settings.force)
    if settings.exporter not in EXPORTERS:
        raise UnknownChoice("--exporter", settings.exporter, EXPORTERS)
    if settings.quantize is not None and settings.quantize not in QUANTIZED:
        raise UnknownChoice("--quantize", settings.quantize, QUANTIZED)
    for option, value in (("--calibrate", settings.calibrate), ("--data", settings.data)):
        if value is not None and settings.quantize is None:
            raise BadOption(option, value, "--quantize int8 beside it")
    if settings.quantize is not None and settings.dtype not in (None, "float32"):
        raise BadOption("--quantize", settings.quantize, "weights in float32, without --dtype")
    if settings.verify or settings.quantize is not None:
        check_available()


def _pictures(settings: ExportSettings, feed: Feed) -> tuple[Any, Any]:
    """Images to find ranges with and images to compare with, each None where there are none."""
    to_calibrate = to_compare = None
    if settings.calibrate is not None:
        found = calibration.pictures_for(
            "--calibrate", settings.calibrate, feed, seed=settings.seed
        )
        to_calibrate, to_compare = calibration.parted(found)
    if settings.data is not None and settings.data != settings.calibrate:
        to_compare = calibration.pictures_for("--data", settings.data, feed, seed=settings.seed)
    return to_calibrate, to_compare


def _all_same(made: MadeFile) -> bool:
    return all(run.ok for run in made.verification)


@dataclass
class Bench:
    """A network and the file that is made of it."""

    path: Path
    """The file, in the workshop."""
    module: nn.Module
    feed: Feed
    network: Trace
    loaded: LoadedModel
    settings: ExportSettings

    @property
    def reference(self) -> str:
        """What was typed."""
        return self.loaded.info.reference

    # --- the file ---

    def proved(self) -> MadeFile:
        """Write the file and find out whether it does what the network does."""
        weights = weights_text(self.loaded, self.settings)
        graph, model = self._write(weights)
        check_file(self.path, self.reference)
        runs = Runs(not_verified="--no-verify was given")
        if self.settings.verify:
            runs = compare(
                self.path, self.module, self.feed, seed=self.settings.seed, need=self._need(graph)
            )
        mismatch = self._look_inside(runs)
        return MadeFile(
            network=self.network,
            graph=graph,
            opset=opset_of(model),
            ir_version=model.ir_version,
            open_sizes=_open_sizes(model),
            verification=tuple(runs.verification),
            not_verified=runs.not_verified,
            mismatch=mismatch,
            notes=(*self.loaded.notes, *self.feed.given.notes, *runs.notes),
            weights=weights,
            **self._facts(),
        )

    def explained(self, made: MadeFile) -> MadeFile:
        """The same with what the values of the tensors say of each other."""
        model = onnx.load(self.path, load_external_data=False)
        return replace(made, kinships=kinships(model, self.path.parent, self.module))

    def _write(self, weights: str) -> tuple[Trace, ModelProto]:
        """Make the file; returns what it does and what it is."""
        model = exported(
            self.module, self.feed, self.path.parent, name=self.path.name, settings=self.settings,
            outputs=[tensor.name for tensor in self.network.outputs], model=self.reference,
        )  # fmt: skip
        if not self.settings.keep_traces:
            strip(model)
        save(model, self.path)
        graph = self._followed(self.path)
        annotate(model, graph.calls, self.network)
        describe(
            model, self.settings, self.feed, totals_of(graph), reference=self.reference,
            weights=weights,
        )  # fmt: skip
        save(model, self.path)
        return self._followed(self.path), model

    def _followed(self, path: Path, sizes: Mapping[str, int] | None = None) -> Trace:
        """The file read back, with the input that the network was traced with, or of other sizes.

        Raises:
            ExportFailed: its graph makes no sense.
        """
        info = ModelInfo(path.name, "onnx", path.name)
        requests = [
            InputRequest(self._shape(i, tensor.spec.shape, sizes), name=readable(tensor.name))
            for i, tensor in enumerate(self.network.inputs)
        ]
        try:
            return trace_file(GraphFile(info, path), requests)
        except (FileUnreadable, RunFailed, BadInput) as problem:
            raise ExportFailed(
                self.reference,
                f"the exporter wrote what does not fit together: {problem}",
                hint="another --opset may do, or --exporter torchscript",
            ) from problem

    def _shape(
        self, tensor: int, shape: tuple[int, ...], sizes: Mapping[str, int] | None
    ) -> tuple[int, ...]:
        if sizes is None:
            return shape
        named = {a.axis: sizes[a.name] for a in self.feed.open_axes
                 if a.tensor == tensor and a.name in sizes}  # fmt: skip
        return tuple(named.get(axis, size) for axis, size in enumerate(shape))

    def _facts(self) -> dict[str, Any]:
        data = data_beside(self.path)
        return {
            "sha256": sha256_of(self.path),
            "bytes": self.path.stat().st_size,
            "data_bytes": data.stat().st_size if data.exists() else 0,
        }

    # --- does it do what the network does? ---

    def _need(self, graph: Trace) -> Need:
        """What running takes at any sizes, from the file's own trace at those sizes."""
        example = self.feed.example
        traced = {
            axis.name: self.network.inputs[axis.tensor].spec.shape[axis.axis]
            for axis in self.feed.open_axes
            if axis.tensor < len(self.network.inputs)
        }
        base = max(peak_bytes(graph), peak_bytes(self.network))
        known: dict[tuple[tuple[str, int], ...], int] = {}

        def need(sizes: Mapping[str, int]) -> int:
            full = {**example, **sizes}
            key = tuple(full.items())
            if key not in known:
                known[key] = measured(full)
            return known[key]

        def measured(sizes: Mapping[str, int]) -> int:
            ratio = 1.0
            for name, size in sizes.items():
                ratio *= size / max(traced.get(name, size), 1)
            if base * max(ratio, ratio**2) < EASY:  # attention grows with the square
                return int(base * ratio)
            try:
                return peak_bytes(self._followed(self.path, sizes))
            except ExportFailed:  # sizes that the graph does not take: the run will say so
                return int(base * ratio)

        return need

    def _look_inside(self, runs: Runs) -> LayerMismatch | None:
        """The first layer that differs, looked for where the outputs differ or say little."""
        if runs.wrong is not None:
            return first_difference(self.path, self.module, self.feed, runs.wrong)
        if runs.hardly_depends is None:
            return None
        compared, mismatch = difference_inside(
            self.path, self.module, self.feed, runs.hardly_depends
        )
        runs.notes.append(
            "with these weights the outputs hardly depend on the inputs: "
            f"inside, {compared} of its layers were compared as well"
        )
        return mismatch

    # --- integers for weights ---

    def quantized(self, made: MadeFile, pictures: tuple[Any, Any]) -> MadeFile:
        """Turn the weights of the file into integers, and compare it with what it was.

        Raises:
            ExportFailed: onnxruntime cannot, or cannot run what it made.
        """
        to_calibrate, to_compare = pictures
        method = "dynamic" if to_calibrate is None else "static"
        sample, images = calibration.sample_of(to_calibrate) if to_calibrate else (None, 0)
        before = self.path.parent / "float" / self.path.name
        before.parent.mkdir()
        for file in (self.path, data_beside(self.path)):
            if file.exists():
                os.replace(file, before.parent / file.name)
        quantization.quantize(before, self.path, sample, model=self.reference)
        old = onnx.load(before, load_external_data=False)
        new = onnx.load(self.path, load_external_data=False)
        quantization.carry_notes(old, new)
        save(new, self.path)
        totals: dict[str, int] = {}
        notes: tuple[str, ...] = ()
        try:
            totals = totals_of(self._followed(self.path))
        except ExportFailed as problem:  # an operator of onnxruntime's that is not known here
            notes = (f"the file with integers could not be read back: {problem.__cause__}",)
        retell(new, {**totals, "quantized": f"{self.settings.quantize}, {method}"})
        save(new, self.path)
        try:
            found = calibration.compare_files(
                before, self.path, self.feed, to_compare, seed=self.settings.seed
            )
        except Exception as problem:  # onnxruntime's own errors have no common base
            raise ExportFailed(
                self.reference, f"onnxruntime cannot run what it quantised: {reason_of(problem)}"
            ) from problem
        facts = self._facts()
        about = Quantization(
            method=method,
            calibration=to_calibrate.name if to_calibrate else "",
            calibration_images=images,
            bytes_before=made.bytes + made.data_bytes,
            bytes_after=facts["bytes"] + facts["data_bytes"],
            layers=quantization.layers_of(old, new, method=method),
            compared_on=found.what,
            max_abs_error=found.absolute,
            max_rel_error=found.relative,
            rms_rel_error=found.rms,
            accuracy=found.accuracy(to_compare.name) if to_compare else None,
            parameters=totals.get("parameters"),
            macs=totals.get("macs"),
        )
        return replace(
            made, quantization=about, opset=opset_of(new), ir_version=new.ir_version,
            notes=(*made.notes, *notes), **facts,
        )  # fmt: skip


EASY = 1 << 28
"""Bytes that running may take without a closer look."""


def save(model: ModelProto, path: Path) -> None:
    """Write a model so that the same one has the same bytes."""
    path.write_bytes(model.SerializeToString(deterministic=True))


def totals_of(graph: Trace) -> dict[str, int]:
    """Parameters and MACs of a file."""
    parameters = [
        p.spec.numel for layer in graph.layers for p in layer.parameters if p.shared_with is None
    ]
    macs = sum(cost_of(call.operation).cost.macs for call in graph.calls)
    return {"parameters": sum(parameters), "macs": macs}


def check_file(path: Path, reference: str) -> None:
    """See that the file is ONNX by ONNX's own checker, shapes and types included.

    Raises:
        ExportFailed: it is not.
    """
    try:
        onnx.checker.check_model(str(path), full_check=True)
    except Exception as problem:  # the checker's and the inference's errors have no common base
        raise ExportFailed(
            reference, f"ONNX's checker does not take the file: {reason_of(problem)}"
        ) from problem


def _open_sizes(model: ModelProto) -> tuple[OpenSize, ...]:
    return tuple(
        OpenSize(dim.dim_param, info.name, i)
        for info in (*model.graph.input, *model.graph.output)
        for i, dim in enumerate(info.type.tensor_type.shape.dim)
        if dim.dim_param
    )
