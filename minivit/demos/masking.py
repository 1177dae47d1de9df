"""What a masked autoencoder paints, by how much of the picture it is shown.  He et al., CVPR 2022, arXiv:2111.06377.

The model was trained with three quarters hidden. It predicts each patch less its mean and divided by its deviation;
"known" gives the hidden patches their own mean and deviation back, as the paper's figures do, which the model cannot
know; else they get those of the visible patches, on average.
"""

import numpy as np

from ..data import Dataset, Samples
from ..engine import no_grad
from ..lessons import trained
from ..nn import patchify, unpatchify
from ..tasks.mae import statistics
from . import samples

TITLE = "From a quarter of a picture, a model paints the rest"
LOOK_FOR = "what the painting keeps when less and less of the picture is seen."
QUESTION = "From which share on does the error rise fast? How much of what you see is told by the patches' own mean?"
RATIOS = tuple(range(10, 100, 5))  # percent of the patches that are hidden
MASKS = 8  # by which the error of each picture is averaged


def masks(rng, patches):
    """One shuffle at every ratio: what a smaller ratio hides, a larger one hides too.    -> bool (ratios, N)"""
    rank = rng.permutation(patches)
    return np.stack([rank >= round(patches * (1 - ratio / 100)) for ratio in RATIOS])


def painted(task, images, mask, *, known):
    """Pictures with their hidden patches painted, and the loss of each.    -> (B, height, width, 3), (B,)"""
    P, hidden = task.encoder.patch_embed.patch_size, np.tile(mask, (len(images), 1))       # (B, N)
    patches = patchify(images, P)                                                          # (B, N, P P 3)
    centre, scale = (part.numpy() for part in statistics(patches))                         # (B, N, 1)
    with no_grad():
        guess = task.predict_pixels(images, hidden)[0].numpy()                             # (B, N, P P 3)
    error = ((guess - (patches - centre) / scale) ** 2).mean(axis=-1)[:, mask].mean(axis=1)  # (B,)
    if not known:
        centre, scale = (part[:, ~mask].mean(axis=1, keepdims=True) for part in (centre, scale))
    pixels = np.where(mask[:, None], guess * scale + centre, patches)
    return unpatchify(pixels, (images.shape[1] // P, images.shape[2] // P), 3), error


def data():
    """paintings uint8 (known, ratios, B, 32, 32, 3), rank int32 (N,) in whose order patches are hidden, and errors."""
    about, pictures = trained("mae_15min"), samples.pictures()
    looking = Samples(Dataset(pictures), mean=about.mean, std=about.std)
    images, rng = about.normalise(pictures), np.random.default_rng(0)
    N = (32 // about.task.encoder.patch_embed.patch_size) ** 2
    several = [masks(rng, N) for _ in range(MASKS)]
    paintings = [[painted(about.task, images, mask, known=known)[0] for mask in several[0]] for known in (False, True)]
    errors = np.mean([[painted(about.task, images, mask, known=True)[1] for mask in some] for some in several], axis=0)
    return {"pictures": pictures, "ratios": RATIOS, "masks": several[0].astype(np.uint8),
            "without": 1 - N / images[0].size,  # the error of a guess of 0
            "paintings": looking.as_bytes(np.stack(paintings)), "errors": errors.astype(np.float32)}  # (ratios, B)
