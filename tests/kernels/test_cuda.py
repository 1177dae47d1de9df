"""Fast forms for GPUs: equal to the definitions; run on a GPU where there is one, else thread by thread on the CPU."""

import importlib
import shutil
import subprocess

import numpy as np
import pytest

import minivit
from minivit import Tensor, grad, ops
from minivit.backend import asnumpy, to_device
from minivit.kernels import cuda
from minivit.kernels.cuda.launch import Kernels
from minivit.train.optim import AdamW
from tests.kernels.comparison import assert_close, definition, draw

SHAPES = [(1, 1), (3, 1), (1, 7), (5, 33), (2, 3, 64), (70, 65), (3, 1025), (0, 5)]
OF_BATCH_NORM = {"affine", "centred_sums", "gradient_sums", "through_batch_norm"}
FAST_FORMS = [name for name in vars(cuda) if callable(getattr(cuda, name))]


@pytest.fixture
def calls(monkeypatch):
    """The names of the fast forms that were called."""
    calls = []
    for name in FAST_FORMS:
        monkeypatch.setattr(cuda, name, noted(getattr(cuda, name), calls))
    return calls


def noted(fast, calls):
    def run(*arrays, **settings):
        calls.append(fast.__name__)
        return fast(*arrays, **settings)
    return run


def on_device(xp, *arrays):
    return [None if array is None else xp.asarray(array) for array in arrays]


def assert_all_close(ours, expected, tolerance):
    for one, other in zip(ours, expected, strict=True):
        assert_close(one.get(), other, tolerance)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("has_weight", [True, False])
def test_layer_norm(xp, rng, shape, has_weight):
    x, dy = 2 + 3 * draw(rng, *shape), draw(rng, *shape)
    weight, bias = draw(rng, 2, shape[-1]) if has_weight else (None, None)
    expected, expected_backward = definition("ops.normalise", "layer_norm")(x, weight, bias, eps=1e-5)
    y, backward = cuda.layer_norm(*on_device(xp, x, weight, bias), eps=1e-5)
    assert_close(y.get(), expected)
    assert_all_close(backward(xp.asarray(dy)), expected_backward(dy), 5e-6)


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 7), (70, 65), (9000, 3), (0, 5)])
def test_the_walks_of_batch_normalisation(xp, rng, shape):
    rows, dy, columns = 2 + 3 * draw(rng, *shape), draw(rng, *shape), draw(rng, 4, shape[1])
    for name, arrays in (("affine", (rows, *columns[:2])), ("centred_sums", (rows, 2 + columns[0])),
                         ("gradient_sums", (rows, dy, columns[0])), ("through_batch_norm", (rows, dy, *columns))):
        result = getattr(cuda, name)(*on_device(xp, *arrays))
        assert_close(result.get(), definition("ops.batch_norm", name)(*arrays), 3e-6)
        transposed = [array.T for array in on_device(xp, *(array.T for array in arrays))]
        np.testing.assert_array_equal(getattr(cuda, name)(*transposed).get(), result.get())


def test_batch_normalisation(xp, rng, calls):
    x, weight, bias = draw(rng, 4, 3, 3, 5), draw(rng, 5), draw(rng, 5)
    results = []
    for device in ("cpu", "cuda"):
        tensors = [Tensor(to_device(array, device), requires_grad=True) for array in (x, weight, bias)]
        y = ops.batch_norm(*tensors, eps=1e-5)
        results.append([asnumpy(array) for array in (y.data, *grad((y * y * y).sum(), tensors))])
    assert set(calls) == OF_BATCH_NORM
    for expected, ours in zip(*results, strict=True):
        assert_close(ours, expected, 1e-5)


@pytest.mark.parametrize("shape", [(), (1,), (3, 1025), (0, 5)])
def test_gelu(xp, rng, shape):
    x = 3 * draw(rng, *shape)
    expected = definition("ops.gelu", "gelu_and_slope")(x)
    assert_all_close(cuda.gelu_and_slope(xp.asarray(x)), expected, 1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_softmax(xp, rng, shape):
    x, dy = 5 * draw(rng, *shape), draw(rng, *shape)
    x[:1, ..., :1] = -np.inf
    x[-1:] = -np.inf
    for axis in range(-len(shape), 0) if len(x) else [-1]:
        expected, expected_backward = definition("ops.softmax", "softmax")(x, axis=axis)
        y, backward = cuda.softmax(xp.asarray(x), axis=axis)
        assert_close(y.get(), expected)
        assert_close(backward(xp.asarray(dy)).get(), expected_backward(dy))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 5, 7), (1, 2, 3, 1025), (2, 2, 33, 40)])
def test_scores_of_attention(xp, rng, shape):
    s, v, dout = 5 * draw(rng, *shape), draw(rng, *shape[:2], shape[3], 6), draw(rng, *shape[:3], 6)
    s[..., 0] = -np.inf
    p, ds = s.copy(), dout @ v.swapaxes(-1, -2)
    p_on_device, ds_on_device = on_device(xp, p, ds)
    log_sum = definition("ops.attention", "scores_to_probabilities")(p)
    assert_close(cuda.scores_to_probabilities(p_on_device).get(), log_sum)
    assert_close(p_on_device.get(), p)
    definition("ops.attention", "scores_gradient")(ds, p, dout, p @ v)
    cuda.scores_gradient(ds_on_device, p_on_device, *on_device(xp, dout, p @ v))
    assert_close(ds_on_device.get(), ds)


@pytest.mark.parametrize("d", [1, 16])  # P is computed once more in the backward pass; P is kept
def test_attention_with_a_mask(xp, rng, calls, d):
    arrays, mask, results = draw(rng, 3, 1, 2, 9, d), rng.integers(2, size=(9, 9)) > 0, []
    mask[4] = False
    for device in ("cpu", "cuda"):
        q, k, v = (Tensor(to_device(array, device), requires_grad=True) for array in arrays)
        out = ops.attention(q, k, v, to_device(mask, device))
        results.append([asnumpy(array) for array in (out.data, *grad((out * out).sum(), [q, k, v]))])
    assert calls == ["scores_to_probabilities", "scores_gradient"]
    for expected, ours in zip(*results, strict=True):
        assert_close(ours, expected, 5e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_cross_entropy(xp, rng, shape):
    logits, targets = 5 * draw(rng, *shape), rng.uniform(0, 1, shape).astype(np.float32)
    expected, *expected_gradients = definition("ops.losses", "cross_entropy_of_rows")(logits, targets)
    losses, *gradients = cuda.cross_entropy_of_rows(*on_device(xp, logits, targets))
    assert_close(losses.get(), expected)
    assert_all_close([g() for g in gradients], [g() for g in expected_gradients], 2e-6)


@pytest.mark.parametrize("row", [[0, 1, -np.inf, 2], [0, np.nan, 1, -np.inf], [np.nan] * 4, [-np.inf] * 4,
                                 [0, -np.inf, -np.inf, -np.inf]])
def test_what_is_not_finite(xp, row):
    """-inf where the target is 0 costs nothing; NaN stays NaN, and no guard for rows of -inf makes a number of it."""
    logits, targets = np.array([row, [0, 1, 2, 3]], np.float32), np.array([[1, 0, 0, 0], [0, 0.5, 0.5, 0]], np.float32)
    with np.errstate(all="ignore"):
        expected, gradient, _ = definition("ops.losses", "cross_entropy_of_rows")(logits, targets)
        losses, gradient_on_device, _ = cuda.cross_entropy_of_rows(*on_device(xp, logits, targets))
        np.testing.assert_allclose(losses.get(), expected, rtol=1e-6)
        np.testing.assert_allclose(gradient_on_device().get(), gradient(), atol=1e-6)
        scores = xp.asarray(logits[None, None].copy())
        cuda.scores_to_probabilities(scores)
        p = cuda.softmax(xp.asarray(logits), axis=-1)[0].get()
    np.testing.assert_array_equal(np.isnan(p).any(-1), [np.isnan(row).any(), False])
    np.testing.assert_array_equal(np.isnan(p).all(-1), [np.isnan(row).any(), False])
    np.testing.assert_array_equal(scores.get()[0, 0], p)


def test_the_loss_takes_the_kernel_with_smoothing_weights_and_ignored_labels(xp, rng, calls):
    logits, labels, results = draw(rng, 6, 5), np.array([0, 4, 255, 1, 2, 255]), []
    for device in ("cpu", "cuda"):
        x = Tensor(to_device(logits, device), requires_grad=True)
        loss = ops.cross_entropy(x, to_device(labels, device), label_smoothing=0.1, ignore_index=255,
                                 class_weights=[1, 2, 0.5, 3, 1])
        results.append([asnumpy(loss.data), asnumpy(grad(loss, [x])[0])])
    assert calls == ["cross_entropy_of_rows"]
    for expected, ours in zip(*results, strict=True):
        assert_close(ours, expected)


@pytest.mark.parametrize("shape", [(), (7,), (33, 40), (0, 5)])
def test_adamw(xp, rng, shape):
    ours = [*(draw(rng, *shape) for _ in range(3)), np.asarray(np.abs(draw(rng, *shape)))]
    theirs = on_device(xp, *ours)
    for steps in (1, 2, 1000):
        settings = {"lr": 1e-2, "steps": steps, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1}
        definition("train.optim.optimisers", "adamw")(*ours, **settings)
        cuda.adamw(*theirs, **settings)
    assert_all_close(theirs, ours, 2e-6)


def test_arrays_that_do_not_lie_row_after_row(xp, rng):
    arrays = [draw(rng, 2, 6, 5).T[..., 0], draw(rng, 5, 12)[:, ::2], draw(rng, 6, 5).T, np.abs(draw(rng, 6, 5)).T]
    theirs = [xp.asarray(array.T).T for array in arrays]
    x, dy = theirs[:2]
    y, backward = cuda.layer_norm(x, None, x[0], eps=1e-5)
    expected, expected_backward = definition("ops.normalise", "layer_norm")(arrays[0], None, arrays[0][0], eps=1e-5)
    assert_close(y.get(), expected)
    assert_all_close(backward(dy), expected_backward(arrays[1]), 5e-6)
    assert_close(cuda.gelu_and_slope(x)[0].get(), definition("ops.gelu", "gelu_and_slope")(arrays[0])[0])
    settings = {"lr": 1e-2, "steps": 3, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1}
    definition("train.optim.optimisers", "adamw")(*arrays, **settings)
    cuda.adamw(*theirs, **settings)
    assert_all_close(theirs, arrays, 2e-6)


def test_the_launcher_refuses_what_a_kernel_would_misread(xp):
    kernels = Kernels('extern "C" __global__ void nothing(const float* x, long long n) {}')
    kernels.on_elements("nothing", xp.ones((2, 3), np.float32))
    for array in (xp.ones((2, 3), np.float32).T, xp.ones(3)):
        with pytest.raises(ValueError, match="nothing: the kernel needs float32 arrays that lie row after row"):
            kernels.on_elements("nothing", array)


def test_float32_on_the_gpu_takes_the_fast_form_and_anything_else_the_definition(xp, rng, calls, monkeypatch):
    x = draw(rng, 3, 4)
    ops.layer_norm(Tensor(xp.asarray(x.astype(np.float64))), eps=1e-6)
    assert not calls
    ops.layer_norm(Tensor(x), eps=1e-6)
    assert not calls
    ops.layer_norm(Tensor(xp.asarray(x)), eps=1e-6)
    assert calls == ["layer_norm"]
    monkeypatch.setenv("MINIVIT_KERNELS", "0")
    ops.layer_norm(Tensor(xp.asarray(x)), eps=1e-6)
    assert calls == ["layer_norm"]


def train_two_steps(device, images, labels):
    """The losses and the weights of a small ViT."""
    model = minivit.create("vit", "cifar", seed=0, dim=24, depth=2, heads=3, image_size=8, patch_size=4).to(device)
    optimiser, losses = AdamW(model.parameters(), lr=1e-2, eps=1e-4), []  # a smaller eps would amplify roundings of 0
    images, labels = Tensor(to_device(images, device)), to_device(labels, device)
    for _ in range(2):
        loss = ops.cross_entropy(model(images), labels, label_smoothing=0.1)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    return losses, model.state_dict()


def test_training_is_the_cpus_with_every_fast_form_in_use(xp, rng, calls):
    images, labels = draw(rng, 3, 8, 8, 3), np.array([1, 0, 2])
    losses, weights = train_two_steps("cuda", images, labels)
    # The scores of attention, and all parameters together, have fast forms of their own.
    assert set(calls) == set(FAST_FORMS) - {"softmax", "adamw"} - OF_BATCH_NORM
    expected_losses, expected_weights = train_two_steps("cpu", images, labels)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-5)
    for name, weight in weights.items():
        np.testing.assert_allclose(weight, expected_weights[name], rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(shutil.which("nvcc") is None, reason="needs CUDA's compiler")
def test_cudas_compiler_takes_the_sources(tmp_path):
    files = []
    for name in ("adamw", "batch_norm", "cross_entropy", "gelu", "layer_norm", "softmax", "weighted_sums"):
        source = importlib.import_module(f"minivit.kernels.cuda.{name}").KERNELS.source
        files.append(tmp_path / f"{name}.cu")
        files[-1].write_text(source, encoding="utf-8")
    of_cupy = ["-ftz=true", "-std=c++17"]
    subprocess.run(["nvcc", "-arch=sm_90", "-ptx", *of_cupy, "-Werror", "all-warnings", *files], cwd=tmp_path,
                   check=True)
