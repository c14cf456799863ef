"""What holds for every test: no network, no terminal, one thread, the same random cases."""

import os
import random
import socket
import sys
from collections.abc import Iterator

import pytest
from hypothesis import settings

# Before torch is first imported: small tensors are slower on many threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
# Any of these makes rich or typer believe in a terminal, or in a width of its own.
for name in ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS", "NO_COLOR", "TERMINAL_WIDTH", "COLUMNS"):
    os.environ.pop(name, None)

# The same cases on every machine and in every run; no case has to be quick.
settings.register_profile("gate", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("gate")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--rewrite-docs",
        action="store_true",
        help="write what the commands in README.md and docs/ print today into those files",
    )
    parser.addoption(
        "--rewrite-golden",
        action="store_true",
        help="write what is rendered today into the golden files",
    )
    parser.addoption(
        "--every-line", action="store_true", help="interrupt a run at every line, not at a sample"
    )
    parser.addoption(
        "--every-place",
        action="store_true",
        help="hide what a network keeps in every place, for every question, not in a sample",
    )
    parser.addoption(
        "--campaign", type=int, default=0, help="try so many damaged files, as tests/fuzz says"
    )
    parser.addoption("--shuffle", type=int, help="another order of files and of tests, by a seed")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--shuffle`, no test may lean on what an earlier one has left behind."""
    seed = config.getoption("--shuffle")
    if seed is not None:
        draw = random.Random(seed)
        files = {item.path: draw.random() for item in items}
        items.sort(key=lambda item: (files[item.path], draw.random()))


@pytest.fixture(scope="session")
def rewrite_docs(pytestconfig: pytest.Config) -> bool:
    """Whether documents are to be rewritten, not compared."""
    return bool(pytestconfig.getoption("--rewrite-docs"))


@pytest.fixture(scope="session")
def rewrite_golden(pytestconfig: pytest.Config) -> bool:
    """Whether golden files are to be rewritten, not compared."""
    return bool(pytestconfig.getoption("--rewrite-golden"))


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keeps what is remembered out of the cache folder of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CNNINSPECT_CACHE", str(tmp_path_factory.mktemp("cache")))
        # What one test has traced must not be what another one is told.
        patch.setenv("CNNINSPECT_FRESH", "1")
        yield


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Lets no test reach another machine."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            raise AssertionError(f"a test tried to connect to {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", local_only)
        yield


@pytest.fixture(scope="session")
def image_libraries() -> None:
    """Imports torchvision and timm, also where torchvision's compiled part does not load."""
    from importlib.util import find_spec

    if find_spec("torchvision") is None or find_spec("timm") is None:
        pytest.skip("torchvision or timm is not installed")
    from cnninspect.sources.torchvision_schemas import import_torchvision

    import_torchvision()


@pytest.fixture(autouse=True)
def pytorch_is_left_alone() -> Iterator[None]:
    """Blames the test that leaves PyTorch changed, not a later one that fails of it."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        has_gradients = torch.is_grad_enabled()
        torch.set_grad_enabled(True)
        assert has_gradients, "gradients are switched off"
        assert isinstance(torch.cuda.Stream, type), "torch.cuda has other functions"


@pytest.fixture(autouse=True)
def no_formulas_of_other_tests() -> Iterator[None]:
    """Takes away the formulas that a test, or an example of a document, has registered."""
    from cnninspect.costs import BUILT_IN, registry

    yield
    tables = (registry._counted, registry._free, registry._unknown)
    if sum(map(len, tables)) > len(BUILT_IN):
        for table in tables:
            for name in table.keys() - BUILT_IN:
                del table[name]
