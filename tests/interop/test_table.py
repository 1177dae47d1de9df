"""Rules and layouts, by themselves."""

import numpy as np
import pytest

from minivit.interop.table import (CONV, CONV_AS_LINEAR, LINEAR, LINEAR_AS_CONV, PATCHES, Rearrangement, batch_norm,
                                   join, linear, misfits, norm, optional, read, split, tensor, within, write)

TABLE = [
    *tensor("stem", "conv.weight", CONV),
    *within("blocks.*.", "layers.*.", [*linear("qkv", ["q", "k", "v"]), *norm("norm", "ln")]),
    *linear("patches", "proj", PATCHES),
    *optional(linear("head", "fc")),
]


def test_linear_maps_are_transposed_and_joined(rng):
    theirs = {f"layers.3.{name}.{kind}": rng.standard_normal(shape)
              for name in "qkv" for kind, shape in [("weight", (4, 6)), ("bias", (4,))]}
    state = read(TABLE, theirs).state
    assert state.keys() == {"blocks.3.qkv.weight", "blocks.3.qkv.bias"}
    x = rng.standard_normal(6)
    expected = [theirs[f"layers.3.{name}.weight"] @ x + theirs[f"layers.3.{name}.bias"] for name in "qkv"]
    np.testing.assert_allclose(x @ state["blocks.3.qkv.weight"] + state["blocks.3.qkv.bias"], np.concatenate(expected))


def test_convolutions_and_patches_are_laid_out_channels_last(rng):
    reading = read(TABLE, {"conv.weight": rng.standard_normal((5, 3, 7, 2)), "proj.weight": np.zeros((8, 3, 4, 4))})
    assert reading.state["stem"].shape == (7, 2, 3, 5)
    assert reading.state["patches.weight"].shape == (48, 8)
    assert [reading.axis("patches.weight", axis) for axis in "PCD"] == [4, 3, 8]


def test_the_pixels_of_a_patch_come_row_by_row_then_channels():
    weight = np.arange(2 * 3 * 4 * 4.0).reshape(2, 3, 4, 4)
    ours = read(TABLE, {"proj.weight": weight}).state["patches.weight"]
    for row, column, channel in [(0, 0, 0), (1, 2, 0), (3, 1, 2)]:
        np.testing.assert_array_equal(ours[(row * 4 + column) * 3 + channel], weight[:, channel, row, column])


@pytest.mark.parametrize("name, shape", [
    ("stem", (3, 3, 2, 6)), ("blocks.12.qkv.weight", (5, 15)), ("blocks.0.norm.bias", (5,)),
    ("patches.weight", (48, 6))])
def test_writing_is_the_inverse_of_reading(name, shape, rng):
    array = rng.standard_normal(shape)
    theirs = write(TABLE, {name: array}, {"P": 4, "Q": 4})
    np.testing.assert_array_equal(read(TABLE, theirs).state[name], array)


def test_what_is_joined_of_unequal_widths_is_written_as_it_was(rng):
    theirs = {"qk": rng.standard_normal((8, 5)), "v": rng.standard_normal((4, 5))}
    table = join("qkv", ["qk", "v"], (2, 1), LINEAR)
    ours = read(table, theirs).state["qkv"]
    np.testing.assert_array_equal(ours, np.concatenate([theirs["qk"], theirs["v"]]).T)
    written = write(table, {"qkv": ours}, {})
    assert written.keys() == theirs.keys()
    assert all(np.array_equal(written[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("table, shape, sizes, expected", [
    # one of theirs, several of ours
    (split(["q.weight", "kv.weight"], "qkv.weight", (1, 2), LINEAR), (12, 5), {},
     lambda x: {"q.weight": x.T[:, :4], "kv.weight": x.T[:, 4:]}),
    # queries, keys and values head by head
    (tensor("qkv", "qkv", "(H t d) i -> i (t H d)"), (24, 5), {"H": 4, "t": 3},
     lambda x: {"qkv": x.reshape(4, 3, 2, 5).transpose(3, 1, 0, 2).reshape(5, 24)}),
    # the channels of PyTorch's PixelShuffle, colour slowest
    (tensor("shuffle", "shuffle", "(C y x) i h w -> h w i (y x C)"), (12, 5, 1, 1), {"y": 2, "x": 2},
     lambda x: {"shuffle": x.reshape(3, 2, 2, 5, 1, 1).transpose(4, 5, 3, 1, 2, 0).reshape(1, 1, 5, 12)}),
    (tensor("order", "order", Rearrangement(lambda x: x[[1, 2, 0]], lambda x: x[[2, 0, 1]])), (3, 2), {},
     lambda x: {"order": np.stack([x[1], x[2], x[0]])}),
    (tensor("conv", "conv", CONV_AS_LINEAR), (6, 5, 1, 1), {}, lambda x: {"conv": x[:, :, 0, 0].T}),
    (tensor("linear", "linear", LINEAR_AS_CONV), (6, 5), {}, lambda x: {"linear": x.T[None, None]}),
], ids=["split", "head by head", "pixel shuffle", "functions", "conv as linear", "linear as conv"])
def test_layouts_both_ways(table, shape, sizes, expected, rng):
    array, name = rng.standard_normal(shape), table[0].theirs[0]
    state = read(table, {name: array}, sizes).state
    assert state.keys() == expected(array).keys()
    for ours, value in expected(array).items():
        np.testing.assert_array_equal(state[ours], value)
    np.testing.assert_array_equal(write(table, state, sizes)[name], array)


def test_an_axis_that_is_taken_apart_waits_for_its_sizes():
    table = tensor("qkv", "qkv", "(H t d) i -> i (t H d)")
    reading = read(table, {"qkv": np.zeros((24, 5))})
    assert "qkv" not in reading
    assert reading.unknown == []


def test_parts_of_one_tensor_are_written_together(rng):
    table = split(["q", "kv"], "qkv", (1, 2))
    with pytest.raises(ValueError, match="qkv: not all of what it is made of is there"):
        write(table, {"q": rng.standard_normal(4)}, {})


def test_what_the_table_does_not_know_is_told_apart():
    names = ["conv.weight", "fc.weight", "extra.weight", "bn.num_batches_tracked", "attn.relative_position_index"]
    tensors = {name: np.zeros((2, 2, 2, 2) if "conv" in name else (2, 2)) for name in names}
    assert read(TABLE, tensors).unknown == ["extra.weight"]
    # missing: 6 + 2 rules of qkv and norm make 4, patches 2; the head is optional
    assert misfits(TABLE, tensors) == (1, 6)
    assert misfits(TABLE, tensors | {"fc.weight": np.zeros((2, 2, 1, 1))}) == (2, 6)    # of another number of axes
    with pytest.raises(ValueError, match="tail has no counterpart there"):
        write(TABLE, {"tail": np.zeros(3)}, {})


def test_a_number_matches_numbers_only():
    assert read(TABLE, {"layers.x.ln.weight": np.zeros(3), "layers.1.2.ln.weight": np.zeros(3)}).state == {}


def test_a_wrong_number_of_axes_is_named():
    with pytest.raises(ValueError, match=r"conv.weight: expected axes \(o, i, h, w\), got shape \(3, 4\)"):
        read(TABLE, {"conv.weight": np.zeros((3, 4))})


def test_a_batch_norm_has_four_tensors():
    assert [rule.theirs for rule in batch_norm("norm", "bn")] == [
        ("bn.weight",), ("bn.bias",), ("bn.running_mean",), ("bn.running_var",)]
