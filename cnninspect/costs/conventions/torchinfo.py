"""How torchinfo counts mult-adds (version 1.8).

For each run of each module without children: every parameter called `weight` or `bias`, times the
positions of the output if the class's name has `Conv` in it, else times the first dimension of the
output; any other parameter with such a word in its name, as recurrent layers have them, times the
first two dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from cnninspect.costs.conventions.convention import Convention, by_layer
from cnninspect.records.operations import Operation, TensorSpec
from cnninspect.records.traces import Layer, Trace, parent_of


def _torchinfo(trace: Trace) -> dict[str, int]:
    parents = {parent_of(layer.path) for layer in trace.layers if layer.path}

    def count(layer: Layer, operations: Sequence[Operation]) -> int:
        if layer.path in parents:
            return 0
        return sum(_run(layer, output.shape) for output in outputs_of_runs(layer, operations))

    return by_layer(count)(trace)


def _run(layer: Layer, output: tuple[int, ...]) -> int:
    total = 0
    buffers = {buffer.name for buffer in layer.buffers}
    for parameter in layer.parameters:
        name = parameter.name.removesuffix("_orig")
        if f"{name}_mask" not in buffers:  # pruned ones have a mask, which is not looked at
            name = parameter.name
        if name in ("weight", "bias"):
            times = prod(output[:1] + output[2:]) if "Conv" in layer.type else prod(output[:1])
        elif "weight" in name or "bias" in name:
            times = prod(output[:2])
        else:
            continue
        total += parameter.spec.numel * times
    return total


def outputs_of_runs(layer: Layer, operations: Sequence[Operation]) -> list[TensorSpec]:
    """What each run of a layer returned.

    A trace keeps the output of the first run.  If all runs made equally many calls and the last of
    them returned that output, the others follow from their last calls; else they are taken to be
    like the first.
    """
    if not layer.calls or not layer.outputs:
        return []
    each, rest = divmod(len(operations), layer.calls)
    if each and not rest:
        last = [operation.outputs[:1] for operation in operations[each - 1 :: each]]
        if all(last) and last[0][0] == layer.outputs[0]:
            return [output[0] for output in last]
    return [layer.outputs[0]] * layer.calls


TORCHINFO = Convention(
    name="torchinfo",
    unit="mult-adds",
    source="https://github.com/TylerYep/torchinfo, torchinfo/layer_info.py, calculate_macs",
    counts="parameters times the positions, or else the batch, of what a module returns; biases "
    "and the weights of normalisation are among them",
    caution="a linear layer on a sequence is counted once for the whole sequence; attention and "
    "everything else without a parameter of its own, functional calls, modules with children and "
    "parameters in lists count nothing; a transposed convolution is counted at its output",
    count_layers=_torchinfo,
)
