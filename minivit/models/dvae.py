"""The discrete variational autoencoder of DALL-E: pictures as words.  Ramesh et al., ICML 2021, arXiv:2102.12092.

An encoder, a convolutional network, says for each place of a coarse grid how likely each word of a vocabulary is; a
decoder paints the picture from the words. Between them stands a choice, whose noise training makes smooth: how both
learn is told in minivit/tasks/dvae.py. BEiT (2106.08254) takes the words as what it predicts of hidden patches.

    B batch    V words    C width of the first group    h x w grid of words    g groups, the last of which halves none
    encoder: (B, 32, 32, 3) -> groups (B, 16, 16, C), (B, 8, 8, 2C), (B, 8, 8, 4C) -> words (B, 8, 8, V)
    decoder: (B, 8, 8, V) -> groups (B, 16, 16, 4C), (B, 32, 32, 2C), (B, 32, 32, C) -> (B, 32, 32, 2 x 3)

The encoder is a model like the others: what tells classes apart, `head`, tells words apart when it is a tokenizer, and
the logits of a picture are the mean over its grid.

Departures from the paper: none in the networks, which are those of the authors' code (openai/DALL-E; the paper has no
table of them). The encoder takes normalised pictures, as every model here, where theirs takes pixels from 0.1 to 0.9.
"""

import math
from functools import partial

from ..nn import Conv2d, Identity, Linear, Module, in_turn, normal
from ..ops import max_pool2d, relu, resize


def fan_in_normal(rng, shape):
    """Normal with variance 1 / fan_in, as in the authors' code, for weights (..., in, out)."""
    return normal(1 / math.sqrt(math.prod(shape[:-1])))(rng, shape)


class Block(Module):
    """x W + (1 / n^2) f(x), with f four convolutions, a ReLU in front of each, and n the blocks of the whole network.

    (B, H, W, C) -> (B, H, W, C'). The skip W is the identity where the widths are equal. `kernels` are 3, 3, 3, 1 in
    the encoder, and 1, 3, 3, 3 in the decoder.
    """

    def __init__(self, inputs, outputs, kernels, *, blocks):
        hidden = outputs // 4
        widths = [inputs, hidden, hidden, hidden, outputs]
        self.convs = [Conv2d(*widths[i:i + 2], kernel, padding=kernel // 2, initialiser=fan_in_normal)
                      for i, kernel in enumerate(kernels)]
        self.skip = Linear(inputs, outputs, initialiser=fan_in_normal) if inputs != outputs else Identity()
        self.gain = 1 / blocks ** 2

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C')"""
        branch = x
        for conv in self.convs:
            branch = conv(relu(branch))
        return self.skip(x) + self.gain * branch


def make_groups(widths, per_group, kernels):
    """Groups of blocks, each `per_group` long, from widths[i] to widths[i + 1].    -> list of lists"""
    blocks = per_group * (len(widths) - 1)
    return [[Block(inputs if index == 0 else outputs, outputs, kernels, blocks=blocks) for index in range(per_group)]
            for inputs, outputs in zip(widths, widths[1:], strict=False)]


class Encoder(Module):
    """How likely each word is at each place; as a classifier, what the places say on average.

    (B, height, width, C) -> (B, num_classes), or (B, features) with num_classes=0. The grid is 2^(g - 1) times coarser
    than the picture; pixels that are left over at its edges are dropped.

    Parameters
    ----------
    image_size : int or (int, int)
        Of the pictures that it is used with; no weight depends on it.
    num_classes : int
        V, where the classes are words.
    dim, groups, per_group : int
        C, g, and blocks in each group; group i is 2^i C wide.
    """

    def __init__(self, *, image_size=112, channels=3, num_classes=8192, dim=256, groups=4, per_group=2):
        if dim % 4:
            raise ValueError(f"dim: expected a multiple of 4, got {dim}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.input = Conv2d(channels, dim, 7, padding=3, initialiser=fan_in_normal)
        widths = [dim, *(dim * 2 ** group for group in range(groups))]
        self.groups = make_groups(widths, per_group, (3, 3, 3, 1))
        self.head = Linear(widths[-1], num_classes, initialiser=fan_in_normal) if num_classes else Identity()

    @property
    def shrinks(self):
        """How many pixels a side of a word's place has."""
        return 2 ** (len(self.groups) - 1)

    def features(self, images):
        """What each group makes.    (B, height, width, C) -> [(B, height / 2, width / 2, C), ...]"""
        made, x = [], self.input(images)
        for group in self.groups:
            *_, x = in_turn(group, x)
            x = x if group is self.groups[-1] else max_pool2d(x, 2)
            made.append(x)
        return made

    def words(self, images):
        """The logits of the words.    (B, height, width, C) -> (B, h, w, V)"""
        return self.head(relu(self.features(images)[-1]))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.words(images).mean(axis=(1, 2))


class Decoder(Module):
    """From words to what is known of each number of a pixel: two numbers, the place and the spread of a distribution.

    (B, h, w, V) -> (B, height, width, 2 C), first all places, then all spreads

    Parameters
    ----------
    words : int
        V: a place holds one word, or a mixture.
    code_dim : int
        Width of what stands in the codebook for a word.
    dim, groups, per_group
        As for the encoder, whose groups come here in reverse order.
    """

    def __init__(self, *, words, channels=3, code_dim=128, dim=256, groups=4, per_group=2):
        widths = [code_dim, *(dim * 2 ** group for group in reversed(range(groups)))]
        self.codebook = Linear(words, code_dim, initialiser=fan_in_normal)
        self.groups = make_groups(widths, per_group, (1, 3, 3, 3))
        self.output = Linear(dim, 2 * channels, initialiser=fan_in_normal)

    def forward(self, words):
        """(B, h, w, V) -> (B, height, width, 2 C)"""
        x = self.codebook(words)                                                    # (B, h, w, code_dim)
        for group in self.groups:
            *_, x = in_turn(group, x)
            if group is not self.groups[-1]:
                x = resize(x, (2 * x.shape[1], 2 * x.shape[2]), mode="nearest")     # (B, 2 h, 2 w, C)
        return self.output(relu(x))


# the authors' only size; "cifar" is our own: 8 x 8 words for 32 x 32 pixels
VARIANTS = {
    "dall-e": partial(Encoder),
    "cifar": partial(Encoder, image_size=32, num_classes=10, dim=48, groups=3, per_group=1),
}
