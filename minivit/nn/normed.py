"""A convolution or a linear map with its norm, as one layer: most networks of convolutions are made of these."""

from copy import copy

from .conv import Conv2d
from .fold import fold_after, fold_before
from .linear import Linear
from .module import Identity, Module
from .norms import BatchNorm2d


class ConvNorm(Module):
    """Convolution, norm, activation.    (B, H, W, C_in) -> (B, H', W', C_out)

    With `norm=LayerNorm` and `bias=True` it is the overlapping patch embedding of PVT v2, CvT and others.

    Parameters
    ----------
    inputs, outputs, kernel : int
        As for `Conv2d`.
    norm : callable
        norm(outputs) -> Module, as partial(BatchNorm2d, eps=1e-3).
    activation : callable, optional
        None leaves it out.
    padding : int, pairs or "same"
        By default kernel // 2, which with stride 1 and an odd kernel keeps the grid.
    **settings
        Of the convolution: stride, dilation, groups, bias (by default none, since the norm has one), initialiser.
    """

    def __init__(self, inputs, outputs, kernel, *, norm=BatchNorm2d, activation=None, padding=None, bias=False,
                 **settings):
        padding = kernel // 2 if padding is None else padding
        self.conv = Conv2d(inputs, outputs, kernel, padding=padding, bias=bias, **settings)
        self.norm, self.activation = norm(outputs), activation or Identity()

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H', W', C_out)"""
        return self.activation(self.norm(self.conv(x)))

    def folded(self):
        """The same with the norm in the convolution, if it is a BatchNorm2d."""
        return _without_norm(self, "conv", fold_after)


class LinearNorm(Module):
    """Linear map without bias, then a norm over all tokens of the batch (LeViT, arXiv:2104.01136, section 4.2).

    (..., in) -> (..., out)

    Parameters
    ----------
    inputs, outputs : int
    norm : callable
        norm(outputs) -> Module.
    **settings
        Of the linear map: bias, initialiser.
    """

    def __init__(self, inputs, outputs, *, norm=BatchNorm2d, bias=False, **settings):
        self.linear, self.norm = Linear(inputs, outputs, bias=bias, **settings), norm(outputs)

    def forward(self, x):
        """(..., in) -> (..., out)"""
        return self.norm(self.linear(x))

    def folded(self):
        """The same with the norm in the linear map, if it is a BatchNorm2d."""
        return _without_norm(self, "linear", fold_after)


class NormLinear(Module):
    """A norm, then a linear map with bias: the head of LeViT and EfficientViT.    (..., in) -> (..., out)

    Parameters
    ----------
    inputs, outputs : int
    norm : callable
        norm(inputs) -> Module.
    **settings
        Of the linear map: bias, initialiser.
    """

    def __init__(self, inputs, outputs, *, norm=BatchNorm2d, **settings):
        self.norm, self.linear = norm(inputs), Linear(inputs, outputs, **settings)

    def forward(self, x):
        """(..., in) -> (..., out)"""
        return self.linear(self.norm(x))

    def folded(self):
        """The same with the norm in the linear map, if it is a BatchNorm2d."""
        return _without_norm(self, "linear", fold_before)


def _without_norm(layer, part, join):
    """The layer, or if its norm is one that `eval()` fixes, a copy whose map holds the norm too."""
    if not isinstance(layer.norm, BatchNorm2d):
        return layer
    layer = copy(layer)
    vars(layer).update({part: join(getattr(layer, part), layer.norm), "norm": Identity()})
    return layer
