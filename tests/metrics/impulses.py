"""Receptive fields as they are measured: change the input at one position, see what changes."""

import torch

from cnninspect.engine.tracing import trace
from cnninspect.records.models import LoadedModel, ModelInfo


def trace_of(module, *inputs):
    """The trace of a module of one's own."""
    info = ModelInfo(type(module).__name__, "module", type(module).__name__)
    return trace(LoadedModel(info, build=lambda: module, live=True), inputs)


def made_sensitive(module):
    """The module with positive parameters, so that no two influences cancel each other."""
    torch.manual_seed(0)
    for parameter in module.parameters():
        parameter.data = 0.5 + torch.rand_like(parameter)
        if parameter.dim() > 1:  # each output about as large as the inputs
            parameter.data /= parameter[0].numel()
    return module.double().eval()


@torch.no_grad()
def measured_fields(module, shape):
    """By layer path, the input positions that the most dependent element of its output depends on.

    Along one dimension after the other, all elements at each position are raised in turn; an
    element of an output depends on the positions from the first to the last that change it.
    `shape` is that of the input, (1, channels, *positions).  Layers are left out whose output does
    not begin with the batch.  The number falls short where no element sees its whole window, since
    the input is too small.
    """
    names = {part: path for path, part in module.named_modules()}
    by_axis = []
    for dim in range(2, len(shape)):
        outputs = {}

        def keep(part, _, output, outputs=outputs):
            outputs[names[part]] = output

        handles = [part.register_forward_hook(keep) for part in names]
        try:
            module(raised_in_turn(shape, dim))
        finally:
            for handle in handles:
                handle.remove()
        batch = 1 + shape[dim]
        by_axis.append(
            {path: extent(output) for path, output in outputs.items() if len(output) == batch}
        )
    return {path: tuple(found[path] for found in by_axis) for path in by_axis[0]}


def raised_in_turn(shape, dim):
    """(1 + size, *shape[1:]): random numbers, and then those with one position along `dim` raised.

    None are alike, since attention does not see a change among equals.
    """
    x = 1 + torch.rand(1, *shape[1:], dtype=torch.float64).repeat(
        1 + shape[dim], *(1 for _ in shape[1:])
    )
    for position in range(shape[dim]):
        raised = x[1 + position].select(dim - 1, position)
        raised += 100 * (1 + torch.rand_like(raised))
    return x


def extent(output):
    """The most positions, from the first to the last, that an element of the output depends on."""
    changed = (output[1:] - output[:1]).abs() > 1e-13 * output[:1].abs()
    changed = changed.flatten(1)  # (positions, elements)
    changed = changed[:, changed.any(0)]
    if not changed.numel():
        return 0
    first = changed.int().argmax(0)
    last = len(changed) - 1 - changed.flip(0).int().argmax(0)
    return int((last - first).max()) + 1
