"""Non-local blocks against loops straight from the paper's formulas, and what they add to a ResNet."""

import math

import numpy as np
import pytest

import minivit
from minivit import nn
from minivit.models.non_local import Concatenation, DotProduct, Gaussian, NonLocal, NonLocalCIFAR
from minivit.models.resnet import BasicBlock, ResNetCIFAR
from tests.slopes import assert_gradients_are_slopes

FORMS = [NonLocal, Gaussian, DotProduct, Concatenation]
SMALL = dict(width=8, num_classes=5)


def drawn(make, *args, **settings):
    """In float64 with weights none of which is special."""
    block, rng = make(*args, **settings).astype(np.float64), np.random.default_rng(7)
    for name, x in block.named_parameters() + block.named_buffers():
        x.data = np.exp(0.3 * rng.standard_normal(x.shape)) if name.endswith("running_var") else rng.standard_normal(
            x.shape) / math.sqrt(max(1, math.prod(x.shape[:-1])))
    return block


def slow_pool(x, size):
    """The largest of size x size neighbours, channel by channel; what is left over is left out."""
    H, W, C = x.shape
    return [np.array([max(x[y + i, column + j, c] for i in range(size) for j in range(size)) for c in range(C)])
            for y in range(0, H - size + 1, size) for column in range(0, W - size + 1, size)]


def pair(form, p, x, place):
    """f(x_i, x_j), of one place and another (eq. 2 to 5)."""
    if form is Gaussian:
        return math.exp(x @ place / math.sqrt(len(x)))
    theta, phi = x @ p["theta.weight"] + p["theta.bias"], place @ p["phi.weight"] + p["phi.bias"]
    if form is NonLocal:
        return math.exp(theta @ phi / math.sqrt(len(theta)))
    if form is DotProduct:
        return theta @ phi
    w = np.concatenate([p["of_query.weight"], p["of_place.weight"]])
    return max(0.0, (np.concatenate([theta, phi]) @ w)[0])


def slow_y(form, p, image, pool):
    """y of every place of one map (eq. 1).    (H, W, C) -> (H, W, c)"""
    places, made = slow_pool(image, pool), np.zeros((*image.shape[:2], p["g.bias"].size))
    for y, column in np.ndindex(*image.shape[:2]):
        shares = [pair(form, p, image[y, column], place) for place in places]
        divisor = sum(shares) if form in (NonLocal, Gaussian) else len(places)
        made[y, column] = sum(share / divisor * (place @ p["g.weight"] + p["g.bias"])
                              for share, place in zip(shares, places, strict=True))
    return made


def slow(form, p, images, *, pool, training):
    """z (eq. 6), with the statistics of the batch in training."""
    made = np.array([slow_y(form, p, image, pool) for image in images]) @ p["out.linear.weight"]
    mean, var = p["out.norm.running_mean"], p["out.norm.running_var"]
    if training:
        mean, var = made.mean(axis=(0, 1, 2)), made.var(axis=(0, 1, 2))
    return images + (made - mean) / np.sqrt(var + 1e-5) * p["out.norm.weight"] + p["out.norm.bias"]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("grid, pool", [((4, 6), 2), ((3, 5), 2), ((3, 2), 1), ((1, 4), 2)])
@pytest.mark.parametrize("form", FORMS)
def test_a_block_is_the_papers_formula(form, grid, pool, training, rng):
    """Also where windows do not divide the grid, and where it is too narrow for them."""
    block, x = drawn(form, 6, pool=pool).train(training), rng.standard_normal((2, *grid, 6))
    expected = slow(form, block.state_dict(), x, pool=min(pool, *grid), training=training)
    np.testing.assert_allclose(block(x).numpy(), expected, atol=1e-12 * np.abs(expected).max())
    single = block.astype(np.float32)(x.astype(np.float32)).numpy()
    np.testing.assert_allclose(single, expected, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("form", FORMS)
def test_a_blocks_gradients_are_the_slopes_of_the_formula(form, rng):
    block, x = drawn(form, 6).eval(), rng.standard_normal((2, 4, 4, 6))
    assert_gradients_are_slopes(block, lambda p, images: slow(form, p, images, pool=2, training=False), x, rng)


@pytest.mark.parametrize("form", FORMS)
def test_weights_say_what_is_taken_of_each_place(form, rng):
    block, x = drawn(form, 6), rng.standard_normal((2, 4, 4, 6))
    weights, (queries, places) = block.weights(x).numpy(), block.places(x)
    assert weights.shape == (2, 1, 16, 4)
    np.testing.assert_allclose(weights[:, 0] @ block.g(places).numpy(), block.gather(queries, places).numpy(),
                               atol=1e-12)
    if form in (NonLocal, Gaussian):
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-12)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_a_network_with_new_blocks_is_the_resnet_that_it_was(form, training, rng):
    """So that they can be put into a trained one: what stands between has other places in the lists."""
    images = rng.standard_normal((2, 16, 16, 3), np.float32)
    plain = ResNetCIFAR(BasicBlock, (1, 2), **SMALL).initialise(3).train(training)
    model = NonLocalCIFAR(BasicBlock, (1, 2), **SMALL, behind={1: (0,)}, non_local=form).initialise(4).train(training)
    assert isinstance(model.body.stages[1][1], form)
    for stage, index, old in [(0, 0, 0), (1, 0, 0), (1, 2, 1)]:
        model.body.stages[stage][index].load_state_dict(plain.body.stages[stage][old].state_dict())
    for ours, theirs in [(model.stem, plain.stem), (model.norm, plain.norm), (model.head, plain.head)]:
        ours.load_state_dict(theirs.state_dict())
    np.testing.assert_array_equal(model(images).numpy(), plain(images).numpy())
    model.body.stages[1][1].load_state_dict(drawn(form, 16).state_dict())
    assert np.abs(model(images).numpy() - plain(images).numpy()).max() > 1e-3


def test_a_far_place_is_seen_behind_one_block_only_if_it_is_non_local(rng):
    images = rng.standard_normal((1, 16, 16, 3))
    changed = images.copy()
    changed[0, 15, 15] += 1
    for behind, is_seen in [({0: (0,)}, True), ({}, False)]:
        model = drawn(NonLocalCIFAR, BasicBlock, (1, 1), **SMALL, behind=behind).eval()
        difference = model.features(changed)[0].numpy() - model.features(images)[0].numpy()
        assert bool(np.abs(difference[0, 0, 0]).max() > 0) == is_seen


def test_a_folded_network_computes_the_same(rng):
    model, images = drawn(NonLocalCIFAR, BasicBlock, (1, 2), **SMALL, behind={1: (0,)}), rng.standard_normal(
        (2, 16, 16, 3))
    with pytest.raises(ValueError, match="is in training"):
        nn.fold(model.train())
    folded = nn.fold(model.eval())
    assert not isinstance(folded.body.stages[1][1].out.norm, nn.BatchNorm2d)
    expected = model(images).numpy()
    np.testing.assert_allclose(folded(images).numpy(), expected, atol=1e-10 * np.abs(expected).max())


def test_a_place_that_no_block_has_is_refused():
    with pytest.raises(ValueError, match=r"behind: expected blocks 0 to 1 of stage 1, got \(2,\)"):
        NonLocalCIFAR(BasicBlock, (1, 2), behind={1: (2,)})
    assert len(minivit.create("non_local", "50-10").body.stages[2]) == 12
