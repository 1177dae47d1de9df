"""MobileViT: light-weight, general-purpose, and mobile-friendly vision transformer.  Mehta, Rastegari, ICLR 2022.

arXiv:2110.02178. A mobile network of convolutions (MobileNet v2's blocks) gets three places where a Transformer looks
at the whole picture. A grid is cut into patches of 2 x 2, and attention runs between the pixels that have the same
place in all patches: four times over a quarter of the grid. Each pixel knows its neighbours already, by the
convolution before; so through one pixel of each patch, it sees all of them. Convolutions tell where a pixel is, too.

    B batch    H x W grid    C channels    D width    P patch size    N = H W / P^2 patches    L depth    h heads
    (B, 256, 256, 3) -> (B, 128, 128, 32) -> (B, 64, 64, 64) -> (B, 32, 32, 96) -> (B, 16, 16, 128) -> (B, 8, 8, 160)
                     -> (B, 8, 8, 640) -> mean over the grid (B, 640) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 32, 32, 16) -> (B, 16, 16, 24) -> (B, 16, 16, 32) -> (B, 8, 8, 48) -> (B, 4, 4, 64)
                     -> (B, 4, 4, 256) -> (B, 256) -> logits (B, 10)
    block: (B, H, W, C) -> (B, H, W, D) -> unfolded (B P^2, N, D) -> Transformer -> (B, H, W, D) -> (B, H, W, C)

A grid whose sides are no multiples of P is stretched to the next ones for the Transformer, and back behind it.

Departures from the paper: none. Channels inside of MobileNet's blocks are multiples of 8, as in the authors' code.
"""

from functools import partial

from ..nn import ConvNorm, Identity, LayerNorm, Linear, MBConv, Module, Sequential, in_turn, truncated_normal
from ..ops import concatenate, resize, silu
from .vit import Block


def unfolded(x, size):
    """Pixels with the same place in patches of P x P, in a row (fig. 1b, "unfold").    (B, H, W, D) -> (B P^2, N, D)"""
    (B, H, W, D), P = x.shape, size
    x = x.reshape(B, H // P, P, W // P, P, D).transpose(0, 2, 4, 1, 3, 5)            # (B, P, P, H/P, W/P, D)
    return x.reshape(B * P * P, (H // P) * (W // P), D)                              # (B P^2, N, D)


def folded(x, size, grid):
    """Pixels back at their places in a grid (H, W) (fig. 1b, "fold").    (B P^2, N, D) -> (B, H, W, D)"""
    (rows, _, D), (H, W), P = x.shape, grid, size
    x = x.reshape(rows // (P * P), P, P, H // P, W // P, D).transpose(0, 3, 1, 4, 2, 5)    # (B, H/P, P, W/P, P, D)
    return x.reshape(rows // (P * P), H, W, D)                                       # (B, H, W, D)


class MobileViTBlock(Module):
    """What is near by a convolution, what is far by a Transformer, and both fused with what came in (section 3.1).

    (B, H, W, C) -> (B, H, W, C)

    Parameters
    ----------
    channels, dim, depth, heads : int
        C, D, L and h.
    patch_size : int
        P.
    mlp_ratio : float
        Width between the layers of the MLPs, in multiples of D.
    eps, activation
        Of LayerNorm; of convolutions and MLPs.
    """

    def __init__(self, channels, dim, depth, heads, *, patch_size, mlp_ratio, eps, activation):
        self.patch_size = patch_size
        self.near = ConvNorm(channels, channels, 3, activation=activation)
        self.widen = Linear(channels, dim, bias=False)
        self.blocks = [Block(dim, heads, mlp_dim=int(mlp_ratio * dim), eps=eps, activation=activation)
                       for _ in range(depth)]
        self.norm, self.narrow = LayerNorm(dim, eps=eps), ConvNorm(dim, channels, 1, activation=activation)
        self.fuse = ConvNorm(2 * channels, channels, 3, activation=activation)

    def forward(self, x):
        """(B, H, W, C) -> (B, H, W, C)"""
        far = self.look(self.widen(self.near(x)))                                    # (B, H, W, D)
        return self.fuse(concatenate([x, self.narrow(far)], axis=-1))                # (B, H, W, 2C) -> (B, H, W, C)

    def look(self, x):
        """The Transformer, for each of the P^2 places in a patch.    (B, H, W, D) -> (B, H, W, D)"""
        grid, P = x.shape[1:3], self.patch_size
        whole = tuple(-(-n // P) * P for n in grid)
        x = unfolded(x if whole == grid else resize(x, whole), P)                    # (B P^2, N, D)
        for block in self.blocks:
            x = block(x)
        x = folded(self.norm(x), P, whole)                                           # (B, H', W', D)
        return x if whole == grid else resize(x, grid)                               # (B, H, W, D)


def multiple_of_8(channels):
    """The nearest multiple of 8, upwards from a tie, or the next one if that takes away more than a tenth."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest if nearest >= 0.9 * channels else nearest + 8


class MobileViT(Module):
    """A stem, stages of MobileNet v2's blocks, stages with a Transformer (table 4), and the mean for a linear head.

    (B, height, width, C) -> (B, num_classes), or (B, final) with num_classes=0. Pictures of any size are accepted.

    Parameters
    ----------
    image_size : int or (int, int)
        Height and width in pixels of the pictures that the model is made for.
    stem : (int, int)
        Channels and stride of the first convolution.
    convs : sequence of (int, int, int)
        C, stride and number of blocks of the stages without a Transformer.
    blocks : sequence of (int, int, int, int)
        C, stride, D and L of the stages with one.
    final : int
        Channels of the last convolution, by default four times those before.
    expansion : float
        How many times wider blocks of MobileNet v2 are inside.
    heads, patch_size, mlp_ratio, eps, activation
        As for MobileViTBlock; the activation is that of all convolutions too.
    """

    def __init__(self, *, image_size=256, channels=3, num_classes=1000, stem=(16, 2), convs, blocks, final=None,
                 expansion=4, heads=4, patch_size=2, mlp_ratio=2, eps=1e-5, activation=silu):
        self.image_size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
        self.expansion, (inputs, stride), self.stages = expansion, stem, []
        self.stem = ConvNorm(channels, inputs, 3, stride=stride, activation=activation)
        for C, stride, depth in convs:
            strides = [stride] + [1] * (depth - 1)
            self.stages.append(Sequential(*(self.convolve(C if index else inputs, C, each, activation)
                                            for index, each in enumerate(strides))))
            inputs = C
        for C, stride, dim, depth in blocks:
            block = MobileViTBlock(C, dim, depth, heads, patch_size=patch_size, mlp_ratio=mlp_ratio, eps=eps,
                                   activation=activation)
            self.stages.append(Sequential(self.convolve(inputs, C, stride, activation), block))
            inputs = C
        final = final or 4 * inputs
        self.final = ConvNorm(inputs, final, 1, activation=activation)
        self.head = Linear(final, num_classes, initialiser=truncated_normal(0.02)) if num_classes else Identity()

    def convolve(self, inputs, outputs, stride, activation):
        """A block of MobileNet v2.    (B, H, W, C_in) -> (B, H/stride, W/stride, C)"""
        return MBConv(inputs, outputs, hidden=multiple_of_8(round(inputs * self.expansion)), stride=stride,
                      activation=activation)

    def features(self, images):
        """What each stage makes, before the last convolution.

        (B, height, width, C) -> list of (B, H, W, C), the finest grid first
        """
        return list(in_turn(self.stages, self.stem(images)))

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes)"""
        x = self.final(self.features(images)[-1])                                    # (B, H, W, final)
        return self.head(x.mean(axis=(1, 2)))


def sizes(first, second, channels, dims, expansion=4):
    """A line of table 4: channels of the stages without and with a Transformer, and D of the latter."""
    return dict(convs=((first, 1, 1), (second, 2, 3)), expansion=expansion, blocks=tuple(
        (C, 2, D, L) for C, D, L in zip(channels, dims, (2, 4, 3), strict=True)))


# table 4; "cifar" is our own size
VARIANTS = {
    "xxs": partial(MobileViT, **sizes(16, 24, (48, 64, 80), (64, 80, 96), expansion=2)),
    "xs": partial(MobileViT, **sizes(32, 48, (64, 80, 96), (96, 120, 144))),
    "s": partial(MobileViT, **sizes(32, 64, (96, 128, 160), (144, 192, 240))),
    "cifar": partial(MobileViT, image_size=32, num_classes=10, stem=(16, 1), convs=((16, 1, 1), (24, 2, 1)),
                     blocks=((32, 1, 48, 2), (48, 2, 64, 2), (64, 2, 80, 1))),
}
