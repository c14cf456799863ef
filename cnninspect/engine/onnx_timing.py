"""How long onnxruntime takes for a file, as a whole and, by its own profile, layer by layer.

onnxruntime rewrites a graph before it runs it: batch norm, activations and additions go into the
convolution before them, under a name made of what the last of them gives.  So a node of its profile
is looked for by its name, by what it gives, and then among the nodes that lead there.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import GraphProto, NodeProto

from cnninspect.engine.onnx_read.node_layers import names_are_paths, place_of
from cnninspect.engine.onnx_write.exporting import readable
from cnninspect.engine.onnx_write.making import making
from cnninspect.engine.onnx_write.verification import BFLOAT16, QUIET, runtime
from cnninspect.engine.real_passes.timing import Progress, spread_of, timed, warm_up
from cnninspect.errors import BadOption, CnnInspectError, RunFailed, first_line
from cnninspect.records.exports import ExportSettings
from cnninspect.records.models import LoadedModel
from cnninspect.records.operations import NamedTensor
from cnninspect.records.timings import OperationTime, Phases, Timed, TimeSettings

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
PROFILED = 5
"""Runs that are profiled, the first of which is a warm-up."""
ENDINGS = ("_kernel_time", "_nchwc")
"""What onnxruntime adds to names."""
FUSED = "Fused"
"""How its names of joined operators begin: `FusedConv`."""
FARTHEST = 8
"""Nodes between what a joined node gives and the one that it is named for."""


@contextmanager
def exported_to_be_timed(
    loaded: LoadedModel,
    settings: TimeSettings,
    *,
    inputs: Sequence[Any] | None,
    kwargs: Mapping[str, Any] | None,
) -> Iterator[Path]:
    """A file of a network, with its layers named in its nodes, gone afterwards.

    Raises:
        ExportFailed, RunFailed, CnnInspectError: see `making`.
    """
    runtime()
    folder = Path(tempfile.mkdtemp(prefix="cnninspect-"))
    try:
        path = folder / "network.onnx"
        chosen = ExportSettings(
            dynamic=(),
            dtype=settings.dtype,
            weights=None if settings.weights is None else Path(settings.weights),
            batch=settings.batch,
            verify=False,
        )
        with making(loaded, path, chosen, inputs=inputs, kwargs=kwargs) as (_, keep):
            keep()
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def time_file(
    path: Path,
    inputs: Sequence[NamedTensor],
    settings: TimeSettings,
    *,
    by_layer: bool = True,
    by_operation: bool = False,
    progress: Progress = lambda _: None,
) -> Timed:
    """How long onnxruntime takes for a file with inputs of these shapes.

    Raises:
        MissingLibrary: onnxruntime is not installed.
        BadOption: it does not compute on that device.
        RunFailed: it cannot run the file.
    """
    ort = runtime()
    threads = settings.threads or torch.get_num_threads()
    try:
        progress("loading")
        session = _session(ort, path, settings, threads)
        given = _given(ort, session, inputs)
        names = [info.name for info in session.get_outputs()]

        def run() -> None:
            session.run_with_ort_values(names, given)

        progress("warming up")
        run()
        warm_up(run, seconds=settings.seconds)
        progress("timing")
        spread = timed(run, settings, threads)
        found: dict[str, Any] = {}
        if by_layer or by_operation:
            progress("profiling")
            nodes, profiled_s = _profile(ort, path, settings, threads, given)
            if not any(node.seconds for node in nodes):  # it counts in microseconds
                nodes = [OperationTime(" Graph", 1, spread.median_s)]
            scale = spread.median_s / sum(node.seconds for node in nodes)
            if by_layer:
                found["own"] = _by_layer(nodes, path, scale)
                found["phases"] = Phases(spread.median_s)
                found["overhead"] = profiled_s / spread.median_s - 1
            if by_operation:
                found["operations"] = _by_operation(nodes, scale)
    except CnnInspectError:
        raise
    except Exception as problem:  # onnxruntime's own errors have no common base
        raise RunFailed(first_line(problem), hint="--debug shows where it failed") from problem
    return Timed(spread=spread, threads=threads, device=_device(settings), **found)


def _device(settings: TimeSettings) -> str:
    if settings.device != "auto":
        return settings.device
    return "cuda" if PROVIDERS["cuda"] in runtime().get_available_providers() else "cpu"


def _session(
    ort: Any, path: Path, settings: TimeSettings, threads: int, profile: str | None = None
) -> Any:
    device = _device(settings)
    if PROVIDERS.get(device) not in ort.get_available_providers():
        here = [name for name, p in PROVIDERS.items() if p in ort.get_available_providers()]
        expected = f"one that this onnxruntime computes on: {', '.join(here)}"
        raise BadOption("--device", device, expected)
    options = ort.SessionOptions()
    options.log_severity_level = QUIET
    options.intra_op_num_threads = threads
    if profile is not None:
        options.enable_profiling = True
        options.profile_file_prefix = profile
    return ort.InferenceSession(str(path), options, providers=[PROVIDERS[device]])


def _given(ort: Any, session: Any, inputs: Sequence[NamedTensor]) -> dict[str, Any]:
    """Random numbers for floating-point inputs, zeros for whole ones, by the names of the file."""
    specs = {readable(tensor.name): tensor.spec for tensor in inputs}
    drawn = torch.Generator().manual_seed(0)
    given = {}
    for place, info in enumerate(session.get_inputs()):
        spec = specs.get(info.name) or specs.get(readable(info.name)) or inputs[place].spec
        is_half = info.type == "tensor(bfloat16)"
        dtype = torch.float32 if is_half else _dtype_of(info.type, spec.dtype)
        if dtype.is_floating_point:
            tensor = torch.randn(spec.shape, generator=drawn).to(dtype)
        else:
            tensor = torch.zeros(spec.shape, dtype=dtype)
        if is_half:
            raw = tensor.bfloat16().view(torch.int16).numpy().view("uint16")
            given[info.name] = ort.OrtValue.ortvalue_from_numpy_with_onnx_type(raw, BFLOAT16)
        else:
            given[info.name] = ort.OrtValue.ortvalue_from_numpy(tensor.numpy())
    return given


def _dtype_of(kind: str, otherwise: str) -> torch.dtype:
    """The dtype of `tensor(float16)`; a file that was converted has another than the trace."""
    name = kind.removeprefix("tensor(").removesuffix(")")
    name = {"float": "float32", "double": "float64"}.get(name, name)
    found = getattr(torch, name, None) or getattr(torch, otherwise)
    assert isinstance(found, torch.dtype)
    return found


# --- its profile ---


def _profile(
    ort: Any, path: Path, settings: TimeSettings, threads: int, given: Mapping[str, Any]
) -> tuple[list[OperationTime], float]:
    """The nodes that ran with their mean times, and the median of whole runs under the profiler.

    The name of each is that of the node, then its operator: `relu_nchwc Conv`.
    """
    folder = tempfile.mkdtemp(prefix="cnninspect-")
    try:
        session = _session(ort, path, settings, threads, profile=f"{folder}/profile")
        names = [info.name for info in session.get_outputs()]
        times = []
        for _ in range(PROFILED):
            start = time.perf_counter()
            session.run_with_ort_values(names, dict(given))
            times.append(time.perf_counter() - start)
        events = json.loads(Path(session.end_profiling()).read_text())
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    found: dict[str, list[float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(ENDINGS[0]):
            name = event["name"].removesuffix(ENDINGS[0])
            kind = event.get("args", {}).get("op_name", "")
            found.setdefault(f"{name} {kind}", []).append(event["dur"] / 1e6)
    nodes = [
        OperationTime(name, max(len(t) // PROFILED, 1), _without_first(t, len(t) // PROFILED))
        for name, t in found.items()
    ]
    return nodes, spread_of(times[1:]).median_s


def _without_first(times: Sequence[float], calls: int) -> float:
    """Seconds in one run, of times of several of which the first is a warm-up."""
    kept = times[max(calls, 1) :] or times
    return sum(kept) / len(kept) * max(calls, 1)


def _by_operation(nodes: Sequence[OperationTime], scale: float) -> tuple[OperationTime, ...]:
    found: dict[str, tuple[int, float]] = {}
    for node in nodes:
        kind = node.name.rpartition(" ")[2]
        calls, seconds = found.get(kind, (0, 0.0))
        found[kind] = calls + node.calls, seconds + node.seconds * scale
    made = [OperationTime(f"onnx.{kind}", *of) for kind, of in found.items()]
    return tuple(sorted(made, key=lambda each: -each.seconds))


def _by_layer(nodes: Sequence[OperationTime], path: Path, scale: float) -> dict[str, float]:
    """Seconds of each layer alone, by its path."""
    layer_of = Origins(onnx.load(path, load_external_data=False).graph).layer_of
    own: dict[str, float] = {}
    for node in nodes:
        name, _, kind = node.name.rpartition(" ")
        layer = layer_of(name, kind)
        own[layer] = own.get(layer, 0.0) + node.seconds * scale
    return own


class Origins:
    """Finds the node of a file that one of onnxruntime's comes from, and its layer."""

    def __init__(self, graph: GraphProto) -> None:
        stored = {tensor.name for tensor in graph.initializer}
        by_names = names_are_paths(graph.node)
        self._nodes = list(graph.node)  # kept, so that each stays the same object
        self._layers = {}
        for node in self._nodes:
            weights = [name for name in node.input if name in stored]
            place = place_of(node, weights, by_names=by_names)
            self._layers[id(node)] = "" if place is None else place.path
        self._by_name = {node.name: node for node in self._nodes}
        self._makers = {name: node for node in self._nodes for name in node.output}
        self._taken: set[int] = set()

    def layer_of(self, name: str, kind: str) -> str:
        """The layer of a node of a profile, which is `""` where nothing tells."""
        for ending in ENDINGS:
            name = name.removesuffix(ending)
        named = self._by_name.get(name) or self._makers.get(name)
        if named is None:
            return ""
        found = self._origin(named, lambda node: node.op_type == kind.removeprefix(FUSED))
        self._taken.add(id(found))
        return self._layers.get(id(found), "")

    def _origin(self, named: NodeProto, is_meant: Callable[[NodeProto], bool]) -> NodeProto:
        """The nearest node before this one that does the work and is nobody else's; else itself."""
        pending, seen = deque([(named, 0)]), {id(named)}
        while pending:
            node, distance = pending.popleft()
            if is_meant(node) and id(node) not in self._taken:
                return node
            if distance < FARTHEST:
                for name in node.input:
                    maker = self._makers.get(name)
                    if maker is not None and id(maker) not in seen:
                        seen.add(id(maker))
                        pending.append((maker, distance + 1))
        return named
