"""Files, both ways: what timm and transformers save is loaded here, and what is saved here is loaded there."""

import numpy as np
import pytest
from PIL import Image

import minivit
from minivit.interop import save
from minivit.interop.checkpoint import build
from minivit.interop.families import families
from minivit.interop.translate import config_of
from minivit.models.vit import ViT
from minivit.nn import BatchNorm2d, Conv2d, Dropout
from minivit.ops import gelu_tanh
from tests.golden.case import relative
from tests.golden.draw import draw, pictures
from tests.interop.models import FOLDERS
from tests.known import collect, label
from tests.parity.official import (channels_first, our_numbers, save_with_timm, their_numbers, timm, torch,
                                   transformers)


@pytest.mark.parametrize("make, names", FOLDERS, ids=label)
def test_what_is_saved_here_is_loaded_there(make, names, tmp_path):
    if names in make.unread:
        pytest.skip("the library's code makes no such model")
    model = make(names).initialise(1).eval()
    for norm in [module for module in model.modules() if isinstance(module, BatchNorm2d)]:
        norm.running_var.data = draw("running_var", norm.running_var.shape)
    save(model, tmp_path, names)
    if names == "timm":
        official = timm().create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    else:
        architecture = config_of(model, names)["architectures"][0]
        official, found = getattr(transformers(), architecture).from_pretrained(tmp_path, output_loading_info=True)
        assert not any(found.values()), found  # nothing missing, unexpected, or misshapen
    images = pictures(1, *model.image_size, make.channels).astype(np.float32)
    assert relative(our_numbers(make, model, images), their_numbers(make, official, images)) < 1e-4


@pytest.mark.parametrize("saved", collect("TIMM"), ids=lambda saved: saved.name)
def test_what_timm_saves_is_loaded_here(saved, tmp_path):
    official = timm().create_model(saved.name, num_classes=1000, **saved.settings).eval()
    save_with_timm(official, tmp_path)
    model = minivit.load(tmp_path)
    images = pictures(1, *official.pretrained_cfg["input_size"][1:]).astype(np.float32)
    assert relative(our_numbers(saved, model, images), their_numbers(saved, official, images)) < 1e-4
    assert model.pretrained.classes[1] == "goldfish"
    image = Image.fromarray((40 * np.abs(pictures(1, 300, 471)[0])).clip(0, 255).astype(np.uint8))
    transform = timm().data.create_transform(**timm().data.resolve_model_data_config(official))
    np.testing.assert_allclose(model.pretrained.preprocessing(image), transform(image).permute(1, 2, 0), atol=1e-6)


def test_what_the_names_of_timms_architectures_say_beyond_shapes():
    """Of all those that are loaded: the number of heads, the form of GELU, the epsilon of LayerNorm.

    What their factories set is what is understood, at full size and without an allocation.
    """
    for family in families().values():
        config = family.configs.get("timm")
        for name in [] if config is None else timm().list_models():
            content = {"architecture": name}
            if config.describes(content):
                with torch.device("meta"):
                    official = timm().create_model(name)
                tensors = {name: np.broadcast_to(np.float32(0), x.shape) for name, x in official.state_dict().items()}
                model, *_ = build(tensors, name, content, None, {})
                assert sum(p.size for p in model.parameters()) == sum(p.numel() for p in official.parameters()), name
                same_everywhere(model, official, name)


def same_everywhere(model, official, name):
    """The epsilons of all normalisation layers, the numbers of heads, the activations."""
    ours = [module for module in model.modules() if not isinstance(module, Dropout)]
    theirs = list(official.modules())
    # timm's order is another; weights that are standardised, in convolutions, are compared by their outputs
    eps = [sorted(m.eps for m in modules if hasattr(m, "eps") and hasattr(m, "weight")  # not XCiT's positions
                  and not isinstance(m, (Conv2d, torch.nn.Conv2d))) for modules in (ours, theirs)]
    assert eps[0] == eps[1], name
    heads = [m for m in theirs if hasattr(m, "num_heads")]
    heads = [m.num_heads for m in heads if not set(m.modules()) & set(heads) - {m}]  # parts know it too, and the block
    assert [m.heads for m in ours if hasattr(m, "heads")] == heads, name
    for module in theirs:
        assert getattr(module, "approximate", "none") == "none", name


# of ResNet's files and of Apple's; what their processors have by default is smaller than what they crop
SHORTER_EDGES = {"ConvNextImageProcessorPil": 224, "MobileViTImageProcessorPil": 288}


@pytest.mark.parametrize("saved", collect("TRANSFORMERS"), ids=lambda saved: saved.name)
def test_what_transformers_saves_is_loaded_here(saved, tmp_path):
    labels = {0: "cat", 1: "dog", 2: "ship"}
    architecture = getattr(transformers(), saved.name)
    official = architecture(architecture.config_class(id2label=labels, **saved.settings)).eval()
    official.save_pretrained(tmp_path)
    if saved.processor:
        processor = getattr(transformers(), saved.processor)
        edge = SHORTER_EDGES.get(saved.processor)
        processor = processor(**{"size": {"shortest_edge": edge}} if edge else {})
        processor.save_pretrained(tmp_path)
    model = minivit.load(tmp_path)
    images = pictures(1, *model.image_size).astype(np.float32)
    assert relative(our_numbers(saved, model, images), their_numbers(saved, official, images)) < 1e-4
    if saved.processor:
        assert model.pretrained.classes == ("cat", "dog", "ship")
        image = Image.fromarray((40 * np.abs(pictures(1, 301, 472)[0])).clip(0, 255).astype(np.uint8))
        expected = processor(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
        np.testing.assert_allclose(model.pretrained.preprocessing(image), expected, atol=1e-5)


def test_the_authors_file_is_read_as_timm_reads_it(tmp_path):
    model = ViT(image_size=32, patch_size=8, num_classes=3, dim=24, depth=2, heads=3, activation=gelu_tanh)
    save(model.initialise(1), tmp_path / "ViT.npz", "jax")
    official = timm().create_model("vit_tiny_patch16_224", img_size=32, patch_size=8, num_classes=3, embed_dim=24,
                                   depth=2, num_heads=3, act_layer="gelu_tanh")
    official.load_pretrained(str(tmp_path / "ViT.npz"))
    images = pictures(2, 32, 32).astype(np.float32)
    loaded = minivit.load(tmp_path / "ViT.npz")
    with torch.no_grad():
        expected = official.eval()(channels_first(images)).numpy()
    assert relative(loaded(images).numpy(), expected) < 1e-4
