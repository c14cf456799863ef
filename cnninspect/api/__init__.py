"""One function for each question: what notebooks and the command line both call."""

from cnninspect.api.comparing import compare, find
from cnninspect.api.counting import audit, explain, summarize
from cnninspect.api.diffing import diff
from cnninspect.api.exporting import export_onnx
from cnninspect.api.gating import check, lock_text
from cnninspect.api.loading import (
    MODES,
    Model,
    as_arguments,
    as_subject,
    is_shape,
    load,
    models,
    network,
    several,
    trace,
    weights_table,
    with_head,
)
from cnninspect.api.scaling import scale, scale_grid
from cnninspect.api.training import fit_batch, gradient_paths, gradients, memory

__all__ = [
    "MODES",
    "Model",
    "as_arguments",
    "as_subject",
    "audit",
    "check",
    "compare",
    "diff",
    "explain",
    "export_onnx",
    "find",
    "fit_batch",
    "gradient_paths",
    "gradients",
    "is_shape",
    "load",
    "lock_text",
    "memory",
    "models",
    "network",
    "scale",
    "scale_grid",
    "several",
    "summarize",
    "trace",
    "weights_table",
    "with_head",
]
