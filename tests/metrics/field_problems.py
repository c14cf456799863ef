"""Small networks whose receptive fields are worked out and measured."""

import torch
import torch.nn.functional as F
from torch import nn


class Lambda(nn.Module):
    """A function as a layer, with the layers that it needs."""

    def __init__(self, function, **layers):
        super().__init__()
        self.function = function
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, *inputs):
        return self.function(self, *inputs)


def conv(inputs, outputs, kernel, **options):
    return nn.Conv2d(inputs, outputs, kernel, bias=False, **options)


def residual(stride):
    return Lambda(
        lambda m, x: F.relu(m.shortcut(x) + m.conv2(F.relu(m.conv1(x)))),
        conv1=conv(2, 3, 3, stride=stride, padding=1),
        conv2=conv(3, 3, 3, padding=1),
        shortcut=conv(2, 3, 1, stride=stride),
    )


def inception():
    return Lambda(
        lambda m, x: torch.cat((m.one(x), m.three(x), m.five(x), m.pool(x)), 1),
        one=conv(1, 1, 1),
        three=conv(1, 2, 3, padding=1),
        five=conv(1, 1, 5, padding=2),
        pool=nn.MaxPool2d(3, 1, 1),
    )


def squeeze_excitation(channels):
    return Lambda(
        lambda m, x: x * torch.sigmoid(m.expand(F.relu(m.squeeze(x.mean((2, 3), keepdim=True))))),
        squeeze=conv(channels, 1, 1),
        expand=conv(1, channels, 1),
    )


def u_net():
    def forward(m, x):
        high = m.high(x)
        low = m.low(F.max_pool2d(high, 2))
        return m.last(torch.cat((high, m.up(low)), 1))

    return Lambda(
        forward,
        high=conv(1, 2, 3, padding=1),
        low=conv(2, 2, 3, padding=1),
        up=nn.ConvTranspose2d(2, 2, 2, 2, bias=False),
        last=conv(4, 1, 3, padding=1),
    )


def hourglass():
    return nn.Sequential(
        conv(1, 2, 5, stride=2, padding=2),
        conv(2, 2, 3, stride=2, padding=1),
        nn.ConvTranspose2d(2, 2, 4, 2, 1, bias=False),
        conv(2, 2, 3, padding=1),
        nn.ConvTranspose2d(2, 2, 3, 2, 1, 1, bias=False),
        conv(2, 1, 3, padding=1),
        conv(1, 1, 3, stride=2, padding=1),
        nn.Upsample(scale_factor=2),
    )


class Attention(nn.Module):
    """Tokens of a convolution, each with all others; by hand, so that the parts can be seen."""

    def __init__(self, *, is_fused):
        super().__init__()
        self.is_fused = is_fused
        self.patches = conv(1, 4, 4, stride=2)
        self.norm = nn.LayerNorm(4)
        self.qkv = nn.Linear(4, 12)
        self.fc = nn.Linear(4, 2)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)  # (N, L, 4)
        q, k, v = self.qkv(self.norm(x)).reshape(*x.shape[:2], 3, 2, 2).permute(2, 0, 3, 1, 4)
        if self.is_fused:
            out = F.scaled_dot_product_attention(q, k, v)
        else:
            out = (q @ k.transpose(-2, -1)).softmax(-1) @ v  # (N, 2, L, 2)
        return self.fc(x + out.transpose(1, 2).flatten(2))


def class_token(*, attends):
    def forward(m, x):
        x = m.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((m.token.weight.expand(len(x), -1, -1), x), 1)
        if attends:
            x = x + F.scaled_dot_product_attention(x, x, x)
        return m.fc(x[:, 0] if attends else x[:, 1:])

    return Lambda(
        forward, patches=conv(1, 4, 3, stride=3), token=nn.Embedding(1, 4), fc=nn.Linear(4, 2)
    )


def shuffled_channels():
    """ShuffleNet's way: half of the channels goes by, then halves are mixed."""

    def forward(m, x):
        x = m.stem(x)
        for branch in (m.first, m.second):
            half, other = x.chunk(2, 1)
            x = torch.stack((half, branch(other)), 2).flatten(1, 2)
        return m.last(x)

    return Lambda(
        forward,
        stem=conv(1, 4, 1),
        first=conv(2, 2, 3, padding=1),
        second=conv(2, 2, 3, padding=1),
        last=conv(4, 1, 1),
    )


def space_to_depth():
    return Lambda(
        lambda m, x: m.conv(torch.cat([x[..., i::2, j::2] for i in range(2) for j in range(2)], 1)),
        conv=conv(4, 1, 3),
    )


def class_attention():
    """CaiT's way: a token that only asks, and is then asked for alone."""

    def forward(m, x):
        x = m.patches(x).flatten(2).transpose(1, 2)
        token = m.token.weight.expand(len(x), -1, -1)
        for _ in range(2):
            both = torch.cat((token, x), 1)
            token = token + F.scaled_dot_product_attention(m.query(both[:, :1]), both, both)
        return m.fc(token[:, 0])

    return Lambda(
        forward, patches=conv(1, 4, 3, stride=3), token=nn.Embedding(1, 4),
        query=nn.Linear(4, 4), fc=nn.Linear(4, 2),
    )  # fmt: skip


def padded_shortcut():
    """ResNet's option A: positions left out, and channels of zeros."""
    return Lambda(
        lambda m, x: m.conv2(m.conv1(x) + F.pad(x[..., ::2, ::2], (0, 0, 0, 0, 1, 1))),
        conv1=conv(2, 4, 3, stride=2, padding=1),
        conv2=conv(4, 1, 3),
    )


def sequential(*layers):
    return lambda: nn.Sequential(*layers)


def up(**options):
    return sequential(conv(1, 1, 3), nn.Upsample(**options), conv(1, 1, 3))


PROBLEMS = {
    "windows of different height and width": (
        sequential(
            conv(1, 2, (3, 5), stride=(2, 1)),
            nn.MaxPool2d((2, 3), stride=(1, 2)),
            conv(2, 2, (3, 1), dilation=(2, 1)),
            nn.AvgPool2d(2),
        ),
        (1, 1, 40, 41),
    ),
    "strides wider than windows": (
        sequential(conv(1, 2, 2, stride=3), conv(2, 1, 2, stride=3)),
        (1, 1, 30, 30),
    ),
    "depthwise": (
        sequential(conv(2, 4, 3, groups=2), conv(4, 4, 3, groups=4, dilation=3), conv(4, 1, 1)),
        (1, 2, 24, 24),
    ),
    "one dimension": (
        sequential(nn.Conv1d(2, 3, 5, 2), nn.MaxPool1d(3), nn.Conv1d(3, 1, 2)),
        (1, 2, 50),
    ),
    "three dimensions": (
        sequential(nn.Conv3d(1, 2, (1, 2, 3)), nn.MaxPool3d(2), nn.Conv3d(2, 1, 2)),
        (1, 1, 9, 10, 11),
    ),
    "residual block": (lambda: residual(1), (1, 2, 16, 16)),
    "residual block with stride": (
        lambda: nn.Sequential(conv(1, 2, 3), residual(2)),
        (1, 1, 30, 30),
    ),
    "inception module": (lambda: nn.Sequential(inception(), conv(5, 1, 3)), (1, 1, 16, 16)),
    "branches that do not line up": (
        lambda: Lambda(lambda m, x: m.conv(x) + x[..., 2:, :-2], conv=conv(1, 1, 3)),
        (1, 1, 12, 12),
    ),
    "padding on one side": (
        sequential(nn.ZeroPad2d((0, 1, 0, 1)), conv(1, 1, 3, stride=2), nn.ReflectionPad2d(1)),
        (1, 1, 20, 20),
    ),
    "cropping": (sequential(conv(1, 1, 3), nn.ZeroPad2d(-2), conv(1, 1, 3)), (1, 1, 20, 20)),
    "flattened into a linear layer": (
        sequential(conv(1, 2, 3), nn.Flatten(), nn.Linear(2 * 36, 3), nn.ReLU()),
        (1, 1, 8, 8),
    ),
    "global average": (
        sequential(conv(1, 2, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)),
        (1, 1, 8, 9),
    ),
    "global maximum": (
        lambda: Lambda(
            lambda m, x: m.fc(m.conv(x).amax((2, 3))), conv=conv(1, 2, 3), fc=nn.Linear(2, 1)
        ),
        (1, 1, 8, 9),
    ),
    "squeeze and excitation": (
        sequential(conv(1, 2, 3, stride=2), squeeze_excitation(2), conv(2, 1, 3)),
        (1, 1, 21, 21),
    ),
    "adaptive pooling that divides": (
        sequential(conv(1, 1, 3), nn.AdaptiveAvgPool2d((3, 4))),
        (1, 1, 14, 14),
    ),
    "adaptive pooling that overlaps": (
        sequential(conv(1, 1, 3), nn.AdaptiveMaxPool2d((5, 3)), conv(1, 1, 2)),
        (1, 1, 14, 14),
    ),
    "transposed, window as wide as stride": (
        sequential(conv(1, 1, 3), nn.ConvTranspose2d(1, 1, 2, 2), conv(1, 1, 3), conv(1, 1, 2)),
        (1, 1, 12, 12),
    ),
    "transposed, window wider than stride": (
        sequential(conv(1, 1, 3, stride=2), nn.ConvTranspose2d(1, 1, 5, 3, 1), conv(1, 1, 3)),
        (1, 1, 21, 21),
    ),
    "transposed without stride": (
        sequential(nn.ConvTranspose2d(1, 1, 3, padding=2, dilation=2), conv(1, 1, 2)),
        (1, 1, 16, 16),
    ),
    "hourglass": (hourglass, (1, 1, 64, 64)),
    "U-Net": (u_net, (1, 1, 24, 24)),
    "nearest": (up(scale_factor=3), (1, 1, 14, 14)),
    "nearest by a fraction": (up(size=(20, 30)), (1, 1, 14, 14)),
    "nearest exact": (up(scale_factor=2, mode="nearest-exact"), (1, 1, 14, 14)),
    "nearest exact by a fraction": (up(size=18, mode="nearest-exact"), (1, 1, 14, 14)),
    "bilinear by 2": (up(scale_factor=2, mode="bilinear"), (1, 1, 14, 14)),
    "bilinear by 3": (up(scale_factor=3, mode="bilinear"), (1, 1, 14, 14)),
    "bilinear by a fraction": (up(size=(17, 31), mode="bilinear"), (1, 1, 14, 14)),
    "bilinear to smaller": (up(size=(6, 5), mode="bilinear"), (1, 1, 23, 23)),
    "bilinear with corners": (
        up(size=(23, 9), mode="bilinear", align_corners=True),
        (1, 1, 14, 14),
    ),
    "bicubic": (up(scale_factor=2, mode="bicubic"), (1, 1, 14, 14)),
    "pixel shuffle": (sequential(conv(1, 4, 3), nn.PixelShuffle(2), conv(1, 1, 3)), (1, 1, 12, 12)),
    "attention": (lambda: Attention(is_fused=False), (1, 1, 12, 12)),
    "fused attention": (lambda: Attention(is_fused=True), (1, 1, 12, 12)),
    "class token that attends": (lambda: class_token(attends=True), (1, 1, 12, 12)),
    "class token that is dropped": (lambda: class_token(attends=False), (1, 1, 12, 12)),
    "channels last in between": (
        lambda: Lambda(
            lambda m, x: m.b(m.fc(m.norm(m.a(x).permute(0, 2, 3, 1))).permute(0, 3, 1, 2)),
            a=conv(1, 4, 3), norm=nn.LayerNorm(4), fc=nn.Linear(4, 3), b=conv(3, 1, 3),
        ),
        (1, 1, 10, 12),
    ),
    "tokens and back": (
        lambda: Lambda(
            lambda m, x: m.b(m.fc(m.a(x).flatten(2).mT).mT.unflatten(2, (8, 10))),
            a=conv(1, 4, 3), fc=nn.Linear(4, 3), b=conv(3, 1, 3),
        ),
        (1, 1, 10, 12),
    ),
    "frames in the batch": (
        lambda: Lambda(
            lambda m, x: m.b(
                m.a(x.transpose(1, 2).flatten(0, 1)).unflatten(0, (-1, 6)).transpose(1, 2)
            ),
            a=conv(1, 2, 3), b=nn.Conv3d(2, 1, (3, 1, 1)),
        ),
        (1, 1, 6, 8, 9),
    ),
    "maps mixed along one axis": (
        lambda: Lambda(
            lambda m, x: m.b(m.fc(m.a(x))),
            a=conv(1, 2, 3), fc=nn.Linear(8, 8), b=conv(2, 1, 3),
        ),
        (1, 1, 10, 10),
    ),
    "generated filters": (
        lambda: Lambda(
            lambda m, x: F.conv2d(
                m.a(x).flatten(0, 1)[None], m.fc(x.mean((2, 3))).view(-1, 1, 3, 3),
                groups=2 * len(x),
            ).unflatten(1, (-1, 2))[0],
            a=conv(1, 2, 3), fc=nn.Linear(1, 18),
        ),
        (1, 1, 10, 10),
    ),
    "shuffled channels": (shuffled_channels, (1, 1, 14, 14)),
    "class attention": (class_attention, (1, 1, 9, 9)),
    "padded shortcut": (padded_shortcut, (1, 2, 20, 20)),
    "global response": (
        lambda: Lambda(
            lambda m, x: m.b(m.a(x) * m.a(x).norm(dim=(2, 3), keepdim=True)),
            a=conv(1, 2, 3), b=conv(2, 1, 3),
        ),
        (1, 1, 10, 10),
    ),
    "gated linear unit": (sequential(conv(1, 4, 3), nn.GLU(1), conv(2, 1, 2)), (1, 1, 10, 10)),
    "chosen channels": (
        lambda: Lambda(
            lambda m, x: m.b(m.a(x)[:, torch.tensor([2, 0])]), a=conv(1, 3, 3), b=conv(2, 1, 3)
        ),
        (1, 1, 10, 10),
    ),
    "einsum over one dimension": (
        lambda: Lambda(
            lambda m, x: torch.einsum("nchw,wv->nchv", m.a(x), m.fc.weight),
            a=conv(1, 2, 3), fc=nn.Linear(8, 8),
        ),
        (1, 1, 10, 10),
    ),
    "stacked and summed": (
        lambda: Lambda(
            lambda m, x: torch.stack((m.a(x), x[..., 1:-1, 1:-1])).sum(0), a=conv(1, 1, 3)
        ),
        (1, 1, 10, 10),
    ),
    "dropped half": (
        lambda: Lambda(
            lambda m, x: m.last(torch.cat((m.stem(x), m.wide(m.stem(x))), 1)[:, 2:]),
            stem=conv(1, 2, 1), wide=conv(2, 2, 5, padding=2), last=conv(2, 1, 3),
        ),
        (1, 1, 14, 14),
    ),
    "a part of a part": (
        lambda: Lambda(
            lambda m, x: m.last(torch.cat((m.stem(x), m.wide(m.stem(x))), 1)[:, 1:3][:, 1:]),
            stem=conv(1, 2, 1), wide=conv(2, 2, 5, padding=2), last=conv(1, 1, 1),
        ),
        (1, 1, 14, 14),
    ),
    "space to depth": (space_to_depth, (1, 1, 16, 16)),
}  # fmt: skip
"""What it is: (its builder, the shape of its input)."""

NOT_KNOWN = {
    "class token that is dropped": ("", "fc"),
    "shuffled channels": ("", "second", "last"),
    "class attention": ("query",),
    "dropped half": ("", "last"),
    "a part of a part": ("", "last"),
}
"""Problems that take a part of what lies side by side and depends on more or less: (the layers that
are missing)."""
