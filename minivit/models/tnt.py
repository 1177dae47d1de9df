"""Transformer in Transformer (TNT).  Han et al., NeurIPS 2021, arXiv:2103.00112.

ViT flattens a patch once, and no later layer sees what is within it. Here patches are visual sentences made of visual
words: in each block an inner Transformer lets the words of one sentence attend to each other, a linear map adds what
they say to the sentence, and an outer Transformer lets the sentences attend to each other. Words are so narrow that
this costs little.

    B batch    N sentences (patches)    D their width    P patch size    m words in each    c width of a word
    (B, 224, 224, 3) -> patches (B, 196, 16, 16, 3) -> words (B, 196, 16, c) -> sentences (B, 196, D), with class token
                     (B, 197, D) -> blocks, which change words and sentences -> (B, D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> words (B, 64, 16, 8) -> sentences (B, 65, 96) -> (B, 96) -> logits (B, 10)

Departures from the paper, all as in the authors' code: words are made by a 7 x 7 convolution with stride 4 within each
patch, zeros around it, where the paper has a linear map of 4 x 4 pixels; norms stand before and behind the linear map
from words to a sentence, which has no bias in the blocks; queries, keys and values have no biases either.
"""

import math
from functools import partial

from ..nn import (Conv2d, Dropout, Identity, LayerNorm, Linear, Module, Parameter, drop_path_rates,
                  interpolate_positions, patchify, repeat_batch, to_grid, truncated_normal)
from ..ops import concatenate
from .vit import Block as Layer


class Words(Module):
    """The words of each patch by itself, told where they are in it (section 2.2).

    (B, height, width, C) -> (B, N, m, c)

    With m = (P / stride)^2, rounded up before it is squared. All patches share the positions.
    """

    def __init__(self, patch_size, stride, channels, dim):
        self.patch_size, self.stride, self.channels = patch_size, stride, channels
        self.conv = Conv2d(channels, dim, 7, stride=stride, padding=3)
        side = math.ceil(patch_size / stride)
        self.positions = Parameter((1, side, side, dim), truncated_normal(0.02))

    def forward(self, images):
        """(B, height, width, C) -> (B, N, m, c)"""
        x, P, (_, side, _, c) = patchify(images, self.patch_size, self.channels), self.patch_size, self.positions.shape
        B, N, _ = x.shape
        x = self.conv(x.reshape(B * N, P, P, self.channels)) + self.positions     # (B N, side, side, c)
        return x.reshape(B, N, side * side, c)                                    # (B, N, m, c)


class Sentences(Module):
    """What the words of each sentence say, by a linear map of them all (section 2.2).    (B, N, m, c) -> (B, N, D)"""

    def __init__(self, words, word_dim, dim, *, bias=False):
        self.norm1, self.norm2 = LayerNorm(words * word_dim, eps=1e-5), LayerNorm(dim, eps=1e-5)
        self.linear = Linear(words * word_dim, dim, bias=bias)

    def forward(self, words):
        """(B, N, m, c) -> (B, N, D)"""
        B, N, m, c = words.shape
        return self.norm2(self.linear(self.norm1(words.reshape(B, N, m * c))))    # (B, N, D)


class Block(Module):
    """The inner Transformer, what it adds to the sentences, and the outer Transformer (section 2.2, fig. 1).

    (B, N, m, c), (B, 1 + N, D) -> (B, N, m, c), (B, 1 + N, D)
    """

    def __init__(self, inner, sentences, outer):
        self.inner, self.sentences, self.outer = inner, sentences, outer

    def forward(self, words, x):
        """(B, N, m, c), (B, 1 + N, D) -> (B, N, m, c), (B, 1 + N, D)"""
        B, N, m, c = words.shape
        words = self.inner(words.reshape(B * N, m, c)).reshape(B, N, m, c)              # (B, N, m, c)
        x = concatenate([x[:, :1], x[:, 1:] + self.sentences(words)], axis=1)           # (B, 1 + N, D)
        return words, self.outer(x)


class TNT(Module):
    """Words, sentences with a class token in front of them, blocks, and a head that reads the class token (fig. 1).

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0. Pictures of another size than `image_size`
    are accepted if they divide into patches: the positions of the sentences are interpolated.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels that the positions of the sentences are learned for.
    stride : int
        Pixels from a word to the next.
    dim, depth, heads, mlp_dim : int
        Width D of a sentence, number of blocks, heads of the outer Transformer, and the width between the two layers of
        its MLP, by default 4 D.
    word_dim, word_heads : int
        Width c of a word, and heads of the inner Transformer.
    dropout, drop_path : float
        As for ViT.
    """

    def __init__(self, *, image_size=224, patch_size=16, stride=4, channels=3, num_classes=1000, dim, depth, heads,
                 mlp_dim=None, word_dim, word_heads, dropout=0.0, drop_path=0.0):
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        if any(pixels % patch_size for pixels in self.image_size):
            raise ValueError("image_size: {} x {} pixels do not divide into patches of patch_size {}".format(
                *self.image_size, patch_size))
        self.grid = tuple(pixels // patch_size for pixels in self.image_size)
        self.words, m = Words(patch_size, stride, channels, word_dim), math.ceil(patch_size / stride) ** 2
        self.sentences = Sentences(m, word_dim, dim, bias=True)
        self.class_token = Parameter((1, 1, dim), truncated_normal(0.02))
        self.positions = Parameter((1, 1 + math.prod(self.grid), dim), truncated_normal(0.02))
        self.dropout, self.blocks = Dropout(dropout), []
        for rate in drop_path_rates(drop_path, [depth])[0]:
            layer = partial(Layer, eps=1e-5, qkv_bias=False, dropout=dropout, drop_path=rate)
            self.blocks.append(Block(layer(word_dim, word_heads, mlp_dim=4 * word_dim), Sentences(m, word_dim, dim),
                                     layer(dim, heads, mlp_dim=mlp_dim or 4 * dim)))
        self.norm = LayerNorm(dim, eps=1e-5)
        self.head = Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def grid_of(self, images):
        """Rows and columns of the patches of these pictures."""
        return tuple(pixels // self.words.patch_size for pixels in images.shape[1:3])

    def encode(self, images):
        """What each block makes of the sentences.    (B, height, width, C) -> generator of (B, 1 + N, D)"""
        words = self.words(images)                                                               # (B, N, m, c)
        x = concatenate([repeat_batch(self.class_token, len(words)), self.sentences(words)], axis=1)  # (B, 1 + N, D)
        x = self.dropout(x + interpolate_positions(self.positions, self.grid, self.grid_of(images), prefix=1))
        for block in self.blocks:
            words, x = block(words, x)
            yield x

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        *_, x = self.encode(images)
        return self.head(self.norm(x[:, 0]))

    def features(self, images, layers=None):
        """The sentences on their grid: what the blocks `layers` make, by default the last, behind the norm.

        (B, height, width, C) -> [(B, height / P, width / P, D) for each layer]
        """
        made = list(self.encode(images))
        chosen = [self.norm(made[-1])] if layers is None else [made[layer] for layer in layers]
        return [to_grid(x, self.grid_of(images), prefix=1) for x in chosen]


# table 1; "cifar" is our own size
VARIANTS = {
    "tiny": partial(TNT, dim=192, depth=12, heads=3, word_dim=12, word_heads=2),
    "small": partial(TNT, dim=384, depth=12, heads=6, word_dim=24, word_heads=4),
    "base": partial(TNT, dim=640, depth=12, heads=10, word_dim=40, word_heads=4),
    "cifar": partial(TNT, image_size=32, patch_size=4, stride=1, num_classes=10, dim=96, depth=4, heads=3, word_dim=8,
                     word_heads=2),
}
