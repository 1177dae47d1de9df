"""The inverted residual block of MobileNet v2 (Sandler et al., CVPR 2018, arXiv:1801.04381), also called MBConv."""

from ..ops import silu
from .dropout import DropPath
from .module import Identity, Module
from .norms import BatchNorm2d
from .normed import ConvNorm


class MBConv(Module):
    """1 x 1 to more channels, a depthwise convolution, 1 x 1 to the outputs without an activation (fig. 3b).

    (B, H, W, C_in) -> (B, H/stride, W/stride, C_out), rounded up. What comes in is added where the shapes agree.

    Parameters
    ----------
    inputs, outputs : int
        C_in and C_out.
    hidden : int
        Channels of the depthwise convolution.
    kernel, stride : int
        Of the depthwise convolution.
    excite : callable, optional
        excite(hidden) -> Module behind it, as partial(SqueezeExcite, hidden=8).
    norm : callable
        norm(channels) -> Module, behind each convolution.
    activation : callable
        Behind the first two.
    drop_path : float
        Rate of stochastic depth.
    """

    def __init__(self, inputs, outputs, *, hidden, kernel=3, stride=1, excite=None, norm=BatchNorm2d, activation=silu,
                 drop_path=0.0):
        self.expand = ConvNorm(inputs, hidden, 1, norm=norm, activation=activation)
        self.depthwise = ConvNorm(hidden, hidden, kernel, stride=stride, groups=hidden, norm=norm,
                                  activation=activation)
        self.excite = excite(hidden) if excite else Identity()
        self.project = ConvNorm(hidden, outputs, 1, norm=norm)
        self.is_residual, self.drop_path = stride == 1 and inputs == outputs, DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/stride, W/stride, C_out)"""
        y = self.project(self.excite(self.depthwise(self.expand(x))))
        return x + self.drop_path(y) if self.is_residual else y
