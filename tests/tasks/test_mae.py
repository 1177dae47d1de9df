"""MAE: masking, the loss, its pictures, learning one batch, and equality with transformers."""

from functools import partial

import numpy as np
import pytest

import minivit
from minivit import Tensor, grad, gradcheck, nn
from minivit.counting import count
from minivit.models.vit import ViT
from minivit.tasks import mae
from tests.counterpart import assert_equal, assert_same_on, draw, import_official


def create(**settings):
    return mae.VARIANTS["cifar"](**settings).initialise(0)


@pytest.mark.parametrize("patches, ratio, visible", [(64, 0.75, 16), (196, 0.75, 49), (10, 0.5, 5), (9, 0.4, 5)])
def test_random_masking_hides_the_ratio_in_every_picture(patches, ratio, visible, rng):
    keep, restore = mae.random_masking(rng, 5, patches, ratio)
    assert keep.shape == (5, visible)
    assert restore.shape == (5, patches)
    shown = restore < visible
    for row in range(5):
        assert sorted(np.flatnonzero(shown[row])) == sorted(keep[row])
        assert sorted(restore[row]) == list(range(patches))
    np.testing.assert_array_equal(np.take_along_axis(restore, keep, 1), np.tile(np.arange(visible), (5, 1)))


def test_every_patch_is_hidden_equally_often(rng):
    _, restore = mae.random_masking(rng, 20_000, 8, 0.75)
    np.testing.assert_allclose((restore >= 2).mean(axis=0), 0.75, atol=0.02)


def test_a_given_mask_is_what_is_hidden(rng):
    mask = rng.random((4, 12)).argsort(axis=1) < 7
    keep, restore = mae.given_masking(mask, 4, 12)
    assert keep.shape == (4, 5)
    np.testing.assert_array_equal(restore >= 5, mask)


def test_pick_and_its_gradient(rng):
    x, index = rng.standard_normal((3, 6, 4)), rng.random((3, 6)).argsort(axis=1)[:, :4]
    np.testing.assert_array_equal(mae.pick(x, index).numpy(), np.take_along_axis(x, index[..., None], 1))
    gradcheck(lambda x: mae.pick(x, index), x, rng=rng)


def test_the_encoder_sees_nothing_of_what_is_hidden(rng):
    model, mask = create(), rng.random((2, 64)).argsort(axis=1) < 48
    images = rng.standard_normal((2, 32, 32, 3), np.float32)
    noise = nn.patchify(rng.standard_normal(images.shape, np.float32), 4) * mask[..., None]
    others = images + nn.unpatchify(noise, (8, 8), 3)
    (codes, _), (same, _) = model.encode(images, mask), model.encode(others, mask)
    assert codes.shape == (2, 16, 128)
    np.testing.assert_array_equal(codes.numpy(), same.numpy())


def test_the_loss_is_of_hidden_patches_with_normalised_pixels(rng):
    model, mask = create(), rng.random((2, 64)).argsort(axis=1) < 48
    images = rng.standard_normal((2, 32, 32, 3), np.float32)
    prediction, hidden = model.predict_pixels(images, mask)
    np.testing.assert_array_equal(hidden, mask)
    patches = nn.patchify(images, 4)
    target = (patches - patches.mean(-1, keepdims=True)) / np.sqrt(patches.var(-1, ddof=1, keepdims=True) + 1e-6)
    expected = ((prediction.numpy() - target) ** 2)[mask].mean()
    assert model(images, mask).item() == pytest.approx(expected, rel=1e-5)


def test_the_pictures(rng):
    model, mask = create(), rng.random((2, 64)).argsort(axis=1) < 48
    images = rng.standard_normal((2, 32, 32, 3), np.float32)
    seen, painted = (nn.patchify(picture.numpy(), 4) for picture in model.reconstruct(images, mask))
    patches, prediction = nn.patchify(images, 4), model.predict_pixels(images, mask)[0].numpy()
    np.testing.assert_array_equal(seen, patches * ~mask[..., None])
    np.testing.assert_array_equal(painted[~mask], patches[~mask])
    centre, scale = patches[mask].mean(-1, keepdims=True), patches[mask].std(-1, ddof=1, keepdims=True)
    np.testing.assert_allclose(painted[mask], prediction[mask] * scale + centre, rtol=1e-4, atol=1e-5)


def test_masks_come_from_the_current_generator(rng):
    model, images = create(), rng.standard_normal((2, 32, 32, 3), np.float32)

    def hidden(seed):
        with nn.randomness(np.random.default_rng(seed)):
            return model.predict_pixels(images)[1]
    np.testing.assert_array_equal(hidden(1), hidden(1))
    assert (hidden(1) != hidden(2)).any()
    assert (hidden(1)[0] != hidden(1)[1]).any()


def test_every_parameter_gets_a_finite_gradient_and_positions_stay_fixed(rng):
    model = create()
    gradients = grad(model(rng.standard_normal((2, 32, 32, 3), np.float32)), model.parameters())
    for (name, _), gradient in zip(model.named_parameters(), gradients, strict=True):
        assert gradient.dtype == np.float32, name
        assert np.isfinite(gradient).all(), name
        assert np.abs(gradient).max() > 0, name
    assert [name for name, _ in model.named_buffers()] == ["encoder.positions", "decoder.positions"]
    np.testing.assert_array_equal(model.encoder.positions.numpy()[0], nn.sincos_positions(8, 8, 128))


def test_learns_to_paint_one_batch(rng):
    """Pictures of a repeated texture can be painted from what is visible, whatever is hidden."""
    from minivit.train.optim import AdamW
    model = create()
    images = np.tile(rng.standard_normal((4, 4, 4, 3), np.float32), (1, 8, 8, 1))
    optimiser = AdamW(model.parameters(), lr=5e-3)
    for step in range(40):
        with nn.randomness(np.random.default_rng(step)):
            loss = model(images)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if loss.item() < 0.05:
            break
    assert loss.item() < 0.05


def test_a_vit_takes_over_the_encoder():
    model, vit = create(), minivit.create("vit", "cifar")
    state = vit.state_dict() | model.encoder.state_dict()
    vit.load_state_dict(state)
    images = np.ones((1, 32, 32, 3), np.float32)
    np.testing.assert_array_equal(vit.encode(vit.embed(images)).numpy(),
                                  model.encoder.encode(model.encoder.embed(images)).numpy())


def test_on_a_device(device, rng):
    model, mask = create(), rng.random((2, 64)).argsort(axis=1) < 48
    images = Tensor(rng.standard_normal((2, 32, 32, 3), np.float32))
    assert_same_on(device, model, lambda model, place: model(images.to(place), mask))
    assert np.isfinite(model(images.to(device)).item())  # with a mask of its own
    _, hidden = model.predict_pixels(images.to(device))
    assert [picture.device for picture in model.reconstruct(images.to(device), hidden)] == [device, device]


@pytest.mark.parametrize("architecture, placed", [("vit", 64), ("deit", 66), ("deit3", 64), ("cait", 64)])
def test_the_encoder_has_a_position_for_each_token_that_had_one(architecture, placed, rng):
    make = partial(minivit.create, architecture, "cifar")
    model = mae.MAE(make, **mae.MAE.defaults["task_settings"]).initialise(0)
    assert model.encoder.positions.shape == make().positions.shape == (1, placed, make().norm.weight.size)
    assert np.isfinite(model(rng.standard_normal((2, 32, 32, 3), np.float32)).item())


@pytest.mark.parametrize("architecture", ["resnet", "vitc", "vit_hybrid"])
def test_a_model_that_does_not_begin_with_patches_is_refused(architecture):
    with pytest.raises(ValueError, match="mae: needs a model that begins with patches, as vit; this is a"):
        mae.MAE(partial(minivit.create, architecture, "cifar"))


@pytest.mark.parametrize("variant, encoder", [("base", 86), ("large", 303), ("huge", 631)])
def test_the_paper_s_encoders(variant, encoder):
    """ViT-B, L and H (2010.11929, table 1) without head and positions; the decoder is 512 wide and 8 deep."""
    model = mae.VARIANTS[variant]()
    assert sum(p.size for p in model.encoder.parameters()) / 1e6 == pytest.approx(encoder, abs=1)
    assert len(model.decoder.blocks) == 8
    assert model.decoder.mask_token.shape == (1, 1, 512)


def test_the_encoder_costs_a_quarter():
    """Its 49 visible of 196 patches and the class token, against 197 tokens."""
    encoder = [row for row in count(mae.VARIANTS["base"](), (1, 224, 224, 3)).rows if row.name == "encoder.blocks.0"]
    vit = [row for row in count(minivit.create("vit", "base"), (1, 224, 224, 3)).rows if row.name == "blocks.0"]
    assert encoder[0].inputs == (1, 50, 768)
    assert encoder[0].multiply_adds < vit[0].multiply_adds / 3.9


def test_errors_name_the_numbers(rng):
    model, images = create(), np.zeros((2, 32, 32, 3), np.float32)
    with pytest.raises(ValueError, match=r"mask: expected shape \(2, 64\), pictures by patches, got \(2, 49\)"):
        model(images, np.ones((2, 49), bool))
    with pytest.raises(ValueError, match="visible are 0 of 64"):
        model(images, np.ones((2, 64), bool))
    with pytest.raises(ValueError, match="visible are 4, 10 of 64"):
        model(images, np.arange(64) >= np.array([[4], [10]]))
    with pytest.raises(ValueError, match="mask_ratio: 0.99 of 64 patches leaves none to see"):
        create(mask_ratio=0.99)
    with pytest.raises(ValueError, match=r"expected shape \(B, height, width, 3\), got \(2, 32, 32, 1\)"):
        model(images[..., :1])


def transformers_name(name):
    """Our name of a parameter in the words of transformers."""
    if "qkv" in name:
        return [transformers_name(name.replace("qkv", part)) for part in ("q_proj", "k_proj", "v_proj")]
    for ours, theirs in [("decoder.embed", "decoder.decoder_embed"), ("decoder.positions", "decoder.decoder_pos_embed"),
                         ("decoder.blocks", "decoder.decoder_layers"), ("decoder.norm.", "decoder.decoder_norm."),
                         ("decoder.head", "decoder.decoder_pred"), ("encoder.norm.", "vit.layernorm."),
                         ("encoder.positions", "vit.embeddings.position_embeddings"),
                         ("encoder.class_token", "vit.embeddings.cls_token"), ("encoder.blocks", "vit.layers"),
                         ("encoder.patch_embed.", "vit.embeddings.patch_embeddings.projection."),
                         ("norm1.", "layernorm_before."), ("norm2.", "layernorm_after."), ("mlp.linear", "mlp.fc"),
                         ("attention.proj", "attention.o_proj")]:
        name = name.replace(ours, theirs)
    return name


@pytest.mark.parity
@pytest.mark.parametrize("size, patch, batch, ratio", [(16, 4, 3, 0.75), (12, 2, 2, 0.5), (20, 4, 1, 0.6)])
@pytest.mark.parametrize("output", ["loss", "logits"])
def test_equal_to_transformers(size, patch, batch, ratio, output, rng):
    transformers = import_official("transformers")
    import torch
    official = draw(transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(
        image_size=size, patch_size=patch, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, decoder_hidden_size=8, decoder_num_hidden_layers=1, decoder_num_attention_heads=2,
        decoder_intermediate_size=32, mask_ratio=ratio, norm_pix_loss=True, layer_norm_eps=1e-6,
        attn_implementation="sdpa")))
    vit = dict(image_size=size, patch_size=patch, dim=16, depth=2, heads=2)
    ours = mae.MAE(ViT, decoder_dim=8, decoder_depth=1, decoder_heads=2, mask_ratio=ratio, **vit)
    noise = rng.random((batch, (size // patch) ** 2))
    mask = official.vit.embeddings.random_masking(torch.zeros(*noise.shape, 1), torch.tensor(noise))[1].numpy() > 0

    def run(model, x):
        return model(x, mask) if output == "loss" else model.predict_pixels(x, mask)[0]
    assert_equal(ours, official, transformers_name, rng.standard_normal((batch, size, size, 3)), run,
                 lambda model, x: getattr(model(x, noise=torch.tensor(noise)), output))


@pytest.mark.parity
@pytest.mark.parametrize("dim, side", [(16, 4), (64, 7)])
def test_positions_are_those_of_transformers(dim, side):
    transformers = import_official("transformers")
    official = transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(
        image_size=4 * side, patch_size=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        decoder_hidden_size=dim, decoder_num_hidden_layers=1, decoder_num_attention_heads=2))
    official.decoder.initialize_weights(side * side)
    np.testing.assert_allclose(mae.fixed_positions((side, side), 1, dim).numpy(),
                               official.decoder.decoder_pos_embed.detach().numpy(), atol=1e-6)
