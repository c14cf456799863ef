"""ONNX files as references: read without torch, for every question that a graph can answer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cnninspect
from cnninspect.costs.conventions import CONVENTIONS
from cnninspect.errors import BadOption, FileMissing, FileUnreadable, NeedsModules, UnknownSetting
from cnninspect.records.models import GraphFile
from cnninspect.sources.registry import load

CODE = """
import sys
from cnninspect.__main__ import main
sys.argv[0] = "cnninspect"
try:
    main()
finally:
    print(sorted({name.partition(".")[0] for name in sys.modules}), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "lenet.onnx"
    cnninspect.export_onnx("lenet5_modern", path, dynamic=("batch",), verify=False)
    return path


def test_the_suffix_or_the_scheme_names_the_source(file):
    for text in (str(file), f"onnx:{file}"):
        loaded = load(text)
        assert isinstance(loaded, GraphFile)
        assert (loaded.info.source, loaded.info.reference, loaded.path) == ("onnx", text, file)


def test_settings_and_missing_files_are_refused(file, tmp_path):
    with pytest.raises(UnknownSetting):
        load(f"{file}@num_classes=3")
    with pytest.raises(FileMissing):
        load(str(tmp_path / "none.onnx"))


def test_a_graph_counts_what_its_network_counts(file):
    network = cnninspect.summarize("lenet5_modern", batch=5)
    graph = cnninspect.summarize(str(file), batch=5)
    for name in ("parameters", "macs", "flops", "activations", "parameter_bytes"):
        assert getattr(graph.totals, name) == getattr(network.totals, name)
    assert graph.convention.name == "macs"
    counted = {layer.path: layer.total.macs for layer in network.layers if layer.own.macs}
    assert counted == {layer.path: layer.total.macs for layer in graph.layers if layer.own.macs}
    kinds = {layer.path: layer.type for layer in graph.layers}
    assert kinds["features.0.conv"] == "Conv2d"


def test_all_that_a_graph_can_answer_is_answered(file):
    reference = str(file)
    assert cnninspect.explain(reference, "features.0.conv").operations[0].macs == 117_600
    compared = cnninspect.compare(["lenet5_modern", reference])
    assert not compared.failed
    assert cnninspect.trace(reference, [(3, 1, 32, 32)]).inputs[0].spec.shape == (3, 1, 32, 32)


@pytest.mark.parametrize("name", list(CONVENTIONS))
def test_rules_for_modules_are_not_applied_to_a_graph(file, name):
    if name in ("macs", "torchvision"):
        graph = cnninspect.summarize(str(file), convention=name)
        assert graph.convention.total == graph.totals.macs
        return
    with pytest.raises(BadOption, match=f"{name}"):
        cnninspect.summarize(str(file), convention=name)


def test_an_audit_of_a_graph_has_the_counters_that_fit(file):
    report = cnninspect.audit(str(file), run=False, by_layer=True)
    assert [(counter.name, counter.difference) for counter in report.counters] == [
        ("torchvision", 0)
    ]
    (pycls,) = cnninspect.audit(str(file), counters=("pycls",), by_layer=True).counters
    assert (pycls.total, pycls.problem) == (None, "its rules are for modules, and this is a graph")


def test_training_needs_a_network(file):
    with pytest.raises(NeedsModules, match="the graph in a file"):
        cnninspect.gradients(str(file))
    with pytest.raises(NeedsModules, match="the graph in a file"):
        cnninspect.memory(str(file))


@pytest.mark.parametrize(
    "arguments",
    [
        ("summary", "FILE"),
        ("summary", "FILE", "--format", "json", "--batch", "3"),
        ("explain", "FILE", "features.0.conv"),
        ("summary", "BROKEN"),
    ],
    ids=" ".join,
)
def test_no_torch_is_imported_for_a_graph(file, tmp_path, arguments):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(file.read_bytes()[:1000])
    places = {"FILE": str(file), "BROKEN": str(broken)}
    done = subprocess.run(
        [sys.executable, "-c", CODE, *(places.get(a, a) for a in arguments)],
        capture_output=True,
        text=True,
        env={**os.environ},
    )
    assert done.returncode == (1 if "BROKEN" in arguments else 0), done.stderr
    imported = done.stderr.splitlines()[-1]
    assert "'cnninspect'" in imported
    assert "'onnx'" in imported
    for heavy in ("torch", "onnxruntime", "onnxscript", "onnx_ir", "torchvision"):
        assert f"'{heavy}'" not in imported
    if "json" in arguments:
        assert json.loads(done.stdout)["engine"]["build"] == "file"


def test_a_graph_named_as_weights_is_refused_with_what_it_is(file, tmp_path):
    renamed = tmp_path / "model.bin"
    renamed.write_bytes(Path(file).read_bytes())
    with pytest.raises(FileUnreadable, match="ONNX"):
        cnninspect.summarize(str(renamed))
