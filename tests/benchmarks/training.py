"""Part `training`: what the loop of `train` costs, against a bare PyTorch loop of the same work."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from typing import Any

from figures import note
from processes import call_in_process
from tables import table

SHAPE, EPOCHS, BATCH = (3, 16, 16), 2, 64
TARGET = 1.10
CLOCKS = {"seconds": time.perf_counter, "seconds of the processor": time.process_time}


def bare(examples: Any, learnt: Any, kept: Any) -> float:
    """Two epochs of ResNet-20 on digits, with loss and accuracy on what was held out."""
    import torch
    import torch.nn.functional as F

    from cnninspect.sources.registry import load

    torch.manual_seed(0)
    model = load("resnet20").build()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    right = 0
    for epoch in range(1, EPOCHS + 1):
        torch.manual_seed(epoch)
        order = learnt[torch.randperm(len(learnt))]
        model.train()
        for chosen in order.split(BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss = F.cross_entropy(model(examples.inputs[chosen]), examples.labels[chosen])
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            right = sum(
                int((model(examples.inputs[part]).argmax(1) == examples.labels[part]).sum())
                for part in kept.split(256)
            )
    return right / len(kept)


def ours(examples: Any, learnt: Any, kept: Any) -> float:
    """The same by the loop of `cnninspect train`."""
    import cnninspect
    from cnninspect.commands.train.measuring import Plan, train_model
    from cnninspect.commands.train.report import TrainingSettings
    from cnninspect.metrics.depth import weighted_layers
    from cnninspect.sources.registry import load

    settings = TrainingSettings(epochs=EPOCHS, batch=BATCH)
    layers = weighted_layers(cnninspect.trace("resnet20"))
    run = train_model(
        Plan(
            loaded=load("resnet20"),
            layers=layers,
            frozen=frozenset(),
            settings=settings,
            data=examples,
            learnt=learnt,
            kept=kept,
        )
    )
    return run.epochs[-1].held_out_accuracy


RUNS = {"bare": bare, "train": ours}


def in_turn(pairs: int) -> list[dict[str, dict[str, float]]]:
    """In a process of its own: both loops in turn, after one of each."""
    from cnninspect.engine.real_passes.data_sets import load_data, split

    examples = load_data("digits", SHAPE)
    learnt, kept = split(examples, 0.2)
    results = []
    for _ in range(pairs + 1):
        taken = {}
        for name, run in RUNS.items():
            gc.collect()
            start = {clock: read() for clock, read in CLOCKS.items()}
            accuracy = run(examples, learnt, kept)
            taken[name] = {clock: read() - start[clock] for clock, read in CLOCKS.items()}
            taken[name]["accuracy"] = accuracy
        results.append(taken)
    return results[1:]


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: seconds of both, and their ratio beside the target."""
    progress("training: both loops in turn")
    pairs = call_in_process("training:in_turn", pairs=repeats)
    rows = []
    for clock in CLOCKS:
        bare_s, ours_s = (statistics.median(p[name][clock] for p in pairs) for name in RUNS)
        ratios = (p["train"][clock] / p["bare"][clock] for p in pairs)
        ratio = note(f"{clock} / bare", ratios, most=TARGET)
        rows.append([clock, f"{bare_s:.2f}", f"{ours_s:.2f}", f"{ratio:.2f}", f"≤ {TARGET:.2f}"])
    accuracies = [f"{pairs[0][name]['accuracy']:.4f}" for name in RUNS]
    rows.append(["held-out accuracy", *accuracies, "", ""])
    return table(
        [f"ResNet-20 on digits, {EPOCHS} epochs", "bare", "train", "ratio", "target"], rows
    )
