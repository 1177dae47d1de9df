"""Two-dimensional convolution, channels last.

    y[h, w, :] = b + sum over (i, j) of x[s h + d i, s w + d j, :] w[i, j]    (s stride, d dilation; x padded with 0)

Three ways to compute it, a file each: im2col (always), Winograd's (3 x 3 with stride 1), and one for depthwise
convolution. LeCun et al., Neural Computation 1, 1989.
"""

from ..backend import array_module
from ..engine import primitive
from . import depthwise, im2col, winograd
from .checks import of_floats, whole
from .products import multiply
from .windows import Windows


@primitive
@of_floats("x", "w", "b")
def conv2d(x, w, b=None, *, stride=1, padding=0, dilation=1, groups=1):
    """Slide a kernel over pictures.    (B, H, W, C_in), (kh, kw, C_in / groups, C_out), (C_out,) -> (B, H', W', C_out)

    H' = floor((H + 2 padding - dilation (kh - 1) - 1) / stride) + 1, and W' likewise.

    Parameters
    ----------
    stride, dilation : int or (int, int)
        For rows and columns.
    padding : int, (int, int), ((top, bottom), (left, right)), "same" or "valid"
        Pixels of zeros around the pictures: "valid" for none, "same" for H' = H / stride, rounded up, as in TensorFlow
        (with stride 1 as in PyTorch, too).
    groups : int
        Output channels and input channels are cut into so many groups, and each group of outputs sees one of inputs;
        groups = C_in = C_out is the depthwise convolution.
    """
    groups = whole("conv2d", "groups", groups)
    _check_channels(x, w, b, groups)
    windows = Windows(x.shape[1:3], w.shape[:2], stride=stride, padding=padding, dilation=dilation)
    inputs, outputs = x.shape[-1], w.shape[-1]
    if groups == inputs == outputs:
        method, groups = depthwise, 1
    else:
        method = winograd if winograd.suits(windows, inputs // groups, outputs // groups) else im2col
    y = _by_group(method.forward, groups, x, w, windows)
    if b is not None:
        y += b

    def backward(dy):
        def db():
            rows = dy.reshape(-1, outputs)  # (B H' W', C_out)
            return multiply(array_module(dy).ones(len(rows), dtype=dy.dtype), rows)
        return (lambda: _by_group(method.input_gradient, groups, dy, w, windows),
                lambda: _by_group(method.weight_gradient, groups, x, dy, windows), db)
    return y, backward


def _by_group(function, groups, first, second, windows):
    """A function of two arrays, for each group of their channels (the last axis) by itself."""
    if groups == 1:
        return function(first, second, windows)
    xp = array_module(first)
    parts = zip(xp.split(first, groups, axis=-1), xp.split(second, groups, axis=-1), strict=True)
    return xp.concatenate([function(*part, windows) for part in parts], axis=-1)


def _check_channels(x, w, b, groups):
    if x.ndim != 4 or w.ndim != 4:
        raise ValueError(f"conv2d: expected pictures (B, H, W, C_in) and weights (kh, kw, C_in / groups, C_out), got "
                         f"{x.shape} and {w.shape}")
    inputs, outputs = x.shape[-1], w.shape[-1]
    if inputs % groups or outputs % groups:
        raise ValueError(f"conv2d: {inputs} input and {outputs} output channels do not divide into {groups} groups")
    if w.shape[2] != inputs // groups:
        raise ValueError(f"conv2d: weights {w.shape} read {w.shape[2]} channels, but pictures {x.shape} in {groups} "
                         f"groups have {inputs // groups}")
    if b is not None and b.shape != (outputs,):
        raise ValueError(f"conv2d: expected a bias ({outputs},), got {b.shape}")
