"""How many threads the BLAS library, which computes the matrix products on a CPU, may take."""

import contextlib

_blas_limits = []  # of the whole process, as BLAS has them


@contextlib.contextmanager
def blas_threads(count):
    """Limit the BLAS library to `count` threads inside the `with` block, and restore its setting after it."""
    from threadpoolctl import threadpool_limits
    with threadpool_limits(count, user_api="blas"):
        _blas_limits.append(count)
        try:
            yield
        finally:
            _blas_limits.pop()


def blas_limit():
    """The number of threads that `blas_threads` allows the BLAS library at present, or None."""
    return _blas_limits[-1] if _blas_limits else None
