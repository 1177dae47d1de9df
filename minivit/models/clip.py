"""CLIP: pictures and sentences in one space.  Radford et al., ICML 2021, arXiv:2103.00020.

Two towers, one for pictures and one for sentences, each end in a vector of length 1. Vectors of a picture and of its
own sentence are to point the same way, and apart from those of all others in the batch. No class is ever named: to
classify, one writes a sentence for each class and asks which of them the picture is nearest to.

    B batch    L words of a sentence    V words of the vocabulary    D widths of the towers    E of the common space
    pictures (B, height, width, C) -> (B, D) -> (B, E), of length 1
    sentences (B', L) -> (B', L, D') -> at the end of the sentence (B', D') -> (B', E), of length 1
    both -> exp(t) cosines (B, B')

t is learned: exp(t) begins at 1 / 0.07 = 14.3, and is at most 100 (section 2.4).

Departures from the paper: the linear maps of the towers' blocks are drawn as those of a ViT; any other model that ends
in one vector may be the tower of pictures.
"""

import math
from functools import partial


from ..backend import array_module
from ..counting import feature_shapes
from ..nn import Attention, Embedding, LayerNorm, Linear, Module, Parameter, PatchEmbed, constant, normal
from ..ops import exp, quick_gelu, sqrt
from .vit import Block, ViT

TASK = "clip"  # what its models are made for
HIGHEST = math.log(100)  # of t


class CLIPViT(ViT):
    """A ViT with one more norm in front of the encoder, and patches without a bias.    (B, height, width, C) -> (B, D)

    The settings are those of `ViT`.
    """

    def __init__(self, *, dim, channels=3, patch_size=16, num_classes=0, eps=1e-5, activation=quick_gelu, **settings):
        super().__init__(dim=dim, channels=channels, patch_size=patch_size, num_classes=num_classes, eps=eps,
                         activation=activation, **settings)
        self.patch_embed = PatchEmbed(patch_size, channels, dim, bias=False)
        self.norm0 = LayerNorm(dim, eps=eps)

    def embed(self, images):
        """(B, height, width, C) -> (B, 1 + N, D)"""
        return self.norm0(super().embed(images))


class CausalBlock(Block):
    """A block of ViT in which no word sees those behind it.    (B, L, D) -> (B, L, D)"""

    def __init__(self, dim, heads, **settings):
        super().__init__(dim, heads, **settings)
        self.attention = Attention(dim, heads, is_causal=True)


class TextTower(Module):
    """A causal Transformer, read at the end of the sentence, where all of it was seen.    int (B, L) -> (B, D)

    Parameters
    ----------
    words, longest, end : int
        V, the largest L, and the number of the word that ends a sentence.
    dim, depth, heads, mlp_dim : int
        As for a ViT.
    eps, activation
        Of the norms and of the MLPs.
    """

    def __init__(self, *, words, longest, end, dim, depth, heads, mlp_dim=None, eps=1e-5, activation=quick_gelu):
        self.longest, self.end = longest, end
        self.word_embed = Embedding(words, dim, initialiser=normal(0.02))
        self.positions = Parameter((longest, dim), normal(0.01))
        self.blocks = [CausalBlock(dim, heads, mlp_dim=mlp_dim or 4 * dim, eps=eps, activation=activation)
                       for _ in range(depth)]
        self.norm = LayerNorm(dim, eps=eps)

    def forward(self, sentences):
        """int (B, L) -> (B, D), of the first place where the end stands"""
        B, L = sentences.shape
        if self.longest < L:
            raise ValueError(f"CLIP: sentences of {L} words are longer than the {self.longest} that it was built for")
        x = self.word_embed(sentences) + self.positions[:L]                           # (B, L, D)
        for block in self.blocks:
            x = block(x)
        return self.norm(x[array_module(sentences).arange(B), (sentences == self.end).argmax(axis=1)])


class CLIP(Module):
    """Two towers and their common space.    (B, height, width, C), int (B', L) -> exp(t) cosines (B, B')

    Parameters
    ----------
    backbone : callable
        Makes the tower of pictures, backbone(num_classes=0, **settings): (B, height, width, C) -> (B, D).
    common_dim : int
        E.
    words, longest, end : int
    text_dim, text_depth, text_heads, text_mlp_dim, text_eps, text_activation
        Of `TextTower`.
    **settings
        Of the backbone: image_size, channels, dim ...
    """

    def __init__(self, backbone, *, common_dim, words, longest, end, text_dim, text_depth, text_heads,
                 text_mlp_dim=None, text_eps=1e-5, text_activation=quick_gelu, **settings):
        self.backbone = backbone(num_classes=0, **settings)
        self.text = TextTower(words=words, longest=longest, end=end, dim=text_dim, depth=text_depth, heads=text_heads,
                              mlp_dim=text_mlp_dim, eps=text_eps, activation=text_activation)
        self.image_size, self.longest = self.backbone.image_size, longest
        *_, width = feature_shapes(self.backbone, (1, *self.image_size, settings.get("channels", 3)))[-1]
        self.image_projection = Linear(width, common_dim, bias=False, initialiser=normal(width ** -0.5))
        self.text_projection = Linear(text_dim, common_dim, bias=False, initialiser=normal(text_dim ** -0.5))
        self.temperature = Parameter((), constant(math.log(1 / 0.07)))           # t

    def forward(self, images, sentences):
        """(B, height, width, C), int (B', L) -> (B, B')"""
        return self.compare(self.see(images), self.read(sentences))

    def see(self, images):
        """The vectors of pictures.    (B, height, width, C) -> (B, E), of length 1"""
        return unit(self.image_projection(self.backbone(images)))

    def read(self, sentences):
        """The vectors of sentences.    int (B, L) -> (B, E), of length 1"""
        return unit(self.text_projection(self.text(sentences)))

    def compare(self, one, other):
        """exp(t) cosines of all pairs.    (B, E), (B', E) -> (B, B')"""
        return exp(self.temperature) * (one @ other.T)


def unit(x):
    """Vectors scaled to length 1.    (..., E) -> (..., E)"""
    return x / sqrt((x * x).sum(axis=-1, keepdims=True))


# appendix F, table 20; words are byte pairs there, the last of which ends a sentence
PAIRS = dict(words=49_408, longest=77, end=49_407, text_depth=12)
BASE = dict(dim=768, depth=12, heads=12, common_dim=512, text_dim=512, text_heads=8, **PAIRS)
LARGE = dict(dim=1024, depth=24, heads=16, common_dim=768, text_dim=768, text_heads=12, **PAIRS)

VARIANTS = {
    "B/32": partial(CLIP, CLIPViT, patch_size=32, **BASE),
    "B/16": partial(CLIP, CLIPViT, patch_size=16, **BASE),
    "L/14": partial(CLIP, CLIPViT, patch_size=14, **LARGE),
    # for the built-in scenes, whose <end> is word 2
    "cifar": partial(CLIP, CLIPViT, image_size=32, patch_size=4, dim=96, depth=4, heads=4, common_dim=64, words=23,
                     longest=40, end=2, text_dim=64, text_depth=2, text_heads=4),
}
