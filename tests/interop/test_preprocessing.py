"""What becomes of a picture before a model sees it. (Against timm and transformers: tests/parity.)"""

import numpy as np
import pytest
from PIL import Image

from minivit.interop.preprocessing import (IMAGENET, Preprocessing, default, from_timm, from_transformers, to_timm,
                                           to_transformers)


@pytest.fixture
def image(rng):
    return Image.fromarray(rng.integers(0, 256, (31, 50, 3), np.uint8))


def test_the_shorter_side_is_resized_and_the_centre_kept(image):
    found = Preprocessing(20, (16, 18), "bilinear", (0.5, 0.25, 0), (1, 0.5, 0.25))(image)
    resized = np.asarray(image.resize((int(20 * 50 / 31), 20), Image.Resampling.BILINEAR), np.float32) / 255
    expected = (resized[2:18, 7:25] - [0.5, 0.25, 0]) / [1, 0.5, 0.25]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("floor, start", [(True, 1), (False, 2)])
def test_an_odd_margin_is_cut_as_each_library_does(floor, start, image):
    found = Preprocessing((31, 50), (28, 50), mean=(0,) * 3, std=(1,) * 3, floor=floor)(image)
    np.testing.assert_allclose(found, np.asarray(image)[start:start + 28] / 255, atol=1e-6)


def test_files_arrays_and_grey_pictures(image, tmp_path):
    preprocessing = default((24, 24))
    expected = preprocessing(image)
    image.save(tmp_path / "p.png")
    np.testing.assert_array_equal(preprocessing(tmp_path / "p.png"), expected)
    np.testing.assert_array_equal(preprocessing(np.asarray(image)), expected)
    assert preprocessing(image.convert("L")).shape == (24, 24, 3)


def test_a_photograph_is_turned_upright(image, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn clockwise
    image.save(tmp_path / "p.png", exif=exif)
    found = Preprocessing((50, 31), (50, 31), mean=(0,) * 3, std=(1,) * 3)(tmp_path / "p.png")
    np.testing.assert_allclose(found, np.rot90(np.asarray(image), -1) / 255, atol=1e-6)


def test_what_timm_writes():
    config = {"pretrained_cfg": {"input_size": [3, 224, 224], "crop_pct": 0.9, "interpolation": "bicubic",
                                 "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}}
    expected = Preprocessing(248, (224, 224), "bicubic", (0.5,) * 3, (0.5,) * 3)
    assert from_timm(config) == expected
    assert from_timm(config["pretrained_cfg"]) == expected  # an older file, without the inner dictionary
    assert from_timm({}) == default((224, 224))
    with pytest.raises(ValueError, match="crop_mode 'border' for pictures of 8 x 8 pixels is not known"):
        from_timm({"input_size": [3, 8, 8], "crop_mode": "border"})


@pytest.mark.parametrize("config, expected", [
    # as the hub has them for ViT, DeiT, Swin and ResNet
    ({"size": 224, "resample": 2, "image_mean": [0.5] * 3, "image_std": [0.5] * 3},
     Preprocessing((224, 224), (224, 224), "bilinear", (0.5,) * 3, (0.5,) * 3, floor=True)),
    ({"size": 256, "do_center_crop": True, "crop_size": 224, "resample": 3, "image_mean": IMAGENET["mean"],
      "image_std": IMAGENET["std"]}, Preprocessing((256, 256), (224, 224), floor=True)),
    ({"size": {"height": 384, "width": 384}, "resample": 3, "image_mean": IMAGENET["mean"],
      "image_std": IMAGENET["std"]}, Preprocessing((384, 384), (384, 384), floor=True)),
    ({"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.875, "resample": 3,
      "image_mean": IMAGENET["mean"], "image_std": IMAGENET["std"]}, Preprocessing(256, (224, 224), floor=True)),
    ({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}, "resample": 3,
      "image_mean": IMAGENET["mean"], "image_std": IMAGENET["std"]}, Preprocessing((384, 384), (384, 384), floor=True)),
    ({"size": {"shortest_edge": 40}, "do_center_crop": True, "crop_size": {"height": 32, "width": 36}},
     Preprocessing(40, (32, 36), "bilinear", (0.5,) * 3, (0.5,) * 3, floor=True)),
])
def test_what_transformers_writes(config, expected):
    assert from_transformers(config) == expected


@pytest.mark.parametrize("switch, expected", [
    ({"do_normalize": False}, lambda pixels: pixels / 255),
    ({"do_rescale": False}, lambda pixels: (pixels - 0.5) / 0.5),
    ({"rescale_factor": 1 / 127.5}, lambda pixels: (pixels / 127.5 - 0.5) / 0.5),
    ({"image_processor_type": "MobileViTImageProcessor"}, lambda pixels: pixels[..., ::-1] / 255),
    ({"do_flip_channel_order": True}, lambda pixels: (pixels / 255 - 0.5) / 0.5),  # which ViT's processor does not know
    ({"do_resize": False}, lambda pixels: (pixels / 255 - 0.5) / 0.5),
    ({"do_resize": False, "do_center_crop": True, "crop_size": 20},
     lambda pixels: (pixels[5:25, 15:35] / 255 - 0.5) / 0.5),
])
def test_switches_of_transformers(switch, expected, image):
    size = {"height": 31, "width": 50}
    found = from_transformers({"image_processor_type": "ViTImageProcessor", "size": size} | switch)
    np.testing.assert_allclose(found(image), expected(np.asarray(image, np.float32)), atol=1e-5)
    assert from_transformers(to_transformers(found)) == found


@pytest.mark.parametrize("switch", [{"do_pad": True}, {"size_divisor": 32}, {"image_processor_type": "Mask2FormerX"},
                                    {"do_thumbnail": True}])
def test_what_is_no_setting_of_ours_is_refused_by_name(switch):
    with pytest.raises(ValueError, match=f"preprocessor_config.json: .*{next(iter(switch))}"):
        from_transformers({"size": 224, **switch})
    assert from_transformers({"size": 224, "do_pad": None, "do_convert_rgb": True}) == from_transformers({"size": 224})


@pytest.mark.parametrize("resize, crop", [(256, (224, 224)), (73, (64, 64)), (235, (224, 224)), ((40, 40), (32, 32)),
                                          ((24, 40), (24, 40))])
def test_what_is_written_is_read_again(resize, crop):
    preprocessing = Preprocessing(resize, crop, "lanczos", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert from_timm({"pretrained_cfg": to_timm(preprocessing)}) == preprocessing
    found = from_transformers(to_transformers(preprocessing))
    assert found == Preprocessing(resize, crop, "lanczos", (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), floor=True)


def test_a_crop_larger_than_the_picture_is_refused():
    with pytest.raises(ValueError, match="cannot keep 32 x 32 pixels of a picture that was resized to 30 x 40"):
        Preprocessing((30, 40), (32, 32))
