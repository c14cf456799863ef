"""Programs in files that ask for more than computing: refused before torch's loader sees them."""

from __future__ import annotations

import io
import json
import pickle
import warnings
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

import cnninspect
from cnninspect.errors import FileUnreadable
from cnninspect.files import Malformed
from cnninspect.sources.program_checks import (
    check_class,
    check_expression,
    check_identifier,
    check_packing,
    check_path,
    check_script,
    check_target,
)

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*deprecated.*:DeprecationWarning", "ignore:.*LeafSpec.*:FutureWarning"
)

GOOD = {
    check_expression: (
        "Symbol('s77', positive=True, integer=True)", "2*s44", "s0 + s1 // 2 - 1", "s0**2",
        "Max(1, s0)", "Mul(Integer(2), Symbol('s0', integer=True))", "((s0**8)**8)",
        "Eq(s0, 3)", "PowByNatural(s0, 2)", "Float('2.5', precision=53)",
    ),
    check_target: (
        "torch.ops.aten.add.Tensor", "torch.ops.aten.__and__.Tensor", "torch.ops.aten.linear",
        "torch.ops.torchvision.nms.default", "torch.ops.higher_order.cond", "_operator.add",
        "math.ceil", "torch.sym_max", "torch._sym_sqrt",
    ),
    check_script: (
        "x = torch.add(a, b)", "ops.aten.add(a)", "ops.prim.NumToTensor(1)",
        "z : __torch__.torch.classes.quantized.LinearPackedParamsBase",
        'y = getattr(self, "0")', 'torch.warn("please save and load it anew")',
        "x = torch.saved(a)  # torch.from_file",
    ),
    check_identifier: ("", "x", "p_layers_0_weight", "from"),
    check_path: ("", "layers.0.weight", "a-b.c d", "L__self__"),
    check_packing: ("", json.dumps([1, {
        "type": "builtins.tuple", "context": "null", "children_spec": [
            {"type": "builtins.tuple", "context": "null", "children_spec": []},
            {"type": "builtins.dict", "context": '["mask"]', "children_spec": [
                {"type": None, "context": None, "children_spec": []}]},
        ]}])),
    check_class: ("quantized.LinearPackedParamsBase", "rnn.CellParamsBase"),
}  # fmt: skip
BAD = {
    check_expression: (
        "__import__('os').system('x')", "9**9**9**9", "Pow(Integer(9), Integer(99))", "s0 << 9",
        "Symbol('x', **{'a': 1})", "s0.__class__", "(lambda: 1)()", "[s0]", "preview(s0)",
        "((s0**8)**8)**2", "Symbol('s1', positive=(lambda: 1)())", "Float('1e999999')", "f's0'",
        "Max(*s0)", "s0 if s1 else s2", "s0 :=", "", "(" * 5000, "1+" * 6000 + "1", 3, None,
        "Symbol('os', integer=[])", "9" * 30, "sympify('s0')", "Pow(s0, s1)",
    ),
    check_target: (
        "torch.ops.aten.from_file.default", "torch.os.system", "torch.serialization.os.system",
        "torch.ops.image.write_file.default", "torch.load", "torch.hub.load", "#aoti:x", "print",
        "_operator.methodcaller", "_operator.attrgetter", "math.__loader__", "builtins.eval",
        "torch.ops.higher_order.run_with_rng_state", "torch.ops.load_library", 3, "",
        "torch.ops.aten.__class__", "torch.ops.aten.add.__call__", "torch.ops.c10d.send.default",
        "torch.ops.aten.add.Tensor\n", "torch._C._pickle_load_obj",
    ),
    check_script: (
        "x = torch.from_file('a')", 'y = getattr(torch, "from\\x5ffile")("a")',
        "torch.save(x, 'a')",
        "o = ops\no.image.write_file(a)", "ops.image.write_file(a)", "ops . # c\n image . x(a)",
        "a = getattr(torch, 'from_' 'file')", "ops\\\n.image.x", 'a = """ torch """', "print(x)",
        "z : __torch__.torch.classes.aoti.AOTIModelPackageLoader", "ops.prim.rpc_async(a)",
        "x.from_file", "'\\N{nothing}'", "getattr(ops, 'image')",
    ),
    check_identifier: ("a b", "x=1", "x)", "a.b", "0", None, 3, "x\n"),
    check_path: ('x")', "a'b", "a\\b", "a\nb", "a(b", None, 3, "x" * 501),
    check_packing: (
        "[", "3", '{"__enum__": true}', json.dumps([1, {"type": "enum.Enum"}]),
        json.dumps([1, {"type": "builtins.dict", "context": '{"__enum__": true, "fqn": "os:x"}',
                        "children_spec": []}]),
        json.dumps([1, {"type": "evil.Class", "context": "null", "children_spec": []}]),
        json.dumps([1, {"type": "builtins.dict", "context": '["a\\"b"]', "children_spec": []}]),
        "[1, " * 50_000,
    ),
    check_class: ("aoti.AOTIModelPackageLoader", "profiling.X", "", "quantize"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("check", "value"),
    [pytest.param(c, v, id=f"{c.__name__} {str(v)[:40]!r}") for c in GOOD for v in GOOD[c]],
)
def test_what_networks_need_is_allowed(check, value) -> None:
    check(value)


@pytest.mark.parametrize(
    ("check", "value"),
    [pytest.param(c, v, id=f"{c.__name__} {str(v)[:40]!r}") for c in BAD for v in BAD[c]],
)
def test_what_does_more_than_compute_is_refused(check, value) -> None:
    with pytest.raises(Malformed):
        check(value)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)
        self.register_buffer("scale", torch.ones(2))

    def forward(self, x):
        return self.layer(x) * self.scale


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("exported") / "p.pt2"
    program = torch.export.export(
        Net(), (torch.zeros(2, 4),), dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)
    )
    torch.export.save(program, path)
    return path.read_bytes()


def changed(content: bytes, change) -> bytes:
    """The archive with `change` applied to its entries by their names within the folder."""
    with zipfile.ZipFile(io.BytesIO(content)) as reader:
        entries = {name.partition("/")[2]: reader.read(name) for name in reader.namelist()}
    change(entries)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as writer:
        for name, entry in entries.items():
            writer.writestr(f"p/{name}", entry)
    return stream.getvalue()


def in_graph(place: tuple, value: object):
    """A change of one value of the graph."""

    def change(entries: dict[str, bytes]) -> None:
        graph = json.loads(entries["models/model.json"])
        holder = graph
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = value
        entries["models/model.json"] = json.dumps(graph).encode()

    return change


class Payload:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def pickled(value: object, **options) -> bytes:
    stream = io.BytesIO()
    torch.save(value, stream, **options)
    return stream.getvalue()


NODES = ("graph_module", "graph", "nodes")
RUN = "__import__('pathlib').Path('{}').touch()"


def evil_programs(marker: Path):
    """Changes that make torch's own loader, or what runs its graph, touch the marker."""
    code = RUN.format(marker)
    size = ("graph_module", "graph", "tensor_values", "x", "sizes", 0)
    yield "sample", lambda e: e.update({"data/sample_inputs/model.pt": pickled(Payload(marker))})
    yield "size", in_graph(size, {"as_expr": {"expr_str": code, "hint": None}})
    yield "target", in_graph((*NODES, 0, "target"), "torch.serialization.os.system")
    yield "file", in_graph((*NODES, 0, "target"), "torch.ops.aten.from_file.default")
    yield "node name", in_graph((*NODES, 0, "name"), f"x={code}")
    yield "argument", in_graph((*NODES, 0, "inputs", 0, "name"), f"x={code}")
    inputs = ("graph_module", "graph", "inputs", 0, "as_tensor", "name")
    yield "input", in_graph(inputs, f"x={code}")
    modules = ("graph_module", "module_call_graph")
    yield "forward", in_graph((*modules, 0, "signature", "forward_arg_names"), [f"x={code}"])
    yield "path", in_graph((*modules, 1, "fqn"), f'a"), {code}, ("')
    yield "packing", in_graph(
        (*modules, 0, "signature", "in_spec"),
        json.dumps([1, {"type": "builtins.tuple", "children_spec": [],
                        "context": '{"__enum__": true, "fqn": "antigravity:x", "name": "x"}'}]),
    )  # fmt: skip

    def constant(path_name: str, content: bytes, **entry):
        def change(entries: dict[str, bytes]) -> None:
            table = {"c": {"path_name": path_name, "is_param": False, "use_pickle": True,
                           "tensor_meta": None, **entry}}  # fmt: skip
            config = json.dumps({"config": table}).encode()
            entries["data/constants/model_constants_config.json"] = config
            entries[f"data/constants/{path_name}"] = content

        return change

    raw = pickle.dumps(Payload(marker))
    meta = {
        "tensor_meta": {"sizes": [], "strides": [], "storage_offset": {"as_int": 0}, "dtype": 7}
    }
    yield "opaque", constant("opaque_obj_0", raw)
    yield "custom", constant("custom_obj_0", raw)
    yield "pickled constant", constant("tensor_0", pickled(Payload(marker)), **meta)
    yield "old constants", lambda e: e.update({"data/constants/model.pt": pickled(Payload(marker))})
    yield "old weights", lambda e: e.update({"data/weights/model.pt": pickled(Payload(marker))})
    yield "machine code", lambda e: e.update({"data/aotinductor/model/a.so": b"\x7fELF"})


KINDS = [kind for kind, _ in evil_programs(Path("x"))]


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_that_would_run_more_than_its_graph_is_refused(
    tmp_path: Path, exported: bytes, kind: str
) -> None:
    marker, path = tmp_path / "marker", tmp_path / "p.pt2"
    path.write_bytes(changed(exported, dict(evil_programs(marker))[kind]))
    with pytest.raises(FileUnreadable):
        cnninspect.summarize(str(path))
    assert not marker.exists()


def test_texts_that_are_only_evaluated_or_printed_are_left_out(
    tmp_path: Path, exported: bytes
) -> None:
    marker, path = tmp_path / "marker", tmp_path / "p.pt2"

    def change(entries: dict[str, bytes]) -> None:
        graph = json.loads(entries["models/model.json"])
        graph["guards_code"] = [RUN.format(marker)]
        for node in graph["graph_module"]["graph"]["nodes"]:
            node["metadata"] |= {"torch_fn": "os.system", "stack_trace": "\n::error::forged"}
        entries["models/model.json"] = json.dumps(graph).encode()

    path.write_bytes(changed(exported, change))
    report = cnninspect.summarize(str(path))
    assert report.totals.parameters == 10
    assert [layer.path for layer in report.layers] == ["", "layer"]
    assert not marker.exists()


def test_the_pickle_fallback_of_torch_is_never_reached(
    tmp_path: Path, exported: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = torch.load

    def careful(*arguments, **options):
        assert options.get("weights_only") is True
        return original(*arguments, **options)

    monkeypatch.setattr(torch, "load", careful)
    (tmp_path / "p.pt2").write_bytes(exported)
    assert cnninspect.summarize(str(tmp_path / "p.pt2")).totals.macs == 8


class Writes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, x):
        y = torch.from_file("MARKER", shared=True, size=16)
        return self.layer(x) + y[:2].sum()


def test_torchscript_that_touches_files_is_refused_before_it_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(Writes()).save("a.pt")

    def loaded(*_, **__):
        raise AssertionError("torch's loader was called")

    monkeypatch.setattr(torch.jit, "load", loaded)
    with pytest.raises(FileUnreadable, match="from_file"):
        cnninspect.summarize("a.pt", (1, 4))
    assert not Path("MARKER").exists()
