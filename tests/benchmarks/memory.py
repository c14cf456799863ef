"""Part `memory`: what it takes to trace a whole training step, against a forward trace."""

from __future__ import annotations

import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from processes import call_in_process, peak_bytes
from tables import table

LLAMA_7B = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "vocab_size": 32000,
}
"""Touvron et al. 2023, arXiv:2302.13971, Table 2, the 7-billion-parameter model."""
TINY_LLAMA = LLAMA_7B | {
    "hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 1, "vocab_size": 100,
}  # fmt: skip
CASES = {
    "ViT-L/16": "torchvision:vit_l_16",
    "Llama 7B, 2,048 tokens": "hf:",
}
TARGETS = (3, 100)
"""Times the forward trace's time, and MB over what the imports take."""


def step_against_forward(case: str) -> dict[str, float]:
    """In a process of its own: seconds of a forward trace and of a step, and bytes over imports."""
    import cnninspect
    from cnninspect.records.models import InputRequest

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(TINY_LLAMA))
        reference, inputs = CASES[case], None
        if reference == "hf:":
            reference = f"hf:{file}"
            inputs = (InputRequest((1, 2048), "int64", high=32000),)
        # Small ones first, so that imports and first calls are not measured.
        cnninspect.memory(reference if inputs else "torchvision:resnet18")
        file.write_text(json.dumps(LLAMA_7B))
        imported = peak_bytes()
        gc.collect()
        start = time.perf_counter()
        trace = cnninspect.trace(reference, inputs)
        traced = time.perf_counter()
        report = cnninspect.memory(reference, inputs)
        return {
            "forward": traced - start,
            "step": time.perf_counter() - traced,
            "bytes": peak_bytes() - imported,
            "parameters": report.totals.parameter_bytes / 4,
            "calls": len(trace.calls),
            "saved": report.totals.saved_bytes,
        }


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: medians of both times, their ratio, and memory over the imports."""
    rows = []
    for case in CASES:
        runs = []
        for _ in range(repeats):
            progress(f"a step of {case}")
            runs.append(call_in_process("memory:step_against_forward", case=case))
        forward, step = (statistics.median(run[key] for run in runs) for key in ("forward", "step"))
        ratio = statistics.median(run["step"] / run["forward"] for run in runs)
        extra = statistics.median(run["bytes"] for run in runs) / 1e6
        rows.append(
            [
                case,
                f"{runs[0]['saved'] / 1e9:.2f}",
                f"{1e3 * forward:.0f}",
                f"{1e3 * step:.0f}",
                f"{ratio:.2f}",
                f"{TARGETS[0]}",
                f"{extra:.0f}",
                f"{TARGETS[1]}",
            ]
        )
    header = [
        "", "saved, GB", "forward trace, ms", "step, ms", "ratio", "target", "MB over imports",
        "target",
    ]  # fmt: skip
    return table(header, rows)
