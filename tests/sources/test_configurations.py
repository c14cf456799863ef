"""Settings that are more than numbers: configurations, their fields, classes, none."""

import json
import textwrap

import pytest

import cnninspect
from cnninspect.errors import (
    BadSetting,
    BuildFailed,
    CnnInspectError,
    FileMissing,
    FileUnreadable,
    UnknownModel,
    UnknownSetting,
)

NET = '''
from __future__ import annotations

import dataclasses
import enum
import functools
from argparse import Namespace
from typing import TYPE_CHECKING, Any, Callable, Literal, NamedTuple, Optional, Type, Union

import torch
import yaml
from torch import nn

if TYPE_CHECKING:
    from nowhere import Missing


class Act(enum.Enum):
    RELU = "relu"
    GELU = "gelu"


@dataclasses.dataclass
class Inner:
    depth: int = 1
    act: Act = Act.RELU


@dataclasses.dataclass
class Config:
    width: int
    inner: Inner = dataclasses.field(default_factory=Inner)
    rate: float = 0.0
    sizes: tuple[int, ...] = (1,)
    bias: Optional[bool] = None


class Row(NamedTuple):
    width: int
    depth: int = 2


class Layers(nn.Module):
    """`depth` layers of 8 x 8: 64 MACs each."""

    def __init__(self, depth):
        super().__init__()
        self.layers = nn.Sequential(*[nn.Linear(8, 8) for _ in range(depth)])

    def forward(self, x):
        return self.layers(x)


class Net(Layers):
    def __init__(self, config: Config, head: Optional[int] = None):
        assert isinstance(config.inner, Inner) and isinstance(config.inner.act, Act)
        assert type(config.rate) is float and type(config.sizes) is tuple
        super().__init__(config.inner.depth)

    @classmethod
    def from_yaml(cls, path):
        with open(path) as file:
            return cls(Config(yaml.safe_load(file)["width"]))

    @staticmethod
    def from_dict(data: dict):
        return Net(Config(data["width"], Inner(data["inner"]["depth"])))


class Either(Layers):
    def __init__(self, cfg):
        super().__init__(cfg.inner.depth)
        assert cfg["width"] == cfg.width == 8


class Spaces(Layers):
    def __init__(self, args: Namespace):
        super().__init__(args.inner.depth)


class Dictionary(Layers):
    def __init__(self, config: dict[str, Any]):
        assert type(config) is dict
        super().__init__(config["inner"]["depth"])


class Named(Layers):
    def __init__(self, row: Row):
        super().__init__(row.depth)


class Uses(Layers):
    def __init__(
        self,
        block: Type[nn.Module] = Layers,
        norm: Optional[Callable[..., nn.Module]] = None,
        act=nn.ReLU,
        dtype: torch.dtype = torch.float32,
        kind: Literal["a", "b"] = "a",
        foreign: Missing = None,
        sizes: list[int] = [8],
        weights: Optional[str] = "imagenet",
        old="imagenet",
        mode="none",
        many: Union[str, None, bool] = True,
    ):
        super().__init__(1)
        self.norm = (norm or nn.BatchNorm1d)(8)
        self.act, self.dtype, self.seen = act(), dtype, (kind, sizes, weights, old, mode, many)

    def forward(self, x):
        return self.act(self.norm(super().forward(x)))


class Sub(Uses):
    def __init__(self, **kwargs):
        super().__init__(kind="b", **kwargs)


def pair(depth: int = 3):
    return Layers(depth), lambda x: x


def held():
    return {"model": Layers(2), "optimizer": None}


def two():
    return Layers(1), Layers(2)


def positional(depth, /, width=8):
    return Layers(depth)


partial = functools.partial(Layers, 4)
'''

CONF = "width: 8\ninner: {depth: 2, act: gelu}\nrate: 1e-5\nsizes: [1, 2]\n"


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "conf.yaml").write_text(CONF)
    (tmp_path / "conf.json").write_text('{"width": 8, "inner": {"depth": 3, "act": "GELU"}}')
    (tmp_path / "conf.toml").write_text("width = 8\n[inner]\ndepth = 4\n")
    (tmp_path / "bad.json").write_text('{"width": 8, "dpth": 3}')
    (tmp_path / "broken.json").write_text("[1")
    (tmp_path / "broken.yaml").write_text("a: [b")
    nine = [f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]" for i in range(1, 9)]
    (tmp_path / "laughs.yaml").write_text("\n".join(["a0: &a0 [x, x]", *nine]))


def layers(reference):
    return cnninspect.summarize(f"net.py:{reference}", [(1, 8)]).totals.macs // 64


@pytest.mark.parametrize(
    ("reference", "depth"),
    [
        ("Net@config=conf.yaml", 2),
        ("Net@config=conf.json", 3),
        ("Net@config=conf.toml", 4),
        ("Net@config={width: 8}", 1),
        ("Net@config={width: 8, inner: {depth: 4}}", 4),
        ("Net@config.width=8,config.inner.depth=5", 5),
        ("Net@config=conf.yaml,config.inner.depth=5,head=3", 5),
        ("Net.from_yaml@path=conf.yaml", 1),
        ("Net.from_dict@data=conf.json", 3),
        ("Either@cfg=conf.yaml", 2),
        ("Either@cfg={width: 8, inner: {depth: 6}}", 6),
        ("Either@cfg.width=8,cfg.inner.depth=2", 2),
        ("Spaces@args=conf.json", 3),
        ("Dictionary@config=conf.yaml", 2),
        ("Named@row={width: 8}", 2),
        ("pair", 3),
        ("pair@depth=5", 5),
        ("held", 2),
        ("positional@depth=2", 2),
        ("partial", 4),
    ],
)
def test_a_configuration_is_built_as_the_annotation_says(reference, depth):
    assert layers(reference) == depth


@pytest.mark.parametrize(
    ("reference", "kind", "says"),
    [
        ("Net@config=bad.json", UnknownSetting, "config has no setting 'dpth'"),
        ("Net@config.widht=8", UnknownSetting, "no setting 'widht'"),
        ("Net@config.rate=1", BadSetting, "config.rate=1"),
        ("Net@config={width: wide}", BadSetting, "not possible"),
        ("Net@config=broken.json", FileUnreadable, "broken.json"),
        ("Net@config=broken.yaml", FileUnreadable, "broken.yaml"),
        ("Net@config=laughs.yaml", FileUnreadable, "more than 1,000,000 values"),
        ("Net@config=gone.yaml", FileMissing, "gone.yaml"),
        ("Net.from_ymal@path=conf.yaml", UnknownModel, "from_ymal"),
        ("two", BuildFailed, "returns 2 networks"),
        ("Uses@norm=torch.nn.LayerNrom", BadSetting, "LayerNrom"),
        ("Uses@kind=c", BadSetting, "kind=c"),
        ("Sub@wrong=3", UnknownSetting, "'wrong'"),
    ],
)
def test_what_does_not_fit_is_one_error(reference, kind, says):
    with pytest.raises(kind, match=says) as caught:
        layers(reference)
    assert "\n" not in str(caught.value)


def test_hints_name_what_was_meant():
    with pytest.raises(UnknownModel) as caught:
        layers("Net.from_ymal@path=conf.yaml")
    assert caught.value.hint.startswith("did you mean Net.from_yaml")
    with pytest.raises(BadSetting) as refused:
        layers("Uses@norm=torch.nn.LayerNrom")
    assert "LayerNorm" in refused.value.hint


@pytest.mark.parametrize(
    ("setting", "type_name"),
    [
        ("norm=torch.nn.LayerNorm", "LayerNorm"),
        ("norm=nn.LayerNorm", "LayerNorm"),
        ("norm=LayerNorm", "LayerNorm"),
        ("act=GELU", "GELU"),
        ("act=torch.nn.SiLU", "SiLU"),
        ("block=Net,act=Tanh", "Tanh"),
    ],
)
@pytest.mark.parametrize("name", ["Uses", "Sub"])
def test_a_class_is_a_value(name, setting, type_name):
    report = cnninspect.summarize(f"net.py:{name}@{setting}", [(2, 8)])
    assert type_name in [layer.type for layer in report.layers]


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ("weights=none", ("a", [8], None, "imagenet", "none", True)),
        ("weights=None,old=None", ("a", [8], None, None, "none", True)),
        ("mode=none", ("a", [8], "imagenet", "imagenet", "none", True)),
        ("many=none", ("a", [8], "imagenet", "imagenet", "none", None)),
        ("many=false,kind=B", ("b", [8], "imagenet", "imagenet", "none", False)),
        ("many=text,sizes=(1,2)", ("a", [1, 2], "imagenet", "imagenet", "none", "text")),
        ("weights=10,sizes=2x2", ("a", [2, 2], "10", "imagenet", "none", True)),
    ],
)
def test_a_value_is_what_the_annotation_allows(tmp_path, settings, seen):
    (tmp_path / "see.py").write_text(
        f"{NET}\nclass See(Uses):\n    def forward(self, x):\n        assert self.seen == "
        f"{seen!r}, self.seen\n        return super().forward(x)\n"
    )
    cnninspect.summarize(f"see.py:See@{settings}", [(2, 8)])


LAZY = """
def __getattr__(name):
    if name == "Net":
        from torch import nn
        return lambda width=8: nn.Linear(8, width)
    if name == "Heavy":
        raise RuntimeError("cannot import the heavy part")
    if name == "Broken":
        raise ModuleNotFoundError("No module named 'gone'")
    if name == "Nested":
        import sys
        return sys.nowhere
    raise AttributeError(name)
"""


def test_packages_that_import_on_access(tmp_path):
    (tmp_path / "lazypkg").mkdir()
    (tmp_path / "lazypkg" / "__init__.py").write_text(textwrap.dedent(LAZY))
    assert cnninspect.summarize("lazypkg:Net@width=3", [(1, 8)]).totals.macs == 24
    for name, says in (("Heavy", "heavy part"), ("Broken", "gone"), ("Nested", "nowhere")):
        with pytest.raises(BuildFailed, match=f"importing {name} raises .*{says}"):
            cnninspect.summarize(f"lazypkg:{name}")
    with pytest.raises(UnknownModel, match="Other"):
        cnninspect.summarize("lazypkg:Other")


def test_a_model_of_transformers_by_its_class_and_configuration(tmp_path):
    pytest.importorskip("transformers")
    content = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
               "intermediate_size": 32, "vocab_size": 50}  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(content))
    with pytest.raises(CnnInspectError, match="it must be told config"):
        cnninspect.summarize("transformers:BertModel")
    report = cnninspect.summarize(
        "transformers:BertModel@config=config.json", {"input_ids": (1, 4)}
    )
    assert report.totals.macs == 4 * (4 * 16 * 16 + 2 * 4 * 16 + 2 * 16 * 32) + 16 * 16


def test_a_large_file_of_yaml_is_refused_before_it_is_parsed(tmp_path):
    pytest.importorskip("yaml")
    from cnninspect.sources.config_objects import read_configuration

    path = tmp_path / "c.yaml"
    path.write_text("#" * (2**20 + 1))
    with pytest.raises(FileUnreadable, match="characters of YAML"):
        read_configuration(str(path))
