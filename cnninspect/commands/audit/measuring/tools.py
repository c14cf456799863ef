"""The counters, each asked as its own documentation shows; none is imported before it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import torch
from torch import nn

from cnninspect.commands.audit.measuring.subjects import INNER, Subject
from cnninspect.commands.audit.report import Overlooked, ToolPart
from cnninspect.costs import cost_of
from cnninspect.engine.module_tree import walk
from cnninspect.engine.operators import operation_of, operator_of
from cnninspect.engine.torch_private import TorchDispatchMode


@dataclass(frozen=True, slots=True)
class Answer:
    """What a counter says of a subject."""

    total: int
    """Multiply-accumulates, as it counts them."""
    parts: tuple[ToolPart, ...] = ()
    """The same by layer and operator, if it tells."""
    overlooked: tuple[Overlooked, ...] = ()
    """What it has no rule for, where that was watched."""
    look_alikes: tuple[str, ...] = ()
    """Layers that its rules do not know, though by name they would."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A counter that is run."""

    name: str
    """What one types."""
    package: str
    """The package that it is installed with."""
    library: str
    """What is imported for it."""
    devices: tuple[str, ...]
    """What to run it on: the first that works."""
    ask: Callable[[Any, Subject], Answer]
    """Its answer, given its library."""


def by_flop_counter(library: Any, subject: Subject) -> Answer:
    """`FlopCounterMode` of PyTorch, which goes by operators in dispatch; two FLOPs for a MAC."""
    counter = library.FlopCounterMode(display=False)
    with Passing(counter.flop_registry) as passing, counter, torch.no_grad():
        subject.module(*subject.tensors)
    named = {
        name.partition(".")[2]: {str(op): count // 2 for op, count in counts.items()}
        for name, counts in counter.get_flop_counts().items()
        if name != "Global"
    }
    return Answer(
        counter.get_total_flops() // 2, tuple(own_parts(named)), tuple(passing.overlooked())
    )


def by_fvcore(library: Any, subject: Subject) -> Answer:
    """`FlopCountAnalysis` of fvcore, which goes by the graph of PyTorch's tracer."""
    analysis = library.FlopCountAnalysis(subject.module, subject.tensors)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.tracer_warnings("none")
    return Answer(int(analysis.total()), tuple(own_parts(analysis.by_module_and_operator())))


def by_thop(library: Any, subject: Subject) -> Answer:
    """`profile` of thop, which goes by modules."""
    macs, _ = library.profile(subject.module, inputs=subject.tensors, verbose=False)
    return Answer(int(macs), look_alikes=look_alikes(subject.module.inner))


def by_ptflops(library: Any, subject: Subject) -> Answer:
    """`get_model_complexity_info` of ptflops, which goes by modules and by functions.

    By keyword, since it divides what modules do by the size of a batch that it sees.  Not on the
    meta device, where products pass through the functions that it replaces a second time.
    What it counts for modules stands in an attribute of each while they run.
    """
    parts: list[ToolPart] = []
    subject.module.after = lambda: parts.extend(_counted_modules(INNER, subject.module.inner))
    with redirect_stdout(StringIO()) as said:
        macs, _ = library.get_model_complexity_info(
            subject.module,
            (1,),
            input_constructor=lambda _: {"by_keyword": subject.tensors},
            as_strings=False,
            print_per_layer_stat=False,
        )
    if macs is None:  # it prints what went wrong, and goes on
        lines = said.getvalue().strip().splitlines()
        raise RuntimeError(lines[-1] if lines else "it gave up without a word")
    return Answer(int(macs), tuple(parts), look_alikes=look_alikes(subject.module.inner))


def by_torchinfo(library: Any, subject: Subject) -> Answer:
    """`summary` of torchinfo, which goes by the parameters of modules."""
    device = "meta" if all(tensor.is_meta for tensor in subject.tensors) else "cpu"
    found = library.summary(
        subject.module, input_data=list(subject.tensors), verbose=0, device=device
    )
    return Answer(int(found.total_mult_adds))


TOOLS: Mapping[str, Tool] = {
    tool.name: tool
    for tool in (
        Tool("flop_counter", "torch", "torch.utils.flop_counter", ("meta",), by_flop_counter),
        Tool("flop_counter_cpu", "torch", "torch.utils.flop_counter", ("cpu",), by_flop_counter),
        Tool("fvcore", "fvcore", "fvcore.nn", ("cpu",), by_fvcore),
        Tool("thop", "thop", "thop", ("meta", "cpu"), by_thop),
        Tool("ptflops", "ptflops", "ptflops", ("cpu",), by_ptflops),
        Tool("torchinfo", "torchinfo", "torchinfo", ("meta", "cpu"), by_torchinfo),
    )
}
"""By name, in the order of the report."""


class Passing(TorchDispatchMode):
    """Notes the operators with multiply-accumulates that `FlopCounterMode` has no rule for.

    It stands behind that one, which takes apart what can be taken apart.
    """

    def __init__(self, known: Iterable[Any]) -> None:
        super().__init__()
        self._known = frozenset(known)
        self._found: dict[str, list[int]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        operator = operator_of(func)
        if func._overloadpacket not in self._known and not operator.is_bookkeeping:
            macs = cost_of(operation_of(operator, args, kwargs, result)).cost.macs
            if macs:
                found = self._found.setdefault(operator.name, [0, 0])
                found[0] += 1
                found[1] += macs
        return result

    def overlooked(self) -> Iterator[Overlooked]:
        """The operators, in the order of their first call."""
        for op, (calls, macs) in self._found.items():
            yield Overlooked(op, calls, macs)


def look_alikes(model: nn.Module) -> tuple[str, ...]:
    """Paths of the layers whose class has the name of one of `torch.nn` and is another one."""
    return tuple(
        path
        for path, module in walk(model)
        if getattr(nn, type(module).__name__, type(module)) is not type(module)
    )


def _counted_modules(path: str, module: nn.Module) -> Iterator[ToolPart]:
    """What ptflops has for the outermost modules that it has a rule for; it looks at none below."""
    count = getattr(module, "__flops__", None)
    if count is not None:
        yield ToolPart(_without_wrapper(path), "modules", int(count))
        return
    for name, child in module.named_children():
        yield from _counted_modules(f"{path}.{name}", child)


def _without_wrapper(path: str) -> str:
    return "" if path == INNER else path.removeprefix(f"{INNER}.")


def own_parts(counts: Mapping[str, Mapping[str, float]]) -> Iterator[ToolPart]:
    """What each layer counts by itself, from counts that hold those of the layers under it too."""
    own = {name: dict(by_op) for name, by_op in counts.items()}
    for name, by_op in counts.items():
        above = own.get(name.rpartition(".")[0]) if name else None
        if above is not None:
            for op, count in by_op.items():
                above[op] = above.get(op, 0) - count
    for name, by_op in own.items():
        path = _without_wrapper(name)
        yield from (ToolPart(path, str(op), int(count)) for op, count in by_op.items() if count)
