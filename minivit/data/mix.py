"""Mixing the pictures of a batch, and their targets with them."""

import numpy as np

from ..backend import array_module
from .augment import rectangle_masks


def one_hot(labels, classes):
    """t_bk = 1 where k is the label of picture b, else 0.    int (B,) -> float32 (B, classes)"""
    xp = array_module(labels)
    return (labels[:, None] == xp.arange(classes)).astype(np.float32)


def mixup(images, targets, rng, *, alpha=0.2):
    """x = lambda x_i + (1 - lambda) x_j, targets alike; lambda ~ Beta(alpha, alpha), drawn for each picture.

    Zhang et al., "mixup: beyond empirical risk minimization", ICLR 2018, arXiv:1710.09412, section 2.

    Parameters
    ----------
    images : floating point (B, H, W, C)
    targets : floating point (B, K)
        Probabilities of the classes: see `one_hot`.

    Returns
    -------
    images, targets
        Of the same shapes and dtypes.
    """
    if images.dtype.kind != "f":
        raise TypeError(f"mixup: expected floating-point images (normalise them first), got {images.dtype}")
    xp = array_module(images)
    share = rng.beta(alpha, alpha, len(images))
    partner = xp.asarray(rng.permutation(len(images)))
    weight = xp.asarray(share, dtype=images.dtype)[:, None, None, None]
    images = images[partner] + weight * (images - images[partner])
    return images, _mixed(targets, partner, xp.asarray(share, dtype=targets.dtype))


def cutmix(images, targets, rng, *, alpha=1.0):
    """Paste a rectangle of another picture; the targets are mixed by the area it really covers.

    Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features", ICCV 2019,
    arXiv:1905.04899, section 3.1 and eq. 2. The rectangle has the share 1 - lambda of the picture, lambda ~
    Beta(alpha, alpha), and a centre anywhere, so that a part of it may fall outside; each picture draws its own.

    Parameters
    ----------
    images : (B, H, W, C)
    targets : floating point (B, K)
        Probabilities of the classes: see `one_hot`.

    Returns
    -------
    images, targets
        Of the same shapes and dtypes.
    """
    xp = array_module(images)
    batch, height, width, _ = images.shape
    side = np.sqrt(1 - rng.beta(alpha, alpha, batch))
    centre_y, centre_x = rng.random((2, batch))
    top, bottom = (np.rint(height * np.clip(centre_y + half, 0, 1)) for half in (-side / 2, side / 2))
    left, right = (np.rint(width * np.clip(centre_x + half, 0, 1)) for half in (-side / 2, side / 2))
    share = 1 - (bottom - top) * (right - left) / (height * width)

    partner = xp.asarray(rng.permutation(batch))
    pasted = rectangle_masks(xp, top, bottom, left, right, (height, width))
    images = xp.where(pasted[..., None], images[partner], images)
    return images, _mixed(targets, partner, xp.asarray(share, dtype=targets.dtype))


def _mixed(targets, partner, share):
    """share t_i + (1 - share) t_j    (B, K), (B,), (B,) -> (B, K)"""
    return share[:, None] * targets + (1 - share[:, None]) * targets[partner]
