"""Where a Vision Transformer looks."""

from ..nn import looking
from .figure import new_figure


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
    maps = looking(weights, grid)                                                     # (H, rows, columns)
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
