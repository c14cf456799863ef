"""Training: what makes a network hard to train, or trains it otherwise than it is run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

from cnninspect.commands.lint.network import ITSELF, TracedNetwork
from cnninspect.commands.lint.operators import NORMS, SAME_SHAPE, SATURATING, is_in_place
from cnninspect.commands.lint.registry import Found, rule
from cnninspect.commands.lint.wording import many, plural, some, verb
from cnninspect.records.operations import TensorSpec
from cnninspect.records.traces import Layer


@rule("T001")
def norm_over_one_value(net: TracedNetwork) -> Iterator[Found]:
    """A normalisation takes mean and variance of a single value for each channel of an image.

    Why: Batch normalisation is then over the batch alone: with a batch of 1, such as the last one
    of an epoch, PyTorch raises in training, and with few images the statistics are noise. Instance,
    group and layer normalisation of one value give the same whatever it was.

    Source: PyTorch, nn.functional.batch_norm: expected more than 1 value per channel when training;
    Wu, He 2018, Group Normalization, arXiv:1803.08494, section 1.

    Example:
        nn.AdaptiveAvgPool2d(1), nn.Conv2d(64, 16, 1), nn.BatchNorm2d(16)

    Mend: Leave the normalisation out there, or drop_last=True and batches that are large enough.
    """
    small: list[int] = []
    erased: dict[str, list[int]] = {}
    for i in net.of_kind("batch norm"):
        shape = _normalised(net, i)
        if shape is None or len(shape) < 2 or prod(shape[2:]) != 1:
            continue
        if "Instance" in _type(net, i):
            erased.setdefault("instance normalisation of a single position", []).append(i)
        elif shape[0] == net.batch:
            small.append(i)
    for i in net.of_kind("group norm"):
        shape, operation = _normalised(net, i), net.calls[i].operation
        groups = operation.argument("group", operation.argument("num_groups"))
        if shape and isinstance(groups, int) and prod(shape[1:]) == groups:
            erased.setdefault("group normalisation over groups of one value", []).append(i)
    for i in net.of_kind("layer norm"):
        over = net.calls[i].operation.argument("normalized_shape")
        is_mean_free = "rms" not in net.calls[i].operation.name
        if is_mean_free and isinstance(over, tuple) and over and all(size == 1 for size in over):
            erased.setdefault("layer normalisation of one value", []).append(i)
    for what, calls in erased.items():
        paths = net.paths(calls)
        yield Found(
            paths,
            f"{some(paths)}: {what}. The value minus itself is 0, and only the bias comes out, "
            f"whatever went in.",
            "Leave it out, or normalise over more.",
            severity="error",
        )
    maps = [i for i in small if len(net.out_shape(i)) > 2]
    rows = [i for i in small if len(net.out_shape(i)) == 2]
    if maps and not net.is_graph:
        paths = net.paths(maps)
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'normalises', 'normalise')} a map of one position: "
            f"the statistics of each channel are over the batch alone, and with a batch of 1 "
            f"PyTorch raises in training.",
        )
    if rows and not net.is_graph:
        paths = net.paths(rows)
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'normalises', 'normalise')} features over the batch "
            f"alone: a last batch of 1 makes PyTorch raise in training.",
            "drop_last=True for the batches of training.",
            severity="info",
        )


def _normalised(net: TracedNetwork, call: int) -> tuple[int, ...] | None:
    given = net.calls[call].operation.inputs
    return given[0].shape if given else None


def _type(net: TracedNetwork, call: int) -> str:
    layer = net.layers.get(net.calls[call].layer)
    return layer.type if layer is not None else ""


@rule("T002")
def dropout_before_norm(net: TracedNetwork) -> Iterator[Found]:
    """Dropout comes before batch normalisation, with nothing that normalises between.

    Why: Dropout changes the variance in training and not in testing. Batch normalisation remembers
    that of training, and is wrong by it in testing.

    Source: Li, Chen, Hu, Yang 2019, Understanding the Disharmony between Dropout and Batch
    Normalization by Variance Shift, CVPR, arXiv:1801.05134.

    Example:
        nn.Dropout(0.5), nn.Conv2d(64, 64, 3), nn.BatchNorm2d(64)

    Mend: Dropout after the last batch normalisation, or a small p.
    """
    pairs: dict[str, tuple[str, float]] = {}
    for dropout in net.trace.dropouts:
        if not dropout.p or dropout.origin is None:
            continue
        takers = (
            net.consumers[dropout.origin]
            if dropout.origin >= 0
            else net.read_by_input.get(dropout.origin, [])
        )
        norm = _next_norm(net, [i for i in takers if i >= dropout.next_call])
        if norm is not None:
            pairs.setdefault(dropout.layer or ITSELF, (net.layer(norm), dropout.p))
    if pairs:
        layers = list(pairs)
        norm_path, p = pairs[layers[0]]
        yield Found(
            tuple(layers),
            f"{some(layers)} {verb(len(layers), 'drops', 'drop')} values (p = {p:g}) on the way to "
            f"batch normalisation ({norm_path}{' and others' if len(layers) > 1 else ''}): in "
            f"training it remembers a variance that is {_factor(p)} times that of testing, where "
            f"what is dropped has mean 0.",
            certainty="likely",
        )


def _factor(p: float) -> str:
    """By how much dropout raises the variance of what has mean 0: 1 / (1 - p)."""
    return f"{1 / (1 - p):.2g}" if p < 1 else "infinitely many"


def _next_norm(net: TracedNetwork, takers: list[int]) -> int | None:
    """The first batch normalisation that these calls or what follows them run into."""
    pending, met = sorted(takers, reverse=True), set(takers)
    while pending:
        call = pending.pop()
        kind = net.kinds[call]
        if kind == "batch norm" and "Instance" not in _type(net, call):
            return call
        if kind in NORMS or kind in ("softmax", "attention", "recurrent"):
            continue
        new = [i for i in net.consumers[call] if i not in met]
        met.update(new)
        pending += sorted(new, reverse=True)
    return None


def _runs(
    net: TracedNetwork, counts: Callable[[int], bool], ends: Callable[[int], bool]
) -> tuple[list[int], list[int]]:
    """By call, how many calls that count lie on the shortest way to it since one that ends a run.

    And by call, that call which comes before it on this way, or -1.
    """
    run, came = [0] * len(net.calls), [-1] * len(net.calls)
    for i in range(len(net.calls)):
        if not net.is_data[i]:
            continue
        sources = net.sources(i)
        if ends(i) or _is_skip(net, i, run):
            continue
        best = min(sources, key=lambda s: run[s] if s >= 0 else 0, default=-1)
        run[i] = (run[best] if best >= 0 else 0) + counts(i)
        came[i] = best
    return run, came


def _is_skip(net: TracedNetwork, call: int, run: list[int]) -> bool:
    """Whether a shorter way joins a longer one here: both count, and the shorter is a skip."""
    if net.kinds[call] not in ("add", "join"):
        return False
    sources = list(dict.fromkeys(net.sources(call)))
    if len(sources) < 2:
        return False
    if len({run[s] if s >= 0 else 0 for s in sources}) > 1:
        return True
    return any(a != b and _is_branch_from(net, a, b) for a in sources[:2] for b in sources[:2])


def _members(end: int, came: list[int], counts: Callable[[int], bool]) -> list[int]:
    """The calls that count on the way that `_runs` has found, first to last."""
    found = []
    while end >= 0:
        if counts(end):
            found.append(end)
        end = came[end]
    return found[::-1]


def _span(paths: tuple[str, ...]) -> str:
    """Where a row of layers lies: `from conv1 to fc`."""
    return f"from {paths[0]} to {paths[-1]}" if len(paths) > 1 else f"all in {paths[0]}"


MOST_SATURATING = 3


@rule("T003")
def saturating_stack(net: TracedNetwork) -> Iterator[Found]:
    """More than three sigmoids or tanhs lie in a row, without a skip or a normalisation.

    Why: The gradient is multiplied by the slope of each, at most 0.25 for a sigmoid and 1 for tanh
    in the middle, and near 0 where they saturate. After a few of them little is left.

    Source: Glorot, Bengio 2010, Understanding the difficulty of training deep feedforward neural
    networks, AISTATS, section 3.

    Example:
        five times nn.Linear(64, 64), nn.Sigmoid()

    Mend: ReLU, or batch normalisation before each.
    """
    if net.is_graph:
        return  # its normalisations may have been folded into convolutions

    def counts(i: int) -> bool:
        return net.kinds[i] in SATURATING

    run, came = _runs(net, counts, lambda i: net.kinds[i] in NORMS)
    last = max(range(len(run)), key=lambda i: run[i], default=-1)
    if last < 0 or run[last] <= MOST_SATURATING:
        return
    members = _members(last, came, counts)
    paths, names = net.paths(members), dict.fromkeys(net.kinds[i] for i in members)
    slope = f", a factor of at most {0.25 ** run[last]:.1g}" if set(names) == {"sigmoid"} else ""
    yield Found(
        paths,
        f"{run[last]} saturating activations ({', '.join(names)}) in a row, {_span(paths)}, with "
        f"no skip or normalisation: the gradient is multiplied by all their slopes{slope}.",
    )


NEAR = 5
"""Weighted calls that a residual branch has at most."""


@rule("T004")
def branch_ends_in_relu(net: TracedNetwork) -> Iterator[Found]:
    """A residual branch ends in ReLU before it is added.

    Why: What it adds is never negative, so the sum can only grow from block to block.

    Source: He, Zhang, Ren, Sun 2016, Identity Mappings in Deep Residual Networks,
    arXiv:1603.05027, section 4.1, Figure 4c: 7.84 % instead of 6.61 % error.

    Example:
        return x + F.relu(self.bn(self.conv(x)))

    Mend: The addition first and ReLU after it, or ReLU before the convolution.
    """
    found = []
    for i in net.of_kind("add"):
        sources = net.sources(i)
        if len(sources) != 2 or sources[0] == sources[1]:
            continue
        for branch, stream in (sources, sources[::-1]):
            end = branch
            while end >= 0 and net.kinds[end] in SAME_SHAPE and len(net.sources(end)) == 1:
                end = net.sources(end)[0]
            is_relu = end >= 0 and net.kinds[end] in ("relu", "relu6")
            if is_relu and net.consumers[end] == [i] and _is_branch_from(net, end, stream):
                found.append((i, end))
                break
    if found:
        paths = net.paths(end for _, end in found)
        yield Found(
            paths,
            f"{many(len(found), 'residual branch', 'residual branches')} "
            f"{verb(len(found), 'ends', 'end')} in ReLU before being added ({some(paths)}): what "
            f"{verb(len(found), 'it adds', 'they add')} is never negative, so the stream can only "
            f"grow.",
        )


def _is_branch_from(net: TracedNetwork, end: int, start: int) -> bool:
    """Whether a call is reached from another by a few weighted calls, on maps of its size."""
    pending, met = [(end, 0)], {end}
    while pending:
        call, weighted = pending.pop()
        if call == start:
            return weighted > 0
        if call < 0 or call < start or weighted > NEAR:
            continue
        weighted += net.macs_of(call) > 0
        for source in net.sources(call):
            if source not in met:
                met.add(source)
                pending.append((source, weighted))
    return False


LONGEST_BARE = 10


@rule("T005")
def long_path_without_norm(net: TracedNetwork) -> Iterator[Found]:
    """More than ten weighted layers lie in a row without a normalisation or a skip.

    Why: The scale of what goes forward and of the gradient that comes back is multiplied at each
    layer, and nothing sets it right. Such networks train only from a careful initialisation.

    Source: Simonyan, Zisserman 2015, arXiv:1409.1556, section 3.1: the deeper ones were started
    from a trained shallower one; He et al. 2015, arXiv:1502.01852, section 2.2.

    Example:
        thirteen 3×3 convolutions with ReLU, then three linear layers (VGG-16)

    Mend: nn.BatchNorm2d after each convolution, or skips; else He initialisation.
    """
    if net.is_graph:
        return  # its normalisations may have been folded into convolutions
    run, came, counts = _bare_runs(net)
    last = max(range(len(run)), key=lambda i: run[i], default=-1)
    if last < 0 or run[last] <= LONGEST_BARE:
        return
    paths = net.paths(_members(last, came, counts))
    yield Found(
        paths,
        f"{run[last]} weighted layers in a row, {_span(paths)}, without a normalisation or a skip: "
        f"nothing keeps the scale of "
        f"activations and gradients.",
    )


def _bare_runs(net: TracedNetwork) -> tuple[list[int], list[int], Callable[[int], bool]]:
    def counts(i: int) -> bool:
        return net.weight(i) is not None and net.kinds[i] in ("convolution", "linear")

    def ends(i: int) -> bool:
        kind, name = net.kinds[i], net.calls[i].operation.name
        return kind in NORMS or "selu" in name or kind in ("attention", "recurrent", "softmax")

    run, came = _runs(net, counts, ends)
    return run, came, counts


DEEPEST_PLAIN = 20


@rule("T006")
def deep_plain_stack(net: TracedNetwork) -> Iterator[Found]:
    """More than twenty weighted layers lie in a row without a skip or parallel branches.

    Why: From about this depth on plain networks get worse with every layer, on training data too
    (degradation), although they are normalised. Depth-wise convolutions are not counted.

    Source: He, Zhang, Ren, Sun 2016, Deep Residual Learning, arXiv:1512.03385, section 4.1: a plain
    network of 34 layers is worse than one of 18.

    Example:
        thirty times nn.Conv2d, nn.BatchNorm2d, nn.ReLU

    Mend: An identity shortcut around every two or three layers.
    """

    def counts(i: int) -> bool:
        weight = net.weight(i)
        return weight is not None and not (
            net.kinds[i] == "convolution" and weight.shape[1] == 1 and weight.shape[0] > 1
        )

    run, came = _runs(net, counts, lambda i: net.kinds[i] in ("recurrent", "attention"))
    last = max(range(len(run)), key=lambda i: run[i], default=-1)
    if last < 0 or run[last] <= DEEPEST_PLAIN:
        return
    paths = net.paths(_members(last, came, counts))
    yield Found(
        paths,
        f"{run[last]} weighted layers in a row, {_span(paths)}, without a skip: at this depth "
        f"plain networks train worse with "
        f"every layer that is added.",
    )


@rule("T007")
def frozen_batch_norm(net: TracedNetwork) -> Iterator[Found]:
    """Batch normalisation keeps its statistics frozen in training, or only its weights.

    Why: With frozen statistics it is a fixed scale and shift, which is meant for small batches and
    otherwise forgotten from the last fine-tuning. With frozen weights alone the statistics still
    move with every batch, and the network drifts although nothing is trained there.

    Source: PyTorch, nn.BatchNorm2d: running statistics are updated whenever it is in training mode,
    whatever requires_grad says; Ren et al. 2015, arXiv:1506.01497, on frozen ones for detection.

    Example:
        for p in model.parameters(): p.requires_grad = False     # and then model.train()

    Mend: eval() on those layers in training where they are to be frozen, and requires_grad too.
    """
    frozen, drifting = [], []
    trained = any(p.trainable for p in net.parameters.values())
    for layer in net.trace.layers:
        if layer.type.startswith("FrozenBatchNorm") or (_is_batch_norm(layer) and layer.rests):
            frozen.append(layer.path)
        elif _is_batch_norm(layer) and layer.parameters and layer.calls and trained:
            drifting += [] if any(p.trainable for p in layer.parameters) else [layer.path]
    if net.is_graph:
        return
    if frozen:
        yield Found(
            tuple(frozen),
            f"{many(len(frozen), 'batch normalisation')} ({some(frozen)}) "
            f"{verb(len(frozen), 'keeps its statistics', 'keep their statistics')} frozen in "
            f"training: {verb(len(frozen), 'it is', 'they are')} a fixed scale and shift.",
            "Right for small batches and for detection; else train() on them.",
            severity="info" if not any(net.layers[p].rests for p in frozen) else "",
        )
    if drifting:
        yield Found(
            tuple(drifting),
            f"{many(len(drifting), 'batch normalisation')} ({some(drifting)}) "
            f"{verb(len(drifting), 'has', 'have')} frozen weights, and statistics that still move "
            f"with every batch of training.",
            "eval() on them after model.train().",
            certainty="likely",
        )


def _is_batch_norm(layer: Layer) -> bool:
    return "BatchNorm" in layer.type and any("running_mean" in b.name for b in layer.buffers)


@rule("T008", certainty="likely")
def in_place_before_skip(net: TracedNetwork) -> Iterator[Found]:
    """An in-place operation changes what a skip carries past it.

    Why: The block gets a tensor, writes over it (nn.ReLU(inplace=True)), and then adds the tensor
    as if it were what came in. The skip is then no identity any more: what was negative is lost.

    Source: PyTorch, nn.ReLU(inplace=True); Cadene 2018, pretrained-models.pytorch, xception: the
    first ReLU of a block must not be in place.

    Example:
        def forward(self, x): return x + self.conv(self.relu(x))     # with relu in place

    Mend: inplace=False in the first operation of the block.
    """
    found = []
    for i in net.of_kind("add", "join"):
        block = net.calls[i].layer
        if not block:
            continue
        sources = net.sources(i)
        for changed in dict.fromkeys(s for s in sources if s >= 0):
            operation = net.calls[changed].operation
            if net.kinds[changed] in ("add", "multiply") or not is_in_place(operation):
                continue
            before = net.sources(changed)
            others = [s for s in sources if s != changed]
            is_inside = _is_under(net.calls[changed].layer, block)
            came_in = bool(before) and (
                before[0] < 0 or not _is_under(net.calls[before[0]].layer, block)
            )
            if is_inside and came_in and any(_is_branch_from(net, s, changed) for s in others):
                found.append(changed)
    if found:
        paths = net.paths(found)
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'writes', 'write')} over what came into the block, "
            f"which is then added as the skip: it carries the result of "
            f"{net.calls[found[0]].operation.name.removeprefix('aten.')}, not what came in.",
        )


def _is_under(path: str, block: str) -> bool:
    return path == block or path.startswith(f"{block}.")


@rule("T009")
def batch_statistics_in_testing(net: TracedNetwork) -> Iterator[Found]:
    """Batch normalisation has no running statistics and takes those of the batch in testing too.

    Why: What is said of one image then depends on the others in its batch, and for a batch of one
    on that image alone.

    Source: PyTorch, nn.BatchNorm2d, track_running_stats; Ioffe, Szegedy 2015, arXiv:1502.03167,
    section 3.1.

    Example:
        nn.BatchNorm2d(64, track_running_stats=False)

    Mend: track_running_stats=True, or nn.InstanceNorm2d where that is what is meant.
    """
    if net.trace.mode != "eval":
        return
    found = []
    for i in net.of_kind("batch norm"):
        operation = net.calls[i].operation
        lacks = not isinstance(operation.argument("running_mean"), TensorSpec)
        if lacks and "BatchNorm" in _type(net, i) and operation.argument("training") is True:
            found.append(i)
    if found:
        paths = net.paths(found)
        yield Found(
            paths,
            f"{plural(len(paths), 'batch normalisation')} ({some(paths)}) "
            f"{verb(len(paths), 'has', 'have')} no running statistics: in testing, too, an image "
            f"is "
            f"normalised by the others of its batch.",
        )
