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


@pytest.mark.parametrize("mode, theirs", [("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")])
@pytest.mark.parametrize("padding", [2, (1, 3), "same"])
def test_conv2d_pads_with_the_picture_itself(mode, theirs, padding, rng):
    torch = pytest.importorskip("torch")
    reference = torch.nn.Conv2d(3, 4, (3, 5), padding=padding, padding_mode=theirs, dtype=torch.float64)
    ours = load(nn.Conv2d(3, 4, (3, 5), padding=padding, padding_mode=mode), bias=reference.bias.detach().numpy(),
                weight=reference.weight.detach().numpy().transpose(2, 3, 1, 0))
    x = rng.standard_normal((2, 7, 8, 3))
    agree(ours(Tensor(x)), reference(torch.tensor(x).movedim(-1, 1)).movedim(1, -1))


def test_conv2d_takes_numpys_integers_and_names_what_it_does_not_take():
    one, two, three, four, six = (np.int64(n) for n in (1, 2, 3, 4, 6))
    layer = nn.Conv2d(four, six, three, stride=two, padding=one, groups=two)
    assert layer(np.ones((1, 8, 8, 4), np.float32)).shape == (1, 4, 4, 6)
    assert repr(nn.Conv2d(4, 6, (1, 7), padding="same")).startswith("Conv2d(1 x 7, 4 -> 6, padding same)")
    for given, message in [(dict(kernel=(3,)), r"Conv2d: kernel: expected one .* \(3,\)"),
                           (dict(kernel=3.0), "Conv2d: kernel: expected whole numbers, got 3.0"),
                           (dict(kernel=3, groups=0), "Conv2d: groups must be at least 1, got 0")]:
        with pytest.raises((TypeError, ValueError), match=message):
            nn.Conv2d(4, 6, **given)
    with pytest.raises(ValueError, match="pad: expected mode .* got 'circular'"):
        nn.Conv2d(1, 1, 3, padding=1, padding_mode="circular")(np.ones((1, 4, 4, 1), np.float32))


@pytest.mark.parametrize("weight", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_norms_without_weight_or_bias(weight, bias, rng):
    torch = pytest.importorskip("torch")
    x, factor, offset = rng.standard_normal((3, 4, 5, 6)), rng.standard_normal(6), rng.standard_normal(6)
    wanted = ({"weight": factor} if weight else {}) | ({"bias": offset} if bias else {})
    parameters = [torch.tensor(wanted[name]) if name in wanted else None for name in ("weight", "bias")]
    functional, y = torch.nn.functional, torch.tensor(x)
    for layer, expected in [
            (nn.LayerNorm(6, weight=weight, bias=bias), functional.layer_norm(y, (6,), *parameters, 1e-6)),
            (nn.GroupNorm(3, 6, weight=weight, bias=bias),
             functional.group_norm(y.movedim(-1, 1), 3, *parameters).movedim(1, -1)),
            (nn.BatchNorm2d(6, weight=weight, bias=bias),
             functional.batch_norm(y.movedim(-1, 1), None, None, *parameters, True).movedim(1, -1))]:
        assert {name for name, _ in layer.named_parameters()} == wanted.keys()
        agree(load(layer, **wanted)(Tensor(x)), expected)
        assert layer.eval()(Tensor(x)).shape == x.shape
        assert repr(layer).startswith(type(layer).__name__)
    if not bias:
        layer = nn.RMSNorm(6, weight=weight)
        agree(load(layer, **wanted)(Tensor(x)), functional.rms_norm(y, (6,), parameters[0], 1e-6))


def test_layer_norm_over_several_axes(rng):
    torch = pytest.importorskip("torch")
    x, weight, bias = rng.standard_normal((3, 4, 5, 6)), rng.standard_normal((5, 6)), rng.standard_normal((5, 6))
    ours, theirs = Tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    layer = load(nn.LayerNorm((5, 6)), weight=weight, bias=bias)
    y = layer(ours)
    expected = torch.nn.functional.layer_norm(theirs, (5, 6), torch.tensor(weight), torch.tensor(bias), 1e-6)
    agree(y, expected)
    dy = rng.standard_normal(x.shape)
    expected.backward(torch.tensor(dy))
    np.testing.assert_allclose(grad((y * dy).sum(), [ours])[0], theirs.grad.numpy(), atol=1e-11)
    assert repr(layer).startswith("LayerNorm(5 x 6)")
    with pytest.raises(ValueError, match=r"LayerNorm: expected x with the last axes \(5, 6\), got \(3, 6, 5\)"):
        layer(np.ones((3, 6, 5)))


@pytest.mark.parametrize("shape", [(1, 1, 1, 4), (0, 2, 2, 4)])
def test_batch_norm_keeps_its_averages_from_what_has_no_variance(shape):
    layer = nn.BatchNorm2d(4)
    with pytest.raises(ValueError, match="expected at least 2; train on more pictures"):
        layer(np.full(shape, 5, np.float32))
    assert (layer.running_mean.numpy() == 0).all()
    assert (layer.running_var.numpy() == 1).all()
    assert layer.eval()(np.ones(shape, np.float32)).shape == shape


@pytest.mark.parametrize("momentum", [None, -0.1, 1.5, np.nan])
def test_batch_norm_checks_its_momentum(momentum):
    with pytest.raises(ValueError, match=f"BatchNorm2d: momentum must be from 0 to 1, got {momentum}"):
        nn.BatchNorm2d(4, momentum=momentum)


def test_embedding_is_pytorchs(rng):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Embedding(7, 4, dtype=torch.float64)
    ours, indices = load(nn.Embedding(7, 4), weight=theirs.weight.detach().numpy()), rng.integers(0, 7, (3, 5))
    y, expected, dy = ours(indices), theirs(torch.tensor(indices)), rng.standard_normal((3, 5, 4))
    agree(y, expected)
    agree(ours(Tensor(indices)), expected)
    expected.backward(torch.tensor(dy))
    np.testing.assert_allclose(grad((y * dy).sum(), [ours.weight])[0], theirs.weight.grad.numpy(), atol=1e-12)
    for wrong in (np.ones(3, np.float32), [1, 2], np.ones(3, bool)):
        with pytest.raises(TypeError, match="Embedding: expected indices as an array of integers, got (f|list|bool)"):
            ours(wrong)


@pytest.mark.parametrize("context_dim", [None, 12])
@pytest.mark.parametrize("has_bias", [False, True])
def test_cross_attention_is_pytorchs(context_dim, has_bias, rng):
    torch = pytest.importorskip("torch")
    width = context_dim or 8
    theirs = torch.nn.MultiheadAttention(8, 2, kdim=width, vdim=width, batch_first=True, dtype=torch.float64)
    ours = nn.CrossAttention(8, 2, context_dim=context_dim).astype(np.float64)
    q, k, v = ([theirs.q_proj_weight, theirs.k_proj_weight, theirs.v_proj_weight] if context_dim
               else theirs.in_proj_weight.chunk(3))
    b = rng.standard_normal(24)
    theirs.in_proj_bias.data = torch.tensor(b)
    load(ours.query, weight=q.detach().numpy().T, bias=b[:8])
    load(ours.key_value, weight=torch.cat([k, v]).detach().numpy().T, bias=b[8:])
    load(ours.proj, weight=theirs.out_proj.weight.detach().numpy().T, bias=theirs.out_proj.bias.detach().numpy())
    x, context = rng.standard_normal((3, 5, 8)), rng.standard_normal((3, 6, width))
    mask = rng.random((5, 6)) < 0.7 if has_bias else None
    if has_bias:
        mask[:, 0] = True
    y, weights = theirs(torch.tensor(x), torch.tensor(context), torch.tensor(context), average_attn_weights=False,
                        attn_mask=None if mask is None else torch.tensor(~mask))
    agree(ours(Tensor(x), Tensor(context), mask), y)
    agree(ours.weights(Tensor(x), Tensor(context), mask), weights)
    assert repr(ours).startswith("CrossAttention(2 heads)")
    with pytest.raises(ValueError, match="CrossAttention: width 8 is not divisible by 3 heads"):
        nn.CrossAttention(8, 3)


def test_causal_attention_looks_at_no_later_token(rng):
    layer, x = nn.Attention(8, 2, is_causal=True), rng.standard_normal((1, 6, 8)).astype(np.float32)
    whole = layer(x).numpy()
    for n in range(1, 6):
        np.testing.assert_allclose(layer(x[:, :n]).numpy(), whole[:, :n], atol=1e-6)
    mask = np.tril(np.ones((6, 6), bool))
    plain = nn.Attention(8, 2)
    plain.load_state_dict(layer.state_dict())
    np.testing.assert_allclose(plain(x, mask).numpy(), whole, atol=1e-6)
    np.testing.assert_allclose(plain.weights(x, mask).numpy(), layer.weights(x).numpy(), atol=1e-6)


@pytest.mark.parametrize("make", [lambda: nn.Attention(8, 0), lambda: nn.CrossAttention(8, 0),
                                  lambda: nn.GroupNorm(0, 8), lambda: nn.patchify(np.ones((1, 8, 8, 3)), 0)])
def test_0_parts_are_refused(make):
    with pytest.raises(ValueError, match="(heads|groups|patch_size) must be at least 1, got 0"):
        make()


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
    for rate in (-0.1, 1, np.nan):
        with pytest.raises(ValueError, match=f"drop_path_rates: rate must be at least 0 and less than 1, got {rate}"):
            nn.drop_path_rates(rate, (1,))  # also where no block would get it


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
    with pytest.raises(ValueError, match="rate must be at least 0 and less than 1, got 1"):
        layer(1)
