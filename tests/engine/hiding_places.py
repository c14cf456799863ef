"""Where a network may keep what it works out while it runs, and networks that do."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import queue
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

NUMBERS = itertools.count()

GLOBALS: dict[str, Any] = {}
TABLE: Any = None


class Plain:
    kept: Any = None


class Slots:
    __slots__ = ("kept",)


@dataclasses.dataclass
class Record:
    kept: Any = None


class Keeps(nn.Module):
    """Works out twice its weight on first use, and keeps it somewhere: in the place of a test."""

    on_class: Any = None

    def __init__(self, place: Place, mood: str = "") -> None:
        super().__init__()
        torch.manual_seed(0)
        self.f, self.norm, self.mood = nn.Linear(4, 4, bias=False), nn.BatchNorm1d(4), mood
        self.__dict__["get"] = place(self)

    def make(self) -> Tensor:
        return self.f.weight * 2

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(x @ self.get().t())
        if self.mood == "fails":
            raise ValueError("mine")
        if self.mood == "interrupted":
            raise KeyboardInterrupt
        if self.mood == "asks" and float(y.sum()) > 1e9:
            return -y
        return y


Get = Callable[[], Tensor]
Place = Callable[[Keeps], Get]


def by_key(container: Any, key: Any) -> Callable[[Keeps], Get]:
    """In a container that is made for each module and held by an attribute."""

    def place(module: Keeps) -> Get:
        name = f"state{next(NUMBERS)}"
        setattr(module, name, container())

        def get() -> Tensor:
            held = getattr(module, name)
            for part in key[:-1]:
                held = held[part]
            if held[key[-1]] is None:
                held[key[-1]] = module.make()
            return held[key[-1]]

        return get

    return place


def by_name(holder: Callable[[Keeps], Any], name: str = "kept") -> Place:
    """In an attribute of something."""

    def place(module: Keeps) -> Get:
        held = holder(module)

        def get() -> Tensor:
            if getattr(held, name, None) is None:
                setattr(held, name, module.make())
            return getattr(held, name)

        return get

    return place


def attribute_of(kind: Callable[[], Any]) -> Place:
    def holder(module: Keeps) -> Any:
        helper = kind()
        setattr(module, f"helper{next(NUMBERS)}", helper)
        return helper

    return by_name(holder)


def in_closure(module: Keeps) -> Get:
    box: list[Tensor] = []

    def get() -> Tensor:
        if not box:
            box.append(module.make())
        return box[0]

    return get


def in_cell(module: Keeps) -> Get:
    kept = None

    def get() -> Tensor:
        nonlocal kept
        if kept is None:
            kept = module.make()
        return kept

    return get


def in_global_dictionary(module: Keeps) -> Get:
    def get() -> Tensor:
        if "kept" not in GLOBALS:
            GLOBALS["kept"] = module.make()
        return GLOBALS["kept"]

    return get


def in_global_name(module: Keeps) -> Get:
    def get() -> Tensor:
        global TABLE
        if TABLE is None:
            TABLE = module.make()
        return TABLE

    return get


def in_new_global(module: Keeps) -> Get:
    def get() -> Tensor:
        global FRESH
        try:
            return FRESH
        except NameError:
            FRESH = module.make()
        return FRESH

    return get


def in_cache(limit: int | None) -> Place:
    def place(module: Keeps) -> Get:
        name = f"cache{next(NUMBERS)}"
        setattr(module, name, functools.lru_cache(limit)(lambda _: module.make()))
        return lambda: getattr(module, name)(1)

    return place


def in_default(module: Keeps) -> Get:
    def get(box: list[Tensor] = []) -> Tensor:  # noqa: B006
        if not box:
            box.append(module.make())
        return box[0]

    return get


def in_function_attribute(module: Keeps) -> Get:
    def get() -> Tensor:
        if not hasattr(get, "kept"):
            get.kept = module.make()
        return get.kept

    return get


def in_partial(module: Keeps) -> Get:
    def get(box: list[Tensor]) -> Tensor:
        if not box:
            box.append(module.make())
        return box[0]

    return functools.partial(get, [])


def in_hook(module: Keeps) -> Get:
    class Manager:
        kept: Any = None

        def before(self, _: nn.Module, __: Any) -> None:
            if self.kept is None:
                self.kept = module.make()
            module.by_hook = self.kept

    module.register_forward_pre_hook(Manager().before)
    return lambda: module.by_hook


def in_hidden_layer(module: Keeps) -> Get:
    inner = Keeps(by_name(lambda inner: inner, "own"))
    module.hidden = [inner]
    return lambda: inner.get()


def in_weak_dictionary(module: Keeps) -> Get:
    module.by_module = weakref.WeakKeyDictionary()

    def get() -> Tensor:
        if module.f not in module.by_module:
            module.by_module[module.f] = module.make()
        return module.by_module[module.f]

    return get


def in_queue(module: Keeps) -> Get:
    module.queue = queue.Queue()

    def get() -> Tensor:
        kept = module.queue.get_nowait() if module.queue.qsize() else module.make()
        module.queue.put(kept)
        return kept

    return get


def in_set(module: Keeps) -> Get:
    module.several = set()

    def get() -> Tensor:
        if not module.several:
            module.several.add(module.make())
        return next(iter(module.several))

    return get


def in_deque(module: Keeps) -> Get:
    module.recent = collections.deque(maxlen=2)

    def get() -> Tensor:
        if not module.recent:
            module.recent.append(module.make())
        return module.recent[0]

    return get


def in_local_of_thread(module: Keeps) -> Get:
    module.local = threading.local()
    return by_name(lambda module: module.local)(module)


def in_buffer(module: Keeps) -> Get:
    module.register_buffer("table", None)

    def get() -> Tensor:
        if module.table is None:
            module.table = module.make().detach()
        return module.table

    return get


PLACES: dict[str, Place] = {
    "an attribute": by_name(lambda module: module),
    "a buffer": in_buffer,
    "a dictionary": by_key(lambda: {"w": None}, ("w",)),
    "a dictionary in a dictionary": by_key(lambda: {"a": {"b": {"w": None}}}, ("a", "b", "w")),
    "a list of lists": by_key(lambda: [[[None]]], (0, 0, 0)),
    "a list in a tuple": by_key(lambda: ({"w": [None]},), (0, "w", 0)),
    "an ordered dictionary": by_key(lambda: collections.OrderedDict(w=None), ("w",)),
    "a default dictionary": by_key(lambda: collections.defaultdict(lambda: None), ("w",)),
    "a user's dictionary": by_key(lambda: collections.UserDict(w=None), ("w",)),
    "a deque": in_deque,
    "a set": in_set,
    "a queue": in_queue,
    "a weak dictionary": in_weak_dictionary,
    "a helper": attribute_of(Plain),
    "a namespace": attribute_of(types.SimpleNamespace),
    "a dataclass": attribute_of(Record),
    "slots": attribute_of(Slots),
    "an attribute of a weight": by_name(lambda module: module.f.weight),
    "an attribute of a child": by_name(lambda module: module.f),
    "the class": by_name(lambda module: type(module), "on_class"),
    "the class of a helper": by_name(lambda module: Plain),
    "a list of a closure": in_closure,
    "a variable of a closure": in_cell,
    "a default of a function": in_default,
    "an attribute of a function": in_function_attribute,
    "a partial function": in_partial,
    "a global dictionary": in_global_dictionary,
    "a global name": in_global_name,
    "a new global name": in_new_global,
    "a cache": in_cache(None),
    "a cache with a limit": in_cache(4),
    "the owner of a hook": in_hook,
    "a layer in a list": in_hidden_layer,
    "a local of a thread": in_local_of_thread,
}


def everywhere(module: Keeps) -> Get:
    """In all of these places at once; what is found in one of them must be right."""
    found = {name: place(module) for name, place in PLACES.items()}

    def get() -> Tensor:
        for kept in found.values():
            last = kept()
        return last

    module.__dict__["found"] = found
    return get


X = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))


def forget() -> None:
    """Empty the places that outlive a network."""
    global TABLE
    GLOBALS.clear()
    TABLE = None
    globals().pop("FRESH", None)
    Keeps.on_class = Plain.kept = None


def wanted() -> Tensor:
    """What a network that was left alone gives."""
    with torch.no_grad():
        module = Keeps(lambda module: module.make).eval()
        return module(X)


def is_as_it_was(module: Any) -> bool:
    """Whether a real call gives what it should, with all that the network keeps."""
    with torch.no_grad():
        module.mood = ""
        answer = module.eval()(X)
        kept = [get() for get in vars(module).get("found", {}).values()]
        wrong = [each for each in kept if not torch.equal(each, module.make())]
        return not wrong and torch.equal(answer, wanted())
