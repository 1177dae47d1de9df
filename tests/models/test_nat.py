"""What NAT and DiNAT are made of: attention to neighbours, beside a loop over all tokens, and dilations."""

import numpy as np
import pytest

import minivit
from minivit.interop import save
from minivit.models.dinat import DiNAT
from minivit.models.nat import NAT, NeighbourhoodAttention
from tests.neighbours import neighbours

SIZES = dict(image_size=48, num_classes=3, dim=8, depths=(2, 3), heads=(2, 4), kernel=3, mlp_ratio=2)


def looks(attention, x):
    """The probabilities of each token, of padded grids too, and the result, token by token."""
    K, D, (H, W, C) = attention.kernel, attention.dilation, x.shape
    h, d = attention.heads, C // attention.heads
    padded = np.zeros((max(H, K * D), max(W, K * D), C))
    padded[:H, :W] = x
    q, k, v = np.split(padded @ attention.qkv.weight.numpy() + attention.qkv.bias.numpy(), 3, axis=-1)
    rows, columns = (neighbours(n, K, D) for n in padded.shape[:2])
    bias, found = attention.relative_position_bias.numpy(), np.zeros((h, H, W, *padded.shape[:2]))
    result = np.zeros((H, W, C))
    for head, i, j in np.ndindex(h, H, W):
        part, near = slice(head * d, head * d + d), [(y, x) for y in rows[i] for x in columns[j]]
        scores = [q[i, j, part] @ k[y, x, part] / np.sqrt(d) + bias[head, (y - i) // D + K - 1, (x - j) // D + K - 1]
                  for y, x in near]
        p = np.exp(scores) / np.exp(scores).sum()
        for place, weight in zip(near, p, strict=True):
            found[(head, i, j, *place)] = weight
            result[i, j, part] += weight * v[(*place, part)]
    return found[..., :H, :W], result @ attention.proj.weight.numpy() + attention.proj.bias.numpy()


@pytest.mark.parametrize("grid, kernel, dilation", [((5, 6), 3, 1), ((7, 8), 3, 2), ((4, 7), 5, 1), ((3, 7), 3, 2)])
def test_attention_is_the_loop_s(grid, kernel, dilation, rng):
    attention = NeighbourhoodAttention(8, 2, kernel=kernel, dilation=dilation).initialise(0).astype(np.float64)
    attention.qkv.bias.data = rng.standard_normal(24)  # what padding tokens have
    x = rng.standard_normal((2, *grid, 8))
    N, weights = grid[0] * grid[1], attention.weights(x).numpy()
    for index in range(2):
        expected, result = looks(attention, x[index])
        np.testing.assert_allclose(attention(x).numpy()[index], result, atol=1e-12)
        np.testing.assert_allclose(weights[index], expected.reshape(2, N, N), atol=1e-12)


def test_dilations_are_as_large_as_the_grid_allows():
    def dilations(**settings):
        model = minivit.create("dinat", "mini", **settings)
        return [[block.attention.dilation for block in stage.blocks] for stage in model.stages]
    assert dilations() == [[1, 8, 1], [1, 4, 1, 4], [1, 2] * 3, [1] * 5]
    assert dilations(image_size=384) == [[1, 13, 1], [1, 6, 1, 6], [1, 3] * 3, [1] * 5]
    assert dilations(image_size=384, kernel=11) == dilations()


def test_nat_is_dinat_without_dilation(rng):
    near, far = NAT(**SIZES).initialise(1).eval(), DiNAT(**SIZES).initialise(1).eval()
    ones = DiNAT(**SIZES, dilations=((1, 1), (1, 1, 1))).initialise(1).eval()
    images = rng.standard_normal((2, 48, 48, 3), np.float32)
    np.testing.assert_array_equal(near(images).numpy(), ones(images).numpy())
    assert np.abs(near(images).numpy() - far(images).numpy()).max() > 1e-3
    assert [x.shape for x in near.features(images[:, :45, :37])] == [(2, 12, 10, 8), (2, 6, 5, 16)]


def test_the_authors_files_do_not_tell_dilations(tmp_path):
    model = DiNAT(**SIZES).initialise(1).eval()
    save(model, tmp_path / "model.safetensors", "authors")
    with pytest.raises(ValueError, match=r"dilations: .*\[2, 3\] blocks \(1 in a NAT\).*load\(..., dilations=...\)"):
        minivit.load(tmp_path / "model.safetensors")
    loaded = minivit.load(tmp_path / "model.safetensors", dilations=((1, 4), (1, 2, 1)))
    images = np.ones((1, 48, 48, 3), np.float32)
    np.testing.assert_array_equal(loaded(images).numpy(), model(images).numpy())


def test_what_fits_nowhere_is_refused_with_numbers():
    with pytest.raises(ValueError, match="kernel: expected an odd number, so that a window has a centre, got 4"):
        NAT(**SIZES | dict(kernel=4))
    with pytest.raises(ValueError, match="patch_size: expected 2 or 4, one stride of 2 or two, got 8"):
        NAT(**SIZES, patch_size=8)
    with pytest.raises(ValueError, match=r"depths, heads: expected one number for each stage, got \(2, 3\) and \(2,\)"):
        NAT(**SIZES | dict(heads=(2,)))
    with pytest.raises(ValueError, match=r"dilations: expected one for each of the 3 blocks of stage 1, got \(1, 1\)"):
        DiNAT(**SIZES, dilations=((1, 1), (1, 1)))
    with pytest.raises(ValueError, match="patch_size: 2 has no counterpart in transformers, where it is 4"):
        save(DiNAT(**SIZES, patch_size=2), "nowhere", "transformers")
