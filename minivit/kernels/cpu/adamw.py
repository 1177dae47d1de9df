"""One step of AdamW in one walk, where NumPy takes about twelve."""

import math

import numpy as np

from .compiler import rounded_once


def adamw(w, g, m, v, *, lr, steps, betas, eps, weight_decay):
    """One step of weights, in place, from their gradients and the means of these and of their squares."""
    if not (w.flags.c_contiguous and m.flags.c_contiguous and v.flags.c_contiguous):
        return NotImplemented
    beta1, beta2 = betas
    _adamw(w.reshape(-1), g.reshape(-1), m.reshape(-1), v.reshape(-1), 1 - lr * weight_decay, 1 - beta1, beta2,
           1 - beta2, 1 / math.sqrt(1 - beta2 ** steps), eps, lr / (1 - beta1 ** steps))
    return None


@rounded_once
def _adamw(w, g, m, v, keep, rest1, beta2, rest2, correction, eps, rate):
    keep, rest1, beta2, rest2 = np.float32(keep), np.float32(rest1), np.float32(beta2), np.float32(rest2)
    correction, eps, rate = np.float32(correction), np.float32(eps), np.float32(rate)
    for i in range(w.size):
        m[i] += rest1 * (g[i] - m[i])
        v[i] = beta2 * v[i] + rest2 * g[i] * g[i]
        w[i] = keep * w[i] - rate * m[i] / (np.sqrt(v[i]) * correction + eps)
