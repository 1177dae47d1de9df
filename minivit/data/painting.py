"""What the built-in sets are painted with: for many pictures at once, from a generator of random numbers."""

import numpy as np


def uniform(rng, n, low, high):
    """One number a picture, shaped to spread over its pixels.    -> float32 (n, 1, 1)"""
    return rng.uniform(low, high, (n, 1, 1)).astype(np.float32)


def colour(rng, n, low, high):
    """One colour a picture, its channels between two levels.    -> float32 (n, 1, 1, 3)"""
    return rng.uniform(low, high, (n, 1, 1, 3)).astype(np.float32)


def pixels(size):
    """Where the middle of each pixel of a square picture lies.    -> x, y float32 (size, size)"""
    y, x = np.mgrid[:size, :size].astype(np.float32) + np.float32(0.5)
    return x, y


def seen_from(places, centre_x, centre_y, radius, angle):
    """Places (x, y) in the coordinates of a turned object: its centre is 0, its radius 1.    -> u, v (n, H, W)"""
    x, y = (places[0] - centre_x) / radius, (places[1] - centre_y) / radius
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def coverage(distance):
    """How much of a pixel lies inside an edge that is so many pixels away: what makes the outlines smooth."""
    return np.clip(0.5 - distance, 0, 1)


def texture(colours, size, rng):
    """The colours (n, 1, 1, 3), with waves of others in them: stripes, or checks where a second wave crosses.

    -> (n, size, size, 3)
    """
    n = len(colours)
    waves = _wave(rng, n, size) * np.where(rng.random((n, 1, 1)) < 0.5, _wave(rng, n, size), 1)
    return colours + waves[..., None] * colour(rng, n, -30, 30)


def _wave(rng, n, size):
    """A sine wave in a random direction, of a random length, 3.7 pixels or more.    -> (n, size, size)"""
    y, x = np.mgrid[:size, :size].astype(np.float32)
    return np.sin(x * uniform(rng, n, -1.2, 1.2) + y * uniform(rng, n, -1.2, 1.2) + uniform(rng, n, 0, 2 * np.pi))
