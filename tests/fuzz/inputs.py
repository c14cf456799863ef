"""Files to try, by kind: whole ones, and the same damaged at random but always in the same way."""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

ODD = (
    None, True, 0, -1, 1, 2**31, 2**62, 2**64, -(2**63), 1e308, 0.5, "", "x", "a\n::error::b", [],
    {}, [[]], "9" * 5000, [2**40], {"": {}}, "../x", "/dev/zero", "\ud800", 9**40, "data.pkl",
)  # fmt: skip
"""Values that nobody expects where they are put."""


def damaged(content: bytes, random: Random) -> bytes:
    """The content with some bytes changed, cut out, put in or repeated, or its end lost."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 4, 8))):
        at = random.randrange(len(changed) + 1)
        match random.randrange(7):
            case 0:
                changed[at : at + 1] = random.randbytes(1)
            case 1:
                changed[at:at] = random.randbytes(random.randrange(1, 9))
            case 2:
                del changed[at : at + random.randrange(1, 40)]
            case 3:
                changed[at:at] = changed[at : at + random.randrange(1, 200)]
            case 4:
                number = random.choice((0, 1, 0x7F, 0xFF, 1 << 31, (1 << 32) - 1, 1 << 63))
                changed[at : at + 8] = struct.pack("<Q", number)
            case 5:
                changed[at : at + 1] = bytes([(changed[at] if at < len(changed) else 0) ^ 1])
            case 6 if random.random() < 0.3:
                del changed[at:]
    return bytes(changed)


def altered(value: Any, random: Random) -> Any:
    """Plain data with one value in it replaced by an odd one, dropped or repeated."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(sorted(value, key=str))
        result = dict(value)
        match random.randrange(8):
            case 0:
                del result[key]
            case 1:
                result[str(random.choice(ODD))] = result.pop(key)
            case _:
                result[key] = altered(value[key], random)
        return result
    if isinstance(value, list) and value and random.random() < 0.9:
        at = random.randrange(len(value))
        if random.random() < 0.1:
            return value[:at] + value[at + 1 :]
        return [*value[:at], altered(value[at], random), *value[at + 1 :]]
    return random.choice(ODD)


def as_json(content: bytes, random: Random) -> bytes:
    """JSON with a value or two replaced."""
    value = json.loads(content)
    for _ in range(random.choice((1, 1, 2, 3))):
        value = altered(value, random)
    return json.dumps(value).encode()


def as_safetensors(content: bytes, random: Random) -> bytes:
    """A header with a value replaced, its length right."""
    (length,) = struct.unpack_from("<Q", content)
    header = as_json(content[8 : 8 + length], random)
    return struct.pack("<Q", len(header)) + header + content[8 + length :]


def as_zip(content: bytes, random: Random) -> bytes:
    """An archive that is whole, with an entry damaged, dropped, renamed or doubled."""
    with zipfile.ZipFile(io.BytesIO(content)) as reader:
        entries = [(name, reader.read(name)) for name in reader.namelist()]
    at = random.randrange(len(entries))
    name, held = entries[at]
    match random.randrange(6):
        case 0:
            del entries[at]
        case 1:
            entries[at] = (name.upper() if random.random() < 0.5 else f"../{name}", held)
        case 2:
            entries.append((name.swapcase(), damaged(held, random)))
        case 3 if name.endswith(".json"):
            entries[at] = (name, as_json(held, random))
        case _:
            entries[at] = (name, damaged(held, random))
    stream = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(stream, "w") as writer:
            for name, held in entries:
                writer.writestr(name, held)
    return stream.getvalue()


# --- the kinds ---

Damage = Callable[[bytes, Random], bytes]


@cache
def whole(kind: str) -> tuple[bytes, ...]:
    """Good files of a kind, and files that are made to do harm."""
    return tuple(SEEDS[kind]())


def weights_in(**options: Any) -> list[bytes]:
    import torch
    from torch import nn

    found = []
    for value in (
        nn.Linear(2, 3).state_dict(),
        {"s": torch.eye(2).to_sparse(), "m": torch.empty(2, device="meta"), "n": [1, (2.5, "x")]},
        nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
    ):
        stream = io.BytesIO()
        torch.save(value, stream, **options)
        found.append(stream.getvalue())
    return found


def legacy() -> list[bytes]:
    return weights_in(_use_new_zipfile_serialization=False)


def safetensors() -> list[bytes]:
    import torch
    from safetensors.torch import save

    tensors = {f"layer.{i}.weight": torch.zeros(2, i) for i in range(4)}
    return [save(tensors, {"format": "pt", "note": "x" * 300}), save({"a": torch.zeros(())})]


def gguf() -> list[bytes]:
    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    settings = text("general.name") + struct.pack("<I", 8) + text("tiny")
    settings += text("general.sizes") + struct.pack("<IIQ3I", 9, 4, 3, 1, 2, 3)
    tensors = text("a.weight") + struct.pack("<I2QIQ", 2, 4, 2, 0, 0)
    tensors += text("b.bias") + struct.pack("<IQIQ", 1, 8, 1, 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, 2) + settings + tensors
    return [head + bytes(-len(head) % 32) + bytes(48)]


def onnx() -> list[bytes]:
    import numpy as np
    from onnx import helper as h
    from onnx import numpy_helper as nh

    info = h.make_tensor_value_info
    weight = nh.from_array(np.zeros((4, 3, 3, 3), "f"), "w")
    shape = nh.from_array(np.array([1, -1], "i8"), "shape")
    nodes = [
        h.make_node("Conv", ["x", "w"], ["a"], kernel_shape=[3, 3]),
        h.make_node("Relu", ["a"], ["b"]),
        h.make_node("Reshape", ["b", "shape"], ["c"]),
        h.make_node("Einsum", ["c", "c"], ["d"], equation="ij,kj->ik"),
    ]
    outputs = [info("d", 1, None)]
    graph = h.make_graph(nodes, "g", [info("x", 1, ["n", 3, 8, 8])], outputs, [weight, shape])
    body = h.make_graph(
        [h.make_node("Relu", ["v"], ["w"])], "body",
        [info("i", 7, []), info("c", 9, []), info("v", 1, [3])],
        [info("c", 9, []), info("w", 1, [3])],
    )  # fmt: skip
    loop = h.make_graph(
        [h.make_node("Loop", ["n", "k", "x"], ["y"], body=body)], "g", [info("x", 1, [3])],
        [info("y", 1, [3])],
        [nh.from_array(np.array(3), "n"), nh.from_array(np.array(True), "k")],
    )  # fmt: skip
    opset = [h.make_opsetid("", 18)]
    return [
        h.make_model(made, opset_imports=opset, ir_version=9).SerializeToString()
        for made in (graph, loop)
    ]


def small_network() -> Any:
    from torch import nn

    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)).eval()


def pt2() -> list[bytes]:
    import torch

    stream = io.BytesIO()
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    program = torch.export.export(
        small_network(), (torch.zeros(2, 3, 8, 8),), dynamic_shapes=dynamic
    )
    torch.export.save(program, stream)
    return [stream.getvalue()]


def torchscript() -> list[bytes]:
    import torch

    stream = io.BytesIO()
    torch.jit.save(torch.jit.script(small_network()), stream)
    return [stream.getvalue()]


def configurations() -> list[bytes]:
    llama = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 32,
        "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1,
        "num_attention_heads": 2, "max_position_embeddings": 96, "auto_map": {"AutoModel": "x.X"},
    }  # fmt: skip
    return [json.dumps(llama).encode()]


def indexes() -> list[bytes]:
    index = {"metadata": {"total_size": 8}, "weight_map": {"a": "a.safetensors", "b": "b.bin"}}
    return [json.dumps(index).encode()]


BUDGET = b"""max_params = "1M"
[models.lenet5]
max_macs = "1M"
layers."f*" = { max_params = "60%" }
forbid = ["aten.relu"]
[models."lenet5@num_classes=3"]
min_params = 10
"""


def budgets() -> list[bytes]:
    return [BUDGET]


def locks() -> list[bytes]:
    from cnninspect.commands.check import lock_text

    text, _ = lock_text("lenet5", Path("missing.lock"))
    return [text.encode()]


def images() -> list[bytes]:
    from PIL import Image

    found = []
    for kind in ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF"):
        stream = io.BytesIO()
        Image.new("RGB", (9, 7), (1, 2, 3)).save(stream, kind)
        found.append(stream.getvalue())
    return [*found, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"]


def litert() -> list[bytes]:
    import flatbuffers
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema

    model, graph = schema.ModelT(), schema.SubGraphT()
    empty, full = schema.BufferT(), schema.BufferT()
    full.data = np.zeros(36, np.uint8)
    tensors = []
    for name, shape, buffer in (("x", [1, 8, 8, 1], 0), ("w", [1, 3, 3, 1], 1)):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, shape, 0, buffer
        tensors.append(tensor)
    graph.tensors, graph.inputs, graph.outputs = tensors, [0], [0]
    model.version, model.buffers, model.subgraphs = 3, [empty, full], [graph]
    builder = flatbuffers.Builder(256)
    builder.Finish(model.Pack(builder), b"TFL3")
    return [bytes(builder.Output())]


def arrays() -> list[bytes]:
    import numpy as np

    found = []
    for write, held in ((np.save, (np.arange(9.0),)), (np.savez, ()), (np.savez_compressed, ())):
        stream = io.BytesIO()
        write(stream, *held, **({} if held else {"x": np.zeros((4, 3, 8, 8)), "y": np.arange(4)}))
        found.append(stream.getvalue())
    return found


def loaded_weights() -> list[bytes]:
    import torch
    from safetensors.torch import save

    from cnninspect.zoo.shallow_cnn import ShallowCNN

    state = ShallowCNN(resolution=8, channels=2).state_dict()
    found = [save(state)]
    for is_zip in (True, False):
        stream = io.BytesIO()
        torch.save(state, stream, _use_new_zipfile_serialization=is_zip)
        found.append(stream.getvalue())
    return found


def predictions() -> list[bytes]:
    return [b"label,prediction\n0,1\n1,1\n2,0\n", b"label,cat,dog\ncat,0.9,0.1\ndog,1e3,-0\n"]


def yaml() -> list[bytes]:
    return [b"num_classes: 10\nlist: [1, 2.5, {a: &x b, c: *x}]\n"]


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "safetensors": safetensors,
    "torch.save": weights_in,
    "torch.save, old": legacy,
    "GGUF": gguf,
    "index of files": indexes,
    "ONNX": onnx,
    "torch.export": pt2,
    "TorchScript": torchscript,
    "configuration": configurations,
    "budget": budgets,
    "lock": locks,
    "image": images,
    "LiteRT": litert,
    "arrays": arrays,
    "data set": arrays,
    "weights that are loaded": loaded_weights,
    "predictions": predictions,
    "settings": yaml,
}
"""Kinds of files, and what makes good ones."""
KNOWING: dict[str, tuple[Damage, ...]] = {
    "safetensors": (as_safetensors,),
    "torch.save": (as_zip,),
    "index of files": (as_json,),
    "torch.export": (as_zip, as_zip),
    "TorchScript": (as_zip,),
    "configuration": (as_json, as_json),
    "lock": (as_json, as_json),
}
"""Ways to damage a file of a kind that keep its outside whole."""


def made(kind: str, number: int) -> bytes:
    """File `number` of a kind: always the same bytes, on every machine."""
    random = Random(f"{kind} {number}")
    content = random.choice(whole(kind))
    return random.choice((damaged, *KNOWING.get(kind, ())))(content, random)
