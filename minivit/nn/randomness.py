"""Where the random numbers of a forward pass come from.

    with randomness(np.random.default_rng([seed, step])):
        logits = model(images)          # every Dropout and DropPath inside draws from this generator

The generator is explicit, yet nobody hands it through forty constructors; it is current for this thread alone.
"""

import contextlib
import contextvars
import itertools

from ..backend import random_generator

_generator = contextvars.ContextVar("generator", default=None)
_serial = itertools.count()


@contextlib.contextmanager
def randomness(rng):
    """Inside the `with` block, the modules of this thread draw from `rng`, a generator of NumPy or CuPy."""
    token = _generator.set(rng)
    try:
        yield
    finally:
        _generator.reset(token)


class RandomSource:
    """What a stochastic module draws from: the current generator, or outside any block one of its own."""

    def __init__(self):
        self.seed, self.own = (1, next(_serial)), {}

    def generator(self, device):
        """The generator to draw from now, for arrays on `device`."""
        current = _generator.get()
        if current is not None:
            return current
        if device not in self.own:
            self.own[device] = random_generator(self.seed, device)
        return self.own[device]
