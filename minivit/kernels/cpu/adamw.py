"""One step of AdamW in one walk, where NumPy takes about twelve."""

import numpy as np

from ..adamw import factors
from .compiler import rounded_once


def adamw(w, g, m, v, **settings):
    """One step of weights, in place, from their gradients and the means of these and of their squares."""
    if not (w.flags.c_contiguous and m.flags.c_contiguous and v.flags.c_contiguous):
        return NotImplemented
    keep, rate, root_correction, *others = factors(**settings)
    _adamw(w.reshape(-1), g.reshape(-1), m.reshape(-1), v.reshape(-1), keep, rate, 1 / root_correction, *others)
    return None


@rounded_once
def _adamw(w, g, m, v, keep, rate, correction, rest1, beta2, rest2, eps):
    keep, rate, correction, rest1 = np.float32(keep), np.float32(rate), np.float32(correction), np.float32(rest1)
    beta2, rest2, eps = np.float32(beta2), np.float32(rest2), np.float32(eps)
    for i in range(w.size):
        m[i] += rest1 * (g[i] - m[i])
        v[i] = beta2 * v[i] + rest2 * g[i] * g[i]
        w[i] = keep * w[i] - rate * m[i] / (np.sqrt(v[i]) * correction + eps)
