"""The modules of a model and the tensors that they own, by name: found in one walk."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import torch
from torch import Tensor, nn

from cnninspect.engine.fake_tensors import stored_otherwise
from cnninspect.engine.layouts import (
    FORGETTING,
    SCRIPT,
    SPECS,
    TENSOR,
    UNINITIALISED,
    layout_of,
    packed_parameters,
)
from cnninspect.records.operations import TensorSpec
from cnninspect.records.traces import Buffer, Layer, Parameter


class Structure:
    """What a model is made of."""

    def __init__(self, model: nn.Module, resting: frozenset[str] | None = None) -> None:
        self.model = model
        self.modules: dict[str, nn.Module] = dict(walk(model))
        """By path, parents first; a module that has two names comes under both."""
        self.first_paths: dict[int, str] = {}
        """The path that each module was met under first, by its `id`."""
        self.more_paths: dict[int, list[str]] = {}
        """The others, of the modules that have some."""
        self.tensor_names: dict[int, str] = {}
        """Full name of a parameter or buffer, by its `id`: the first it has."""
        self.tensors: list[Tensor] = []
        """Each parameter and buffer once."""
        self.resting = self._resting() if resting is None else resting
        """Paths of the modules in testing mode, where the model as a whole is in training mode."""
        for path, module in self.modules.items():
            if id(module) in self.first_paths:
                self.more_paths.setdefault(id(module), []).append(path)
            else:
                self.first_paths[id(module)] = path
                self._name_tensors(f"{path}." if path else "", module)

    def _name_tensors(self, prefix: str, module: nn.Module) -> None:
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items() if tensors else ():
                if tensor is not None and id(tensor) not in self.tensor_names:
                    self.tensor_names[id(tensor)] = prefix + name
                    self.tensors.append(tensor)

    def _resting(self) -> frozenset[str]:
        if not vars(self.model).get("training", False):
            return frozenset()
        return frozenset(
            path for path, module in self.modules.items() if not vars(module).get("training", True)
        )

    def is_lazy(self) -> bool:
        """Whether some tensors get their shape in the first forward pass."""
        return any(UNINITIALISED[tensor.__class__] for tensor in self.tensors)

    def float_dtype(self) -> torch.dtype:
        """The floating-point dtype of the weights: what the inputs should have."""
        for tensor in self.tensors:
            if tensor.dtype.is_floating_point and tensor.dtype.itemsize > 1:
                return tensor.dtype
        return torch.get_default_dtype()

    def distinct_modules(self) -> list[nn.Module]:
        """Each module once."""
        return [self.modules[path] for path in self.first_paths.values()]

    def held_tensors(self) -> list[Tensor]:
        """Those that are attributes of a module, but neither parameters nor buffers."""
        modules = self.distinct_modules()
        return [v for m in modules for v in vars(m).values() if TENSOR[type(v)]]

    def path_under(self, module: nn.Module, caller: str) -> str:
        """The path of a module that was called from the module at `caller`.

        One that does not belong to the model has the path of its caller.
        """
        first = self.first_paths.get(id(module), caller)
        if id(module) not in self.more_paths or not caller:
            return first
        prefix = f"{caller}."
        paths = (first, *self.more_paths[id(module)])
        return next((path for path in paths if path.startswith(prefix)), first)


def walk(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Every module with its path, parents first; one that has two names comes under both."""
    pending: list[tuple[str, nn.Module, frozenset[int]]] = [("", model, frozenset())]
    while pending:
        path, module, above = pending.pop()
        yield path, module
        children = module._modules
        if not children:
            continue
        above = above | {id(module)}
        prefix = f"{path}." if path else ""
        for name, child in reversed(children.items()):
            if child is not None and id(child) not in above:
                pending.append((prefix + name, child, above))


def named_parameters(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter by each of its full names; not by a method, which an attribute may hide."""
    return {
        f"{path}.{name}" if path else name: tensor
        for path, module in walk(model)
        for name, tensor in module._parameters.items()
        if tensor is not None
    }


def parameters_of(model: nn.Module) -> list[Tensor]:
    """Every parameter once."""
    return list({id(tensor): tensor for tensor in named_parameters(model).values()}.values())


def without_wrappers(model: nn.Module) -> nn.Module:
    """The module inside `torch.compile` and `DataParallel` wrappers."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(
            model, (nn.DataParallel, nn.parallel.DistributedDataParallel)
        ):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner


class Visit:
    """What is known of a module that ran."""

    __slots__ = ("calls", "inputs", "order", "outputs")

    def __init__(self, order: int) -> None:
        self.order = order
        self.calls = 0
        self.inputs: tuple[TensorSpec, ...] = ()
        self.outputs: tuple[TensorSpec, ...] = ()


class Ownership:
    """Says of each tensor under which name it was met first, and writes the records of layers."""

    def __init__(self) -> None:
        self._first: dict[int, str] = {}  # not the names before the run, which may have moved some

    def layer(self, path: str, module: nn.Module, visit: Visit, *, rests: bool) -> Layer:
        """The record of a module: what it is, how it ran and what it owns itself."""
        return Layer(
            path,
            type_name(module),
            visit.calls,
            visit.inputs,
            visit.outputs,
            (self._parameters(path, module) if module._parameters else ())
            + packed_parameters(module),
            self._buffers(path, module) if module._buffers else (),
            rests,
        )

    def _parameters(self, path: str, module: nn.Module) -> tuple[Parameter, ...]:
        prefix = f"{path}." if path else ""
        return tuple(
            [
                _parameter(
                    name,
                    layout_of(t),
                    t.requires_grad,
                    self._elsewhere(prefix + name, t),
                    stored_otherwise(t),
                )
                for name, t in module._parameters.items()
                if t is not None
            ]
        )

    def _buffers(self, path: str, module: nn.Module) -> tuple[Buffer, ...]:
        prefix = f"{path}." if path else ""
        volatile = module._non_persistent_buffers_set
        return tuple(
            [
                _buffer(
                    name,
                    layout_of(t),
                    name not in volatile,
                    self._elsewhere(prefix + name, t),
                    stored_otherwise(t),
                )
                for name, t in module._buffers.items()
                if t is not None
            ]
        )

    def _elsewhere(self, name: str, tensor: Tensor) -> str | None:
        first = self._first.setdefault(id(tensor), name)
        return None if first == name else first


@lru_cache(maxsize=10_000)
def _parameter(
    name: str, layout: int, trainable: bool, shared_with: str | None, stored: int | None
) -> Parameter:
    """A record to share: most layers of a network own the like of what others own."""
    return Parameter(name, SPECS[layout], trainable, shared_with, stored)


@lru_cache(maxsize=10_000)
def _buffer(
    name: str, layout: int, persistent: bool, shared_with: str | None, stored: int | None
) -> Buffer:
    return Buffer(name, SPECS[layout], persistent, shared_with, stored)


def type_name(module: nn.Module) -> str:
    """The class name of a module: that of the original where it was scripted."""
    is_script = SCRIPT[module.__class__]
    original = module.original_name if is_script else module.__dict__.get("original_name")
    return original if isinstance(original, str) else type(module).__name__


FORGETTING.extend((_parameter.cache_clear, _buffer.cache_clear))
