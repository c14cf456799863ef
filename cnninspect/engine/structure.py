"""The modules of a model and the tensors that they own, by name: found in one walk."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from cnninspect.engine.layouts import DTYPE_NAMES, spec_of
from cnninspect.records.layers import Buffer, Layer, Parameter
from cnninspect.records.tensors import TensorSpec


class Structure:
    """What a model is made of."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.modules: dict[str, nn.Module] = dict(walk(model))
        """By path, parents first; a module that has two names comes under both."""
        self.paths: dict[int, list[str]] = {}
        """Paths of a module, by its `id`."""
        self.tensor_names: dict[int, str] = {}
        """Full name of a parameter or buffer, by its `id`: the first it has."""
        self.tensors: list[Tensor] = []
        """Each parameter and buffer once."""
        for path, module in self.modules.items():
            known = self.paths.setdefault(id(module), [])
            known.append(path)
            if len(known) == 1:
                self._name_tensors(f"{path}." if path else "", module)

    def _name_tensors(self, prefix: str, module: nn.Module) -> None:
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None and id(tensor) not in self.tensor_names:
                    self.tensor_names[id(tensor)] = prefix + name
                    self.tensors.append(tensor)

    def is_lazy(self) -> bool:
        """Whether some tensors get their shape in the first forward pass."""
        return any(map(is_uninitialised, self.tensors))

    def float_dtype(self) -> torch.dtype:
        """The floating-point dtype of the weights: what the inputs should have."""
        for tensor in self.tensors:
            if tensor.dtype.is_floating_point and tensor.dtype.itemsize > 1:
                return tensor.dtype
        return torch.get_default_dtype()

    def distinct_modules(self) -> list[nn.Module]:
        """Each module once."""
        return [self.modules[paths[0]] for paths in self.paths.values()]

    def path_under(self, module: nn.Module, caller: str) -> str:
        """The path of a module that was called from the module at `caller`."""
        paths = self.paths.get(id(module))
        if paths is None:  # it does not belong to the model
            return caller
        if len(paths) == 1 or not caller:
            return paths[0]
        prefix = f"{caller}."
        return next((path for path in paths if path.startswith(prefix)), paths[0])


def walk(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every module with its path, parents first; one that has two names comes under both."""
    pending: list[tuple[str, nn.Module, tuple[nn.Module, ...]]] = [("", model, ())]
    while pending:
        path, module, above = pending.pop()
        yield path, module
        children = module._modules
        if not children:
            continue
        above = (*above, module)
        prefix = f"{path}." if path else ""
        for name, child in reversed(list(children.items())):
            if child is not None and not any(child is ancestor for ancestor in above):
                pending.append((prefix + name, child, above))


class Visit:
    """What is known of a module that ran."""

    __slots__ = ("calls", "inputs", "order", "outputs")

    def __init__(self, order: int) -> None:
        self.order = order
        self.calls = 0
        self.inputs: tuple[TensorSpec, ...] = ()
        self.outputs: tuple[TensorSpec, ...] = ()


class Ownership:
    """Says of each tensor under which name it was met first."""

    def __init__(self) -> None:
        self._first: dict[int, str] = {}

    def layer(self, path: str, module: nn.Module, visit: Visit) -> Layer:
        """The record of a module: what it is, how it ran and what it owns itself."""
        prefix = f"{path}." if path else ""
        return Layer(
            path=path,
            type=type_name(module),
            calls=visit.calls,
            inputs=visit.inputs,
            outputs=visit.outputs,
            parameters=tuple(
                [
                    Parameter(
                        name,
                        _stored(tensor),
                        tensor.requires_grad,
                        self._met(prefix + name, tensor),
                    )
                    for name, tensor in module._parameters.items()
                    if tensor is not None
                ]
            ),
            buffers=tuple(
                [
                    Buffer(
                        name,
                        _stored(tensor),
                        name not in module._non_persistent_buffers_set,
                        self._met(prefix + name, tensor),
                    )
                    for name, tensor in module._buffers.items()
                    if tensor is not None
                ]
            ),
        )

    def _met(self, name: str, tensor: Tensor) -> str | None:
        first = self._first.setdefault(id(tensor), name)
        return None if first == name else first


def type_name(module: nn.Module) -> str:
    """The class name of a module: that of the original where it was scripted."""
    is_script = isinstance(module, torch.jit.ScriptModule)
    original = module.original_name if is_script else module.__dict__.get("original_name")
    return original if isinstance(original, str) else type(module).__name__


def is_uninitialised(tensor: Tensor) -> bool:
    """Whether a lazy layer has yet to give this tensor a shape."""
    return isinstance(tensor, (UninitializedParameter, UninitializedBuffer))


def _stored(tensor: Tensor) -> TensorSpec:
    if is_uninitialised(tensor):
        return TensorSpec((0,), DTYPE_NAMES[tensor.dtype])
    return spec_of(tensor)
