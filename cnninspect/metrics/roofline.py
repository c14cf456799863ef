"""The least time that work takes on a device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cnninspect.costs import cost_of
from cnninspect.errors import BadOption, NotCalibrated, UnknownChoice
from cnninspect.metrics.summary import Device, LayerRoofline, Roofline, Summary
from cnninspect.records.machine import Bandwidth, Calibration
from cnninspect.records.operations import Call, Operation, TensorSpec
from cnninspect.records.traces import Trace, parent_of


@dataclass(frozen=True, slots=True)
class Datasheet:
    """What a maker prints of a device, or what was measured of it."""

    teraflops: Mapping[str, float]
    """Peak rate by dtype, in 10^12 FLOPs a second, dense."""
    gigabytes: float
    """Bandwidth of its memory, in 10^9 bytes a second."""
    source: str
    caches: tuple[Bandwidth, ...] = ()
    """Bandwidth by what is worked on, where it was measured: caches are faster than memory."""


DEVICES = {
    "a100": Datasheet(
        {"float64": 9.7, "float32": 19.5, "float16": 312, "bfloat16": 312, "int8": 624},
        2039,
        "NVIDIA A100 80GB SXM datasheet, 2021; float32 without TF32",
    ),
    "h100": Datasheet(
        {"float64": 34, "float32": 67, "float16": 989.4, "bfloat16": 989.4, "int8": 1978.9},
        3350,
        "NVIDIA H100 SXM datasheet, 2023; float32 without TF32, no sparsity",
    ),
    "h200": Datasheet(
        {"float64": 34, "float32": 67, "float16": 989.4, "bfloat16": 989.4, "int8": 1978.9},
        4800,
        "NVIDIA H200 SXM datasheet, 2023; float32 without TF32, no sparsity",
    ),
    "rtx4090": Datasheet(
        {"float32": 82.6, "float16": 165.2, "bfloat16": 165.2, "int8": 660.6},
        1008,
        "NVIDIA Ada GPU architecture whitepaper, 2022; float32 accumulation, no sparsity",
    ),
}
"""By the name that one types."""

THIS = ("this", "this-cuda", "this-mps", "this-xpu")
"""This machine's processor and its accelerators, as `time --calibrate` measured them."""
DTYPES = ("float64", "float32", "float16", "bfloat16", "int8")
"""What a device that is typed may compute in."""
MOVES_NOTHING = ("a view or", "a fact", "the making", "a wrapper", "a mark")
"""How the reasons begin for which calls neither read nor write the elements of tensors."""


def sheet_of(calibration: Calibration) -> Datasheet:
    """What was measured of a device, as what a maker would print of it."""
    threads = f", {calibration.threads} thread{'s' * (calibration.threads != 1)}"
    return Datasheet(
        {rate.dtype: rate.gflops / 1e3 for rate in calibration.rates},
        calibration.gb_per_s,
        f"measured here ({calibration.processor}{threads * (calibration.device == 'cpu')})",
        calibration.caches,
    )


def parse_device(text: str, dtype: str, this: Datasheet | None = None) -> Device:
    """A device by name, or `cpu:GFLOPS:GBPS`; computing in that dtype unless `:DTYPE` follows.

    `this` is what was measured of the device of this machine that the text names, if it does.

    Raises:
        UnknownChoice: there is no device of that name, or it does not compute in that dtype.
        NotCalibrated: it is one of this machine, of which nothing was measured.
        BadOption: the numbers of `cpu:` cannot be read.
    """
    name, *rest = text.split(":")
    numbers, asked = (rest[:2], rest[2:]) if name == "cpu" else ([], rest)
    if name not in ("cpu", *DEVICES, *THIS) or len(asked) > 1:
        raise UnknownChoice("--device-spec", text, [*DEVICES, "this", "cpu:GFLOPS:GBPS"])
    assumed = bool(asked) and asked[0] != dtype
    dtype = asked[0] if asked else dtype
    if name == "cpu":
        return _typed_device(text, numbers, dtype, assumed=assumed)
    if name in THIS and this is None:
        raise NotCalibrated(name)
    sheet = this if name in THIS and this is not None else DEVICES[name]
    if dtype not in sheet.teraflops:
        raise UnknownChoice(f"--device-spec {name} in", dtype, sheet.teraflops)
    rate, bandwidth = sheet.teraflops[dtype] * 1e12, sheet.gigabytes * 1e9
    return Device(name, dtype, rate, bandwidth, sheet.source, assumed, sheet.caches)


def _typed_device(text: str, numbers: Sequence[str], dtype: str, *, assumed: bool) -> Device:
    if dtype not in DTYPES:
        raise UnknownChoice("--device-spec cpu in", dtype, DTYPES)
    try:
        gigaflops, gigabytes = (float(number) for number in numbers)
    except ValueError:
        raise BadOption("--device-spec", text, "written as cpu:GFLOPS:GBPS") from None
    if not (0 < gigaflops < 1e12 and 0 < gigabytes < 1e12):
        raise BadOption("--device-spec", text, "made of two numbers above 0")
    return Device("cpu", dtype, gigaflops * 1e9, gigabytes * 1e9, "as typed", assumed)


def with_roofline(
    summary: Summary, trace: Trace, device_spec: str, *, this: Datasheet | None = None
) -> Summary:
    """The summary with each layer's least time on a device, see `parse_device`.

    `trace` is that of the summary.  What is computed in is the dtype that the text asks for, in
    which then all floating-point tensors are taken to be; else that of the first such input, or
    of the first such parameter where no input is one, as with token ids.
    """
    device = device_for(trace, device_spec, this=this)
    own = rooflines(trace.calls, [layer.path for layer in summary.layers], device)
    total = dict(own)
    for path in reversed(own):
        if path:
            total[parent_of(path)] += total[path]
    layers = tuple(
        replace(layer, roofline=LayerRoofline(own[layer.path], total[layer.path]))
        for layer in summary.layers
    )
    return replace(summary, layers=layers, device=device)


def device_for(trace: Trace, device_spec: str, *, this: Datasheet | None = None) -> Device:
    """The device that is named, computing in the dtype of the trace unless the text says another.

    Raises:
        UnknownChoice, BadOption, NotCalibrated: see `parse_device`.
    """
    return parse_device(device_spec, float_dtype(trace), this)


def rooflines(calls: Iterable[Call], paths: Iterable[str], device: Device) -> dict[str, Roofline]:
    """The least time of each layer's own calls, by its path, in the order of `paths`."""
    own = {path: Roofline() for path in paths}
    known: dict[int, Roofline] = {}
    for call in calls:
        key = id(call.operation)
        if key not in known:
            known[key] = least_time_of(call.operation, device)
        own[call.layer] = own.get(call.layer, Roofline()) + known[key]
    return own


def float_dtype(trace: Trace) -> str:
    """The first dtype, of inputs or else of parameters, that devices have a float rate for."""
    given = [tensor.spec for tensor in trace.inputs]
    weights = [parameter.spec for layer in trace.layers for parameter in layer.parameters]
    dtypes = [spec.dtype for spec in (*given, *weights) if "float" in spec.dtype]
    return next((dtype for dtype in dtypes if dtype in DTYPES), "float32")


def least_time_of(operation: Operation, device: Device) -> Roofline:
    """What one call of an operation takes at least on a device."""
    cost = cost_of(operation)
    if cost.reason.startswith(MOVES_NOTHING):
        return Roofline()
    moved = sum(_bytes_on(device, spec) for spec in (*operation.inputs, *operation.outputs))
    compute = cost.cost.flops / device.flops_per_second
    memory = moved / device.bandwidth_for(moved)
    return Roofline(cost.cost.flops, moved, compute, memory, max(compute, memory))


def _bytes_on(device: Device, spec: TensorSpec) -> int:
    if device.assumed and "float" in spec.dtype:
        return TensorSpec(spec.shape, device.dtype).nbytes
    return spec.nbytes
