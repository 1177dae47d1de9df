"""A training step on a GPU, in which the host waits for nothing.

Python only starts the operations, and runs ahead of the GPU if nothing holds it up. A look at a number would: so the
gradient is clipped without one, and the numbers for the metrics are copied to the host while the next step is at work.
"""

import numpy as np

from ..backend import array_module
from ..engine import grad


def clipped_gradients(objective, parameters, *batch, max_norm):
    """The gradient of the mean loss over a batch, in `.grad` of every parameter, its norm at most `max_norm`.

    objective(*batch) -> (mean loss, number of right pictures). The gradients are views of one array. Returns float64
    (3,): the loss, the norm before clipping, the number of right pictures. (`clip_gradients` tells the source.)
    """
    loss, right = objective(*batch)
    gradients = grad(loss, parameters)
    xp, start = array_module(loss.data), 0
    together = xp.empty(sum(gradient.size for gradient in gradients), dtype=loss.dtype)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = together[start:start + gradient.size].reshape(gradient.shape)
        parameter.grad[...] = gradient
        start += gradient.size
    norm = xp.sqrt((together * together).sum(dtype=np.float64))
    if np.isfinite(max_norm):
        together *= xp.minimum(max_norm / (norm + 1e-6), 1).astype(together.dtype)
    numbers = xp.empty(3, dtype=np.float64)
    numbers[0], numbers[1], numbers[2] = loss.data, norm, right
    return numbers


def begin_reading(x):
    """A function that returns the array in host memory; it waits for what was begun before now, not for more."""
    xp = array_module(x)
    if xp is np:
        return lambda: x
    memory = xp.cuda.alloc_pinned_memory(x.nbytes)  # which the GPU can write to by itself
    host = np.frombuffer(memory, x.dtype, x.size).reshape(x.shape)
    x.get(out=host, blocking=False)
    arrived = xp.cuda.get_current_stream().record()

    def read():
        arrived.synchronize()
        return host
    return read
