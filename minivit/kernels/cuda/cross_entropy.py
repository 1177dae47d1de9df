"""The cross-entropy of rows of logits, a warp for each row, without log-probabilities in memory."""

import numpy as np

from ...backend import array_module
from .launch import Kernels
from .warp import WARP

KERNELS = Kernels(WARP + """
// loss = sum_k t_k (L - x_k) with L = log sum_k exp(x_k); what has t_k = 0 costs 0, also where x_k is -inf
extern "C" __global__ void cross_entropy(const float* x, const float* t, float* loss, float* log_sum, long long rows,
                                         long long columns)
{
    long long row = row_of_warp();
    if (row >= rows)
        return;
    x += row * columns;
    t += row * columns;
    float largest = row_max(x, columns), sum = 0;
    for (long long k = threadIdx.x; k < columns; k += lanes)
        sum += expf(x[k] - largest);
    float L = largest + logf(warp_sum(sum));
    float total = 0;
    for (long long k = threadIdx.x; k < columns; k += lanes)
        total += t[k] == 0 ? 0 : t[k] * (L - x[k]);
    total = warp_sum(total);
    if (threadIdx.x == 0) {
        loss[row] = total;
        log_sum[row] = L;
    }
}

// dx = softmax(x) sum_k t_k - t
extern "C" __global__ void cross_entropy_dx(const float* x, const float* t, const float* log_sum, float* dx,
                                            long long rows, long long columns)
{
    long long row = row_of_warp();
    if (row >= rows)
        return;
    x += row * columns;
    t += row * columns;
    dx += row * columns;
    float total = 0;
    for (long long k = threadIdx.x; k < columns; k += lanes)
        total += t[k];
    total = warp_sum(total);
    for (long long k = threadIdx.x; k < columns; k += lanes)
        dx[k] = expf(x[k] - log_sum[row]) * total - t[k];
}
""")


def cross_entropy_of_rows(logits, targets):
    """-sum_k t_k log p_k with p = softmax(x), and functions that give p sum_k t_k - t and log p, its gradients.

    (..., K), (..., K) -> (...), () -> (..., K), () -> (..., K)
    """
    xp, K = array_module(logits), logits.shape[-1]
    x, t = (xp.ascontiguousarray(array.reshape(-1, K)) for array in (logits, targets))  # (R, K)
    losses, log_sum = xp.empty((2, len(x)), np.float32)
    KERNELS.on_rows("cross_entropy", x, t, losses, log_sum)

    def gradient():
        dx = xp.empty(x.shape, np.float32)
        KERNELS.on_rows("cross_entropy_dx", x, t, log_sum, dx)
        return dx.reshape(logits.shape)  # (..., K)
    return losses.reshape(logits.shape[:-1]), gradient, lambda: (x - log_sum[:, None]).reshape(logits.shape)  # (..., K)
