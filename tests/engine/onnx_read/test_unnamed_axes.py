"""Open sizes that are called `?`, as PaddlePaddle's exporter calls each of them."""

import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import cnninspect


@pytest.mark.parametrize("mark", ["?", "", "-", "*"])
def test_a_mark_is_no_name_that_two_sizes_share(tmp_path, mark):
    import numpy as np

    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [mark, 3, mark, mark])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [mark, 4, mark, mark])
    weight = numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"])], "g", [x], [y], [weight]
    )
    onnx.save(helper.make_model(graph, ir_version=9), tmp_path / "m.onnx")
    report = cnninspect.summarize(str(tmp_path / "m.onnx"), (1, 3, 48, 192))
    assert report.totals.macs == 4 * 46 * 190 * 27
