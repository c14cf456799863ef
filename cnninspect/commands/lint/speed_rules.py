"""Speed: what keeps hardware from being used."""

from __future__ import annotations

from collections.abc import Iterator

from cnninspect.commands.lint.network import TracedNetwork
from cnninspect.commands.lint.registry import Found, rule
from cnninspect.commands.lint.report import Saving
from cnninspect.commands.lint.wording import percent, sizes, some, verb
from cnninspect.metrics.roofline import MOVES_NOTHING
from cnninspect.page.quantities import scaled_time

TILE = 8
LEAST = 1e-6
"""A network that can be run in less time, in seconds, waits for other things than its layers."""
FELT = 5e-6
"""Seconds that are worth a word: as long as it takes to start an operation."""
WORTH = 0.05
"""Share of the MACs or of the least time that is worth a word."""


@rule("P001", severity="info")
def channels_not_of_eight(net: TracedNetwork) -> Iterator[Found]:
    """Channels are no multiple of 8, in layers that hold much of the work.

    Why: Tensor cores and vector units work on 8 or more numbers at once in half precision: what is
    left over is padded, or sends the layer to a slower kernel.

    Source: NVIDIA, Deep Learning Performance Documentation: Tensor Core requirements, choose
    channels and features as multiples of 8 for float16.

    Example:
        nn.Conv2d(50, 100, 3)

    Mend: The next multiple of 8.
    """
    found: dict[int, float] = {}
    if sum(net.least_seconds) < LEAST:
        return
    for i in net.of_kind("convolution", "linear"):
        weight = net.weight(i)
        if weight is None or net.macs_of(i) < net.macs * 0.002:
            continue
        window = net.window(i)
        groups = window.groups if window is not None else 1
        if groups > 1 or len(weight.shape) < 2:
            continue  # P002 speaks of groups
        into, out = _channels(net, i)
        if into <= 4:
            into = TILE  # an image: nobody can widen it
        ratio = _up(into) * _up(out) / (into * out)
        if ratio > 1:
            found[i] = ratio
    macs = sum(net.macs_of(i) for i in found)
    if found and macs >= WORTH * net.macs:
        paths = net.paths(found)
        extra = sum(net.macs_of(i) * (ratio - 1) for i, ratio in found.items())
        worst = max(found, key=lambda i: net.macs_of(i) * (found[i] - 1))
        into, out = _channels(net, worst)
        seconds = 2 * extra / net.device.flops_per_second
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'has', 'have')} channels that are no multiple of "
            f"{TILE} ({net.layer(worst)}: {into} to {out}), with {percent(macs / net.macs)} of the "
            f"MACs. Padded to {TILE}s, they cost {percent(extra / net.macs)} more than they need.",
            saving=Saving(seconds=seconds),
        )


def _channels(net: TracedNetwork, call: int) -> tuple[int, int]:
    axis = 1 if net.kinds[call] == "convolution" else -1
    given = net.sources(call)[0]
    into, out = net.out_shape(given), net.out_shape(call)
    return into[axis] if len(into) > 1 else 1, out[axis]


def _up(channels: int) -> int:
    return -(-channels // TILE) * TILE


@rule("P002", severity="info")
def tiny_groups(net: TracedNetwork) -> Iterator[Found]:
    """Grouped convolutions have groups of fewer than eight channels, and much of the work.

    Why: Each group is a small matrix product that fills no tensor core. Memory traffic stays while
    the MACs shrink, so that the time falls far less than the MACs say.

    Source: Ma, Zhang, Zheng, Sun 2018, ShuffleNet V2, arXiv:1807.11164, guideline G2.

    Example:
        nn.Conv2d(128, 128, 3, groups=32)           # four channels each

    Mend: Wider groups, such as those of RegNet, or none.
    """
    found = []
    for i in net.of_kind("convolution"):
        window, weight = net.window(i), net.weight(i)
        if window is None or weight is None or window.groups < 2 or window.transposed:
            continue
        if 1 < weight.shape[1] < TILE:
            found.append(i)
    macs = sum(net.macs_of(i) for i in found)
    if found and macs >= WORTH * net.macs and sum(net.least_seconds) >= LEAST:
        paths = net.paths(found)
        weight, window = net.weight(found[0]), net.window(found[0])
        assert weight is not None
        assert window is not None
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'works', 'work')} in groups of few channels "
            f"({net.layer(found[0])}: {window.groups} groups of {weight.shape[1]}), with "
            f"{percent(macs / net.macs)} of the MACs: groups under {TILE} fill no tensor core, and "
            f"take longer than their MACs say.",
        )


LARGE_MAP = 56
LARGE_KERNEL = 5


@rule("P003", severity="info")
def large_depthwise_kernel(net: TracedNetwork) -> Iterator[Found]:
    """Depth-wise convolutions of 5×5 or more run on large maps and hold much of the least time.

    Why: Each number that is read is used for few MACs, and kernels for large windows are tuned
    less than those for 3×3. On large maps the time is all memory traffic.

    Source: Ding et al. 2022, Scaling Up Your Kernels to 31x31, arXiv:2203.06717, section 3;
    Xiong et al. 2021, MobileDets, arXiv:2004.14525.

    Example:
        nn.Conv2d(64, 64, 7, padding=3, groups=64)  # on a map of 112×112

    Mend: The large kernels after the next stride, 3×3 before.
    """
    found = []
    for i in net.of_kind("convolution"):
        window, weight = net.window(i), net.weight(i)
        if window is None or weight is None or weight.shape[1] != 1 or window.groups < 2:
            continue
        if min(window.kernel) >= LARGE_KERNEL and min(window.out) >= LARGE_MAP:
            found.append(i)
    seconds, whole = sum(net.least_seconds[i] for i in found), sum(net.least_seconds)
    if found and seconds >= WORTH * whole:
        paths = net.paths(found)
        window = net.window(found[0])
        assert window is not None
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'is', 'are')} depth-wise with a kernel of "
            f"{sizes(window.kernel)} on a map of {sizes(window.out)}: "
            f"{net.intensity(found[0]):.1f} FLOPs for each byte moved, and "
            f"{percent(seconds / whole)} of the least time.",
        )


FAR = 4
"""How many times below the ridge is far below it."""


@rule("P004", severity="info")
def far_below_the_ridge(net: TracedNetwork) -> Iterator[Found]:
    """Layers with much of the least time do few FLOPs for each byte: memory sets their time.

    Why: A device does many FLOPs in the time of reading one byte. Far below that ratio (the ridge
    of its roofline) its arithmetic waits. With a batch of 1, linear layers read every weight for a
    single product.

    Source: Williams, Waterman, Patterson 2009, Roofline, CACM 52(4).

    Example:
        nn.Linear(25088, 4096)                      # with a batch of 1

    Mend: A larger batch, which reads the weights once for all, or fewer weights.
    """
    ridge = net.device.flops_per_second / net.device.bytes_per_second
    whole = sum(net.least_seconds)
    found = [
        i
        for i in net.of_kind("convolution", "linear")
        if net.macs_of(i)
        and net.least_seconds[i] >= WORTH * whole
        and net.intensity(i) * FAR < ridge
    ]
    seconds = sum(net.least_seconds[i] for i in found)
    if found and seconds >= max(0.1 * whole, FELT):
        paths = net.paths(found)
        worst = max(found, key=lambda i: net.least_seconds[i])
        computed = sum(net.costs[i].cost.flops for i in found) / net.device.flops_per_second
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'takes', 'take')} at least {scaled_time(seconds)} on "
            f"{net.device.name}, {percent(seconds / whole)} of the network's least time, for "
            f"{percent(sum(net.macs_of(i) for i in found) / net.macs)} of its MACs: with batch "
            f"{net.batch} memory sets the time ({net.intensity(worst):.1f} FLOPs for each byte in "
            f"{net.layer(worst)}, where the device could do {ridge:.0f}).",
            saving=Saving(seconds=max(0.0, seconds - computed)),
        )


MUCH_ATTENTION = 1 / 3
LONG = 512
"""Positions from which on a sequence is long."""


@rule("P005")
def quadratic_attention(net: TracedNetwork) -> Iterator[Found]:
    """Attention over long sequences costs more than a third of all MACs.

    Why: Its products grow with the square of the sequence: with twice as many positions they cost
    four times as much, and soon more than all else.

    Source: Vaswani et al. 2017, Attention Is All You Need, arXiv:1706.03762, Table 1; Dao et al.
    2022, FlashAttention, arXiv:2205.14135, on its memory.

    Example:
        nn.MultiheadAttention(64, 4)                # on a map of 128×128 positions

    Mend: Attention in windows, larger patches, or strides before it.
    """
    found = [i for i in net.of_kind("attention", "product") if net.macs_of(i)]
    if not found or not net.macs:
        return
    lengths = {i: length for i in found if (length := _length(net, i)) >= LONG}
    macs = sum(net.macs_of(i) for i in lengths)
    if lengths and macs > MUCH_ATTENTION * net.macs:
        paths = net.paths(lengths)
        longest = max(lengths.values())
        yield Found(
            paths,
            f"Attention in {some(paths)} is over {longest:,} positions and takes "
            f"{percent(macs / net.macs)} of all MACs: twice as many positions would cost four "
            f"times "
            f"as much.",
            "Windows, larger patches, or a stride before it: half as many positions save three "
            "quarters.",
            Saving(macs=macs * 3 // 4),
        )


def _length(net: TracedNetwork, call: int) -> int:
    """Over how many positions a call attends; 0 where it does not.

    Written out, attention is a product that gives a square of scores, and one that takes it.
    """
    made, given = net.out_shape(call), net.given_shape(call)
    if net.kinds[call] == "attention":
        return made[-2] if len(made) >= 3 else 0
    if len(made) < 3 or len(net.sources(call)) < 2:
        return 0
    if made[-1] == made[-2]:
        return made[-1]
    return given[-1] if len(given) >= 3 and given[-1] == given[-2] else 0


TINY = 4096
MANY = 200


@rule("P006", severity="info")
def many_tiny_operations(net: TracedNetwork) -> Iterator[Found]:
    """Hundreds of operations work on a few thousand numbers at most.

    Why: Starting one on a GPU takes about five microseconds, and more from Python; such an
    operation is done in less. The device waits for the next one.

    Source: PyTorch, CUDA Graphs, Ng et al. 2021, on launch-bound workloads.

    Example:
        for t in range(500): h = torch.tanh(self.w(x[:, t]) + self.u(h))

    Mend: One operation on all of it (nn.LSTM), torch.compile, or CUDA graphs.
    """
    launched = [
        i
        for i, cost in enumerate(net.costs)
        if net.is_data[i] and not cost.reason.startswith(MOVES_NOTHING)
    ]
    tiny = [
        i
        for i in launched
        if sum(s.numel for s in net.calls[i].operation.outputs) <= TINY
        and net.least_seconds[i] < 1e-6
    ]
    if len(tiny) >= MANY and 2 * len(tiny) > len(launched):
        paths = net.paths(tiny)
        yield Found(
            paths,
            f"{len(tiny):,} of {len(launched):,} operations give {TINY:,} numbers or fewer "
            f"({some(paths)}): starting them takes longer than doing them.",
            certainty="likely",
        )
