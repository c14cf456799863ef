"""How the weights of a model are drawn anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from cnninspect.records.gradient_passes import WeightedLayer
from cnninspect.records.gradient_settings import GradientSettings

SCHEMES: dict[str, Callable[[Tensor], Tensor]] = {
    # He et al. 2015, arXiv:1502.01852: variance 2 / fan-in, which keeps that of ReLU layers
    "kaiming": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    # Glorot, Bengio 2010: variance 2 / (fan-in + fan-out), between going forward and back
    "xavier": nn.init.xavier_normal_,
    # Saxe, McClelland, Ganguli 2014, arXiv:1312.6120: all singular values are 1
    "orthogonal": nn.init.orthogonal_,
    # LeCun, Bottou, Orr, Müller 1998, Efficient BackProp: variance 1 / fan-in
    "lecun": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="linear"),
}


def initialise(
    model: nn.Module, layers: Iterable[WeightedLayer], settings: GradientSettings
) -> None:
    """Draw the weights of all weighted layers by the scheme that the settings name.

    Weights are the parameters of two dimensions or more; the others of these layers, biases, are
    set to 0.  Looked-up vectors keep theirs, and so does all that is no weighted layer.
    """
    if settings.init == "default":
        return
    deviation = settings.standard_deviation
    modules = dict(model.named_modules(remove_duplicate=False))
    parameters = dict(model.named_parameters(remove_duplicate=False))
    done: set[int] = set()
    for layer in layers:
        module = modules.get(layer.path)
        if isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
            continue
        for name in layer.parameters:
            parameter = parameters[name]
            if id(parameter) in done:
                continue
            done.add(id(parameter))
            if parameter.dim() < 2:
                nn.init.zeros_(parameter)
                continue
            for part in _gates(module, name, parameter):
                if deviation is not None:
                    nn.init.normal_(part, std=deviation)
                else:
                    SCHEMES[settings.init](part)


def _gates(module: nn.Module | None, name: str, parameter: Tensor) -> tuple[Tensor, ...]:
    """The matrices that a recurrent layer keeps on top of each other in one; else the one."""
    if not isinstance(module, nn.RNNBase) or "weight_hr" in name:
        return (parameter,)
    with torch.no_grad():
        return parameter.split(module.hidden_size)
