"""The shape of one example, for models that are trained on data or judged by them."""

from __future__ import annotations

from cnninspect.errors import UnusableData
from cnninspect.records.operations import shape_text
from cnninspect.records.traces import Trace


def example_shape(trace: Trace, data: object) -> tuple[int, ...]:
    """The shape of one input of a model that takes one floating-point tensor, without the batch.

    Raises:
        UnusableData: it takes several, or token ids.
    """
    specs = [tensor.spec for tensor in trace.inputs]
    if len(specs) == 1 and len(specs[0].shape) > 1 and specs[0].dtype.startswith(("float", "bf")):
        return tuple(specs[0].shape[1:])
    kinds = " and ".join(f"{shape_text(s.shape)} {s.dtype}" for s in specs)
    raise UnusableData(data, f"{trace.model.reference} takes {kinds or 'nothing'}, and no images")
