"""Transfer learning as memory and gradients see it."""

from __future__ import annotations

import cnninspect


def test_memory_of_a_new_head_on_a_frozen_network() -> None:
    found = cnninspect.memory("resnet18", freeze=["*"], unfreeze=["fc"], head=10, optimizer="adam")
    assert found.model.reference == "resnet18@num_classes=10"
    assert found.totals.gradient_bytes == (512 * 10 + 10) * 4
    assert found.totals.trained_tensors == 2
    assert found.totals.optimizer_bytes == 2 * found.totals.gradient_bytes + 2 * 4
    assert found.notes == cnninspect.memory("resnet18").notes


def test_gradients_of_a_new_head_on_a_frozen_network() -> None:
    report = cnninspect.gradients(
        "lenet5_modern", batch=2, freeze=("*",), unfreeze=("classifier.4",), head=7
    )
    (model,) = report.models
    assert model.model.reference == "lenet5_modern@num_classes=7"
    assert [layer.path for layer in model.layers if layer.trainable] == ["classifier.4"]
    assert "frozen: * but classifier.4" in cnninspect.render(report)
