"""Files, both ways: what timm and transformers save is loaded here, and what is saved here is loaded there."""

import numpy as np
import pytest
from PIL import Image

import minivit
from minivit.interop import save
from minivit.interop.config import TIMM_ARCHITECTURES, facts_of
from minivit.interop.official.facts import apply
from minivit.interop.official.vit import HEADS
from minivit.models.vit import ViT
from minivit.nn import BatchNorm2d
from minivit.tasks.mae import MAE
from tests.golden.case import FACTS, relative
from tests.golden.draw import draw, pictures
from tests.interop.models import PAIRS, channels_of
from tests.parity.official import channels_first, logits_of, timm, torch, transformers

NOISE = np.arange(16.0)[None]
# everything but width and depth as published
TIMM = ["vit_tiny_patch16_224", "vit_base_patch16_gap_224", "vit_base_patch16_siglip_224",
        "deit_tiny_distilled_patch16_224", "resnet18", "resnet50", "swin_tiny_patch4_window7_224"]
SMALL = {"vit": dict(depth=1, embed_dim=24, num_heads=3), "deit": dict(depth=1, embed_dim=24, num_heads=3),
         "resnet": dict(layers=(1, 1, 1, 1)), "swin": dict(depths=(1, 1, 2, 1), embed_dim=12, num_heads=(1, 2, 2, 4))}


def outputs_of(model, images):
    """The prediction of one of our models."""
    if isinstance(model, MAE):
        return model.predict(images, NOISE >= 4)[0].numpy()
    return model(images).numpy()


def official_outputs_of(model, images):
    """The prediction of an official model."""
    noise = {"noise": torch.from_numpy(NOISE)} if "MAE" in type(model).__name__ else {}
    with torch.no_grad():
        return logits_of(model(channels_first(images), **noise)).numpy()


@pytest.mark.parametrize("make, names", [(make, names) for make, names in PAIRS if names != "jax"])
def test_what_is_saved_here_is_loaded_there(make, names, tmp_path):
    model = apply(make().initialise(1), FACTS[names.rstrip("4")]).eval()
    for norm in [module for module in model.modules() if isinstance(module, BatchNorm2d)]:
        norm.running_var.data = draw("running_var", norm.running_var.shape)
    save(model, tmp_path, names)
    if names == "timm":
        official = timm().create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    else:
        architecture = minivit.interop.translate.config_of(model, names)["architectures"][0]
        official, found = getattr(transformers(), architecture).from_pretrained(tmp_path, output_loading_info=True)
        assert not any(found.values()), found  # nothing missing, unexpected, or misshapen
    images = pictures(1, *model.image_size, channels_of(model)).astype(np.float32)
    assert relative(outputs_of(model, images), official_outputs_of(official, images)) < 1e-4


@pytest.mark.parametrize("architecture", TIMM)
def test_what_timm_saves_is_loaded_here(architecture, tmp_path):
    small = SMALL[architecture.partition("_")[0].rstrip("0123456789")]
    official = timm().create_model(architecture, num_classes=1000, **small).eval()
    timm().models.save_for_hf(official, tmp_path, safe_serialization=True)
    model = minivit.load(tmp_path)
    images = pictures(1, 224, 224).astype(np.float32)
    assert relative(model(images).numpy(), official_outputs_of(official, images)) < 1e-4
    assert model.pretrained.classes[1] == "goldfish"
    image = Image.fromarray((40 * np.abs(pictures(1, 300, 471)[0])).clip(0, 255).astype(np.uint8))
    transform = timm().data.create_transform(**timm().data.resolve_model_data_config(official))
    np.testing.assert_allclose(model.pretrained.preprocessing(image), transform(image).permute(1, 2, 0), atol=1e-6)


def test_what_the_names_of_timms_architectures_say_beyond_shapes():
    """Of all those that are loaded: the number of heads, the form of GELU, the epsilon of LayerNorm."""
    for name in filter(TIMM_ARCHITECTURES.fullmatch, timm().list_models()):
        with torch.device("meta"):
            official = timm().create_model(name)
        if hasattr(official, "blocks"):
            heads = facts_of({"architecture": name}, "timm").get("heads", HEADS[official.embed_dim])
            assert official.blocks[0].attn.num_heads == heads, name
        for module in official.modules():
            assert getattr(module, "approximate", "none") == "none", name
            if isinstance(module, torch.nn.LayerNorm):
                assert module.eps == (1e-5 if "swin" in name else 1e-6), name


VIT = dict(hidden_size=24, num_hidden_layers=1, num_attention_heads=4, intermediate_size=48)


@pytest.mark.parametrize("name, processor, settings", [
    ("ViTForImageClassification", "ViTImageProcessorPil", VIT),
    ("DeiTForImageClassificationWithTeacher", "DeiTImageProcessorPil", VIT),
    ("SwinForImageClassification", "ViTImageProcessorPil", dict(embed_dim=12, depths=[1, 2], num_heads=[2, 3])),
    ("ResNetForImageClassification", "ConvNextImageProcessorPil",
     dict(embedding_size=8, hidden_sizes=[32, 64], depths=[1, 2])),
])
def test_what_transformers_saves_is_loaded_here(name, processor, settings, tmp_path):
    labels = {0: "cat", 1: "dog", 2: "ship"}
    architecture = getattr(transformers(), name)
    official = architecture(architecture.config_class(id2label=labels, **settings)).eval()
    processor = getattr(transformers(), processor)(**{"size": {"shortest_edge": 224}} if "Conv" in processor else {})
    official.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    model = minivit.load(tmp_path)
    assert model.pretrained.classes == ("cat", "dog", "ship")
    images = pictures(1, 224, 224).astype(np.float32)
    assert relative(model(images).numpy(), official_outputs_of(official, images)) < 1e-4
    image = Image.fromarray((40 * np.abs(pictures(1, 301, 472)[0])).clip(0, 255).astype(np.uint8))
    expected = processor(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
    np.testing.assert_allclose(model.pretrained.preprocessing(image), expected, atol=1e-5)


def test_a_masked_autoencoder_that_transformers_saves_is_loaded_here(tmp_path):
    config = transformers().ViTMAEConfig(image_size=16, patch_size=4, decoder_hidden_size=16, mask_ratio=0.75,
                                         decoder_num_attention_heads=4, decoder_num_hidden_layers=1,
                                         decoder_intermediate_size=64, **VIT)
    official = transformers().ViTMAEForPreTraining(config).eval()
    official.save_pretrained(tmp_path)
    images = pictures(1, 16, 16).astype(np.float32)
    assert relative(outputs_of(minivit.load(tmp_path), images), official_outputs_of(official, images)) < 1e-4


def test_the_authors_file_is_read_as_timm_reads_it(tmp_path):
    model = ViT(image_size=32, patch_size=8, num_classes=3, dim=24, depth=2, heads=3).initialise(1)
    save(model, tmp_path / "ViT.npz", "jax")
    official = timm().create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, num_classes=3, embed_dim=24,
                                   depth=2, num_heads=3, act_layer="gelu_tanh")
    official.load_pretrained(str(tmp_path / "ViT.npz"))
    images = pictures(2, 32, 32).astype(np.float32)
    loaded = minivit.load(tmp_path / "ViT.npz")
    assert relative(loaded(images).numpy(), official_outputs_of(official.eval(), images)) < 1e-4
