"""A sentence for a picture: a language model that looks.

Xu et al., "Show, attend and tell", ICML 2015, arXiv:1502.03044, had the idea: at every word, look again. Here the eye
is any backbone, and the rest the Transformer decoder of Vaswani et al., 2017, arXiv:1706.03762, in the form of GPT-2
(Radford et al., "Language models are unsupervised multitask learners", 2019): norms in front, a causal mask, and the
table of the words read backwards as the last layer. Between attention and MLP, every word looks at the whole picture.

    B batch    L words of a sentence    V words of the vocabulary    N places of the grid    D width
    (B, height, width, C) -> grid (B, N, C') -> memory (B, N, D)
    words (B, L) -> (B, L, D) -> logits of the next word at each place (B, L, V)

A sentence begins with <start> and ends with <end>; what follows is <pad>. Because nobody sees later words, one pass
learns all L next words at once; a new sentence is written word by word, by `greedy` or `beam`.

Departures from GPT-2: the grid gets a linear map to the decoder's width where transformers has one only if the widths
differ; no dropout.
"""

from functools import partial

import numpy as np

from ..backend import asnumpy, device_of, to_device
from ..counting import feature_shapes
from ..engine import no_grad
from ..nn import Attention, CrossAttention, Embedding, LayerNorm, Linear, Mlp, Module, Parameter, normal
from ..ops import gelu_tanh, log_softmax
from ..ops.checks import whole
from ..words import END, PAD, START
from .vit import VARIANTS as VIT

TASK = "caption"  # what its models are made for


class Block(Module):
    """Look at the words before, at the picture, then think (pre-norm).    (B, L, D), memory (B, N, D) -> (B, L, D)"""

    def __init__(self, dim, heads, *, mlp_dim, eps):
        self.norm1, self.attention = LayerNorm(dim, eps=eps), Attention(dim, heads, is_causal=True)
        self.norm2, self.cross_attention = LayerNorm(dim, eps=eps), CrossAttention(dim, heads)
        self.norm3, self.mlp = LayerNorm(dim, eps=eps), Mlp(dim, mlp_dim, activation=gelu_tanh)

    def forward(self, x, seen):
        """`seen` are the keys and values of the picture.    (B, L, D), two of (B, H, N, d) -> (B, L, D)"""
        x = x + self.attention(self.norm1(x))
        x = x + self.cross_attention.attend(self.norm2(x), *seen)
        return x + self.mlp(self.norm3(x))


class Captioner(Module):
    """A backbone and a decoder.    (B, height, width, C), words (B, L) -> logits (B, L, V)

    Parameters
    ----------
    backbone : callable
        Makes a model with `features`, backbone(num_classes=0, **settings): the last of its grids is looked at.
    words : int
        V.
    longest : int
        The largest L, <start> and <end> among them.
    dim, depth, heads : int
        D, the number of blocks, and the heads of both attentions.
    mlp_dim : int
        By default 4 D.
    eps : float
        Of the norms.
    **settings
        Of the backbone: image_size, channels ...
    """

    def __init__(self, backbone, *, words, longest=40, dim=96, depth=2, heads=4, mlp_dim=None, eps=1e-5, **settings):
        for name, number in (("words", words), ("longest", longest), ("depth", depth)):
            whole("Captioner", name, number)
        self.backbone, self.longest = backbone(num_classes=0, **settings), longest
        self.image_size = self.backbone.image_size
        *_, width = feature_shapes(self.backbone, (1, *self.image_size, settings.get("channels", 3)))[-1]
        self.project = Linear(width, dim)
        self.word_embed = Embedding(words, dim, initialiser=normal(0.02))
        self.positions = Parameter((longest, dim), normal(0.01))
        self.blocks = [Block(dim, heads, mlp_dim=mlp_dim or 4 * dim, eps=eps) for _ in range(depth)]
        self.norm = LayerNorm(dim, eps=eps)

    def forward(self, images, words):
        """The logits of the word after each.    (B, height, width, C), int (B, L) -> (B, L, V)"""
        return self.next_words(words, self.look(images))

    def look(self, images):
        """What every block sees of the pictures.    (B, height, width, C) -> for each block two of (B, H, N, d)"""
        grid = self.backbone.features(images)[-1]
        memory = self.project(grid.reshape(len(grid), -1, grid.shape[-1]))       # (B, N, D)
        return [tuple(block.cross_attention.keys_values(memory)) for block in self.blocks]

    def next_words(self, words, seen):
        """int (B, L), what `look` returns -> (B, L, V)"""
        if words.shape[1] > self.longest:
            raise ValueError(f"Captioner: a sentence of {words.shape[1]} words is longer than the {self.longest} that "
                             "it was built for; raise `longest`")
        x = self.word_embed(words) + self.positions[:words.shape[1]]                  # (B, L, D)
        for block, each in zip(self.blocks, seen, strict=True):
            x = block(x, each)
        return self.norm(x) @ self.word_embed.weight.T

    def goes_on(self, sentences, seen):
        """The log probability of each word to be the next.    int (B, L), on the host -> float64 (B, V), on the host

        After <end> there is nothing but <pad>; before, neither that nor <start>.
        """
        logits = self.next_words(to_device(sentences, device_of(seen[0][0])), seen)[:, -1]  # (B, V)
        chances = asnumpy(log_softmax(logits).data).astype(np.float64)
        ended = np.isin(sentences[:, -1], (END, PAD))
        chances[:, [PAD, START]] = -np.inf
        chances[ended] = -np.inf
        chances[ended, PAD] = 0
        return chances

    def greedy(self, images):
        """The most probable next word, again and again, until <end>.    (B, height, width, C) -> int (B, L)"""
        with no_grad():
            seen, sentences = self.look(images), np.full((len(images), 1), START)
            while sentences.shape[1] < self.longest and not np.isin(sentences[:, -1], (END, PAD)).all():
                word = self.goes_on(sentences, seen).argmax(axis=1)                          # (B,)
                sentences = np.concatenate([sentences, word[:, None]], axis=1)
        return sentences

    def beam(self, images, beams=3, *, length_penalty=0.0):
        """The most probable of the sentences that a search with W beams meets.    -> int (B, L)

        At every word, each of W beginnings goes on with every word, and the W most probable survive; a sentence that
        has ended stays as it is. With W = 1 it is `greedy`.

        Parameters
        ----------
        images : (B, height, width, C)
        beams : int
            W.
        length_penalty : float
            At the end, log probabilities are divided by (number of words)^length_penalty; above 0 it favours long
            sentences, which are less probable (Wu et al., arXiv:1609.08144, section 7, has another form of it).
        """
        B, W = len(images), whole("beam", "beams", beams)
        with no_grad():
            seen = [tuple(part.data.repeat(W, axis=0) for part in each) for each in self.look(images)]
            sentences, scores = np.full((B, W, 1), START), np.full((B, W), -np.inf)
            scores[:, 0] = 0                                                                 # the others are copies
            while sentences.shape[2] < self.longest and not np.isin(sentences[:, :, -1], (END, PAD)).all():
                chances = self.goes_on(sentences.reshape(B * W, -1), seen)                   # (B W, V)
                totals = scores[:, :, None] + chances.reshape(B, W, -1)                      # (B, W, V)
                best = np.argsort(-totals.reshape(B, -1), axis=1, kind="stable")[:, :W]      # (B, W V) -> (B, W)
                scores = np.take_along_axis(totals.reshape(B, -1), best, axis=1)
                beginning, word = np.divmod(best, totals.shape[2])
                sentences = np.take_along_axis(sentences, beginning[:, :, None], axis=1)     # (B, W, L)
                sentences = np.concatenate([sentences, word[:, :, None]], axis=2)
        words = np.maximum((sentences[:, :, 1:] != PAD).sum(axis=2), 1)                      # (B, W)
        return sentences[np.arange(B), (scores / words ** length_penalty).argmax(axis=1)]


VARIANTS = {
    "gpt2": partial(Captioner, partial(VIT["B/16"], image_size=224), words=50_257, longest=1024, dim=768, depth=12,
                    heads=12),
    "cifar": partial(Captioner, partial(VIT["cifar"], dim=96, depth=4), words=23),
}
