"""One step of AdamW in one walk, where CuPy's arithmetic would take about fifteen."""

import math

from ...backend import array_module
from .launch import Kernels, in_rows

KERNELS = Kernels("""
extern "C" __global__ void adamw(float* w, const float* g, float* m, float* v, float keep, float rest1, float beta2,
                                 float rest2, float root_correction, float eps, float rate, long long n)
{
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    m[i] += rest1 * (g[i] - m[i]);
    v[i] = beta2 * v[i] + rest2 * g[i] * g[i];
    w[i] = keep * w[i] - rate * m[i] / (sqrtf(v[i]) / root_correction + eps);
}
""")


def adamw(w, g, m, v, *, lr, steps, betas, eps, weight_decay):
    """One step of weights, in place, from their gradients and the means of these and of their squares."""
    xp, (beta1, beta2) = array_module(w), betas
    with in_rows(w) as w, in_rows(m) as m, in_rows(v) as v:
        KERNELS.on_elements("adamw", w, xp.ascontiguousarray(g), m, v, 1.0 - lr * weight_decay, 1.0 - beta1,
                            float(beta2), 1.0 - beta2, math.sqrt(1 - beta2 ** steps), float(eps),
                            lr / (1 - beta1 ** steps))
