"""What every operation does with other arguments than ordinary float arrays: integers, float16, nothing at all."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from minivit.ops import checks

LABELS = np.array([0, 2, 1, 1])
OF_CLASSES = dict(cross_entropy=lambda x: ops.cross_entropy(x, LABELS[:len(x)]),
                  kl_divergence=ops.kl_divergence, binary_cross_entropy=lambda x, t: ops.binary_cross_entropy(x, t > 0),
                  mse=ops.mse, l1=ops.l1, smooth_l1=ops.smooth_l1)
ELEMENTWISE = ["relu", "relu6", "leaky_relu", "elu", "sigmoid", "hardsigmoid", "silu", "hardswish", "mish", "softplus",
               "gelu", "gelu_tanh", "quick_gelu"]


def noisy(operation):
    return lambda x: operation(x, rate=0.5, rng=np.random.default_rng(0))


# name: (a function of arrays, their shapes, how many of them have a batch for their first axis)
OPERATIONS = {name: (getattr(ops, name), [(4, 5)], 1) for name in ELEMENTWISE} | {
    "glu": (ops.glu, [(4, 6)], 1),
    "dropout": (noisy(ops.dropout), [(4, 5)], 1),
    "drop_path": (noisy(ops.drop_path), [(4, 5)], 1),
    "l2_normalise": (ops.l2_normalise, [(4, 5)], 1),
    "layer_norm": (lambda *a: ops.layer_norm(*a, eps=1e-5), [(4, 5), (5,), (5,)], 1),
    "rms_norm": (lambda *a: ops.rms_norm(*a, eps=1e-5), [(4, 5), (5,)], 1),
    "group_norm": (lambda *a: ops.group_norm(*a, groups=2, eps=1e-5), [(2, 3, 3, 6), (6,), (6,)], 1),
    "batch_norm": (lambda *a: ops.batch_norm(*a, eps=1e-5), [(2, 3, 3, 6), (6,), (6,)], 1),
    "batch_norm by averages": (lambda x, mean: ops.batch_norm(x, None, None, mean, ops.abs(mean) + 1, eps=1e-5),
                               [(2, 3, 3, 6), (6,)], 1),
    "conv2d": (lambda *a: ops.conv2d(*a, padding=1), [(2, 5, 5, 3), (3, 3, 3, 4), (4,)], 1),
    "conv2d by Winograd": (lambda *a: ops.conv2d(*a, padding=1), [(2, 4, 4, 64), (3, 3, 64, 64)], 1),
    "conv2d depthwise": (lambda *a: ops.conv2d(*a, groups=4), [(2, 5, 5, 4), (3, 3, 1, 4)], 1),
    "conv2d depthwise, strided": (lambda *a: ops.conv2d(*a, groups=4, stride=2), [(2, 5, 5, 4), (3, 3, 1, 4)], 1),
    "conv2d strided": (lambda *a: ops.conv2d(*a, stride=2), [(2, 5, 5, 3), (3, 3, 3, 4)], 1),
    "avg_pool2d": (lambda x: ops.avg_pool2d(x, 2), [(2, 4, 6, 3)], 1),
    "adaptive_avg_pool2d": (lambda x: ops.adaptive_avg_pool2d(x, 3), [(2, 4, 6, 3)], 1),
    "max_pool2d": (lambda x: ops.max_pool2d(x, 3, stride=2, padding=1), [(2, 4, 6, 3)], 1),
    "resize": (lambda x: ops.resize(x, (5, 3)), [(2, 4, 6, 3)], 1),
    "resize to the nearest": (lambda x: ops.resize(x, (5, 3), mode="nearest"), [(2, 4, 6, 3)], 1),
    "unfold": (lambda x: ops.unfold(x, 2, padding=1), [(2, 4, 6, 3)], 1),
    "fold": (lambda x: ops.fold(x, (4, 6), 2, stride=2), [(2, 6, 12)], 1),
    "attention": (ops.attention, [(2, 3, 4, 5)] * 3, 3),
    "attention with a bias": (ops.attention, [(2, 3, 4, 5)] * 3 + [(3, 4, 4)], 3),
    "attention of long sequences": (ops.attention, [(2, 1, 20, 2)] * 3, 3),
    "self_attention": (lambda x: ops.self_attention(x, heads=2), [(2, 4, 12)], 1),
    "attention_weights": (ops.attention_weights, [(2, 3, 4, 5)] * 2, 2),
} | {name: (function, [(4, 3)] * (1 if name == "cross_entropy" else 2), 2) for name, function in OF_CLASSES.items()}

INTEGERS = ["int8", "uint8", "int32", "int64", "uint64", "bool"]
OF_ANY_DTYPE = {"max_pool2d", "resize to the nearest", "unfold"}
TARGETS = {"mse", "l1", "smooth_l1", "binary_cross_entropy"}  # the second argument may be integers


def arrays_of(name, rng, dtype=np.float64, scale=1.0):
    return [(scale * rng.standard_normal(shape)).astype(dtype) for shape in OPERATIONS[name][1]]


def computed(name, arrays):
    """The value and the gradients of a weighted sum of it."""
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    y = OPERATIONS[name][0](*tensors)
    weights = np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype)
    return [y.numpy(), *grad((y * weights).sum(), tensors)]


def test_the_table_is_complete():
    files = {f"minivit.ops.{name}" for name in (
        "losses", "activations", "gelu", "resize", "pooling", "conv", "unfold", "normalise", "batch_norm", "dropout",
        "attention")}
    public = {name for name, function in vars(ops).items() if getattr(function, "__module__", "") in files}
    assert public == {name.split()[0] for name in OPERATIONS}


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_integers_are_computed_right_or_refused_by_name(name, dtype, rng):
    function, shapes, _ = OPERATIONS[name]
    arrays = [rng.integers(0, 2 if dtype == "bool" else 100, shape).astype(dtype) for shape in shapes]
    if name in OF_ANY_DTYPE:
        y = function(*arrays)
        assert y.dtype == dtype
        np.testing.assert_array_equal(y.numpy(), function(*(a.astype(np.float64) for a in arrays)).numpy())
        return
    with pytest.raises(TypeError, match=f"^{name.split()[0]}: expected .* in floating-point numbers, got {dtype}"):
        function(*arrays)


@pytest.mark.parametrize("name", OPERATIONS)
def test_one_array_of_integers_among_floats_is_no_better(name, rng):
    function, shapes, _ = OPERATIONS[name]
    for place in range(1, len(shapes)):
        arrays = arrays_of(name, rng, np.float32)
        expected = [a.astype(np.float64) for a in arrays]
        arrays[place] = arrays[place].astype(np.int32)
        expected[place] = arrays[place].astype(np.float64)
        if name in TARGETS:
            y = function(*arrays)
            assert y.dtype == np.float32
            np.testing.assert_allclose(y.numpy(), function(*expected).numpy(), rtol=1e-5)
        else:
            with pytest.raises(TypeError, match=f"^{name.split()[0]}: expected .* floating-point numbers.*, got int32"):
                function(*arrays)


@pytest.mark.parametrize("scale", [1, 300])
@pytest.mark.parametrize("name", OPERATIONS)
def test_float16_is_float64_rounded(name, scale, rng):
    """Also of numbers whose squares float16 cannot hold."""
    arrays = arrays_of(name, rng, np.float16, scale)
    if name.startswith("conv2d"):
        arrays[1] = (arrays[1] / 8 / scale).astype(np.float16)
    if name in ("mse", "resize to the nearest") and scale > 1:
        arrays = [a / 8 for a in arrays]
    if name.startswith("attention") and scale > 1:
        arrays = [a / 100 for a in arrays]  # scores that differ by 100,000 leave no gradient
    with np.errstate(over="ignore"):
        exact, half = computed(name, [a.astype(np.float64) for a in arrays]), computed(name, arrays)
    for one, other in zip(half, exact, strict=True):
        assert one.dtype == np.float16
        np.testing.assert_allclose(one, other, rtol=4e-3, atol=4e-3 * (np.abs(other).max(initial=0) / 10 + 1e-4))


def test_float16_means_do_not_saturate():
    x = Tensor(np.ones((1, 300, 300, 1), np.float16), requires_grad=True)
    y = ops.adaptive_avg_pool2d(x, 1)
    assert y.item() == 1
    np.testing.assert_allclose(grad(y.sum(), [x])[0], 1 / 90_000, rtol=5e-3)
    for operation in (lambda x: ops.layer_norm(x, eps=0), lambda x: ops.rms_norm(x, eps=0), ops.l2_normalise):
        row = np.tile([-300, 300], 5000).astype(np.float16)[None]
        expected = 0.01 if operation is ops.l2_normalise else 1
        np.testing.assert_allclose(np.abs(operation(row).numpy()), expected, rtol=1e-3)
    logits = Tensor(np.zeros((70_000, 2), np.float16), requires_grad=True)
    loss = ops.cross_entropy(logits, np.zeros(70_000, int))
    np.testing.assert_allclose(loss.item(), np.log(2), rtol=1e-3)
    np.testing.assert_allclose(grad(loss, [logits])[0][:, 1], 0.5 / 70_000, rtol=1e-2)


def test_float16_with_float32_is_refused(rng):
    x = rng.standard_normal((2, 5, 5, 3)).astype(np.float16)
    with pytest.raises(TypeError, match="conv2d: arguments of dtype float16, float32"):
        ops.conv2d(x, rng.standard_normal((3, 3, 3, 4)).astype(np.float32))


@pytest.mark.parametrize("name", [name for name in OPERATIONS if name != "batch_norm"])
def test_an_empty_batch_gives_an_empty_result_and_gradients(name, rng, device):
    if device != "cpu" and name in ("dropout", "drop_path", "cross_entropy"):
        pytest.skip("their rows of the table draw and label on the CPU")
    function, shapes, batched = OPERATIONS[name]
    full = function(*arrays_of(name, rng, np.float32))
    arrays = [np.zeros((0, *shape[1:]) if place < batched else shape, np.float32) for place, shape in enumerate(shapes)]
    with np.errstate(all="raise"):
        tensors = [Tensor(Tensor(array).to(device), requires_grad=True) for array in arrays]
        y = function(*tensors)
        gradients = grad(y.sum(), tensors)
    assert y.dtype == np.float32
    assert y.shape == ((0, *full.shape[1:]) if full.ndim else ())
    if not full.ndim:
        assert np.isnan(y.item())  # the mean of nothing, as in PyTorch
    for gradient, array in zip(gradients, arrays, strict=True):
        assert gradient.shape == array.shape
        assert gradient.size == 0 or (Tensor(gradient).numpy() == 0).all()


@pytest.mark.parametrize("axis", [1, 2])
def test_attention_over_no_keys_and_of_no_queries(axis, rng):
    q, k, v = (Tensor(np.ones(shape), requires_grad=True) for shape in (
        [(2, 3, 4, 5), (2, 3, 0, 5), (2, 3, 0, 6)] if axis == 1 else [(2, 3, 0, 5), (2, 3, 4, 5), (2, 3, 4, 6)]))
    y = ops.attention(q, k, v)
    assert y.shape == (2, 3, q.shape[2], 6)
    assert (y.numpy() == 0).all()
    assert all((g == 0).all() for g in grad(y.sum(), [q, k, v]))


@pytest.mark.parametrize("name", ELEMENTWISE + ["dropout", "mse", "l1", "smooth_l1", "binary_cross_entropy"])
def test_a_number_without_axes(name, rng, device):
    if device != "cpu" and name == "dropout":
        pytest.skip("its row of the table draws on the CPU")
    function, shapes, _ = OPERATIONS[name]
    for value in (0.3, -0.7):
        expected = function(*[np.full(1, value)] * len(shapes)).numpy().reshape(())
        tensors = [Tensor(Tensor(np.array(value)).to(device), requires_grad=True) for _ in shapes]
        y = function(*tensors)
        assert y.shape == ()
        np.testing.assert_allclose(y.numpy(), expected, rtol=1e-12)
        assert all(gradient.shape == () for gradient in grad(y, tensors))


@pytest.mark.parametrize("given", [None, "x", {"x": 1.0}])
@pytest.mark.parametrize("name", [name for name in OPERATIONS if name not in (
    "attention_weights", "cross_entropy", "binary_cross_entropy", "batch_norm by averages")])
def test_what_is_no_array_is_refused(name, given):
    function, shapes, _ = OPERATIONS[name]
    with pytest.raises((TypeError, ValueError), match=f"^{name.split()[0]}: expected"):
        function(*[given] * len(shapes))


def test_lists_in_losses_say_what_to_do():
    with pytest.raises((TypeError, ValueError), match="cross_entropy: expected"):
        ops.cross_entropy([1.0, 2.0], np.array(1))
    with pytest.raises((TypeError, ValueError), match="cross_entropy: expected targets|need labels"):
        ops.cross_entropy(np.zeros((2, 3), np.float32), [0, 1, 2])
    with pytest.raises((TypeError, ValueError), match="mse: expected"):
        ops.mse(np.zeros(3, np.float32), [1.0, 2.0])


KERNEL = np.ones((3, 3, 3, 4), np.float32)


@pytest.mark.parametrize(("call", "message"), [
    (lambda x: ops.conv2d(x, KERNEL, stride=(2,)), r"conv2d: stride: expected one .* \(2,\)"),
    (lambda x: ops.conv2d(x, KERNEL, stride=1.5), "conv2d: stride: expected whole numbers, got 1.5"),
    (lambda x: ops.conv2d(x, KERNEL, stride=None), "conv2d: stride: expected whole numbers, got None"),
    (lambda x: ops.conv2d(x, KERNEL, padding="full"), "conv2d: padding: expected .* got 'full'"),
    (lambda x: ops.conv2d(x, KERNEL, padding=(1, 2, 3)), r"conv2d: padding: .* \(1, 2, 3\)"),
    (lambda x: ops.conv2d(x, KERNEL, groups=0), "conv2d: groups must be at least 1, got 0"),
    (lambda x: ops.conv2d(x, KERNEL, groups=1.0), "conv2d: expected groups as a whole number, got 1.0"),
    (lambda x: ops.conv2d(x, KERNEL, stride=0, padding="same"), "stride 0 .* at least 1"),
    (lambda x: ops.max_pool2d(x, (2, 2, 2)), r"max_pool2d: kernel: expected one .* \(2, 2, 2\)"),
    (lambda x: ops.avg_pool2d(x, 2.0), "avg_pool2d: kernel: expected whole numbers, got 2.0"),
    (lambda x: ops.resize(x, 2.5), "resize: size: expected whole numbers, got 2.5"),
    (lambda x: ops.adaptive_avg_pool2d(x, "3"), "adaptive_avg_pool2d: size: expected whole numbers, got '3'"),
    (lambda x: ops.unfold(x, 2, stride=[1, 2, 3]), r"unfold: stride: expected one .* \[1, 2, 3\]"),
    (lambda x: ops.fold(x[0], (4,), 2), r"fold: image: expected one .* \(4,\)"),
    (lambda x: ops.group_norm(x, groups=0, eps=1e-5), "group_norm: groups must be at least 1, got 0"),
    (lambda x: ops.self_attention(x[0], heads=0), "self_attention: heads must be at least 1, got 0"),
    (lambda x: ops.self_attention(x, heads=1), r"self_attention: expected qkv \(B, N, 3 H d\), got \(1, 6, 6, 3\)"),
    (lambda x: ops.attention(x[0], x[0], x[0]), r"attention: expected queries, keys and values .* got \(6, 6, 3\)"),
    (lambda x: ops.attention(x, x, x, dropout=1.5, rng=np.random.default_rng(0)), "attention: dropout must be .* 1.5"),
    (lambda x: ops.attention(x, x, x, dropout=0.5), "attention: expected rng as a random Generator .*NoneType"),
    (lambda x: ops.dropout(x, rate=0.5, rng=np.random.RandomState(0)), "dropout: expected rng .*RandomState"),
    (lambda x: ops.dropout(x, rate=np.nan, rng=np.random.default_rng(0)), "dropout: rate must be .* got nan"),
    (lambda x: ops.drop_path(x, rate=1, rng=np.random.default_rng(0)), "drop_path: rate must be .* got 1"),
    (lambda x: ops.glu(x), r"glu: expected an axis of x \(1, 6, 6, 3\) of even length, got axis -1"),
    (lambda x: ops.glu(x, axis=5), r"glu: expected an axis .* got axis 5"),
    (lambda x: ops.l2_normalise(x, axis=4), "l2_normalise: axis 4 is out of bounds"),
    (lambda x: ops.layer_norm(x[0, 0, 0, 0], eps=0), r"layer_norm: expected x with at least 1 axes, got \(\)"),
    (lambda x: ops.group_norm(x[0, 0, 0], groups=1, eps=0), "group_norm: expected x with at least 2 axes"),
    (lambda x: ops.batch_norm(x[0, 0, 0], eps=0), r"batch_norm: expected x \(B, ..., C\)"),
    (lambda x: ops.batch_norm(x, None, None, np.ones(3, np.float32), eps=0), "batch_norm: .* both or neither"),
    (lambda x: ops.layer_norm(x, eps=-1.0), "layer_norm: eps must be at least 0, got -1.0"),
])
def test_wrong_settings_are_refused_with_name_and_value(call, message):
    with pytest.raises((TypeError, ValueError, IndexError), match=message):
        call(Tensor(np.ones((1, 6, 6, 3), np.float32)))


@pytest.mark.parametrize("integer", [np.int64, np.uint8, np.int32])
def test_integers_of_numpy_are_settings(integer, rng):
    x, w = rng.standard_normal((1, 8, 8, 4)), rng.standard_normal((3, 3, 2, 4))
    one, two, three = integer(1), integer(2), integer(3)
    for ours, plain in [
            (ops.conv2d(x, w, stride=two, padding=one, groups=two), ops.conv2d(x, w, stride=2, padding=1, groups=2)),
            (ops.conv2d(x, w, stride=np.array([1, 2]), dilation=[two, one], padding=((one, 0), (0, two)), groups=2),
             ops.conv2d(x, w, stride=(1, 2), dilation=(2, 1), padding=((1, 0), (0, 2)), groups=2)),
            (ops.max_pool2d(x, three, stride=two, padding=one), ops.max_pool2d(x, 3, stride=2, padding=1)),
            (ops.avg_pool2d(x, two), ops.avg_pool2d(x, 2)), (ops.resize(x, three), ops.resize(x, 3)),
            (ops.adaptive_avg_pool2d(x, (three, two)), ops.adaptive_avg_pool2d(x, (3, 2))),
            (ops.unfold(x, two, stride=two), ops.unfold(x, 2, stride=2)),
            (ops.fold(x[0].reshape(1, 4, 64), (integer(4), 4), two, stride=two), ops.fold(
                x[0].reshape(1, 4, 64), 4, 2, stride=2)),
            (ops.group_norm(x, groups=two, eps=1e-5), ops.group_norm(x, groups=2, eps=1e-5)),
            (ops.self_attention(x[0, :, :, :3], heads=one), ops.self_attention(x[0, :, :, :3], heads=1))]:
        np.testing.assert_array_equal(ours.numpy(), plain.numpy())


def test_constants_of_losses_get_no_gradient_by_mistake():
    assert checks.constant("loss", "weights", None) is None
    np.testing.assert_array_equal(checks.constant("loss", "weights", Tensor([1.0, 2.0])), [1, 2])
    with pytest.raises(TypeError, match="loss: weights gets no gradient"):
        checks.constant("loss", "weights", Tensor([1.0], requires_grad=True))
