"""Knows which module is running, and writes down what goes in and out of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as hooks
from torch.nn.parameter import UninitializedTensorMixin

from cnninspect.engine.operators import spec_of
from cnninspect.engine.recording import Recorder, tensors_in
from cnninspect.records.layers import Buffer, Layer, Parameter, parent_of
from cnninspect.records.tensors import TensorSpec


class Visit:
    """What is known of a module that ran."""

    __slots__ = ("calls", "inputs", "order", "outputs")

    def __init__(self, order: int) -> None:
        self.order = order
        self.calls = 0
        self.inputs: tuple[TensorSpec, ...] | None = None
        self.outputs: tuple[TensorSpec, ...] | None = None


class Watch:
    """A stack of the running modules, kept by PyTorch's global forward hooks.

    A module's path is that of the module which called it plus its name there, so that a shared
    module has the path that it was called through.
    """

    def __init__(self, model: nn.Module, recorder: Recorder) -> None:
        self.model = model
        self.recorder = recorder
        self.visits: dict[str, Visit] = {}
        self._running: list[nn.Module] = []
        self._names: dict[int, dict[int, str]] = {}
        """For a module's `id`: names below it, by the `id` of the module that has them."""
        self._handles: list[Any] = []
        self.failed: tuple[str, tuple[TensorSpec, ...]] | None = None
        """Path and inputs of the innermost module that did not return."""

    def __enter__(self) -> Watch:
        self._handles = [
            hooks.register_module_forward_pre_hook(self._enter_module),
            hooks.register_module_forward_hook(
                self._leave_module, with_kwargs=True, always_call=True
            ),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        self.recorder.layers[1:] = []
        self._running.clear()

    def _enter_module(self, module: nn.Module, _: Any) -> None:
        self.failed = None
        path = self._path_of(module)
        self.recorder.layers.append(path)
        self._running.append(module)
        visit = self.visits.get(path)
        if visit is None:
            visit = self.visits[path] = Visit(len(self.visits))
        visit.calls += 1

    def _leave_module(self, module: nn.Module, args: Any, *rest: Any) -> None:
        # The keyword arguments and the output; after an error only the output, which is None.
        *kwargs, output = rest
        if not self._running or self._running[-1] is not module:
            return
        path = self.recorder.layers.pop()
        self._running.pop()
        visit = self.visits[path]
        if visit.inputs is None:
            visit.inputs = tuple(spec_of(t) for t in tensors_in((args, kwargs)))
        if output is None and self.failed is None:
            self.failed = path, tuple(spec_of(t) for t in tensors_in((args, kwargs)))
        if visit.outputs is None:
            visit.outputs = tuple(spec_of(t) for t in tensors_in(output))

    def _path_of(self, module: nn.Module) -> str:
        if not self._running:
            return ""
        parent, path = self._running[-1], self.recorder.layers[-1]
        names = self._names.get(id(parent))
        if names is None:
            names = self._names[id(parent)] = _names_below(parent)
        name = names.get(id(module))
        if name is None:
            return self._path_from_root(module, path)
        return f"{path}.{name}" if path else name

    def _path_from_root(self, module: nn.Module, default: str) -> str:
        """The path of a module that was called by one which does not hold it."""
        for path, known in self.model.named_modules():
            if known is module:
                return path
        return default

    # --- the tree ---

    def layers(self) -> tuple[Layer, ...]:
        """Every module, parents first, siblings in first-call order, unused ones last."""
        types: dict[str, nn.Module] = dict(walk(self.model))
        last = len(self.visits)
        first_call = {path: visit.order for path, visit in self.visits.items()}
        for path in reversed(types):  # a container that never runs itself stands where its parts do
            if path:
                parent = parent_of(path)
                order = first_call.get(path, last)
                first_call[path] = order
                first_call[parent] = min(first_call.get(parent, last), order)
        children: dict[str, list[str]] = {}
        for path in types:
            if path:
                children.setdefault(parent_of(path), []).append(path)
        owned = Ownership()
        unordered = {path: self._layer(path, module, owned) for path, module in types.items()}
        result, pending = [], [""]
        while pending:
            path = pending.pop()
            result.append(unordered[path])
            pending += sorted(children.get(path, ()), key=first_call.__getitem__, reverse=True)
        return tuple(result)

    def _layer(self, path: str, module: nn.Module, owned: Ownership) -> Layer:
        visit = self.visits.get(path)
        return Layer(
            path=path,
            type=type_name(module),
            calls=visit.calls if visit else 0,
            inputs=(visit.inputs or ()) if visit else (),
            outputs=(visit.outputs or ()) if visit else (),
            parameters=owned.parameters(path, module),
            buffers=owned.buffers(path, module),
        )


class Ownership:
    """Says of each tensor under which name it was met first."""

    def __init__(self) -> None:
        self._first: dict[int, str] = {}

    def parameters(self, path: str, module: nn.Module) -> tuple[Parameter, ...]:
        """The parameters that a module owns itself."""
        return tuple(
            Parameter(
                name, _stored_spec(tensor), tensor.requires_grad, self._met(path, name, tensor)
            )
            for name, tensor in module._parameters.items()
            if tensor is not None
        )

    def buffers(self, path: str, module: nn.Module) -> tuple[Buffer, ...]:
        """The buffers that a module owns itself."""
        return tuple(
            Buffer(
                name,
                _stored_spec(tensor),
                name not in module._non_persistent_buffers_set,
                self._met(path, name, tensor),
            )
            for name, tensor in module._buffers.items()
            if tensor is not None
        )

    def _met(self, path: str, name: str, tensor: Tensor) -> str | None:
        full = f"{path}.{name}" if path else name
        first = self._first.setdefault(id(tensor), full)
        return None if first == full else first


def walk(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every module with its path, parents first; one that has two names comes under both."""
    pending: list[tuple[str, nn.Module, frozenset[int]]] = [("", model, frozenset())]
    while pending:
        path, module, above = pending.pop()
        yield path, module
        above |= {id(module)}
        pending += [
            (f"{path}.{name}" if path else name, child, above)
            for name, child in reversed(module._modules.items())
            if child is not None and id(child) not in above
        ]


def tensor_names(model: nn.Module) -> dict[int, str]:
    """Full names of parameters and buffers by `id`, each under the first name it has."""
    names: dict[int, str] = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        names.setdefault(id(tensor), name)
    return names


def type_name(module: nn.Module) -> str:
    """The class name of a module, of the original one where it was scripted or parametrised."""
    original = getattr(module, "original_name", None)
    if isinstance(original, str):
        return original
    return type(module).__name__


def _names_below(parent: nn.Module) -> dict[int, str]:
    names: dict[int, str] = {}
    for path, module in parent.named_modules():
        if path:
            names.setdefault(id(module), path)
    return names


def _stored_spec(tensor: Tensor) -> TensorSpec:
    if isinstance(tensor, UninitializedTensorMixin):
        return TensorSpec((0,), str(tensor.dtype).removeprefix("torch."))
    return spec_of(tensor)
