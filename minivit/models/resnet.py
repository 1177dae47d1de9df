"""Deep Residual Learning.  He et al., CVPR 2016, arXiv:1512.03385.

Layers learn what to add to their input instead of what to turn it into: y = F(x) + x. The identity lets the gradient
pass unchanged, and networks of a hundred layers and more can be trained.

    B batch    C channels
    ImageNet (B, 224, 224, 3) -> stem (B, 56, 56, 64) -> four stages (B, 56, 56, C), (B, 28, 28, 2C), (B, 14, 14, 4C),
             (B, 7, 7, 8C) -> mean over the grid (B, 8C) -> logits (B, 1000)
    CIFAR    (B, 32, 32, 3) -> stem (B, 32, 32, 64) -> (B, 32, 32, 64) ... (B, 4, 4, 512) -> (B, 512) -> logits (B, 10)

Departures from the paper: in bottlenecks the 3 x 3 convolution carries the stride, as in torchvision and timm
("v1.5"); the first block of a narrowing stage projects its shortcut (the paper's option B) everywhere. The CIFAR form
of the 18-layer network keeps ImageNet's widths, with a 3 x 3 stem without pooling; the paper's own small CIFAR
networks (section 4.2: 16, 32, 64 channels) are the variants cifar20 to cifar110.
"""

from functools import partial

from ..nn import BatchNorm2d, Conv2d, Identity, Linear, Module, Sequential, in_turn
from ..ops import max_pool2d, relu


class BasicBlock(Module):
    """Two 3 x 3 convolutions and the shortcut (fig. 5, left).    (B, H, W, C_in) -> (B, H/stride, W/stride, C)"""

    expansion = 1

    def __init__(self, inputs, channels, stride):
        self.conv1 = Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = BatchNorm2d(channels)
        self.conv2 = Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = BatchNorm2d(channels)
        self.shortcut = Shortcut(inputs, channels, stride)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/stride, W/stride, C)"""
        y = relu(self.norm1(self.conv1(x)))
        return relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(Module):
    """1 x 1 to fewer channels, 3 x 3, 1 x 1 to four times as many (fig. 5, right).

    (B, H, W, C_in) -> (B, H/stride, W/stride, 4 C)
    """

    expansion = 4

    def __init__(self, inputs, channels, stride):
        self.conv1 = Conv2d(inputs, channels, 1, bias=False)
        self.norm1 = BatchNorm2d(channels)
        self.conv2 = Conv2d(channels, channels, 3, stride=stride, padding=1, bias=False)
        self.norm2 = BatchNorm2d(channels)
        self.conv3 = Conv2d(channels, 4 * channels, 1, bias=False)
        self.norm3 = BatchNorm2d(4 * channels)
        self.shortcut = Shortcut(inputs, 4 * channels, stride)

    def forward(self, x):
        """(B, H, W, C_in) -> (B, H/stride, W/stride, 4 C)"""
        y = relu(self.norm1(self.conv1(x)))
        y = relu(self.norm2(self.conv2(y)))
        return relu(self.norm3(self.conv3(y)) + self.shortcut(x))


def Shortcut(inputs, outputs, stride):
    """The identity where shapes agree (eq. 1), else a 1 x 1 convolution (eq. 2)."""
    if stride == 1 and inputs == outputs:
        return Identity()
    return Sequential(Conv2d(inputs, outputs, 1, stride=stride, bias=False), BatchNorm2d(outputs))


class Stages(Module):
    """Stages of blocks; each after the first halves the grid and doubles the channels; then mean and linear head.

    (B, H, W, width) -> (B, num_classes), or (B, features) with num_classes=0
    """

    def __init__(self, block, depths, width, num_classes):
        self.stages, inputs = [], width
        for stage, depth in enumerate(depths):
            channels, blocks = width * 2 ** stage, []
            for index in range(depth):
                blocks.append(block(inputs, channels, stride=2 if stage > 0 and index == 0 else 1))
                inputs = channels * block.expansion
            self.stages.append(Sequential(*blocks))
        self.head = Linear(inputs, num_classes) if num_classes else Identity()

    def features(self, x):
        """What each stage makes.    (B, H, W, width) -> [(B, H, W, C), (B, H/2, W/2, 2C), ...]"""
        return list(in_turn(self.stages, x))

    def forward(self, x):
        """(B, H, W, width) -> (B, num_classes)"""
        return self.head(self.features(x)[-1].mean(axis=(1, 2)))


class ResidualNetwork(Module):
    """A stem, which each form makes and reads in its own way (`embed`), then the stages, `body`."""

    @property
    def head(self):
        """The linear map from the mean of the last stage to the classes."""
        return self.body.head

    @head.setter
    def head(self, head):
        self.body.head = head

    def features(self, images):
        """What each stage makes, as timm's `features_only` gives it behind the stem.

        (B, height, width, C) -> list of (B, H, W, C), the finest grid first
        """
        return self.body.features(self.embed(images))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.body(self.embed(images))


class ResNet(ResidualNetwork):
    """For ImageNet (table 1): a 7 x 7 stem and max pooling, each with stride 2.    (B, H, W, 3) -> (B, num_classes)"""

    image_size = (224, 224)

    def __init__(self, block, depths, *, width=64, channels=3, num_classes=1000):
        self.stem, self.norm = Conv2d(channels, width, 7, stride=2, padding=3, bias=False), BatchNorm2d(width)
        self.body = Stages(block, depths, width, num_classes)

    def embed(self, images):
        """The stem.    (B, H, W, C) -> (B, H/4, W/4, width)"""
        x = relu(self.norm(self.stem(images)))                        # (B, H/2, W/2, width)
        return max_pool2d(x, 3, stride=2, padding=1)


class ResNetCIFAR(ResidualNetwork):
    """For 32 x 32 pictures (section 4.2): a 3 x 3 stem that keeps the grid.    (B, H, W, 3) -> (B, num_classes)

    For somewhat larger pictures the stem may have a stride.
    """

    image_size = (32, 32)

    def __init__(self, block, depths, *, width=64, stride=1, channels=3, num_classes=10):
        self.stem = Conv2d(channels, width, 3, stride=stride, padding=1, bias=False)
        self.norm = BatchNorm2d(width)
        self.body = Stages(block, depths, width, num_classes)

    def embed(self, images):
        """The stem.    (B, H, W, C) -> (B, H/stride, W/stride, width)"""
        return relu(self.norm(self.stem(images)))


VARIANTS = {
    "18": partial(ResNet, BasicBlock, (2, 2, 2, 2)),
    "34": partial(ResNet, BasicBlock, (3, 4, 6, 3)),
    "50": partial(ResNet, Bottleneck, (3, 4, 6, 3)),
    "101": partial(ResNet, Bottleneck, (3, 4, 23, 3)),
    "152": partial(ResNet, Bottleneck, (3, 8, 36, 3)),
    "cifar20": partial(ResNetCIFAR, BasicBlock, (3, 3, 3), width=16),
    "cifar56": partial(ResNetCIFAR, BasicBlock, (9, 9, 9), width=16),
    "cifar110": partial(ResNetCIFAR, BasicBlock, (18, 18, 18), width=16),
    "cifar": partial(ResNetCIFAR, BasicBlock, (2, 2, 2, 2)),
    "scenes": partial(ResNetCIFAR, BasicBlock, (1, 1, 1), width=32, stride=2),  # a backbone for detection and masks
}
