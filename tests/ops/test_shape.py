"""Operations that move elements."""

import numpy as np
import pytest

from minivit import Tensor, grad, ops
from tests.ops.cases import Case, check


def joined(join, **settings):
    """concatenate and stack take a list."""
    def operation(*tensors):
        return join(list(tensors), **settings)
    operation.__name__ = f"{join.__name__}{settings}"
    return operation


def parts(sections, axis):
    """The parts of a split, each with another weight."""
    def split(x):
        pieces = ops.split(x, sections, axis)
        return ops.concatenate([piece * (i + 1) for i, piece in enumerate(pieces)], axis)
    return split


def weighted(x, lengths, axis):
    """What `parts` gives."""
    factors = np.repeat(np.arange(len(lengths)) + 1.0, lengths)
    return x * factors.reshape([-1 if a == axis else 1 for a in range(x.ndim)])


CASES = [
    *[Case(ops.reshape, (3, 4), shape=shape, numpy=lambda x, shape: x.reshape(shape))
      for shape in [(2, 6), (-1,), (4, -1), 12, (3, 2, 2)]],
    Case(ops.reshape, (), shape=(1, 1), numpy=lambda x, shape: x.reshape(shape)),
    Case(ops.reshape, (0, 4), shape=(2, 0), numpy=lambda x, shape: x.reshape(shape)),
    *[Case(ops.transpose, (2, 3, 4), axes=axes, numpy=np.transpose)
      for axes in [None, (0, 2, 1), (2, 0, 1), (-1, 0, 1), [1, 0, 2]]],
    Case(ops.transpose, (), numpy=np.transpose),
    Case(ops.swapaxes, (2, 3, 4), 0, -1, numpy=np.swapaxes),
    *[Case(ops.expand, (3, 1), shape=shape, numpy=np.broadcast_to) for shape in [(3, 4), (2, 3, 4), (3, 1)]],
    Case(ops.expand, (), shape=4, numpy=np.broadcast_to),
    *[Case(ops.flip, (2, 3, 4), axis=axis, numpy=np.flip) for axis in [None, 0, -1, (0, 2)]],
    *[Case(ops.roll, (2, 3, 4), shift=shift, axis=axis, numpy=np.roll)
      for shift, axis in [(1, 0), (-2, -1), ((1, -1), (1, 2)), (5, None)]],
    *[Case(ops.repeat, (2, 3), repeats=repeats, axis=axis, numpy=np.repeat)
      for repeats, axis in [(3, 0), (3, 1), (3, -1), (0, 0), ([2, 0, 1], 1), ([1, 2], 0), ([4], 0)]],
    *[Case(ops.squeeze, (1, 3, 1, 2), axis=axis, numpy=np.squeeze) for axis in (None, 0, -2, (0, 2))],
    *[Case(ops.unsqueeze, (3, 2), axis=axis, numpy=np.expand_dims) for axis in (0, 1, 2, -1, (0, -1))],
    Case(ops.flip, (2, 3, 4), axis=[0, 2], numpy=lambda x, axis: np.flip(x, tuple(axis))),
    Case(ops.roll, (2, 3), shift=[1, 2], axis=[0, 1], numpy=np.roll),
    Case(ops.pad, (2, 3), widths=((1, 2), (0, 3)), numpy=lambda x, widths: np.pad(x, widths)),
    Case(ops.pad, (2, 3), widths=((1, 0), (0, 0)), value=-1.5,
         numpy=lambda x, widths, value: np.pad(x, widths, constant_values=value)),
    *[Case(ops.pad, (2, 4, 3), widths=((0, 0), (3, 2), (1, 0)), mode=mode,
           numpy=lambda x, widths, mode: np.pad(x, widths, mode)) for mode in ("reflect", "symmetric", "edge", "wrap")],
    *[Case(ops.pad, (2, 4, 5), widths=((0, 0), (3, 2), (1, 4)), mode=ours, torch=lambda torch, x, theirs=theirs:
           torch.nn.functional.pad(x[None], (1, 4, 3, 2), mode=theirs)[0])
      for ours, theirs in [("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")]],
    Case(ops.pad, (2, 3), widths=((2, 3), (5, 4)), mode="wrap", numpy=lambda x, widths, mode: np.pad(x, widths, mode)),
    *[Case(joined(ops.concatenate, axis=axis), *shapes, numpy=lambda *x, axis=axis: np.concatenate(x, axis))
      for axis, shapes in [(0, [(2, 3), (1, 3)]), (1, [(2, 3), (2, 1), (2, 2)]), (-2, [(2, 3), (1, 3)])]],
    *[Case(joined(ops.stack, axis=axis), (2, 3), (2, 3), numpy=lambda *x, axis=axis: np.stack(x, axis))
      for axis in (0, 1, 2, -1)],
    Case(parts(3, 0), (6, 2), numpy=lambda x: weighted(x, [2, 2, 2], 0), name="split-3"),
    Case(parts([1, 3], -1), (2, 4), numpy=lambda x: weighted(x, [1, 3], 1), name="split-[1,3]"),
]


def test_op(case, device):
    check(case, device)


@pytest.mark.parametrize(("message", "compute"), [
    (r"reshape: \(2, 3\) has 6 elements and does not fit \(4, 2\)", lambda x: x.reshape(4, 2)),
    (r"reshape: \(2, 3\) has 6 elements and does not fit \(4, -1\)", lambda x: x.reshape(4, -1)),
    (r"reshape: \(2, 3\) has 6 elements and does not fit \(-1, -1\)", lambda x: x.reshape(-1, -1)),
    (r"transpose: axes \(0, 0\) are no permutation of the 2 axes of \(2, 3\)", lambda x: x.transpose(0, 0)),
    (r"expand: \(2, 3\) does not stretch to \(3,\)", lambda x: ops.expand(x, (3,))),
    (r"expand: \(2, 3\) does not stretch to \(4, 3\)", lambda x: ops.expand(x, (4, 3))),
    (r"concatenate: shapes \(2, 3\), \(2, 2\) may differ along axis 0 only", lambda x: ops.concatenate([x, x[:, :2]])),
    (r"concatenate: shapes \(2, 3\), \(3,\) may differ along axis 1 only", lambda x: ops.concatenate([x, x[0]], -1)),
    (r"stack: shapes \(2, 3\), \(3,\) differ", lambda x: ops.stack([x, x[0]])),
    (r"split: axis 1 of \(2, 3\) has length 3, which 2 parts do not make up", lambda x: x.split(2, 1)),
    (r"split: axis 0 of \(2, 3\) has length 2, which \[1, 2\] parts do not make up", lambda x: x.split([1, 2])),
    (r"pad: expected a pair of widths for each of the 2 axes of \(2, 3\)", lambda x: ops.pad(x, [(1, 1)])),
    (r"concatenate: expected at least one tensor", lambda x: ops.concatenate([])),
    (r"stack: expected at least one tensor", lambda x: ops.stack([])),
    (r"reshape: \(2, 3\) has 6 elements and does not fit \(-2, -3\)", lambda x: x.reshape(-2, -3)),
    (r"squeeze: axis 0 of \(2, 3\) has not length 1", lambda x: x.squeeze(0)),
    (r"transpose: axes \(0,\) are no permutation of the 2 axes", lambda x: x.transpose(0)),
    (r"transpose: .* 3 axes of \(2, 3, 1\); swapaxes exchanges two", lambda x: x.unsqueeze(2).transpose(0, 1)),
    (r"split: sections: expected a number of parts, or a list of their lengths, got 0", lambda x: x.split(0)),
    (r"split: sections: .* got \[-1, 3\]", lambda x: x.split([-1, 3])),
    (r"pad: expected a pair of widths for each of the 2 axes of \(2, 3\), .*, got 1", lambda x: ops.pad(x, 1)),
    (r"pad: expected a pair of widths .* got \(1, 1\)", lambda x: ops.pad(x, (1, 1))),
    (r"pad: value: expected a number that uint8 can hold, got -1",
     lambda x: ops.pad(np.ones(2, np.uint8), [(1, 1)], -1)),
    (r"repeat: repeats: expected one number, or 3 for axis 1 of \(2, 3\), 0 or more; got \[1, 2\]",
     lambda x: x.repeat([1, 2], 1)),
    (r"repeat: repeats: .* got -1", lambda x: x.repeat(-1, 1)),
    (r"roll: expected a shift for each axis", lambda x: ops.roll(x, (1, 2), 0)),
])
def test_wrong_shapes(message, compute):
    with pytest.raises(ValueError, match=message):
        compute(Tensor(np.ones((2, 3))))


@pytest.mark.parametrize(("message", "compute"), [
    (r"concatenate: expected a list of tensors, got one of shape \(2, 3\)", lambda x: ops.concatenate(x)),
    (r"stack: expected a list of tensors, got one of shape \(2, 3\)", lambda x: ops.stack(x.data)),
    (r"reshape: expected whole numbers, got \(2.0, 3\)", lambda x: x.reshape(2.0, 3)),
    (r"split: expected whole numbers, got 1.5", lambda x: x.split(1.5)),
    (r"repeat: expected whole numbers", lambda x: x.repeat([1.0, 2.0], 0)),
])
def test_wrong_types(message, compute):
    with pytest.raises(TypeError, match=message):
        compute(Tensor(np.ones((2, 3))))


def test_what_is_no_tensor_yet_becomes_one():
    for parts in (ops.split(np.arange(4), 2), ops.split([0, 1, 2, 3], np.int64(2))):
        assert [part.data.tolist() for part in parts] == [[0, 1], [2, 3]]
    x = Tensor(np.ones(2, np.float32), requires_grad=True)
    assert ops.stack([x.sum(), 1.0]).dtype == ops.concatenate([x, [1.0]]).dtype == np.float32
    assert ops.stack(part for part in x).shape == (2,)


def test_split_gives_a_list():
    x = Tensor(np.arange(6.0), requires_grad=True)
    first, second = ops.split(x, [2, 4])
    np.testing.assert_array_equal(first.data, [0, 1])
    np.testing.assert_array_equal(grad((second * second).sum(), [x])[0], [0, 0, 4, 6, 8, 10])


def test_views_are_not_copied():
    x = Tensor(np.ones((4, 6), np.float32), requires_grad=True)
    for view in (x.reshape(24), x.T, x[1:], ops.expand(x, (2, 4, 6)), ops.flip(x)):
        assert np.may_share_memory(view.data, x.data)


def test_pad_of_integers_with_themselves_and_a_mode_that_there_is_not():
    x = np.arange(4, dtype=np.uint8)
    y = ops.pad(x, ((2, 1),), mode="reflect")
    assert y.dtype == np.uint8
    np.testing.assert_array_equal(y.data, [2, 1, 0, 1, 2, 3, 2])
    with pytest.raises(ValueError, match="pad: expected mode 'constant', 'reflect', .* got 'circular'"):
        ops.pad(x, ((2, 1),), mode="circular")
