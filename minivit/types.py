"""Names for annotations. An array may be NumPy's or CuPy's, which need not be installed: no type says both."""

from collections.abc import Callable
from os import PathLike
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any                              # of NumPy or CuPy
Numbers: TypeAlias = Any                            # an array, or what NumPy makes one of: a number, a list
Size: TypeAlias = int | tuple[int, int]             # of a square, or (height, width)
AnyPath: TypeAlias = str | PathLike[str]
State: TypeAlias = dict[str, np.ndarray]            # {name of a parameter or buffer: values in host memory}
Initialiser: TypeAlias = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]
Step: TypeAlias = Callable[[Array, np.random.Generator], Array]  # of augmentation
Line: TypeAlias = dict[str, Any]                    # of a run's metrics
Over: TypeAlias = Callable[[Callable], list]        # see Task.test
Params: TypeAlias = Any                             # parameters, or groups of them as dictionaries
