"""A gradient by central differences, entry by entry: slow, and hard to get wrong. Lessons hold derivations against it.

For operations of the library, `minivit.gradcheck` is sharper and takes a few evaluations instead of two an entry.
"""

import numpy as np


def numeric(f, x, eps=1e-5, *, dy=1.0):
    """The gradient of sum(dy * f(x)) by differences to both sides, whose error falls like eps squared.

        g_i = sum(dy * (f(x + eps e_i) - f(x - eps e_i))) / (2 eps)

    Parameters
    ----------
    f : callable
        float64 array, shaped like x -> a number, or an array. It gets an array of its own each time.
    x : array of numbers, or a number
        Where. It stays as it is.
    eps : float
        How far x is moved.
    dy : array or float
        Weights of the values of f, of their shape; for a number, nothing is needed.

    Returns
    -------
    float64 array, shaped like x
    """
    x = np.asarray(x, dtype=np.float64)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[index] = eps
        gradient[index] = np.sum(dy * (f(x + move) - f(x - move))) / (2 * eps)
    return gradient
