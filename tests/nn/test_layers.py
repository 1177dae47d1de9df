"""Layers against PyTorch's with the same weights, or against their formula."""

import numpy as np
import pytest

from minivit import Tensor, grad, nn, no_grad


def load(module, **values):
    """Give a module weights, by name."""
    module.astype(np.float64)
    for name, value in values.items():
        getattr(module, name).data = value
    return module


def agree(ours, theirs, rtol=1e-9):
    np.testing.assert_allclose(ours.numpy(), theirs.detach().numpy(), rtol=rtol, atol=1e-11)


def test_linear_and_mlp_are_pytorchs(rng):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((2, 7, 5))
    mlp = nn.Mlp(5, 11, outputs=3).astype(np.float64)
    theirs = torch.nn.Sequential(torch.nn.Linear(5, 11), torch.nn.GELU(), torch.nn.Linear(11, 3)).double()
    for ours, reference in [(mlp.linear1, theirs[0]), (mlp.linear2, theirs[2])]:
        load(ours, weight=reference.weight.detach().numpy().T, bias=reference.bias.detach().numpy())
    agree(mlp(Tensor(x)), theirs(torch.tensor(x)))


@pytest.mark.parametrize("bias", [True, False])
def test_conv2d_is_pytorchs(rng, bias):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Conv2d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2, bias=bias).double()
    ours = nn.Conv2d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2, bias=bias)
    values = {"weight": theirs.weight.detach().numpy().transpose(2, 3, 1, 0)}
    if bias:
        values["bias"] = theirs.bias.detach().numpy()
    x = rng.standard_normal((2, 9, 11, 4))
    reference = theirs(torch.tensor(x.transpose(0, 3, 1, 2))).detach().numpy().transpose(0, 2, 3, 1)
    np.testing.assert_allclose(load(ours, **values)(Tensor(x)).numpy(), reference, rtol=1e-9, atol=1e-11)
    assert repr(ours).startswith("Conv2d(3 x 3, 4 -> 6, stride 2, padding 1, dilation 2, groups 2)")


@pytest.mark.parametrize("ours, theirs, shape", [
    (lambda: nn.LayerNorm(6), lambda torch: torch.nn.LayerNorm(6, eps=1e-6), (2, 5, 6)),
    (lambda: nn.RMSNorm(6), lambda torch: torch.nn.RMSNorm(6, eps=1e-6), (2, 5, 6)),
    (lambda: nn.GroupNorm(3, 6), lambda torch: torch.nn.GroupNorm(3, 6), (2, 4, 5, 6)),
])
def test_norms_are_pytorchs(ours, theirs, shape, rng):
    torch = pytest.importorskip("torch")
    reference, x = theirs(torch).double(), rng.standard_normal(shape)
    weights = {name: rng.standard_normal(6) for name, _ in reference.named_parameters()}
    with torch.no_grad():
        for name, parameter in reference.named_parameters():
            parameter.copy_(torch.tensor(weights[name]))
    y = torch.tensor(x)
    y = reference(y.permute(0, 3, 1, 2)).permute(0, 2, 3, 1) if x.ndim == 4 else reference(y)
    agree(load(ours(), **weights)(Tensor(x)), y)


def test_batch_norm_is_pytorchs_in_training_and_eval_with_running_averages(rng):
    torch = pytest.importorskip("torch")
    ours, theirs = nn.BatchNorm2d(4).astype(np.float64), torch.nn.BatchNorm2d(4).double()
    for _ in range(3):
        x = rng.standard_normal((3, 5, 7, 4)) * 2 + 1
        y = theirs(torch.tensor(x.transpose(0, 3, 1, 2))).permute(0, 2, 3, 1)
        agree(ours(Tensor(x)), y)
    agree(ours.running_mean, theirs.running_mean)
    agree(ours.running_var, theirs.running_var)
    agree(ours.eval()(Tensor(x)), theirs.eval()(torch.tensor(x.transpose(0, 3, 1, 2))).permute(0, 2, 3, 1))
    before = ours.running_mean.numpy().copy()
    with no_grad():
        ours(Tensor(x + 5))
    np.testing.assert_array_equal(ours.running_mean.numpy(), before)  # eval keeps no averages


def test_attention_is_pytorchs(rng):
    torch = pytest.importorskip("torch")
    theirs, ours = torch.nn.MultiheadAttention(8, 2, batch_first=True).double(), nn.Attention(8, 2).astype(np.float64)
    load(ours.qkv, weight=theirs.in_proj_weight.detach().numpy().T, bias=theirs.in_proj_bias.detach().numpy())
    load(ours.proj, weight=theirs.out_proj.weight.detach().numpy().T, bias=theirs.out_proj.bias.detach().numpy())
    x = rng.standard_normal((3, 5, 8))
    y, weights = theirs(*[torch.tensor(x)] * 3, average_attn_weights=False)
    agree(ours(Tensor(x)), y)
    agree(ours.weights(Tensor(x)), weights)
    with pytest.raises(ValueError, match="width 8 is not divisible by 3 heads"):
        nn.Attention(8, 3)


@pytest.mark.parametrize("shape", [(5, 5), (2, 5, 5), (3, 2, 5, 5)])
def test_attention_adds_a_bias_to_the_scores_as_pytorch_s_does(shape, rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True).double()
    ours = nn.Attention(8, 2).astype(np.float64)
    load(ours.qkv, weight=theirs.in_proj_weight.detach().numpy().T, bias=theirs.in_proj_bias.detach().numpy())
    load(ours.proj, weight=theirs.out_proj.weight.detach().numpy().T, bias=theirs.out_proj.bias.detach().numpy())
    x, bias = rng.standard_normal((3, 5, 8)), rng.standard_normal(shape)
    pixels, added = (torch.tensor(array, requires_grad=True) for array in (x, bias))
    y, weights = theirs(pixels, pixels, pixels, average_attn_weights=False,
                        attn_mask=added.expand(3, 2, 5, 5).reshape(6, 5, 5))
    x, bias = Tensor(x, requires_grad=True), Tensor(bias, requires_grad=True)
    agree(ours(x, bias), y)
    agree(ours.weights(x, bias), weights)
    (y ** 2).sum().backward()
    for gradient, expected in zip(grad((ours(x, bias) ** 2).sum(), [x, bias]), (pixels, added), strict=True):
        np.testing.assert_allclose(gradient, expected.grad.numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("layer", [nn.LayerNorm(4, initialiser=nn.zeros), nn.GroupNorm(2, 4, initialiser=nn.zeros),
                                   nn.BatchNorm2d(4, initialiser=nn.zeros)])
def test_a_norm_can_start_as_nothing(layer, rng):
    x = rng.standard_normal((2, 3, 3, 4), np.float32)
    assert not layer(x).numpy().any()
    load(layer, bias=np.full(4, 2.0))
    assert (layer(x.astype(np.float64)).numpy() == 2).all()


def test_a_convolution_starts_as_it_is_told():
    assert (nn.Conv2d(3, 4, 3, initialiser=nn.constant(0.5)).weight.numpy() == 0.5).all()


def test_batch_norm_takes_all_tokens_of_a_batch_for_one_grid(rng):
    grids, tokens = nn.BatchNorm2d(4), nn.BatchNorm2d(4)
    x = rng.standard_normal((2, 3, 5, 4), np.float32)
    np.testing.assert_array_equal(grids(x).numpy().reshape(2, 15, 4), tokens(x.reshape(2, 15, 4)).numpy())
    np.testing.assert_array_equal(grids.running_var.numpy(), tokens.running_var.numpy())


def test_stochastic_depth_grows_linearly_over_all_stages():
    assert nn.drop_path_rates(0.4, (2, 1, 2)) == [[0.0, 0.1], [0.2], [pytest.approx(0.3), 0.4]]
    assert nn.drop_path_rates(0.4, (1,)) == [[0.0]]
    assert [sum(stage) for stage in nn.drop_path_rates(0.0, (2, 3))] == [0, 0]


def test_layer_scale_multiplies_channels(rng):
    x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    np.testing.assert_allclose(nn.LayerScale(4, 0.1)(x).numpy(), 0.1 * x, rtol=1e-6)


def test_patch_embed_is_a_strided_convolution_and_unpatchify_the_inverse(rng):
    torch = pytest.importorskip("torch")
    embed, x = nn.PatchEmbed(4, 3, 7).astype(np.float64), rng.standard_normal((2, 8, 12, 3))
    kernel = torch.tensor(embed.weight.numpy().reshape(4, 4, 3, 7).transpose(3, 2, 0, 1))
    y = torch.nn.functional.conv2d(torch.tensor(x.transpose(0, 3, 1, 2)), kernel, stride=4)
    np.testing.assert_allclose(embed(x).numpy(), y.flatten(2).transpose(1, 2).numpy(), rtol=1e-9, atol=1e-11)
    np.testing.assert_array_equal(nn.unpatchify(nn.patchify(x, 4), (2, 3), 3), x)
    np.testing.assert_array_equal(nn.to_grid(nn.patchify(x, 4), (2, 3))[:, 1, 2], x[:, 4:, 8:].reshape(2, 48))
    np.testing.assert_array_equal(nn.to_grid(nn.patchify(x, 4), (1, 4), prefix=2)[:, 0, 0], x[:, :4, 8:].reshape(2, 48))
    with pytest.raises(ValueError, match="expected 1 [+] 2 x 3 for this grid, got 6"):
        nn.to_grid(nn.patchify(x, 4), (2, 3), prefix=1)
    with pytest.raises(ValueError, match="6 patches of 48 numbers are no 3 x 3 grid"):
        nn.unpatchify(nn.patchify(x, 4), (3, 3), 3)


def test_sincos_positions_are_the_formula():
    positions = nn.sincos_positions(3, 5, 8)
    assert positions.shape == (15, 8)
    row, column = 2, 4
    frequency = 10_000 ** -np.array([0, 0.5])
    expected = np.concatenate([np.sin(column * frequency), np.cos(column * frequency),
                               np.sin(row * frequency), np.cos(row * frequency)])
    np.testing.assert_allclose(positions[row * 5 + column], expected, rtol=1e-6)
    with pytest.raises(ValueError, match="divisible by 4, got 6"):
        nn.sincos_positions(3, 3, 6)


def test_sincos_initialises_square_grids_behind_class_tokens():
    values = nn.sincos(np.random.default_rng(0), (1, 17, 8))
    assert (values[:, 0] == 0).all()
    np.testing.assert_array_equal(values[0, 1:], 0.5 * nn.sincos_positions(4, 4, 8))


@pytest.mark.parametrize("antialias", [False, True])
def test_positions_are_interpolated_as_in_pytorch(antialias, rng):
    torch = pytest.importorskip("torch")
    positions = rng.standard_normal((1, 2 + 12, 5))
    ours = nn.interpolate_positions(Tensor(positions), (3, 4), (5, 6), prefix=2, antialias=antialias)
    grid = torch.tensor(positions[:, 2:].reshape(1, 3, 4, 5).transpose(0, 3, 1, 2))
    y = torch.nn.functional.interpolate(grid, (5, 6), mode="bicubic", antialias=antialias)
    np.testing.assert_array_equal(ours.numpy()[:, :2], positions[:, :2])
    np.testing.assert_allclose(ours.numpy()[:, 2:], y.flatten(2).transpose(1, 2).numpy(), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("layer", [nn.Dropout, nn.DropPath])
def test_noise_is_there_in_training_only_and_follows_the_current_generator(layer):
    module, x = layer(0.5), Tensor(np.ones((64, 3), np.float32))

    def drawn(seed):
        with nn.randomness(np.random.default_rng(seed)):
            return module(x).numpy()
    np.testing.assert_array_equal(drawn(1), drawn(1))
    assert (drawn(1) != drawn(2)).any()
    assert (module(x).numpy() != module(x).numpy()).any()  # outside any block it has a generator of its own
    assert module.eval()(x) is x
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\), got 1"):
        layer(1)
