"""What real networks do that a file cannot: caches, names that clash, sizes that memory forbids."""

import re

import onnx
import pytest
import torch
from exportable import Plain
from onnx import TensorProto, helper
from torch import nn

import cnninspect
from cnninspect.engine import free_memory
from cnninspect.engine.free_memory import peak_bytes
from cnninspect.engine.onnx_write import exporting, making, verification
from cnninspect.engine.onnx_write.exporting import name_outputs
from cnninspect.errors import ExportFailed, ExportUnexplained
from cnninspect.records.operations import Call, Operation, TensorSpec

# --- names --------------------------------------------------------------------------------------


class Named(nn.Module):
    """Its results are called like nodes, an input and a weight of the file."""

    def __init__(self):
        super().__init__()
        self.embedding, self.fc = nn.Embedding(10, 4), nn.Linear(4, 3)
        self.scale = nn.Parameter(torch.randn(3))

    def forward(self, tokens):
        z = self.embedding(tokens)
        return {
            "embedding": z.relu(),
            "linear": self.fc(z) * self.scale,
            "tokens": z + 1,
            "scale": z - 1,
        }


@pytest.mark.parametrize("exporter", ["dynamo", "torchscript"])
def test_results_may_be_called_like_nodes_inputs_and_weights(export_and_load, exporter):
    tokens = torch.tensor([[1, 2, 3]])
    report, model = export_and_load(Named(), [tokens], exporter=exporter)
    names = [info.name for info in model.graph.output]
    assert names == ["embedding", "linear", "tokens_output", "scale_output"]
    assert report.is_right
    assert "tokens" in [info.name for info in model.graph.input]
    assert "scale" in [tensor.name for tensor in model.graph.initializer]


def test_inner_values_make_room_in_inner_graphs_too():
    def info(name):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])

    branch = helper.make_graph([helper.make_node("Neg", ["y"], ["z"])], "b", [], [info("z")])
    graph = helper.make_graph(
        [
            helper.make_node("Relu", ["x"], ["y"]),
            helper.make_node("If", ["c"], ["cnninspect_output_0"], then_branch=branch,
                             else_branch=branch),
        ],
        "g", [info("x")], [info("cnninspect_output_0")],
    )  # fmt: skip
    model = helper.make_model(graph)
    name_outputs(model, ["y"])
    relu, choice = model.graph.node
    assert (relu.output[0], choice.output[0], model.graph.output[0].name) == (
        "y_inner", "y", "y",
    )  # fmt: skip
    assert all(a.g.node[0].input[0] == "y_inner" for a in choice.attribute)


# --- a decoder's cache ----------------------------------------------------------------------------


class Cache:
    """As transformers keep keys and values: an object, not tensors."""


class DynamicCache(Cache):
    pass


class Config:
    use_cache = True


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.config, self.head = Config(), nn.Linear(8, 5)

    def forward(self, x):
        found = {"logits": self.head(x)}
        if self.config.use_cache:
            found["past_key_values"] = DynamicCache()
        return found


def test_a_decoder_is_exported_without_its_cache_and_the_report_says_so(export_and_load):
    decoder = Decoder()
    report, model = export_and_load(decoder, [(2, 8)], dynamic=("batch",))
    assert [info.name for info in model.graph.output] == ["logits"]
    assert any("without its cache" in note for note in report.notes)
    assert report.is_right
    assert decoder.config.use_cache is True


def test_nothing_is_said_where_there_is_no_cache(export):
    report, _ = export(Plain(), [(2, 8)])
    assert not any("cache" in note for note in report.notes)


# --- memory ---------------------------------------------------------------------------------------


def made_by(index, elements, *inputs):
    spec = TensorSpec((elements,))
    return Call(index, "", Operation("aten.relu", (("self", spec),), (spec,)), inputs)


def test_the_peak_is_what_is_needed_at_the_same_time():
    trace = cnninspect.trace("mlp@hidden=5")
    calls = (made_by(0, 10, -1), made_by(1, 100, 0), made_by(2, 10, 1), made_by(3, 50, 0, 2))
    hand_made = making.replace(trace, calls=calls)
    # Calls 0 and 1 at once, then 0, 1 and 2; after that 0, 2 and 3.
    assert peak_bytes(hand_made) == 4 * (10 + 100 + 10)


def test_attention_in_the_file_is_foreseen_from_the_files_own_trace(export):
    class Attention(nn.Module):
        def forward(self, x):
            return nn.functional.scaled_dot_product_attention(x, x, x)

    _, path = export(Attention(), [(1, 2, 256, 8)])
    in_file = peak_bytes(cnninspect.trace(str(path)))
    assert in_file >= 4 * 2 * 256 * 256  # the scores, which fused attention never has
    assert peak_bytes(cnninspect.trace(Attention(), [(1, 2, 256, 8)])) < in_file


@pytest.fixture
def with_memory(monkeypatch):
    """Lets the machine have so many free bytes."""

    def run(free):
        monkeypatch.setattr(free_memory, "free_bytes", lambda: free)
        monkeypatch.setattr(verification, "free_bytes", lambda: free)

    return run


def test_sizes_that_memory_forbids_are_replaced_by_smaller_batches(export, with_memory):
    shapes = [(2, 64, 8)]
    _, path = export(Plain(), shapes, dynamic=("features:0=batch",), verify=False)
    both = (cnninspect.trace(model, [(3, 64, 8)]) for model in (str(path), Plain()))
    with_memory(2 * max(map(peak_bytes, both)) + 1000)
    report, _ = export(Plain(), shapes, dynamic=("features:0=batch",), force=True)
    assert [run.sizes["batch"] for run in report.verification] == [1, 2, 3]
    (note,) = (note for note in report.notes if "predicted from its trace" in note)
    assert re.search(r"with batch=7 takes about [\d,]+ bytes.*compared with batch=3", note)
    assert report.is_right


def test_where_even_the_smallest_is_too_much_it_is_not_run(export, with_memory, monkeypatch):
    monkeypatch.setattr(verification, "outputs_of", None)
    with_memory(10)
    report, path = export(Plain(), [(2, 8)])
    assert report.verification == ()
    assert "memory does not suffice" in report.not_verified
    assert path.exists()


# --- where weights come from, and what nobody can explain ----------------------------------------


def test_every_report_says_where_the_weights_come_from(export, tmp_path):
    report, path = export("mlp@hidden=5", seed=3, verify=False)
    assert report.weights == "random, seed 3"
    assert report.to_dict()["weights"] == "random, seed 3"
    notes = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert notes["cnninspect.weights"] == "random, seed 3"
    weights = tmp_path / "trained.pt"
    torch.save(cnninspect.sources.open.load("mlp@hidden=5").build().state_dict(), weights)
    report, _ = export("mlp@hidden=5", weights=weights, verify=False, force=True)
    assert re.fullmatch(r"trained\.pt, sha256 [0-9a-f]{64}", report.weights)
    report, _ = export(Plain(), [(1, 8)], verify=False, force=True)
    assert report.weights == "those of the module that was given"
    assert "weights" in cnninspect.render(report)


def test_what_nobody_can_explain_is_said_and_refused_by_strict(export, monkeypatch, tmp_path):
    def strip(model):  # an exporter that leaves out a layer's bias
        for node in model.graph.node:
            if "second.bias" in node.input:
                zero = helper.make_tensor("nothing", TensorProto.FLOAT, [3], [0.0] * 3)
                model.graph.initializer.append(zero)
                node.input[2] = "nothing"
        kept = [t for t in model.graph.initializer if t.name != "second.bias"]
        del model.graph.initializer[:]
        model.graph.initializer.extend(kept)

    monkeypatch.setattr(making, "strip", strip)
    monkeypatch.setattr(making, "kinships", lambda *_: ())
    monkeypatch.setattr(
        cnninspect.commands.export.analysis, "_unpaired",
        lambda held, stored, *_: {"second.bias": -3},
    )  # fmt: skip
    report, path = export(Plain(), [(1, 8)], verify=False)
    (difference,) = report.unexplained
    assert (difference.change, difference.reason) == (-3, "")
    assert "3 less, not explained (second)" in cnninspect.render(report)
    path.unlink()
    with pytest.raises(ExportUnexplained, match="3 parameters less than Plain") as problem:
        export(Plain(), [(1, 8)], verify=False, strict=True)
    assert problem.value.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_strict_keeps_what_is_explained(export):
    report, path = export("resnet20@depth=8", strict=True, verify=False)
    assert report.differences != ()
    assert report.unexplained == ()
    assert path.exists()


def test_equal_weights_that_are_stored_once_are_told_by_their_values(export):
    class Norms(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.fc = nn.LayerNorm(8), nn.LayerNorm(8), nn.Linear(8, 8)

        def forward(self, x):
            return self.b(self.fc(self.a(x)))

    report, _ = export(Norms(), [(2, 8)], strict=True)
    assert {d.reason for d in report.differences} == {
        "equal to other weights, and stored once with them"
    }


def test_a_table_of_positions_is_stored_as_far_as_it_is_used(export):
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.fc = nn.Parameter(torch.randn(50, 8)), nn.Linear(8, 8)

        def forward(self, x):
            return self.fc(x + self.table[: x.shape[1]])

    report, _ = export(Positions(), [(1, 6, 8)], strict=True)
    assert report.is_right
    assert all(d.reason for d in report.differences)


# --- the older exporter prints past Python --------------------------------------------------------


def test_nothing_is_printed_where_the_older_exporter_fails(export, capfd):
    class Odd(Plain):
        def forward(self, features):
            return torch.linalg.svd(self.first(features))[1]

    with pytest.raises(ExportFailed):
        export(Odd(), [(4, 8)], exporter="torchscript")
    assert capfd.readouterr() == ("", "")
    assert exporting.EXPORTERS == ("dynamo", "torchscript")
