"""Waste: what a network holds or computes, and does not need."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Union

from cnninspect.commands.lint.network import ITSELF, TracedNetwork
from cnninspect.commands.lint.operators import NOT_NEGATIVE, SAME_SHAPE
from cnninspect.commands.lint.registry import Found, rule
from cnninspect.commands.lint.report import Saving
from cnninspect.commands.lint.wording import many, percent, plural, sizes, some, verb
from cnninspect.records.traces import Buffer, Parameter, parent_of


@rule("W001")
def bias_before_norm(net: TracedNetwork) -> Iterator[Found]:
    """A convolution or linear map adds a bias, and batch or instance normalisation comes next.

    Why: Normalisation subtracts the mean of each channel, and with it whatever was added to the
    channel. The bias gets no gradient in training, and its own shift takes over.

    Source: Ioffe, Szegedy 2015, Batch Normalization, arXiv:1502.03167, section 3.2.

    Example:
        nn.Sequential(nn.Conv2d(3, 64, 3), nn.BatchNorm2d(64))

    Mend: bias=False in the layer before the normalisation.
    """
    found: dict[str, int] = {}
    spent: dict[str, int] = {}
    for i in net.of_kind("batch norm", "instance norm"):
        before = net.before(i, frozenset(("copy",))) if not _is_viewed(net, i) else net.before(i)
        if before is None or before < 0 or net.kinds[before] not in ("convolution", "linear"):
            continue
        bias, shape = net.bias(before), net.out_shape(before)
        if bias is None or len(net.after(before)) > 1 or net.is_output(before):
            continue
        channel = 1 if net.kinds[before] == "convolution" else len(shape) - 1
        is_by_channel = len(net.out_shape(i)) > channel and net.out_shape(i)[1] == shape[channel]
        if is_by_channel and net.kinds[i] != "" and not _has_few_channels(net, i, shape):
            found[net.layer(before)] = bias.spec.numel
            spent[net.layer(before)] = bias.nbytes
    if found:
        count, total = len(found), sum(found.values())
        yield Found(
            tuple(found),
            f"{many(count, 'layer')} ({some(list(found))}) {verb(count, 'adds', 'add')} a bias "
            f"right before a normalisation that subtracts it again: "
            f"{total:,} parameters that do nothing.",
            f"Build {verb(count, 'it', 'them')} with bias=False.",
            Saving(parameters=total, bytes=sum(spent.values())),
        )


def _is_viewed(net: TracedNetwork, norm: int) -> bool:
    """Whether it is PyTorch's instance normalisation, which goes through a view."""
    return "Instance" in net.layers.get(net.calls[norm].layer, net.trace.layers[0]).type


def _has_few_channels(net: TracedNetwork, norm: int, shape: tuple[int, ...]) -> bool:
    """Whether it normalises over something else than the channels of that shape."""
    return len(net.out_shape(norm)) == 3 and len(shape) == 2


@rule("W002")
def unread_parameters(net: TracedNetwork) -> Iterator[Found]:
    """A layer runs, and some of its parameters are read by no call.

    Why: They are stored, loaded and given to the optimizer, with its momenta, and never change
    anything. Often a forward that forgot a branch, or a flag that turned it off.

    Source: PyTorch, DistributedDataParallel, find_unused_parameters: such parameters stop training
    on several devices.

    Example:
        self.scale = nn.Parameter(torch.ones(64))   # and forward never reads it

    Mend: Delete them, or use them.
    """
    idle = _idle_layers(net)
    read = _read_in_any_mode(net)
    unread = {
        name: parameter
        for name, parameter in net.parameters.items()
        if name not in read and _is_under_none(net.owner(name), idle)
    }
    total = sum(parameter.spec.numel for parameter in unread.values())
    if total:
        names = list(unread)
        yield Found(
            net.owners(names),
            f"No call reads {some(names)}: {total:,} parameters, "
            f"{percent(total / net.parameter_count)} of the network's"
            f"{_of_which_modes(net)}.",
            saving=Saving(parameters=total, bytes=sum(p.nbytes for p in unread.values())),
            severity="warning",
        )


def _read_in_any_mode(net: TracedNetwork) -> frozenset[str]:
    if net.training is None:
        return net.read
    return net.read | {name for call in net.training.calls for name in call.parameters}


def _of_which_modes(net: TracedNetwork) -> str:
    return ", neither in training nor in testing" if net.training is not None else ""


def _idle_layers(net: TracedNetwork) -> dict[str, int]:
    """The topmost layers that never ran and of whose parameters none was read, with those."""
    training = net.training.layers if net.training is not None else ()
    ran = {layer.path for layer in (*net.trace.layers, *training) if layer.calls}
    for path in list(ran):
        while path:
            path = parent_of(path)
            ran.add(path)
    read = _read_in_any_mode(net)
    used = set()
    for name in read:
        path = net.owner(name)
        while path and path not in used:
            used.add(path)
            path = parent_of(path)
    found: dict[str, int] = {}
    top = None
    for layer in net.trace.layers:  # parents come first
        if layer.path in ran or layer.path in used or not layer.path:
            continue
        if top is None or not layer.path.startswith(f"{top}."):
            top = layer.path
            found[top] = 0
        own = [p for p in layer.parameters if p.shared_with is None]
        found[top] += sum(p.spec.numel for p in own)
    return found


def _is_under_none(layer: str, paths: dict[str, int]) -> bool:
    return not any(layer == path or layer.startswith(f"{path}.") for path in paths)


@rule("W003")
def layer_never_called(net: TracedNetwork) -> Iterator[Found]:
    """A layer with parameters never runs, in testing or in training.

    Why: Its parameters fill checkpoints and memory, and whoever reads the code takes it for a part
    of the network. Often forward calls another layer than it was meant to.

    Source: PyTorch, DistributedDataParallel, find_unused_parameters.

    Example:
        self.classifier = nn.Linear(512, 10)        # and forward calls self.fc

    Mend: Delete the layer, or call it.
    """
    idle = {path: count for path, count in _idle_layers(net).items() if count}
    if idle:
        total = sum(idle.values())
        spent = sum(
            p.nbytes
            for name, p in net.parameters.items()
            if not _is_under_none(net.owner(name), idle)
        )
        yield Found(
            tuple(idle),
            f"{some(list(idle))} {verb(len(idle), 'is', 'are')} never "
            f"called{_of_which_modes(net)}: "
            f"{total:,} parameters, {percent(total / net.parameter_count)} of the network's.",
            saving=Saving(parameters=total, bytes=spent),
        )


@rule("W004", certainty="likely")
def unused_result(net: TracedNetwork) -> Iterator[Found]:
    """Work is done whose result reaches no output.

    Why: It takes time and memory, and in training its weights get no gradient. A result that is
    only kept as an attribute of a module, for somebody to read later, looks the same.

    Source: dead code elimination; Aho, Lam, Sethi, Ullman 2006, Compilers, section 9.1.6.

    Example:
        features = self.conv2(x)                    # and forward goes on with x

    Mend: Use the result, or leave the work out.
    """
    used = net.used
    wasted = [i for i in range(len(net.calls)) if i not in used and net.macs_of(i)]
    if not wasted or not net.macs:
        return
    macs = sum(net.macs_of(i) for i in wasted)
    paths = net.paths(wasted)
    read = {name for i in used for name in net.weight_names[i]}
    lost = {n for i in wasted for n in net.weight_names[i] if n in net.parameters} - read
    yield Found(
        paths,
        f"What {some(paths)} {verb(len(paths), 'computes', 'compute')} reaches no output: {macs:,} "
        f"MACs, {percent(macs / net.macs)} of the network's.",
        saving=Saving(
            macs=macs,
            parameters=sum(net.parameters[name].spec.numel for name in lost),
            bytes=sum(net.parameters[name].nbytes for name in lost),
        ),
    )


@rule("W005")
def linear_after_linear(net: TracedNetwork) -> Iterator[Found]:
    """Two linear maps follow each other with nothing between, and one would be smaller.

    Why: A linear map of a linear map is a linear map. Two of them can express no more than one,
    unless the one in the middle is narrow (a factorisation), which then has fewer parameters and is
    left alone here, as is a depth-wise convolution before a point-wise one.

    Source: Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.1; Saxe, McClelland,
    Ganguli 2014, arXiv:1312.6120, on what two of them change in training.

    Example:
        nn.Sequential(nn.Linear(256, 512), nn.Linear(512, 10))

    Mend: An activation between them, or one map instead of the two.
    """
    for i in net.of_kind("convolution", "linear"):
        second, before = net.weight(i), net.before(i)
        if second is None or before is None or before < 0:
            continue
        first = net.weight(before)
        if first is None or len(net.after(before)) > 1 or net.is_output(before):
            continue
        merged = _merged(net, before, i)
        if merged is None or net.macs_of(before) == 0:
            continue
        parameters, macs, is_exact = merged
        saved = first.numel + second.numel - parameters
        if saved < 0 or _has_dropout(net, before, i):
            continue
        bias = net.bias(before)
        one, other = net.layer(before), net.layer(i)
        yield Found(
            (one, other),
            f"{one} and {other} follow each other with no activation between: together they are "
            f"one linear map, of {parameters:,} weights instead of {first.numel + second.numel:,}"
            f"{'' if is_exact else ' (but for the padding at the edges)'}.",
            saving=Saving(
                parameters=saved + (bias.spec.numel if bias else 0),
                macs=max(0, net.macs_of(before) + net.macs_of(i) - macs),
                bytes=(first.nbytes // max(1, first.numel)) * saved,
            ),
            certainty="certain" if is_exact else "likely",
        )


def _has_dropout(net: TracedNetwork, first: int, second: int) -> bool:
    """Whether something is dropped between two calls, at least in training."""
    return any(
        first < d.next_call <= second and d.origin is not None and first <= d.origin < second
        for d in net.trace.dropouts
        if d.p
    )


def _merged(net: TracedNetwork, first: int, second: int) -> tuple[int, int, bool] | None:
    """Weights and MACs of the one map that two are; whether it is the same at the edges, too."""
    one, two = net.weight(first), net.weight(second)
    if one is None or two is None:
        return None
    if net.kinds[first] != net.kinds[second]:
        return None
    if net.kinds[first] == "linear":
        width, middle, out = (
            net.out_shape(net.sources(first)[0])[-1],
            net.out_shape(first)[-1],
            net.out_shape(second)[-1],
        )
        if one.numel != width * middle or two.numel != middle * out:
            return None
        rows = prod(net.out_shape(second)[:-1])
        return width * out, rows * width * out, True
    a, b = net.window(first), net.window(second)
    if a is None or b is None or a.transposed or b.transposed or len(a.kernel) != len(b.kernel):
        return None
    if a.groups > 1 or b.groups > 1 or net.out_shape(first) != net.given_shape(second):
        return None
    kernel = [
        (k - 1) * d + 1 + (m - 1) * e * s
        for k, d, m, e, s in zip(a.kernel, a.dilation, b.kernel, b.dilation, a.stride)
    ]
    weights = prod(kernel) * one.shape[1] * two.shape[0]
    positions = net.out_shape(second)[0] * prod(b.out)
    is_exact = not any(b.before) and not any(b.after)
    return weights, weights * positions, is_exact


@rule("W006")
def one_by_one_depthwise(net: TracedNetwork) -> Iterator[Found]:
    """A 1×1 convolution in as many groups as channels copies every channel, times a number.

    Why: It mixes nothing, neither positions nor channels, and yet is run as a convolution. The
    numbers can be multiplied into the weights of a neighbour.

    Source: follows from the definition of a grouped convolution.

    Example:
        nn.Conv2d(64, 64, 1, groups=64)

    Mend: Leave it out, or let it mix channels: groups=1.
    """
    found = []
    for i in net.of_kind("convolution"):
        window, weight = net.window(i), net.weight(i)
        if window is None or weight is None or not window.is_pointwise or window.transposed:
            continue
        is_by_channel = weight.shape[0] == window.groups > 1 and weight.shape[1] == 1
        if is_by_channel and window.sizes == window.out:
            found.append(i)
    if found:
        paths = net.paths(found)
        passing = frozenset(("batch norm", "copy"))
        takers = {net.kinds[taker] for i in found for taker in net.after(i, passing)}
        is_beside = takers == {"add"}
        weights = sum(w.numel for i in found if (w := net.weight(i)) is not None)
        biases = sum(b.spec.numel for i in found if (b := net.bias(i)) is not None)
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'is a 1×1 convolution', 'are 1×1 convolutions')} in "
            f"as many groups as channels: every channel is copied, times one number"
            f"{', and added to a convolution beside it' if is_beside else ''}.",
            "Merge it into that convolution once it is trained (re-parametrisation)."
            if is_beside
            else "",
            saving=Saving(
                parameters=weights + biases,
                macs=sum(net.macs_of(i) for i in found),
                bytes=sum(w.nbytes for i in found if (w := net.weight(i)) is not None),
            ),
            severity="info" if is_beside else "",
        )


@rule("W007", severity="info")
def pooling_that_copies(net: TracedNetwork) -> Iterator[Found]:
    """A pooling gives back what it was given, with inputs of this size.

    Why: Its windows hold one position each. With other input sizes it may do something; with this
    one it only moves memory.

    Source: follows from the definition of adaptive pooling: window size is input over output size.

    Example:
        nn.AdaptiveAvgPool2d((7, 7))                # on a map of 7×7

    Mend: Leave it out if the input size is fixed.
    """
    found = []
    for i in net.of_kind("max pool", "average pool", "adaptive average pool", "adaptive max pool"):
        given, made = net.given_shape(i), net.out_shape(i)
        window = net.window(i)
        if net.kinds[i].startswith("adaptive"):
            copies = given == made
        else:
            copies = window is not None and window.is_pointwise and given == made
        if copies:
            found.append(i)
    if found:
        paths = net.paths(found)
        size = sizes(net.given_shape(found[0])[2:])
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'pools', 'pool')} a map of {size} to {size}: "
            f"with this input it only copies.",
        )


@rule("W008")
def repeated_activation(net: TracedNetwork) -> Iterator[Found]:
    """An activation is given what another one made, and changes nothing or squeezes twice.

    Why: ReLU of what is 0 or more is the same again. Sigmoid or softmax of what lies between 0 and
    1 squeezes it into a narrow band, between 0.5 and 0.73, with gradients to match.

    Source: Goodfellow, Bengio, Courville 2016, Deep Learning, section 6.2.2 and 6.3.

    Example:
        F.relu(self.relu6(x))                       # and nn.Softmax() followed by sigmoid

    Mend: Leave the second one out.
    """
    same: dict[str, list[str]] = {}
    squeezed: dict[str, list[str]] = {}
    carrying = SAME_SHAPE | {"max pool", "average pool", "moving", "global pool", "mean"}
    for i in net.of_kind(*_KEPT_BY, "sigmoid", "softmax", "log softmax", "tanh"):
        source = net.before(i, carrying | {"adaptive average pool", "adaptive max pool"})
        if source is None or source < 0:
            continue
        kind, earlier = net.kinds[i], net.kinds[source]
        pair = f"{kind.title()} after {earlier.title()}".replace("Relu", "ReLU")
        is_bounded = earlier in ("sigmoid", "softmax") or earlier == kind == "tanh"
        if earlier in _KEPT_BY.get(kind, ()):
            same.setdefault(pair, []).append(net.layer(i))
        elif kind not in _KEPT_BY and is_bounded and net.before(i) == source:
            squeezed.setdefault(pair, []).append(net.layer(i))
    for pair, paths in same.items():
        yield Found(
            tuple(dict.fromkeys(paths)),
            f"{pair}, in {some(paths)}: what it gets is 0 or more already, and it changes nothing.",
            severity="info",
        )
    for pair, paths in squeezed.items():
        yield Found(
            tuple(dict.fromkeys(paths)),
            f"{pair}, in {some(paths)}: what lies in a bounded range is squeezed again, and "
            f"gradients with it.",
        )


_KEPT_BY = {
    "relu": NOT_NEGATIVE,
    "leaky relu": NOT_NEGATIVE,
    "relu6": NOT_NEGATIVE - {"relu"},
}
"""The activations whose results another one leaves as they are."""


@rule("W009", severity="info")
def dropout_of_nothing(net: TracedNetwork) -> Iterator[Found]:
    """Dropout has p 0 and lets everything through, in training too.

    Why: It does nothing. Either a setting that was meant has not arrived, or the layer is in the
    way of whoever reads the network.

    Source: Srivastava et al. 2014, Dropout, JMLR 15, section 4.

    Example:
        nn.Dropout(0.0)

    Mend: nn.Identity() where it is left out on purpose, else a p above 0.
    """
    paths = [d.layer or ITSELF for d in net.trace.dropouts if d.p == 0]
    if paths:
        distinct = tuple(dict.fromkeys(paths))
        yield Found(
            distinct,
            f"{many(len(distinct), 'dropout')} ({some(distinct)}) "
            f"{verb(len(distinct), 'has', 'have')} "
            f"p = 0: nothing is dropped, in training either.",
        )


HEAVY = 0.5
"""Share of the parameters in a head that is worth a word."""
SMALL = 100_000
"""A network with fewer parameters than this is small whatever its head holds."""


@rule("W010")
def heavy_head(net: TracedNetwork) -> Iterator[Found]:
    """The fully connected layers on a flattened map hold more than half of all parameters.

    Why: The first of them has a weight for every position of the map, for things that look the same
    everywhere. Averaging over positions first leaves one for each channel, and overfits less.

    Source: Lin, Chen, Yan 2014, Network in Network, arXiv:1312.4400, section 3.2.

    Example:
        nn.Flatten(), nn.Linear(512 * 7 * 7, 4096)

    Mend: nn.AdaptiveAvgPool2d(1) before the flattening, and train again.
    """
    for i in net.of_kind("linear", "convolution"):
        weight, shape = net.weight(i), _positions_of(net, i)
        if weight is None or prod(shape) < 2:
            continue
        head = [j for j in net.of_kind("linear", "convolution") if j >= i and net.weight(j)]
        names = dict.fromkeys(n for j in head for n in net.weight_names[j] if n in net.parameters)
        held = sum(net.parameters[name].spec.numel for name in names)
        if held <= HEAVY * net.parameter_count:
            continue
        positions, first = prod(shape), net.layer(i)
        saved = weight.numel - weight.numel // positions
        others = f" ({some(net.paths(head))})" if len(head) > 1 else ""
        yield Found(
            net.paths(head),
            f"The fully connected {verb(len(head), 'layer', 'layers')}{others or f' {first}'} "
            f"{verb(len(head), 'holds', 'hold')} {percent(held / net.parameter_count)} of all "
            f"parameters. {first} alone has {weight.numel:,} weights, one for each of "
            f"{sizes(shape)} positions of every channel; on the average over positions it "
            f"would have {weight.numel // positions:,}.",
            saving=Saving(
                parameters=saved,
                macs=net.macs_of(i) - net.macs_of(i) // positions,
                bytes=saved * (weight.nbytes // weight.numel),
            ),
            severity="info" if net.parameter_count < SMALL else "",
        )
        return


def _positions_of(net: TracedNetwork, call: int) -> tuple[int, ...]:
    """The sizes of the map that a layer has a weight for every position of; `()`: of none."""
    if net.kinds[call] == "convolution":
        window = net.window(call)
        is_whole = window is not None and window.kernel == window.sizes and window.groups == 1
        is_last = all(
            prod(net.out_shape(j)[2:]) == 1 for j in net.of_kind("convolution") if j >= call
        )
        return window.sizes if window is not None and is_whole and is_last else ()
    source = net.sources(call)[:1]
    shape = net.flattened_from(source[0]) if source else None
    if shape is None or net.out_shape(source[0])[-1] != prod(shape[1:]):
        return ()
    return shape[2:]


@rule("W011")
def double_precision(net: TracedNetwork) -> Iterator[Found]:
    """Parameters or buffers are stored in 64 bits.

    Why: They take twice the memory of float32 and run at a half to a sixty-fourth of its speed on a
    GPU, for digits that training with noisy gradients never sees.

    Source: Gupta et al. 2015, Deep Learning with Limited Numerical Precision, arXiv:1502.02551.

    Example:
        torch.from_numpy(weights)                   # NumPy's numbers are float64

    Mend: model.float()
    """
    found: dict[str, int] = {}
    for layer in net.trace.layers:
        prefix = f"{layer.path}." if layer.path else ""
        owned: tuple[Union[Parameter, Buffer], ...] = (*layer.parameters, *layer.buffers)
        for tensor in owned:
            if tensor.shared_with is None and tensor.spec.dtype in ("float64", "complex128"):
                found[prefix + tensor.name] = tensor.nbytes
    total = sum(found.values())
    if total:
        layers = dict.fromkeys(parent_of(name) or ITSELF for name in found)
        yield Found(
            tuple(layers),
            f"{plural(len(found), 'tensor')} ({some(list(found))}) "
            f"{verb(len(found), 'is', 'are')} stored in 64 bits: {total:,} bytes, of which "
            f"half would do.",
            saving=Saving(bytes=total // 2),
            severity="warning" if total >= 1000 else "info",
        )
