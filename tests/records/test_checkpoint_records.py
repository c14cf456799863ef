from cnninspect.records.checkpoint import Checkpoint, Misshaped, StoredTensor, WeightsReport
from cnninspect.records.operations import TensorSpec


def tensor(name, shape, *, shares_with=None):
    spec = TensorSpec(shape)
    return StoredTensor(name, spec, spec.nbytes, "data", 0, (1,) * len(shape), shares_with)


def test_a_checkpoint_as_plain_data_has_its_totals():
    tensors = (tensor("a", (2, 3)), tensor("b", (2, 3), shares_with="a"), tensor("c", ()))
    data = Checkpoint("w.pth", "pytorch zip", tensors, metadata=(("epoch", "3"),)).to_dict()
    assert data["schema"] == "cnninspect.checkpoint/1"
    assert data["totals"] == {"tensors": 3, "elements": 7, "tensor_bytes": 28}
    assert data["metadata"] == [["epoch", "3"]]
    assert data["tensors"][1] == {
        "name": "b",
        "spec": {"shape": [2, 3], "dtype": "float32"},
        "nbytes": 24,
        "storage": "data",
        "offset": 0,
        "stride": [1, 1],
        "shares_with": "a",
    }


def test_weights_fit_where_nothing_is_left_over():
    assert WeightsReport("w", 3).fits
    assert not WeightsReport("w", 3, missing=("a",)).fits
    assert not WeightsReport("w", 3, unexpected=("a",)).fits
    assert not WeightsReport("w", 3, misshaped=(Misshaped("a", (1,), (2,)),)).fits
