"""Masked Autoencoders Are Scalable Vision Learners.  He et al., CVPR 2022, arXiv:2111.06377.

Three quarters of a picture's patches are hidden, and the model learns to paint them from the rest, without any label.
The encoder, a ViT, sees the visible patches only, which makes it fast; a light decoder gets their codes together with
one learned mask token at every hidden place, and predicts the pixels. After training the decoder is thrown away.

    B batch    N patches    K visible patches    P patch size    D width of the encoder    d width of the decoder
    (B, 32, 32, 3) -> tokens (B, 64, D) -> visible (B, 16, D) -> encoded (B, 16, D)
                   -> narrowed (B, 16, d) -> with mask tokens, in order (B, 64, d) -> pixels (B, 64, P P 3) -> loss ()

The paper's encoders begin with a class token, which is never hidden; an encoder without one works the same way.

Departures from the paper: the class token starts at zero, as in ViT.
"""

import math
from functools import partial

import numpy as np

from ..backend import array_module, asnumpy, to_device
from ..engine import Tensor, no_grad, primitive
from ..models.vit import VARIANTS as VIT
from ..models.vit import Block, ViT
from ..nn import (Buffer, LayerNorm, Linear, Module, Parameter, PatchEmbed, interpolate_positions, normal, patchify,
                  sincos_positions, unpatchify)
from ..nn.randomness import RandomSource
from ..ops import concatenate, expand, mean, sqrt, var, where
from .task import Task


def random_masking(rng, batch, patches, ratio=0.75):
    """Shuffle each picture's patches and hide the last `ratio` of them (section 3, "Simple implementation").

    Returns
    -------
    keep : (B, K) int
        The patches that stay visible, K = floor(N (1 - ratio)).
    restore : (B, N) int
        The place of each patch in the shuffled order, which brings back the old one; `restore >= K` is the mask.
    """
    order = rng.random((batch, patches)).argsort(axis=1)  # sorting random numbers shuffles
    return order[:, :int(patches * (1 - ratio))], order.argsort(axis=1)  # the argsort of an order is its inverse


def given_masking(mask, batch, patches):
    """`keep` and `restore`, as `random_masking` returns them, of a mask (B, N) that is True where a patch is hidden."""
    mask = np.asarray(asnumpy(mask), bool)
    if mask.shape != (batch, patches):
        raise ValueError(f"mask: expected shape ({batch}, {patches}), pictures by patches, got {mask.shape}")
    visible = patches - mask.sum(axis=1)
    if len(set(visible)) != 1 or visible[0] in (0, patches):
        raise ValueError("mask: expected as many hidden patches in every picture, and some visible ones; visible are "
                         f"{', '.join(map(str, sorted(set(visible))))} of {patches}")
    order = mask.argsort(axis=1, kind="stable")
    return order[:, :visible[0]], order.argsort(axis=1)


@primitive
def pick(x, index):
    """Some tokens of each picture, none of them twice.    (B, N, D), (B, K) -> (B, K, D)"""
    xp, shape = array_module(x), x.shape
    rows = xp.arange(len(x))[:, None]

    def backward(dy):
        dx = xp.zeros(shape, dy.dtype)
        dx[rows, index] = dy  # no token was picked twice, so there is nothing to add up
        return dx
    return x[rows, index], backward


def fixed_positions(grid, prefix, dim):
    """Sine-cosine positions that are not trained, zero for the tokens in front.    -> (1, prefix + N, D)"""
    return Buffer((1, prefix + grid[0] * grid[1], dim), partial(_sincos_behind, prefix, grid))


def _sincos_behind(prefix, grid, rng, shape):
    dim = shape[-1]
    return np.concatenate([np.zeros((prefix, dim), np.float32), sincos_positions(*grid, dim)])[None]


class Decoder(Module):
    """Mask tokens at the hidden places, then a small Transformer (section 3, "MAE decoder").

    (B, prefix + K, D) -> (B, N, P P C)
    """

    def __init__(self, encoder, dim, depth, heads):
        pixels, width = encoder.patch_embed.weight.shape
        self.grid, self.prefix = encoder.grid, encoder.prefix
        eps, activation = encoder.norm.eps, encoder.blocks[0].mlp.activation
        self.embed, self.mask_token = Linear(width, dim), Parameter((1, 1, dim), normal(0.02))
        self.positions = fixed_positions(self.grid, self.prefix, dim)
        self.blocks = [Block(dim, heads, mlp_dim=4 * dim, eps=eps, activation=activation) for _ in range(depth)]
        self.norm, self.head = LayerNorm(dim, eps=eps), Linear(dim, pixels)

    def forward(self, x, restore, grid):
        """(B, prefix + K, D), (B, N), for a grid (rows, columns) of N patches -> (B, N, P P C)"""
        x, (B, N) = self.embed(x), restore.shape
        prefix, visible = x[:, :self.prefix], x[:, self.prefix:]                    # (B, prefix, d), (B, K, d)
        hidden = expand(self.mask_token, (B, N - visible.shape[1], x.shape[-1]))    # (B, N - K, d)
        patches = pick(concatenate([visible, hidden], axis=1), restore)             # (B, N, d)
        x = concatenate([prefix, patches], axis=1)                                  # (B, prefix + N, d)
        x = x + interpolate_positions(self.positions, self.grid, grid, prefix=self.prefix)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, self.prefix:])


class MAE(Task):
    """A ViT and a decoder that learn together to paint what is hidden.    (B, height, width, C) -> loss ()

    What is kept is `encoder`, the backbone: a ViT with a head, built with the same settings, can take over its state.

    Parameters
    ----------
    vit : callable
        Makes the encoder, vit(num_classes=0, **settings).
    decoder_dim, decoder_depth, decoder_heads : int
        d, and the number of blocks and heads of the decoder.
    mask_ratio : float
        The fraction of the patches that is hidden.
    normalise : bool
        Whether each patch's pixels are shifted and scaled to mean 0 and deviation 1 before they are to be predicted.
    **settings
        Of the encoder: image_size, patch_size, drop_path ...
    """

    # for encoders of the size "cifar"
    defaults = {"batch_size": 128, "lr": 6e-3, "task_settings": {
        "decoder_dim": 96, "decoder_depth": 2, "decoder_heads": 3}}

    def __init__(self, vit, *, decoder_dim=512, decoder_depth=8, decoder_heads=16, mask_ratio=0.75, normalise=True,
                 **settings):
        self.encoder = vit(num_classes=0, **settings)
        if not isinstance(self.encoder, ViT) or not isinstance(self.encoder.patch_embed, PatchEmbed):
            raise ValueError("mae: needs a model that begins with patches, as vit; this is a "
                             f"{type(self.encoder).__name__}")
        N, (_, placed, D) = math.prod(self.encoder.grid), self.encoder.positions.shape
        self.encoder.positions = fixed_positions(self.encoder.grid, placed - N, D)
        self.decoder = Decoder(self.encoder, decoder_dim, decoder_depth, decoder_heads)
        self.image_size, self.mask_ratio, self.source = self.encoder.image_size, mask_ratio, RandomSource()
        self.normalise = normalise
        if not 0 < int(N * (1 - mask_ratio)) < N:
            raise ValueError(f"mask_ratio: {mask_ratio} of {N} patches leaves none to see or none to paint")

    @classmethod
    def build(cls, make_model, classes, **settings):
        """With the encoder that the recipe names; see `Task.build`."""
        return cls(make_model, **settings)

    @property
    def backbone(self):
        """The encoder."""
        return self.encoder

    def loss(self, images):
        """The loss of `forward`, with masks that are drawn anew each time."""
        return self(Tensor.without_copy(images)), {}

    def forward(self, images, mask=None):
        """The mean squared error of the hidden patches, whose pixels are normalised patch by patch (section 3).

        (B, height, width, C), and optionally the mask (B, N), True where hidden -> ()
        """
        patches = patchify(images, self.encoder.patch_embed.patch_size)      # (B, N, P P C)
        centre, scale = self.statistics(patches)
        prediction, hidden = self.predict_pixels(images, mask)                      # (B, N, P P C), (B, N)
        error = ((prediction - (patches - centre) / scale) ** 2).mean(axis=-1)
        hidden = hidden.astype(error.dtype)
        return (error * hidden).sum() / hidden.sum()

    def predict_pixels(self, images, mask=None):
        """The pixels of all patches, as the loss asks for them, and what was hidden.    -> (B, N, P P C), (B, N)"""
        x, restore = self.encode(images, mask)                               # (B, prefix + K, D), (B, N)
        hidden = restore >= x.shape[1] - self.encoder.prefix
        grid = tuple(pixels // self.encoder.patch_embed.patch_size for pixels in images.shape[1:3])
        return self.decoder(x, restore, grid), hidden

    def encode(self, images, mask=None):
        """The encoder's view of the visible patches, and their places.    -> (B, prefix + K, D), (B, N)"""
        x, prefix = self.encoder.embed(images), self.encoder.prefix          # (B, prefix + N, D)
        B, N = len(x), x.shape[1] - prefix
        if mask is None:
            keep, restore = random_masking(self.source.generator(x.device), B, N, self.mask_ratio)
        else:
            keep, restore = (to_device(index, x.device) for index in given_masking(mask, B, N))
        x = concatenate([x[:, :prefix], pick(x[:, prefix:], keep)], axis=1)  # (B, prefix + K, D)
        return self.encoder.encode(x), restore

    def reconstruct(self, images, mask=None):
        """Two pictures to look at: what the encoder saw, and the same with the hidden patches painted.

        Hidden patches are 0 in the first, the mean colour of normalised pictures. In the second they get back the mean
        and the deviation that the loss took away, which the model cannot know.    -> two of (B, height, width, C)
        """
        P, C = self.encoder.patch_embed.patch_size, images.shape[-1]
        patches = patchify(images, P)                                        # (B, N, P P C)
        centre, scale = self.statistics(patches)
        with no_grad():
            prediction, hidden = self.predict_pixels(images, mask)
            seen = where(hidden[..., None], 0, patches)
            painted = where(hidden[..., None], prediction * scale + centre, patches)
        grid = (images.shape[1] // P, images.shape[2] // P)
        return unpatchify(seen, grid, C), unpatchify(painted, grid, C)

    def statistics(self, patches):
        """What is subtracted from each patch, and what divides it then.    (B, N, P P C) -> two of (B, N, 1)"""
        return statistics(patches) if self.normalise else (0, 1)


    def pictures(self, samples, chosen):
        """Pictures, what the encoder saw of each, and what the decoder painted: see `reconstruct`."""
        images = samples.view(chosen)
        seen, painted = self.reconstruct(Tensor.without_copy(images))
        return {"picture": samples.as_bytes(images), "what the encoder sees": samples.as_bytes(seen.data),
                "what the decoder paints": samples.as_bytes(painted.data)}


def statistics(patches):
    """Mean and deviation of the numbers of each patch.    (B, N, P P C) -> two of (B, N, 1)"""
    return mean(patches, axis=-1, keepdims=True), sqrt(var(patches, axis=-1, keepdims=True, ddof=1) + 1e-6)


# section 4 and appendix A.1: the encoders are those of ViT
VARIANTS = {size: partial(MAE, VIT[size]) for size in ("base", "large", "huge")}
VARIANTS["cifar"] = partial(MAE, VIT["cifar"], decoder_dim=96, decoder_depth=2, decoder_heads=3)

TASK = MAE
