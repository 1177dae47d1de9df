"""How the fast forms are compiled: without Python's lock, kept on disk, and with some freedom in rounding."""

from numba import njit


def _compiler(*freedoms):
    return njit(nogil=True, cache=True, error_model="numpy", fastmath=set(freedoms))


rounded_once = _compiler("contract")  # a product and a sum may round once, together
any_order = _compiler("contract", "reassoc")  # and sums may run in several lanes at once
