"""Part `files`: whole commands on files that hold a network or its weights."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import real_files
from processes import call_in_process, time_process
from startup import BASELINE, COMMAND, row
from tables import table

ONNX_TARGET = 0.6
"""Time of a summary of ResNet-50's ONNX file, in that of `import torch`."""


def save_weights(folder: str) -> None:
    """In a process of its own: ViT-L/16's weights, 1.2 GB, in both formats."""
    import torch
    from safetensors.torch import save_file

    from cnninspect.sources.torchvision_schemas import import_torchvision

    torchvision, _ = import_torchvision()
    state = torchvision.models.vit_l_16(weights=None).state_dict()
    torch.save(state, Path(folder) / "vit_l_16.pth")
    save_file(state, Path(folder) / "vit_l_16.safetensors")


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: the time of each command and of the baseline, in alternating runs."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        progress("writing the files")
        exported = Path(folder) / "resnet50.onnx"
        subprocess.run(
            [COMMAND, "export", "resnet50", "-o", exported, "--no-verify"],
            check=True,
            capture_output=True,
        )
        call_in_process("files:save_weights", folder=folder)
        for file in sorted(Path(folder).iterdir()):
            progress(f"cnninspect summary {file.name}")
            pairs = [(time_process([COMMAND, "summary", str(file)]), time_process(BASELINE))
                     for _ in range(max(4 * repeats, 5))]  # fmt: skip
            size = f"{file.stat().st_size / 1e6:,.0f}"
            target = ONNX_TARGET if file == exported else None
            cells = row(f"`cnninspect summary {file.name}`", pairs[1:], target, None)
            rows.append([cells[0], size, *cells[1:-1]])
    header = ["", "file, MB", "s", "`import torch`, s", "ratio", "target", "MB",
              "over `import torch`"]  # fmt: skip
    real = real_files.report(progress)
    return f"{table(header, rows)}\n\nReal models, as their packages ship them:\n\n{real}"
