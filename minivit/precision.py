"""How precisely a GPU multiplies matrices."""

import contextlib
import contextvars

_precision = contextvars.ContextVar("precision", default="float32")


PRECISIONS = ("float32", "tf32", "bfloat16")  # of the factors of a product: 23, 10 and 7 bits after the point


@contextlib.contextmanager
def product_precision(name):
    """Inside the `with` block, a GPU multiplies float32 matrices in another of the PRECISIONS than "float32".

    "tf32" and "bfloat16" round the factors of each multiplication, and the tensor cores do many at a time; arrays and
    sums stay float32. Needs nvmath-python. The pullbacks of what was computed inside take the precision in force where
    `backward` runs. On a CPU, products are float32 whatever is asked for.
    """
    if name not in PRECISIONS:
        raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {name!r}")
    token = _precision.set(name)
    try:
        yield
    finally:
        _precision.reset(token)


def precision():
    """The precision that `product_precision` asks for at present."""
    return _precision.get()
