"""What a process remembers of layouts has a bound, and forgetting changes no answer."""

import pytest

import cnninspect
from cnninspect.engine import layouts


@pytest.fixture(autouse=True)
def no_run_is_under_way() -> None:
    """Forgets the tensors of runs that other tests made by hand and did not end."""
    layouts.MADE.clear()


def test_layouts_are_forgotten_between_runs_and_answers_stay(monkeypatch: pytest.MonkeyPatch):
    sizes = range(28, 44)
    expected = [cnninspect.trace("lenet5", batch=n) for n in sizes]
    most = 40
    monkeypatch.setattr(layouts, "MOST_LAYOUTS", most)
    kept = []
    for batch, before in zip(sizes, expected):
        after = cnninspect.trace("lenet5", batch=batch)
        assert (after.calls, after.layers) == (before.calls, before.layers)
        kept.append(len(layouts.LAYOUTS))
    assert max(kept) < 2 * most
    assert min(kept[1:]) < most, "nothing was forgotten"


def test_layouts_are_kept_while_a_tensor_of_a_run_names_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(layouts, "MOST_LAYOUTS", 0)
    from weakref import ref

    import torch

    tensor = torch.empty(1)
    layouts.number_of(((1,), (1,), torch.float32))
    layouts.MADE.append(ref(tensor))
    layouts.forget_layouts()
    assert layouts.LAYOUTS
    del tensor
    layouts.forget_layouts()
    assert not layouts.LAYOUTS
