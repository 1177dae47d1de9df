"""What every attention layer of a model looks at, layer by layer."""

from collections.abc import Sequence

from ..backend import array_module
from ..engine import no_grad
from ..tensor import Tensor
from ..types import Array
from .attention import Attention
from .mode import evaluating
from .module import Module, intercept_calls


def attention_maps(model: Module, images: Array) -> list:
    """The attention probabilities of every `Attention` layer, in the order of the layers.

    normalised images (B, height, width, C) -> list of (B, H, N, N): row i is what token i looks at
    """
    maps = []

    def follow(module, inputs, settings):
        if isinstance(module, Attention):
            maps.append(module.weights(*inputs).numpy())
        return module.forward(*inputs, **settings)

    with no_grad(), evaluating(model), intercept_calls(follow):
        model(Tensor(images))
    return maps


def rollout(maps: Sequence[Array], *, residual: float = 0.5) -> Array:
    """What reaches each token through all layers.  Abnar and Zuidema, ACL 2020, arXiv:2005.00928, equation 1.

    The layers' attention A, averaged over the heads, is mixed with the residual path, s I + (1 - s) A, and multiplied
    up.

    Parameters
    ----------
    maps : sequence of (B, H, N, N)
        As `attention_maps` gives them, the first layer first.
    residual : float
        s, the share of the residual path.

    Returns
    -------
    (B, N, N)
        Row i is what token i is made of; its sum is 1.

    Raises
    ------
    ValueError
        If there are no maps, or `residual` is not between 0 and 1.
    """
    if not len(maps) or not 0 <= residual <= 1:
        raise ValueError(f"rollout: expected maps and a residual between 0 and 1, got {len(maps)} maps and {residual}")
    xp = array_module(maps[0])
    reached = identity = xp.eye(maps[0].shape[-1], dtype=maps[0].dtype)                # (N, N)
    for one in maps:
        reached = (residual * identity + (1 - residual) * one.mean(axis=1)) @ reached  # (B, N, N)
    return reached


def looking(weights: Array, grid: tuple[int, int]) -> Array:
    """What each head looks at on the grid of the patches, the last rows * columns of the N tokens.

    Of the class token, or where there is none, of all patches on average.    (..., H, N, N) -> (..., H, rows, columns)
    """
    rows, columns = grid
    prefix = weights.shape[-1] - rows * columns
    if prefix < 0:
        raise ValueError(f"weights: {weights.shape[-1]} tokens are fewer than the patches of a {rows} x {columns} grid")
    seen = weights[..., 0, :] if prefix else weights.mean(axis=-2)                    # (..., H, N)
    return seen[..., prefix:].reshape(*seen.shape[:-1], rows, columns)                # (..., H, rows, columns)
