"""Compares the predicted peak of a training step with what a GPU really allocates.

`python tests/benchmarks/gpu_peak.py` needs a CUDA device and prints a Markdown table for
docs/memory.md.  Libraries such as cuDNN take workspaces beside the tensors, and the allocator
rounds each tensor up to 512 bytes, so the real peak is a little higher.
"""

from __future__ import annotations

import argparse
import sys

from processes import call_in_process
from tables import table

CASES = {
    "resnet34": 32,
    "resnet152": 16,
    "densenet121": 16,
    "efficientnet_b0": 32,
    "vgg16": 8,
    "torchvision:vit_b_16": 16,
    "torchvision:swin_t": 16,
}
"""References and their batches."""


def peaks(reference: str, batch: int, optimizer: str) -> dict[str, float]:
    """In a process of its own: predicted and allocated bytes of a step that is not the first."""
    import torch

    import cnninspect

    report = cnninspect.memory(reference, batch=batch, optimizer=optimizer)
    module = cnninspect.api.load(reference).build().cuda().train()
    update = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer](
        module.parameters(), lr=1e-3, foreach=False
    )
    x = torch.randn(report.inputs[0].spec.shape, device="cuda")
    for _ in range(2):  # the first step makes the optimizer's state
        torch.cuda.reset_peak_memory_stats()
        update.zero_grad(set_to_none=True)
        output = module(x)
        output.backward(torch.ones_like(output))
        update.step()
    return {
        "predicted": report.totals.peak_bytes,
        "allocated": torch.cuda.max_memory_allocated(),
    }


def main() -> None:
    """Prints a row for each network."""
    parser = argparse.ArgumentParser(description="Predicted against allocated peak memory.")
    parser.add_argument("--optimizer", choices=("sgd", "adam"), default="adam")
    options = parser.parse_args()
    import torch

    if not torch.cuda.is_available():
        sys.exit("this needs a CUDA device, and PyTorch finds none")
    rows = []
    for reference, batch in CASES.items():
        found = call_in_process(
            "gpu_peak:peaks", reference=reference, batch=batch, optimizer=options.optimizer
        )
        ratio = found["predicted"] / found["allocated"]
        rows.append([
            f"`{reference}`", f"{batch}", f"{found['predicted'] / 1e6:,.0f}",
            f"{found['allocated'] / 1e6:,.0f}", f"{ratio:.3f}",
        ])  # fmt: skip
    print(table(["", "batch", "predicted, MB", "allocated, MB", "ratio"], rows))
    print(f"\n{torch.cuda.get_device_name()}, torch {torch.__version__}, {options.optimizer}.")


if __name__ == "__main__":
    main()
