"""Part `peak`: the predicted peak of a training step, and what PyTorch's allocator really gave out.

On a GPU where there is one (`torch.cuda.max_memory_allocated`), else on the CPU (the profiler's
record of each allocation).  What libraries allocate behind PyTorch's back is in neither.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from figures import note
from processes import call_in_process
from tables import table

CASES = {
    "mlp": (64, 64),
    "vgg11@resolution=64": (4, 64),
    "resnet34": (2, 64),
    "densenet121": (2, 64),
    "efficientnet_b0": (2, 64),
    "se_resnet50": (2, 64),
    "torchvision:vit_b_16": (2, 64),
    "torchvision:swin_t": (2, 64),
}
"""References, and their batches on the CPU and on a GPU."""


def peaks(reference: str, batch: int, device: str) -> dict[str, Any]:
    """In a process of its own: predicted and allocated bytes of a step that is not the first."""
    import torch

    import cnninspect
    from cnninspect.sources.open import load

    report = cnninspect.memory(reference, batch=batch)
    module = load(reference).build().to(device).train()
    x = torch.randn(report.inputs[0].spec.shape, device=device)

    def step() -> None:
        module.zero_grad(set_to_none=True)
        output = module(x)
        output.backward(torch.ones_like(output))

    step()
    module.zero_grad(set_to_none=True)
    totals = report.totals
    held = totals.parameter_bytes + totals.buffer_bytes + totals.input_bytes
    allocated = most_on_cuda(step) - held if device == "cuda" else most_on_cpu(step)
    return {"predicted": totals.peak_bytes - held, "allocated": allocated}


def most_on_cuda(step: Callable[[], None]) -> int:
    """The most bytes that are allocated during the step, with those before it."""
    import torch

    torch.cuda.reset_peak_memory_stats()
    step()
    return int(torch.cuda.max_memory_allocated())


def most_on_cpu(step: Callable[[], None]) -> int:
    """The most bytes that the step has allocated at once, beyond those before it."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.json"
        profiled.export_chrome_trace(str(file))
        events = json.loads(file.read_text())["traceEvents"]
    events = [event for event in events if event.get("name") == "[memory]"]
    changes = [event["args"] for event in sorted(events, key=lambda event: event["ts"])]
    totals = [change["Total Allocated"] for change in changes]
    return max(totals) - (totals[0] - changes[0]["Bytes"])


def where() -> tuple[str, str]:
    """In a process of its own: the device to measure on, and its name."""
    import torch

    if torch.cuda.is_available():
        return "cuda", torch.cuda.get_device_name()
    return "cpu", "the CPU"


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: both peaks beyond parameters, buffers and inputs; nothing in them varies."""
    device, name = call_in_process("peak:where")
    rows = []
    for reference, batches in CASES.items():
        batch = batches[device == "cuda"]
        progress(f"a step of {reference}")
        found = call_in_process("peak:peaks", reference=reference, batch=batch, device=device)
        ratio = found["predicted"] / found["allocated"]
        note(f"{reference}, batch {batch}: predicted / allocated on {name}", [ratio])
        rows.append([
            f"`{reference}`", f"{batch}",
            f"{found['predicted'] / 1e6:,.3f}", f"{found['allocated'] / 1e6:,.3f}",
            f"{ratio:.3f}",
        ])  # fmt: skip
    header = ["", "batch", "predicted, MB", f"allocated on {name}, MB", "ratio"]
    return table(header, rows)
