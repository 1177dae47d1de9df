"""Fast forms for NVIDIA GPUs: in CUDA C++, compiled by CuPy when they are first called; products by NVIDIA's cuBLASLt.

What is summed is summed in an order of its own, but always in the same: no thread adds to a number that another one
adds to, so that the same arrays give the same bits. The results are those of the definitions up to rounding.
"""

import contextlib

from .adamw import AdamWAllAtOnce, adamw
from .batch_norm import affine, centred_sums, gradient_sums, through_batch_norm
from .cross_entropy import cross_entropy_of_rows
from .gelu import gelu_and_slope
from .layer_norm import layer_norm
from .softmax import scores_gradient, scores_to_probabilities, softmax

with contextlib.suppress(ImportError, RuntimeError):  # without nvmath-python, or a library for it, CuPy multiplies
    from .products import multiply
