"""Reads a pickle without unpickling it: a stack machine over its opcodes that calls nothing.

`pickletools.genops` takes the bytes apart; where loading would look up a name it leaves a
`Global`, and where it would call something a `Call`.  Opcodes of protocols 0 to 5 are known.
What a pickle says comes out as plain data: scalars, text, bytes, lists and tuples stand for
themselves; a set becomes a list.  Nothing here is ever hashed or compared, since a file can nest
values more deeply than either survives.
Source: the opcode descriptions of `pickletools`.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO, Any

from cnninspect.files import Malformed, excerpt


@dataclass(eq=False, slots=True)
class Global:
    """A function or class by name."""

    name: str
    """Module and attribute, joined by a dot."""


@dataclass(eq=False, slots=True)
class Pairs:
    """A dictionary: keys and values in the order they were written."""

    pairs: list[tuple[object, object]] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Call:
    """An object that loading would make by calling `function`."""

    function: object
    arguments: tuple[object, ...]
    pairs: list[tuple[object, object]] = field(default_factory=list)
    """Items that would be set on it."""
    appended: list[object] = field(default_factory=list)
    """Items that would be appended to it."""
    state: object = None
    """What it would be given as its state."""

    @property
    def name(self) -> str:
        """Name of the function, or `""` where that is not a plain name."""
        return self.function.name if isinstance(self.function, Global) else ""


@dataclass(eq=False, slots=True)
class Persistent:
    """Something that lies outside the pickle: in a checkpoint, a storage."""

    identity: object


def items(pairs: list[tuple[object, object]]) -> Iterator[tuple[str, object]]:
    """Keys as text, and values; where a key is written twice the last value holds."""
    last: dict[tuple[type, str], object] = {}
    for key, value in pairs:
        last[type(key), key_text(key)] = value
    for (_, text), value in last.items():
        yield text, value


def key_text(key: object) -> str:
    """A key as part of a tensor's name."""
    if isinstance(key, str):
        return key
    if isinstance(key, bytes):
        return key.decode("latin-1")
    if isinstance(key, int) and key.bit_length() > 1000:
        return "<int>"  # Python refuses to write out more than some thousand digits
    if isinstance(key, (int, float, bool)) or key is None:
        return str(key)
    return f"<{type(key).__name__.lower()}>"


# --- the machine ---

MAX_OPCODES = 9_000_000
"""A checkpoint takes about 30 for each of its tensors."""


@dataclass(frozen=True, slots=True)
class Pickled:
    """What a pickle says."""

    value: object
    """Plain data and symbols."""
    globals: tuple[str, ...]
    """Every name that it asks for, in the order of its first mention."""
    persistent: tuple[Persistent, ...] = ()
    """Everything it refers to that lies outside it."""


def interpret(stream: IO[bytes]) -> Pickled:
    """What the pickle at this place of the stream says; leaves the stream behind its end.

    Raises:
        Malformed: it is not a pickle, or not one that could be loaded.
    """
    machine = Machine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's own, for odd escapes in old strings
            for count, (opcode, argument, _) in enumerate(pickletools.genops(stream)):
                if count == MAX_OPCODES:
                    raise Malformed(f"its pickle has more than {MAX_OPCODES:,} opcodes")
                machine.step(opcode.name, argument)
    except (ValueError, OverflowError) as error:
        raise Malformed(f"its pickle is broken: {excerpt(error)}") from error
    return Pickled(machine.value, tuple(machine.globals), tuple(machine.persistent))


class Machine:
    """The stack, the marks and the memo of a pickle that is being read."""

    def __init__(self) -> None:
        self.stack: list[object] = []
        self.below: list[list[object]] = []  # the stacks under each open mark
        self.memo: dict[int, object] = {}
        self.globals: dict[str, None] = {}
        self.persistent: list[Persistent] = []
        self.value: object = None

    def step(self, name: str, argument: Any) -> None:
        """One opcode."""
        if name in LITERALS:
            self.stack.append(argument)
        elif name in CONSTANTS:
            self.stack.append(CONSTANTS[name]())
        elif name in ACTIONS:
            ACTIONS[name](self, argument)
        elif name not in IGNORED:
            raise Malformed(f"its pickle uses {name}, which no checkpoint does")

    def push(self, value: object) -> None:
        """Puts a value on top."""
        self.stack.append(value)

    def pop(self) -> object:
        """Takes the topmost value."""
        if not self.stack:
            raise Malformed("its pickle is broken: a value is missing")
        return self.stack.pop()

    def top(self) -> object:
        """The topmost value."""
        if not self.stack:
            raise Malformed("its pickle is broken: a value is missing")
        return self.stack[-1]

    def pop_to_mark(self) -> list[object]:
        """Takes everything above the last mark, and the mark."""
        if not self.below:
            raise Malformed("its pickle is broken: a mark is missing")
        taken, self.stack = self.stack, self.below.pop()
        return taken

    def find(self, name: str) -> Global:
        """A name that loading would look up."""
        self.globals[name] = None
        return Global(name)

    def mark(self, _: object) -> None:
        self.below.append(self.stack)
        self.stack = []

    def discard(self, _: object) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.pop_to_mark()

    def discard_to_mark(self, _: object) -> None:
        self.pop_to_mark()

    def remember(self, index: int | None) -> None:
        self.memo[len(self.memo) if index is None else index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise Malformed(f"its pickle is broken: nothing is remembered as {index}")
        self.stack.append(self.memo[index])

    def make_tuple(self, size: int) -> None:
        taken = [self.pop() for _ in range(size)]
        self.stack.append(tuple(reversed(taken)))

    def append(self, values: list[object]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(values)
        elif isinstance(target, Call):
            target.appended.extend(values)
        else:
            raise Malformed("its pickle is broken: it appends to something that is no list")

    def set_items(self, values: list[object]) -> None:
        target = self.top()
        if len(values) % 2 or not isinstance(target, (Pairs, Call)):
            raise Malformed("its pickle is broken: it sets items of something that is no dict")
        target.pairs.extend(zip(values[::2], values[1::2]))

    def make_dict(self, values: list[object]) -> None:
        self.stack.append(Pairs())
        self.set_items(values)

    def call(self, function: object, arguments: object) -> None:
        if not isinstance(arguments, tuple):
            raise Malformed("its pickle is broken: arguments are not a tuple")
        self.stack.append(Call(function, arguments))

    def reduce(self, _: object) -> None:
        arguments = self.pop()
        self.call(self.pop(), arguments)

    def new_with_keywords(self, _: object) -> None:
        self.pop()  # keywords
        self.reduce(None)

    def new_from_mark(self, _: object) -> None:
        made = self.pop_to_mark()
        if not made:
            raise Malformed("its pickle is broken: a class is missing")
        self.call(made[0], tuple(made[1:]))

    def new_by_name(self, pair: str) -> None:
        self.call(self.find(dotted(pair)), tuple(self.pop_to_mark()))

    def find_on_stack(self, _: object) -> None:
        attribute, module = self.pop(), self.pop()
        if not (isinstance(attribute, str) and isinstance(module, str)):
            raise Malformed("its pickle is broken: a name is not text")
        self.stack.append(self.find(f"{module}.{attribute}"))

    def refer(self, identity: object) -> None:
        # Old checkpoints refer so to a class together with its source code.
        if isinstance(identity, tuple) and len(identity) > 1 and identity[0] == "module":
            self.stack.append(identity[1])
            return
        self.persistent.append(Persistent(identity))
        self.stack.append(self.persistent[-1])

    def build(self, _: object) -> None:
        state, target = self.pop(), self.top()
        if isinstance(target, Call):
            target.state = state

    def stop(self, _: object) -> None:
        self.value = self.pop()


def dotted(pair: str) -> str:
    """`module attribute`, as genops gives it, as `module.attribute`."""
    return ".".join(pair.split(" ", 1))


LITERALS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE",
    "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
"""Opcodes whose argument is the value."""

CONSTANTS: dict[str, Callable[[], object]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": Pairs,
    "EMPTY_SET": list,
}
"""Opcodes that stand for a value."""

IGNORED = frozenset({"PROTO", "FRAME"})

ACTIONS: dict[str, Callable[[Machine, Any], None]] = {
    "MARK": Machine.mark,
    "POP": Machine.discard,
    "POP_MARK": Machine.discard_to_mark,
    "DUP": lambda machine, _: machine.push(machine.top()),
    "PUT": Machine.remember,
    "BINPUT": Machine.remember,
    "LONG_BINPUT": Machine.remember,
    "MEMOIZE": Machine.remember,
    "GET": Machine.recall,
    "BINGET": Machine.recall,
    "LONG_BINGET": Machine.recall,
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "TUPLE1": lambda machine, _: machine.make_tuple(1),
    "TUPLE2": lambda machine, _: machine.make_tuple(2),
    "TUPLE3": lambda machine, _: machine.make_tuple(3),
    "LIST": lambda machine, _: machine.push(machine.pop_to_mark()),
    "FROZENSET": lambda machine, _: machine.push(machine.pop_to_mark()),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.pop_to_mark()),
    "ADDITEMS": lambda machine, _: machine.append(machine.pop_to_mark()),
    "DICT": lambda machine, _: machine.make_dict(machine.pop_to_mark()),
    "SETITEM": lambda machine, _: machine.set_items([machine.pop(), machine.pop()][::-1]),
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
    "GLOBAL": lambda machine, pair: machine.push(machine.find(dotted(pair))),
    "STACK_GLOBAL": Machine.find_on_stack,
    "EXT1": lambda machine, code: machine.push(machine.find(f"copyreg.extension {code}")),
    "EXT2": lambda machine, code: machine.push(machine.find(f"copyreg.extension {code}")),
    "EXT4": lambda machine, code: machine.push(machine.find(f"copyreg.extension {code}")),
    "REDUCE": Machine.reduce,
    "NEWOBJ": Machine.reduce,
    "NEWOBJ_EX": Machine.new_with_keywords,
    "OBJ": Machine.new_from_mark,
    "INST": Machine.new_by_name,
    "BUILD": Machine.build,
    "PERSID": Machine.refer,
    "BINPERSID": lambda machine, _: machine.refer(machine.pop()),
    "STOP": Machine.stop,
}
"""Opcodes that work on the stack."""
