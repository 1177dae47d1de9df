"""Convolution as a layer."""

from typing import Any

from ..ops import conv2d, pad
from ..ops.checks import pair, whole
from ..ops.windows import Windows
from ..tensor import Tensor
from ..types import Initialiser, Size
from .module import Module
from .parameter import Parameter, kaiming_normal, zeros


class Conv2d(Module):
    """A convolution, channels last.    (B, H, W, C_in) -> (B, H', W', C_out)

    H' = floor((H + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, and W' likewise. The weight has shape
    (kernel, kernel, C_in / groups, C_out), or (kh, kw, ...) for a kernel (kh, kw); groups = C_in = C_out is the
    depthwise convolution. Stride, padding and dilation are those of `ops.conv2d`, the padding's mode that of `ops.pad`.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Size, *, stride: Size = 1, padding: Any = 0,
                 dilation: Size = 1, groups: int = 1, bias: bool = True, padding_mode: str = "constant",
                 initialiser: Initialiser = kaiming_normal) -> None:
        inputs, outputs, groups = (whole("Conv2d", what, number) for what, number in (
            ("inputs", inputs), ("outputs", outputs), ("groups", groups)))
        if inputs % groups or outputs % groups:
            raise ValueError(f"Conv2d: {inputs} input and {outputs} output channels do not divide into {groups} groups")
        self.weight = Parameter((*pair(kernel, "Conv2d: kernel"), inputs // groups, outputs), initialiser)
        self.bias = Parameter((outputs,), zeros) if bias else None
        self.settings = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
        self.padding_mode = padding_mode

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, C_in) -> (B, H', W', C_out)"""
        if self.padding_mode == "constant":
            return conv2d(x, self.weight, self.bias, **self.settings)
        places = {name: value for name, value in self.settings.items() if name != "groups"}
        rows, columns = Windows(x.shape[1:3], self.weight.shape[:2], **places).padding
        x = pad(x, ((0, 0), rows, columns, (0, 0)), mode=self.padding_mode)
        return conv2d(x, self.weight, self.bias, **self.settings | {"padding": 0})

    def describe(self) -> str:
        """Kernel, channels, and what differs from the default."""
        *kernel, inputs, outputs = self.weight.shape
        different = [f", {name} {value}" for name, value in self.settings.items() if value != (name != "padding")]
        return "{} x {}, ".format(*kernel) + f"{inputs * self.settings['groups']} -> {outputs}" + "".join(different)


def same_padding(pixels: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, int]:
    """The padding with which H' = H / stride, rounded up: TensorFlow's "SAME", and padding="same" here.

    An uneven pixel goes below, and to the right.    (H, W) of a picture -> ((top, bottom), (left, right))
    """
    return Windows(pixels, kernel, stride=stride, dilation=dilation, padding="same").padding
