"""Fast forms for the CPU, compiled by Numba: one walk through memory, where NumPy takes one for each operation.

They let go of Python's lock from beginning to end, so that threads do not wait for each other in between. What is
summed is summed in an order of its own: the results are those of the definitions up to rounding.
"""

from .adamw import adamw
from .batch_norm import affine, centred_sums, gradient_sums, through_batch_norm
from .gelu import gelu_and_slope
from .layer_norm import layer_norm
from .winograd import winograd_gradient_tiles, winograd_tiles, write_winograd_pixels
