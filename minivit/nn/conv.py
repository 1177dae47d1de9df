"""Convolution as a layer."""

from ..ops import conv2d
from .module import Module
from .parameter import Parameter, kaiming_normal, zeros


class Conv2d(Module):
    """A convolution, channels last.    (B, H, W, C_in) -> (B, H', W', C_out)

    H' = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, and W' likewise. The weight has shape
    (kernel, kernel, C_in / groups, C_out); groups = C_in = C_out is the depthwise convolution.
    """

    def __init__(self, inputs, outputs, kernel, *, stride=1, padding=0, dilation=1, groups=1, bias=True):
        if inputs % groups or outputs % groups:
            raise ValueError(f"Conv2d: {inputs} input and {outputs} output channels do not divide into {groups} groups")
        self.weight = Parameter((kernel, kernel, inputs // groups, outputs), kaiming_normal)
        self.bias = Parameter((outputs,), zeros) if bias else None
        self.settings = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H', W', C_out)"""
        return conv2d(x, self.weight, self.bias, **self.settings)

    def describe(self):
        """Kernel, channels, and what differs from the default."""
        kernel, _, inputs, outputs = self.weight.shape
        different = [f", {name} {value}" for name, value in self.settings.items() if value != (name != "padding")]
        return f"{kernel} x {kernel}, {inputs * self.settings['groups']} -> {outputs}" + "".join(different)
