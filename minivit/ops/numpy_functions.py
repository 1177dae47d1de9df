"""What NumPy's own functions do with Tensors: np.sum(t), np.exp(t), array * t.

Where there is an operation here that does the same, it does it, with its gradient. Otherwise NumPy computes with the
values, if no gradient can be lost by that; if one would be, the error says what to write instead.

NumPy asks for this by `__array_ufunc__` (NEP 13) and `__array_function__` (NEP 18).
"""

from . import activations, arithmetic, indexing, linalg, masks, reduce, shape, sorting
from .einsum import einsum
from .operators import Tensor

UFUNCS = {
    "add": arithmetic.add, "subtract": arithmetic.sub, "multiply": arithmetic.mul, "divide": arithmetic.div,
    "power": arithmetic.pow, "negative": arithmetic.neg, "absolute": arithmetic.abs, "maximum": arithmetic.maximum,
    "minimum": arithmetic.minimum, "square": lambda x: x * x, "matmul": linalg.matmul, "expit": activations.sigmoid,
    **{name: getattr(arithmetic, name) for name in ("exp", "log", "sqrt", "sin", "cos", "tanh", "erf")},
    **{name: getattr(Tensor, f"__{operator}__") for name, operator in {
        "less": "lt", "less_equal": "le", "equal": "eq", "not_equal": "ne", "greater": "gt", "greater_equal": "ge",
        "bitwise_and": "and", "bitwise_or": "or", "bitwise_xor": "xor", "invert": "invert"}.items()},
}
# NumPy's name: the operation, and how many of the arguments by position mean the same in both.
FUNCTIONS = {
    **{name: (getattr(reduce, name), 2) for name in (
        "sum", "mean", "var", "std", "prod", "cumsum", "max", "min", "any", "all", "argmax", "argmin")},
    **{name: (getattr(shape, name), count) for name, count in {
        "reshape": 2, "transpose": 2, "squeeze": 2, "swapaxes": 3, "flip": 2, "roll": 3, "repeat": 3, "pad": 2,
        "concatenate": 2, "stack": 2}.items()},
    **{name: (getattr(masks, name), 2) for name in ("tril", "triu")},
    "amax": (reduce.max, 2), "amin": (reduce.min, 2), "sort": (sorting.sort, 2), "argsort": (sorting.argsort, 2),
    "expand_dims": (shape.unsqueeze, 2), "broadcast_to": (shape.expand, 2), "permute_dims": (shape.transpose, 2),
    "ravel": (lambda x: x.reshape(-1), 1), "where": (arithmetic.where, 3), "clip": (arithmetic.clip, 3),
    "take_along_axis": (indexing.take_along_axis, 3), "einsum": (einsum, 99), "norm": (reduce.norm, 1),
}
# Functions of NumPy that tell about a Tensor what has no gradient.
WITHOUT_GRADIENT = {"allclose", "array_equal", "array_equiv", "array_repr", "array_str", "array2string", "can_cast",
                    "count_nonzero", "empty_like", "flatnonzero", "full_like", "isclose", "may_share_memory", "ndim",
                    "nonzero", "ones_like", "result_type", "searchsorted", "shape", "shares_memory", "size",
                    "zeros_like"}


def ufunc(tensor, function, method, *inputs, out=None, **settings):
    """What a ufunc of NumPy, such as np.exp, does with Tensors."""
    operation = UFUNCS.get(function.__name__)
    if operation and method == "__call__" and out is None and not settings:
        return operation(*inputs)
    if out is not None:
        if any(isinstance(x, Tensor) and x.requires_grad for x in (*inputs, *out)):
            raise TypeError(f"np.{function.__name__}: a Tensor with a gradient cannot be written into an array; "
                            "array = array + t makes a new Tensor")
        settings["out"] = out
    is_truth = any("f" in kinds and kinds.endswith("?") for kinds in function.types)  # of floating-point numbers
    return _of_values(getattr(function, method), f"np.{function.__name__}", inputs, settings, not is_truth)


def function(tensor, numpys, types, args, settings):
    """What a function of NumPy, such as np.sum, does with Tensors."""
    name = numpys.__name__
    operation, positional = FUNCTIONS.get(name, (None, 0))
    settings = {setting: given for setting, given in settings.items()
                if not (given is None and setting in ("out", "dtype", "order"))}
    if operation and len(args) <= positional and not (name == "where" and len(args) == 1):
        return operation(*args, **settings)
    full_name = f"{numpys.__module__}.{name}".replace("numpy", "np")
    return _of_values(numpys, full_name, args, settings, has_gradient=name not in WITHOUT_GRADIENT)


def _of_values(numpys, name, args, settings, has_gradient):
    """NumPy's function of the values."""
    given = ", ".join(settings) or "these arguments"

    def values(x):
        if isinstance(x, Tensor):
            if has_gradient and x.requires_grad:
                raise TypeError(f"{name}: there is no such operation of Tensors with a gradient, or not with {given}: "
                                f"write it with minivit.ops, or {name}(t.data) for the values alone")
            return x.data
        if isinstance(x, (list, tuple)):
            return type(x)(map(values, x))
        return {key: values(part) for key, part in x.items()} if isinstance(x, dict) else x

    return numpys(*values(args), **values(settings))


Tensor.__array_ufunc__ = ufunc
Tensor.__array_function__ = function
