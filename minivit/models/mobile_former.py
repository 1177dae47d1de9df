"""Mobile-Former: bridging MobileNet and transformer.  Chen et al., CVPR 2022, arXiv:2108.05895.

Two networks run side by side. A mobile network of convolutions keeps the pixels, a Transformer keeps a handful of
tokens, which are learned and not cut from the picture, and across a bridge each reads the other in every block. The
bridge is cheap, because keys, queries and values are projected on the side of the tokens only: pixels are used as they
are. And what the pixels' ReLU looks like, the first token says.

    B batch    H x W grid    N = H W    C channels    T tokens    D their width    h heads
    (B, 224, 224, 3), tokens (B, 6, 192) -> (B, 112, 112, 16) -> (B, 56, 56, 24) -> (B, 28, 28, 48) -> (B, 14, 14, 128)
                     -> (B, 7, 7, 192), (B, 6, 192) -> mean (B, 1152), first token (B, 192) -> (B, 1920) -> (B, 1000)
    cifar: (B, 32, 32, 3), (B, 4, 64) -> (B, 32, 32, 16) -> (B, 16, 16, 24) -> (B, 8, 8, 64), (B, 4, 64) -> (B, 256)
    bridge: scores of tokens for pixels (B, h, T, N), of pixels for tokens (B, h, N, T)

Departures from the paper: as in the authors' code, the Transformer attends to its tokens unprojected too, with 4 heads,
and what it reads from pixels is multiplied by a gate before it is added. Their rates of stochastic depth begin at 1 / L
for L blocks, here at 0.
"""

from functools import partial

from ..engine import no_grad
from ..nn import (ConvNorm, DropPath, Identity, LayerNorm, Linear, LinearNorm, Mlp, Module, Parameter, by_head,
                  drop_path_rates, joined_heads, normal, repeat_batch, truncated_normal)
from ..ops import attention, attention_weights, concatenate, hardsigmoid, hardswish, maximum, relu, relu6, split
from .pvt import as_tokens


def shuffled(x, groups):
    """Channels dealt out anew, so that groups of a convolution meet (1707.01083).    (B, H, W, C) -> (B, H, W, C)"""
    B, H, W, C = x.shape
    return x.reshape(B, H, W, groups, C // groups).swapaxes(3, 4).reshape(B, H, W, C)    # (B, H, W, C)


class ToTokens(Module):
    """Tokens read the pixels, which are their own keys and values (eq. 1, "Mobile -> Former").

    (B, T, D), (B, H, W, C) -> (B, T, D)
    """

    def __init__(self, dim, channels, heads=2, *, drop_path=0.0):
        if channels % heads:
            raise ValueError(f"ToTokens: {channels} channels are not divisible by {heads} heads")
        self.heads, self.query, self.gate = heads, Linear(dim, channels), Linear(dim, channels)
        self.proj, self.norm, self.drop_path = Linear(channels, dim), LayerNorm(dim, eps=1e-5), DropPath(drop_path)

    def forward(self, tokens, x):
        """(B, T, D), (B, H, W, C) -> (B, T, D)"""
        q, pixels = by_head(self.query(tokens), self.heads), by_head(as_tokens(x), self.heads)
        found = joined_heads(attention(q, pixels, pixels)) * (2 * hardsigmoid(self.gate(tokens)))    # (B, T, C)
        return self.norm(tokens + self.drop_path(self.proj(found)))

    def weights(self, tokens, x):
        """What each token looks at, for pictures: the attention probabilities.    -> (B, h, T, N)"""
        with no_grad():
            return attention_weights(by_head(self.query(tokens), self.heads), by_head(as_tokens(x), self.heads))


class Former(Module):
    """Tokens among themselves: attention, then an MLP, each with its norm behind it (section 3.2).

    (B, T, D) -> (B, T, D)
    """

    def __init__(self, dim, heads=4, *, drop_path=0.0):
        if dim % heads:
            raise ValueError(f"Former: width {dim} is not divisible by {heads} heads")
        self.heads, self.query, self.proj = heads, Linear(dim, dim), Linear(dim, dim)
        self.norm1, self.norm2, self.mlp = LayerNorm(dim, eps=1e-5), LayerNorm(dim, eps=1e-5), Mlp(dim, 2 * dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens):
        """(B, T, D) -> (B, T, D)"""
        q, k = by_head(self.query(tokens), self.heads), by_head(tokens, self.heads)            # 2 (B, h, T, d)
        tokens = self.norm1(tokens + self.drop_path(self.proj(joined_heads(attention(q, k, k)))))
        return self.norm2(tokens + self.mlp(tokens))


class ToPixels(Module):
    """Pixels, which are their own queries, read the tokens (eq. 2, "Former -> Mobile").

    (B, H, W, C), (B, T, D) -> (B, H, W, C)
    """

    def __init__(self, dim, channels, heads=2, *, drop_path=0.0):
        self.heads, self.key, self.value = heads, Linear(dim, channels), Linear(dim, channels)
        self.drop_path = DropPath(drop_path)

    def forward(self, x, tokens):
        """(B, H, W, C), (B, T, D) -> (B, H, W, C)"""
        q, k, v = (by_head(y, self.heads) for y in (as_tokens(x), self.key(tokens), self.value(tokens)))
        return x + self.drop_path(joined_heads(attention(q, k, v)).reshape(x.shape))                 # (B, H, W, C)

    def weights(self, x, tokens):
        """What each pixel looks at, for pictures: the attention probabilities.    -> (B, h, N, T)"""
        with no_grad():
            return attention_weights(by_head(as_tokens(x), self.heads), by_head(self.key(tokens), self.heads))


class DynamicReLU(Module):
    """The larger of two multiples of x, which a token chooses for each channel (arXiv:2003.10027).

    (B, H, W, C), token (B, D) -> (B, H, W, C). The first is from 0 to 2, the second from -1 to 1 times x.
    """

    def __init__(self, dim, channels):
        self.linear1, self.linear2 = Linear(dim, dim // 4), Linear(dim // 4, 2 * channels)

    def forward(self, x, token):
        """(B, H, W, C), (B, D) -> (B, H, W, C)"""
        slopes = 2 * hardsigmoid(self.linear2(relu(self.linear1(token))))                      # (B, 2C)
        first, second = split(slopes.reshape(len(x), 1, 1, 2 * x.shape[-1]), 2, axis=-1)       # 2 (B, 1, 1, C)
        return maximum(x * first, x * (second - 1))


class LiteBottleneck(Module):
    """Depthwise to more channels, 1 x 1 to the outputs: the first block, before any token (table 1, "bottleneck-lite").

    (B, H, W, C_in), (B, T, D) -> (B, H/stride, W/stride, C), (B, T, D). What comes in is added where the shapes agree.
    """

    def __init__(self, inputs, outputs, *, stride, expansion, groups):
        hidden, self.inputs, self.groups = inputs * expansion, inputs, groups
        self.depthwise = ConvNorm(inputs, hidden, 3, stride=stride, groups=inputs, activation=relu6)
        self.project = ConvNorm(hidden, outputs, 1, groups=groups)
        self.is_residual = stride == 1 and inputs == outputs

    def forward(self, x, tokens):
        """(B, H, W, C_in), (B, T, D) -> (B, H/stride, W/stride, C), (B, T, D)"""
        y = self.depthwise(x)
        y = self.project(shuffled(y, self.inputs) if self.groups > 1 else y)
        return x + y if self.is_residual else y, tokens


class Block(Module):
    """Tokens read pixels and one another, pixels are convolved, and read the tokens (fig. 3).

    (B, H, W, C_in), (B, T, D) -> (B, H, W, C), (B, T, D)

    Parameters
    ----------
    inputs, outputs, dim : int
        C_in, C and D.
    expansion : int
        How many times wider pixels are inside.
    groups : int
        Of the 1 x 1 convolutions.
    drop_path : float
        Rate of stochastic depth.
    """

    def __init__(self, inputs, outputs, dim, *, expansion, groups=1, drop_path=0.0):
        self.to_tokens = ToTokens(dim, inputs, drop_path=drop_path)
        self.former = Former(dim, drop_path=drop_path)
        self.to_pixels = ToPixels(dim, outputs, drop_path=drop_path)
        self.groups, self.drop_path = groups, DropPath(drop_path)
        self.make_mobile(inputs, outputs, dim, expansion)

    def make_mobile(self, inputs, outputs, dim, expansion):
        """An inverted bottleneck: 1 x 1, depthwise, 1 x 1."""
        hidden = inputs * expansion
        self.conv1, self.relu1 = ConvNorm(inputs, hidden, 1, groups=self.groups), DynamicReLU(dim, hidden)
        self.conv2, self.relu2 = ConvNorm(hidden, hidden, 3, groups=hidden), DynamicReLU(dim, hidden)
        self.conv3, self.is_residual = ConvNorm(hidden, outputs, 1, groups=self.groups), inputs == outputs

    def forward(self, x, tokens):
        """(B, H, W, C_in), (B, T, D) -> (B, H, W, C), (B, T, D)"""
        tokens = self.former(self.to_tokens(tokens, x))
        return self.to_pixels(self.mobile(x, tokens[:, 0]), tokens), tokens

    def mobile(self, x, token):
        """(B, H, W, C_in), (B, D) -> (B, H, W, C)"""
        y = self.relu1(self.shuffle(self.conv1(x), self.groups), token)
        y = self.shuffle(self.conv3(self.relu2(self.conv2(y), token)), self.groups)
        return x + self.drop_path(y) if self.is_residual else y

    def shuffle(self, x, groups):
        """Only where 1 x 1 convolutions have groups.    (B, H, W, C) -> (B, H, W, C)"""
        return shuffled(x, groups) if self.groups > 1 else x


class DownBlock(Block):
    """The same on half the grid: depthwise and 1 x 1, twice; the second time four times as wide inside (table 1).

    (B, H, W, C_in), (B, T, D) -> (B, H/2, W/2, C), (B, T, D), halves rounded up
    """

    def make_mobile(self, inputs, outputs, dim, expansion):
        """Depthwise with stride, 1 x 1, depthwise, 1 x 1."""
        self.inputs, self.outputs, hidden, wide = inputs, outputs, inputs * expansion, 4 * outputs
        self.conv1, self.relu1 = ConvNorm(inputs, hidden, 3, stride=2, groups=inputs), DynamicReLU(dim, hidden)
        self.conv2 = ConvNorm(hidden, outputs, 1, groups=self.groups)
        self.conv3, self.relu3 = ConvNorm(outputs, wide, 3, groups=outputs), DynamicReLU(dim, wide)
        self.conv4 = ConvNorm(wide, outputs, 1, groups=self.groups)

    def mobile(self, x, token):
        """(B, H, W, C_in), (B, D) -> (B, H/2, W/2, C)"""
        x = self.conv2(self.relu1(self.shuffle(self.conv1(x), self.inputs), token))
        y = self.conv4(self.relu3(self.shuffle(self.conv3(x), self.outputs), token))
        return x + self.drop_path(y)


class MobileFormer(Module):
    """A stem, blocks of both networks, and a head that reads the mean of the pixels and the first token (table 1).

    (B, height, width, C) -> (B, num_classes), or (B, hidden) with num_classes=0. Pictures of any size are accepted.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels of the pictures that the model is made for.
    stem : (int, int)
        Channels and stride of the first convolution.
    lite : (int, int, int)
        C, stride and expansion of the block before any token.
    blocks : sequence of (int, int, int)
        The same of all others; the stride is 1 or 2.
    tokens, dim : int
        T and D.
    hidden : int
        Width of the head's hidden layer.
    groups : int
        Of all 1 x 1 convolutions, whose channels are shuffled.
    drop_path : float
        Rate of stochastic depth in the last block; it grows linearly from 0 in the first.
    """

    def __init__(self, *, image_size=224, channels=3, num_classes=1000, stem, lite, blocks, tokens, dim, hidden,
                 groups=1, drop_path=0.0):
        if not {stride for _, stride, _ in blocks} <= {1, 2}:
            raise ValueError(f"blocks: expected (C, stride, expansion) with stride 1 or 2, got {blocks}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        (inputs, stride), self.groups = stem, groups
        self.tokens = Parameter((1, tokens, dim), normal(1.0))
        self.stem = ConvNorm(channels, inputs, 3, stride=stride, activation=relu6)
        C, stride, expansion = lite
        self.blocks, inputs = [LiteBottleneck(inputs, C, stride=stride, expansion=expansion, groups=groups)], C
        for (C, stride, expansion), rate in zip(blocks, drop_path_rates(drop_path, [len(blocks)])[0], strict=True):
            kind = DownBlock if stride == 2 else Block
            self.blocks.append(kind(inputs, C, dim, expansion=expansion, groups=groups, drop_path=rate))
            inputs = C
        self.to_tokens = ToTokens(dim, inputs, drop_path=drop_path)
        self.final = ConvNorm(inputs, 6 * inputs, 1, groups=groups, activation=relu6)
        self.hidden = LinearNorm(6 * inputs + dim, hidden, bias=True)
        self.head = Linear(hidden, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def encode(self, images):
        """What each stage makes, and the tokens.    (B, height, width, C) -> [(B, H, W, C), ...], (B, T, D)"""
        x, maps = self.stem(images), []
        tokens = repeat_batch(self.tokens, len(x))                                             # (B, T, D)
        for block in self.blocks:
            if isinstance(block, DownBlock):
                maps.append(x)
            x, tokens = block(x, tokens)
        return [*maps, x], tokens

    def features(self, images):
        """What each stage makes.    (B, height, width, C) -> list of (B, H, W, C), the finest grid first"""
        return self.encode(images)[0]

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        (*_, x), tokens = self.encode(images)
        token = self.to_tokens(tokens, x)[:, 0]                                                # (B, D)
        x = self.final(shuffled(x, self.groups)).mean(axis=(1, 2))                             # (B, 6C)
        return self.head(hardswish(self.hidden(concatenate([hardswish(x), token], axis=-1))))


def sizes(*lines, stem, lite, tokens, dim, hidden, **settings):
    """A model by the lines of its table: C, stride, expansion of each block."""
    return partial(MobileFormer, stem=(stem, 2), lite=lite, blocks=lines, tokens=tokens, dim=dim, hidden=hidden,
                   **settings)


def large(channels, expansions, *, stem, hidden):
    """The four largest, with twelve blocks: five widths, of which the fourth is on the grid of the third."""
    a, b, c, d, e = channels
    second, third, fourth = expansions
    return sizes((a, 2, 6), (a, 1, second), (b, 2, 6), (b, 1, third), (c, 2, 6), (c, 1, fourth), (d, 1, 6), (d, 1, 6),
                 (e, 2, 6), (e, 1, 6), (e, 1, 6), stem=stem, lite=(stem, 1, 2), tokens=6, dim=192, hidden=hidden)


TINY = ((12, 1, 3), (24, 2, 6), (24, 1, 3), (48, 2, 6), (48, 1, 4), (64, 1, 6), (96, 2, 6), (96, 1, 6))
# the sizes of the paper, as its code has them; "cifar" is our own
VARIANTS = {
    "508m": large((40, 72, 128, 176, 240), (3, 3, 4), stem=24, hidden=1920),
    "294m": large((24, 48, 96, 128, 192), (4, 4, 4), stem=16, hidden=1920),
    "214m": large((20, 40, 80, 112, 160), (3, 4, 4), stem=12, hidden=1600),
    "151m": large((16, 32, 64, 88, 128), (3, 3, 4), stem=12, hidden=1280),
    "96m": sizes((16, 2, 6), (32, 2, 6), (32, 1, 3), (64, 2, 6), (64, 1, 4), (88, 1, 6), (128, 2, 6), (128, 1, 6),
                 stem=12, lite=(12, 1, 2), tokens=4, dim=128, hidden=1280),
    "52m": sizes(*TINY, stem=8, lite=(12, 2, 3), tokens=3, dim=128, hidden=1024),
    "26m": sizes(*TINY, stem=8, lite=(12, 2, 3), tokens=3, dim=128, hidden=1024, groups=4),
    "cifar": partial(MobileFormer, image_size=32, num_classes=10, stem=(16, 1), lite=(16, 1, 2), tokens=4, dim=64,
                     hidden=256, blocks=((24, 2, 6), (24, 1, 4), (48, 2, 6), (48, 1, 4), (64, 1, 6))),
}
