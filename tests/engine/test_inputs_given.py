"""What a network is called with: given, named, nested, or worked out."""

import numpy as np
import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.errors import BadInput, ShapeMismatch
from cnninspect.records.models import InputRequest


class ImageAndText(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.embed = nn.Conv2d(3, 4, 3), nn.Embedding(10, 5)

    def forward(self, image, tokens):
        return self.conv(image), self.embed(tokens)


class Conv(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3)


class ListOfImages(Conv):
    def forward(self, images):
        return [self.conv(image) for image in images]


class Dictionary(Conv):
    def forward(self, batch):
        return self.conv(batch["image"]) * batch["times"]


class Optional(Conv):
    def forward(self, x, scale=2, *, mask=None):
        y = self.conv(x) * scale
        return y if mask is None else y * mask


class Pair(Conv):
    def forward(self, x1, x2):
        return self.conv(x1) + self.conv(x2)


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4)

    def forward(self, x, mask):
        return self.linear(x) * mask


class Many(Conv):
    def forward(self, *images, **options):
        return [self.conv(image) for image in images], options


class Nothing(nn.Module):
    def forward(self):
        return torch.ones(2, 3)


def seen(module, inputs=None, **options):
    """Name, shape and dtype of what went in."""
    trace = cnninspect.trace(module, inputs, **options)
    return [(i.name, i.spec.shape, i.spec.dtype) for i in trace.inputs]


def noted(module):
    return cnninspect.trace(module).how.notes


F, I = "float32", "int64"  # noqa: E741
IMAGE = ("image", (1, 3, 224, 224), F)


@pytest.mark.parametrize(
    ("module", "inputs", "kwargs", "wanted"),
    [
        (ImageAndText(), [(2, 3, 8, 8), (2, 4)], None,
         [("image", (2, 3, 8, 8), F), ("tokens", (2, 4), I)]),
        (ImageAndText(), {"image": (2, 3, 8, 8), "tokens": torch.arange(3)}, None,
         [("image", (2, 3, 8, 8), F), ("tokens", (3,), I)]),
        (ImageAndText(), (torch.ones(1, 3, 8, 8),), {"tokens": torch.arange(3)},
         [("image", (1, 3, 8, 8), F), ("tokens", (3,), I)]),
        (ImageAndText(), None, {"tokens": torch.arange(3)}, [IMAGE, ("tokens", (3,), I)]),
        (ListOfImages(), [[(3, 8, 8), (3, 9, 9)]], None,
         [("images.0", (3, 8, 8), F), ("images.1", (3, 9, 9), F)]),
        (ListOfImages(), ([torch.ones(3, 8, 8)],), None, [("images.0", (3, 8, 8), F)]),
        (Dictionary(), {"image": torch.ones(1, 3, 8, 8), "times": 2}, None,
         [("batch.image", (1, 3, 8, 8), F)]),
        (Optional(), (1, 3, 8, 8), None, [("x", (1, 3, 8, 8), F)]),
        (Optional(), (torch.ones(1, 3, 8, 8), 5), {"mask": torch.ones(6, 6)},
         [("x", (1, 3, 8, 8), F), ("mask", (6, 6), F)]),
        (Optional(), np.ones((1, 3, 8, 8), np.float32), None, [("x", (1, 3, 8, 8), F)]),
        (Masked(), [(2, 3), 5], None, [("x", (2, 3), F)]),
        (Masked(), (2, 3), {"mask": 5}, [("x", (2, 3), F)]),
        (Many(), [(1, 3, 8, 8), (1, 3, 9, 9)], {"size": (3, 4)},
         [("input0", (1, 3, 8, 8), F), ("input1", (1, 3, 9, 9), F)]),
        (Nothing(), None, None, []),
        (Nothing(), (), None, []),
        (nn.Sequential(nn.Linear(3, 4)).double(), (2, 3), None, [("input", (2, 3), "float64")]),
    ],
)  # fmt: skip
def test_inputs_of_every_form(module, inputs, kwargs, wanted):
    assert seen(module, inputs, kwargs=kwargs) == wanted


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        (ImageAndText(), [IMAGE, ("tokens", (1, 128), I)]),
        (Pair(), [("x1", (1, 3, 224, 224), F), ("x2", (1, 3, 224, 224), F)]),
        (nn.Conv1d(5, 4, 3), [("input", (1, 5, 224), F)]),
        (nn.Conv3d(5, 4, 3), [("input", (1, 5, 16, 112, 112), F)]),
        (nn.ConvTranspose2d(100, 4, 4), [("input", (1, 100, 1, 1), F)]),
        (nn.BatchNorm2d(7), [("input", (1, 7, 224, 224), F)]),
        (nn.LayerNorm((4, 5)), [("input", (1, 4, 5), F)]),
        (nn.Linear(7, 3), [("input", (1, 7), F)]),
        (nn.Embedding(7, 3), [("input", (1, 128), I)]),
        (nn.LSTM(5, 6), [("input", (128, 1, 5), F)]),
        (nn.GRU(5, 6, batch_first=True), [("input", (1, 128, 5), F)]),
        (nn.LSTMCell(5, 6), [("input", (1, 5), F)]),
        (nn.Bilinear(3, 4, 5), [("input1", (1, 3), F), ("input2", (1, 4), F)]),
        (nn.Transformer(16, 2, 1, 1, 32, batch_first=True),
         [("src", (1, 128, 16), F), ("tgt", (1, 128, 16), F)]),
        (nn.TransformerDecoderLayer(16, 2, 32, batch_first=True),
         [("tgt", (1, 128, 16), F), ("memory", (1, 128, 16), F)]),
        (nn.TransformerEncoderLayer(16, 2, 32), [("src", (128, 1, 16), F)]),
        (nn.MultiheadAttention(16, 2, kdim=5, vdim=6),
         [("query", (128, 1, 16), F), ("key", (128, 1, 5), F), ("value", (128, 1, 6), F)]),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_nobody_gave_is_worked_out_and_said(module, wanted):
    assert seen(module) == wanted
    shapes = " and ".join("x".join(map(str, shape)) for _, shape, _ in wanted)
    assert noted(module) == (f"input {shapes} worked out from the first layers",)


@pytest.mark.parametrize("size", [28, 32, 96])
def test_a_size_is_found_that_fits_the_later_layers(size):
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * (size - 2) ** 2, 10))
    assert seen(module) == [("input", (1, 1, size, size), F)]
    assert noted(module) == (f"input 1x1x{size}x{size} worked out from the first layers",)


def test_a_size_that_somebody_gave_is_never_changed():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 30**2, 10))
    with pytest.raises(ShapeMismatch, match="wants …×1800"):
        cnninspect.trace(module, (1, 1, 28, 28))


def test_where_no_size_fits_the_first_one_is_reported():
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(11, 10))
    with pytest.raises(ShapeMismatch, match=f"got 1×{2 * 222 * 222}"):
        cnninspect.trace(module)


def test_the_batch_of_sequences_with_steps_first_is_the_second_size():
    assert seen(nn.LSTM(5, 6), batch=3) == [("input", (128, 3, 5), F)]
    assert seen(nn.LSTM(5, 6, batch_first=True), batch=3) == [("input", (3, 128, 5), F)]


def request(*shape, **options):
    return InputRequest(shape, batched=None, **options)


@pytest.mark.parametrize(
    ("requests", "batch", "wanted"),
    [
        ([request(3, 8, 8)], 1, [("image", (1, 3, 8, 8), F), ("tokens", (1, 128), I)]),
        ([request(5, 3, 8, 8)], 1, [("image", (5, 3, 8, 8), F), ("tokens", (1, 128), I)]),
        ([request(3, 8, 8), request(7)], 2, [("image", (2, 3, 8, 8), F), ("tokens", (2, 7), I)]),
        ([request(1, 7, name="tokens")], 1, [IMAGE, ("tokens", (1, 7), I)]),
        ([request(3, 8, 8), request(1, 7, name="tokens")], 1,
         [("image", (1, 3, 8, 8), F), ("tokens", (1, 7), I)]),
        ([request(1, 3, 8, 8, name="image"), request(7)], 1,
         [("image", (1, 3, 8, 8), F), ("tokens", (1, 7), I)]),
        ([request(1, 7, name="tokens", dtype="int32")], 1, [IMAGE, ("tokens", (1, 7), "int32")]),
        ([request(1, 7, name="tokens"), request(3, 8, 8)], 1,
         [("image", (1, 3, 8, 8), F), ("tokens", (1, 7), I)]),
    ],
)  # fmt: skip
def test_typed_inputs_go_where_their_names_or_places_say(requests, batch, wanted):
    assert seen(ImageAndText(), requests, batch=batch) == wanted


@pytest.mark.parametrize(
    ("asked", "batch", "wanted"),
    [
        (request(8, 3), 1, (1, 8, 3)),
        (request(8, 3), 2, (2, 8, 3)),
        (request(8, 3, dtype="float32"), 1, (8, 3)),
        (request(8, 3, name="input", dtype="float32"), 1, (8, 3)),
        (request(8, 3, name="input", dtype="float32"), 2, (16, 3)),
    ],
)
def test_a_shape_with_its_dtype_is_the_full_one_where_nothing_tells_the_rank(asked, batch, wanted):
    assert [shape for _, shape, _ in seen(nn.ReLU(), [asked], batch=batch)] == [wanted]


@pytest.mark.parametrize(
    ("module", "inputs", "kwargs", "says"),
    [
        (Masked(), (1, 3), None, "Masked takes x, mask; nothing says what mask should be"),
        (Masked(), None, None, "nothing says what mask should be"),
        (nn.ReLU(), None, None, "ReLU takes input; nothing says what input should be"),
        (Masked(), [(1, 3), (4,), (5,)], None, "3 inputs were given, and Masked takes 2: x, mask"),
        (Nothing(), [(1, 3)], None, "1 input was given, and Nothing takes 0"),
        (Masked(), [request(1, 3, name="y")], None, "'y': forward has no argument of that name"),
        (Masked(), [InputRequest((1, -3))], {"mask": 1}, "'1x-3': sizes cannot be negative"),
        (Masked(), [InputRequest((1, 2**63))], {"mask": 1}, "can be as large as that"),
        (Masked(), [InputRequest((2**32, 2**31))], {"mask": 1}, "can be as large as that"),
        (Masked(), [InputRequest((1, 3), "float12")], {"mask": 1}, "no such dtype"),
    ],
)
def test_what_is_missing_or_too_much_is_said(module, inputs, kwargs, says):
    with pytest.raises(BadInput, match=says) as caught:
        cnninspect.trace(module, inputs, kwargs=kwargs)
    assert caught.value.hint
    assert caught.value.exit_code == 2
