"""On the relationship between self-attention and convolutional layers.  Cordonnier et al., ICLR 2020, arXiv:1911.03584.

A convolution adds up maps of its neighbours, one map for each. So does attention with as many heads, if each looks at
one neighbour, whatever is there. Here heads choose where to look by the way from the query to the key: around a centre
that is learned (quadratic), by learned vectors of rows and columns (learned), or by what is there as well (content).
Tokens are 2 x 2 pixels: a year before ViT, with the same Transformer on the same kind of tokens.

    B batch    H x W grid    N = H W    D width    h heads, each as wide as the tokens    L depth    P patch size
    quadratic    score(query, key) = -s^2 / 2 |key - query - centre|^2                                     (section 3)
    learned      score = w^row r^row(y_key - y_query) + w^column r^column(x_key - x_query)
    content      score = (q k + q^row r^row(...) + q^column r^column(...)) / sqrt(D)
    (B, 32, 32, 3) -> patches (B, 16, 16, D) -> L blocks (B, 16, 16, D) -> mean (B, D) -> logits (B, 10)
    cifar: patches of 4 x 4 pixels, (B, 8, 8, 96), which cost a quarter
    attention: (B, H, W, D) -> what each head averages (B, H, W, h D) -> joined (B, H, W, D)

Where only places count, a score is a sum of a number for rows and one for columns, and the softmax a product of two: a
head averages columns, then rows, and never forms its N x N matrix.

Departures from the paper: none. Where it is silent this follows its authors' code: blocks as in BERT, a norm behind
each sum; s for the width of attention, alpha = s^2 / 2; scores of "learned" are not divided by sqrt(D).
"""

from functools import partial

import numpy as np

from ..backend import to_device
from ..engine import Tensor, no_grad
from ..nn import Dropout, Identity, LayerNorm, Linear, Mlp, Module, Parameter, PatchEmbed, in_turn, normal, to_grid
from ..ops import attention, attention_weights, expand, softmax, take


class FullHeads(Module):
    """What all forms have: each head averages whole tokens, and one map joins them (section 2.1), then another.

    (B, H, W, D) -> (B, H, W, D)
    """

    def __init__(self, dim, heads):
        self.heads = heads
        self.value, self.proj = (Linear(inputs, dim, initialiser=normal(0.02)) for inputs in (heads * dim, dim))

    def forward(self, x):
        """(B, H, W, D) -> (B, H, W, D)"""
        return self.proj(self.value(self.averages(x)))

    def describe(self):
        """The number of heads."""
        return f"{self.heads} heads"


class PlaceAttention(FullHeads):
    """Attention that only places decide. A form of it has `shares(grid)`, what a row takes of each row, and columns.

    (B, H, W, D) -> (B, H, W, D)
    """

    def averages(self, x):
        """Of columns, then of rows.    (B, H, W, D) -> (B, H, W, h D)"""
        B, H, W, D = x.shape
        rows, columns = self.shares((H, W), x)                                          # (h, H, H), (h, W, W)
        x = (rows @ x.reshape(B, 1, H, W * D)).reshape(B, self.heads, H, W, D)          # (B, h, H, W, D)
        x = columns[:, None] @ x                                                        # (h, 1, W, W) @ (B, h, H, W, D)
        return x.transpose(0, 2, 3, 1, 4).reshape(B, H, W, self.heads * D)              # (B, H, W, h D)

    def weights(self, x):
        """What each token takes of each other, the same in all pictures.    (B, H, W, D) -> (h, N, N)"""
        (_, H, W, _), h = x.shape, self.heads
        with no_grad():
            rows, columns = self.shares((H, W), x)
            shares = rows.reshape(h, H, 1, H, 1) * columns.reshape(h, 1, W, 1, W)       # (h, H, W, H, W)
            return shares.reshape(h, H * W, H * W)


class QuadraticAttention(PlaceAttention):
    """Each head looks around a centre that it learns, as far as `spread` says (section 3).

    (B, H, W, D) -> (B, H, W, D)
    """

    def __init__(self, dim, heads, *, grid):
        super().__init__(dim, heads)
        self.centre, self.spread = Parameter((2, heads, 1, 1), normal(2.0)), Parameter((heads, 1, 1), near_one)

    def shares(self, grid, like):
        """(H, W) -> (h, H, H), (h, W, W), of the dtype and on the device of a tensor"""
        away = [Tensor.without_copy(to_device(steps(n).astype(like.dtype), like.device)) - centre
                for n, centre in zip(grid, self.centre, strict=True)]                   # (h, H, H), (h, W, W)
        return [softmax(-0.5 * self.spread * self.spread * d * d) for d in away]


class LearnedAttention(PlaceAttention):
    """Each head scores a learned vector of each step between rows, and between columns.    (B, H, W, D) -> the same

    `grid` has the most rows and columns that there may be.
    """

    def __init__(self, dim, heads, *, grid):
        super().__init__(dim, heads)
        self.rows, self.columns = (Parameter((2 * n - 1, dim), normal(0.02)) for n in grid)
        self.row_scores, self.column_scores = (Linear(dim, heads, bias=False, initialiser=normal(0.02))
                                               for _ in range(2))

    def shares(self, grid, like):
        """(H, W) -> (h, H, H), (h, W, W)"""
        scores = self.row_scores(self.rows), self.column_scores(self.columns)           # (2 H - 1, h), (2 W - 1, h)
        return [softmax(by_step(each, n).transpose(2, 0, 1)) for each, n in zip(scores, grid, strict=True)]


class ContentAttention(FullHeads):
    """Each head scores the key, and the steps between rows and columns, with one query.    (B, H, W, D) -> the same

    The first half of a query is for rows, the other for columns; `grid` has the most of both that there may be.
    """

    def __init__(self, dim, heads, *, grid):
        if dim % 2:
            raise ValueError(f"ContentAttention: expected an even width, half of it for rows, got {dim}")
        super().__init__(dim, heads)
        self.query, self.key = (Linear(dim, heads * dim, initialiser=normal(0.02)) for _ in range(2))
        self.rows, self.columns = (Parameter((2 * n - 1, dim // 2), normal(0.02)) for n in grid)

    def averages(self, x):
        """(B, H, W, D) -> (B, H, W, h D)"""
        (B, H, W, D), h = x.shape, self.heads
        v = expand(x.reshape(B, 1, H * W, D), (B, h, H * W, D))                         # (B, h, N, D)
        q, k, asked = self.look(x)
        x = attention(q, k, v, asked).transpose(0, 2, 1, 3)                             # (B, N, h, D)
        return x.reshape(B, H, W, h * D)                                                # (B, H, W, h D)

    def look(self, x):
        """q, k, and what q asks of steps.    (B, H, W, D) -> 2 (B, h, N, D), (B, h, N, N)"""
        (B, H, W, D), h = x.shape, self.heads
        q, k = (made(x).reshape(B, H * W, h, D).transpose(0, 2, 1, 3) for made in (self.query, self.key))
        return q, k, self.asked(q.reshape(B, h, H, W, D))                               # (B, h, H, W, D)

    def asked(self, q):
        """The scores of steps between rows and between columns.    (B, h, H, W, D) -> (B, h, N, N)"""
        B, h, H, W, D = q.shape
        q, rows, columns = q * D ** -0.5, by_step(self.rows, H), by_step(self.columns, W)           # (n, n, D/2)
        of_rows = q[..., :D // 2] @ rows.swapaxes(1, 2)                                             # (B, h, H, W, H)
        of_columns = q[..., D // 2:].swapaxes(2, 3) @ columns.swapaxes(1, 2)                        # (B, h, W, H, W)
        scores = of_rows[..., None] + of_columns.swapaxes(2, 3)[..., None, :]                       # (B, h, H, W, H, W)
        return scores.reshape(B, h, H * W, H * W)                                                   # (B, h, N, N)

    def weights(self, x):
        """What each token looks at, for pictures: the attention probabilities.    (B, H, W, D) -> (B, h, N, N)"""
        with no_grad():
            return attention_weights(*self.look(x))


def near_one(rng, shape):
    """1 and a little noise."""
    return 1 + normal(0.01)(rng, shape)


def steps(n):
    """From each query to each key of an axis.    -> (n, n) int"""
    return np.arange(n) - np.arange(n)[:, None]


def by_step(table, n):
    """The row of a table that belongs to the step from query to key.    (2 span - 1, D), n <= span -> (n, n, D)"""
    span = (len(table) + 1) // 2
    if n > span:
        raise ValueError(f"attention: {n} places on an axis are more than the {span} that steps are learned for")
    return take(table, steps(n) + span - 1)


class Block(Module):
    """LN(x + Attention(x)), then LN(x + MLP(x)), as in BERT.    (B, H, W, D) -> (B, H, W, D)"""

    def __init__(self, dim, attention, *, mlp_dim, eps, dropout):
        self.attention, self.norm1 = attention, LayerNorm(dim, eps=eps)
        self.mlp, self.norm2 = Mlp(dim, mlp_dim), LayerNorm(dim, eps=eps)
        self.dropout = Dropout(dropout)

    def forward(self, x):
        """(B, H, W, D) -> (B, H, W, D)"""
        x = self.norm1(x + self.dropout(self.attention(x)))
        return self.norm2(x + self.dropout(self.mlp(x)))


class AttentionCNN(Module):
    """Patches, blocks, and a linear head that reads the mean of all tokens.

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0. Pictures have to divide into patches; with
    learned vectors of steps they may be smaller than `image_size`, but not larger.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels that the model is made for.
    dim, depth, heads, mlp_dim : int
        D, L, h, and the width between the two layers of the MLP.
    attention : callable
        attention(dim, heads, grid=...) -> Module, one of the classes above.
    eps : float
        What LayerNorm adds to the variance.
    dropout : float
        Rate of dropout behind attention and MLP.
    """

    def __init__(self, *, image_size=32, patch_size=2, channels=3, num_classes=10, dim, depth, heads=9, mlp_dim,
                 attention=QuadraticAttention, eps=1e-12, dropout=0.0):
        height, width = (image_size, image_size) if isinstance(image_size, int) else image_size
        if height % patch_size or width % patch_size:
            raise ValueError(f"image_size: {height} x {width} pixels do not divide into patches of "
                             f"{patch_size} x {patch_size}")
        self.image_size, grid = (height, width), (height // patch_size, width // patch_size)
        self.patch_embed = PatchEmbed(patch_size, channels, dim)
        self.blocks = [Block(dim, attention(dim, heads, grid=grid), mlp_dim=mlp_dim, eps=eps, dropout=dropout)
                       for _ in range(depth)]
        self.head = Linear(dim, num_classes, initialiser=normal(0.02)) if num_classes else Identity()

    def features(self, images, layers=(-1,)):
        """What the blocks `layers` make, the first is 0; by default the last.

        (B, height, width, C) -> [(B, height / P, width / P, D) for each layer]
        """
        grid = tuple(pixels // self.patch_embed.patch_size for pixels in images.shape[1:3])
        made = list(in_turn(self.blocks, to_grid(self.patch_embed(images), grid)))
        return [made[layer] for layer in layers]

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        return self.head(self.features(images)[0].mean(axis=(1, 2)))


# section 4 and its table 1; "cifar" is our own size
PAPER = partial(AttentionCNN, dim=400, depth=6, mlp_dim=512)
VARIANTS = {
    "quadratic": PAPER,
    "learned": partial(PAPER, attention=LearnedAttention),
    "content": partial(PAPER, attention=ContentAttention),
    "cifar": partial(AttentionCNN, patch_size=4, dim=96, depth=4, mlp_dim=192),
}
