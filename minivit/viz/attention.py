"""Where a Vision Transformer looks."""

from ..engine import Tensor, no_grad
from ..nn import Attention, evaluating, intercept_calls
from .figure import new_figure


def attention_maps(model, images):
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


def attention_picture(picture, weights, grid, title=""):
    """A picture, and over it the attention of one layer: its mean over the heads, then head by head.

    Drawn is the attention of the class token to the patches, or where there is none, of all patches on average.

    Parameters
    ----------
    picture : uint8 (height, width, 3)
    weights : (H, N, N)
        One layer's `attention_maps` for this picture.
    grid : (int, int)
        Rows and columns of patches: the last rows * columns of the N tokens.
    """
    rows, columns = grid
    prefix = weights.shape[-1] - rows * columns
    if prefix < 0:
        raise ValueError(f"weights: {weights.shape[-1]} tokens are fewer than the patches of a {rows} x {columns} grid")
    looking = weights[:, 0] if prefix else weights.mean(axis=1)                       # (H, N)
    maps = looking[:, prefix:].reshape(-1, rows, columns)                             # (H, rows, columns)
    panels = [("all heads", maps.mean(axis=0))] + [(f"head {head}", one) for head, one in enumerate(maps, 1)]
    figure = new_figure(2.2 * (1 + len(panels)), 2.8)
    first, *others = figure.subplots(1, 1 + len(panels))
    first.imshow(picture)
    first.set_title("picture")
    edges = (-0.5, picture.shape[1] - 0.5, picture.shape[0] - 0.5, -0.5)
    for axes, (name, one) in zip(others, panels, strict=True):
        axes.imshow(picture.mean(axis=-1), cmap="gray", vmin=0, vmax=255)
        image = axes.imshow(one / one.max(), cmap="inferno", alpha=0.6, extent=edges, vmin=0, vmax=1)
        axes.set_title(name)
    figure.colorbar(image, ax=others, label="attention / its maximum", shrink=0.8)
    for axes in [first, *others]:
        axes.set_axis_off()
    figure.suptitle(title)
    return figure
