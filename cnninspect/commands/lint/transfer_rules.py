"""Transfer: what goes wrong where a trained network is given a new task."""

from __future__ import annotations

from collections.abc import Iterator

from cnninspect.commands.lint.network import TracedNetwork
from cnninspect.commands.lint.registry import Found, rule
from cnninspect.commands.lint.report import Saving
from cnninspect.commands.lint.wording import many, sizes, some, verb


@rule("F001", certainty="likely")
def frozen_above_trained(net: TracedNetwork) -> Iterator[Found]:
    """A frozen layer lies above a trained one, nearer to the output.

    Why: The layers near the input are the general ones, which one keeps; those near the output are
    for the old task. Freezing the upper ones makes the lower ones serve the old task, and the
    backward pass has to go through all of it. Adapters and prompts are such cases on purpose.

    Source: Yosinski, Clune, Bengio, Lipson 2014, How transferable are features in deep neural
    networks?, arXiv:1411.1792.

    Example:
        for p in model.layer4.parameters(): p.requires_grad = False

    Mend: Freeze from the input up.
    """
    if net.is_graph or all(p.trainable for p in net.parameters.values()):
        return
    trained_below = [""] * len(net.calls)
    found: dict[int, str] = {}
    for i in range(len(net.calls)):
        if not net.is_data[i]:
            continue
        below = next((trained_below[s] for s in net.sources(i) if s >= 0 and trained_below[s]), "")
        matrices = [
            p
            for name in net.weight_names[i]
            if (p := net.parameters.get(name)) is not None and len(p.spec.shape) > 1
        ]
        is_trained = any(p.trainable for p in matrices)
        if matrices and not is_trained and below:
            found[i] = below
        trained_below[i] = below or (net.layer(i) if is_trained else "")
    if not found:
        return
    trained = sum(p.spec.numel for p in net.parameters.values() if p.trainable)
    paths = net.paths(found)
    yield Found(
        paths,
        f"{many(len(paths), 'frozen layer')} ({some(paths)}) {verb(len(paths), 'lies', 'lie')} "
        f"above {next(iter(found.values()))}, which is trained.",
        severity="info" if trained < ADAPTERS * net.parameter_count else "",
    )


ADAPTERS = 0.05
"""A smaller share of trained parameters is that of adapters, which lie under frozen layers."""


@rule("F002", severity="error")
def head_does_not_fit(net: TracedNetwork) -> Iterator[Found]:
    """A head does not fit what it is put on, or the weights that it is to get.

    Why: A head with another number of classes than the file's, or for features of another width,
    cannot be loaded or run. Where shapes are not compared (strict=False) it stays random unseen.

    Source: PyTorch, nn.Module.load_state_dict: strict=False skips names, not shapes.

    Example:
        model.fc = nn.Linear(512, 10)               # and the features are 2048 wide

    Mend: A head of the right widths; leave out the head's tensors from the file.
    """
    if net.weights is None:
        return
    odd = net.weights.misshaped
    if odd:
        shapes = [f"{x.name} is {sizes(x.wanted)} and in the file {sizes(x.stored)}" for x in odd]
        yield Found(
            net.owners(x.name for x in odd),
            f"{many(len(odd), 'tensor')} of {net.weights.path} {verb(len(odd), 'has', 'have')} "
            f"another shape than in the network: {'; '.join(shapes[:3])}"
            f"{f'; and {len(odd) - 3} more' if odd[3:] else ''}.",
        )


@rule("F003")
def weights_not_used(net: TracedNetwork) -> Iterator[Found]:
    """A file of weights holds tensors that go nowhere, or into parameters that no call reads.

    Why: What was trained is lost without a word (strict=False), often since names have a prefix
    more or less, and the network starts from random numbers there.

    Source: PyTorch, nn.Module.load_state_dict, strict.

    Example:
        model.load_state_dict(state, strict=False)  # whose names all begin with backbone.

    Mend: Rename what does not fit; look at the names that load_state_dict returns.
    """
    if net.weights is None:
        return
    if net.weights.unexpected:
        names = net.weights.unexpected
        yield Found(
            (),
            f"{many(len(names), 'tensor')} of {net.weights.path} ({some(names)}) "
            f"{verb(len(names), 'has', 'have')} no place in the network.",
        )
    if net.weights.missing:
        names = net.weights.missing
        count = sum(net.parameters[n].spec.numel for n in names if n in net.parameters)
        yield Found(
            net.owners(names),
            f"{many(len(names), 'tensor')} of the network ({some(names)}) "
            f"{verb(len(names), 'gets', 'get')} nothing from {net.weights.path}: {count:,} "
            f"parameters stay as they were initialised.",
            certainty="likely",
        )
    loaded = frozenset(net.parameters) - set(net.weights.missing)
    idle = [n for n in loaded if n not in net.read]
    if idle and net.weights.loaded:
        names = tuple(n for n in net.parameters if n in set(idle))
        spent = sum(net.parameters[n].nbytes for n in names)
        yield Found(
            net.owners(names),
            f"{many(len(names), 'parameter')} ({some(names)}) {verb(len(names), 'is', 'are')} "
            f"loaded "
            f"from {net.weights.path}, and no call reads {verb(len(names), 'it', 'them')}.",
            saving=Saving(parameters=sum(net.parameters[n].spec.numel for n in names), bytes=spent),
        )
