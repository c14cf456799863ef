"""Part `any_network`: configurations of transformers, and networks of nine other libraries.

Each is traced with the inputs that its kind takes; where it is small, it is also run for real under
PyTorch's `FlopCounterMode`, and the two counts are compared.  Libraries that are not installed are
left out, and the text under the table says so.  `python any_network.py --share 0.3` prints what
became of each network of a sample, as JSON, one a line; `--write` makes the table of that.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import machine
from libraries import LIBRARIES, _pytorchcv
from tables import insert, table

SECONDS = 90
MOST_PARAMETERS, MOST_MACS = 200_000_000, 20_000_000_000
"""Up to which a network is also run for real."""
SHARES = {"transformers": 0.35, "pytorchcv": 0.06}
"""Which part of a library's networks is drawn by default; of the others all."""
COMPLETED: dict[str, dict[str, Any]] = {
    "autoformer": {"prediction_length": 24},
    "informer": {"prediction_length": 24},
    "time_series_transformer": {"prediction_length": 24},
    "blip-2": {"image_token_index": 2},
    "instructblipvideo": {"video_token_index": 2},
    "deepseek_v2": {"num_experts_per_tok": 6},
    "edgetam": {"vision_config.backbone_config.architecture": "repvit_m1"},
    "edgetam_vision_model": {"backbone_config.architecture": "repvit_m1"},
    "blt": {"use_cache": False},
    "glm4v": {"text_config.head_dim": 64},
    "glm4v_text": {"head_dim": 64},
    "glmga": {"text_config.head_dim": 64},
    "hunyuan_v1_dense": {"head_dim": 128},
    "hunyuan_v1_moe": {"head_dim": 128},
    "lw_detr": {"projector_scale_factors": [1.0]},
    "ministral": {"head_dim": 128},
    "step3p7": {"text_config.sliding_window": 512},
}
"""What the default configuration leaves open of kinds that transformers itself then cannot build
or run, and what is set here."""
BEYOND = {
    "edgetam_video": "it takes a session, an object of transformers' own",
    "sam2_video": "it takes a session, an object of transformers' own",
    "sam3_video": "it takes a session, an object of transformers' own",
    "sam3_tracker_video": "it takes a session, an object of transformers' own",
    "glm_image_vqmodel": "it has no forward",
}
"""Kinds that nobody can call with tensors."""
LAYERS = re.compile(
    r"(^|_)(n|num|encoder|decoder|hidden)?_?(hidden_)?layers?$|^n_layer$|^num_blocks$"
)


def configurations() -> list[str]:
    """Every kind of model that transformers has a network for."""
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    return sorted(MODEL_MAPPING_NAMES)


def networks(library: str, share: float) -> list[str]:
    """What to try of a library: a sample by a fixed seed."""
    if library == "transformers":
        names = [f"transformers: {name}" for name in configurations()]
    elif library == "pytorchcv":
        from pytorchcv.model_provider import _models

        names = [f"pytorchcv: {name}" for name in sorted(_models)]
    else:
        names = [name for name, _, _ in LIBRARIES[library]()]
    wanted = max(1, round(len(names) * share))
    return sorted(random.Random(0).sample(names, wanted)) if wanted < len(names) else names


# --- in the process that tries them ---


class NobodyCan(Exception):
    """There is nothing to call with tensors."""


def tried(name: str) -> dict[str, Any]:
    """What became of one network: how it was traced, and both counts."""
    import torch

    import cnninspect
    from cnninspect.errors import CnnInspectError

    start = time.perf_counter()
    found: dict[str, Any] = {"network": name}
    try:
        model, inputs, kwargs = made(name)
    except NobodyCan as problem:
        return found | {"outcome": "not built", "why": str(problem)}
    except Exception as problem:  # the library's own, or this table's
        return found | {"outcome": "not built", "why": f"{type(problem).__name__}: {problem}"[:300]}
    try:
        trace = cnninspect.trace(model, inputs, kwargs=kwargs)
        summary = cnninspect.summarize(trace)
    except CnnInspectError as problem:
        own = (
            refusal_of_library(model) if isinstance(model, str) else failure(model, inputs, kwargs)
        )
        if own:
            return found | {"outcome": "not built", "why": own}
        return found | {"outcome": "refused", "why": str(problem)[:500]}
    except Exception as problem:
        return found | {"outcome": "raw", "why": f"{type(problem).__name__}: {problem}"[:500]}
    found |= {
        "outcome": trace.how.run,
        "why": "; ".join(trace.how.notes)[:400] if trace.how.run == "real" else "",
        "macs": summary.totals.macs,
        "unknown": summary.coverage.unknown,
        "seconds": round(time.perf_counter() - start, 2),
    }
    if summary.totals.parameters > MOST_PARAMETERS or summary.totals.macs > MOST_MACS:
        return found
    try:
        torch.manual_seed(0)
        found["counted"] = counted(model, inputs, kwargs)
    except Exception as problem:
        found["not run"] = f"{type(problem).__name__}: {problem}"[:200]
    return found


def counted(model: Any, inputs: Any, kwargs: Any) -> int:
    """MACs of a real run, as `FlopCounterMode` counts it: half of its FLOPs."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from cnninspect.engine.bind_inputs import converted, given_for
    from cnninspect.engine.module_tree import Structure
    from cnninspect.sources.open import load

    loaded = load(model)
    module = loaded.build()
    given = next(iter(given_for(Structure(module), loaded, inputs, kwargs=kwargs, batch=1)))
    args, named = converted((given.args, given.kwargs), _real)
    module.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module(*args, **named)
    return counter.get_total_flops() // 2


def _real(tensor: Any) -> Any:
    import torch

    return torch.rand(tensor.shape, dtype=tensor.dtype) if tensor.is_meta else tensor


def made(name: str) -> tuple[Any, Any, Any]:
    """A network, or a reference to it, and its inputs."""
    import torch

    library, _, which = name.partition(": ")
    if library == "transformers":
        return configured(which), None, None
    lib = importlib.import_module(library)
    every = _pytorchcv([which]) if library == "pytorchcv" else LIBRARIES[library]()
    _, code, inputs = next(entry for entry in every if entry[0] == name)
    space: dict[str, Any] = {
        "torch": torch, "lib": lib, "sub": lambda sub: importlib.import_module(f"{library}.{sub}"),
    }  # fmt: skip
    space["model"] = model = eval(code, space)
    if library == "open_clip":
        size = getattr(model.visual, "image_size", 224)
        space["SIZE"] = size[0] if isinstance(size, (tuple, list)) else size
        space["CONTEXT"] = getattr(model, "context_length", None) or 77
    given = eval(inputs, space)
    return model.eval(), given if isinstance(given, tuple) else (given,), None


def configured(kind: str) -> str:
    """A reference to the network of a configuration of transformers, with few layers."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    if kind in BEYOND:
        raise NobodyCan(BEYOND[kind])
    settings = COMPLETED.get(kind, {})
    config = transformers.CONFIG_MAPPING[kind](
        **{name: value for name, value in settings.items() if "." not in name}
    )
    for path, value in settings.items():
        holder, *names = config, *path.split(".")
        for name in names[:-1]:
            holder = getattr(holder, name)
        setattr(holder, names[-1], value)
    kept = config.to_dict()
    shrink(config)
    classes = MODEL_MAPPING_NAMES[kind]
    config.architectures = [classes if isinstance(classes, str) else classes[0]]
    folder = tempfile.mkdtemp(prefix=f"{kind}-")
    try:
        config.save_pretrained(folder)
        transformers.CONFIG_MAPPING[kind].from_pretrained(folder)
    except Exception:  # some want as many layers as other settings say
        config = transformers.CONFIG_MAPPING[kind](**kept)
        config.architectures = [classes if isinstance(classes, str) else classes[0]]
        config.save_pretrained(folder)
    return f"hf:{folder}"


def refusal_of_library(reference: str) -> str:
    """Why transformers itself does not build what a reference names; empty if it does."""
    import torch
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(reference.removeprefix("hf:"))
        kind = getattr(transformers, config.architectures[0])
        with torch.device("meta"):
            getattr(kind, "_from_config", kind)(config)
    except Exception as problem:  # whatever a constructor raises
        return in_a_line(problem)
    return ""


def failure(model: Any, inputs: Any, kwargs: Any) -> str:
    """Why PyTorch by itself does not run a network with these inputs; empty if it does."""
    try:
        counted(model, inputs, kwargs)
    except Exception as problem:  # whatever it raises
        return in_a_line(problem)
    return ""


def in_a_line(problem: Exception) -> str:
    """The kind of an error and its first words."""
    words = next((line.strip() for line in str(problem).splitlines() if line.strip()), "")
    return f"{type(problem).__name__}: {words}"[:200]


def shrink(config: Any, most: int = 4) -> None:
    """Let it have at most so many layers, in each of its parts."""
    for name, value in vars(config).items():
        if hasattr(value, "to_dict"):
            shrink(value, most)
        elif isinstance(value, int) and value > most and LAYERS.search(name):
            setattr(config, name, most)
        elif name in ("layer_types", "mlp_layer_types") and isinstance(value, list):
            setattr(config, name, value[:most])


def try_all() -> None:
    """Try the networks that are named on stdin, each with a limit, and print what became of it."""
    warnings.filterwarnings("ignore")
    from cnninspect.sources.torchvision_schemas import import_torchvision

    import_torchvision()

    def too_long(*_: Any) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    signal.signal(signal.SIGALRM, too_long)
    out, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        signal.alarm(SECONDS)
        try:
            found = tried(line.strip())
        except TimeoutError as problem:
            found = {"network": line.strip(), "outcome": "too slow", "why": str(problem)}
        signal.alarm(0)
        print(json.dumps(found), file=out, flush=True)


# --- in the process that asks ---


def outcomes(names: list[str]) -> Iterator[dict[str, Any]]:
    """What became of each, from processes that may die."""
    left = list(names)
    while left:
        batch = left[:40]
        run = subprocess.run(
            [sys.executable, __file__, "--try"], input="\n".join(batch), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        found = [json.loads(line) for line in run.stdout.splitlines()]
        yield from found
        if len(found) < len(batch):
            yield {"network": batch[len(found)], "outcome": "raw", "why": f"exit {run.returncode}"}
        left = left[len(found) + (len(found) < len(batch)) :]


def libraries(shares: dict[str, float]) -> Iterator[tuple[str, list[dict[str, Any]] | None]]:
    """Each library with what became of its networks; None where it is not installed."""
    for library in ("transformers", *LIBRARIES, "pytorchcv"):
        if importlib.util.find_spec(library) is None:
            yield library, None
        else:
            yield library, list(outcomes(networks(library, shares.get(library, 1.0))))


def row(library: str, found: list[dict[str, Any]]) -> list[str]:
    """The row of a library in the table."""
    how = Counter(each["outcome"] for each in found)
    checked = [each for each in found if "counted" in each and not each["unknown"]]
    agree = sum(each["counted"] == each["macs"] for each in checked)
    built = len(found) - how["not built"]
    return [
        library, f"{len(found)}", f"{how['not built']}", f"{how['abstract']}", f"{how['real']}",
        f"{how['refused'] + how['too slow']}", f"{how['raw']}",
        f"{100 * how['abstract'] / max(built, 1):.1f} %", f"{len(checked)}", f"{agree}",
    ]  # fmt: skip


LISTED = {
    "not built": "Not built or not to be called, by the library itself either",
    "refused": "Not traced at all",
    "real": "Run for real",
}
"""What is named one by one under the table, with its reason."""
HEADER = [
    "", "tried", "not built", "abstract", "real", "not at all", "raw errors", "abstract, of built",
    "run for real too", "same count",
]  # fmt: skip


def report(repeats: int, progress: Callable[[str], None]) -> str:
    """Markdown: how the networks of each library trace, and whether the counts agree."""
    seen = {}
    for library, found in libraries(SHARES):
        progress(library)
        seen[library] = found
    return tables_of(seen)


def tables_of(seen: dict[str, list[dict[str, Any]] | None]) -> str:
    """The table by library, and under it what is to be named, from what became of each network."""
    rows, missing, every = [], [], []
    for library, found in seen.items():
        if found is None:
            missing.append(library)
        else:
            rows.append(row(library, found))
            every += found
    text = table(HEADER, rows)
    for outcome, title in LISTED.items():
        named = [f"`{e['network']}` ({e['why'][:160]})" for e in every if e["outcome"] == outcome]
        text += f"\n\n{title}: {'; '.join(named)}." if named else ""
    return text + (f"\n\nNot tried this time: {', '.join(missing)}." if missing else "")


def printed(paths: list[str]) -> dict[str, list[dict[str, Any]] | None]:
    """What became of each network by files that this program printed; a later line replaces one."""
    known: dict[str, dict[str, Any]] = {}
    for path in paths:
        for line in Path(path).read_text().splitlines():
            found = json.loads(line)
            if "network" in found:
                known[found["network"]] = found
    seen: dict[str, list[dict[str, Any]] | None] = {}
    for library in ("transformers", *LIBRARIES, "pytorchcv"):
        own = [found for name, found in known.items() if name.startswith(f"{library}: ")]
        seen[library] = own or None
    return seen


def main() -> None:
    """Try networks, or print what became of a sample."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--try", action="store_true", dest="tries", help="those named on stdin")
    parser.add_argument("--share", type=float, default=1.0, help="of each library")
    parser.add_argument("--library", action="append", help="all by default")
    parser.add_argument("--write", nargs="+", help="the table of what was printed into such files")
    options = parser.parse_args()
    if options.write:
        page = Path(__file__).parents[2] / "docs" / "benchmark.md"
        text = f"{tables_of(printed(options.write))}\n\n{machine.describe()}"
        page.write_text(insert(page.read_text(), "any_network", text))
        return
    if options.tries:
        try_all()
        return
    for library in options.library or ("transformers", *LIBRARIES, "pytorchcv"):
        if importlib.util.find_spec(library) is None:
            print(json.dumps({"library": library, "outcome": "not installed"}))
            continue
        for found in outcomes(networks(library, options.share)):
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
