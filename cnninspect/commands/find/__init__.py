"""Every known architecture that fits."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cnninspect.commands.find.report import Finding, of_common_input, select
from cnninspect.errors import UnknownChoice, UnknownModel
from cnninspect.metrics.figures import Figures, Unmeasured, compared, limit_texts
from cnninspect.metrics.frontier import AXES
from cnninspect.sources import registry
from cnninspect.sources.open import as_arguments
from cnninspect.store.cache import LIBRARIES, Memory, versions
from cnninspect.store.survey import (
    BaselineFailed,
    measuring_and_limits,
    outcomes_of,
    timing_where_limited,
    with_times,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from cnninspect.store.survey import MeasuringOptions


def find(
    pattern: str = "*",
    inputs: Any = None,
    *,
    sources: Sequence[str] = ("zoo",),
    axes: Sequence[str] = ("parameters", "macs", "accuracy"),
    baseline: str | None = None,
    any_input: bool = False,
    remember: bool = True,
    **options: Unpack[MeasuringOptions],
) -> Finding:
    """Every architecture of these sources that keeps the limits, the Pareto frontier first.

    `pattern` is matched against names as in a shell, and otherwise as a part of them.  The
    frontier is of those `axes` that something is known of.  Without `inputs`, models that take
    something else than most of those do are left out, unless `any_input`.  `options` are those of
    `compare`; with `max_latency`, those that keep all other limits are timed on this machine.

    Raises:
        UnknownChoice: there is no such source or axis.
        UnknownModel: no name matches.
        BadQuantity, Contradiction: a limit cannot be read, or nothing can keep them all.
    """
    return find_models(
        pattern,
        sources=sources,
        axes=axes,
        baseline=baseline,
        any_input=any_input,
        remember=remember,
        arguments=as_arguments(inputs),
        **options,
    )


def find_models(
    pattern: str,
    *,
    sources: Sequence[str],
    axes: Sequence[str],
    baseline: str | None,
    any_input: bool,
    remember: bool,
    **options: Any,
) -> Finding:
    """What fits; see `cnninspect.find`."""
    for axis in axes:
        if axis not in AXES:
            raise UnknownChoice("--axes", axis, AXES)
    measuring, limits = measuring_and_limits({"jobs": None, **options})
    if baseline is None:
        limit_texts(limits, None)  # says at once that a share needs one
    memory = Memory() if remember else None
    references = references_in(sources, pattern, memory)
    outcomes = outcomes_of([*references, *filter(None, [baseline])], measuring, memory)
    first = outcomes[-1] if baseline else None
    if isinstance(first, Unmeasured):
        raise BaselineFailed(first)
    measuring = timing_where_limited(measuring, limits)
    others = [limit for limit in limits if limit.quantity != "latency"]
    known = with_times(references, outcomes[: len(references)], replace(measuring, latency=False))
    elsewhere: list[Figures] = []
    if measuring.latency:  # only those that are left, and would be shown, are worth a clock
        figures = [outcome for outcome in known if isinstance(outcome, Figures)]
        left = [each for each in figures if compared(each, first, others)["fits"] is not False]
        shown = {id(each) for each in (left if any_input else of_common_input(left))}
        elsewhere = [each for each in left if id(each) not in shown]
        known = with_times(
            references,
            known,
            replace(measuring, device_spec=None),
            is_wanted=lambda each: id(each) in shown,
        )
    left_out = {id(each) for each in elsewhere}
    return select(
        [each for each in known if isinstance(each, Figures) and id(each) not in left_out],
        [each for each in known if isinstance(each, Unmeasured)],
        untimed=elsewhere,
        baseline=first,
        limits=limits,
        axes=axes,
        sources=sources,
        pattern=pattern,
        any_input=any_input,
        notes=memory.told() if memory else (),
    )


def references_in(sources: Sequence[str], pattern: str, memory: Memory | None) -> tuple[str, ...]:
    """What to type for every architecture of these sources whose name matches.

    Names of libraries are remembered, since listing them is slow.

    Raises:
        UnknownChoice: there is no such source.
        UnknownModel: nothing matches.
        MissingLibrary: a source's library is not installed.
    """
    names = {source: _names_in(source, memory) for source in dict.fromkeys(sources)}
    found = tuple(
        name if source == "zoo" else f"{source}:{name}"
        for source, known in names.items()
        for name in known
        if registry.is_match(name, pattern)
    )
    if not found:
        raise UnknownModel(pattern, (name for known in names.values() for name in known))
    return found


def _names_in(source: str, memory: Memory | None) -> tuple[str, ...]:
    if source not in registry.listable():
        raise UnknownChoice("--source", source, registry.listable())
    if memory is None or source not in LIBRARIES:
        return tuple(entry.name for entry in registry.entries((source,)))
    text = json.dumps(["names", source, versions(source)])
    key = hashlib.sha256(text.encode()).hexdigest()
    kept = memory.recall([key]).get(key)
    if kept is not None and (remembered := _names_of(kept)) is not None:
        return remembered
    names = tuple(entry.name for entry in registry.entries((source,)))
    memory.keep({key: json.dumps(names)})
    return names


def _names_of(text: str) -> tuple[str, ...] | None:
    """The names in what was remembered; None: it is something else."""
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        return None
    return tuple(names)
