"""Real models that come in wheels: counted here, and judged by what onnxruntime does with them.

Their packages are the extra `files`; those that are not installed are left out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from processes import call_in_process
from tables import table

MODELS: dict[tuple[str, str], dict[str, tuple[int, ...]]] = {
    ("magika", "models/standard_v3_3/model.onnx"): {"bytes": (1, 2048)},
    ("nudenet", "320n.onnx"): {"images": (1, 3, 320, 320)},
    ("rapidocr", "models/PP-OCRv6_det_small.onnx"): {"x": (1, 3, 640, 640)},
    ("rapidocr", "models/PP-OCRv6_rec_small.onnx"): {"x": (1, 3, 48, 320)},
    ("rapidocr", "models/ch_ppocr_mobile_v2.0_cls_mobile.onnx"): {"x": (1, 3, 48, 192)},
    ("silero_vad", "data/silero_vad_16k_op15.onnx"): {"input": (1, 576), "state": (2, 1, 128)},
    ("silero_vad", "data/silero_vad_half.onnx"): {"input": (1, 576), "state": (2, 1, 128)},
    ("silero_vad", "data/silero_vad_openvino_16k.onnx"): {"input": (1, 576), "state": (2, 1, 128)},
}
"""Package and file, with the shape of each input but scalars."""


def found() -> dict[Path, dict[str, tuple[int, ...]]]:
    """The files that are installed, with the shapes of their inputs."""
    files = {}
    for (package, name), shapes in MODELS.items():
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            if (Path(place) / name).exists():
                files[Path(place) / name] = shapes
    return files


def counted(path: str, shapes: dict[str, list[int]]) -> dict[str, Any]:
    """In a process of its own: what is counted, with the time and memory that it took."""
    from processes import peak_bytes

    import cnninspect

    start = time.perf_counter()
    report = cnninspect.summarize(path, {name: tuple(shape) for name, shape in shapes.items()})
    return {
        "seconds": time.perf_counter() - start,
        "peak": peak_bytes(),
        "parameters": report.totals.parameters,
        "macs": report.totals.macs,
        "unknown": sorted({found.op for found in report.uncounted}),
    }


def judged(path: str, shapes: dict[str, list[int]]) -> int | None:
    """MACs by the shapes that onnxruntime makes; None where graphs within nodes hide some of them.

    Every tensor is given out, and convolutions, matrix products and recurrent layers are counted
    by their definitions.
    """
    import numpy as np
    import onnx
    import onnxruntime

    model = onnx.load(path)
    if any(a.type == onnx.AttributeProto.GRAPH for n in model.graph.node for a in n.attribute):
        return None
    ends = {info.name for info in model.graph.output}
    inner = [name for node in model.graph.node for name in node.output if name and name not in ends]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    types = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32,
             "tensor(float16)": np.float16}  # fmt: skip
    given = {
        info.name: np.zeros(tuple(shapes.get(info.name, ())), types[info.type])
        + (16000 if info.name == "sr" else 0)
        for info in session.get_inputs()
    }
    given = {i.name: given[i.name].astype(types[i.type]) for i in session.get_inputs()}
    names = [info.name for info in session.get_outputs()]
    known = {name: np.shape(value) for name, value in zip(names, session.run(None, given))}
    known |= {name: value.shape for name, value in given.items()}
    known |= {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    return sum(macs_of(node, known) for node in model.graph.node)


def macs_of(node: Any, shapes: dict[str, tuple[int, ...]]) -> int:
    """Multiply-accumulates of a node, from the shapes of what goes in and comes out."""
    if node.op_type not in ("Conv", "ConvTranspose", "MatMul", "Gemm", "LSTM"):
        return 0
    first, second = (shapes[name] for name in node.input[:2])
    made = math.prod(shapes[next(name for name in node.output if name)])
    if node.op_type == "Conv":
        return made * math.prod(second[1:])
    if node.op_type == "ConvTranspose":
        return math.prod(first) * math.prod(second[1:])
    if node.op_type == "LSTM":  # (steps, batch, width), (directions, 4 · hidden, width)
        hidden = second[1] // 4
        return first[0] * first[1] * second[0] * second[1] * (second[2] + hidden)
    flipped = any(a.name == "transA" and a.i for a in node.attribute)
    return made * first[0 if flipped else -1]


def report(progress: Callable[[str], None]) -> str:
    """Markdown: each file with our count, that of onnxruntime's shapes, time and memory."""
    rows = []
    for path, shapes in found().items():
        progress(path.name)
        ours = call_in_process("real_files:counted", path=str(path), shapes=shapes)
        theirs = call_in_process("real_files:judged", path=str(path), shapes=shapes)
        rows.append([
            f"`{path.name}`", f"{path.stat().st_size / 1e6:.1f}", f"{ours['parameters']:,}",
            f"{ours['macs']:,}", "—" if theirs is None else f"{theirs:,}",
            ", ".join(ours["unknown"]) or "none", f"{ours['seconds']:.2f}",
            f"{ours['peak'] / 1e6:.0f}",
        ])  # fmt: skip
    header = ["", "file, MB", "parameters", "MACs", "by onnxruntime's shapes", "unknown", "s", "MB"]
    return table(header, rows) if rows else "`pip install 'cnninspect[files]'` brings the files."
