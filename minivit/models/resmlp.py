"""ResMLP: Feedforward networks for image classification with data-efficient training.  Touvron et al., TPAMI 2022.

arXiv:2105.03404. What is left of a Transformer if attention becomes one matrix, N x N, that is the same for all
pictures and channels? It needs no norms then: a factor and an offset for each channel, which look at no statistics, are
enough, if another factor, small at first, stands behind each branch.

    B batch    N tokens    D width    P patch size    L depth
    (B, 224, 224, 3) -> patches (B, 196, D) -> mixed (B, 196, D) -> mean (B, D) -> logits (B, 1000)
    cifar: (B, 32, 32, 3) -> (B, 64, D) -> (B, 64, D) -> (B, D) -> (B, 10)

The weights that mix tokens belong to places: pictures of another size than `image_size` are refused.

Departures from the paper, as in the authors' code: the linear map across tokens has a bias, one number for each place;
behind a branch there is a factor without the offset that eq. 2 and 3 give it.
"""

from functools import partial

from ..nn import DropPath, LayerScale, Linear, Mlp, Module, Parameter, ones, truncated_normal, zeros
from ..ops import gelu
from .mlp_mixer import AllMlp


class Affine(Module):
    """alpha x + beta, a factor and an offset for each channel, whatever the statistics of x (eq. 1).

    (..., D) -> (..., D)
    """

    def __init__(self, dim):
        self.alpha, self.beta = Parameter((dim,), ones), Parameter((dim,), zeros)

    def forward(self, x):
        """(..., D) -> (..., D)"""
        return self.alpha * x + self.beta


class Block(Module):
    """x + scale A Aff(x), with one matrix A across tokens, then x + scale MLP(Aff(x)) (eq. 2, 3).

    (B, N, D) -> (B, N, D)
    """

    def __init__(self, tokens, dim, *, mlp_dim, layer_scale, activation=gelu, dropout=0.0, drop_path=0.0):
        self.norm1, self.linear_tokens = Affine(dim), Linear(tokens, tokens)
        self.norm2, self.mlp = Affine(dim), Mlp(dim, mlp_dim, activation=activation, dropout=dropout)
        self.scale1, self.scale2 = LayerScale(dim, layer_scale), LayerScale(dim, layer_scale)
        self.drop_path = DropPath(drop_path)

    def forward(self, x):
        """(B, N, D) -> (B, N, D)"""
        x = x + self.drop_path(self.scale1(self.mix_tokens(self.norm1(x))))
        return x + self.drop_path(self.scale2(self.mlp(self.norm2(x))))

    def mix_tokens(self, x):
        """A reads columns.    (B, N, D) -> (B, N, D)"""
        columns = x.transpose(0, 2, 1)                             # (B, D, N)
        return self.linear_tokens(columns).transpose(0, 2, 1)      # (B, N, D)


class ResMLP(AllMlp):
    """Residual layers of one linear map across tokens and an MLP across channels (fig. 1).

    (B, height, width, C) -> (B, num_classes), or (B, D) with num_classes=0

    Parameters
    ----------
    dim, depth, mlp_dim : int
        D, L, and the width between the two layers of the MLP, by default 4 D.
    layer_scale : float
        Where the factors behind the branches begin.
    activation : callable
        Of the MLPs.
    dropout, drop_path : float
        Rate of dropout within the MLPs and behind them; rate of stochastic depth, the same in all blocks.
    **picture
        image_size, patch_size, channels and num_classes, as for ViT.
    """

    def __init__(self, *, dim, depth, mlp_dim=None, layer_scale=1e-4, activation=gelu, dropout=0.0, drop_path=0.0,
                 **picture):
        block = partial(Block, dim=dim, mlp_dim=mlp_dim or 4 * dim, layer_scale=layer_scale, activation=activation,
                        dropout=dropout, drop_path=drop_path)
        super().__init__(dim, depth * [block], Affine(dim), head=truncated_normal(0.02), **picture)


# section 3 and the authors' code, which begins deeper models with smaller factors; "cifar" is our own size
VARIANTS = {
    "S12": partial(ResMLP, dim=384, depth=12, layer_scale=0.1),
    "S24": partial(ResMLP, dim=384, depth=24, layer_scale=1e-5),
    "S36": partial(ResMLP, dim=384, depth=36, layer_scale=1e-6),
    "B24/16": partial(ResMLP, dim=768, depth=24, layer_scale=1e-6),
    "B24/8": partial(ResMLP, patch_size=8, dim=768, depth=24, layer_scale=1e-6),
    "cifar": partial(ResMLP, image_size=32, patch_size=4, num_classes=10, dim=96, depth=8, layer_scale=0.1),
}
