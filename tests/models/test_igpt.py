"""Image GPT's ideas, one by one."""

import json

import numpy as np
import pytest

import minivit
from minivit import create
from minivit.models.igpt import IGPT, colour_cube, nearest_colours
from tests.families.igpt import SIZES
from tests.parity.official import transformers


def test_a_cube_of_colours_and_the_nearest_of_them(rng):
    cube = colour_cube(None, (64, 3))
    assert cube.shape == (64, 3)
    assert len({tuple(colour) for colour in cube}) == 64
    assert (cube.min(), cube.max()) == (-1, 1)
    images = rng.uniform(-1.2, 1.2, (2, 3, 4, 3))
    found = nearest_colours(images, cube)
    for b, pixels in enumerate(images.reshape(2, 12, 3)):
        for n, pixel in enumerate(pixels):
            assert found[b, n] == ((cube - pixel) ** 2).sum(axis=1).argmin()


def test_no_pixel_sees_itself_or_what_comes_after_it(rng):
    model = IGPT(**SIZES).initialise(1)
    colours = rng.integers(0, 27, (1, 36))
    before = model.next_colours(model.shifted(colours)).numpy()
    for place in (0, 17, 34):
        other = colours.copy()
        other[0, place] = (other[0, place] + 1) % 27
        changed = (model.next_colours(model.shifted(other)).numpy() != before).any(axis=(0, 2))
        assert not changed[:place + 1].any()
        assert changed[place + 1:].all()


def test_a_beginning_is_read_as_the_beginning_of_a_whole(rng):
    model = IGPT(**SIZES).initialise(1)
    colours = model.shifted(rng.integers(0, 27, (2, 36)))
    np.testing.assert_allclose(model.next_colours(colours[:, :10]).numpy(), model.next_colours(colours).numpy()[:, :10],
                               rtol=1e-4, atol=1e-6)


def test_pixels_are_means_of_squares(rng):
    model, images = create("igpt"), rng.standard_normal((2, 32, 32, 3), np.float32)
    means = images.reshape(2, 16, 2, 16, 2, 3).mean(axis=(2, 4))
    np.testing.assert_array_equal(model.colours_of(images), nearest_colours(means, model.palette.numpy()))
    with pytest.raises(ValueError, match="images: 31 x 32 pixels cannot be shrunk by 2"):
        model(images[:, 1:])
    with pytest.raises(ValueError, match="image_size: 31 x 31 pixels cannot be shrunk by 2"):
        create("igpt", image_size=31)
    with pytest.raises(ValueError, match="depth: expected 2 blocks or more, the head reads from their middle; got 1"):
        create("igpt", depth=1)


def test_the_head_reads_the_middle(rng):
    model, images = create("igpt", seed=1).eval(), rng.standard_normal((2, 32, 32, 3), np.float32)
    middle, = model.features(images, layers=(2,))
    expected = model.head(model.blocks[3].norm1(middle).mean(axis=(1, 2)))
    np.testing.assert_allclose(model(images).numpy(), expected.numpy(), rtol=1e-5)


@pytest.mark.parametrize("variant, parameters", [("S", 76_682_240), ("M", 455_489_536), ("L", 1_362_914_304)])
def test_the_paper_s_sizes(variant, parameters):
    """76, 455 and 1362 millions (section 3.3); these are the numbers of transformers, with biases."""
    assert sum(p.size for p in create("igpt", variant, num_classes=0).parameters()) == parameters


@pytest.mark.parity
def test_what_transformers_saves_is_loaded_with_its_palette(tmp_path, rng):
    import torch
    library = transformers()
    official = library.ImageGPTForCausalImageModeling(library.ImageGPTConfig(
        vocab_size=28, n_positions=36, n_embd=24, n_layer=3, n_head=3)).eval()
    official.save_pretrained(tmp_path)
    clusters = rng.uniform(-1, 1, (27, 3)).round(3)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({
        "clusters": clusters.tolist(), "do_normalize": True, "do_resize": True, "resample": 2, "size": 6,
        "feature_extractor_type": "ImageGPTFeatureExtractor"}))
    model, images = minivit.load(tmp_path), rng.uniform(-1, 1, (2, 6, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(model.palette.numpy(), clusters, rtol=1e-6)
    ids = model.shifted(model.colours_of(images))
    with torch.no_grad():
        expected = official(torch.from_numpy(ids)).logits
        loss = official(torch.from_numpy(ids), labels=torch.from_numpy(ids)).loss.item()
    logits = model.next_colours(ids)
    np.testing.assert_allclose(logits.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)
    theirs = minivit.ops.cross_entropy(logits[:, :-1], ids[:, 1:])  # they ask for what follows the start and so on
    assert theirs.item() == pytest.approx(loss, rel=1e-5)
