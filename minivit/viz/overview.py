"""What a Vision Transformer does, in one row of pictures."""

from .figure import new_figure


def overview(picture, patch_size, weights, probabilities, classes):
    """A picture, its patches, the tokens' attention to each other, where the model looks, and what it says.

    Parameters
    ----------
    picture : uint8 (height, width, 3)
    patch_size : int
    weights : (H, N, N)
        One layer's `attention_maps` for this picture, of a model without a class token.
    probabilities : (classes,)
    classes : sequence of str
    """
    height, width, P = *picture.shape[:2], patch_size
    rows, columns = height // P, width // P
    mean = weights.mean(axis=0)                                  # (N, N)
    received = mean.mean(axis=0).reshape(rows, columns)          # (rows, columns)
    figure = new_figure(13, 2.9)
    first, patches, attention, looking, answer = figure.subplots(1, 5, width_ratios=[1, 1, 1, 1, 1.1])
    first.imshow(picture)
    first.set_title(f"a picture, {height} x {width}")
    apart = picture.reshape(rows, P, columns, P, 3).transpose(0, 2, 1, 3, 4)  # (rows, columns, P, P, 3)
    for row in range(rows):
        for column in range(columns):
            left, top = column * (P + 1), row * (P + 1)
            patches.imshow(apart[row, column], extent=(left, left + P, top + P, top))
    patches.set_xlim(-1, columns * (P + 1))
    patches.set_ylim(rows * (P + 1), -1)
    patches.set_title(f"{rows * columns} patches, one token each")
    attention.imshow(mean, cmap="inferno")
    attention.set_title("attention, token to token")
    looking.imshow(picture.mean(axis=-1), cmap="gray", vmin=0, vmax=255)
    looking.imshow(received, cmap="inferno", alpha=0.6, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    looking.set_title("patches that are looked at")
    for axes in (first, patches, attention, looking):
        axes.set_axis_off()
    best = probabilities.argsort()[-3:]
    answer.barh([classes[k] for k in best], probabilities[best])
    answer.set_xlim(0, 1)
    answer.set_xlabel("probability")
    answer.set_title("the model's answer")
    return figure
