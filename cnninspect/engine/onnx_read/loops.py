"""Graphs within nodes that run again and again: loops, scans, and bodies for each of a sequence.

A loop is followed as often as it runs.  If its rounds are all alike and too many to follow, one
operation stands for all, with the work of a round multiplied; if nobody knows how often it runs, it
is an operation without a count whose body was looked into once, for its weights and for what a
round takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import prod

import numpy as np
from onnx import GraphProto, NodeProto

from cnninspect.engine.onnx_read.errors import Malformed, NodeFails
from cnninspect.engine.onnx_read.graph_walk import Step, Walk, Work, graphs_of
from cnninspect.engine.onnx_read.inference import Outcome, operation_of
from cnninspect.engine.onnx_read.operator_shapes.sequences import sequence_of
from cnninspect.engine.onnx_read.scope import Frame
from cnninspect.engine.onnx_read.values import Dims, Value, content_of, of_array
from cnninspect.records.operations import Argument

Given = Sequence["Value | None"]

MOST_LOOPED = 30_000
"""Calls that one loop may unroll into."""
ENDLESS = 2**31
"""Rounds that stand for "until something else ends it"."""
FEW_ROUNDS = 16
"""Rounds up to which a loop is followed without a look at whether they are all alike."""
WIDENINGS = 4
"""Times that a body is looked at until the sizes that it changes are known to change."""


@dataclass(frozen=True, slots=True)
class Typical:
    """A round that all rounds are like."""

    kept: Sequence[Value]
    """States and results."""
    steps: Sequence[Step]
    nodes: int
    """Nodes that were followed for it."""

    def is_long(self, rounds: int) -> bool:
        """Whether to multiply instead of following each round."""
        return not self.steps or rounds * max(len(self.steps), self.nodes) > MOST_LOOPED


@dataclass(slots=True)
class Repeated:
    """The body of a loop, and what one round of it is given and gives."""

    walk: Walk
    node: NodeProto
    frame: Frame
    layer: str
    body: GraphProto
    states: int
    """How many values go from one round to the next."""
    has_condition: bool = False
    """Whether the body is given its round's number and a condition, and gives the condition."""
    results: int = field(init=False)

    def __post_init__(self) -> None:
        before = 2 if self.has_condition else 0
        if len(self.body.input) < self.states + before:
            raise Malformed("its body does not take what it is given")
        if len(self.body.output) < self.states + self.has_condition:
            raise Malformed("its body does not give what it should")
        self.results = len(self.body.output) - self.states - self.has_condition

    def round(self, given: Sequence[Value | None]) -> list[Value]:
        """Follow the body once; returns its outputs."""
        self.walk.rounds += 1
        inner = self.walk.inside(self.node, self.frame, self.layer)
        for formal, value in zip(self.body.input, given):
            inner.bind(formal.name, value or Value(0, None))
        return self.walk.graph(self.body, inner)

    def typical(self, states: Given, slices: Given = ()) -> Typical | None:
        """A round, if every round is like it; None if they differ.

        They are alike where the body gives states of the shapes that it is given, whatever their
        elements and the number of the round are.
        """
        start, followed = len(self.walk.steps), self.walk.followed
        effort = self.walk.effort
        plain = [None if v is None else replace(v, content=None) for v in states]
        before = [Value(7, ()), of_array(np.array(True), 9)] if self.has_condition else []
        try:
            outputs = self.round([*before, *plain, *slices])
        except NodeFails:
            return None  # it may fit what it is really given
        finally:
            steps, nodes = self.walk.steps[start:], self.walk.effort - effort
            self.walk.forget(start, followed)
        again = content_of(outputs[0]) if self.has_condition else np.array(True)
        kept = outputs[self.has_condition :]
        is_same = all(
            old is not None and old.spec is not None and old.spec == new.spec
            for old, new in zip(plain, kept)
        )
        is_known = all(value.spec is not None for value in kept)
        if again is None or not again.any() or not is_same or not is_known:
            return None
        return Typical(kept, steps, nodes)

    def look_into(self, states: Given, slices: Given = ()) -> tuple[list[Value], Work]:
        """What a round gives and does where the number of rounds is not known.

        Sizes that change from round to round are not known.
        """
        start, followed = len(self.walk.steps), self.walk.followed
        wide = [replace(v or Value(0, None), content=None) for v in states]
        before = [Value(7, ()), Value(9, ())] if self.has_condition else []
        kept = list(wide)
        work = Work(unknown=("its body",))
        for _ in range(WIDENINGS):
            try:
                outputs = self.round([*before, *wide, *slices])
            except NodeFails as problem:
                self.walk.notes[f"a body that may never run does not fit: {problem}"] = None
                kept = [Value(0, None) for _ in range(self.states + self.results)]
                break
            finally:
                steps = self.walk.steps[start:]
                self.walk.forget(start, followed)
            kept, work = outputs[self.has_condition :], self.walk.work_of(steps)
            wider = [_wider(old, new) for old, new in zip(wide, kept)]
            if all((a.element, a.dims) == (b.element, b.dims) for a, b in zip(wide, wider)):
                break
            wide = wider
        return [*wide, *kept[self.states :]], work

    def unfollowed(
        self,
        inputs: Given,
        found: Sequence[Value],
        work: Work,
        *,
        rounds: int | None,
        why: str = "",
    ) -> list[Value]:
        """The loop as one operation, with what it gives and what a round of it takes."""
        name = self.node.name or f"a {self.node.op_type}"
        is_counted = rounds is not None and not work.unknown
        cause = "" if is_counted else f"how often {name} runs depends on data"
        outputs = tuple(
            replace(v, content=None, cause="" if v.spec is not None else cause or v.cause)
            for v in [*found, *[Value(0, None)] * len(self.node.output)][: len(self.node.output)]
        )
        added: tuple[tuple[str, Argument], ...] = (
            ("rounds", rounds), ("macs_per_round", work.macs),
            ("activations_per_round", work.activations), ("unknown_in_a_round", work.unknown),
            ("why", why),
        )  # fmt: skip
        operation = operation_of(self.node, inputs, outputs, schema=None, domain="", added=added)
        operation = self.walk.inference.interned(operation)
        values = self.walk.write(self.node, inputs, Outcome(operation, outputs), layer=self.layer)
        if not is_counted and work.macs:
            self.walk.notes[
                f"{name} is not counted, since {why}: a round of it takes {work.macs:,} MACs"
            ] = None
        return [replace(value, is_data=True) for value in values]


def loop(walk: Walk, node: NodeProto, inputs: Given, frame: Frame, *, layer: str) -> list[Value]:
    """Follow a `Loop` as often as it runs."""
    body = graphs_of(node).get("body")
    if body is None or len(inputs) < 2 or len(body.input) != len(inputs):
        raise Malformed("a Loop needs a count, a condition and a body that takes what it is given")
    carried: Given = inputs[2:]
    repeated = Repeated(walk, node, frame, layer, body, states=len(carried), has_condition=True)
    most = None if inputs[0] is None else _whole(inputs[0])
    condition = content_of(inputs[1])
    is_open = any(value is not None and value.content is None for value in inputs[:2])
    if is_open:
        return _not_counted(repeated, inputs, carried, why="how often it runs depends on data")
    goes_on = condition is None or bool(condition.any())
    rounds = most if goes_on else 0
    if walk.is_tired or id(node) in walk.endless:
        return _not_counted(repeated, inputs, carried, why="it runs too often", rounds=rounds)
    if rounds is None or rounds > FEW_ROUNDS:
        same = repeated.typical(carried)
        if same is not None and (rounds is None or rounds >= ENDLESS):
            return _not_counted(repeated, inputs, carried, why="nothing ends it")
        if same is not None and rounds is not None and same.is_long(rounds):
            return _alike(repeated, inputs, same, lengths=(rounds,))
    start, followed, scanned, number = len(walk.steps), walk.followed, _Scanned(), 0
    while goes_on and (most is None or number < most):
        if max(walk.followed - followed, number) > MOST_LOOPED or walk.is_tired:
            walk.forget(start, followed)
            walk.endless[id(node)] = node
            return _not_counted(repeated, inputs, inputs[2:], why="it runs too often")
        given = [of_array(np.array(number), 7), of_array(np.array(True), 9), *carried]
        again, *results = repeated.round(given)
        carried = results[: len(carried)]
        scanned.add(results[len(carried) :])
        known = content_of(again)
        if known is None:
            walk.forget(start, followed)
            why = "how often it runs depends on data"
            return _not_counted(repeated, inputs, inputs[2:], why=why)
        goes_on, number = bool(known.any()), number + 1
    kept = [value if value is not None else Value(0, None) for value in carried]
    return [*kept, *scanned.stacked((number,), results=repeated.results)]


def scan(walk: Walk, node: NodeProto, inputs: Given, frame: Frame, *, layer: str) -> list[Value]:
    """Follow a `Scan` once for each element along the axis that it runs over.

    Of old (opset 8) it took lengths first, and its states and sequences have a batch in front.
    """
    body = graphs_of(node).get("body")
    numbers = {a.name: (a.i, list(a.ints)) for a in node.attribute}
    over = numbers.get("num_scan_inputs", (0, []))[0]
    is_old = frame.opsets.get("", 9) < 9
    given = inputs[1:] if is_old else inputs
    if body is None or not 0 < over <= len(given) or len(body.input) != len(given):
        raise Malformed("a Scan needs sequences, and a body that takes what it is given")
    states, sequences = list(given[: len(given) - over]), list(given[len(given) - over :])
    axes = numbers.get("scan_input_axes", (0, []))[1] or [0] * over
    if len(axes) != over:
        raise Malformed(f"it has {len(axes)} axes for {over} sequences")
    batches: tuple[int | None, ...] = ()
    if is_old:
        cut = [_element(value, 0) for value in (*states, *sequences)]
        batches = (next((size for _, size in cut if size is not None), None),)
        states, sequences = [v for v, _ in cut[: len(states)]], [v for v, _ in cut[len(states) :]]
        axes = [0] * over
    slices = [_element(value, axis) for value, axis in zip(sequences, axes)]
    lengths = {length for _, length in slices}
    if None not in lengths and len(lengths) > 1:
        raise Malformed(f"its sequences are of different lengths, {_and(lengths)}")
    length = lengths.pop() if len(lengths) == 1 else None
    repeated = Repeated(walk, node, frame, layer, body, states=len(states))
    elements = [value for value, _ in slices]
    outwards = numbers.get("scan_output_axes", (0, []))[1] if not is_old else []
    around = (*batches, length)
    if None in around or id(node) in walk.endless:
        return _not_counted(
            repeated,
            inputs,
            states,
            slices=elements,
            why="the length of what it runs over is unknown",
        )
    sizes = tuple(size for size in around if size is not None)
    count, before = prod(sizes), states
    start, followed, scanned = len(walk.steps), walk.followed, _Scanned()
    if count > FEW_ROUNDS:
        same = repeated.typical(states, elements)
        if same is not None and same.is_long(count):
            return _alike(repeated, inputs, same, lengths=sizes, axes=outwards, batches=batches)
    for _ in range(count):
        if walk.followed - followed > MOST_LOOPED or walk.is_tired:
            walk.endless[id(node)] = node
            walk.forget(start, followed)
            return _not_counted(
                repeated, inputs, before, slices=elements, why="it runs too often", rounds=length
            )
        results = repeated.round([*states, *elements])
        states = list(results[: len(states)])
        scanned.add(results[len(states) :])
    return [
        *_batched(states, batches),
        *scanned.stacked(sizes, results=repeated.results, axes=outwards),
    ]


def sequence_map(
    walk: Walk, node: NodeProto, inputs: Given, frame: Frame, *, layer: str
) -> list[Value]:
    """Follow the body of a `SequenceMap` once for each tensor of its sequence."""
    body = graphs_of(node).get("body")
    if body is None or not inputs or len(body.input) != len(inputs):
        raise Malformed("a SequenceMap needs a body that takes what it is given")
    repeated = Repeated(walk, node, frame, layer, body, states=0)
    items = None if inputs[0] is None else inputs[0].items
    others = [None if v is None else v.items if v.items is not None else v for v in inputs[1:]]
    if items is None or any(isinstance(v, tuple) and len(v) != len(items) for v in others):
        found, work = repeated.look_into((), [Value(0, None) for _ in inputs])
        why = "how many tensors it is given is unknown"
        repeated.unfollowed(inputs, found, work, rounds=None, why=why)
        return [sequence_of(None) for _ in node.output]
    gathered: list[list[Value]] = []
    for i, item in enumerate(items):
        gathered.append(
            repeated.round([item, *(v[i] if isinstance(v, tuple) else v for v in others)])
        )
    return [sequence_of(tuple(results[k] for results in gathered)) for k in range(len(node.output))]


def _alike(
    repeated: Repeated,
    inputs: Given,
    same: Typical,
    *,
    lengths: tuple[int, ...],
    axes: Sequence[int] = (),
    batches: tuple[int | None, ...] = (),
) -> list[Value]:
    """What rounds give that are all alike, one operation for all of them."""
    scanned = _Scanned()
    scanned.add(same.kept[repeated.states :])
    found = [
        *_batched(same.kept[: repeated.states], batches),
        *scanned.stacked(lengths, results=repeated.results, axes=axes),
    ]
    if not same.steps:
        return [replace(value, content=None) for value in found]
    work = repeated.walk.work_of(same.steps)
    return repeated.unfollowed(inputs, found, work, rounds=prod(lengths))


def _not_counted(
    repeated: Repeated,
    inputs: Given,
    states: Given,
    *,
    why: str,
    slices: Given = (),
    rounds: int | None = None,
) -> list[Value]:
    """A loop of which it is not known how often it runs, its body looked into."""
    found, work = repeated.look_into(states, slices)
    stacked = [
        replace(v, dims=None if v.dims is None else (rounds, *v.dims), content=None)
        for v in found[repeated.states :]
    ]
    return repeated.unfollowed(
        inputs, [*found[: repeated.states], *stacked], work, rounds=None, why=why
    )


@dataclass(slots=True)
class _Scanned:
    """What the rounds of a loop give, to be stacked."""

    last: Sequence[Value] = ()

    def add(self, values: Sequence[Value]) -> None:
        self.last = values

    def stacked(
        self, lengths: tuple[int, ...], *, results: int, axes: Sequence[int] = ()
    ) -> list[Value]:
        """Each with the rounds as further axes, in front or where `axes` says."""
        if not self.last:
            return [Value(0, None) for _ in range(results)]
        found = []
        for i, value in enumerate(self.last):
            dims = value.dims
            if dims is not None:
                dims = _with(dims, axes[i], lengths[-1]) if i < len(axes) else (*lengths, *dims)
            found.append(replace(value, dims=dims, content=None, weight="", made_of=()))
        return found


def _with(dims: Dims, axis: int, size: int) -> Dims:
    if not -len(dims) - 1 <= axis <= len(dims):
        raise Malformed(f"its results have no axis {axis}")
    at = axis if axis >= 0 else len(dims) + 1 + axis
    return (*dims[:at], size, *dims[at:])


def _batched(states: Given, batches: tuple[int | None, ...]) -> list[Value]:
    found = [value if value is not None else Value(0, None) for value in states]
    if not batches:
        return found
    return [
        replace(v, content=None, dims=None if v.dims is None else (*batches, *v.dims))
        for v in found
    ]


def _element(value: Value | None, axis: int) -> tuple[Value | None, int | None]:
    """What one round of a scan is given of a sequence, and how long that is."""
    if value is None or value.dims is None:
        return value, None
    if not -len(value.dims) <= axis < len(value.dims):
        raise Malformed(f"its sequence has no axis {axis}")
    at = axis % len(value.dims)
    dims = (*value.dims[:at], *value.dims[at + 1 :])
    return replace(value, dims=dims, content=None, weight="", made_of=()), value.dims[at]


def _wider(old: Value, new: Value) -> Value:
    """What is known of a value that is either."""
    element = old.element if old.element == new.element else 0
    if old.dims is None or new.dims is None or len(old.dims) != len(new.dims):
        return Value(element, None, is_data=True)
    dims = tuple(a if a == b else None for a, b in zip(old.dims, new.dims))
    return Value(element, dims, is_data=True, origin=new.origin)


def _whole(value: Value) -> int | None:
    """The count of a loop.

    Raises:
        Malformed: it is no whole number.
    """
    if value.content is None:
        return None
    if value.content.dtype.kind not in "iu" or value.content.size != 1:
        raise Malformed("its count is no whole number")
    return max(0, int(value.content.reshape(-1)[0]))


def _and(lengths: set[int | None]) -> str:
    return " and ".join(sorted(map(str, lengths)))
