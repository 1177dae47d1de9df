"""Steps of AdamW in one walk, where CuPy's arithmetic takes about fifteen: of one array, or of many in one launch."""

import contextlib

import numpy as np

from ...backend import array_module
from ..adamw import factors
from .launch import THREADS, Kernels, ceiling, in_rows

MANY = 80  # arrays in one launch: their addresses are an argument of the kernel, and arguments have 4 KiB in all
KERNELS = Kernels(f"const int many = {MANY};" + """
__device__ void adamw_step(float* w, const float* g, float* m, float* v, long long i, float keep, float rate,
                           float root_correction, float rest1, float beta2, float rest2, float eps)
{
    m[i] += rest1 * (g[i] - m[i]);
    v[i] = beta2 * v[i] + rest2 * g[i] * g[i];
    w[i] = keep * w[i] - rate * m[i] / (sqrtf(v[i]) / root_correction + eps);
}

extern "C" __global__ void adamw(float* w, const float* g, float* m, float* v, float keep, float rate,
                                 float root_correction, float rest1, float beta2, float rest2, float eps, long long n)
{
    long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n)
        adamw_step(w, g, m, v, i, keep, rate, root_correction, rest1, beta2, rest2, eps);
}

struct Arrays {
    float* w[many];
    const float* g[many];
    float* m[many];
    float* v[many];
    long long sizes[many];
    int first_block[many];  // the first of the blocks that work on an array; behind the last array, that of nobody
    int row[many];  // of its factors
};

extern "C" __global__ void adamw_together(const Arrays arrays, const float* factors)
{
    int k = 0;  // the array that this block works on, found by bisection
    for (int step = 64; step > 0; step /= 2)
        if (k + step < many && (int)blockIdx.x >= arrays.first_block[k + step])
            k += step;
    long long i = (long long)(blockIdx.x - arrays.first_block[k]) * blockDim.x + threadIdx.x;
    const float* f = factors + 7 * arrays.row[k];
    if (i < arrays.sizes[k])
        adamw_step(arrays.w[k], arrays.g[k], arrays.m[k], arrays.v[k], i, f[0], f[1], f[2], f[3], f[4], f[5], f[6]);
}
""")
ARRAYS = np.dtype([*((name, np.uint64, MANY) for name in "wgmv"), ("sizes", np.int64, MANY),
                   ("first_block", np.int32, MANY), ("row", np.int32, MANY)])


def adamw(w, g, m, v, **settings):
    """One step of weights, in place, from their gradients and the means of these and of their squares."""
    with in_rows(w) as w, in_rows(m) as m, in_rows(v) as v:
        KERNELS.on_elements("adamw", w, array_module(w).ascontiguousarray(g), m, v, *factors(**settings))


class AdamWAllAtOnce:
    """Steps of many arrays in one launch.

    What changes from step to step lies in the memory of the GPU: a captured launch of the kernel can be repeated, once
    `prepare` has put the numbers of the next step there.

    Parameters
    ----------
    settings : list of dict
        The betas, eps and weight_decay of each parameter.
    """

    def __init__(self, cupy, settings):
        self.cupy, self.settings, self.factors = cupy, settings, cupy.empty((len(settings), 7), np.float32)

    def prepare(self, rates, steps):
        """Put down the learning rate of each parameter, and how many steps it will have made."""
        rows = [factors(lr=lr, steps=max(n, 1), **own)
                for lr, n, own in zip(rates, steps, self.settings, strict=True)]
        self.factors[...] = self.cupy.asarray(np.array(rows, np.float32))

    def __call__(self, updates):
        """Make the steps of (index of the parameter, its arrays w, g, m and v), in place."""
        for start in range(0, len(updates), MANY):
            with contextlib.ExitStack() as stack:
                part = [(index, stack.enter_context(in_rows(w)), self.cupy.ascontiguousarray(g),
                         stack.enter_context(in_rows(m)), stack.enter_context(in_rows(v)))
                        for index, (w, g, m, v) in updates[start:start + MANY]]
                arrays, blocks = _described(part)
                KERNELS.launch("adamw_together", (blocks,), (THREADS,), arrays, self.factors)


def _described(part):
    """The kernel's argument, and the number of blocks for all arrays."""
    arrays, blocks = np.zeros(1, ARRAYS), 0
    for k, (index, *quadruple) in enumerate(part):
        for name, array in zip("wgmv", quadruple, strict=True):
            arrays[name][0, k] = array.data.ptr
        arrays["sizes"][0, k], arrays["row"][0, k] = quadruple[0].size, index
        arrays["first_block"][0, k] = blocks
        blocks += ceiling(quadruple[0].size, THREADS)
    arrays["first_block"][0, len(part):] = blocks
    return arrays, blocks
