"""MaxViT: its windows and its groups, MBConv, and the reach of both attentions."""

import numpy as np
import pytest

import minivit
from minivit import Tensor, nn
from minivit.models import maxvit


@pytest.mark.parametrize("shape, groups", [((2, 8, 8, 3), 4), ((1, 4, 6, 2), 2), ((3, 5, 5, 1), 5), ((1, 4, 6, 2), 1)])
def test_groups_are_spread_over_the_grid_and_put_back(shape, groups, rng):
    x = rng.standard_normal(shape)
    B, H, W, C = shape
    expected = [x[b, i::H // groups, j::W // groups].reshape(-1, C)
                for b in range(B) for i in range(H // groups) for j in range(W // groups)]
    windows = maxvit.grid_partition(x, groups)
    np.testing.assert_array_equal(windows, expected)
    np.testing.assert_array_equal(maxvit.grid_reverse(windows, groups, (H, W)), x)


def test_the_same_pixels_in_windows_and_groups():
    """A grid of 4 x 4 with windows of 2, and one of 4 x 6, in which H/G is not G."""
    square, wide = (np.arange(4 * n).reshape(1, 4, n, 1) for n in (4, 6))
    assert maxvit.window_partition(square, 2)[0].ravel().tolist() == [0, 1, 4, 5]
    assert maxvit.grid_partition(square, 2)[0].ravel().tolist() == [0, 2, 8, 10]
    assert maxvit.grid_partition(wide, 2)[0].ravel().tolist() == [0, 3, 12, 15]


@pytest.mark.parametrize("kinds, seen", [
    (["BlockAttention"], lambda y, x: y < 4 and x < 4),
    (["GridAttention"], lambda y, x: y % 2 == 1 and x % 2 == 0),
    (["BlockAttention", "GridAttention"], lambda y, x: True)])
def test_what_a_pixel_sees(kinds, seen, rng):
    """Pixel (1, 2) of 8 x 8 after attention in windows of 4, in groups of 4, and after both."""
    parts = nn.Sequential(*[getattr(maxvit, kind)(8, 2, size=4) for kind in kinds]).astype(np.float64)
    x = Tensor(rng.standard_normal((1, 8, 8, 8)), requires_grad=True)
    (parts(x)[0, 1, 2] ** 2).sum().backward()
    reached = np.abs(x.grad[0]).max(-1) > 0
    np.testing.assert_array_equal(reached, [[seen(y, x) for x in range(8)] for y in range(8)])


@pytest.mark.parametrize("side", [8, 7])
def test_mbconv_is_what_the_paper_says(side, rng):
    """Stride 2, to other channels, in eval: on an odd side, the mean of the shortcut is over the pixels that exist."""
    made = maxvit.MBConv(4, 8, stride=2).astype(np.float64).eval()
    state = {name: rng.uniform(0.5, 1.5, x.shape) for name, x in made.state_dict().items()}
    made.load_state_dict(state)
    x = rng.standard_normal((1, side, side, 4))

    def norm(x, name):
        mean, var = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        return (x - mean) / np.sqrt(var + 1e-3) * state[f"{name}.weight"] + state[f"{name}.bias"]

    def gelu(x):
        return x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x ** 3)))
    y = gelu(norm(norm(x, "norm") @ state["expand.conv.weight"][0, 0], "expand.norm"))
    y = np.pad(y, [(0, 0), *[(side % 2, 1)] * 2, (0, 0)])    # as little as three rows for each place need
    kernel = state["depthwise.conv.weight"][:, :, 0]  # (3, 3, hidden)
    places = range((side + 1) // 2)
    y = np.array([[[(y[0, 2 * i:2 * i + 3, 2 * j:2 * j + 3] * kernel).sum((0, 1)) for j in places] for i in places]])
    y = gelu(norm(y, "depthwise.norm"))
    hidden = y.mean((1, 2)) @ state["excite.reduce.weight"] + state["excite.reduce.bias"]
    hidden = hidden / (1 + np.exp(-hidden)) @ state["excite.expand.weight"] + state["excite.expand.bias"]
    y = (y / (1 + np.exp(-hidden))) @ state["project.weight"][0, 0] + state["project.bias"]
    means = np.array([[[x[0, 2 * i:2 * i + 2, 2 * j:2 * j + 2].mean((0, 1)) for j in places] for i in places]])
    expected = y + means @ state["shortcut.expand.weight"][0, 0] + state["shortcut.expand.bias"]
    np.testing.assert_allclose(made(Tensor(x)).numpy(), expected, rtol=1e-10)


def test_squeeze_and_excitation_counts_by_the_block_s_channels():
    block = minivit.create("maxvit", "tiny").stages[1][0][0]
    assert block.excite.reduce.weight.shape == (4 * 128, 128 // 4)


@pytest.mark.parametrize("settings, message", [
    (dict(dims=(64,)), "expected one number for each stage"),
    (dict(head_dim=48), r"expected multiples of head_dim=48, got \(64, 128\)")])
def test_sizes_that_do_not_fit(settings, message):
    with pytest.raises(ValueError, match=message):
        minivit.create("maxvit", **settings)


def test_grids_that_do_not_divide():
    with pytest.raises(ValueError, match="BlockAttention: a grid of 6 x 8 does not divide into windows of 4 x 4"):
        minivit.create("maxvit")(np.zeros((1, 24, 32, 3), np.float32))


def test_small_grids_are_one_window(rng):
    assert minivit.create("maxvit")(rng.standard_normal((2, 8, 8, 3), np.float32)).shape == (2, 10)
