"""How many threads the BLAS library, which computes the matrix products on a CPU, may take."""

import contextlib
import operator
import threading

_lock = threading.Lock()
_limits = {}  # of the whole process: those in force, the one that holds last
_outside = None  # what restores the setting that BLAS had before the first of them


@contextlib.contextmanager
def blas_threads(count):
    """Limit the BLAS library to `count` threads inside the `with` block, and restore its setting after it.

    The setting is one for the whole process. Blocks of several threads may overlap in any way: the one that was entered
    last, of those that are not over, holds, and when all are over, what held before the first.
    """
    if operator.index(count) < 1:
        raise ValueError(f"blas_threads: count: expected at least 1, got {count}")
    block = object()
    _enter(block, count)
    try:
        yield
    finally:
        _leave(block)


def blas_limit():
    """The number of threads that `blas_threads` allows the BLAS library at present, or None."""
    return next(reversed(_limits.values()), None)


def _enter(block, count):
    global _outside
    from threadpoolctl import threadpool_limits
    with _lock:
        limit = threadpool_limits(count, user_api="blas")
        if not _limits:
            _outside = limit
        _limits[block] = count


def _leave(block):
    from threadpoolctl import threadpool_limits
    with _lock:
        del _limits[block]
        if _limits:
            threadpool_limits(blas_limit(), user_api="blas")
        else:
            _outside.restore_original_limits()
