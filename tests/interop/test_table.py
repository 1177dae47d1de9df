"""Rules and layouts, by themselves."""

import numpy as np
import pytest

from minivit.interop.table import (CONV, PATCHES, batch_norm, linear, misfits, norm, optional, read, tensor, within,
                                   write)

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


def test_what_the_table_does_not_know_is_told_apart():
    names = ["conv.weight", "fc.weight", "extra.weight", "bn.num_batches_tracked", "attn.relative_position_index"]
    reading = read(TABLE, {name: np.zeros((2, 2, 2, 2) if "conv" in name else (2, 2)) for name in names})
    assert reading.unknown == ["extra.weight"]
    # missing: 6 + 2 rules of qkv and norm make 4, patches 2; the head is optional
    assert misfits(TABLE, names) == (1, 6)
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
