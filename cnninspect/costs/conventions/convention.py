"""What a convention is, and the two ways to write one: call by call, or layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cnninspect.errors import BadOption
from cnninspect.records.layers import Layer
from cnninspect.records.operations import Call, Operation
from cnninspect.records.traces import Trace

CountCall = Callable[[Call], int]
"""What one call counts."""
CountLayer = Callable[[Layer, Sequence[Operation]], int]
"""What a layer counts by itself, given what it ran, in order."""
EXPECTED_OF_GRAPHS = "macs or torchvision for a graph in a file; other rules are for modules"
"""What may be asked for instead of rules that do not fit."""


@dataclass(frozen=True, slots=True)
class Convention:
    """Somebody's rules for the size of a network's work, over the same trace as all others."""

    name: str
    """What one types after `--count-as`."""
    unit: str
    """What its authors call the number."""
    source: str
    """Where the rules are written down."""
    counts: str
    """What goes into the number, in a sentence."""
    caution: str
    """Where the number is not what one would think."""
    count_layers: Callable[[Trace], dict[str, int]]
    """Counts by layer path, each layer's own."""
    knows_graphs: bool = False
    """Whether the rules speak of the operators of a graph in a file, not only of PyTorch's."""

    def fits(self, trace: Trace) -> bool:
        """Whether the rules can be applied to a trace: most know PyTorch's modules and names."""
        return self.knows_graphs or trace.how.build != "file"

    def count(self, trace: Trace) -> dict[str, int]:
        """What every layer counts by itself, by path; the sum is the network's count.

        Raises:
            BadOption: the rules know nothing of a graph in a file.
        """
        if not self.fits(trace):
            raise BadOption("--count-as", self.name, EXPECTED_OF_GRAPHS)
        return self.count_layers(trace)

    def total(self, trace: Trace) -> int:
        """The network's count; raises as `count` does."""
        return sum(self.count(trace).values())


def by_layer(count: CountLayer) -> Callable[[Trace], dict[str, int]]:
    """Counts layer by layer."""

    def count_layers(trace: Trace) -> dict[str, int]:
        ran_in: dict[str, list[Operation]] = {layer.path: [] for layer in trace.layers}
        for call in trace.calls:
            ran_in[call.layer].append(call.operation)
        return {layer.path: count(layer, ran_in[layer.path]) for layer in trace.layers}

    return count_layers


def by_call(count: CountCall) -> Callable[[Trace], dict[str, int]]:
    """Counts call by call, in whatever layer it was made."""

    def count_layers(trace: Trace) -> dict[str, int]:
        counts = {layer.path: 0 for layer in trace.layers}
        for call in trace.calls:
            counts[call.layer] += count(call)
        return counts

    return count_layers
