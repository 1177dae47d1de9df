"""Normalisation: against PyTorch, against the same composed of basic operations, and what is refused."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, check


def torch_layer_norm(torch, x, w=None, b=None):
    return torch.nn.functional.layer_norm(x, x.shape[-1:], w, b, 1e-6)


def torch_rms_norm(torch, x, w=None):
    return torch.nn.functional.rms_norm(x, x.shape[-1:], w, 1e-6)


def torch_group_norm(groups):
    def group_norm(torch, x, w=None, b=None):
        return torch.nn.functional.group_norm(x.movedim(-1, 1), groups, w, b, 1e-5).movedim(1, -1)
    return group_norm


CASES = [
    Case(ops.layer_norm, (3, 4, 8), (8,), (8,), eps=1e-6, torch=torch_layer_norm),
    Case(ops.layer_norm, (5, 6), eps=1e-6, torch=torch_layer_norm),
    Case(ops.layer_norm, (5, 6), (6,), eps=1e-6, torch=torch_layer_norm),
    Case(ops.layer_norm, (5, 6), None, (6,), eps=1e-6, torch=torch_layer_norm),
    Case(ops.rms_norm, (3, 4, 8), (8,), eps=1e-6, torch=torch_rms_norm),
    Case(ops.rms_norm, (5, 6), eps=1e-6, torch=torch_rms_norm),
    Case(ops.group_norm, (2, 3, 4, 6), (6,), (6,), groups=3, eps=1e-5, torch=torch_group_norm(3)),
    Case(ops.group_norm, (3, 5, 4), (4,), groups=1, eps=1e-5, torch=torch_group_norm(1)),
    Case(ops.l2_normalise, (3, 4, 8), torch=lambda torch, x: torch.nn.functional.normalize(x, dim=-1)),
    Case(ops.l2_normalise, (3, 4, 8), axis=1, torch=lambda torch, x: torch.nn.functional.normalize(x, dim=1)),
    Case(ops.l2_normalise, (3, 4), eps=9.0, torch=lambda torch, x: torch.nn.functional.normalize(x, dim=-1, eps=9.0)),
    Case(ops.group_norm, (3, 5, 4), None, (4,), groups=2, eps=1e-5, torch=lambda torch, x, _, b: torch_group_norm(2)(
        torch, x) + b),
    Case(ops.group_norm, (2, 7, 4), groups=2, eps=1e-5, torch=torch_group_norm(2)),
]


def test_op(case, device):
    check(case, device)


def composed(x, w, b, eps):
    centred = x - x.mean(-1, keepdims=True)
    return centred / ops.sqrt((centred * centred).mean(-1, keepdims=True) + eps) * w + b


def test_the_fused_layer_norm_is_the_composed_one_in_several_pieces(rng):
    arrays = rng.standard_normal((700, 100)), rng.standard_normal(100), rng.standard_normal(100)
    tensors = [Tensor(a.astype(np.float32), requires_grad=True) for a in arrays]
    fused, plain = ops.layer_norm(*tensors, eps=1e-6), composed(*tensors, eps=1e-6)
    np.testing.assert_allclose(fused.numpy(), plain.numpy(), atol=2e-6)
    weights = rng.standard_normal((700, 100)).astype(np.float32)
    for a, b in zip(grad((fused * weights).sum(), tensors), grad((plain * weights).sum(), tensors), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * np.abs(b).max())


def test_a_large_mean_costs_no_digits_of_the_variance():
    x = (1e4 + np.arange(64.0)).astype(np.float32)[None]
    expected = (np.arange(64) - 31.5) / np.arange(64).std()
    np.testing.assert_allclose(ops.layer_norm(x, eps=0).numpy()[0], expected, atol=1e-4)


def test_l2_normalise_of_0_is_0():
    x = Tensor(np.zeros((1, 3)), requires_grad=True)
    y = ops.l2_normalise(x)
    assert (y.data == 0).all()
    assert np.isfinite(grad(y.sum(), [x])[0]).all()


@pytest.mark.parametrize("shape", [(3, 0), (2, 0, 4)])
def test_axes_of_length_0(shape):
    with np.errstate(all="raise"):
        for y in (ops.layer_norm(np.zeros(shape), eps=1e-6), ops.rms_norm(np.zeros(shape), eps=1e-6)):
            assert y.shape == shape
        if shape[-1]:
            assert ops.group_norm(np.zeros(shape), groups=2, eps=1e-5).shape == shape


def test_wrong_shapes_are_refused_with_numbers():
    x, w = np.zeros((2, 4), np.float32), np.ones(3, np.float32)
    with pytest.raises(ValueError, match=r"layer_norm: x \(2, 4\) needs a weight of shape \(4,\), got \(3,\)"):
        ops.layer_norm(x, w, eps=1e-6)
    with pytest.raises(ValueError, match="group_norm: 4 channels are not divisible into 3 groups"):
        ops.group_norm(x, groups=3, eps=1e-5)
