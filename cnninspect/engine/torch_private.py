"""Every private name of PyTorch that is used, in one place, with what breaks where it is gone.

Other modules import these from here, and nothing private from torch itself.  A name that an upgrade
takes away is missing here alone, and `tests/engine/test_torch_private.py` says which one and what
for.  `TorchDispatchMode` and its like are what PyTorch documents for tools, in private modules.
"""

from __future__ import annotations

from typing import Any

from torch import _VF
from torch._C import (
    DisableTorchFunctionSubclass,
    TensorBase,
    _autocast_supported_devices,
    _autograd,
    _current_autograd_node,
    _dispatch_has_kernel_for_dispatch_key,
    _get_dispatch_mode,
    _InferenceMode,
    _is_any_autocast_enabled,
    _len_torch_function_stack,
    _meta_in_tls_dispatch_include,
    _pop_torch_function_stack,
    _push_on_torch_function_stack,
    _set_grad_enabled,
    _TorchDispatchModeKey,
)
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch._higher_order_ops.cond import cond_op
from torch._higher_order_ops.flex_attention import flex_attention
from torch._higher_order_ops.map import map_impl
from torch._higher_order_ops.scan import scan_op
from torch._higher_order_ops.while_loop import while_loop_op
from torch._ops import HigherOrderOperator
from torch.overrides import _get_current_function_mode_stack
from torch.utils import _python_dispatch as python_dispatch
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _disable_current_modes,
    _get_current_dispatch_mode_stack,
    _pop_mode,
    _push_mode,
    is_traceable_wrapper_subclass_type,
)

USES = {
    "DisableTorchFunctionSubclass": "looks at a tensor subclass without running its own code",
    "TensorBase": "reads a tensor's attributes past those that a subclass hides",
    "_VF": "exports a recurrent layer as one node",
    "_InferenceMode": "leaves a caller's inference mode for the time of a run",
    "_autocast_supported_devices": "switches off a caller's autocast on every device",
    "_autograd": "puts version counters back, numbers nodes, sets saved tensors' hooks aside",
    "_current_autograd_node": "says to which layer a call of the backward pass belongs",
    "_dispatch_has_kernel_for_dispatch_key": "tells operators that have a gradient",
    "_disable_current_modes": "computes beside a run without being recorded",
    "_get_current_dispatch_mode_stack": "sets a caller's own dispatch modes aside",
    "_TorchDispatchModeKey": "names the mode of PyTorch's own fake tensors",
    "_get_dispatch_mode": "tells whether PyTorch's own fake tensors are at work, as for DTensor",
    "_get_current_function_mode_stack": "lets a network's own threads run under the modes of a run",
    "_is_any_autocast_enabled": "asks whether a network runs under autocast",
    "_len_torch_function_stack": "sets a caller's own function modes aside",
    "_meta_in_tls_dispatch_include": "tells whether a function has switched to the meta device",
    "_pop_mode": "sets a caller's own dispatch modes aside",
    "_pop_torch_function_stack": "catches what a caught function calls in its turn",
    "_push_mode": "puts a caller's own dispatch modes back",
    "_push_on_torch_function_stack": "catches what a caught function calls in its turn",
    "_set_grad_enabled": "puts the switch for gradients back without a context",
    "HigherOrderOperator": "tells operators that take functions from all others",
    "TorchDispatchMode": "sees every operator: fake and real runs are such modes",
    "cond_op": "counts both branches of `torch.cond`",
    "flex_attention": "counts flex attention as one call",
    "is_traceable_wrapper_subclass_type": "looks into tensors that are made of other tensors",
    "map_impl": "counts the body of `map` as often as it runs",
    "python_dispatch": "holds flags of its own that an unusual way out of a mode leaves set",
    "pytree": "takes nested arguments apart, and puts them together again",
    "scan_op": "counts the body of `scan` as often as it runs",
    "temporarily_clear_interpreter_stack": "traces inside `torch.func` transforms",
    "while_loop_op": "counts the body of `while_loop` as unknown, not as nothing",
}
"""Each name with what it is for; without it, that is what breaks."""


SKIPS_DYNAMO = "_should_skip_dynamo"
"""Class method of dispatch modes; where it returns False, PyTorch does not import its compiler for
the first operator, which takes a second."""


def program_serialization() -> tuple[Any, Any]:
    """The modules `schema` and `serialize` of `torch.export`, which read the graph of a `.pt2`."""
    from torch._export.serde import schema, serialize

    return schema, serialize


__all__ = [
    "SKIPS_DYNAMO",
    "USES",
    "_VF",
    "DisableTorchFunctionSubclass",
    "HigherOrderOperator",
    "TensorBase",
    "TorchDispatchMode",
    "_InferenceMode",
    "_TorchDispatchModeKey",
    "_autocast_supported_devices",
    "_autograd",
    "_current_autograd_node",
    "_disable_current_modes",
    "_dispatch_has_kernel_for_dispatch_key",
    "_get_current_dispatch_mode_stack",
    "_get_current_function_mode_stack",
    "_get_dispatch_mode",
    "_is_any_autocast_enabled",
    "_len_torch_function_stack",
    "_meta_in_tls_dispatch_include",
    "_pop_mode",
    "_pop_torch_function_stack",
    "_push_mode",
    "_push_on_torch_function_stack",
    "_set_grad_enabled",
    "cond_op",
    "flex_attention",
    "is_traceable_wrapper_subclass_type",
    "map_impl",
    "program_serialization",
    "python_dispatch",
    "pytree",
    "scan_op",
    "temporarily_clear_interpreter_stack",
    "while_loop_op",
]
