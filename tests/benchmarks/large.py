"""Part `large`: networks that other ways need minutes or hundreds of gigabytes for."""

from __future__ import annotations

import gc
import importlib
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from figures import note
from processes import call_in_process, peak_bytes
from tables import table

from cnninspect.sources.torchvision_schemas import import_torchvision

LLAMA_405B = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 16384,
    "intermediate_size": 53248,
    "num_attention_heads": 128,
    "num_key_value_heads": 8,
    "num_hidden_layers": 126,
    "vocab_size": 128256,
}
"""Grattafiori et al. 2024, arXiv:2407.21783, Table 3."""
OURS = ("cnninspect.sources.open", "cnninspect.engine.tracing", "cnninspect.metrics.summarizing")
LLAMA, SEQUENCER = "Llama 405B, 2,048 tokens", "`timm:sequencer2d_l`"
TARGETS = {LLAMA: (2.0, 600), SEQUENCER: (1.0, None)}
"""Seconds beyond the imports, and MB in all, that a summary may take."""


def summarize_llama() -> dict[str, float]:
    """In a process of its own, after the imports: from the configuration to the summary."""
    import_torchvision()  # which transformers imports too
    for name in (*OURS, "transformers", "transformers.models.llama.modeling_llama"):
        importlib.import_module(name)
    import cnninspect
    from cnninspect.records.models import InputRequest

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "config.json"
        file.write_text(json.dumps(LLAMA_405B))
        inputs = (InputRequest((1, 2048), "int64", high=LLAMA_405B["vocab_size"]),)
        return measured(lambda: cnninspect.summarize(f"hf:{file}", inputs))


def summarize_sequencer() -> dict[str, float]:
    """In a process of its own, after the imports: from the name to the summary."""
    import_torchvision()
    for name in (*OURS, "timm"):
        importlib.import_module(name)
    import cnninspect

    return measured(lambda: cnninspect.summarize("timm:sequencer2d_l"))


def run_sequencer_on_meta() -> dict[str, float]:
    """In a process of its own, after the imports: the same network run on PyTorch's meta device."""
    import_torchvision()
    import timm
    import torch

    gc.collect()
    start = time.perf_counter()
    with torch.device("meta"), torch.no_grad():
        timm.create_model("sequencer2d_l").eval()(torch.empty(1, 3, 224, 224))
    return {"seconds": time.perf_counter() - start}


def measured(summarize: Callable[[], object]) -> dict[str, float]:
    """Seconds, and the most memory that the process has had, in bytes."""
    gc.collect()
    start = time.perf_counter()
    summary = summarize()
    return {
        "seconds": time.perf_counter() - start,
        "bytes": peak_bytes(),
        "macs": summary.totals.macs,
        "parameters": summary.totals.parameters,
    }


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: medians of time and memory beside their targets."""
    rows = []
    for title, task in ((LLAMA, "summarize_llama"), (SEQUENCER, "summarize_sequencer")):
        progress(f"summary of {title}")
        runs = [call_in_process(f"large:{task}") for _ in range(repeats)]
        most_seconds, most_mb = TARGETS[title]
        name, most = title.strip("`"), most_mb and 1e6 * most_mb
        seconds = note(
            f"{name}: seconds", (r["seconds"] for r in runs), unit="s", most=most_seconds
        )
        size = note(f"{name}: memory", (r["bytes"] for r in runs), unit="bytes", most=most)
        rows.append([
            title, f"{runs[0]['parameters'] / 1e9:,.2f}", f"{runs[0]['macs'] / 1e9:,.1f}",
            f"{seconds:.2f}", f"≤ {most_seconds}",
            f"{size / 1e6:.0f}", f"≤ {most_mb}" if most_mb else "",
        ])  # fmt: skip
    progress("sequencer2d_l on meta")
    plain = statistics.median(
        call_in_process("large:run_sequencer_on_meta")["seconds"] for _ in range(repeats)
    )
    header = ["", "10^9 parameters", "10^9 MACs", "s", "target", "MB", "target"]
    return (
        f"{table(header, rows)}\n\nPyTorch's meta device takes {plain:.1f} s to build and run "
        "`sequencer2d_l` alone, time step by time step."
    )
