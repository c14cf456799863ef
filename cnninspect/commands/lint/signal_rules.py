"""Signal: what of the input never reaches the output, or reaches it distorted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from operator import add

from cnninspect.commands.lint.network import TracedNetwork
from cnninspect.commands.lint.operators import ACTIVATIONS, NORMS, SAME_SHAPE, Window
from cnninspect.commands.lint.registry import Found, rule
from cnninspect.commands.lint.report import Saving
from cnninspect.commands.lint.wording import many, percent, sizes, some, verb
from cnninspect.records.operations import Argument

WINDOWED = ("convolution", "max pool", "average pool")


PASSED = SAME_SHAPE | NORMS | ACTIVATIONS | {"pad", "dropout"}
"""Kinds that leave every value at its place, counted without padding."""


@dataclass(frozen=True, slots=True)
class Look:
    """A map that moving windows alone look at, and what they see of it."""

    calls: tuple[int, ...]
    windows: tuple[Window, ...]
    """As if padding that is done before belonged to the first of them."""
    seen: tuple[frozenset[int], ...]
    """By dimension, the positions that any of them sees."""


def _looks(net: TracedNetwork) -> Iterator[Look]:
    """The maps that only moving windows look at, if not all of them in steps of one.

    Where several look at a map, a position counts as seen along a dimension if one sees it.
    """
    roots: dict[int, None] = {}
    for i in net.of_kind(*WINDOWED):
        window = net.window(i)
        if window is not None and max(window.stride) > 1 and not window.transposed:
            root = net.before(i, PASSED)
            if root is not None:
                roots[root] = None
    for root in roots:
        takers = _takers(net, root)
        if takers is None:
            continue
        shape = net.out_shape(root)
        windows: list[Window] = []
        for call, before, after in takers:
            window = net.window(call)
            if window is None or window.transposed or len(window.sizes) != len(shape) - 2:
                break
            windows.append(
                replace(
                    window,
                    sizes=shape[2:],
                    before=tuple(map(add, window.before, before)),
                    after=tuple(map(add, window.after, after)),
                )
            )
        else:
            if windows and not all(max(*w.stride, *w.dilation) == 1 for w in windows):
                ways = [[w.seen(d) for w in windows] for d in range(len(shape) - 2)]
                seen = tuple(frozenset().union(*way) for way in ways)
                yield Look(tuple(call for call, _, _ in takers), tuple(windows), seen)


Padded = tuple[int, tuple[int, ...], tuple[int, ...]]
"""A call, and the padding before and after each dimension of what it is given."""


def _takers(net: TracedNetwork, root: int) -> list[Padded] | None:
    """The windows that look at a map, seen through what leaves values at their places.

    None: something else looks at it, or it is padded in a way that is not on record.
    """
    rank = len(net.out_shape(root)) - 2
    none = (0,) * rank
    if rank < 1 or (root >= 0 and net.is_output(root)):
        return None
    first = net.consumers[root] if root >= 0 else net.read_by_input.get(root, [])
    found: list[Padded] = []
    pending: list[Padded] = [(call, none, none) for call in first]
    while pending:
        call, before, after = pending.pop()
        kind = net.kinds[call]
        if kind in WINDOWED:
            found.append((call, before, after))
            continue
        if kind not in PASSED or net.is_output(call) or len(net.sources(call)) != 1:
            return None
        if kind == "pad":
            operation = net.calls[call].operation
            pads = _padding(operation.argument("pad", operation.argument("padding")), rank)
            if pads is None:
                return None
            before = tuple(map(add, before, pads[0]))
            after = tuple(map(add, after, pads[1]))
        elif len(net.out_shape(call)) != rank + 2:
            return None
        pending += [(taker, before, after) for taker in net.consumers[call]]
    return sorted(found)


@rule("S001")
def stride_skips_positions(net: TracedNetwork) -> Iterator[Found]:
    """A stride is larger than the kernel, so that no output sees what lies between the windows.

    Why: What was computed for those positions is thrown away, and small things in the input fall
    through. A shortcut with a 1×1 kernel and stride 2 is no such case as long as a window beside it
    sees all positions.

    Source: He et al. 2019, Bag of Tricks, arXiv:1812.01187, section 4.2: a 1×1 convolution of
    stride 2 ignores three quarters of its input.

    Example:
        nn.Conv2d(64, 128, kernel_size=1, stride=2)

    Mend: A kernel at least as large as the stride, or average pooling before a 1×1 convolution.
    """
    found: list[tuple[float, Look]] = []
    for look in _looks(net):
        if not all(_strides_over(window) for window in look.windows):
            continue
        kept = prod(len(places) / (max(places) + 1) for places in look.seen if places)
        if kept < 1:
            found.append((1 - kept, look))
    if found:
        lost, look = max(found, key=lambda item: item[0])
        window, worst = look.windows[0], net.layer(look.calls[0])
        paths = net.paths(call for _, each in found for call in each.calls)
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'has a stride', 'have strides')} larger than the "
            f"kernel: {worst} looks at {sizes(window.kernel)} positions in steps of "
            f"{sizes(window.stride)}, and no output sees {percent(lost)} of its map of "
            f"{sizes(window.sizes)}.",
        )


def _strides_over(window: Window) -> bool:
    return any(
        s > (k - 1) * d + 1 for s, k, d in zip(window.stride, window.kernel, window.dilation)
    )


@rule("S002")
def edge_cut_off(net: TracedNetwork) -> Iterator[Found]:
    """The last rows or columns of a map lie in no window, since strides do not fit its size.

    Why: Strided windows start at the first position, and what is left over at the end, less than a
    stride, is never looked at. What is at the right and lower edge then counts for nothing.

    Source: Dumoulin, Visin 2016, A guide to convolution arithmetic, arXiv:1603.07285, section 2.4.

    Example:
        nn.MaxPool2d(2)                             # on a map of 13×13

    Mend: padding, ceil_mode=True for pooling, or an input size that divides.
    """
    names = ("columns", "rows", "planes")
    found: list[tuple[float, Look, str]] = []
    for look in _looks(net):
        window = look.windows[0]
        if any(_strides_over(each) for each in look.windows):
            continue  # S001 says it
        kept, cut = 1.0, []
        for dim, places in enumerate(look.seen):
            size, last = window.sizes[dim], max(places, default=-1)
            gone = size - 1 - last
            if gone:
                name = names[len(look.seen) - 1 - dim] if len(look.seen) < 4 else "positions"
                cut.append(f"the last {'' if gone == 1 else f'{gone} '}{_one(name, gone)}")
            kept *= (last + 1) / size
        if cut:
            found.append((1 - kept, look, " and ".join(cut)))
    if found:
        lost, look, text = max(found, key=lambda item: item[0])
        window = look.windows[0]
        paths = net.paths(call for _, each, _ in found for call in each.calls)
        others = f"; so {verb(len(paths) - 1, 'does', 'do')} {some(paths[1:])}" if paths[1:] else ""
        yield Found(
            paths,
            f"{net.layer(look.calls[0])} leaves out {text} of a map of {sizes(window.sizes)} "
            f"({percent(lost)} of its positions): windows of {sizes(window.kernel)} at stride "
            f"{sizes(window.stride)} do not fit{others}.",
            severity="warning" if lost >= 0.1 else "info",
        )


def _one(name: str, number: int) -> str:
    return name if number > 1 else name.rstrip("s")


@rule("S003")
def one_sided_padding(net: TracedNetwork) -> Iterator[Found]:
    """An even kernel is padded on one side only, so that the map moves by half a position.

    Why: An even window has no middle. With one more row of zeros on one side than on the other each
    such layer shifts what it sees, and the shifts add up.

    Source: Wu et al. 2019, Convolution with even-sized kernels and symmetric padding,
    arXiv:1903.08385, section 3.

    Example:
        nn.Conv2d(64, 64, kernel_size=2, padding="same")

    Mend: An odd kernel.
    """
    found = []
    for i in net.of_kind("convolution"):
        window, source = net.window(i), net.sources(i)[:1]
        if window is None or window.transposed or not source:
            continue
        before, after = window.before, window.after
        if source[0] >= 0 and net.kinds[source[0]] == "pad":
            pads = _padding(net.calls[source[0]].operation.argument("pad"), len(before))
            if pads is None:
                continue
            before, after = (
                tuple(a + b for a, b in zip(x, y)) for x, y in zip((before, after), pads)
            )
        uneven = [
            dim
            for dim in range(len(before))
            if abs(before[dim] - after[dim]) == 1
            and window.stride[dim] == 1
            and window.kernel[dim] % 2 == 0
            and window.dilation[dim] % 2 == 1
        ]
        if uneven:
            found.append(i)
    if found:
        paths = net.paths(found)
        window = net.window(found[0])
        assert window is not None
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'has a kernel', 'have kernels')} of "
            f"{sizes(window.kernel)}, padded on one side more than on the other: the map moves by "
            f"half a position in each ({many(len(paths), 'layer')}, {len(paths) / 2:g} in all).",
        )


def _padding(pad: Argument, rank: int) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Padding before and after each dimension, from PyTorch's list, which has the last one "
    "first.
    """
    if not isinstance(pad, tuple) or not all(isinstance(p, int) for p in pad):
        return None
    flat = [p for p in pad if isinstance(p, int)]
    flat += [0] * (2 * rank - len(flat))
    before, after = flat[0 : 2 * rank : 2], flat[1 : 2 * rank : 2]
    return tuple(reversed(before)), tuple(reversed(after))


@rule("S004")
def checkerboard(net: TracedNetwork) -> Iterator[Found]:
    """A transposed convolution has a kernel that its stride does not divide.

    Why: Some output positions get more terms than their neighbours, in a regular pattern, which
    shows as a checkerboard in what is generated.

    Source: Odena, Dumoulin, Olah 2016, Deconvolution and Checkerboard Artifacts, Distill,
    doi:10.23915/distill.00003.

    Example:
        nn.ConvTranspose2d(64, 32, kernel_size=3, stride=2)

    Mend: A kernel of twice the stride, or nn.Upsample and a plain convolution.
    """
    found = []
    for i in net.of_kind("convolution"):
        window = net.window(i)
        if window is None or not window.transposed:
            continue
        spans = [(k, s) for k, s in zip(window.kernel, window.stride) if s > 1]
        if any(k % s for k, s in spans):
            found.append(i)
    if found:
        paths = net.paths(found)
        window = net.window(found[0])
        assert window is not None
        low = prod(k // s for k, s in zip(window.kernel, window.stride))
        high = prod(-(-k // s) for k, s in zip(window.kernel, window.stride))
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'is', 'are')} transposed with a kernel of "
            f"{sizes(window.kernel)} at stride {sizes(window.stride)}: some output "
            f"positions are sums over {high} taps, their neighbours over {low}.",
        )


@rule("S005", severity="info")
def narrow_view(net: TracedNetwork) -> Iterator[Found]:
    """At the last feature map, each position sees less than the whole input.

    Why: What lies farther apart than a receptive field can only be brought together by what comes
    after the map. An average over positions counts things, and does not relate them.

    Source: Araujo, Norris, Sim 2019, Computing Receptive Fields, Distill,
    doi:10.23915/distill.00021; Luo et al. 2016, arXiv:1701.04128: the effective field is smaller.

    Example:
        three 3×3 convolutions, then nn.AdaptiveAvgPool2d(1)     # each position sees 7×7

    Mend: More layers, strides or dilation before the last map, or attention on top of it.
    """
    if len(net.trace.outputs) != 1 or len(net.trace.outputs[0].spec.shape) != 2:
        return  # no classifier: what is read off each position may need no more
    spatial = next((x.spec.shape[2:] for x in net.trace.inputs if len(x.spec.shape) == 4), None)
    last = None
    for i in net.of_kind(*WINDOWED):
        shape = net.out_shape(i)
        if len(shape) == 4 and min(shape[2:]) > 1 and i in net.used:
            last = i
    if spatial is None or last is None or _mixes_positions(net, last):
        return
    field = net.field(net.calls[last].layer)
    if field is None or all(f >= s for f, s in zip(field, spatial)):
        return
    after = (
        "The layers behind it see all of it, each position at its fixed place."
        if _keeps_places(net, last)
        else "What lies farther apart is only averaged."
    )
    path = net.layer(last)
    yield Found(
        (path,),
        f"Each position of the last feature map ({path}, {sizes(net.out_shape(last)[2:])}) sees "
        f"{sizes(field)} of the {sizes(spatial)} input. {after}",
    )


def _mixes_positions(net: TracedNetwork, last: int) -> bool:
    """Whether positions are related by something else than windows: tokens, attention."""
    return any(
        net.kinds[i] in ("attention", "product", "recurrent")
        or (i > last and net.kinds[i] == "linear" and prod(net.out_shape(i)[:-1]) != net.batch)
        for i in range(len(net.calls))
        if net.is_data[i]
    )


def _keeps_places(net: TracedNetwork, last: int) -> bool:
    """Whether a map of several positions is flattened, or covered by one window, not averaged."""
    for i in range(last + 1, len(net.calls)):
        window = net.window(i) if net.kinds[i] == "convolution" else None
        if window is not None and window.kernel == window.sizes and prod(window.kernel) > 1:
            return True
        if net.kinds[i] == "linear" and net.is_data[i] and net.weight(i) is not None:
            shape = net.flattened_from(net.sources(i)[0])
            return shape is not None and prod(shape[2:]) > 1
    return False


WIDEST = 64
"""A reach without holes that is wider than this has none any more."""


@rule("S006")
def gridding(net: TracedNetwork) -> Iterator[Found]:
    """Dilated convolutions follow each other so that positions between their taps are never seen.

    Why: Dilations with a common factor leave the positions between apart: neighbours of the output
    depend on different ones of the input, and a grid shows.

    Source: Wang et al. 2018, Understanding Convolution for Semantic Segmentation,
    arXiv:1702.08502, section 3.2; Yu, Koltun, Funkhouser 2017, arXiv:1705.09914.

    Example:
        three 3×3 convolutions with dilation 2, on a map that no other convolution looked at

    Mend: Dilations such as 1, 2, 5, without a common factor.
    """
    if not any(
        (w := net.window(i)) is not None and max(w.dilation) > 1 for i in net.of_kind(*WINDOWED)
    ):
        return
    reach: dict[int, frozenset[int] | None] = {}
    for i in range(len(net.calls)):
        if net.is_data[i]:
            reach[i] = _reach(net, i, reach)
    paths, worst = [], (0.0, 0, 0)
    for i, own in reach.items():
        window = net.window(i)
        if own is None or window is None or max(window.dilation) == 1 or window.is_pointwise:
            continue
        width = max(own) - min(own) + 1
        if len(own) < width and not _is_filled(net, i, reach):
            paths.append(net.layer(i))
            worst = max(worst, (1 - len(own) / width, width, len(own)))
    if paths:
        share, width, seen = worst
        yield Found(
            tuple(dict.fromkeys(paths)),
            f"Dilation leaves holes in what {some(paths)} {verb(len(paths), 'sees', 'see')}: of "
            f"{width} positions in a row of the map, an output depends on {seen} only, and "
            f"{percent(share)} of them never count for it.",
        )


def _is_filled(net: TracedNetwork, call: int, reach: dict[int, frozenset[int] | None]) -> bool:
    """Whether the holes are filled by what a result is added to or joined with next."""
    pending = list(net.consumers[call])
    while pending:
        taker = pending.pop()
        if net.kinds[taker] in PASSED:
            pending += net.consumers[taker]
        elif net.kinds[taker] in ("add", "join"):
            own = reach.get(taker)
            if own is None or len(own) == max(own) - min(own) + 1:
                return True
    return False


def _reach(
    net: TracedNetwork, call: int, reach: dict[int, frozenset[int] | None]
) -> frozenset[int] | None:
    """Offsets along the last dimension that a result depends on, on the map of its own size.

    None: not followed, as where positions are moved about; all then counts as seen.
    """
    here, window = frozenset((0,)), net.window(call)
    shape = net.out_shape(call)
    if len(shape) < 3:
        return None
    found: set[int] = set()
    for source in net.sources(call):
        before: frozenset[int] | None = here
        if source >= 0 and net.out_shape(source)[2:] == shape[2:]:
            before = reach.get(source)
        if before is None:
            return None
        found |= before
    if window is not None and not window.transposed:
        if window.stride[-1] > 1:
            # The map before is finer: a step here is a stride there, and no holes are left over
            # unless the window has some.
            return here if window.dilation[-1] == 1 else None
        step, taps = window.dilation[-1], window.kernel[-1]
        middle = (taps - 1) * step // 2
        found = {offset + tap * step - middle for offset in found for tap in range(taps)}
    elif net.kinds[call] in ("product", "attention", "linear", "moving", "reshape", "recurrent"):
        return None
    if found and len(found) == max(found) - min(found) + 1 and len(found) > WIDEST:
        return frozenset(range(-WIDEST // 2, WIDEST // 2 + 1))
    return frozenset(found) or None


@rule("S007")
def max_after_average(net: TracedNetwork) -> Iterator[Found]:
    """A max pooling comes right after an average pooling.

    Why: The average has smoothed away the peaks that the maximum would pick.

    Source: Boureau, Ponce, LeCun 2010, A Theoretical Analysis of Feature Pooling, ICML.

    Example:
        nn.AvgPool2d(2), nn.MaxPool2d(2)

    Mend: One pooling with the larger window.
    """
    for i in net.of_kind("max pool", "adaptive max pool"):
        source = net.before(i)
        if source is not None and source >= 0 and net.kinds[source].endswith("average pool"):
            window = net.window(source)
            if window is not None and window.is_pointwise:
                continue
            yield Found(
                net.paths((source, i)),
                f"{net.layer(i)} takes the maximum of what {net.layer(source)} has just averaged.",
            )


@rule("S008", certainty="possible")
def softmax_at_the_end(net: TracedNetwork) -> Iterator[Found]:
    """The network returns the result of a softmax, or a sigmoid.

    Why: Cross entropy in PyTorch takes scores and has a softmax of its own. Of probabilities it
    takes another one, which lies between 1/n and e/(n - 1 + e) and can never come near 1: the loss
    stops falling early. A log-softmax is harmless, since another one leaves it as it is.

    Source: PyTorch, nn.CrossEntropyLoss and nn.BCEWithLogitsLoss: the input is unnormalised.

    Example:
        return F.softmax(self.fc(x), dim=1)         # and loss = F.cross_entropy(output, target)

    Mend: Return the scores, and take the softmax where probabilities are shown.
    """
    if net.is_graph:
        return
    for i in net.of_kind("softmax", "sigmoid"):
        shape = net.out_shape(i)
        if not net.is_output(i) or len(shape) < 2 or (net.consumers[i] and net.after(i)):
            continue
        if net.kinds[i] == "softmax":
            dim = net.calls[i].operation.argument("dim")
            classes = shape[dim] if isinstance(dim, int) and -len(shape) <= dim < len(shape) else 0
            if dim not in (1, -1, len(shape) - 1) or classes < 2:
                continue
            e = 2.718281828
            most = e / (classes - 1 + e)
            yield Found(
                (net.layer(i),),
                f"The network returns a softmax over {classes} classes ({net.layer(i)}). If it is "
                f"trained with cross_entropy, which has one of its own, no class can get more than "
                f"{percent(most)}.",
                "Return the scores before it, or train with nll_loss on the logarithm.",
            )
        else:
            yield Found(
                (net.layer(i),),
                f"The network returns a sigmoid ({net.layer(i)}). Trained with "
                f"binary_cross_entropy_with_logits, which has one of its own, it would be squeezed "
                f"twice; with binary_cross_entropy its logarithm loses precision.",
                "Return the scores before it, and train with binary_cross_entropy_with_logits.",
                severity="info",
            )


MOSTLY = 0.5


@rule("S009")
def mostly_padding(net: TracedNetwork) -> Iterator[Found]:
    """More than half of what a convolution multiplies with is zero padding, on so small a map.

    Why: The map is about as small as the kernel, so that most taps lie outside. They cost as much
    as the others, and what is learned depends more on where the edge is than on what is there.

    Source: Islam, Jia, Bruce 2020, How Much Position Information Do CNNs Encode?,
    arXiv:2001.08248; counted tap by tap.

    Example:
        nn.Conv2d(512, 512, 3, padding=1)           # on a map of 2×2

    Mend: One stride less before it, a larger input, or a smaller kernel here.
    """
    found: dict[int, float] = {}
    for i in net.of_kind("convolution"):
        window = net.window(i)
        if window is None or window.transposed or not any((*window.before, *window.after)):
            continue
        if any(window.used_taps(d) < window.kernel[d] for d in range(len(window.kernel))):
            continue  # S010 says it
        inside = prod(
            window.taps(d) / (window.out[d] * window.kernel[d]) for d in range(len(window.kernel))
        )
        if inside < MOSTLY:
            found[i] = inside
    if found:
        paths = net.paths(found)
        worst = min(found, key=lambda i: found[i])
        window = net.window(worst)
        assert window is not None
        macs = sum(round(net.macs_of(i) * (1 - inside)) for i, inside in found.items())
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'multiplies', 'multiply')} mostly with padding: in "
            f"{net.layer(worst)}, {percent(1 - found[worst])} of the taps of a "
            f"{sizes(window.kernel)} "
            f"kernel on a map of {sizes(window.sizes)} lie outside.",
            saving=Saving(macs=macs),
        )


@rule("S010")
def weights_never_used(net: TracedNetwork) -> Iterator[Found]:
    """A kernel is so large for its map that some of its weights only ever meet zero padding.

    Why: On a map of 1×1, eight of the nine weights of a 3×3 kernel are multiplied with zeros,
    whatever the input. They learn nothing, and cost as much as the one that works.

    Source: counted tap by tap, from sizes, padding and stride.

    Example:
        nn.Conv2d(512, 512, 3, padding=1)           # on a map of 1×1

    Mend: A kernel of the map's size, or fewer strides before it.
    """
    found: list[tuple[int, float]] = []
    for i in net.of_kind("convolution"):
        window = net.window(i)
        if window is None or window.transposed or window.is_pointwise:
            continue
        rank = len(window.kernel)
        used = prod(window.used_taps(d) / window.kernel[d] for d in range(rank))
        if 0 < used < 1:
            found.append((i, used))
    if found:
        paths = net.paths(i for i, _ in found)
        worst, share = min(found, key=lambda item: item[1])
        window = net.window(worst)
        assert window is not None
        weights = {net.layer(i): (w, used) for i, used in found if (w := net.weight(i)) is not None}
        lost = sum(round(w.numel * (1 - used)) for w, used in weights.values())
        taps = prod(window.kernel)
        macs = sum(net.macs_of(i) - _useful_macs(net, i) for i, _ in found)
        yield Found(
            paths,
            f"{some(paths)} {verb(len(paths), 'has a kernel', 'have kernels')} larger than the "
            f"map: "
            f"on {sizes(window.sizes)}, {taps - round(taps * share)} of {taps} weights of each "
            f"{sizes(window.kernel)} kernel of {net.layer(worst)} only meet padding "
            f"({lost:,} weights that this input never uses).",
            saving=Saving(
                parameters=lost,
                macs=macs,
                bytes=sum(round(w.nbytes * (1 - used)) for w, used in weights.values()),
            ),
        )


def _useful_macs(net: TracedNetwork, call: int) -> int:
    """MACs of a convolution with the weights that ever meet the map."""
    window = net.window(call)
    if window is None:
        return net.macs_of(call)
    used = prod(window.used_taps(d) for d in range(len(window.kernel)))
    return net.macs_of(call) * used // prod(window.kernel)
