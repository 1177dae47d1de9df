"""Losses: what training makes small.

Each is a mean over the batch, a number without axes, or with reduction="sum" the sum, with "none" every loss by itself.
The mean of no losses is NaN, as in PyTorch. Those for classes take logits and fold the softmax in: log sum exp is
computed without overflow, and its gradient, probability minus target, costs no extra pass. What has probability 0 costs
0, also where its logarithm is -inf.
"""

import numpy as np

from ..backend import array_module, device_of, to_device
from ..engine import primitive
from ..fast_forms import has_fast_form
from .checks import check_array, constant, of_floats
from .softmax import log_probabilities


def cross_entropy(logits, targets, *, label_smoothing=0.0, ignore_index=None, class_weights=None, reduction="mean"):
    """-sum_k w_k t_k log softmax(logits)_k, averaged over the positions.    (..., K), (...) or (..., K) -> ()

    Parameters
    ----------
    logits : (..., K)
    targets
        Labels, integers from 0 to K - 1 (...), or probabilities (..., K).
    label_smoothing : float
        From 0 to 1: each target t becomes (1 - label_smoothing) t + label_smoothing / K (arXiv:1512.00567, section 7).
    ignore_index : int, optional
        The label of positions that do not count, as 255 in segmentation.
    class_weights : (K,), optional
        w. With labels, the mean is one weighted by w: the sum is divided by the sum of the labels' weights.
    reduction : "mean", "sum" or "none"
        "none" gives the loss of each position, (...), 0 where it does not count.
    """
    return _cross_entropy(logits, targets, label_smoothing=label_smoothing, ignore_index=ignore_index,
                          weights=constant("cross_entropy", "class_weights", class_weights), reduction=reduction)


@primitive
@of_floats("logits")
def _cross_entropy(logits, targets, *, label_smoothing, ignore_index, weights, reduction):
    xp, one_hot = array_module(logits), None
    K = _check_classes(logits, targets, label_smoothing, ignore_index)
    if targets.dtype.kind in "iu":
        one_hot = targets[..., None] == xp.arange(K)  # (..., K)
        if ignore_index is not None:
            one_hot &= (targets != ignore_index)[..., None]
    probabilities = (targets if one_hot is None else one_hot).astype(logits.dtype, copy=False)
    if label_smoothing:
        probabilities = (1 - label_smoothing) * probabilities + label_smoothing / K
        if ignore_index is not None:
            probabilities *= one_hot.any(-1, keepdims=True)
    count = logits.size // max(K, 1)
    if weights is not None:
        weights = to_device(weights, device_of(logits)).astype(logits.dtype)
        if weights.shape != (K,):
            raise ValueError(f"cross_entropy: expected class_weights {(K,)}, got {weights.shape}")
        probabilities = probabilities * weights
        count = count if one_hot is None else (one_hot * weights).sum()
    elif ignore_index is not None:
        count = one_hot.sum(dtype=logits.dtype)
    losses, gradient, log_p = _cross_entropy_of_rows(logits, probabilities)
    value, spread = _reduced("cross_entropy", losses, reduction, count)

    def backward(dy):
        dy = spread(dy)[..., None]  # (..., 1)
        factor = (label_smoothing - 1) * (1 if weights is None else weights)
        return lambda: gradient() * dy, lambda: log_p() * (dy * factor)
    return value, backward


@has_fast_form
def _cross_entropy_of_rows(logits, targets):
    """-sum_k t_k log p_k with p = softmax(x), and functions that give p sum_k t_k - t and log p, its gradients.

    (..., K), (..., K) -> (...), () -> (..., K), () -> (..., K)
    """
    xp, log_p = array_module(logits), log_probabilities(logits)

    def gradient():
        return xp.exp(log_p) * targets.sum(-1, keepdims=True) - targets
    return -(targets * xp.where(targets == 0, 0, log_p)).sum(-1), gradient, lambda: log_p


def binary_cross_entropy(logits, targets, *, pos_weight=None, reduction="mean"):
    """-(w t log p + (1 - t) log(1 - p)) with p = sigmoid(logits), averaged over all.    (...), (...) -> ()

    The targets t are numbers from 0 to 1. Computed from |x| and log(1 + e^-|x|), which never overflow.

    Parameters
    ----------
    logits, targets : (...)
    pos_weight : float or array that broadcasts to (...), optional
        w, above 1 where positives are rare.
    reduction : "mean", "sum" or "none"
    """
    return _binary_cross_entropy(logits, targets, reduction=reduction,
                                 weight=constant("binary_cross_entropy", "pos_weight", pos_weight))


@primitive
@of_floats("logits")
def _binary_cross_entropy(logits, targets, *, weight, reduction):
    xp, targets = array_module(logits), _numbers("binary_cross_entropy", "targets", targets, logits)
    _check_range("binary_cross_entropy", "targets", targets, 0, 1)
    w = 1 if weight is None else to_device(weight, device_of(logits)).astype(logits.dtype)
    if weight is not None and (w.ndim > logits.ndim or any(
            n not in (1, m) for n, m in zip(w.shape[::-1], logits.shape[::-1], strict=False))):
        raise ValueError(f"binary_cross_entropy: pos_weight {w.shape} does not fit logits {logits.shape}")
    positive, negative = w * targets, 1 - targets  # (...)
    distance, small = xp.abs(logits), xp.exp(-xp.abs(logits))
    near = xp.log1p(small)  # log(1 + e^x) = max(x, 0) + near
    wrong = xp.where(logits > 0, negative, positive)  # how much speaks for the other side
    losses = (positive + negative) * near + wrong * xp.where(wrong == 0, 0, distance)
    value, spread = _reduced("binary_cross_entropy", losses, reduction)

    def backward(dy):
        def d_logits():
            p, q = (xp.where(chosen, 1, small) / (1 + small) for chosen in (logits > 0, logits <= 0))  # q = 1 - p
            return (negative * p - positive * q) * spread(dy)

        def d_targets():
            return (w * (near + xp.maximum(-logits, 0)) - near - xp.maximum(logits, 0)) * spread(dy)
        return d_logits, d_targets
    return value, backward


@primitive
@of_floats("x")
def mse(x, target, *, reduction="mean"):
    """(x - target)^2, averaged over all elements.    (...), (...) -> ()"""
    difference = x - _numbers("mse", "target", target, x)
    value, spread = _reduced("mse", difference * difference, reduction)

    def backward(dy):
        dx = difference * (2 * spread(dy))
        return dx, lambda: -dx
    return value, backward


@primitive
@of_floats("x")
def l1(x, target, *, reduction="mean"):
    """|x - target|, averaged over all elements.    (...), (...) -> ()"""
    xp, difference = array_module(x), x - _numbers("l1", "target", target, x)
    value, spread = _reduced("l1", xp.abs(difference), reduction)

    def backward(dy):
        dx = xp.sign(difference) * spread(dy)
        return dx, lambda: -dx
    return value, backward


@primitive
@of_floats("x")
def smooth_l1(x, target, *, beta=1.0, reduction="mean"):
    """d^2 / 2 beta where |d| < beta, |d| - beta / 2 elsewhere, with d = x - target; averaged.    (...), (...) -> ()

    Quadratic near 0, linear far away (Girshick, arXiv:1504.08083, equation 3, where beta is 1).
    """
    if not beta > 0:
        raise ValueError(f"smooth_l1: beta must be above 0, got {beta}; l1 is what beta = 0 would be")
    xp, difference = array_module(x), x - _numbers("smooth_l1", "target", target, x)
    clipped = xp.clip(difference, -beta, beta)
    value, spread = _reduced("smooth_l1", clipped * (difference - clipped / 2) / beta, reduction)

    def backward(dy):
        dx = clipped * (spread(dy) / beta)
        return dx, lambda: -dx
    return value, backward


@primitive
@of_floats("student", "teacher")
def kl_divergence(student, teacher, *, temperature=1.0, reduction="mean"):
    """T^2 sum_k p_k (log p_k - log q_k), averaged over the positions.    (..., K), (..., K) -> ()

    p = softmax(teacher / T) and q = softmax(student / T) are given by logits. The factor T^2 keeps the size of the
    gradients independent of the temperature T (Hinton et al., arXiv:1503.02531, section 2).
    """
    xp = array_module(student)
    _check_shapes("kl_divergence", student, teacher)
    if not student.ndim or not temperature > 0:
        raise ValueError(f"kl_divergence: temperature must be above 0, got {temperature}, and logits have an axis of "
                         f"classes, got {student.shape}")
    log_q, log_p = log_probabilities(student / temperature), log_probabilities(teacher / temperature)
    p = xp.exp(log_p)
    with np.errstate(invalid="ignore"):  # -inf - -inf, where p is 0
        ratio = xp.where(p == 0, 0, log_p - log_q)
    divergence = (p * ratio).sum(-1)
    value, spread = _reduced("kl_divergence", divergence * temperature ** 2, reduction)

    def backward(dy):
        dy = temperature * spread(dy)[..., None]  # (..., 1)
        return lambda: (xp.exp(log_q) - p) * dy, lambda: p * (ratio - divergence[..., None]) * dy
    return value, backward


def _reduced(name, losses, reduction, count=None):
    """The losses put together, and a function from the gradient of that to the gradient of each loss.

    The mean is their sum divided by `count`, their number if it is None.
    """
    if reduction == "none":
        return losses, lambda dy: dy
    if reduction == "sum":
        return losses.sum(), lambda dy: dy
    if reduction != "mean":
        raise ValueError(f"{name}: expected reduction 'mean', 'sum' or 'none', got {reduction!r}")
    count = losses.size if count is None else count

    def divided(number):
        with np.errstate(divide="ignore", invalid="ignore"):  # by 0, where there are no losses
            return number / count
    return divided(losses.sum()), divided


def _numbers(name, what, target, x):
    """A target in numbers to compute with: integers and bool in the dtype of x."""
    check_array(name, what, target)
    _check_shapes(name, x, target)
    return target.astype(x.dtype) if target.dtype.kind in "biu" else target


def _check_classes(logits, targets, label_smoothing, ignore_index):
    """K, if everything fits."""
    check_array("cross_entropy", "targets", targets)
    are_labels = targets.dtype.kind in "iu"
    if not logits.ndim or targets.shape != (logits.shape[:-1] if are_labels else logits.shape):
        raise ValueError(f"cross_entropy: logits {logits.shape} need labels {logits.shape[:-1]} (int) or probabilities "
                         f"{logits.shape} (float), got {targets.shape} of {targets.dtype}")
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing must be from 0 to 1, got {label_smoothing}")
    if ignore_index is not None and not are_labels:
        raise ValueError(f"cross_entropy: ignore_index={ignore_index} needs labels (int), got {targets.dtype}")
    if are_labels:
        counted = targets if ignore_index is None or array_module(targets) is not np else (
            targets[targets != ignore_index])
        _check_range("cross_entropy", "labels", counted, 0, logits.shape[-1] - 1)
    return logits.shape[-1]


def _check_shapes(name, x, target):
    if x.shape != target.shape:
        raise ValueError(f"{name}: expected two arrays of one shape, got {x.shape} and {target.shape}")


def _check_range(name, what, values, low, high):
    """On the CPU only: for the values on a GPU one would have to wait."""
    if array_module(values) is np and values.size and not (values.min() >= low and values.max() <= high):
        raise ValueError(f"{name}: {what} must be from {low} to {high}, got {values.min()} to {values.max()}")
