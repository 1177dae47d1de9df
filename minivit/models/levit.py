"""LeViT: a Vision Transformer in ConvNet's clothing for faster inference.  Graham et al., ICCV 2021, arXiv:2104.01136.

What makes a Transformer slow on a real machine is taken out of it. Four small convolutions with stride make the grid
coarse before the first token is there, attention itself makes it coarser still, with fewer queries than keys, and keys
are narrow. Every linear map is followed by BatchNorm instead of preceded by LayerNorm, so that `fold` puts the norm
into the map; where a token is, a learned number for each distance says.

    B batch    H x W grid    C width    h heads    d width of a key    e = 2 d width of a value (4 d while shrinking)
    (B, 224, 224, 3) -> stem (B, 14, 14, 384) -> (B, 7, 7, 512) -> (B, 4, 4, 768) -> mean (B, 768) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 8, 8, 64) -> (B, 4, 4, 96) -> (B, 2, 2, 128) -> (B, 128) -> logits (B, 10)
    shrinking attention: queries (B, h, H W / 4, d), keys (B, h, H W, d), values (B, h, H W, e) with h = C / d

The paper's models have two heads, one for the label and one for what a teacher says, as DeiT has; both read the mean.
In training the model returns both logits, a pair, for the losses in `minivit.tasks.distil`; in `eval()` their mean.

Departures from the paper: none.
"""

from functools import partial

from ..engine import no_grad
from ..nn import (BatchNorm2d, ConvNorm, DropPath, Identity, LinearNorm, Module, NormLinear, Parameter, Sequential,
                  absolute_offsets, by_head, in_turn, joined_heads, offset_bias, truncated_normal, zeros)
from ..ops import attention, attention_weights, hardswish, split
from .pvt import as_tokens

starts_as_nothing = partial(BatchNorm2d, initialiser=zeros)  # the norm at the end of a residual branch


def conv_stem(channels, dim, halvings, activation):
    """3 x 3 convolutions, each of which halves the grid and doubles the width (section 4.2, "patch embedding").

    (B, height, width, channels) -> (B, H, W, dim) with H = height / 2^halvings, rounded up
    """
    widths = [channels, *(dim // 2 ** step for step in reversed(range(halvings)))]
    activations = [*[activation] * (halvings - 1), None]
    return Sequential(*(ConvNorm(inputs, outputs, 3, stride=2, activation=behind)
                        for inputs, outputs, behind in zip(widths[:-1], widths[1:], activations, strict=True)))


class OffsetAttention(Module):
    """Attention with a learned bias for each distance |dy|, |dx| and head (section 4.2, "attention bias").

    (B, H, W, C) -> (B, H/stride, W/stride, outputs), rounded up. What the heads found goes through an activation and
    then a linear map. Maps may be smaller than the grid that the biases are learned for, but not larger.

    Parameters
    ----------
    heads, key_dim, value_dim : int
        h, d and e.
    grid : (int, int)
        H and W that the biases are learned for.
    proj : Module
        The last linear map, from h e channels to as many as come out.
    activation : callable
        Before it.
    """

    stride = 1  # of the queries

    def __init__(self, heads, *, key_dim, value_dim, grid, proj, activation):
        self.heads, self.key_dim, self.value_dim, self.grid = heads, key_dim, value_dim, tuple(grid)
        self.bias_table = Parameter((grid[0] * grid[1], heads), zeros)
        self.index = absolute_offsets(grid, self.stride).reshape(*coarser(grid, self.stride), *grid)  # (H', W', H, W)
        self.activation, self.proj = activation, proj

    def forward(self, x):
        """(B, H, W, C) -> (B, H/stride, W/stride, outputs)"""
        found = joined_heads(attention(*self.queries_keys_values(x), self.bias(x)))              # (B, N, h e)
        found = found.reshape(len(x), *coarser(x.shape[1:3], self.stride), found.shape[-1])
        return self.proj(self.activation(found))                                # (B, H/stride, W/stride, outputs)

    def bias(self, x):
        """What is added to the scores.    (B, H, W, C) -> (h, N, M)"""
        (H, W), (rows, columns) = x.shape[1:3], self.grid
        if rows < H or columns < W:
            raise ValueError(f"images: a map of {H} x {W} tokens is larger than the {rows} x {columns} that the "
                             "biases of attention are learned for; say image_size=...")
        h, w = coarser((H, W), self.stride)
        return offset_bias(self.bias_table, self.index[:h, :w, :H, :W].reshape(h * w, H * W))    # (h, N, M)

    def weights(self, x):
        """What each query looks at, for pictures: the attention probabilities.    (B, H, W, C) -> (B, h, N, M)"""
        with no_grad():
            q, k, _ = self.queries_keys_values(x)
            return attention_weights(q, k, self.bias(x))

    def by_head(self, x):
        """(B, H, W, h c) -> (B, h, H W, c)"""
        return by_head(as_tokens(x), self.heads)

    def describe(self):
        """The number of heads, and their widths."""
        return f"{self.heads} heads, keys of {self.key_dim}, values of {self.value_dim}"


class Attention(OffsetAttention):
    """Of every token to all of them; values are twice as wide as keys.    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, dim, heads, *, key_dim, grid, activation):
        proj = LinearNorm(heads * 2 * key_dim, dim, norm=starts_as_nothing)
        super().__init__(heads, key_dim=key_dim, value_dim=2 * key_dim, grid=grid, proj=proj, activation=activation)
        self.qkv = LinearNorm(dim, heads * 4 * key_dim)  # head by head its query, key and value

    def queries_keys_values(self, x):
        """(B, H, W, C) -> (B, h, N, d), (B, h, N, d), (B, h, N, e)"""
        d, e = self.key_dim, self.value_dim
        return split(self.by_head(self.qkv(x)), (d, d, e), axis=-1)


class ShrinkingAttention(OffsetAttention):
    """Of every second token of both axes to all of them; values are four times as wide as keys (fig. 5).

    (B, H, W, C) -> (B, H/2, W/2, outputs), rounded up. There is no shortcut round it.
    """

    stride = 2

    def __init__(self, dim, outputs, *, key_dim, grid, activation):
        if dim % key_dim:
            raise ValueError(f"dims, key_dim: width {dim} is not divisible by keys of {key_dim}, which says how many "
                             "heads the attention has that shrinks the grid")
        super().__init__(dim // key_dim, key_dim=key_dim, value_dim=4 * key_dim, grid=grid,
                         proj=LinearNorm(4 * dim, outputs), activation=activation)
        self.query, self.key_value = LinearNorm(dim, dim), LinearNorm(dim, 5 * dim)

    def queries_keys_values(self, x):
        """(B, H, W, C) -> (B, h, N / 4, d), (B, h, N, d), (B, h, N, e)"""
        q = self.by_head(self.query(x[:, ::2, ::2]))
        return q, *split(self.by_head(self.key_value(x)), (self.key_dim, self.value_dim), axis=-1)


class Mlp(Module):
    """Twice as wide in the middle, with norms behind both maps (section 4.2).    (..., C) -> (..., C)"""

    def __init__(self, dim, activation):
        self.linear1, self.activation = LinearNorm(dim, 2 * dim), activation
        self.linear2 = LinearNorm(2 * dim, dim, norm=starts_as_nothing)

    def forward(self, x):
        """(..., C) -> (..., C)"""
        return self.linear2(self.activation(self.linear1(x)))


class Block(Module):
    """x + Attention(x), then x + MLP(x).    (B, H, W, C) -> (B, H, W, C)"""

    def __init__(self, attention, mlp, drop_path):
        self.attention, self.mlp, self.drop_path = attention, mlp, DropPath(drop_path)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        x = x + self.drop_path(self.attention(x))
        return x + self.drop_path(self.mlp(x))


class Shrink(Block):
    """Attention that makes the grid coarser, then x + MLP(x).    (B, H, W, C) -> (B, H/2, W/2, C')"""

    def forward(self, x):
        """(B, H, W, C) -> (B, H/2, W/2, C')"""
        x = self.attention(x)
        return x + self.drop_path(self.mlp(x))


class Stage(Module):
    """Blocks on one grid, behind what made it so coarse.    (B, H, W, C) -> (B, H', W', C')"""

    def __init__(self, shrink, blocks):
        self.shrink, self.blocks = shrink, blocks

    def forward(self, x):
        """(B, H, W, C) -> (B, H', W', C')"""
        x = self.shrink(x)
        for block in self.blocks:
            x = block(x)
        return x


class LeViT(Module):
    """A stem, stages of attention (fig. 4), the mean of the tokens, and a linear head with a BatchNorm before it.

    (B, height, width, C) -> (B, num_classes), or (B, last of dims) with num_classes=0. Pictures may be smaller than
    `image_size`, but not larger.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels that the biases of attention are learned for.
    dims, depths, heads : sequence of int
        C, blocks and h of each stage.
    key_dim : int
        d, everywhere the same.
    halvings : int
        Convolutions of the stem.
    activation : callable
        Everywhere.
    drop_path : float
        Rate of stochastic depth, in all blocks the same.
    """

    def __init__(self, *, image_size=224, channels=3, num_classes=1000, dims, depths, heads, key_dim, halvings=4,
                 activation=hardswish, drop_path=0.0):
        if not len(dims) == len(depths) == len(heads):
            raise ValueError(f"dims, depths, heads: expected one number for each stage, got {dims}, {depths} and "
                             f"{heads}")
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.stem, self.stages = conv_stem(channels, dims[0], halvings, activation), []
        grid, shared = coarser(self.image_size, 2 ** halvings), dict(key_dim=key_dim, activation=activation)
        for stage, (dim, depth, h) in enumerate(zip(dims, depths, heads, strict=True)):
            shrink = Identity()
            if stage > 0:
                shrinking = ShrinkingAttention(dims[stage - 1], dim, grid=grid, **shared)
                shrink, grid = Shrink(shrinking, Mlp(dim, activation), drop_path), coarser(grid, 2)
            self.stages.append(Stage(shrink, [
                Block(Attention(dim, h, grid=grid, **shared), Mlp(dim, activation), drop_path) for _ in range(depth)]))
        self.head = head(dims[-1], num_classes)

    def features(self, images):
        """What each stage makes.    (B, height, width, C) -> [(B, H, W, dims[0]), (B, H/2, W/2, dims[1]), ...]"""
        return list(in_turn(self.stages, self.stem(images)))

    def pool(self, images):
        """The mean of the last stage's tokens.    (B, height, width, C) -> (B, last of dims)"""
        return self.features(images)[-1].mean(axis=(1, 2))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.pool(images))


class TwoHeads(Module):
    """What reads the mean with a second head too, for what a teacher says (section 4.2, "classification").

    (B, height, width, C) -> (B, num_classes) in `eval()`, a pair of them (class head, distillation head) in training.
    """

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes), or two of them in training"""
        pooled = self.pool(images)
        logits, distilled = self.head(pooled), self.distillation_head(pooled)
        return (logits, distilled) if self.training else (logits + distilled) / 2


class DistilledLeViT(TwoHeads, LeViT):
    """LeViT with a second head.    (B, height, width, C) -> (B, num_classes), or two of them in training"""

    def __init__(self, *, dims, num_classes=1000, **settings):
        super().__init__(dims=dims, num_classes=num_classes, **settings)
        self.distillation_head = head(dims[-1], num_classes)


def head(dim, num_classes):
    """BatchNorm and a linear map, or nothing without classes.    (B, dim) -> (B, num_classes)"""
    return NormLinear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()


def coarser(grid, stride):
    """The grid of every stride-th place.    (H, W) -> (H/stride, W/stride), rounded up"""
    return tuple(-(-n // stride) for n in grid)


# table 2; "cifar" is our own size
VARIANTS = {
    "128s": partial(DistilledLeViT, dims=(128, 256, 384), depths=(2, 3, 4), heads=(4, 6, 8), key_dim=16),
    "128": partial(DistilledLeViT, dims=(128, 256, 384), depths=(4, 4, 4), heads=(4, 8, 12), key_dim=16),
    "192": partial(DistilledLeViT, dims=(192, 288, 384), depths=(4, 4, 4), heads=(3, 5, 6), key_dim=32),
    "256": partial(DistilledLeViT, dims=(256, 384, 512), depths=(4, 4, 4), heads=(4, 6, 8), key_dim=32),
    "384": partial(DistilledLeViT, dims=(384, 512, 768), depths=(4, 4, 4), heads=(6, 9, 12), key_dim=32),
    "cifar": partial(LeViT, image_size=32, num_classes=10, dims=(64, 96, 128), depths=(2, 2, 2), heads=(2, 3, 4),
                     key_dim=16, halvings=2),
}
