"""Knows which module is running, and writes down what goes in and out of each."""

from __future__ import annotations

import sys
from operator import le
from threading import get_ident
from typing import Any

from torch import Tensor, nn
from torch.nn.modules import module as hooks

from cnninspect.engine.layouts import MARK, SPECS, spec_of
from cnninspect.engine.module_tree import Ownership, Structure, Visit
from cnninspect.engine.recording import Recorder, tensors_in
from cnninspect.records.operations import TensorSpec
from cnninspect.records.traces import Layer, parent_of

NO_VISIT = Visit(-1)


class Watch:
    """A stack of the running modules, kept by PyTorch's global forward hooks.

    A module's path is that of the module which called it plus its name there, so that a shared
    module has the path that it was called through.
    """

    def __init__(self, structure: Structure, recorder: Recorder) -> None:
        self.structure = structure
        self.recorder = recorder
        self.visits: dict[str, Visit] = {}
        self._failed: tuple[BaseException | None, str, tuple[TensorSpec, ...]] | None = None
        """What was raised last, and path and inputs of the innermost module that it ended."""
        self._running: dict[int, list[nn.Module]] = {get_ident(): []}
        """By the threads of the run, outermost first."""
        self._handles: list[Any] = []

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
        del self.recorder.layers[1:]
        self._running = {get_ident(): []}
        self.recorder.layers_elsewhere.clear()

    def join(self, thread: int, parent: int) -> None:
        """Follow another thread as well, which was started by one that is followed."""
        self.recorder.layers_elsewhere[thread] = [self.recorder.layers_in(parent)[-1]]
        self._running[thread] = []

    def leave(self, thread: int) -> None:
        """Follow a thread no longer."""
        self._running.pop(thread, None)
        self.recorder.layers_elsewhere.pop(thread, None)

    def note_return(self, args: Any, kwargs: dict[str, Any], output: Any) -> None:
        """Note that the model returned, in case it has a `__call__` of its own without hooks."""
        if "" not in self.visits:
            visit = self.visits[""] = Visit(len(self.visits))
            visit.calls = 1
            visit.inputs, visit.outputs = specs_in((args, kwargs)), specs_in(output)

    def _enter_module(self, module: nn.Module, _: Any) -> None:
        running = self._running.get(get_ident())
        if running is None:  # somebody else's thread
            return
        layers, structure = self.recorder.layers, self.structure
        if self.recorder.layers_elsewhere:
            layers = self.recorder.layers_in(get_ident())
        path = structure.first_paths.get(id(module))
        is_ours = path is not None
        if path is None or structure.more_paths:
            path = structure.path_under(module, layers[-1])
        layers.append(path)
        running.append(module)
        if not is_ours:
            return
        visit = self.visits.get(path)
        if visit is None:
            visit = self.visits[path] = Visit(len(self.visits))
        visit.calls += 1

    def _leave_module(self, module: nn.Module, args: Any, *rest: Any) -> None:
        # The keyword arguments and the output; after an error only the output, which is None.
        *kwargs, output = rest
        problem = None if kwargs else sys.exc_info()[1]
        running = self._running.get(get_ident())
        if not running or running[-1] is not module:
            return
        running.pop()
        path = self.recorder.layers_in(get_ident()).pop()
        visit = self.visits.get(path, NO_VISIT)
        if visit.calls == 1 and id(module) in self.structure.first_paths:
            visit.inputs = specs_in(args if not any(kwargs) else (args, kwargs))
            visit.outputs = specs_in(output)
        if problem is not None and (self._failed is None or self._failed[0] is not problem):
            self._failed = problem, path, specs_in((args, kwargs))

    def failed_by(self, problem: BaseException) -> tuple[str, tuple[TensorSpec, ...]] | None:
        """Path and inputs of the innermost module that an error ended; None for the model.

        An error that was caught on the way is nobody's fault.
        """
        causes = {id(problem)}
        cause = problem.__cause__
        while cause is not None and id(cause) not in causes:
            causes.add(id(cause))
            cause = cause.__cause__
        failed = self._failed
        return failed[1:] if failed is not None and id(failed[0]) in causes else None

    def layers(self) -> tuple[Layer, ...]:
        """Every module, parents first, siblings in first-call order, unused ones last."""
        owned, resting = Ownership(), self.structure.resting
        layers = {
            path: owned.layer(path, module, self.visits.get(path, NO_VISIT), rests=path in resting)
            for path, module in self.structure.modules.items()
        }
        last = len(self.visits)
        order = dict.fromkeys(layers, last)
        order.update([(path, visit.order) for path, visit in self.visits.items()])
        orders = list(order.values())
        if all(map(le, orders, orders[1:])):  # they ran as they stand there
            return tuple(layers.values())
        children: dict[str, list[str]] = {}
        for path in reversed(layers):  # a container that never runs stands where its parts do
            if path:
                parent = parent_of(path)
                order[parent] = min(order[parent], order[path])
                children.setdefault(parent, []).append(path)
        result, pending = [], [""]
        while pending:
            path = pending.pop()
            result.append(layers[path])
            below = children.get(path, [])
            below.reverse()
            pending += sorted(below, key=order.__getitem__)[::-1]
        return tuple(result)


def specs_in(value: Any) -> tuple[TensorSpec, ...]:
    """Shape and dtype of every tensor in a nested value."""
    if isinstance(value, Tensor):
        return (_spec(value),)
    if isinstance(value, tuple) and len(value) == 1 and isinstance(value[0], Tensor):
        return (_spec(value[0]),)
    return tuple([_spec(tensor) for tensor in tensors_in(value)])


def _spec(tensor: Tensor) -> TensorSpec:
    mark = tensor.__dict__.get(MARK)
    return spec_of(tensor) if mark is None else SPECS[mark[1]]
