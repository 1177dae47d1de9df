"""Losses: values and gradients against PyTorch, stability, and what they refuse."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, check, integers


def probabilities(*shape):
    """Rows that sum to 1."""
    def draw(rng):
        p = rng.uniform(0.1, 1, shape)
        return p / p.sum(-1, keepdims=True)
    draw.label = f"probabilities{shape}"
    return draw


def torch_cross_entropy(smoothing=0.0):
    def loss(torch, logits, targets):
        logits = logits.reshape(-1, logits.shape[-1])
        targets = targets.reshape(-1, logits.shape[-1]) if targets.is_floating_point() else targets.reshape(-1)
        return torch.nn.functional.cross_entropy(logits, targets, label_smoothing=smoothing)
    return loss


def torch_kl(T=1.0):
    def loss(torch, student, teacher):
        log_q, log_p = (torch.log_softmax(x / T, -1).reshape(-1, x.shape[-1]) for x in (student, teacher))
        return T * T * torch.nn.functional.kl_div(log_q, log_p, log_target=True, reduction="batchmean")
    return loss


def torch_kl_of_rows(torch, student, teacher):
    """At temperature 2."""
    log_q, log_p = (torch.log_softmax(x / 2, -1) for x in (student, teacher))
    return 4 * torch.nn.functional.kl_div(log_q, log_p, log_target=True, reduction="none").sum(-1)


def named(name, **settings):
    return lambda torch, x, y: getattr(torch.nn.functional, name)(x, y, **settings)


WEIGHTS = [0.5, 2.0, 1.0, 0.0, 3.0]


def torch_classes(**settings):
    """PyTorch's cross-entropy, classes last; `weight` is a list."""
    def loss(torch, logits, targets):
        weight = settings.get("weight")
        given = settings | {"weight": None if weight is None else torch.tensor(weight, dtype=torch.float64)}
        classes_first = [a.movedim(-1, 1) if a.ndim == logits.ndim else a for a in (logits, targets)]
        return torch.nn.functional.cross_entropy(*classes_first, **given)
    return loss


def rows_of_cross_entropy():
    """Every combination of reduction, smoothing, weights, ignored labels, and kind of target."""
    for reduction in ("mean", "sum", "none"):
        for smoothing in (0.0, 0.2):
            for weights in (None, WEIGHTS):
                both = dict(reduction=reduction, label_smoothing=smoothing)
                ours, theirs = both | dict(class_weights=weights), both | dict(weight=weights)
                yield Case(ops.cross_entropy, (3, 4, 5), probabilities(3, 4, 5), torch=torch_classes(**theirs), **ours)
                for ignored in (None, 2, 4):
                    given = {} if ignored is None else {"ignore_index": ignored}
                    yield Case(ops.cross_entropy, (6, 7, 5), integers(5, 6, 7), torch=torch_classes(**theirs, **given),
                               **ours, **given)


CASES = [
    Case(ops.cross_entropy, (7, 5), integers(5, 7), torch=torch_cross_entropy()),
    Case(ops.cross_entropy, (3, 4, 5), integers(5, 3, 4), torch=torch_cross_entropy()),
    Case(ops.cross_entropy, (7, 5), integers(5, 7), label_smoothing=0.1, torch=torch_cross_entropy(0.1)),
    Case(ops.cross_entropy, (7, 5), probabilities(7, 5), torch=torch_cross_entropy()),
    Case(ops.cross_entropy, (3, 4, 5), probabilities(3, 4, 5), label_smoothing=0.2, torch=torch_cross_entropy(0.2)),
    Case(ops.kl_divergence, (6, 4), (6, 4), torch=torch_kl()),
    Case(ops.kl_divergence, (2, 3, 4), (2, 3, 4), temperature=4.0, torch=torch_kl(4.0)),
    Case(ops.mse, (3, 4), (3, 4), torch=named("mse_loss")),
    Case(ops.l1, (3, 4), (3, 4), torch=named("l1_loss")),
    Case(ops.smooth_l1, (5, 4), (5, 4), torch=named("smooth_l1_loss")),
    Case(ops.smooth_l1, (5, 4), (5, 4), beta=0.5, torch=lambda torch, x, y: torch.nn.functional.smooth_l1_loss(
        x, y, beta=0.5)),
    Case(ops.binary_cross_entropy, (6, 3), probabilities(6, 3),
         torch=named("binary_cross_entropy_with_logits")),
    *rows_of_cross_entropy(),
    *[Case(function, (6, 3), (6, 3), reduction=reduction, torch=named(name, reduction=reduction))
      for function, name in [(ops.mse, "mse_loss"), (ops.l1, "l1_loss"), (ops.smooth_l1, "smooth_l1_loss")]
      for reduction in ("sum", "none")],
    *[Case(ops.binary_cross_entropy, (6, 3), probabilities(6, 3), reduction=reduction, pos_weight=weight,
           torch=lambda torch, x, t, reduction=reduction, weight=weight:
           torch.nn.functional.binary_cross_entropy_with_logits(
               x, t, reduction=reduction, pos_weight=None if weight is None else torch.tensor(weight, dtype=x.dtype)))
      for reduction in ("mean", "sum", "none") for weight in (None, 2.5, [1.0, 3.0, 0.5])],
    Case(ops.kl_divergence, (6, 4), (6, 4), reduction="none", temperature=2.0, torch=torch_kl_of_rows),
    Case(ops.kl_divergence, (6, 4), (6, 4), reduction="sum", temperature=2.0,
         torch=lambda *arguments: torch_kl_of_rows(*arguments).sum()),
]


def test_op(case, device):
    check(case, device)


def test_no_loss_overflows():
    logits = Tensor(np.array([[1e4, -1e4], [-1e4, 1e4]], np.float32), requires_grad=True)
    for loss in (ops.cross_entropy(logits, np.array([0, 0])), ops.kl_divergence(logits, logits.detach()),
                 ops.binary_cross_entropy(logits, np.eye(2, dtype=np.float32))):
        assert np.isfinite(loss.item())
        assert np.isfinite(grad(loss, [logits])[0]).all()


def test_wrong_arguments_are_refused_with_numbers():
    logits = np.zeros((3, 4), np.float32)
    with pytest.raises(ValueError, match="labels must be from 0 to 3, got 0 to 4"):
        ops.cross_entropy(logits, np.array([0, 4, 1]))
    with pytest.raises(ValueError, match="labels must be from 0 to 3, got -1 to 2"):
        ops.cross_entropy(logits, np.array([-1, 2, 1]))
    with pytest.raises(ValueError, match=r"need labels \(3,\) \(int\) or probabilities \(3, 4\) \(float\), got \(2,\)"):
        ops.cross_entropy(logits, np.array([1, 2]))
    with pytest.raises(ValueError, match=r"mse: expected two arrays of one shape, got \(3, 4\) and \(4,\)"):
        ops.mse(logits, np.zeros(4, np.float32))
    with pytest.raises(ValueError, match="beta must be above 0, got 0"):
        ops.smooth_l1(logits, logits, beta=0)
    with pytest.raises(ValueError, match="targets must be from 0 to 1, got 0.0 to 1.5"):
        ops.binary_cross_entropy(logits[0, :2], np.array([0, 1.5], np.float32))
    with pytest.raises(ValueError, match="temperature must be above 0, got 0"):
        ops.kl_divergence(logits, logits, temperature=0)
    for reduce in (ops.cross_entropy, ops.mse):
        with pytest.raises(ValueError, match=f"{reduce.__name__}: expected reduction 'mean', 'sum' or 'none', got 'a"):
            reduce(logits, logits, reduction="avg")
    with pytest.raises(ValueError, match="beta must be above 0, got nan"):
        ops.smooth_l1(logits, logits, beta=np.nan)
    for smoothing in (-0.1, 1.5, np.nan):
        with pytest.raises(ValueError, match=f"label_smoothing must be from 0 to 1, got {smoothing}"):
            ops.cross_entropy(logits, np.array([0, 1, 2]), label_smoothing=smoothing)
    with pytest.raises(ValueError, match=r"cross_entropy: expected class_weights \(4,\), got \(3,\)"):
        ops.cross_entropy(logits, np.array([0, 1, 2]), class_weights=[1, 2, 3])
    with pytest.raises(ValueError, match=r"cross_entropy: ignore_index=1 needs labels \(int\), got float32"):
        ops.cross_entropy(logits, logits, ignore_index=1)
    with pytest.raises(ValueError, match="labels must be from 0 to 3, got 0 to 7"):
        ops.cross_entropy(logits, np.array([0, 7, 255]), ignore_index=255)
    with pytest.raises(ValueError, match=r"pos_weight \(3,\) does not fit logits \(3, 4\)"):
        ops.binary_cross_entropy(logits, logits, pos_weight=[1, 2, 3])
    with pytest.raises(TypeError, match="class_weights gets no gradient"):
        ops.cross_entropy(logits, np.array([0, 1, 2]), class_weights=Tensor(np.ones(4), requires_grad=True))


INF = np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("logits", "targets", "value"), [
    ([[0, 1, -INF]], [0], np.log(1 + np.e)),                        # the class that cannot be is not the label
    ([[0, 1, -INF]], [[1, 0, 0]], np.log(1 + np.e)),
    ([[0, 1, -INF]], [2], INF),
    ([[0, 1, -INF]], [[0.5, 0, 0.5]], INF),
    ([[0, -INF, -INF]], [0], 0),
    ([[-INF, -INF, -INF]], [0], np.nan),
    ([[0, np.nan, 0]], [0], np.nan),
    ([[0, np.nan, -INF]], [2], np.nan),
    ([[0, INF, 0]], [1], np.nan),
])
def test_cross_entropy_of_what_is_not_finite(logits, targets, value, dtype, device):
    logits = Tensor(Tensor(np.array(logits, dtype)).to(device), requires_grad=True)
    targets = np.array(targets)
    targets = Tensor(targets.astype(dtype) if targets.ndim == 2 else targets).to(device)
    with np.errstate(all="ignore"):
        loss = ops.cross_entropy(logits, targets)
        gradient = grad(loss, [logits])[0]
    np.testing.assert_allclose(loss.numpy(), value, rtol=1e-6)
    if np.isfinite(value):
        p = np.exp(logits.numpy())
        one_hot = np.eye(3)[[0]]
        np.testing.assert_allclose(Tensor(gradient).numpy(), p / p.sum() - one_hot, atol=1e-6)


@pytest.mark.parametrize(("student", "teacher", "value"), [
    ([0, 1, -INF], [0, 1, -INF], 0),
    ([0, 1, 2], [0, -INF, -INF], np.log(1 + np.e + np.e ** 2)),
    ([0, 1, -INF], [0, 0, 0], INF),
    ([0, 1, -INF], [np.nan, 0, 0], np.nan),
    ([np.nan, 1, -INF], [0, 0, -INF], np.nan),
])
def test_kl_divergence_of_what_is_not_finite(student, teacher, value, device):
    tensors = [Tensor(Tensor(np.array([row], np.float64)).to(device), requires_grad=True) for row in (student, teacher)]
    with np.errstate(all="ignore"):
        loss = ops.kl_divergence(*tensors)
        gradients = grad(loss, tensors)
    np.testing.assert_allclose(loss.numpy(), value, atol=1e-12)
    if np.isfinite(value):
        assert all(np.isfinite(Tensor(g).numpy()).all() for g in gradients)


@pytest.mark.parametrize(("logit", "target", "value"), [
    (INF, 1, 0), (-INF, 0, 0), (INF, 0, INF), (-INF, 1, INF), (INF, 0.5, INF), (np.nan, 0, np.nan), (np.nan, 1, np.nan),
    (1e30, 1, 0), (-1e30, 1, 1e30), (100, 1, np.exp(-100))])
@pytest.mark.parametrize("weight", [None, 1.0])
def test_binary_cross_entropy_of_what_is_not_finite(logit, target, value, weight):
    with np.errstate(all="ignore"):
        loss = ops.binary_cross_entropy(np.array([float(logit)]), np.array([float(target)]), pos_weight=weight)
    np.testing.assert_allclose(loss.numpy(), value, rtol=1e-12)


def test_integers_and_bool_are_targets():
    x, t = np.array([0.5, 200.0, 3.0], np.float32), np.array([0, 255, 1])
    for dtype in (np.uint8, np.int64, np.int16):
        assert ops.mse(x, t.astype(dtype)).dtype == np.float32
        np.testing.assert_allclose(ops.mse(x, t.astype(dtype)).item(), np.mean((x - t) ** 2.0), rtol=1e-6)
        np.testing.assert_allclose(ops.l1(x, t.astype(dtype)).item(), np.abs(x - t).mean(), rtol=1e-6)
    for loss in (ops.binary_cross_entropy, ops.cross_entropy):
        logits = Tensor(x, requires_grad=True)
        given = loss(logits, np.array([False, True, False]))
        np.testing.assert_allclose(given.item(), loss(x, np.array([0, 1, 0], np.float32)).item())
        assert grad(given, [logits])[0].dtype == np.float32


def test_where_every_label_is_ignored_the_mean_is_nan_and_the_sum_0():
    logits, labels = np.zeros((3, 4), np.float32), np.full(3, 255)
    assert np.isnan(ops.cross_entropy(logits, labels, ignore_index=255).item())
    assert ops.cross_entropy(logits, labels, ignore_index=255, reduction="sum").item() == 0


def test_an_ignored_label_may_be_any_integer():
    logits = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    expected = ops.cross_entropy(logits[:2], np.array([0, 2])).item()
    for ignored, dtype in ((-100, np.int64), (255, np.uint8), (-1, np.int8)):
        labels = np.array([0, 2, ignored, ignored]).astype(dtype)
        np.testing.assert_allclose(ops.cross_entropy(logits, labels, ignore_index=ignored).item(), expected, rtol=1e-6)
