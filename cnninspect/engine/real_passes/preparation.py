"""A model that is ready to be measured for real: weights drawn anew, and put back afterwards."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn

from cnninspect.engine import restore_state as guarding
from cnninspect.engine.bind_inputs import converted
from cnninspect.engine.building import build_really
from cnninspect.engine.module_tree import Structure
from cnninspect.engine.real_passes.batches import Feed, given_as
from cnninspect.engine.weights import load_weights
from cnninspect.errors import BadOption, CannotTrain
from cnninspect.records.models import LoadedModel
from cnninspect.records.passes import GradientSettings, WeightedLayer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}


@contextmanager
def ready_model(
    loaded: LoadedModel,
    layers: Sequence[WeightedLayer],
    settings: GradientSettings,
    feed: Feed,
    *,
    seed: int,
) -> Iterator[nn.Module]:
    """A model with weights, in its mode, on its device; a live one is left as it was.

    Raises:
        CannotTrain: it has no parameter that is trained, or none with values.
        BadOption: the device is not there.
        FileMissing, FileUnreadable, WeightsMismatch: the file of weights cannot be loaded.
    """
    device = device_of(settings.device)
    torch.manual_seed(seed)
    module = build_really(loaded)
    is_of_others = loaded.live and not _is_changed_by(module, settings, device)
    if loaded.live and not is_of_others:
        module = _copied(module, loaded, feed)
    if any(parameter.is_meta for parameter in module.parameters()):
        raise CannotTrain(
            loaded.info.reference, "its weights have no values (they are on the meta device)"
        )
    with (
        _as_it_was(module),
        # also what a forward pass writes into them by itself
        guarding.unchanged_values(module.parameters() if is_of_others else ()),
    ):
        initialise(module, layers, settings)
        if settings.weights is not None:
            load_weights(module, Path(settings.weights))
        for name, parameter in module.named_parameters(remove_duplicate=False):
            parameter.requires_grad_(parameter.requires_grad and name not in feed.frozen)
        if not any(parameter.requires_grad for parameter in module.parameters()):
            owned = sum(1 for _ in module.parameters())
            problem = f"all its {owned} parameters are frozen" if owned else "it has no parameters"
            raise CannotTrain(
                loaded.info.reference, problem, "--freeze fewer of them" if owned else ""
            )
        if not loaded.live or settings.dtype is not None or settings.device is not None:
            module = module.to(device, DTYPES[settings.dtype] if settings.dtype else None)
        guarding.set_mode(module.modules(), settings.mode)
        yield module


def device_of(name: str | None) -> torch.device:
    """The device of that name; `auto` is the fastest, None the CPU.

    Raises:
        BadOption: it is not there.
    """
    present = ["cpu"]
    if torch.backends.mps.is_available():
        present.insert(0, "mps")
    if torch.cuda.is_available():
        present.insert(0, "cuda")
    if name == "auto":
        return torch.device(present[0])
    if (name or "cpu") not in present:
        raise BadOption("--device", name, f"one that is here: {', '.join(sorted(present))}")
    return torch.device(name or "cpu")


@contextmanager
def _as_it_was(module: nn.Module) -> Iterator[None]:
    """Put back attributes, buffers, gradients and what is trained."""
    structure = Structure(module)
    kept = [
        (p, p.requires_grad, p.grad, p._post_accumulate_grad_hooks) for p in module.parameters()
    ]
    for parameter, *_ in kept:
        parameter.grad = None
    try:
        with guarding.unchanged(structure), guarding.unchanged_values(module.buffers()):
            yield
    finally:
        for parameter, is_trained, gradient, hooks in kept:
            parameter.requires_grad_(is_trained)
            parameter.grad = gradient
            parameter._post_accumulate_grad_hooks = hooks


def _copied(module: nn.Module, loaded: LoadedModel, feed: Feed) -> nn.Module:
    """A copy with weights of its own; lazy layers get theirs by a first run."""
    module = copy.deepcopy(module)
    if Structure(module).is_lazy():
        given = given_as(feed, module, loaded, batch=2)
        args, kwargs = converted((given.args, given.kwargs), _real)
        guarding.set_mode(module.modules(), "eval")
        with torch.no_grad():
            module(*args, **kwargs)
    return module


def _real(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor, device="cpu") if tensor.is_meta else tensor


def _is_changed_by(module: nn.Module, settings: GradientSettings, device: torch.device) -> bool:
    """Whether measuring would change the weights of a model, so that a copy must be taken."""
    if settings.init != "default" or settings.weights is not None or settings.steps:
        return True
    if Structure(module).is_lazy():
        return True
    wanted = DTYPES[settings.dtype] if settings.dtype else None
    return any(
        (wanted is not None and p.dtype != wanted)
        or (settings.device is not None and p.device.type != device.type)
        for p in module.parameters()
    )


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
