"""What every attention layer of a model looks at, layer by layer."""

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
