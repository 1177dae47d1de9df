"""Mixing the pictures of a batch, and their targets with them."""

import numpy as np

from ..backend import array_module
from ..settings import expect_number, expect_whole
from ..types import Array
from .augment import rectangle_masks
from .checks import expect_array, expect_pictures


def one_hot(labels: Array, classes: int) -> Array:
    """t_bk = 1 where k is the label of picture b, else 0.    int (B,) -> float32 (B, classes)"""
    expect_whole("one_hot: classes", classes, 1)
    expect_array("one_hot", "labels", labels)
    xp = array_module(labels)
    if labels.dtype.kind not in "iu" or labels.ndim != 1:
        raise TypeError(f"one_hot: expected integer labels (B,), got {labels.dtype} {labels.shape}")
    if xp is np and len(labels) and not 0 <= labels.min() <= labels.max() < classes:  # on a GPU the host would wait
        raise ValueError(f"one_hot: expected labels from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
    return (labels[:, None] == xp.arange(classes)).astype(np.float32)


def mixup(images: Array, targets: Array, rng: np.random.Generator, *, alpha: float = 0.2) -> tuple[Array, Array]:
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
    expect_pictures("mixup", images, kind="f")
    _expect_settings("mixup", images, targets, alpha)
    xp = array_module(images)
    share = rng.beta(alpha, alpha, len(images))
    partner = xp.asarray(rng.permutation(len(images)))
    weight = xp.asarray(share, dtype=images.dtype)[:, None, None, None]
    images = images[partner] + weight * (images - images[partner])
    return images, _mixed(targets, partner, xp.asarray(share, dtype=targets.dtype))


def cutmix(images: Array, targets: Array, rng: np.random.Generator, *, alpha: float = 1.0) -> tuple[Array, Array]:
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
    expect_pictures("cutmix", images)
    _expect_settings("cutmix", images, targets, alpha)
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


def _expect_settings(mix, images, targets, alpha):
    expect_number(f"{mix}: alpha", alpha, 0, above=True)
    expect_array(mix, "targets", targets)
    if targets.dtype.kind != "f":
        raise TypeError(f"{mix}: expected floating-point targets (B, K), as one_hot makes them of labels, got "
                        f"{targets.dtype} {targets.shape}")
    if targets.ndim != 2 or len(targets) != len(images):
        raise ValueError(f"{mix}: expected targets ({len(images)}, K) for {len(images)} images, got {targets.shape}")


def _mixed(targets, partner, share):
    """share t_i + (1 - share) t_j    (B, K), (B,), (B,) -> (B, K)"""
    return share[:, None] * targets + (1 - share[:, None]) * targets[partner]
