"""One row per operation: what every test of an operation has in common.

To test a new operation, write tests/ops/test_<family>.py:

    from minivit import ops
    from tests.ops.cases import Case, check, positive

    CASES = [
        Case(ops.exp, (3, 4), numpy=np.exp),
        Case(ops.log, positive(3, 4), numpy=np.log),
        Case(ops.softmax, (2, 5), axis=-1, torch=lambda torch, x: torch.softmax(x, -1)),
        Case(ops.take, (5, 3), integers(5, 2, 2), numpy=lambda x, i: x[i]),
    ]

    def test_op(case, device):
        check(case, device)

A row is the operation, its positional arguments (a shape stands for normally distributed numbers; positive, distinct,
integers, booleans draw others; None and numbers are passed on), its settings by name, and something independent to
compare with: `numpy`, a function of NumPy arrays and the settings (so scipy, too), whose value is compared, or `torch`,
a function of the torch module and of torch tensors, without the settings, whose value and gradients are compared, last
of all (where torch is missing, the test counts as skipped, but everything else was checked).
`check` then tests, on the CPU:

- the value in float64, against the independent one;
- the gradient, against difference quotients along a random direction, and against torch's;
- that float32 comes back as float32, also in the gradients, and that no argument was written to;
- that the pullback does not write to dy, accepts any strides, and gives each argument memory of its own;

and on another device, that value and gradients are those of the CPU.
"""

import zlib

import numpy as np
import pytest

from minivit import Tensor, grad, gradcheck
from minivit.backend import asnumpy, to_device


class Case:
    """A row: an operation, its arguments and settings, and what it should give."""

    def __init__(self, function, *arguments, numpy=None, torch=None, tolerance=1e-7, name=None, **settings):
        assert numpy or torch, "a row needs something to compare with"
        self.function, self.arguments, self.settings = function, arguments, settings
        self.numpy, self.torch, self.tolerance = numpy, torch, tolerance
        self.name = name or function.__name__

    def __str__(self):
        shapes = [getattr(a, "label", str(a)).replace(" ", "") for a in self.arguments]
        return "-".join([self.name, *shapes, *(f"{k}={v}" for k, v in self.settings.items())]).replace(" ", "")

    def rng(self, what="weights"):
        """A generator seeded by the name of the row; arguments must not be drawn alike to weights of the output."""
        seed = zlib.crc32(str(self).encode())
        return np.random.default_rng(seed if what == "arguments" else [seed, 1])

    def draw(self):
        """The arguments, floating-point arrays in float64."""
        rng = self.rng("arguments")
        return [a(rng) if callable(a) else rng.standard_normal(a) if isinstance(a, tuple) else a
                for a in self.arguments]


def _drawn(label, draw):
    draw.label = label
    return draw


def positive(*shape):
    """Numbers between 0.5 and 2."""
    return _drawn(f"positive{shape}", lambda rng: rng.uniform(0.5, 2, shape))


def distinct(*shape):
    """Numbers that differ by 0.1 at least, in random order: no maximum changes when they are moved a little."""
    return _drawn(f"distinct{shape}",
                  lambda rng: (0.1 * rng.permutation(int(np.prod(shape))) - 0.73).reshape(shape))


def integers(high, *shape):
    """Integers from 0 to high - 1."""
    return _drawn(f"integers{shape}", lambda rng: rng.integers(0, high, shape))


def booleans(*shape):
    """True or False."""
    return _drawn(f"booleans{shape}", lambda rng: rng.random(shape) < 0.6)


def check(case, device="cpu"):
    """Test a row; see the top of the file."""
    _check_float32(case, device)
    if device != "cpu":
        for on_device, on_host in zip(_run(case, device), _run(case), strict=True):
            np.testing.assert_allclose(on_device, on_host, rtol=1e-9, atol=1e-11)
        return
    if _is_differentiable(case):
        gradcheck(case.function, *case.draw(), rng=case.rng(), tolerance=case.tolerance, **case.settings)
        _check_pullback(case)
    if case.numpy:
        expected = case.numpy(*case.draw(), **case.settings)
        value = _run(case)[0]
        assert value.shape == np.shape(expected)
        np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-12)
    if case.torch:
        _check_against_torch(case, pytest.importorskip("torch"))


def _is_float(a):
    return isinstance(a, np.ndarray) and a.dtype.kind == "f"


def _is_differentiable(case):
    arguments = [Tensor(a) if _is_float(a) else a for a in case.draw()]
    return case.function(*arguments, **case.settings).dtype.kind == "f" and any(map(_is_float, case.draw()))


def _run(case, device="cpu", dtype=np.float64, transposed=False):
    """The value, then the gradients of a weighted sum of it with respect to the floating-point arguments."""
    arrays = [a.astype(dtype) if _is_float(a) else a for a in case.draw()]
    arguments, leaves = [], []
    for array in arrays:
        argument = to_device(array, device) if isinstance(array, np.ndarray) else array
        if _is_float(array):
            leaves.append(Tensor(argument.T if transposed else argument, requires_grad=True))
            argument = leaves[-1].T if transposed else leaves[-1]  # transposed: the same values, not contiguous
        arguments.append(argument)
    value = case.function(*arguments, **case.settings)
    assert value.device == device
    gradients = []
    if value.requires_grad:
        weights = to_device(case.rng().standard_normal(value.shape).astype(dtype), device)
        gradients = [g.T if transposed else g for g in grad((value * weights).sum(), leaves)]
    for before, after in zip(arrays, arguments, strict=True):
        if isinstance(before, np.ndarray):
            after = after.numpy() if isinstance(after, Tensor) else asnumpy(after)
            np.testing.assert_array_equal(after, before, err_msg="an argument was written to")
    return [value.numpy(), *map(asnumpy, gradients)]


def _check_against_torch(case, torch):
    arguments = [torch.tensor(a, requires_grad=_is_float(a)) if isinstance(a, np.ndarray) else a for a in case.draw()]
    leaves = [a for a in arguments if torch.is_tensor(a) and a.requires_grad]
    value = case.torch(torch, *arguments)
    expected = [value.detach()]
    if value.requires_grad:
        value.backward(torch.tensor(case.rng().standard_normal(tuple(value.shape))))
        expected += [torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for leaf in leaves]
    for ours, theirs in zip(_run(case), expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-9, atol=1e-11)


def _check_float32(case, device):
    for transposed in (False, True):
        for single, double in zip(_run(case, device, np.float32, transposed), _run(case, device), strict=True):
            assert single.dtype == (np.float32 if double.dtype == np.float64 else double.dtype)
            np.testing.assert_allclose(single, double, rtol=1e-3, atol=1e-3 * (1 + np.abs(double).max(initial=0)))


def _check_pullback(case):
    arguments = [Tensor(a, requires_grad=True) if _is_float(a) else a for a in case.draw()]
    leaves = [a for a in arguments if isinstance(a, Tensor)]
    value = case.function(*arguments, **case.settings)
    dy = np.broadcast_to(1.0, value.shape)  # may not be written to, and has strides of 0
    gradients = value.node.backward(dy)
    gradients = gradients if isinstance(gradients, tuple) else (gradients,)
    gradients = [gradients[position] for position, _, _ in value.node.arguments]
    gradients = [g() if callable(g) else g for g in gradients]
    for i, first in enumerate(gradients):
        for second in gradients[:i]:
            assert not np.may_share_memory(first, second) or np.may_share_memory(first, dy), "gradients share memory"
    summed = grad(case.function(*arguments, **case.settings).sum(), leaves)
    weighted = grad((case.function(*arguments, **case.settings) * np.ones(value.shape)).sum(), leaves)
    for a, b in zip(summed, weighted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
