"""Lock files: a model's numbers and structure, written down to be held against later."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cnninspect.commands.check.analysis import Baseline
from cnninspect.commands.check.report import CheckedLimit, LockedModel
from cnninspect.errors import BadBudget, FileUnreadable
from cnninspect.metrics.alignment import difference
from cnninspect.metrics.difference import Difference, facts_of, structural_hash
from cnninspect.metrics.limits import QUANTITIES
from cnninspect.metrics.saved import inputs_as
from cnninspect.metrics.summary import Summary
from cnninspect.page.quantities import sizes
from cnninspect.records.models import InputRequest
from cnninspect.records.reports import plain, rebuilt
from cnninspect.records.traces import Trace

SCHEMA = "cnninspect.lock/1"


def locked(trace: Trace, summary: Summary) -> LockedModel:
    """What is written down of a model; `summary` is that of the same trace."""
    layers = facts_of(trace, summary)
    return LockedModel(
        model=trace.model,
        inputs=trace.inputs,
        mode=trace.mode,
        totals=summary.totals,
        structure=structural_hash(layers),
        layers=layers,
    )


def written(models: Mapping[str, LockedModel]) -> str:
    """The text of a lock file: a line for each layer, so that versions of it can be compared."""
    parts = []
    for reference, model in sorted(models.items()):
        data = plain(model)
        layers = ",\n".join(f"      {json.dumps(layer)}" for layer in data.pop("layers"))
        fields = [f"    {json.dumps(key)}: {json.dumps(value)}" for key, value in data.items()]
        fields.append(f'    "layers": [\n{layers}\n    ]')
        parts.append(f"  {json.dumps(reference)}: {{\n" + ",\n".join(fields) + "\n  }")
    body = ",\n".join(parts)
    return f'{{\n"schema": "{SCHEMA}",\n"models": {{\n{body}\n}}\n}}\n'


def read(text: str, path: str) -> dict[str, LockedModel]:
    """The models of a lock file, by reference.

    Raises:
        FileUnreadable: it is none, or damaged.
    """
    hint = "cnninspect check MODEL --write-lock --force writes it anew"
    try:
        content = json.loads(text)
        if content.get("schema") != SCHEMA:
            raise FileUnreadable(path, f"it is no {SCHEMA}", hint)
        return {name: rebuilt(LockedModel, data) for name, data in content["models"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise FileUnreadable(path, f"it is damaged: {problem}", hint) from problem


def baseline_in(models: Mapping[str, LockedModel], reference: str, path: str) -> Baseline:
    """A model of a lock file as a baseline: that of the reference, or the only one.

    Raises:
        BadBudget: the file has it not.
    """
    model = models.get(reference)
    if model is None and len(models) == 1:
        (model,) = models.values()
    if model is None:
        raise BadBudget(
            path, f"it has no model {reference!r}", f"it has: {', '.join(models) or 'none'}"
        )
    values = {
        name: getattr(model.totals, quantity.field)
        for name, quantity in QUANTITIES.items()
        if hasattr(model.totals, quantity.field)
    }
    return Baseline(f"{path}: {model.model.reference}", values)


def inputs_of(model: LockedModel) -> tuple[InputRequest, ...] | None:
    """What a model was run with when it was written down; None where that cannot be asked for.

    The dtype of floating-point inputs is left to the model, which may have another by now.
    """
    return inputs_as(model.inputs)


def moved(before: LockedModel, now: LockedModel) -> tuple[CheckedLimit, Difference | None]:
    """Whether a model is what was written down of it, and where it is not."""
    is_same = before.structure == now.structure and before.totals == now.totals
    found = None if is_same else difference((before.model, before.layers), (now.model, now.layers))
    changes = len(found.changes) if found else 0
    limit = CheckedLimit(
        model=now.model.reference,
        name="locked",
        subject="structure and numbers",
        layers="",
        limit=0,
        value=changes,
        ok=is_same,
        unit="",
        text="no change",
        reason="" if is_same else _reason(before, now, changes),
        line=None,
    )
    return limit, found


def _reason(before: LockedModel, now: LockedModel, changes: int) -> str:
    parts = [f"{changes:,} change{'' if changes == 1 else 's'}"] if changes else []
    was, is_now = _inputs_text(before), _inputs_text(now)
    if was != is_now:
        parts.append(f"input {was} → {is_now}")
    if before.mode != now.mode:
        parts.append(f"mode {before.mode} → {now.mode}")
    for label, field in (("parameters", "parameters"), ("MACs", "macs")):
        old, new = getattr(before.totals, field), getattr(now.totals, field)
        if old != new:
            parts.append(f"{label} {old:,} → {new:,}")
    return "; ".join(parts) or "buffers or trainable parameters"


def _inputs_text(model: LockedModel) -> str:
    specs = [tensor.spec for tensor in model.inputs]
    return ", ".join(f"{sizes(spec.shape)} {spec.dtype}" for spec in specs) or "none"
