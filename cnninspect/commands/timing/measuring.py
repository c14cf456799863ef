"""Times networks, batch by batch and backend by backend, on a machine whose limits are known."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from cnninspect.commands.timing.analysis import Traced, dtype_of, timed_model
from cnninspect.commands.timing.report import Machine, TimedModel, TimeReport
from cnninspect.engine.real_passes.machine_rates import measure_rates
from cnninspect.engine.real_passes.preparation import device_of
from cnninspect.engine.real_passes.timing import name_of
from cnninspect.errors import BadOption, CnnInspectError, NotCalibrated
from cnninspect.metrics.figures import Unmeasured
from cnninspect.metrics.roofline import (
    THIS,
    float_dtype,
    parse_device,
    sheet_of,
)
from cnninspect.metrics.summary import Device
from cnninspect.records.machine import Calibration
from cnninspect.records.models import GraphFile, LoadedModel
from cnninspect.records.reports import installed_version
from cnninspect.records.timings import TimeSettings
from cnninspect.records.traces import Trace
from cnninspect.sources.open import Model, timed, trace, trace_step
from cnninspect.store import this_machine
from cnninspect.store.measuring import unmeasured

CALIBRATING = 6.0
"""Seconds that calibrating takes by itself."""
BUSY = 0.7
"""Processes that want to run, as a share of the cores, from which on a machine counts as busy."""
SLOW = 0.8
"""Share of its highest frequency under which a processor counts as slowed down."""
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """A model that is to be timed."""

    model: Model
    """What is traced: a reference, so that its trace may be remembered, or what is run."""
    loaded: Model
    """What is run."""

    @property
    def name(self) -> str:
        """What it is called."""
        if isinstance(self.loaded, Trace):
            return self.loaded.model.reference
        if isinstance(self.loaded, (LoadedModel, GraphFile)):
            return self.loaded.info.reference
        return str(self.loaded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be timed."""

    models: Sequence[Subject]
    inputs: Any
    kwargs: Mapping[str, Any] | None
    batches: tuple[int, ...]
    backends: tuple[str, ...]
    """Empty: torch, or onnxruntime for the graph in a file."""
    settings: TimeSettings
    """Those of every run, but for batch and backend."""
    device_spec: str | None
    """What least times are of; None: this machine, which is calibrated where it was not."""
    by_layer: bool
    by_operation: bool
    progress: Progress | None
    notes: list[str] = field(default_factory=list)

    def rows(self) -> Iterator[tuple[Subject, TimeSettings]]:
        """Each network with each batch in each backend."""
        for model in self.models:
            is_file = isinstance(model.loaded, GraphFile)
            backends = self.backends or ("onnxruntime" if is_file else "torch",)
            for batch in self.batches:
                for backend in backends:
                    yield model, self.settings.on(batch=batch, backend=backend)


def time_models(plan: Plan) -> TimeReport:
    """All of it; a network that fails is told with the reason, unless there is no other.

    Raises:
        CnnInspectError: nothing at all could be timed.
    """
    load = this_machine.load_average()
    rows, done = list(plan.rows()), []
    failed: list[Unmeasured] = []
    problems: list[CnnInspectError] = []
    calibration = _calibration(plan)
    traces: dict[tuple[int, int], Traced] = {}
    for number, (model, settings) in enumerate(rows):
        name = model.name

        def told(what: str, number: int = number, name: str = name) -> None:
            if plan.progress is not None:
                plan.progress(number, len(rows), f"{name}: {what}")

        told("tracing")
        try:
            key = id(model), settings.batch
            if key not in traces:
                traces[key] = traced_with(model.model, plan, settings)
            done.append(_timed(model, plan, settings, traces[key], calibration, told))
        except CnnInspectError as problem:
            about = unmeasured(f"{name} ({settings.backend}, batch {settings.batch})", problem)
            failed.append(about)
            problems.append(problem)
    if problems and not done:
        raise problems[0]
    return TimeReport(
        machine=machine_of(plan.settings, calibration, load=load),
        models=tuple(done),
        failed=tuple(failed),
        notes=(*plan.notes, *_notes_on(load, settings=plan.settings)),
    )


def traced_with(model: Model, plan: Plan, settings: TimeSettings) -> Traced:
    """What a run does, as far as its least time depends on it."""
    if settings.mode == "train":
        step = trace_step(model, plan.inputs, kwargs=plan.kwargs, batch=settings.batch)
        return Traced(forward=step.forward, calls=(*step.forward.calls, *step.backward))
    found = trace(model, plan.inputs, kwargs=plan.kwargs, batch=settings.batch)
    return Traced(forward=found, calls=found.calls)


def _timed(
    model: Subject,
    plan: Plan,
    settings: TimeSettings,
    traced: Traced,
    calibration: Calibration | None,
    told: Callable[[str], None],
) -> TimedModel:
    spec = spec_for(plan, settings, traced.forward, calibration)
    found = timed(
        model.loaded,
        traced.forward,
        plan.inputs,
        kwargs=plan.kwargs,
        settings=settings,
        by_layer=plan.by_layer,
        by_operation=plan.by_operation,
        progress=told,
    )
    shapes = [tensor.spec.shape for tensor in traced.forward.inputs]
    batch = settings.batch
    if plan.inputs is not None and shapes and shapes[0]:
        batch = shapes[0][0]
    return timed_model(traced, found, settings, batch=batch, spec=spec)


def spec_for(
    plan: Plan, settings: TimeSettings, traced: Trace, calibration: Calibration | None
) -> Device | None:
    """What a network is held against, in the dtype that it computes in; None: nothing is known."""
    given = float_dtype(traced)
    dtype = dtype_of(settings, None, traced)
    if plan.device_spec is None:
        sheet = sheet_of(calibration) if calibration else None
        name = _this(settings)
        if sheet is None or dtype not in sheet.teraflops:
            plan.notes.append(f"nothing is known of how fast this machine computes in {dtype}")
            return None
    else:
        name = plan.device_spec
        sheet = this_machine.datasheet(name)
    return parse_device(_with_dtype(name, dtype, given), given, sheet)


def _with_dtype(name: str, dtype: str, given: str) -> str:
    """The device with the dtype that is computed in, unless it says one itself."""
    if dtype == given:
        return name
    parts = name.split(":")
    is_said = len(parts) > (3 if parts[0] == "cpu" else 1)
    return name if is_said else f"{name}:{dtype}"


def _this(settings: TimeSettings) -> str:
    device = device_of(settings.device).type
    return "this" if device == "cpu" else f"this-{device}"


# --- the machine ---


def _calibration(plan: Plan) -> Calibration | None:
    """What this machine can do: as remembered, or measured now; None: it is not asked for."""
    if plan.device_spec is not None:
        name = plan.device_spec.partition(":")[0]
        if name not in THIS:
            return None
        found = this_machine.recalled(name.partition("-")[2] or "cpu")
        if found is None:
            raise NotCalibrated(name)
        return found
    device = device_of(plan.settings.device).type
    threads = plan.settings.threads or torch.get_num_threads()
    known = this_machine.recalled(device, threads)
    return known or calibrated(
        device, threads, seconds=CALIBRATING, progress=plan.progress, notes=plan.notes
    )


def calibrated(
    device: str,
    threads: int | None,
    *,
    seconds: float,
    progress: Progress | None,
    notes: list[str],
) -> Calibration:
    """What this machine can do, measured now and remembered; why it cannot be is put in `notes`.

    Raises:
        BadOption: the device is not there, or the numbers cannot be used.
    """
    if not 0 < seconds < float("inf"):
        raise BadOption("--seconds", seconds, "above 0")
    if threads is not None and threads < 1:
        raise BadOption("--threads", threads, "1 or more")
    found = measure_rates(
        device=device,
        threads=threads,
        seconds=seconds,
        processor=this_machine.processor_name(),
        progress=progress or (lambda _done, _total, _what: None),
    )
    problem = this_machine.remember(found)
    notes += [problem] if problem else []
    if found.skipped:
        notes.append(f"{device} has no kernels for products in {', '.join(found.skipped)}")
    return found


def machine_of(
    settings: TimeSettings, calibration: Calibration | None, *, load: float | None
) -> Machine:
    """The machine as it is now."""
    place = device_of(settings.device)
    frequency = this_machine.processor_frequency()
    is_here = calibration is not None and calibration.device == place.type
    known = calibration if is_here else None
    threads = settings.threads or torch.get_num_threads()
    return Machine(
        processor=name_of(place) or this_machine.processor_name(),
        device=place.type,
        threads=threads if place.type == "cpu" else 1,
        cores=cores(),
        gflops=known.gflops if known else {},
        gb_per_s=known.gb_per_s if known else None,
        caches=known.caches if known else (),
        calibrated=known.measured if known else "",
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        onnxruntime=installed_version("onnxruntime"),
        load=load,
        gigahertz=frequency[0] if frequency else None,
        most_gigahertz=frequency[1] if frequency else None,
    )


def cores() -> int:
    """Those that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _notes_on(load: float | None, *, settings: TimeSettings) -> Iterator[str]:
    """What keeps this machine from being as fast as it is."""
    if load is not None and load > BUSY * cores():
        yield (
            f"{load:.1f} processes wanted to run on {cores()} cores in the minute before: "
            "on an idle machine it is faster"
        )
    frequency = this_machine.processor_frequency()
    if frequency and frequency[0] < SLOW * frequency[1] and settings.device == "cpu":
        yield f"the processor runs at {frequency[0]:.1f} of at most {frequency[1]:.1f} GHz"


def calibration_report(
    settings: TimeSettings, *, seconds: float, progress: Progress | None
) -> TimeReport:
    """What this machine can do, and nothing else."""
    load = this_machine.load_average()
    notes: list[str] = []
    device = device_of(settings.device).type
    found = calibrated(device, settings.threads, seconds=seconds, progress=progress, notes=notes)
    threads = found.threads if device == "cpu" else settings.threads
    machine = machine_of(settings.on(threads=threads), found, load=load)
    return TimeReport(machine, (), notes=(*notes, *_notes_on(load, settings=settings)))
