"""Everything that a network can reach and change, as it was before a run: found, kept, put back.

A forward pass may keep things in attributes, in containers to any depth, in helper objects, slots,
closures and caches, in the classes and globals that its code names, on its parameters.  The walk
starts from the module and follows references; nothing is copied but the containers themselves, so
that identity is kept, weights take no memory, and what cannot be copied does not matter.
"""

from __future__ import annotations

import enum
import functools
import gc
import io
import random
import threading
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, compress
from operator import is_
from typing import Any

import torch
from torch import Tensor, nn

from cnninspect.engine import torch_private as private
from cnninspect.engine.code_state import is_foreign, names_used_by
from cnninspect.engine.layouts import SCRIPT, UNINITIALISED, ByClass
from cnninspect.engine.process_state import MISSING

MOST_ARRAY_BYTES = 2**20
"""Arrays of NumPy up to this size are put back; larger ones are data rather than state."""
PLAIN = (
    type(None), bool, int, float, complex, str, bytes, range, slice, type(...), torch.Size,
    torch.dtype, torch.device, torch.layout, torch.memory_format, torch.UntypedStorage,
    torch.TypedStorage, enum.Enum, types.ModuleType, types.BuiltinFunctionType, types.CodeType,
    types.FrameType, types.GeneratorType, types.CoroutineType, io.IOBase,
    types.WrapperDescriptorType,
    types.MethodDescriptorType, types.GetSetDescriptorType, types.MemberDescriptorType,
    weakref.ref, weakref.ProxyType, weakref.CallableProxyType,
)  # fmt: skip
"""What holds no state, or none that a forward pass would keep something in."""
ALIVE = frozenset(
    ("threading", "asyncio", "multiprocessing", "concurrent", "socket", "ssl", "logging",
     "subprocess", "importlib", "selectors", "_ctypes", "ctypes")
)  # fmt: skip
"""Packages whose objects change by themselves, so that they must not be put back."""
CONTAINERS = (dict, list, set, deque)


def _copied_as(kind: type) -> Any:
    return next((base for base in CONTAINERS if issubclass(kind, base)), None)


COPIED_AS = ByClass(_copied_as)
"""What the content of a container is copied as; None for no container.

By the real class: a proxy may claim that of something that is gone, and a subclass may have a
`copy` that goes deeper."""


def _content_of(container: Any) -> Any:
    """A copy of what a container holds.

    Without asking the class: a dictionary may make what it is asked for, and not hold it.
    """
    kind = type(container)
    if kind is not dict and issubclass(kind, dict):
        return dict(dict.items(container))
    return COPIED_AS[kind](container)


class HeldState:
    """What was found from some roots, with what it held.

    What `beyond` found before is left out: that is put back by itself.  Where `others_train`, other
    threads work out gradients meanwhile, which are then theirs: PyTorch does not let two threads
    touch the same one.
    """

    def __init__(
        self,
        roots: Iterable[Any],
        *,
        modules: Iterable[nn.Module] = (),
        beyond: HeldState | None = None,
        others_train: bool = False,
    ) -> None:
        self.modules: list[nn.Module] = []
        """Every module that was met, registered or not."""
        self.tensors: list[Tensor] = []
        """Every tensor that was met."""
        self.classes: list[type] = []
        """Classes of other people's code whose objects were met."""
        self.functions: list[types.FunctionType] = []
        """Functions that were met: what they close over and name is for `code_state`."""
        self._seen: dict[int, Any] = beyond._seen if beyond else {}
        self._containers: list[Any] = []
        self._contents: list[Any] = []
        self._empty: list[Any] = []
        self._attributes: list[tuple[Any, Any, Any]] = []
        """Owner, descriptor of a slot or name, value."""
        self._caches: list[tuple[Any, int]] = []
        """Caches with a limit, and how often they had been asked for something new."""
        self._restorers: list[Callable[[], object]] = []
        self.others_train = others_train
        self._names: list[_Names] = []
        """Class attributes and globals, of what the code names."""
        self._tensor_state = _TensorState((), others_train=others_train)
        with private.DisableTorchFunctionSubclass():
            self._walk([*roots, *self._take_modules(list(modules))])
            self._take_tensors()
        self._kinds = list(map(type, self.modules))

    # --- found and kept ---

    def _take_modules(self, modules: list[nn.Module]) -> list[Any]:
        """Take many modules at once, which is what most of a network is; returns what they hold."""
        self.modules += modules
        seen = self._seen
        seen.update(zip(map(id, modules), modules))
        for kind in set(map(type, modules)):
            self._note_class(kind)
            if SCRIPT[kind]:
                for module in modules:
                    self._note_flag(module)
        attributes = list(map(vars, modules))
        self._containers += attributes
        self._contents += map(dict, attributes)
        rich = _rich(chain.from_iterable(map(dict.values, attributes)))
        odd: list[Any] = []
        if not SAFE.issuperset(map(type, rich)):
            odd = [v for v in rich if type(v) not in SAFE]
            rich = [v for v in rich if type(v) in SAFE]
        self._empty += rich
        filled = list(filter(None, rich))  # containers and tuples, mostly of numbers
        seen.update(zip(map(id, filled), filled))
        found = odd + _rich(chain.from_iterable([v for v in filled if v.__class__ is tuple]))
        filled = [v for v in filled if v.__class__ is not tuple]
        contents: list[Any] = [_content_of(container) for container in filled]
        self._containers += filled
        self._contents += contents
        mappings = [content for content in contents if isinstance(content, dict)]
        inside: list[Any] = list(chain.from_iterable(map(dict.values, mappings)))
        inside += chain.from_iterable([c for c in contents if not isinstance(c, dict)])
        tensors: list[Tensor] = [v for v in inside if type(v) in TENSORS and id(v) not in seen]
        seen.update(zip(map(id, tensors), tensors))
        self.tensors += dict(zip(map(id, tensors), tensors)).values()
        attached = list(map(vars, tensors))
        self._empty += attached
        found += filter(None, attached)
        found += [v for v in _rich(inside) if id(v) not in seen]
        found += _rich(chain.from_iterable(mappings))
        return found

    def _walk(self, pending: list[Any]) -> None:
        seen = self._seen
        while pending:
            value = pending.pop()
            if id(value) in seen:
                continue
            seen[id(value)] = value
            take = TAKEN[type(value)]
            if take is not None:
                take(self, value, pending)

    def _take_container(self, container: Any, pending: list[Any]) -> None:
        if not container:
            self._empty.append(container)
            return
        content = _content_of(container)
        self._containers.append(container)
        self._contents.append(content)
        if isinstance(content, dict):
            pending += [v for v in content.values() if TAKEN[type(v)]]
            pending += [k for k in content if type(k) is not str and TAKEN[type(k)]]
        else:
            pending += [v for v in content if TAKEN[type(v)]]

    def _take_tuple(self, value: Any, pending: list[Any]) -> None:
        if gc.is_tracked(value):
            pending += [v for v in value if TAKEN[type(v)]]
        if type(value) is not tuple:
            self._take_object(value, pending)

    def _take_module(self, module: nn.Module, pending: list[Any]) -> None:
        self.modules.append(module)
        attributes = vars(module)
        self._note_class(type(module))
        self._containers.append(attributes)
        self._contents.append(dict(attributes))
        rich = [v for v in attributes.values() if TAKEN[type(v)]]
        for value in rich:
            if value.__class__ is OrderedDict and not value:
                self._empty.append(value)
            else:
                pending.append(value)

    def _take_script(self, module: nn.Module, pending: list[Any]) -> None:
        self._take_module(module, pending)
        self._note_flag(module)

    def _note_flag(self, module: nn.Module) -> None:
        """TorchScript keeps the training flag for itself."""
        if SCRIPT[type(module)] and hasattr(module, "training"):
            was_training = module.training
            self._restorers.append(lambda: setattr(module, "training", was_training))

    def _take_tensor(self, tensor: Tensor, pending: list[Any]) -> None:
        self.tensors.append(tensor)
        pending.append(tensor.__dict__)

    def _take_object(self, value: Any, pending: list[Any]) -> None:
        kind = type(value)
        self._note_class(kind)
        attributes = _attributes_of(value)
        if attributes is not None and id(attributes) not in self._seen:
            pending.append(attributes)
        for slot in SLOTS[kind]:
            held = _held_in(slot, value)
            self._attributes.append((value, slot, held))
            if TAKEN[type(held)]:
                pending.append(held)

    def _take_function(self, function: types.FunctionType, _: list[Any]) -> None:
        self.functions.append(function)

    def _take_closure(self, function: types.FunctionType) -> None:
        """What a function holds itself: what it closes over, its defaults, its attributes."""
        pending = [*(function.__closure__ or ()), function.__kwdefaults__ or {}, function.__dict__]
        if function.__defaults__:
            pending.append(function.__defaults__)
            self._attributes.append((function, "__defaults__", function.__defaults__))
        self._walk(pending)

    def _take_cell(self, cell: Any, pending: list[Any]) -> None:
        held = _held_in(CELL, cell)
        self._attributes.append((cell, CELL, held))
        pending.append(held)

    def _take_method(self, method: Any, pending: list[Any]) -> None:
        pending += (method.__self__, method.__func__)

    def _take_partial(self, value: Any, pending: list[Any]) -> None:
        pending += (value.func, value.args, value.keywords, value.__dict__)

    def _take_property(self, value: property, pending: list[Any]) -> None:
        pending += (value.fget, value.fset)

    def _take_wrapper(self, value: Any, pending: list[Any]) -> None:
        pending.append(value.__func__)

    def _take_cache(self, cache: Any, pending: list[Any]) -> None:
        """An `lru_cache`: put back exactly where it has no limit, else emptied if it changed."""
        pending += (cache.__wrapped__, cache.__dict__)
        misses = cache.cache_info().misses
        if cache.cache_parameters()["maxsize"] is None:
            own = [each for each in gc.get_referents(cache) if type(each) is dict]
            own = [each for each in own if each is not cache.__dict__]
            if len(own) == 1:
                pending.append(own[0])
                return
        self._caches.append((cache, misses))

    def _take_class(self, kind: type, _: list[Any]) -> None:
        self._seen.pop(id(kind))
        self._note_class(kind)
        self._seen[id(kind)] = kind

    def _note_class(self, kind: type) -> None:
        if OWN_CLASSES[kind]:
            self.classes += [each for each in OWN_CLASSES[kind] if id(each) not in self._seen]
            self._seen.update((id(each), each) for each in OWN_CLASSES[kind])

    def _take_torch_generator(self, generator: torch.Generator, _: list[Any]) -> None:
        state = generator.get_state()
        self._restorers.append(lambda: generator.set_state(state))

    def _take_python_generator(self, generator: random.Random, _: list[Any]) -> None:
        state = generator.getstate()
        self._restorers.append(lambda: generator.setstate(state))

    def _take_numpy(self, value: Any, _: list[Any]) -> None:
        if hasattr(value, "bit_generator"):
            state, bits = value.bit_generator.state, value.bit_generator
            self._restorers.append(lambda: setattr(bits, "state", state))
        elif hasattr(value, "get_state"):
            state = value.get_state()
            self._restorers.append(lambda: value.set_state(state))
        elif (
            hasattr(value, "flags")
            and value.flags.writeable
            and not value.dtype.hasobject
            and value.nbytes <= MOST_ARRAY_BYTES
        ):
            kept = value.copy()
            self._restorers.append(lambda: value.__setitem__(..., kept))

    def _take_bytes(self, value: bytearray, _: list[Any]) -> None:
        kept = bytes(value)
        self._restorers.append(lambda: value == kept or value.__setitem__(slice(None), kept))

    def _take_tensors(self) -> None:
        taken = 0
        while taken < len(self.tensors):  # what hangs on a tensor may hold others
            tensors, taken = self.tensors[taken:], len(self.tensors)
            held = [*map(BACKWARD_HOOKS, tensors), *map(AFTER_HOOKS, tensors)]
            held += () if self.others_train else map(GRAD, filter(IS_LEAF, tensors))
            self._walk([value for value in held if value is not None])
        self._tensor_state = _TensorState(self.tensors, others_train=self.others_train)

    def keep_values(self) -> None:
        """Note the values of small tensors that are not trained as well, to be put back."""
        for tensor in self.tensors:
            is_plain = type(tensor) in (Tensor, nn.Buffer) and tensor.layout is torch.strided
            is_plain = is_plain and not tensor.is_meta and not tensor.is_nested
            if is_plain and 0 < tensor.nbytes <= MOST_ARRAY_BYTES:
                kept = tensor.detach().clone()
                self._restorers.append(functools.partial(_copy_back, tensor, kept))

    # --- put back ---

    def restore(self) -> None:
        """Put everything back that is no longer as it was; doing that twice does no harm."""
        with private.DisableTorchFunctionSubclass():
            filled = set(map(id, self._containers))
            for container in filter(None, self._empty):
                if id(container) not in filled and container.__class__ is not tuple:
                    put_back(container, COPIED_AS[type(container)]())
            if not _same_items(self._containers, self._contents):
                for container, content in zip(self._containers, self._contents):
                    if not _same_items((container,), (content,)):
                        put_back(container, content)
            for owner, slot, value in self._attributes:
                if _held_in(slot, owner) is not value:
                    _hold_in(slot, owner, value)
            if list(map(type, self.modules)) != self._kinds:  # lazy ones take another class
                for module, kind in zip(self.modules, self._kinds):
                    object.__setattr__(module, "__class__", kind)
            for names in self._names:
                names.restore()
            for cache, misses in self._caches:
                if cache.cache_info().misses != misses:
                    cache.cache_clear()
            for restore in self._restorers:
                restore()
            self._tensor_state.restore()

    # --- replaced ---

    def has_new_tensors(self) -> bool:
        """Whether a tensor is held that was not there before, or a cache was asked for more."""
        if any(cache.cache_info().misses != misses for cache, misses in self._caches):
            return True
        now = _items([*self._containers, *self._empty])
        now += [_held_in(slot, owner) for owner, slot, _ in self._attributes]
        now += chain.from_iterable(names.held() for names in self._names)
        strange = [value for value in _rich(now) if id(value) not in self._seen]
        return any(id(tensor) not in self._seen for tensor in HeldState(strange).tensors)

    def replace(self, instead: dict[int, Any]) -> bool:
        """Put others in place of these tensors, by `id`, wherever they are held; see `restore`.

        Returns whether any was held.
        """
        found = False
        for container, content in zip(self._containers, self._contents):
            if isinstance(content, dict):
                for key, value in content.items():
                    other = _replaced(value, instead)
                    if other is not value:
                        _base_of(container).__setitem__(container, key, other)
                        found = True
            elif not isinstance(content, set):
                for i, value in enumerate(content):
                    other = _replaced(value, instead)
                    if other is not value:
                        container[i] = other
                        found = True
            elif any(id(value) in instead for value in content):
                put_back(container, {_replaced(value, instead) for value in content})
                found = True
        for owner, slot, value in self._attributes:
            other = _replaced(value, instead)
            if other is not value:
                _hold_in(slot, owner, other)
                found = True
        replaced = [names.replace(instead) for names in self._names]
        return found or any(replaced)


def _rich(values: Iterable[Any]) -> list[Any]:
    """Those that may have state."""
    every = list(values)
    return list(compress(every, map(TAKEN.__getitem__, map(type, every))))


def code_state(held: HeldState) -> HeldState:
    """What the code of these modules reaches beyond what they hold: closures, classes, globals.

    Code is followed through functions and classes of the same kind, not through those of PyTorch
    and of Python itself.
    """
    state = HeldState((), beyond=held, others_train=held.others_train)
    classes, functions = list(held.classes), list(held.functions)
    spaces: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
    while classes or functions:
        for kind in classes:
            content = dict(vars(kind))
            state._names.append(_Names(kind, content))
            state._walk([v for v in content.values() if TAKEN[type(v)]])
        for function in functions:
            state._take_closure(function)
            for space, name in () if is_foreign(function.__module__) else names_used_by(function):
                known = spaces.setdefault(id(space), (space, {}))[1]
                if name not in known:
                    value = known[name] = space.get(name, MISSING)
                    if TAKEN[type(value)]:
                        state._walk([value])
        classes, functions = state.classes, state.functions
        state.classes, state.functions = [], []
    state._names += [_Names(space, names) for space, names in spaces.values()]
    with private.DisableTorchFunctionSubclass():
        state._take_tensors()
    state._kinds = list(map(type, state.modules))
    return state


def put_back(container: Any, content: Any) -> None:
    """Give a container the content that it had: it is never empty or half full in between."""
    base = _base_of(container)
    if isinstance(content, dict):
        for key in [key for key in base.keys(container) if key not in content]:
            base.__delitem__(container, key)
        for key, value in content.items():
            if base.get(container, key, MISSING) is not value:
                base.__setitem__(container, key, value)
        if not all(map(is_, base.keys(container), content)):
            for key, value in content.items():
                base.pop(container, key)
                base.__setitem__(container, key, value)
    elif isinstance(content, list):
        list.__setitem__(container, slice(None), content)
    elif isinstance(content, set):
        set.update(container, content)
        set.intersection_update(container, content)
    else:
        deque.clear(container)
        deque.extend(container, content)


def _base_of(container: Any) -> Any:
    return OrderedDict if isinstance(container, OrderedDict) else COPIED_AS[type(container)]


def _same_items(containers: Sequence[Any], contents: Sequence[Any]) -> bool:
    """Whether they hold the very same objects; comparing values could compare tensors."""
    if list(map(len, containers)) != list(map(len, contents)):
        return False
    return all(map(is_, _items(containers), _items(contents)))


def _items(containers: Sequence[Any]) -> list[Any]:
    items: list[Any] = []
    for container in containers:
        items += container
        if isinstance(container, dict):
            items += dict.values(container)
    return items


def _copy_back(tensor: Tensor, kept: Tensor) -> None:
    if not torch.equal(tensor.detach(), kept):
        with torch.inference_mode(tensor.is_inference()), torch.no_grad():
            tensor.copy_(kept)


class _TensorState:
    """What hangs on tensors beside their values: gradients, hooks, whether they are trained.

    Also their version counters, by which autograd tells whether one was changed.
    """

    def __init__(self, tensors: Sequence[Tensor], *, others_train: bool) -> None:
        self.tensors = tensors
        self._others_train = others_train
        self.leaves = list(filter(IS_LEAF, tensors))
        self.trained = list(map(REQUIRES_GRAD, self.leaves))
        self.held = [(of, name, list(map(read, of))) for of, name, read in self._read()]
        counted = [t for t in tensors if not UNINITIALISED[type(t)] and not t.is_inference()]
        self.versions = tuple(counted), tuple(map(VERSION, counted))

    def _read(self) -> tuple[tuple[Sequence[Tensor], str, Any], ...]:
        return (
            ([] if self._others_train else self.leaves, "grad", GRAD),
            (self.tensors, "_backward_hooks", BACKWARD_HOOKS),
            (self.tensors, "_post_accumulate_grad_hooks", AFTER_HOOKS),
        )

    def restore(self) -> None:
        """Put it back; the values of the tensors are not touched."""
        if list(map(REQUIRES_GRAD, self.leaves)) != self.trained:
            for tensor, was_trained in zip(self.leaves, self.trained):
                if tensor.requires_grad != was_trained and tensor.is_leaf:
                    tensor.requires_grad = was_trained
        for (tensors, name, values), (_, _, read) in zip(self.held, self._read()):
            if not all(map(is_, map(read, tensors), values)):
                for tensor, value in zip(tensors, values):
                    if read(tensor) is not value:
                        setattr(tensor, name, value)
        private._autograd._unsafe_set_version_counter(*self.versions)


class _Names:
    """Some names of a class or of a global namespace, and what they stood for."""

    def __init__(self, space: Any, values: dict[str, Any]) -> None:
        self.is_class = isinstance(space, type)
        self.space, self.values = space, values

    def _now(self) -> Any:
        return vars(self.space) if self.is_class else self.space

    def _set(self, name: str, value: Any) -> None:
        if value is MISSING:
            if self.is_class:
                type.__delattr__(self.space, name)
            else:
                self.space.pop(name, None)
        elif self.is_class:
            type.__setattr__(self.space, name, value)
        else:
            self.space[name] = value

    def restore(self) -> None:
        """Let them stand for the same again; a class loses the attributes that are new."""
        now = self._now()
        if self.is_class and len(now) != len(self.values):
            for name in [name for name in now if name not in self.values]:
                self._set(name, MISSING)
        for name, value in self.values.items():
            if now.get(name, MISSING) is not value:
                self._set(name, value)

    def held(self) -> list[Any]:
        """What they stand for now; those of a class with the ones that are new."""
        now = self._now()
        return list(now.values()) if self.is_class else [now.get(name) for name in self.values]

    def replace(self, instead: dict[int, Any]) -> bool:
        """Let them stand for others in place of these tensors; returns whether any did."""
        found = False
        for name, value in self.values.items():
            other = _replaced(value, instead)
            if other is not value:
                self._set(name, other)
                found = True
        return found


def _replaced(value: Any, instead: dict[int, Any]) -> Any:
    """A value with others in place of these tensors, also within tuples."""
    other = instead.get(id(value))
    if other is not None:
        return other
    if isinstance(value, tuple) and type(value) is not torch.Size:
        parts = [_replaced(item, instead) for item in value]
        if not all(map(is_, parts, value)):
            return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)
    return value


# --- what is taken of a value of each class ---

OF_TENSOR: Any = private.TensorBase
IS_LEAF, REQUIRES_GRAD = OF_TENSOR.is_leaf.__get__, OF_TENSOR.requires_grad.__get__
GRAD, VERSION = OF_TENSOR.grad.__get__, OF_TENSOR._version.__get__
BACKWARD_HOOKS = OF_TENSOR._backward_hooks.__get__
AFTER_HOOKS = OF_TENSOR._post_accumulate_grad_hooks.__get__

CELL: Any = types.CellType.cell_contents
CELL_TYPE = types.CellType


def _held_in(slot: Any, owner: Any) -> Any:
    try:
        return getattr(owner, slot) if isinstance(slot, str) else slot.__get__(owner)
    except (AttributeError, ValueError):  # nothing is in it
        return MISSING


def _hold_in(slot: Any, owner: Any, value: Any) -> None:
    if isinstance(slot, str):
        setattr(owner, slot, value)
    elif value is not MISSING:
        slot.__set__(owner, value)
    elif _held_in(slot, owner) is not MISSING:
        slot.__delete__(owner)


def _attributes_of(value: Any) -> dict[str, Any] | None:
    if isinstance(value, threading.local):
        return value.__dict__
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None
    return attributes if isinstance(attributes, dict) else None


def _slots_of(kind: type) -> tuple[Any, ...]:
    if is_foreign(kind.__module__) and not kind.__module__.startswith("torch."):
        return ()
    return tuple(
        value
        for each in kind.__mro__
        for value in vars(each).values()
        if type(value) is types.MemberDescriptorType and "__slots__" in vars(each)
    )


SLOTS = ByClass(_slots_of)


def _own_classes(kind: type) -> tuple[type, ...]:
    return tuple(each for each in kind.__mro__ if not is_foreign(each.__module__))


OWN_CLASSES = ByClass(_own_classes)
"""The class and its bases, but for those of PyTorch and of Python itself."""


def _taken(kind: type) -> Any:
    if issubclass(kind, Tensor):
        return HeldState._take_tensor
    if issubclass(kind, nn.Module):
        return HeldState._take_script if SCRIPT[kind] else HeldState._take_module
    if issubclass(kind, CONTAINERS):
        return _container_of(kind)
    if issubclass(kind, (tuple, frozenset)) and kind is not torch.Size:
        return HeldState._take_tuple
    for classes, take in BY_CLASS:
        if issubclass(kind, classes):
            return take
    package = kind.__module__.partition(".")[0]
    if issubclass(kind, PLAIN) or package in ALIVE:
        return None
    if package == "numpy":
        is_state = kind.__name__ in ("ndarray", "Generator", "RandomState")
        return HeldState._take_numpy if is_state else None
    has_attributes = any("__dict__" in vars(each) for each in kind.__mro__)
    return HeldState._take_object if has_attributes or SLOTS[kind] else None


def _container_of(kind: type) -> Any:
    if kind in CONTAINERS or kind is OrderedDict:
        return HeldState._take_container

    def take(state: HeldState, container: Any, pending: list[Any]) -> None:
        state._take_container(container, pending)
        state._take_object(container, pending)

    return take


TAKE_CONTAINER = HeldState._take_container
SAFE = frozenset((dict, OrderedDict, list, set, deque, tuple))
"""Classes whose objects tell whether they are empty, and do nothing else when they are asked."""
TENSORS: frozenset[type] = frozenset((Tensor, nn.Parameter, nn.Buffer))
BY_CLASS: tuple[tuple[Any, Any], ...] = (
    (types.FunctionType, HeldState._take_function),
    (types.MethodType, HeldState._take_method),
    (types.CellType, HeldState._take_cell),
    (functools.partial, HeldState._take_partial),
    (property, HeldState._take_property),
    ((staticmethod, classmethod), HeldState._take_wrapper),
    (type(functools.lru_cache(lambda: None)), HeldState._take_cache),
    (torch.Generator, HeldState._take_torch_generator),
    (random.Random, HeldState._take_python_generator),
    (bytearray, HeldState._take_bytes),
    (threading.local, HeldState._take_object),
    (type, HeldState._take_class),
)
TAKEN = ByClass(_taken)
"""How the state of a value is taken, by its class; None where it has none."""
