"""High-Performance Large-Scale Image Recognition Without Normalization.  Brock et al., ICML 2021, arXiv:2102.06171.

A residual network needs BatchNorm to keep its signals at one size. NFNets keep it without looking at the batch: each
convolution standardises its own weights, each activation is scaled to variance 1, and each block divides its input by
the standard deviation that follows from its place in the network. So no picture's result depends on other pictures.

    B batch    H x W grid    C channels    N fan-in, kh kw C_in / groups    g gain    l block
    y = x_l / std_l                                      what a block reads
    x_(l+1) = x_l + alpha skip_gain F_l(y)               variance_(l+1) = variance_l + alpha^2   (section 2; SkipInit)
    F0 at 256 pixels: (B, 256, 256, 3) -> stem (B, 64, 64, 128) -> four stages (B, 64, 64, 256), (B, 32, 32, 512),
       (B, 16, 16, 1536), (B, 8, 8, 1536) -> (B, 8, 8, 3072) -> mean (B, 3072) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> stem (B, 16, 16, 32) -> (B, 16, 16, 64) ... (B, 2, 2, 192) -> (B, 384) -> logits (B, 10)

Gradients are to be clipped unit by unit in training (section 4): the setting `agc` of a recipe. What stochastic depth
keeps is not divided by 1 - rate, and the rate of block l of L is l / L of the whole, as in the authors' code.

Departures from the paper: none; where it is silent, this follows the authors' code. timm's form, `standardise_timm` and
the exact GELU instead of its tanh form, is a setting. The CIFAR form has our own sizes.
"""

import math
from functools import partial

from ..engine import no_grad
from ..nn import (Conv2d, Dropout, DropPath, Identity, Linear, Module, Parameter, Sequential, SqueezeExcite,
                  drop_path_rates, in_turn, normal, ones, with_values, zeros)
from ..ops import avg_pool2d, conv2d, gelu, gelu_tanh, maximum, relu, silu
from ..ops.checks import pair

# 1 / std of activation(z) for a normal z, as the authors measured it; they take that of GELU for both of its forms
GAMMA = {gelu_tanh: 1.7015043497085571, gelu: 1.7015043497085571, relu: 1.7139588594436646, silu: 1.7881293296813965}


class ScaledActivation(Module):
    """gamma f(x): of a normal x, numbers of variance 1 (section 2).    (...) -> (...)"""

    def __init__(self, activation):
        if activation not in GAMMA:
            known = ", ".join(known.__name__ for known in GAMMA)
            raise ValueError(f"activation: expected one whose gamma is known ({known}), got {activation!r}")
        self.activation, self.gamma = activation, GAMMA[activation]

    def forward(self, x):
        """(...) -> (...)"""
        return self.activation(x) * self.gamma


def standardise(weight, gain):
    """g (w - mean) / (std sqrt N) over the fan-in of each output (eq. 1): the squares of its weights sum to g^2.

    (kh, kw, C_in / groups, C_out), (C_out,) -> (kh, kw, C_in / groups, C_out). N std^2 is at least 1e-4.
    """
    centred, variance, fan_in = _moments(weight)
    return centred * (gain / maximum(variance * fan_in, 1e-4) ** 0.5)


def standardise_timm(weight, gain):
    """As timm has it: g (w - mean) / (sqrt(variance + 1e-5) sqrt N)."""
    centred, variance, fan_in = _moments(weight)
    return centred * (gain / ((variance + 1e-5) * fan_in) ** 0.5)


def _moments(weight):
    """w - mean, the variance and the size of the fan-in.    -> (kh, kw, C_in / groups, C_out), (C_out,), N"""
    axes = (0, 1, 2)
    return weight - weight.mean(axis=axes), weight.var(axis=axes), math.prod(weight.shape[:-1])


class ScaledConv2d(Conv2d):
    """A convolution with standardised weights, a gain and a bias.    (B, H, W, C_in) -> (B, H/stride, W/stride, C)"""

    def __init__(self, inputs, outputs, kernel, *, standardise=standardise, groups=1, **settings):
        fan_in = kernel * kernel * inputs // groups
        super().__init__(inputs, outputs, kernel, padding="same", groups=groups, initialiser=normal(fan_in ** -0.5),
                         **settings)
        self.gain, self.standardise = Parameter((outputs,), ones), standardise

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/stride, W/stride, C)"""
        return conv2d(x, self.standardise(self.weight, self.gain), self.bias, **self.settings)

    def folded(self):
        """A plain convolution with the standardised weights."""
        *kernel, inputs, outputs = self.weight.shape
        with no_grad():
            weight = self.standardise(self.weight, self.gain).data
        plain = Conv2d(inputs * self.settings["groups"], outputs, kernel, **self.settings)
        return with_values(plain, weight, self.bias.data)


class StochasticDepth(DropPath):
    """Branches are left out for whole pictures; what is kept is not divided by 1 - rate.    (B, ...) -> (B, ...)"""

    def forward(self, x):
        """Any shape, unchanged; the identity outside training."""
        return super().forward(x) * (1 - self.rate) if self.training and self.rate else x


class Shortcut(Module):
    """Where a block changes the shape: mean pooling, then a 1 x 1 convolution.

    (B, H, W, C_in) -> (B, H/stride, W/stride, C), rounded up
    """

    def __init__(self, inputs, outputs, stride, conv):
        self.stride, self.conv = stride, conv(inputs, outputs, 1)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/stride, W/stride, C)"""
        if self.stride > 1:
            x = avg_pool2d(x, 2, stride=self.stride, padding="same", count_include_pad=False)
        return self.conv(x)


class Block(Module):
    """Bottleneck with two grouped 3 x 3 convolutions, squeeze and excite, and a scalar gain that starts at 0 (fig. 3).

    (B, H, W, C_in) -> (B, H/stride, W/stride, C), rounded up
    """

    def __init__(self, inputs, outputs, *, stride, group, std, alpha, drop_path, activation, conv):
        width = outputs // 2
        if width % group:
            raise ValueError(f"group: a block of {outputs} channels has {width} inside, which do not divide into "
                             f"groups of {group}")
        self.activation, self.std, self.alpha = activation, std, alpha
        self.conv1 = conv(inputs, width, 1)
        self.conv2 = conv(width, width, 3, stride=stride, groups=width // group)
        self.conv3 = conv(width, width, 3, groups=width // group)
        self.conv4 = conv(width, outputs, 1)
        self.excite = SqueezeExcite(outputs, outputs // 2)
        self.drop_path, self.skip_gain = StochasticDepth(drop_path), Parameter((), zeros)
        self.shortcut = Shortcut(inputs, outputs, stride, conv) if stride > 1 or inputs != outputs else None

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/stride, W/stride, C)"""
        y = self.activation(x) * (1 / self.std)
        x = self.shortcut(y) if self.shortcut else x
        y = self.conv2(self.activation(self.conv1(y)))
        y = self.conv4(self.activation(self.conv3(self.activation(y))))
        y = self.drop_path(2 * self.excite(y))  # the factors of the channels are 1/2 in the mean
        return x + y * (self.alpha * self.skip_gain)


def expected_stds(depths, alpha):
    """The standard deviation of each block's input, a list for each stage: std^2 grows by alpha^2 with each block.

    The first block of a stage replaces what was added up by its projection, of variance 1 (section 2).
    """
    variance, stds = 1.0, []
    for depth in depths:
        stds.append([])
        for index in range(depth):
            stds[-1].append(variance ** 0.5)
            variance = (variance if index else 1.0) + alpha ** 2
    return stds


class NFNet(Module):
    """Stem, four stages, a 1 x 1 convolution to twice the channels, mean, linear head.

    (B, height, width, C) -> (B, num_classes), or (B, 2 C) with num_classes=0; any height and width.

    Parameters
    ----------
    image_size, channels
        Of the pictures; nothing depends on their size.
    stem, strides : tuple of int
        Channels and strides of the stem's 3 x 3 convolutions.
    dims, depths : tuple of int
        Channels and blocks of each stage; each but the first halves the grid.
    group : int
        Channels of a group in the 3 x 3 convolutions.
    activation, standardise : callable
        A key of GAMMA; what makes a convolution's weights of weight and gain.
    dropout, drop_path : float
        Before the head; of the blocks (stochastic depth).
    """

    def __init__(self, *, image_size=256, channels=3, num_classes=1000, stem=(16, 32, 64, 128), strides=(2, 1, 1, 2),
                 dims=(256, 512, 1536, 1536), depths=(1, 2, 6, 3), group=128, alpha=0.2, activation=gelu_tanh,
                 standardise=standardise, dropout=0.0, drop_path=0.0):
        self.image_size, self.strides = pair(image_size, "image_size"), tuple(strides)
        self.activation, conv = ScaledActivation(activation), partial(ScaledConv2d, standardise=standardise)
        if len(stem) != len(strides) or len(dims) != len(depths):
            raise ValueError(f"expected a stride for each convolution of the stem and a depth for each stage, got stem "
                             f"{stem}, strides {strides}, dims {dims}, depths {depths}")
        layers = [conv(inputs, outputs, 3, stride=stride) for inputs, outputs, stride in zip(
            (channels, *stem[:-1]), stem, strides, strict=True)]
        self.stem = Sequential(*[part for layer in layers for part in (layer, self.activation)][:-1])
        rates, stds = drop_path_rates(drop_path * (1 - 1 / sum(depths)), depths), expected_stds(depths, alpha)
        self.stages, inputs = [], stem[-1]
        for stage, dim in enumerate(dims):
            self.stages.append(Sequential(*[Block(
                dim if index else inputs, dim, stride=2 if stage and not index else 1, group=group, std=std,
                alpha=alpha, drop_path=rate, activation=self.activation, conv=conv)
                for index, (std, rate) in enumerate(zip(stds[stage], rates[stage], strict=True))]))
            inputs = dim
        self.final, self.dropout = conv(inputs, 2 * inputs, 1), Dropout(dropout)
        self.head = Linear(2 * inputs, num_classes, initialiser=normal(0.01)) if num_classes else Identity()

    def features(self, images):
        """What each stage makes, the last behind the 1 x 1 convolution, as timm gives it.

        (B, height, width, C) -> [(B, H, W, C), (B, H/2, W/2, C'), ...], rounded up
        """
        *maps, x = in_turn(self.stages, self.stem(images))
        return [*maps, self.final(x)]

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        x = self.activation(self.features(images)[-1])  # (B, H, W, 2 C)
        return self.head(self.dropout(x.mean(axis=(1, 2))))


# table 1, with the resolution of its tests; "cifar" is our own size
VARIANTS = {
    **{f"f{n - 1}": partial(NFNet, depths=(n, 2 * n, 6 * n, 3 * n), image_size=pixels, dropout=dropout)
       for n, pixels, dropout in [(1, 256, 0.2), (2, 320, 0.3), (3, 352, 0.4), (4, 416, 0.4), (5, 512, 0.5),
                                  (6, 544, 0.5), (7, 576, 0.5)]},
    "cifar": partial(NFNet, image_size=32, num_classes=10, stem=(8, 16, 32, 32), strides=(1, 1, 1, 2),
                     dims=(64, 128, 192, 192), depths=(1, 1, 2, 1), group=16),
}
