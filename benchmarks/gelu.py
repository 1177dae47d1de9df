"""python -m benchmarks.gelu: accuracy of the exact GELU in float32, and its time against the tanh form's.

The error is relative to SciPy's in float64, at ten million float32 numbers evenly over all exponents and both signs,
down to -12.9, below which Phi(x) is a denormal number. Times are of 4096 x 512 numbers on one thread.
"""

import statistics
import time
from contextlib import nullcontext

import numpy as np
from scipy.special import ndtr

from minivit import Tensor, grad, no_grad, ops
from minivit.blas import blas_threads
from minivit.memory import keep_freed_memory


def main():
    """Print the largest error, and milliseconds of both forms."""
    bits = np.concatenate([np.linspace(*np.array(ends, np.float32).view(np.int32), 5_000_000).astype(np.int32)
                           for ends in ([1e-37, 3e38], [1e-37, 12.9])])
    x = bits.view(np.float32)
    x[5_000_000:] *= -1
    exact = x.astype(np.float64) * ndtr(x.astype(np.float64))
    errors = np.abs(ops.gelu(x).numpy() / exact - 1)
    print(f"exact GELU, float32: largest relative error {errors.max():.2e}, at x = {x[errors.argmax()]:.4g}")
    keep_freed_memory()
    x = Tensor(np.random.default_rng(0).standard_normal((4096, 512), np.float32), requires_grad=True)
    for name, operation in (("exact", ops.gelu), ("tanh form", ops.gelu_tanh)):
        forward = median_ms(lambda operation=operation: operation(x), no_grad)
        both = median_ms(lambda operation=operation: grad(operation(x).sum(), [x]))
        print(f"{name:10} forward alone {forward:5.2f} ms, forward and backward with a sum {both:5.2f} ms")


def median_ms(function, context=nullcontext, repeats=21):
    """The median time of a call inside a context."""
    seconds = []
    with blas_threads(1), context():
        for _ in range(repeats):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
    return 1e3 * statistics.median(seconds)


if __name__ == "__main__":
    main()
