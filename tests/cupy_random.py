"""cupy.random for the stand-in: generators whose state, and what they draw, lie on the device."""

import types

import numpy as np

from tests import cuda_streams, cupy_stand_in

METHODS = """
    beta binomial chisquare dirichlet exponential f gamma geometric hypergeometric integers logseries poisson power
    random standard_exponential standard_gamma standard_normal uniform
    """


class Generator:
    """A random generator whose draws lie on the device."""

    def __init__(self, seed=None):
        self._host = np.random.default_rng(seed)

    def __getattr__(self, name):
        if name not in METHODS.split():
            raise AttributeError(f"'Generator' object has no attribute {name!r}")
        return cupy_stand_in._on_device(getattr(self._host, name))

    @property
    def bit_generator(self):
        """What has a `_state` in the memory of the device."""
        return types.SimpleNamespace(_state=_State(self._host.bit_generator))


class _State:
    """The state of a random generator, which can be copied into that of another one."""

    def __init__(self, host):
        self.host = host

    def __setitem__(self, index, other):
        cuda_streams.launch(lambda: setattr(self.host, "state", other.host.state))


def Philox4x3210(seed):
    """A seed is all that the stand-in's generators need."""
    return seed


default_rng = Generator
