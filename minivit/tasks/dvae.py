"""Pictures become words: a discrete variational autoencoder.  Ramesh et al., ICML 2021, arXiv:2102.12092, section 2.1.

An encoder says how likely each word of a vocabulary is at each place of a grid, one word is chosen at each place, and a
decoder paints the picture from the words. A choice has no gradient; with Gumbel noise (Jang et al., 2017,
arXiv:1611.01144; Maddison et al., 2017, arXiv:1611.00712) it is an argmax, which a softmax of temperature t makes
smooth: the choice is soft at first, and hardens while t falls. What the encoder says is kept near "all words are
equally likely" (KL), so that not a few words have to say everything.

    B batch    h x w grid of V words    t temperature    u uniform noise, g = -ln(-ln u) Gumbel noise
    q = softmax(logits)      z = softmax((logits + g) / t)      x pixels from 0.1 to 0.9, with place m and spread b
    loss = -ln p(x | z) + weight KL(q || uniform), each per number of the picture
    (B, 32, 32, 3) -> logits (B, 8, 8, V) -> z (B, 8, 8, V) -> m, ln b (B, 32, 32, 3) each -> loss ()

    python -m minivit train dvae                       the words of CIFAR-10, in 10 minutes
    python -m minivit train beit --tokenizer RUN       what they are for

Departures from the paper: the weight of the KL does not grow at the beginning, and it is smaller by default: with few
words and small pictures the paper's 6.6 leaves nothing to say.
"""

import math

import numpy as np

from ..backend import array_module, to_device
from ..engine import Tensor, no_grad
from ..models.dvae import Decoder, Encoder
from ..nn import Buffer, constant
from ..ops import abs, exp, log_softmax, one_hot, sigmoid, softmax
from ..team import all_sum, first_of_team
from .task import Task

EDGE = 0.1  # pixels are kept so far from 0 and 1, where the logarithm of x (1 - x) ends


def gumbel_softmax(logits, noise, temperature, straight_through=False):
    """softmax((logits + g) / t) with g = -ln(-ln u).    (..., V), u (..., V) in (0, 1) -> (..., V)

    With `straight_through` it is the nearest choice of one word, whose gradient is that of the softmax.
    """
    xp = array_module(logits.data)
    soft = softmax((logits - xp.log(-xp.log(noise))) / temperature)
    if not straight_through:
        return soft
    hard = chosen(soft)
    return soft + (hard - soft.data)  # forward the choice, backward the softmax: the difference is a constant


def chosen(x):
    """1 for the largest number, 0 for the others.    Tensor (..., V) -> array (..., V)"""
    return one_hot(x.data.argmax(axis=-1), x.shape[-1], dtype=x.dtype).data


def kl_to_uniform(logits):
    """sum_k q_k ln q_k + ln V with q = softmax(logits), never below 0.    (..., V) -> (...)"""
    return (softmax(logits) * log_softmax(logits)).sum(axis=-1) + math.log(logits.shape[-1])


def logit_laplace(x, place, log_spread):
    """-ln of the density of numbers between 0 and 1 whose logit has a Laplace distribution (appendix A.3, eq. 2).

    f(x) = exp(-|logit x - m| / b) / (2 b x (1 - x))    (...), (...), (...) -> (...)
    """
    xp = array_module(x)
    return (abs(xp.log(x / (1 - x)) - place) * exp(-log_spread) + log_spread
            + math.log(2) + xp.log(x * (1 - x)))


def perplexity(counts):
    """How many words are used, those that are rare counted less: e^entropy of how often each is.    (V,) -> ()"""
    xp = array_module(counts)
    share = counts / counts.sum()
    return xp.exp(-(share * xp.log(xp.where(share > 0, share, 1))).sum())


class DVAE(Task):
    """The encoder, which is what others take over, and its decoder.

    Parameters
    ----------
    encoder : minivit.models.dvae.Encoder
        With a head of V words.
    code_dim : int
        Width of what stands in the codebook for a word.
    kl_weight : float
        Of the KL divergence.
    temperatures : (float, float)
        t at the first step and at the last; in between it falls with a cosine.
    straight_through : bool
        Whether the decoder sees one word at each place also in training.
    """

    shown = "perplexity"
    defaults = {"model": "dvae", "batch_size": 64, "minutes": 10.0, "lr": 3e-3, "optimiser": "adamw",
                "weight_decay": 0.0, "task_settings": {"words": 128}}

    def __init__(self, encoder, *, code_dim=64, kl_weight=0.5, temperatures=(1.0, 1 / 16), straight_through=False):
        if not isinstance(encoder, Encoder) or not encoder.head.parameters():
            raise ValueError("dvae: needs the model dvae, with a head of some words; this is a "
                             f"{type(encoder).__name__}")
        if min(temperatures) <= 0:
            raise ValueError(f"temperatures: expected two numbers above 0, got {temperatures}")
        if kl_weight < 0:
            raise ValueError(f"kl_weight: expected a number of at least 0, got {kl_weight}")
        _, _, channels, dim = encoder.input.weight.shape
        self.encoder, self.words = encoder, encoder.head.bias.size
        self.decoder = Decoder(words=self.words, channels=channels, code_dim=code_dim, dim=dim,
                               groups=len(encoder.groups), per_group=len(encoder.groups[0]))
        self.kl_weight, self.temperatures, self.straight_through = kl_weight, tuple(temperatures), straight_through
        self.temperature = Buffer((1,), constant(temperatures[0]))

    @classmethod
    def build(cls, make_model, classes, *, words=128, **settings):
        """With a vocabulary of `words`; see `Task.build`."""
        return cls(make_model(num_classes=words), **settings)

    @property
    def backbone(self):
        """The encoder: the tokenizer."""
        return self.encoder

    def batch(self, samples, chosen, rng):
        """Pictures (B, H, W, C), the same as pixels from 0 to 1, and the noise of the choice (B, h, w, V).

        The noise belongs to the pictures, so that any number of threads computes the same.
        """
        images = samples.view(chosen, rng)
        grid = [pixels // self.encoder.shrinks for pixels in images.shape[1:3]]
        noise = rng.uniform(1e-6, 1 - 1e-6, (len(images), *grid, self.words)).astype(np.float32)
        return images, images * samples.std + samples.mean, noise

    def loss(self, images, pixels, noise):
        """What is lost of the picture and what the words cost, in nats for each number of the picture."""
        logits = self.encoder.words(Tensor.without_copy(images))                                # (B, h, w, V)
        if self.training:
            z = gumbel_softmax(logits, noise, self.temperature.data, self.straight_through)
        else:
            z = Tensor.without_copy(chosen(logits))
        x = (1 - 2 * EDGE) * pixels.clip(0, 1) + EDGE                                           # (B, H, W, C)
        painted = self.decoder(z)                                                               # (B, H, W, 2 C)
        C = x.shape[-1]
        lost = logit_laplace(x, painted[..., :C], painted[..., C:]).mean()
        kl = kl_to_uniform(logits).sum(axis=(1, 2)).mean() / math.prod(x.shape[1:])
        used = all_sum(chosen(logits).sum(axis=(0, 1, 2)))                                      # (V,)
        return lost + self.kl_weight * kl, {"reconstruction": lost.data, "kl": kl.data, "perplexity": perplexity(used)}

    def after_step(self, done, steps):
        """The temperature falls (section 2.1)."""
        if first_of_team():
            first, last = self.temperatures
            self.temperature.mutable()[...] = last + (first - last) * (1 + math.cos(math.pi * done / steps)) / 2

    def test(self, samples, over):
        """The loss with one word at each place; of all pictures, how many words are used, and their perplexity."""
        measured = super().test(samples, over)
        counts = sum(over(lambda some: chosen(self.encoder.words(Tensor.without_copy(samples.view(some)))).sum(
            axis=(0, 1, 2))))
        return measured | {"perplexity": float(perplexity(counts)), "words": int((counts > 0).sum())}

    def paint(self, words):
        """Pixels from 0 to 1 of words that are chosen: the middle of their distributions.    (B, h, w, V) -> array"""
        with no_grad():
            painted = self.decoder(Tensor.without_copy(words))                                  # (B, H, W, 2 C)
            x = sigmoid(painted[..., :painted.shape[-1] // 2]).data
        return ((x - EDGE) / (1 - 2 * EDGE)).clip(0, 1)

    def pictures(self, samples, chosen_pictures):
        """Pictures, what is left of them in words, and the words that these pictures use most, each painted alone."""
        images = samples.view(chosen_pictures)
        with no_grad():
            words = chosen(self.encoder.words(Tensor.without_copy(images)))                     # (n, h, w, V)
        rows = {"picture": samples.as_bytes(images), "from its words": as_bytes(self.paint(words))}
        by_use = (-words.sum(axis=(0, 1, 2))).argsort()[:4 * len(images)]
        alone = one_hot(by_use, self.words, dtype=words.dtype).data[:, None, None]              # (m, 1, 1, V)
        fields = as_bytes(self.paint(alone.repeat(words.shape[1], axis=1).repeat(words.shape[2], axis=2)))
        for start in range(0, len(fields) - len(images) + 1, len(images)):
            rows[f"words {start + 1} to {start + len(images)}, by use"] = fields[start:start + len(images)]
        return rows


def as_bytes(pixels):
    """From 0 to 1 -> uint8, in host memory."""
    return to_device((255 * pixels).round().astype(np.uint8), "cpu")


TASK = DVAE
