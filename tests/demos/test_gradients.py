"""The demo of gradients by depth measures what lesson 04 measures, on blocks that are those of the ViT."""

import numpy as np
import pytest

from minivit import create
from minivit.data.shapes10 import load_shapes10
from minivit.demos.gradients import BATCH, DIM, STEPS, WIRINGS, deep_model, gradient_norms, training
from minivit.engine import Tensor
from minivit.ops import cross_entropy


@pytest.fixture(scope="module")
def batch():
    """Pictures and labels of one batch."""
    pictures, _ = load_shapes10(train=BATCH, test=0)
    return pictures.images.astype(np.float32) / 128 - 1, pictures.labels


def test_pre_norm_blocks_are_those_of_the_vit(batch):
    ours = deep_model("pre-norm", 3)
    theirs = create("vit", "cifar", patch_size=8, dim=DIM, depth=3, heads=2, seed=0)
    assert np.allclose(ours(Tensor(batch[0])).data, theirs(Tensor(batch[0])).data, atol=1e-6)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_norms_are_those_of_backward(wiring, batch):
    model = deep_model(wiring, 3)
    norms, _ = gradient_norms(model, *batch)
    cross_entropy(model(Tensor(batch[0])), batch[1]).backward()
    expected = [np.sqrt(sum((p.grad.astype(np.float64) ** 2).sum() for p in block.parameters() if p.grad is not None))
                for block in model.blocks]  # the norms of blocks without norms get no gradient
    assert np.allclose(norms, expected, rtol=1e-4)


def test_without_a_residual_path_less_gradient_arrives_with_every_block(batch):
    norms, _ = gradient_norms(deep_model("plain", 12), *batch)
    assert norms[0] < 1e-6 * norms[-1]
    norms, _ = gradient_norms(deep_model("pre-norm", 12), *batch)
    assert norms.max() < 10 * norms.min()


def test_a_run_has_norms_for_each_step_that_is_shown():
    pictures, _ = load_shapes10(train=BATCH * (STEPS[-1] + 2), test=0)
    norms, losses = training("pre-norm", 2, pictures)
    assert norms.shape == (len(STEPS), 2)
    assert losses.shape == (len(STEPS),)
    assert np.isfinite(norms).all()
    assert len(np.unique(losses)) == len(STEPS)
