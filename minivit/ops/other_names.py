"""What users of PyTorch and NumPy reach for first, and what it is called here."""

from ..engine import Tensor

METHODS = {
    "amax": "max", "amin": "min", "bmm": "x @ y", "broadcast_to": "minivit.ops.expand",
    "cat": "minivit.ops.concatenate",
    "clamp": "clip", "clone": "minivit.Tensor(x)", "contiguous": "x itself, in whatever order its elements lie",
    "copy": "minivit.Tensor(x)", "cpu": 'x.to("cpu")', "cuda": 'x.to("cuda")', "dim": "ndim", "dot": "x @ y",
    "double": "x.astype(np.float64)", "expand_as": "minivit.ops.expand", "expand_dims": "unsqueeze",
    "flatten": "x.reshape(...), with -1 for the length that follows", "float": "x.astype(np.float32)",
    "gather": "minivit.ops.take_along_axis", "half": "x.astype(np.float16)", "index_select": "minivit.ops.take",
    "long": "x.astype(np.int64)", "masked_select": "x[mask]", "matmul": "x @ y", "mm": "x @ y",
    "moveaxis": "transpose", "mul_": "x * y, a new Tensor", "add_": "x + y, a new Tensor", "numel": "size",
    "permute": "transpose", "pow": "x ** y", "ravel": "x.reshape(-1)",
    "requires_grad_": "minivit.Tensor(x, requires_grad=True)",
    "scatter_add": "x[index], whose gradient it is", "square": "x * x", "t": "T", "tile": "einops.repeat",
    "tolist": "x.numpy().tolist()", "type": "astype", "view": "reshape", "zero_": "x.mutable()[...] = 0",
}


def explanation(owner, name):
    """The message of an AttributeError: there is no such name, but another one for the same."""
    from minivit import ops
    if name in METHODS:
        return f"{owner} has no {name!r}; the name here is: {METHODS[name]}"
    if owner == "Tensor" and name in vars(ops):
        return f"Tensor has no method {name!r}, but there is the operation minivit.ops.{name}(x, ...)"
    return f"{owner} has no attribute {name!r}"


def missing(tensor, name):
    """Called where a Tensor has no such attribute."""
    raise AttributeError(explanation("Tensor", name))


Tensor.__getattr__ = missing
