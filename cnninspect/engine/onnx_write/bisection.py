"""Finds the first layer whose output differs between a file and the network it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import ModelProto, NodeProto
from torch import Tensor, nn

from cnninspect.engine.bind_inputs import Given
from cnninspect.engine.module_tree import type_name
from cnninspect.engine.onnx_read.node_layers import LAYER, SCOPES, quoted
from cnninspect.engine.onnx_write.axes import Feed
from cnninspect.engine.onnx_write.exporting import readable
from cnninspect.engine.onnx_write.verification import Session, errors_between, tolerance_of
from cnninspect.records.exports import LayerMismatch

MOST_COMPARED = 12
"""Layers that are compared where the outputs say little."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A place where both can be looked at: the output of a layer."""

    path: str
    """The module."""
    value: str
    """The tensor of the file."""


def first_difference(
    path: Path, module: nn.Module, feed: Feed, given: Given
) -> LayerMismatch | None:
    """The first layer whose output differs for these inputs; None where no layer can be told.

    Halves the list of layers in the order of the file: where one differs, what made it differ lies
    at it or before it.
    """
    model = onnx.load(path, load_external_data=False)
    probes = probes_in(model, module)
    bench = Bench(path, model, module, feed, given)
    low, high = 0, len(probes)
    found: LayerMismatch | None = None
    while low < high:
        middle = (low + high) // 2
        seen, mismatch = bench.look(probes[middle])
        if not seen:  # its output is not to be had from both
            del probes[middle]
            high -= 1
        elif mismatch is not None:
            found, high = mismatch, middle
        else:
            low = middle + 1
    return found


def difference_inside(
    path: Path, module: nn.Module, feed: Feed, given: Given
) -> tuple[int, LayerMismatch | None]:
    """How many layers were compared, and the first of those that differs; at most a few of many."""
    model = onnx.load(path, load_external_data=False)
    probes = probes_in(model, module)
    step = max(len(probes) // MOST_COMPARED, 1)
    bench = Bench(path, model, module, feed, given)
    compared = 0
    for probe in probes[::step]:
        seen, mismatch = bench.look(probe)
        compared += seen
        if mismatch is not None:
            return compared, mismatch
    return compared, None


def probes_in(model: ModelProto, module: nn.Module) -> list[Probe]:
    """The last tensor that the file makes in each layer, in its order.

    A layer that runs several times is left out, since the tensors of the runs cannot be told apart.
    """
    paths = dict(module.named_modules())
    last: dict[str, tuple[int, str]] = {}
    runs: dict[str, int] = {}
    before = ""
    for i, node in enumerate(model.graph.node):
        path = _layer(node)
        if path not in paths or not node.output or not node.output[0]:
            continue
        if path != before:
            runs[path] = runs.get(path, 0) + 1
        last[path] = (i, node.output[0])
        before = path
    ordered = sorted((i, path, value) for path, (i, value) in last.items())
    return [Probe(path, value) for _, path, value in ordered if path and runs[path] == 1]


def _layer(node: NodeProto) -> str:
    """Where torch's exporter places a node: of two layers that became one node, the later one."""
    notes = {entry.key: entry.value for entry in node.metadata_props}
    scopes = quoted(notes.get(SCOPES, ""))[:-1]
    return scopes[-1] if scopes else notes.get(LAYER, "")


class Bench:
    """Both networks, run with the same inputs and looked into."""

    def __init__(
        self, path: Path, model: ModelProto, module: nn.Module, feed: Feed, given: Given
    ) -> None:
        self.path = path
        self.model = model
        self.module = module
        self.names = list(map(readable, feed.names))
        self.given = given
        self.tolerance = tolerance_of(module)

    def look(self, probe: Probe) -> tuple[bool, LayerMismatch | None]:
        """Whether the layer's output is to be had from both, and how it differs if it does."""
        expected = self._in_torch(probe.path)
        found = self._in_file(probe.value)
        if expected is None or found is None or expected.shape != found.shape:
            return False, None
        absolute, relative = errors_between(expected, found)
        if relative <= self.tolerance:
            return True, None
        kind = type_name(self.module.get_submodule(probe.path))
        return True, LayerMismatch(probe.path, kind, absolute, relative)

    def _in_torch(self, path: str) -> Tensor | None:
        kept: list[Any] = []
        handle = self.module.get_submodule(path).register_forward_hook(
            # Copied, since the next layer may work in place.
            lambda _, __, output: kept.append(
                output.clone() if isinstance(output, Tensor) else output
            )
        )
        try:
            with torch.no_grad():
                self.module(*self.given.args, **self.given.kwargs)
        finally:
            handle.remove()
        tensors = [output for output in kept if isinstance(output, Tensor)]
        return tensors[0] if len(tensors) == 1 == len(kept) else None

    def _in_file(self, value: str) -> Tensor | None:
        looked_into = ModelProto()
        looked_into.CopyFrom(self.model)
        del looked_into.graph.output[:]
        looked_into.graph.output.append(onnx.ValueInfoProto(name=value))
        beside = self.path.with_name(f"looked-into-{self.path.name}")
        try:
            onnx.save(looked_into, beside)
            found: Sequence[Tensor] = Session(beside).run(self.names, self.given.tensors())
        except Exception:  # a tensor that onnxruntime does not give out
            return None
        finally:
            beside.unlink(missing_ok=True)
        return found[0] if len(found) == 1 else None
