"""Gradients of a model against the slopes of a slow twin: for architectures that nobody has published."""

import numpy as np

from minivit import Tensor, grad

STEP = 1e-3


def assert_gradients_are_slopes(model, slow, images, rng, tolerance=1e-9):
    """Of every parameter and of the pictures, each along one random direction.

    Parameters
    ----------
    model : Module
        In float64.
    slow : callable
        slow(state, images) -> array: what `model` makes of them with such a `state_dict`, written as loops.
    images : array
    rng : numpy.random.Generator
    tolerance : float
        Of the difference, relative to the gradient's length; four points make a slope exact to STEP^4.
    """
    state = model.state_dict()
    pixels, (names, parameters) = Tensor(images, requires_grad=True), zip(*model.named_parameters(), strict=True)
    made = model(pixels)
    weights = rng.standard_normal(made.shape)
    dx, *gradients = grad((made * weights).sum(), [pixels, *parameters])
    _check("images", dx, lambda step: (slow(state, images + step) * weights).sum(), rng, tolerance)
    for name, gradient in zip(names, gradients, strict=True):
        _check(name, gradient, lambda step, name=name: (slow(state | {name: state[name] + step}, images)
                                                        * weights).sum(), rng, tolerance)


def _check(name, gradient, moved, rng, tolerance):
    along = rng.standard_normal(gradient.shape)
    along /= np.linalg.norm(along)
    at = [moved(k * STEP * along) for k in (-2, -1, 1, 2)]
    slope = (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * STEP)
    assert np.abs(gradient).max() > 0, name
    assert abs((gradient * along).sum() - slope) < tolerance * max(np.linalg.norm(gradient), 1), name
