"""Convolution as a layer."""

from ..ops import conv2d
from .module import Module
from .parameter import Parameter, kaiming_normal, zeros


class Conv2d(Module):
    """A convolution, channels last.    (B, H, W, C_in) -> (B, H', W', C_out)

    H' = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, and W' likewise; with padding="same" it is
    H / stride, rounded up (see `same_padding`). The weight has shape (kernel, kernel, C_in / groups, C_out);
    groups = C_in = C_out is the depthwise convolution.
    """

    def __init__(self, inputs, outputs, kernel, *, stride=1, padding=0, dilation=1, groups=1, bias=True,
                 initialiser=kaiming_normal):
        if inputs % groups or outputs % groups:
            raise ValueError(f"Conv2d: {inputs} input and {outputs} output channels do not divide into {groups} groups")
        self.weight = Parameter((kernel, kernel, inputs // groups, outputs), initialiser)
        self.bias = Parameter((outputs,), zeros) if bias else None
        self.settings = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H', W', C_out)"""
        settings = self.settings
        if settings["padding"] == "same":
            padding = same_padding(x.shape[1:3], len(self.weight), settings["stride"], settings["dilation"])
            settings = settings | {"padding": padding}
        return conv2d(x, self.weight, self.bias, **settings)

    def describe(self):
        """Kernel, channels, and what differs from the default."""
        kernel, _, inputs, outputs = self.weight.shape
        different = [f", {name} {value}" for name, value in self.settings.items() if value != (name != "padding")]
        return f"{kernel} x {kernel}, {inputs * self.settings['groups']} -> {outputs}" + "".join(different)


def same_padding(pixels, kernel, stride=1, dilation=1):
    """The padding with which H' = H / stride, rounded up: TensorFlow's "SAME".

    An uneven pixel goes below, and to the right. For convolutions and poolings of models that were trained there, as
    max_pool2d(x, 3, stride=2, padding=same_padding(x.shape[1:3], 3, 2)).

    (H, W) of a picture, ints for its windows -> ((top, bottom), (left, right))
    """
    added = [max((-(-n // stride) - 1) * stride + dilation * (kernel - 1) + 1 - n, 0) for n in pixels]
    return tuple((n // 2, n - n // 2) for n in added)
