"""Muon: the directions it takes, the parameters it takes them for, and that it learns."""

import numpy as np
import pytest

import minivit
from minivit.nn import Linear
from minivit.ops import cross_entropy
from minivit.train.optim.muon import Muon, muon_groups, orthogonalise
from minivit.train.optim import AdamW


@pytest.mark.parametrize("shape", [(6, 6), (4, 9), (9, 4)])
def test_orthogonalise_keeps_the_directions_and_evens_out_the_singular_values(shape, rng):
    u, _, vt = np.linalg.svd(rng.standard_normal(shape), full_matrices=False)
    matrix = u * np.geomspace(1, 0.02, min(shape)) @ vt  # singular values over a factor of 50
    result = orthogonalise(matrix)
    assert result.shape == shape
    core = u.T @ result @ vt.T
    np.testing.assert_allclose(core, np.diag(np.diag(core)), atol=1e-12)  # the same singular vectors
    assert (np.diag(core) > 0.65).all()
    assert (np.diag(core) < 1.25).all()


def test_one_step_is_the_formula(rng):
    layer = Linear(5, 3, bias=False).astype(np.float64)
    before, gradient = layer.weight.numpy().copy(), rng.standard_normal((5, 3))
    optimiser = Muon([{"params": [layer.weight], "orthogonal": True}], lr=0.1, momentum=0.9, weight_decay=0.5)
    layer.weight.grad = gradient.copy()
    optimiser.step()
    expected = before * (1 - 0.1 * 0.5) - 0.2 * np.sqrt(5) * 0.1 * orthogonalise(gradient + 0.9 * gradient)
    np.testing.assert_allclose(layer.weight.numpy(), expected, rtol=1e-12)


def test_other_parameters_take_adamws_steps(rng):
    ours, theirs = Linear(4, 3).initialise(1), Linear(4, 3).initialise(1)
    muon = Muon([{"params": ours.parameters()}], lr=0.4, adam_lr=0.25, betas=(0.9, 0.95), weight_decay=0.1)
    adamw = AdamW(theirs.parameters(), lr=0.1, betas=(0.9, 0.95), weight_decay=0.1)
    for _ in range(3):
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            a.grad = rng.standard_normal(a.shape).astype(np.float32)
            b.grad = a.grad.copy()
        muon.step()
        adamw.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_groups_hold_every_parameter_once_and_only_hidden_matrices_are_orthogonal():
    model = minivit.create("vitc", "cifar")
    names = {id(p): name for name, p in model.named_parameters()}
    groups = muon_groups(model, 0.05)
    assert sorted(names[id(p)] for group in groups for p in group["params"]) == sorted(names.values())
    orthogonal = {names[id(p)] for group in groups if group.get("orthogonal") for p in group["params"]}
    assert {"blocks.0.attention.qkv.weight", "blocks.1.mlp.linear2.weight"} <= orthogonal
    assert not any("head" in name or "bias" in name or "norm" in name or "position" in name for name in orthogonal)


def test_it_learns(rng):
    model = minivit.create("vit", "cifar", dim=32, depth=2, heads=2).initialise(0)
    images, labels = rng.standard_normal((16, 32, 32, 3), np.float32), rng.integers(0, 10, 16)
    optimiser = Muon(muon_groups(model, 0.05), lr=2e-2)
    for _ in range(80):
        loss = cross_entropy(model(images), labels)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if loss.item() < 0.2:
            break
    assert loss.item() < 0.2
