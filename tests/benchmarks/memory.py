"""Part `memory`: what it takes to trace a whole training step, against a forward trace."""

from __future__ import annotations

import gc
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from figures import note
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


def cold(case: str, what: str) -> dict[str, float]:
    """In a process of its own: seconds of one question, the first of that network, and bytes.

    What was asked before is a small network, so that imports and first calls are not measured, and
    no shape of the large one is remembered.
    """
    import cnninspect
    from cnninspect.records.models import InputRequest

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(TINY_LLAMA))
        reference, inputs = CASES[case], None
        if reference == "hf:":
            reference = f"hf:{file}"
            inputs = (InputRequest((1, 2048), "int64", high=32000),)
        ask = {"forward": cnninspect.trace, "step": cnninspect.memory}[what]
        ask(reference if inputs else "torchvision:vit_b_32")
        file.write_text(json.dumps(LLAMA_7B))
        imported = peak_bytes()
        gc.collect()
        start = time.perf_counter()
        found = ask(reference, inputs)
        seconds = time.perf_counter() - start
        saved = found.totals.saved_bytes if what == "step" else 0
        return {"seconds": seconds, "bytes": peak_bytes() - imported, "saved": saved}


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: medians of both times, of their ratios in turn, and memory over the imports."""
    rows = []
    for case in CASES:
        pairs = []
        for _ in range(repeats):
            progress(f"a step of {case}")
            pairs.append([call_in_process("memory:cold", case=case, what=what)
                          for what in ("forward", "step")])  # fmt: skip
        forward = note(f"{case}: forward trace", (a["seconds"] for a, _ in pairs), unit="s")
        step = note(f"{case}: step", (b["seconds"] for _, b in pairs), unit="s")
        ratio = note(
            f"{case}: step / forward trace",
            (b["seconds"] / a["seconds"] for a, b in pairs),
            most=TARGETS[0],
        )
        extra = note(
            f"{case}: memory over imports",
            (b["bytes"] / 1e6 for _, b in pairs),
            unit="MB",
            most=TARGETS[1],
        )
        rows.append([
            case, f"{pairs[0][1]['saved'] / 1e9:.2f}", f"{1e3 * forward:.0f}", f"{1e3 * step:.0f}",
            f"{ratio:.2f}", f"≤ {TARGETS[0]}", f"{extra:.0f}", f"≤ {TARGETS[1]}",
        ])  # fmt: skip
    header = [
        "", "saved, GB", "forward trace, ms", "step, ms", "ratio", "target", "MB over imports",
        "target",
    ]  # fmt: skip
    return table(header, rows)
