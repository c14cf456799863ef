"""How long networks take on this machine, layer by layer, against what it allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

from cnninspect.sources.open import Model, as_subject, load, several

if TYPE_CHECKING:
    from cnninspect.commands.timing.report import TimeReport


def time(
    models: Union[Model, Sequence[Model], Mapping[str, Model]],
    inputs: Any = None,
    *,
    kwargs: Mapping[str, Any] | None = None,
    batch: Union[int, Sequence[int]] = 1,
    backend: Union[str, Sequence[str]] = (),
    device_spec: str | None = None,
    by_layer: bool = True,
    by_operation: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
    **settings: Any,
) -> TimeReport:
    """How long networks take here, as a whole and by layer, and the least that they must take.

    Each network is timed with each of `batch` in each `backend`: `torch`, `torch.compile` or
    `onnxruntime`.  `settings` are the other fields of `cnninspect.records.timings.TimeSettings`:
    `mode`, `device`, `dtype`, `amp`, `channels_last`, `threads`, `seconds`, `runs`, `weights`,
    `optimizer`.  `device_spec` is what least times are of, as for `summarize`; by itself this
    machine, which is calibrated where it was not yet.  A live module is left exactly as it was.

    Raises:
        TooLarge: a network needs more memory than there is.
        CannotCompile: it should be compiled, and cannot.
        CnnInspectError: see `cnninspect.errors`.  Of several, those that fail are in `failed`.
    """
    from cnninspect.commands.timing.measuring import Plan, time_models
    from cnninspect.errors import BadOption, UnknownChoice
    from cnninspect.metrics.roofline import parse_device
    from cnninspect.records.timings import BACKENDS, TimeSettings
    from cnninspect.store.this_machine import datasheet

    backends = (backend,) if isinstance(backend, str) else tuple(backend)
    batches = (batch,) if isinstance(batch, int) else tuple(batch)
    for name in backends:
        if name not in BACKENDS:
            raise UnknownChoice("--backend", name, BACKENDS)
    if not batches:
        raise BadOption("--batch", "of nothing", "1 or more")
    chosen = TimeSettings(**settings)
    for name in backends:
        for size in batches:
            chosen.on(batch=size, backend=name)  # what does not go together is said at once
    if device_spec is not None:
        parse_device(device_spec, chosen.dtype or "float32", datasheet(device_spec))
    return time_models(
        Plan(
            models=[_to_be_timed(model) for model in several(models)],
            inputs=inputs,
            kwargs=kwargs,
            batches=tuple(dict.fromkeys(batches)),
            backends=tuple(dict.fromkeys(backends)),
            settings=chosen,
            device_spec=device_spec,
            by_layer=by_layer,
            by_operation=by_operation,
            progress=progress,
        )
    )


def _to_be_timed(model: Model) -> Any:
    """A reference with what it is loaded as; a trace as it is."""
    from cnninspect.commands.timing.measuring import Subject

    subject = as_subject(model)
    return Subject(subject, load(subject) if isinstance(subject, str) else subject)


def calibrate(
    *,
    device: str = "cpu",
    threads: int | None = None,
    seconds: float = 6.0,
    progress: Callable[[int, int, str], None] | None = None,
) -> TimeReport:
    """How fast this machine multiplies matrices, by dtype, and moves bytes; it is remembered.

    From then on `device_spec="this"` gives least times on it.

    Raises:
        BadOption: the device is not there.
    """
    from cnninspect.commands.timing.measuring import calibration_report
    from cnninspect.records.timings import TimeSettings

    settings = TimeSettings(device=device, threads=threads)
    return calibration_report(settings, seconds=seconds, progress=progress)
