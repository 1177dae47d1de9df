"""Class-attention in image transformers.  Touvron et al., ICCV 2021, arXiv:2103.17239.

Deep transformers do not train: so each channel of each residual branch gets a learned factor that begins near 0
(LayerScale), and a block begins as almost nothing. The class token comes late: patches attend to one another without
it, and a few last layers do nothing but let it read them (class-attention). The heads of the patches' attention talk
to each other, by linear maps over the heads before and behind the softmax (arXiv:2003.02436).

    B batch    N patches    D width    H heads    d = D / H    P patch size    L depth
    (B, 224, 224, 3) -> patches (B, 196, D) -> L blocks (B, 196, D) -> class token (B, 1, D), which reads them twice
                     -> (B, D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 64, D) -> (B, 1, D) -> (B, D) -> (B, 10)

Departures from the paper: none. LayerScale begins at the values of the authors' code: 1e-5 also for XXS-36, where the
paper's rule for 36 layers is 1e-6.
"""

from functools import partial

from ..engine import no_grad
from ..nn import (Attention, CrossAttention, LayerNorm, LayerScale, Linear, Mlp, Module, Parameter, repeat_batch,
                  sincos, truncated_normal)
from ..ops import concatenate, gelu, softmax
from .vit import Block, ViTGAP


class ScaledBlock(Block):
    """x + g Attention(LN(x)), then x + g' MLP(LN(x)), with a factor g for each channel (section 2).

    (B, N, D) -> (B, N, D); `layer_scale` is where the factors begin, the other settings are those of ViT's block.
    """

    def __init__(self, dim, heads, *, layer_scale, **settings):
        super().__init__(dim, heads, **settings)
        self.scale1, self.scale2 = LayerScale(dim, layer_scale), LayerScale(dim, layer_scale)

    def forward(self, x):
        """(B, N, D) -> (B, N, D)"""
        x = x + self.drop_path(self.scale1(self.attention(self.norm1(x))))
        return x + self.drop_path(self.scale2(self.mlp(self.norm2(x))))


class TalkingHeads(Linear):
    """A linear map over the heads, the same for each pair of tokens.    (B, H, N, M) -> (B, H, N, M)"""

    def __init__(self, heads):
        super().__init__(heads, heads)

    def forward(self, x):
        """(B, H, N, M) -> (B, H, N, M)"""
        B, H, N, M = x.shape
        x = self.weight.transpose(1, 0) @ x.reshape(B, H, N * M) + self.bias.reshape(H, 1)      # (B, H, N M)
        return x.reshape(B, H, N, M)


class TalkingHeadAttention(Attention):
    """Attention whose heads are mixed before and behind the softmax (2003.02436).    (B, N, D) -> (B, N, D)"""

    def __init__(self, dim, heads, *, dropout=0.0):
        super().__init__(dim, heads, dropout=dropout)
        self.mix_scores, self.mix_weights = TalkingHeads(heads), TalkingHeads(heads)

    def forward(self, x):
        """(B, N, D) -> (B, N, D)"""
        weights, v = self.look(x)
        x = (weights @ v).transpose(0, 2, 1, 3).reshape(x.shape)              # (B, H, N, d) -> (B, N, D)
        return self.dropout(self.proj(x))

    def look(self, x):
        """What each head takes of each token, no probabilities any more, and v.    -> (B, H, N, N), (B, H, N, d)"""
        (B, N, D), H = x.shape, self.heads
        q, k, v = self.qkv(x).reshape(B, N, 3, H, D // H).transpose(2, 0, 3, 1, 4)              # 3 (B, H, N, d)
        scores = q * (D // H) ** -0.5 @ k.swapaxes(-1, -2)                                      # (B, H, N, N)
        return self.mix_weights(softmax(self.mix_scores(scores))), v

    def weights(self, x):
        """What each token looks at, for pictures; rows do not sum to 1.    (B, N, D) -> (B, H, N, N)"""
        with no_grad():
            return self.look(x)[0]


class TalkingBlock(ScaledBlock):
    """A block of the patches.    (B, N, D) -> (B, N, D)"""

    def __init__(self, dim, heads, *, dropout=0.0, **settings):
        super().__init__(dim, heads, dropout=dropout, **settings)
        self.attention = TalkingHeadAttention(dim, heads, dropout=dropout)


class ClassBlock(Module):
    """The class token looks at itself and the patches, which stay what they are (section 3).

    (B, 1, D), (B, N, D) -> (B, 1, D)
    """

    def __init__(self, dim, heads, *, mlp_dim, layer_scale, eps=1e-6, activation=gelu):
        self.norm1, self.attention = LayerNorm(dim, eps=eps), CrossAttention(dim, heads)
        self.norm2, self.mlp = LayerNorm(dim, eps=eps), Mlp(dim, mlp_dim, activation=activation)
        self.scale1, self.scale2 = LayerScale(dim, layer_scale), LayerScale(dim, layer_scale)

    def forward(self, token, patches):
        """(B, 1, D), (B, N, D) -> (B, 1, D)"""
        x = self.norm1(concatenate([token, patches], axis=1))                                   # (B, 1 + N, D)
        token = token + self.scale1(self.attention(x[:, :1], x))
        return token + self.scale2(self.mlp(self.norm2(token)))


class CaiT(ViTGAP):
    """Patches first, then the class token (section 3).

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0. The settings are those of ViT, and:

    Parameters
    ----------
    class_depth : int
        Layers of class-attention.
    layer_scale : float
        Where the factors of residual branches begin: smaller in deeper networks.
    drop_path : float
        Rate of stochastic depth, the same in every block; there is none in class-attention.
    """

    def __init__(self, *, class_depth=2, layer_scale=1e-5, **settings):
        self.class_depth, self.layer_scale = class_depth, layer_scale
        super().__init__(**settings)

    def make_blocks(self, depth, dim, heads, **block):
        """Those of the patches, all with the same rate of stochastic depth."""
        return [TalkingBlock(dim, heads, layer_scale=self.layer_scale, **block) for _ in range(depth)]

    def make_pooling(self, dim, heads, **block):
        """The class token, and the blocks in which it reads."""
        self.class_token = Parameter((1, 1, dim), truncated_normal(0.02))
        self.class_blocks = [ClassBlock(dim, heads, layer_scale=self.layer_scale, **block)
                             for _ in range(self.class_depth)]

    def encode(self, x):
        """The patches among themselves.    (B, N, D) -> (B, N, D)"""
        for block in self.blocks:
            x = block(x)
        return x

    def pool(self, x):
        """What the class token read.    (B, N, D) -> (B, D)"""
        token = repeat_batch(self.class_token, len(x))                                          # (B, 1, D)
        for block in self.class_blocks:
            token = block(token, x)
        return self.norm(token)[:, 0]


# the paper's sizes: 48 channels to a head
WIDTHS = {"XXS": 192, "XS": 288, "S": 384, "M": 768}
VARIANTS = {f"{size}-{depth}": partial(CaiT, dim=WIDTHS[size], depth=depth, heads=WIDTHS[size] // 48, layer_scale=scale)
            for size, depth, scale in [
                ("XXS", 24, 1e-5), ("XXS", 36, 1e-5), ("XS", 24, 1e-5), ("XS", 36, 1e-6), ("S", 24, 1e-5),
                ("S", 36, 1e-6), ("S", 48, 1e-6), ("M", 24, 1e-5), ("M", 36, 1e-6), ("M", 48, 1e-6)]}
VARIANTS["cifar"] = partial(CaiT, image_size=32, patch_size=4, num_classes=10, dim=96, depth=4, heads=4,
                            positions=sincos, layer_scale=0.1)
