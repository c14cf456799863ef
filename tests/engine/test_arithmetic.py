"""Layouts by plain arithmetic are those of a run that computes, or None."""

import subprocess
import sys

import pytest
import torch
from torch.ops import aten

from cnninspect.engine.shape_rules import ARITHMETIC


def new(*shape, dtype=torch.float32):
    return torch.zeros(shape, dtype=dtype)


X = new(2, 6, 9, 11)
CHANNELS_LAST = X.to(memory_format=torch.channels_last)
PER_CHANNEL = [new(6) for _ in range(4)]

PLAIN = [
    (aten.convolution.default,
     (X, new(4, 6, 3, 2), None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)),
    (aten.convolution.default,
     (X, new(9, 2, 3, 3), new(9), [2, 3], [1, 2], [2, 1], False, [0, 0], 3)),
    (aten.convolution.default, (new(1, 4, 50), new(8, 4, 5), None, [3], [4], [2], False, [0], 1)),
    (aten.convolution.default,
     (new(1, 2, 5, 6, 7), new(3, 2, 1, 2, 3), None, [1] * 3, [0] * 3, [1] * 3, False, [0] * 3, 1)),
    (aten.native_batch_norm.default, (X, *PER_CHANNEL, False, 0.1, 1e-5)),
    (aten.native_batch_norm.default, (X, *PER_CHANNEL, True, 0.1, 1e-5)),
    (aten.native_batch_norm.default, (new(5, 6), None, None, *PER_CHANNEL[2:], False, 0.1, 1e-5)),
    (aten._native_batch_norm_legit_no_training.default, (X, *PER_CHANNEL, 0.1, 1e-5)),
    (aten.addmm.default, (new(7), new(3, 5), new(7, 5).t())),
    (aten.mm.default, (new(3, 5), new(7, 5).t())),
    (aten.bmm.default, (new(2, 3, 5), new(2, 5, 4))),
    (aten.bmm.default, (new(2, 3, 5), new(2, 4, 5).transpose(1, 2))),
    (aten.native_layer_norm.default, (X, [11], new(11), new(11), 1e-5)),
    (aten.native_layer_norm.default, (X, [9, 11], None, None, 1e-5)),
    (aten._softmax.default, (X, -1, False)),
    (aten._log_softmax.default, (X, 1, False)),
    (aten.clone.default, (X,)),
    (aten._unsafe_view.default, (X, [12, 99])),
    (aten.embedding.default, (new(7, 4), torch.zeros(2, 3, dtype=torch.int64), 0)),
    (aten.relu.default, (X,)),
    (aten.silu.default, (new(3, dtype=torch.bfloat16),)),
    (aten.gelu.default, (new(1, 1, 4),)),
    (aten.sigmoid.default, (new(),)),
    (aten.clamp.default, (X, 0, 6)),
    (aten.hardtanh.default, (X, 0.0, 6.0)),
    (aten.leaky_relu.default, (X, 0.1)),
    (aten.elu.default, (X,)),
    (aten.softplus.default, (X,)),
    (aten.add.Tensor, (X, new(2, 6, 9, 11))),
    (aten.sub.Tensor, (new(4, dtype=torch.float16), new(4, dtype=torch.float16))),
    (aten.mul.Tensor, (new(1, 5, 1, 1), new(1, 5, 1, 1))),
    (aten.mul.Tensor, (X, new(2, 6, 1, 1))),
    (aten.mul.Tensor, (new(9, 1), X)),
    (aten.add.Tensor, (new(1, 1, 1, 1), new(1, 1))),
    (aten.mul.Scalar, (X, 2)),
    (aten.div.Tensor, (X, 3.5)),
    (aten.rsub.Scalar, (X, 1)),
    (aten.div.Scalar, (new(2, 6, 1, 1).expand(2, 6, 9, 11), 99)),
    (aten.neg.default, (new(3, 1, 5).expand(3, 4, 5),)),
    (aten.relu.default, (X[:, :4, 2:5, ::2],)),
    (aten.mul.Tensor, (new(5).expand(2, 3, 5), new(3, 1).expand(2, 3, 5))),
    (aten.add.Tensor, (new(2, 1, 5).expand(2, 3, 5), X[0, 0, 0, :5])),
    (aten.pow.Tensor_Scalar, (X, 0.75)),
    (aten.mul.Tensor, (X, new(2, 1, 1, 1, dtype=torch.bool))),
    (aten.ge.Scalar, (X, 0.5)),
    (aten.eq.Tensor, (X, new(6, 1, 1))),
    (aten.threshold_backward.default, (new(2, 6, 1, 1).expand(2, 6, 9, 11), X, 0)),
    (aten.gelu_backward.default, (X, X)),
    (aten.native_batch_norm_backward.default,
     (X, X, new(6), new(6), new(6), new(6), new(6), True, 1e-5, [True] * 3)),
    (aten.native_batch_norm_backward.default,
     (X, X, new(6), new(6), new(6), new(0), new(0), False, 1e-5, [True] * 3)),
    (aten.native_batch_norm_backward.default,
     (X, X, new(6), new(6), new(6), new(6), new(6), True, 1e-5, [True, True, False])),
    (aten.native_batch_norm_backward.default,
     (X, X, new(6), new(6), new(6), new(0), new(0), False, 1e-5, [False, True, True])),
    (aten.native_batch_norm_backward.default,
     (X, X, None, new(6), new(6), new(0), new(0), False, 1e-5, [True, False, False])),
    (aten.native_group_norm.default, (X, new(6), new(6), 2, 6, 99, 3, 1e-5)),
    (aten.native_group_norm.default, (new(2, 6), None, None, 2, 6, 1, 2, 1e-5)),
    (aten.native_group_norm_backward.default,
     (X, X, new(2, 3), new(2, 3), new(6), 2, 6, 99, 3, [True] * 3)),
    (aten.native_group_norm_backward.default,
     (X, X, new(2, 3), new(2, 3), None, 2, 6, 99, 3, [True, False, False])),
    (aten.native_layer_norm_backward.default,
     (X, X, [9, 11], new(2, 6, 1, 1), new(2, 6, 1, 1), new(9, 11), new(9, 11), [True] * 3)),
    (aten.native_layer_norm_backward.default,
     (X, X, [11], new(2, 6, 9, 1), new(2, 6, 9, 1), new(11), None, [False, True, False])),
    (aten.empty_like.default, (X,)),
    (aten.full_like.default, (X, 3)),
    (aten.stack.default, ([X, X, X],)),
    (aten.stack.default, ([new(4), new(4)], -1)),
    (aten.cat.default, ([X, new(2, 3, 9, 11), X], 1)),
    (aten.cat.default, ([new(1, 4), new(1, 2)], -1)),
    (aten.cat.default, ([new(3, 1, 1), new(2, 1, 1)],)),
    (aten.max_pool2d_with_indices.default, (X, [3, 3], [2, 2], [1, 1])),
    (aten.max_pool2d_with_indices.default, (X, [2], [], 0, 1, True)),
    (aten.max_pool2d_with_indices.default, (X, [3, 2], [2, 3], [1, 0], [2, 1], True)),
    (aten.max_pool2d_with_indices.default, (new(1, 1, 2, 2), [2, 2], [3, 3], [1, 1], [1, 1], True)),
    (aten.avg_pool2d.default, (X, [2, 2])),
    (aten.avg_pool2d.default, (X, [3, 3], [2, 2], [1, 1], True, False)),
    (aten.max_pool3d_with_indices.default, (new(1, 2, 4, 5, 6), [2, 2, 2], [1, 2, 2])),
    (aten.avg_pool3d.default, (new(1, 1, 9, 5, 5), [5, 1, 1], [1, 1, 1])),
    (aten._adaptive_avg_pool2d.default, (X, [7, 3])),
    (aten.mean.dim, (X, [-1, -2], True)),
    (aten.sum.dim_IntList, (X, [1, 3])),
    (aten.amax.default, (new(1, 16, 2, 3, 3), [2])),
    (aten.mean.dim, (X, [2, 3])),
    (aten.mean.dim, (new(4, 1, 1, 1), [3, 2, 1])),
    (aten.mean.dim, (new(1, 6, 1, 1), [-1, -2], True)),
]  # fmt: skip

NOT_PLAIN = [
    (aten.relu.default, (CHANNELS_LAST,)),
    (aten.relu.default, (new(2, 0),)),
    (aten.relu.default, (new(2, dtype=torch.int64),)),
    (aten.clamp.Tensor, (X, new(9, 1))),
    (aten.add.Tensor, (X, CHANNELS_LAST)),
    (aten.add.Tensor, (new(3, 1), new(1, 4))),
    (aten.add.Tensor, (X, new())),
    (aten.add.Tensor, (X, new(2, 6, 9, 11, dtype=torch.float64))),
    (aten.add.Tensor, (new(2), new(2, dtype=torch.complex64))),
    (aten.mul.Scalar, (X, 2j)),
    (aten.pow.Scalar, (2.0, X)),
    (aten.native_batch_norm_backward.default,
     (X, X, None, new(6), new(6), new(6), new(6), True, 1e-5, [True] * 3)),
    (aten.native_group_norm.default, (CHANNELS_LAST, new(6), new(6), 2, 6, 99, 3, 1e-5)),
    (aten.native_layer_norm_backward.default,
     (X, X, [11], new(2, 6, 9, 1), new(2, 6, 9, 1), None, None, [True] * 3)),
    (aten.stack.default, ([X, CHANNELS_LAST],)),
    (aten.zeros_like.default, (CHANNELS_LAST,)),
    (aten.ge.Tensor, (X, CHANNELS_LAST)),
    (aten.mul.Tensor, (new(2, dtype=torch.bool), X[0, 0, 0, :2])),
    (aten.cat.default, ([X, CHANNELS_LAST], 1)),
    (aten.cat.default, ([new(2, 3), new(2, 3, dtype=torch.float64)], 1)),
    (aten.cat.default, ([new(0), new(2, 3)], 1)),
    (aten.convolution.default,
     (CHANNELS_LAST, new(4, 6, 3, 2), None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)),
    (aten.max_pool2d_with_indices.default, (CHANNELS_LAST, [3, 3])),
    (aten.max_pool2d_with_indices.default, (new(6, 9, 9), [3, 3])),
    (aten.avg_pool2d.default, (X, [30, 30])),
    (aten.mean.default, (X,)),
    (aten.mean.dim, (X, [])),
    (aten.sum.dim_IntList, (new(2, dtype=torch.int32), [0])),
]  # fmt: skip


def described(case):
    return f"{case[0]}-{'-'.join(str(getattr(a, 'shape', a)) for a in case[1])}"


def by_arithmetic(operator, args):
    return ARITHMETIC[f"aten.{operator.overloadpacket.__name__}"](*args)


def by_pytorch(operator, args):
    result = operator(*args)
    tensors = result if isinstance(result, tuple) else (result,)
    return tuple(t if t is None else (tuple(t.shape), t.stride(), t.dtype) for t in tensors)


@pytest.mark.parametrize("case", PLAIN, ids=described)
def test_the_layout_is_that_of_pytorch(case):
    assert by_arithmetic(*case) == by_pytorch(*case)


@pytest.mark.parametrize("case", NOT_PLAIN, ids=described)
def test_what_is_not_plain_is_left_to_pytorch(case):
    assert by_arithmetic(*case) is None


def test_every_operator_of_the_table_exists():
    for name in ARITHMETIC:
        assert hasattr(aten, name.removeprefix("aten."))


def test_every_function_of_one_tensor_keeps_its_layout():
    from cnninspect.engine.shape_rules import ELEMENTWISE, of_one_tensor

    for name, function in ELEMENTWISE.items():
        if function is of_one_tensor:
            args = (X, 0.0) if "clamp" in name else (X,)
            operator = getattr(aten, name.removeprefix("aten.")).default
            assert by_pytorch(operator, args) == by_arithmetic(operator, args)


@pytest.mark.parametrize(
    "model", ["resnet34", "densenet121", "se_resnet18", "zfnet", "efficientnet_b0"]
)
def test_tracing_a_network_of_images_does_not_import_the_compiler(model):
    code = f"import sys, cnninspect; cnninspect.trace('{model}'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch._dynamo", "sympy"} & set(done.stdout.split())


NORMS = """
import sys, cnninspect
from torch import nn
for norm in (nn.BatchNorm2d(8), nn.BatchNorm2d(8, affine=False), nn.GroupNorm(2, 8),
             nn.BatchNorm2d(8).requires_grad_(False), nn.LayerNorm([8, 6, 6]),
             nn.InstanceNorm2d(8, affine=True)):
    for first in (nn.Identity(), nn.Conv2d(8, 8, 1)):
        for mode in ("train", "eval"):
            net = nn.Sequential(first, norm, nn.Conv2d(8, 2, 1))
            cnninspect.memory(net, (2, 8, 6, 6), mode=mode)
            assert "torch._dynamo" not in sys.modules, (norm, first, mode)
"""


def test_nor_does_the_backward_pass_of_any_norm_in_any_mode():
    subprocess.run([sys.executable, "-c", NORMS], check=True)


@pytest.mark.parametrize("model", ["resnet34", "densenet121", "efficientnet_b0", "lstm"])
def test_nor_does_tracing_a_training_step(model):
    code = f"import sys, cnninspect; cnninspect.memory('{model}'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch._dynamo" not in done.stdout.split()
