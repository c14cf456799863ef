"""A model that is ready to be measured for real: weights drawn anew, and put back afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from cnninspect.engine.bind_inputs import converted
from cnninspect.engine.borrowing import Borrowed, fresh_lazy
from cnninspect.engine.building import build_really
from cnninspect.engine.module_tree import named_parameters, parameters_of, walk
from cnninspect.engine.process_state import Ledger, seed_generators
from cnninspect.engine.real_passes.batches import Feed, given_as
from cnninspect.engine.training import RealCopies
from cnninspect.engine.weights import load_weights
from cnninspect.errors import BadOption, CannotTrain
from cnninspect.records.models import LoadedModel
from cnninspect.records.passes import GradientSettings, WeightedLayer

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float64": torch.float64}


def ready_model(
    ledger: Ledger,
    loaded: LoadedModel,
    layers: Sequence[WeightedLayer],
    settings: GradientSettings,
    feed: Feed,
    *,
    seed: int,
) -> nn.Module:
    """A model with weights, in its mode, on its device, until the ledger is closed.

    In a live one, copies take the place of all its tensors, which stay as they are.

    Raises:
        CannotTrain: it has no parameter that is trained, or none with values.
        BadOption: the device is not there.
        FileMissing, FileUnreadable, WeightsMismatch: the file of weights cannot be loaded.
    """
    dtype = DTYPES[settings.dtype] if settings.dtype else None
    borrowed = real_model(
        ledger, loaded, feed,
        seed=seed, device=settings.device, dtype=dtype, is_live=loaded.live,
    )  # fmt: skip
    module = borrowed.structure.model
    initialise(module, layers, settings)
    if settings.weights is not None:
        load_weights(module, Path(settings.weights))
    for name, parameter in named_parameters(module).items():
        parameter.requires_grad_(parameter.requires_grad and name not in feed.frozen)
    parameters = parameters_of(module)
    if not any(parameter.requires_grad for parameter in parameters):
        owned = len(parameters)
        problem = f"all its {owned} parameters are frozen" if owned else "it has no parameters"
        raise CannotTrain(loaded.info.reference, problem, "--freeze fewer of them" if owned else "")
    borrowed.set_mode(settings.mode)
    return module


def real_model(
    ledger: Ledger,
    loaded: LoadedModel,
    feed: Feed,
    *,
    seed: int,
    device: str | None,
    dtype: torch.dtype | None,
    is_live: bool = False,
) -> Borrowed:
    """A model with weights that have values, on its device, until the ledger is closed.

    In a live one, copies take the place of all its tensors, which stay as they are; other threads
    wait with their passes only if it `is_live`, which takes a hook.

    Raises:
        CannotTrain: its weights have no values.
        BadOption: the device is not there.
    """
    place = device_of(device)
    seed_generators(seed)
    module = build_really(loaded)
    borrowed = Borrowed(ledger, module, feed.inputs, feed.kwargs, is_live=is_live)
    if borrowed.structure.is_lazy():
        _materialise(borrowed, loaded, feed)
    if any(parameter.is_meta for parameter in parameters_of(borrowed.structure.model)):
        raise CannotTrain(
            loaded.info.reference, "its weights have no values (they are on the meta device)"
        )
    if loaded.live or dtype is not None or place.type != "cpu":
        # a live one stays on its device unless another is asked for
        moves = not loaded.live or device is not None or dtype is not None
        borrowed.substitute(RealCopies(dtype, place if moves else None))
    return borrowed


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


def _materialise(borrowed: Borrowed, loaded: LoadedModel, feed: Feed) -> None:
    """Let lazy layers get their weights by a first run, with values."""
    borrowed.substitute(lambda tensor: fresh_lazy(tensor, torch.device("cpu")))
    module = borrowed.structure.model
    given = given_as(feed, module, loaded, batch=2)
    args, kwargs = converted((given.args, given.kwargs), _real)
    borrowed.set_mode("eval")
    with torch.no_grad():
        module(*args, **kwargs)


def _real(tensor: Tensor) -> Tensor:
    return torch.zeros_like(tensor, device="cpu") if tensor.is_meta else tensor


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
    modules = dict(walk(model))
    parameters = named_parameters(model)
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
                # in single precision on the CPU, so that every precision gets the same weights
                drawn = torch.empty(part.shape)
                if deviation is not None:
                    nn.init.normal_(drawn, std=deviation)
                else:
                    SCHEMES[settings.init](drawn)
                with torch.no_grad():
                    part.copy_(drawn)


def _gates(module: nn.Module | None, name: str, parameter: Tensor) -> tuple[Tensor, ...]:
    """The matrices that a recurrent layer keeps on top of each other in one; else the one."""
    if not isinstance(module, nn.RNNBase) or "weight_hr" in name:
        return (parameter,)
    with torch.no_grad():
        return parameter.split(module.hidden_size)
