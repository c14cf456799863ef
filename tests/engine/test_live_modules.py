"""Whatever a network keeps while it runs, wherever it keeps it, a run takes away again."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import pathlib
import queue
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import cnninspect
from cnninspect.errors import RunFailed

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
        module.state = container()

        def get() -> Tensor:
            held = module.state
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
        module.helper = kind()
        return module.helper

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
        module.table = functools.lru_cache(limit)(lambda _: module.make())
        return lambda: module.table(1)

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
            module.now = self.kept

    module.register_forward_pre_hook(Manager().before)
    return lambda: module.now


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


@pytest.fixture(autouse=True)
def _nothing_is_kept_before() -> None:
    forget()


def forget() -> None:
    global TABLE
    GLOBALS.clear()
    TABLE = None
    globals().pop("FRESH", None)
    Keeps.on_class = Plain.kept = None


X = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))


def wanted() -> Tensor:
    with torch.no_grad():
        module = Keeps(lambda module: module.make).eval()
        return module(X)


def is_as_it_was(module: nn.Module) -> bool:
    with torch.no_grad():
        module.mood = ""
        return torch.equal(module.eval()(X), wanted())


ASK: dict[str, Callable[[nn.Module], Any]] = {
    "trace": lambda module: cnninspect.trace(module, (X,)),
    "memory": lambda module: cnninspect.memory(module, (X,)),
    "gradients": lambda module: cnninspect.gradients(module, (X,)),
}


def compared(module: nn.Module) -> None:
    """Compare a module with itself; one that cannot be measured is a failure here."""
    if cnninspect.compare([module, module], inputs=(X,)).failed:
        raise RunFailed("compare has it in its table of failures")


MORE: dict[str, Callable[[nn.Module], Any]] = {
    "summarize": lambda module: cnninspect.summarize(module, (X,), backward=True),
    "summarize, frozen": lambda module: cnninspect.summarize(module, (X,), freeze=["f"]),
    "compare": compared,
    "check": lambda module: cnninspect.check(module, (X,), max_macs=10**9),
    "explain": lambda module: cnninspect.explain(module, "f", (X,)),
    "diff": lambda module: cnninspect.diff(module, module, (X,)),
    "fit_batch": lambda module: cnninspect.fit_batch(module, 10**6, mode="eval"),
    "scale": lambda module: cnninspect.scale(module, over="batch", sizes=(1, 2)),
    "gradient_paths": lambda module: cnninspect.gradient_paths(module, (X,)),
    "activations": lambda module: cnninspect.activations(module, (X,)),
    "memory with autocast": lambda module: cnninspect.memory(module, (X,), amp="bfloat16"),
    "memory of another dtype": lambda module: cnninspect.memory(module, (X,), dtype="float64"),
    "gradients of another dtype": lambda module: cnninspect.gradients(
        module, (X,), dtype="float64"
    ),
    "gradients of other weights": lambda module: cnninspect.gradients(module, (X,), init="kaiming"),
}


@pytest.mark.parametrize("name", MORE)
def test_no_question_leaves_anything_behind(name: str) -> None:
    some = list(PLACES)[list(MORE).index(name) % 5 :: 5]  # `ASK` is for every place
    for place, mood in [(p, m) for m in ("", "fails", "interrupted") for p in some]:
        is_left_alone(MORE[name], place, mood)


SLOW: dict[str, Callable[[nn.Module, str], Any]] = {
    "audit": lambda module, _: cnninspect.audit(module, (X,), run=False),
    "export_onnx": lambda module, path: cnninspect.export_onnx(module, path, (X,)),
}


@pytest.mark.parametrize("place", ["a variable of a closure"])
@pytest.mark.parametrize("name", SLOW)
def test_no_slow_question_does_either(name: str, place: str, tmp_path: pathlib.Path) -> None:
    for mood in ("", "fails"):
        is_left_alone(lambda module: SLOW[name](module, str(tmp_path / "x.onnx")), place, mood)


def is_left_alone(ask: Callable[[nn.Module], Any], place: str, mood: str) -> None:
    forget()
    module = Keeps(PLACES[place], mood).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    try:
        ask(module)
        assert not mood, place
    except (cnninspect.CnnInspectError, KeyboardInterrupt):
        assert mood, place
    assert all(torch.equal(value, before[n]) for n, value in module.state_dict().items()), place
    assert all(parameter.grad is None for parameter in module.parameters()), place
    assert all(part.training for part in module.modules()), place
    assert is_as_it_was(module), place
    forget()


def test_a_closure_over_a_weight_keeps_that_weight() -> None:
    net = nn.Linear(4, 4)
    weight = net.weight
    net.register_forward_hook(lambda _, __, y: y @ weight)
    for ask in ASK.values():
        ask(net)
        cell = net._forward_hooks[next(iter(net._forward_hooks))].__closure__[0]
        assert cell.cell_contents is weight is net.weight


@pytest.mark.parametrize("mood", ["", "fails", "interrupted", "asks"])
@pytest.mark.parametrize("place", PLACES)
def test_nothing_fake_stays_in(place: str, mood: str) -> None:
    for name, ask in ASK.items():
        if name != "trace" and mood in ("fails", "asks"):
            continue
        module = Keeps(PLACES[place], mood).train()
        before = {name: value.clone() for name, value in module.state_dict().items()}
        problems = (RunFailed, KeyboardInterrupt) if mood in ("fails", "interrupted") else ()
        with contextlib.suppress(*problems):
            ask(module)
        assert all(torch.equal(value, before[n]) for n, value in module.state_dict().items()), name
        assert all(part.training for part in module.modules()), name
        assert is_as_it_was(module), name
        forget()
