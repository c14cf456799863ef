"""Hooks that take the norm of each gradient as it arrives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction

from cnninspect.engine.bind_inputs import converted
from cnninspect.engine.fake_tensors import stored_bytes
from cnninspect.engine.module_tree import named_parameters, type_name, walk
from cnninspect.engine.recording import tensors_in
from cnninspect.records.passes import LayerPass, Norms, WeightedLayer

ROW = 1024
"""Elements whose squares are summed in single precision; the sums are summed in double."""
CHUNK = 2**20
"""Elements that are turned to double precision at a time."""
SAFE = (1e-12, 1e15)
"""Root mean squares between these have squares that single precision holds."""


def norm_of(tensor: Tensor) -> float:
    """The L2 norm of all elements, accumulated in double precision.

    Nothing as large as the tensor is made on the way.  The squares of numbers below 1e-19 are lost
    in single precision, and those above 1e19 are infinite, so tensors of such are taken the slow
    way.
    """
    flat = _flat(tensor)
    count = flat.numel()
    if not count:
        return 0.0
    if flat.dtype == torch.float64 or count < ROW:
        return _exact_norm(flat)
    whole = count - count % ROW
    rows = torch.linalg.vector_norm(flat[:whole].view(-1, ROW), dim=1, dtype=torch.float32)
    squares = float(rows.cpu().double().square().sum())
    norm = math.sqrt(squares + _exact_norm(flat[whole:]) ** 2)
    if SAFE[0] < norm / math.sqrt(count) < SAFE[1]:
        return norm
    return _exact_norm(flat)


def zeros_in(tensor: Tensor) -> int:
    """How many elements are exactly 0; of a sparse tensor, those that it leaves out too."""
    return tensor.numel() - int(torch.count_nonzero(_flat(tensor)))


def _flat(tensor: Tensor) -> Tensor:
    """The elements in one row, without copying where the memory has no gaps."""
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor)
    if tensor.is_contiguous():
        return tensor.view(-1)
    order = sorted(range(tensor.dim()), key=tensor.stride, reverse=True)
    return tensor.permute(order).reshape(-1)  # a view of any dense layout, as channels last


def _exact_norm(flat: Tensor) -> float:
    total = 0.0
    for chunk in flat.split(CHUNK):
        total = math.hypot(total, float(torch.linalg.vector_norm(chunk.cpu().double())))
    return total


class Sizes:
    """Norm, elements and zeros of tensors that are taken together."""

    __slots__ = ("elements", "norm", "zeros")

    def __init__(self) -> None:
        self.norm = 0.0
        self.elements = 0
        self.zeros = 0

    def add(self, tensor: Tensor, *, counts_zeros: bool) -> None:
        """Take one more tensor in."""
        self._add(norm_of(tensor), tensor.numel(), zeros_in(tensor) if counts_zeros else 0)

    def add_zeros(self, elements: int) -> None:
        """Take in a gradient that never arrived, since nothing depends on its tensor."""
        self._add(0.0, elements, elements)

    def add_sizes(self, other: Sizes) -> None:
        """Take in all that others took together."""
        self._add(other.norm, other.elements, other.zeros)

    def _add(self, norm: float, elements: int, zeros: int) -> None:
        self.norm = math.hypot(self.norm, norm) if math.isfinite(norm) else self.norm + norm
        self.elements += elements
        self.zeros += zeros

    @property
    def rms(self) -> float:
        """The root mean square of all elements."""
        return self.norm / math.sqrt(self.elements) if self.elements else 0.0

    @property
    def zero_share(self) -> float:
        """The share of elements that are exactly 0."""
        return self.zeros / self.elements if self.elements else 0.0


class Watched:
    """What is known of one layer in the pass that runs."""

    def __init__(self, layer: WeightedLayer, module: nn.Module) -> None:
        self.layer = layer
        self.module = module
        self.forget()

    def forget(self) -> None:
        """Be ready for the next pass."""
        self.calls = 0
        self.activations = Sizes()
        self.gradients = Sizes()
        self.awaited: list[int] = []
        """Elements of the outputs whose gradient has not arrived yet, by call; 0 once it has."""
        self.unfollowed = 0
        """Calls of the forward pass with gradients off, which are followed when they run again."""


class Measurement:
    """A model whose backward passes leave norms behind instead of gradients.

    Leaving the context takes all hooks off again.
    """

    def __init__(self, model: nn.Module, layers: Iterable[WeightedLayer]) -> None:
        self.keeps_gradients = False
        """Whether parameters keep their gradients, for an optimizer."""
        self.is_on = True
        """Whether norms are taken."""
        self._is_backward = False
        self._comes_in_parts = False
        """Whether a parameter's gradient is complete only when the backward pass is."""
        self._model = model
        self._parameters = named_parameters(model)
        self._layers = _distinct(layers, dict(walk(model)))
        self._arrived: dict[int, Sizes] = {}
        """What came of each parameter's gradient, by the parameter's `id`."""
        self._handles: list[Any] = []

    def __enter__(self) -> Measurement:
        for watched in self._layers:
            handle = watched.module.register_forward_hook(self._forward_hook(watched))
            self._handles.append(handle)
        for parameter in self._trainable():
            hook = parameter.register_post_accumulate_grad_hook(self._take_gradient)
            self._handles.append(hook)
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def forget(self) -> None:
        """Be ready for the next pass."""
        self._arrived.clear()
        for watched in self._layers:
            watched.forget()

    def backward(self, loss: Tensor) -> None:
        """Go back from the loss.

        Layers that run again on the way, since their outputs were not kept (gradient
        checkpointing), are not taken for further calls.
        """
        self._is_backward = True
        self._comes_in_parts = holds_functions_in_python(loss)
        try:
            loss.backward()
        finally:
            self._is_backward = self._comes_in_parts = False
        for parameter in self._trainable():  # what came in parts; else nothing is left
            if id(parameter) not in self._arrived:
                self._take_gradient(parameter)

    def layers(self) -> tuple[LayerPass, ...]:
        """What the last pass left behind, for every layer that ran."""
        return tuple(self._layer_pass(watched) for watched in self._layers if watched.calls)

    def gradient_norm(self) -> float:
        """The L2 norm of the gradients of all parameters together."""
        whole = Sizes()
        for sizes in self._arrived.values():
            whole.add_sizes(sizes)
        return whole.norm

    # --- the hooks ---

    def _take_gradient(self, parameter: Tensor) -> None:
        gradient = parameter.grad
        if gradient is None or self._comes_in_parts:
            return
        if self.is_on:
            self._arrived.setdefault(id(parameter), Sizes()).add(gradient, counts_zeros=True)
        if not self.keeps_gradients:
            parameter.grad = None

    def _forward_hook(self, watched: Watched) -> Callable[..., Any]:
        def hook(module: nn.Module, args: Any, output: Any) -> Any:  # noqa: ARG001
            if not self.is_on:
                return None
            tensor = next((t for t in tensors_in(output) if t.dtype.is_floating_point), None)
            if not self._is_backward:
                watched.calls += 1
                watched.unfollowed += not torch.is_grad_enabled()
                if tensor is not None:
                    watched.activations.add(tensor, counts_zeros=False)
            elif not watched.unfollowed:
                return None
            else:
                watched.unfollowed -= 1
            if tensor is None or not tensor.requires_grad:
                return None
            if not is_part(tensor):
                wait_for_gradient(watched, tensor)
                return None
            # What overwrites a part of another tensor leaves no trace at the part's own node.
            copy = tensor.clone()
            wait_for_gradient(watched, copy)
            return converted(output, lambda t: copy if t is tensor else t)

        return hook

    # --- their outcome ---

    def _layer_pass(self, watched: Watched) -> LayerPass:
        parameters = [self._parameters[name] for name in watched.layer.parameters]
        trainable = [parameter for parameter in parameters if parameter.requires_grad]
        own, weights = Sizes(), Sizes()
        for name, parameter in zip(watched.layer.parameters, parameters):
            if not parameter.numel() or stored_bytes(parameter):
                weights.add(parameter, counts_zeros=False)
            else:  # gathered from shards for the time of the pass, and let go of since
                weights.add(named_parameters(self._model)[name], counts_zeros=False)
        for parameter in trainable:
            sizes = self._arrived.get(id(parameter))
            if sizes is None:
                own.add_zeros(parameter.numel())
            else:
                own.add_sizes(sizes)
        gradients = Sizes()
        gradients.add_sizes(watched.gradients)
        gradients.add_zeros(sum(watched.awaited))
        has_gradient = bool(watched.awaited)
        return LayerPass(
            path=watched.layer.path,
            type=type_name(watched.module),
            calls=watched.calls,
            parameters=sum(parameter.numel() for parameter in parameters),
            trainable=sum(parameter.numel() for parameter in trainable),
            norms=Norms(
                activation_norm=watched.activations.norm,
                activation_rms=watched.activations.rms,
                activation_gradient_norm=gradients.norm if has_gradient else None,
                activation_gradient_rms=gradients.rms if has_gradient else None,
                activation_gradient_zeros=gradients.zero_share if has_gradient else None,
                gradient_norm=own.norm if trainable else None,
                gradient_rms=own.rms if trainable else None,
                gradient_zeros=own.zero_share if trainable else None,
                parameter_norm=weights.norm,
            ),
        )

    def _trainable(self) -> list[Tensor]:
        distinct = {id(parameter): parameter for parameter in self._parameters.values()}
        return [parameter for parameter in distinct.values() if parameter.requires_grad]


def wait_for_gradient(watched: Watched, tensor: Tensor) -> None:
    """Take the norm of the gradient at `tensor` when it arrives.

    The hook goes to the node of the graph that made the tensor, since the tensor itself may be
    overwritten by the next layer, and then stands for another value.  Overwriting a view gives
    it a new node, so for a view of all of another tensor the node of that one is taken.
    """
    call = len(watched.awaited)
    watched.awaited.append(tensor.numel())
    maker = tensor if tensor._base is None else tensor._base
    node, position = maker.grad_fn, maker.output_nr

    def arrived(gradients: tuple[Tensor | None, ...]) -> None:
        gradient = gradients[position]
        if gradient is not None:
            watched.awaited[call] = 0
            watched.gradients.add(gradient, counts_zeros=True)

    if node is None:
        tensor.register_hook(lambda gradient: arrived((gradient,)))
    else:
        node.register_prehook(arrived)


def _distinct(layers: Iterable[WeightedLayer], modules: Mapping[str, nn.Module]) -> list[Watched]:
    """Each module once, under the first path that it is called by."""
    found: dict[int, Watched] = {}
    for layer in layers:
        module = modules.get(layer.path)
        if module is not None:
            found.setdefault(id(module), Watched(layer, module))
    return list(found.values())


def holds_functions_in_python(loss: Tensor) -> bool:
    """Whether the graph of a loss has nodes that are written in Python.

    These may run a backward pass of their own, as reentrant checkpointing does, which hands a
    parameter that several of them use its gradient in as many parts.
    """
    waiting: list[Any] = [loss.grad_fn]
    met = set(waiting)
    while waiting:
        node = waiting.pop()
        if isinstance(node, BackwardCFunction):
            return True
        after = {each for each, _ in node.next_functions if each is not None}
        waiting += after - met
        met |= after
    return False


def is_part(tensor: Tensor) -> bool:
    """Whether a tensor is a view of something that has other elements too, or no gradient."""
    base = tensor._base
    return base is not None and (base.grad_fn is None or base.numel() != tensor.numel())
