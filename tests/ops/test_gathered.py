"""Rows of all threads of a team: the loss that compares them is that of one thread, and so is its gradient."""

import numpy as np
import pytest

from minivit import Tensor, gradcheck, ops
from minivit.backend import asnumpy, to_device
from minivit.nn import Parameter
from minivit.train import Threads


def info_nce(weight, x, place):
    """Each row is to find its own place among all rows of the batch."""
    codes = Tensor(x) @ weight
    return ops.cross_entropy(codes @ ops.gathered(codes).T, place)


@pytest.mark.parametrize("threads", [2, 3, 4])
def test_a_loss_over_all_pairs_is_the_same_for_any_number_of_threads(rng, threads):
    x, weight = rng.standard_normal((7, 5)), Parameter((5, 3), lambda _, shape: rng.standard_normal(shape))

    def computed(count):
        with Threads(count) as team:
            loss, _ = team.gradients(lambda x, place: (info_nce(weight, x, place), {}), [weight], x, np.arange(7),
                                     seed=(0,))
        return loss, weight.grad
    alone, shared = computed(1), computed(threads)
    assert shared[0] == pytest.approx(alone[0], rel=1e-12)
    np.testing.assert_allclose(shared[1], alone[1], rtol=1e-9, atol=1e-12)


def test_alone_it_is_the_identity_and_its_gradient_too(rng, device):
    x = rng.standard_normal((4, 3))
    on_device = Tensor(to_device(x, device))
    np.testing.assert_array_equal(asnumpy(ops.gathered(on_device).data), x)
    assert gradcheck(lambda t: ops.gathered(t) * 2, x, rng=rng) < 1e-9
