"""Elementwise arithmetic with broadcasting: the rules of calculus, one after the other.

Shapes follow NumPy: arguments are stretched to a common shape; the engine sums the gradients back.
"""

from ..backend import array_module, erf as error_function
from ..engine import primitive


@primitive
def add(x, y):
    """x + y"""
    return x + y, lambda dz: (dz, dz)


@primitive
def sub(x, y):
    """x - y"""
    return x - y, lambda dz: (dz, lambda: -dz)


@primitive
def mul(x, y):
    """x * y"""
    return x * y, lambda dz: (lambda: dz * y, lambda: dz * x)


@primitive
def div(x, y):
    """x / y"""
    z = x / y
    return z, lambda dz: (lambda: dz / y, lambda: -dz * z / y)
