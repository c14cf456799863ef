"""What a network is called with: given, named, nested, or worked out."""

import dataclasses
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.errors import BadInput, RunFailed, ShapeMismatch
from cnninspect.records.models import InputRequest
from cnninspect.sources.input_text import parse_inputs


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
    assert noted(module) == (
        f"input {shapes} worked out from the first layers; give yours if it differs",
    )


@pytest.mark.parametrize("size", [28, 32, 96])
def test_a_size_is_found_that_fits_the_later_layers(size):
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * (size - 2) ** 2, 10))
    assert seen(module) == [("input", (1, 1, size, size), F)]
    assert noted(module) == (
        f"input 1x1x{size}x{size} worked out from the first layers; give yours if it differs",
    )


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


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(12, 4)

    def forward(self, x, y):
        return self.linear(x) + y


class Graph(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(8, 8))

    def forward(self, x, edge_index):
        return x @ self.weight + edge_index.sum()


@pytest.mark.parametrize(
    ("module", "requests", "batch", "wanted"),
    [
        # the rank that is expected of one tells of those beside it
        (Two(), [request(5, 12, name="x"), request(5, 4, name="y")], 1, [(5, 12), (5, 4)]),
        (Two(), [request(12, name="x"), request(4, name="y")], 1, [(1, 12), (1, 4)]),
        (Two(), [request(12), request(4)], 3, [(3, 12), (3, 4)]),
        (Two(), [request(5, 12), request(5, 4)], 1, [(5, 12), (5, 4)]),
        (Two(), [request(12), request(4, dtype="float32")], 1, [(1, 12), (4,)]),
        # where nothing is expected of any, names and dtypes tell
        (Graph(), [request(5, 8, name="x"), request(2, 7, name="edge_index", dtype="int64")], 1,
         [(5, 8), (2, 7)]),
        (Graph(), [request(5, 8, name="x"), request(2, 7, name="edge_index")], 1,
         [(5, 8), (2, 7)]),
        (Graph(), [request(5, 8), request(2, 7)], 1, [(1, 5, 8), (1, 2, 7)]),
        (ImageAndText(), [request(3, 8, 8), request(5, name="tokens")], 2, [(2, 3, 8, 8), (2, 5)]),
    ],
)  # fmt: skip
def test_all_shapes_are_read_by_one_rule(module, requests, batch, wanted):
    assert [shape for _, shape, _ in seen(module, requests, batch=batch)] == wanted


@pytest.mark.parametrize(
    ("module", "inputs", "batch"),
    [
        (nn.Conv2d(3, 4, 3), [request(8, 3, 9, 9)], 2),
        (nn.Conv2d(3, 4, 3), [request(1, 3, 9, 9)], 2),
        (nn.Conv2d(3, 4, 3), [(8, 3, 9, 9)], 2),
        (nn.ReLU(), [request(8, 3, dtype="float32")], 2),
        (Two(), [request(12), request(5, 4, dtype="float32")], 5),
        (nn.Linear(3, 4), torch.ones(2, 3), 2),
        (nn.Linear(3, 4), {"input": torch.ones(2, 3)}, 2),
        (ListOfImages(), [[(3, 8, 8), (3, 9, 9)]], 2),
    ],
)
def test_a_batch_beside_what_holds_one_is_an_error(module, inputs, batch):
    for ask in (cnninspect.trace, cnninspect.memory, cnninspect.summarize):
        with pytest.raises(BadInput, match=f"batch={batch}") as caught:
            ask(module, inputs, batch=batch)
        assert "batch= out" in caught.value.hint


def test_a_batch_is_taken_up_beside_a_tensor():
    found = seen(Two(), [request(12), torch.ones(1, 4)], batch=3)
    assert [shape for _, shape, _ in found] == [(3, 12), (1, 4)]


class Patches(nn.Module):
    """A table of positions is registered before the layer that sees the picture."""

    def __init__(self):
        super().__init__()
        self.positions, self.patch = nn.Embedding(4, 6), nn.Conv2d(3, 6, 4, 4)

    def forward(self, x):
        return self.patch(x).flatten(2).transpose(1, 2) + self.positions(torch.arange(4))


class Relative(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias = nn.Embedding(31, 1)

    def forward(self, x):
        places = torch.arange(x.shape[1])
        return self.bias(places[:, None] - places[None] + 15)[..., 0] @ x


class Conditioned(nn.Module):
    def __init__(self):
        super().__init__()
        self.label, self.linear = nn.Embedding(10, 6), nn.Linear(4, 6)

    def forward(self, noise, y):
        return self.linear(noise) + self.label(y)


class Selected(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x, mask):
        return self.linear(x.masked_fill(mask[..., None], 0.0))


class Tokens(nn.Module):
    """As many tokens as the width of the layer behind the table."""

    def __init__(self):
        super().__init__()
        self.table, self.linear = nn.Embedding(9, 5), nn.Linear(5, 5)

    def forward(self, x):
        return self.linear(self.table(x))


@pytest.mark.parametrize(
    ("module", "inputs", "dtypes", "macs"),
    [
        (Patches(), [(2, 3, 8, 8)], [F], 2 * 4 * 6 * 48),
        (Relative(), [(1, 16, 4)], [F], 16 * 16 * 4),
        (Conditioned(), [(2, 4), (2,)], [F, I], 48),
        (Selected(), [(1, 6, 8), (1, 6)], [F, "bool"], 6 * 64),
        (Tokens(), [(1, 5)], [I], 5 * 25),
        (nn.Sequential(Tokens()), [(1, 5)], [I], 5 * 25),
    ],
)
def test_a_dtype_that_a_layer_refuses_was_guessed_and_is_tried_again(module, inputs, dtypes, macs):
    trace = cnninspect.trace(module, inputs)
    assert [tensor.spec.dtype for tensor in trace.inputs] == dtypes
    assert trace.how.run == "abstract"
    assert cnninspect.summarize(trace).totals.macs == macs
    assert cnninspect.memory(module, inputs, inference=True).totals.forward_macs == macs


def test_a_changed_dtype_is_said_and_a_wrong_one_named():
    notes = cnninspect.trace(Relative(), [(1, 16, 4)]).how.notes
    assert "input x taken as float, since a layer refused int64" in notes

    class Picky(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(4, 2)

        def forward(self, x):
            raise TypeError(f"no dtype like {x.dtype}")

    with pytest.raises(RunFailed) as caught:
        cnninspect.trace(Picky(), [(2, 3)])
    assert '"x": (2, 3)' in caught.value.hint or "x:int64:2x3" in caught.value.hint


class Grid(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x, grid):
        t, h, w = grid[0].tolist()
        return self.linear(x.view(t, h, w, 8))


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(4, 3, batch_first=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        return self.lstm(packed)[0].data


class Masked2(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x, mask):
        return self.linear(x[mask.bool()])


class Unpadded(Masked2):
    def forward(self, x, padding_mask):
        return self.linear(x[~padding_mask.bool()])


@pytest.mark.parametrize(
    ("module", "inputs", "macs"),
    [
        (Masked2(), [(1, 6, 8), request(1, 6, name="mask", dtype="int64")], 6 * 64),
        (Masked2(), [(1, 6, 8), request(1, 6, name="mask", dtype="bool")], 6 * 64),
        (Unpadded(), [(1, 6, 8), request(1, 6, name="padding_mask", dtype="bool")], 6 * 64),
        (Grid(), [(16, 8), request(1, 3, name="grid", dtype="int64")], 16 * 64),
        (Packed(), [(2, 5, 4), request(2, name="lengths", dtype="int64")], 10 * 12 * 7),
        (Packed(), [(2, 5, 4), *parse_inputs(["lengths:int64=[5,3]"])], 8 * 12 * 7),
        (Grid(), [(16, 8), *parse_inputs(["grid:int64=[[4,2,2]]"])], 16 * 64),
        (Masked2(), [(1, 3, 8), *parse_inputs(["mask:bool=[[true,false,true]]"])], 2 * 64),
    ],
    ids=lambda value: type(value).__name__,
)
def test_integers_mean_what_their_names_say_or_what_was_typed(module, inputs, macs):
    assert cnninspect.summarize(module, inputs).totals.macs == macs


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x, rate: int, scale: torch.Tensor, sizes=(1, 1), *, mode="slow"):
        assert (type(rate), type(scale), mode) == (int, torch.Tensor, "fast")
        assert scale.item() == 0.5
        return self.linear(x).reshape(rate, *sizes, -1) * scale


def test_typed_values_go_to_the_arguments_of_their_names():
    typed = ["x:2x8", "rate=2", "scale=0.5", "sizes=[2,2]", "mode=fast"]
    report = cnninspect.summarize(Scaled(), parse_inputs(typed))
    assert report.totals.macs == 2 * 64
    assert [shape for _, shape, _ in seen(Scaled(), parse_inputs(typed))] == [(2, 8), ()]
    with pytest.raises(BadInput, match=r"what rate \(int\) and scale should be") as caught:
        cnninspect.summarize(Scaled(), (2, 8))
    assert 'kwargs={"rate": 1}' in caught.value.hint


class Nested(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, batch):
        return self.linear(batch["a"]) + self.linear(batch["b"]["c"])


class Pairs(Nested):
    def forward(self, x, state):
        h, (c, _) = state
        return self.linear(x) + self.linear(h) + self.linear(c)


class Any2(Nested):
    def forward(self, **features):
        return sum(self.linear(value) for value in features.values())


class Ids(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.linear = nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, ids, size=None):
        assert size is None or size == [4, 4]
        return self.linear(self.table(torch.as_tensor(ids)))


@pytest.mark.parametrize(
    ("module", "inputs", "macs"),
    [
        (Nested(), ({"a": (2, 4), "b": {"c": (2, 4)}},), 48),
        (Nested(), {"batch": {"a": torch.ones(2, 4), "b": {"c": (2, 4)}}}, 48),
        (Nested(), parse_inputs(["batch.a:float32:2x4", "batch.b.c:float32:2x4"]), 48),
        (Pairs(), [(2, 4), ((2, 4), ((2, 4), None))], 72),
        (Pairs(), [torch.ones(2, 4), ((2, 4), (torch.ones(2, 4), 5))], 72),
        (nn.LSTM(4, 6), [(5, 1, 4), ((1, 1, 6), (1, 1, 6))], 5 * 24 * 10),
        (Any2(), {"left": (2, 4), "right": (2, 4)}, 48),
        (Ids(), [[1, 2, 3]], 36),
        (Ids(), [[1, 2, 3], [4, 4]], 36),
        (Ids(), {"ids": [[1, 2, 3]], "size": [4, 4]}, 36),
        (nn.Linear(4, 3), [[2, 4]], 24),
        (nn.Linear(4, 3), [2, 4], 24),
        (nn.Linear(4, 3), (np.int64(2), np.int64(4)), 24),
        (nn.Conv2d(3, 4, 3), [[1, 3, 5, 5]], 9 * 108),
        (Graph(), [[5, 8], torch.zeros(2, 7)], 5 * 64),
    ],
    ids=lambda value: type(value).__name__,
)
def test_nested_inputs_from_python(module, inputs, macs):
    assert cnninspect.summarize(module, inputs).totals.macs == macs


def test_a_shape_without_sizes_is_a_scalar():
    class Timed(nn.Module):
        def __init__(self):
            super().__init__()
            self.x, self.t = nn.Linear(4, 8), nn.Linear(1, 8)

        def forward(self, x, t):
            return self.x(x) + self.t(t.reshape(1, 1).float())

    assert cnninspect.summarize(Timed(), ((2, 4), ())).totals.macs == 72
    assert cnninspect.summarize(Timed(), ((2, 4), torch.tensor(3))).totals.macs == 72


def test_values_from_files_reach_forward(tmp_path):
    np.savez(tmp_path / "batch.npz", x=np.ones((1, 3, 8), np.float32), mask=[[True, False, True]])
    typed = parse_inputs([f"@{tmp_path}/batch.npz"])
    assert cnninspect.summarize(Masked2(), typed).totals.macs == 2 * 64
    profile = cnninspect.gradients(Masked2(), typed, steps=1)
    assert profile.models[0].layers[0].path == "linear"


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
        (request(8, 3, name="input"), 1, (8, 3)),
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


class Makes(OrderedDict):
    """A table that makes what it is asked for, as that of activations in transformers."""

    asked = 0

    def __getitem__(self, key):
        Makes.asked += 1
        return super().__getitem__(key)()


TABLE = Makes(relu=nn.ReLU)


def test_a_table_of_classes_is_not_asked_for_instances():
    class Uses(Conv):
        def forward(self, x):
            return self.conv(x) if TABLE else x

    assert cnninspect.summarize(Uses(), (1, 3, 8, 8)).totals.macs == 36 * 108
    assert Makes.asked == 0
    assert list(OrderedDict.items(TABLE)) == [("relu", nn.ReLU)]


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize("slots", [False, True])
def test_a_dataclass_that_is_given_keeps_its_tensors(frozen, slots):
    kind = dataclasses.make_dataclass(
        "Graph", [("x", torch.Tensor), ("label", str)], frozen=frozen, slots=slots
    )

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 8)

        def forward(self, data):
            return self.linear(data.x)

    x = torch.randn(7, 4)
    graph = GLOBAL["graph"] = kind(x, "seven")
    assert cnninspect.summarize(Net(), inputs=(graph,)).totals.macs == 7 * 4 * 8
    assert graph.x is x
    assert graph.label == "seven"
    assert "_cnninspect" not in vars(x)


GLOBAL: dict = {}
"""A place that lives on, in which a run's tensors would be looked for."""


def test_what_python_is_told_of_models_that_failed_is_in_its_words():
    failed = cnninspect.compare([nn.Linear(3, 3), nn.Linear(4, 4)], inputs=[(2, 3)]).failed
    assert failed[0].hint
    assert all("--" not in each.hint for each in failed)
    assert "inputs=" in failed[0].hint


def test_an_unknown_option_of_fit_batch_is_its_own():
    with pytest.raises(cnninspect.CnnInspectError, match="fit_batch has no argument 'mod'") as said:
        cnninspect.fit_batch(nn.Linear(3, 3), 100, mod="eval")
    assert "mode" in said.value.hint


class OfWords(nn.Module):
    def __init__(self, kind, **options):
        super().__init__()
        self.words = nn.Embedding(50, 6)
        self.layer = kind(6, 4, batch_first=True, **options)
        self.out = nn.Linear(8 if options.get("bidirectional") else 4, 3)

    def forward(self, ids, lengths):
        rnn = nn.utils.rnn
        x = self.words(ids)
        packed = rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        padded, _ = rnn.pad_packed_sequence(self.layer(packed)[0], batch_first=True)
        return self.out(padded)


DEEP = {"bidirectional": True, "num_layers": 2}
STEPS = 9 + 2 + 5


@pytest.mark.parametrize("lengths", [torch.tensor([9, 2, 5]), [9, 2, 5]], ids=["tensor", "list"])
@pytest.mark.parametrize(
    ("kind", "options", "macs"),
    [
        (nn.LSTM, {}, STEPS * 4 * 4 * 10 + 27 * 12),
        (nn.GRU, {}, STEPS * 3 * 4 * 10 + 27 * 12),
        (nn.RNN, {}, STEPS * 4 * 10 + 27 * 12),
        (nn.LSTM, DEEP, STEPS * 2 * 16 * (10 + 12) + 27 * 24),
    ],
)
def test_packed_sequences_cost_the_steps_that_are_there(kind, options, macs, lengths):
    ids, net = torch.randint(0, 50, (3, 9)), OfWords(kind, **options)
    assert cnninspect.summarize(net, (ids, lengths)).totals.macs == macs
    assert cnninspect.memory(net, (ids, lengths)).totals.forward_macs == macs


def test_a_packed_sequence_may_be_the_input():
    lengths = torch.tensor([9, 2, 5])
    packed = nn.utils.rnn.pack_padded_sequence(torch.randn(9, 3, 6), lengths, enforce_sorted=False)
    report = cnninspect.summarize(nn.GRU(6, 4), (packed,))
    assert report.totals.macs == STEPS * 3 * 4 * 10
