"""Folders and files as timm, transformers and the hub lay them out."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import minivit
from minivit.interop import Preprocessing, load_weights, predict_classes, save, to_official
from minivit.interop.files import write_tensors
from minivit.models.deit import DeiT
from minivit.models.levit import DistilledLeViT
from minivit.models.resnet import BasicBlock, ResNet
from minivit.models.swin import Swin
from minivit.models.swin_v2 import SwinV2
from minivit.models.vit import ViT
from minivit.nn import randomness
from minivit.ops import gelu_tanh
from tests.families.vit import SMALL as VIT
from tests.interop.models import FOLDERS, numbers
from tests.known import label


@pytest.fixture
def picture(tmp_path, rng):
    path = tmp_path / "picture.png"
    Image.fromarray(rng.integers(0, 256, (30, 44, 3), np.uint8)).save(path)
    return path


def assert_same_model(ours, loaded, channels=3, run=None):
    assert type(loaded) is type(ours)
    assert not loaded.training
    state, found = ours.state_dict(), loaded.state_dict()
    assert state.keys() == found.keys()
    assert all(np.array_equal(state[name], found[name]) for name in state)
    results = []
    for model in (ours.eval(), loaded):
        images = np.random.default_rng(0).standard_normal((1, *ours.image_size, channels), np.float32)
        with randomness(np.random.default_rng(1)):  # of a masked autoencoder
            results.append(numbers(run(model, images) if run else model(images)))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("make, names", FOLDERS, ids=label)
def test_a_saved_folder_gives_the_same_model(make, names, tmp_path):
    model = make(names).initialise(1)
    save(model, tmp_path / "folder", names)
    assert_same_model(model, minivit.load(tmp_path / "folder"), make.channels, make.run)


def test_a_file_without_config_is_enough_for_usual_widths(tmp_path):
    model = ViT(**VIT | dict(dim=192, depth=1)).initialise(1)
    save(model, tmp_path / "model.safetensors")
    assert_same_model(model, minivit.load(tmp_path / "model.safetensors"))


def test_what_shapes_do_not_tell_is_asked_for(tmp_path):
    model = ViT(**VIT).initialise(1)
    save(model, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"model.safetensors: heads: .*width 12.*load\(..., heads=...\)"):
        minivit.load(tmp_path / "model.safetensors")
    assert_same_model(model, minivit.load(tmp_path / "model.safetensors", heads=3))
    save(ViT(**VIT | dict(image_size=(8, 12))), tmp_path / "wide.safetensors")
    with pytest.raises(ValueError, match=r"image_size: 6 patches of 4 x 4 pixels make no square"):
        minivit.load(tmp_path / "wide.safetensors", heads=3)
    assert minivit.load(tmp_path / "wide.safetensors", heads=3, image_size=(8, 12)).grid == (2, 3)


def test_the_authors_file_has_heads_in_its_shapes_and_gelu_by_tanh(tmp_path):
    model = ViT(**VIT).initialise(1)
    save(model, tmp_path / "ViT.npz", "jax")
    loaded = minivit.load(tmp_path / "ViT.npz")
    assert loaded.blocks[0].attention.heads == 3
    assert loaded.blocks[1].mlp.activation is gelu_tanh
    assert loaded.pretrained.preprocessing == Preprocessing((16, 16), (16, 16), "bilinear", (0.5,) * 3, (0.5,) * 3)
    with pytest.raises(ValueError, match="ends in .npz for the names of the authors' JAX code"):
        save(model, tmp_path / "folder", "jax")


@pytest.mark.parametrize("classes", [3, 0])
@pytest.mark.parametrize("kind, asked, computed", [
    (Swin, {}, "relative_position_index"), (SwinV2, {"window": 2}, "relative_coords_table")])
def test_the_names_of_swins_authors_are_read(kind, asked, computed, classes, tmp_path):
    model = kind(image_size=32, num_classes=classes, dim=8, depths=(1, 1, 2), heads=(1, 2, 4), window=2).initialise(1)
    tensors = {f"layers.0.blocks.0.attn.{computed}": np.zeros((4, 4), np.int64)}
    for name, array in to_official(model).items():
        for stage in (1, 2):
            name = name.replace(f"layers.{stage}.downsample", f"layers.{stage - 1}.downsample")
        tensors[name.replace("head.fc", "head")] = array
    write_tensors(tmp_path / "swin.safetensors", tensors)
    assert_same_model(model, minivit.load(tmp_path / "swin.safetensors", image_size=32, **asked))


def test_levit_is_read_with_convolutions_in_the_place_of_linear_maps(tmp_path):
    model = DistilledLeViT(image_size=32, num_classes=3, dims=(16, 24), depths=(1, 2), heads=(1, 2), key_dim=4)
    tensors = {name: array[..., None, None] if name.endswith("linear.weight") and "head" not in name
               and array.ndim == 2 else array for name, array in to_official(model.initialise(1)).items()}
    write_tensors(tmp_path / "levit_conv.safetensors", tensors)
    assert_same_model(model, minivit.load(tmp_path / "levit_conv.safetensors"))


def test_windows_that_no_tensor_tells_are_asked_for(tmp_path):
    save(SwinV2(image_size=16, num_classes=3, dim=8, depths=(1,), heads=(2,), window=2), tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match=r"how many tokens are on a side of .*load\(\.\.\., window=\.\.\.\)"):
        minivit.load(tmp_path / "model.safetensors", image_size=16)


@pytest.mark.parametrize("kind", [Swin, SwinV2])
def test_a_key_of_the_hub_s_files_that_no_code_reads(kind, tmp_path):
    model = kind(image_size=16, num_classes=3, dim=8, depths=(1,), heads=(2,), window=2).initialise(1)
    save(model, tmp_path, "transformers")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"path_norm": True}))
    assert_same_model(model, minivit.load(tmp_path))


def test_a_missing_tensor_that_sizes_depend_on_is_named(tmp_path):
    tensors = to_official(ViT(**VIT), "transformers")
    del tensors["vit.embeddings.position_embeddings"]
    write_tensors(tmp_path / "model.safetensors", tensors)
    with pytest.raises(ValueError, match="model.safetensors: missing: vit.embeddings.position_embeddings"):
        minivit.load(tmp_path / "model.safetensors", heads=3)


@pytest.mark.parametrize("config, message", [
    ({"architecture": "resnetblur50"}, "timm's architecture 'resnetblur50' has no counterpart"),
    ({"architecture": "vit_base_patch16_clip_quickgelu_224"}, "has no counterpart"),
    ({"architecture": "vit_tiny_patch16_224", "model_args": {"num_heads": 3, "act_layer": "mish"}},
     "activation: 'mish' does not exist"),
])
def test_official_models_that_are_not_ours_are_refused(config, message, tmp_path):
    save(ViT(**VIT), tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ValueError, match=message):
        minivit.load(tmp_path)


@pytest.mark.parametrize("changed, message", [
    ({"model_type": "vit_msn"}, "model_type 'vit_msn' has no counterpart"),
    ({"model_type": "swin", "use_absolute_embeddings": True}, "a swin with use_absolute_embeddings = True"),
    ({"hidden_act": "softshrink"}, "activation: 'softshrink' does not exist"),
])
def test_configurations_that_are_not_ours_are_refused(changed, message, tmp_path):
    save(ViT(**VIT), tmp_path, "transformers")
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | changed))
    with pytest.raises(ValueError, match=message):
        minivit.load(tmp_path)


def test_weights_into_a_model_that_is_there(tmp_path):
    model = DeiT(**VIT).initialise(1)
    save(model, tmp_path / "deit")
    other = DeiT(**VIT).initialise(2)
    assert load_weights(other, tmp_path / "deit") is other
    assert np.array_equal(other.positions.data, model.positions.data)
    with pytest.raises(ValueError, match="holds a deit under the names of timm, not a ViT"):
        load_weights(ViT(**VIT), tmp_path / "deit")


def test_the_most_probable_classes_of_a_picture(picture, tmp_path):
    names, preprocessing = ("cat", "dog", "ship"), Preprocessing(20, (16, 16), "bicubic", (0.5,) * 3, (0.25,) * 3)
    model = ViT(**VIT).initialise(1)
    for format in ("timm", "transformers"):
        save(model, tmp_path / format, format, preprocessing=preprocessing, classes=names)
        loaded = minivit.load(tmp_path / format)
        assert loaded.pretrained.classes == names
        found = predict_classes(loaded, picture, top=2)
        logits = loaded(loaded.pretrained.preprocessing(picture)[None]).numpy()[0].astype(float)
        probabilities = np.exp(logits) / np.exp(logits).sum()
        assert [name for name, _ in found] == [names[k] for k in np.argsort(-probabilities)[:2]]
        np.testing.assert_allclose([p for _, p in found], np.sort(probabilities)[:0:-1], rtol=1e-5)


def test_a_model_of_thousand_classes_is_one_of_imagenet(tmp_path):
    save(ViT(**VIT | dict(num_classes=1000)), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["label_names"]  # as in timm's own files
    (tmp_path / "config.json").write_text(json.dumps(config))
    classes = minivit.load(tmp_path).pretrained.classes
    assert (len(classes), len(set(classes))) == (1000, 1000)
    assert [classes[k] for k in (0, 207, 281, 817, 999)] == [
        "tench", "golden retriever", "tabby", "sports car", "toilet tissue"]


def test_a_model_without_head_predicts_nothing(picture, tmp_path):
    save(ViT(**VIT | dict(num_classes=0)), tmp_path / "m")
    with pytest.raises(ValueError, match="has no head that tells classes apart"):
        predict_classes(minivit.load(tmp_path / "m"), picture)
    with pytest.raises(ValueError, match="classes: expected 3 names, one for each logit, got 2"):
        save(ViT(**VIT), tmp_path / "n", classes=["a", "b"])


def changed(folder, **settings):
    """Write settings over those of a folder's config.json; those of timm's models into model_args."""
    content = json.loads((folder / "config.json").read_text())
    content.get("model_args", content).update(settings)
    (folder / "config.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("make, names, settings", [
    (ViT, "timm", {"global_pool": "avg"}), (ViT, "timm", {"pool_include_prefix": True}),
    (ViT, "timm", {"act_layer": "elu"}), (ViT, "timm", {"norm_layer": "rmsnorm"}), (ViT, "timm", {"whatever": 1}),
    (ViT, "timm", {"num_heads": 5}), (ViT, "timm", {"depth": 3}), (ViT, "transformers", {"qkv_bias": False}),
    (ViT, "transformers", {"num_hidden_layers": 7}), (ViT, "transformers", {"quantization_config": {"bits": 4}}),
    (ResNet, "timm", {"output_stride": 16}), (ResNet, "timm", {"global_pool": "max"}),
    (ResNet, "timm", {"global_pool": ""}), (ResNet, "timm", {"act_layer": "silu"}),
    (ResNet, "transformers", {"hidden_act": "gelu"}), (ResNet, "transformers", {"downsample_in_bottleneck": True}),
], ids=lambda value: str(value))
def test_a_setting_that_is_not_ours_is_refused_by_name(make, names, settings, tmp_path):
    model = ViT(**VIT) if make is ViT else ResNet(BasicBlock, (1, 1, 1, 1), num_classes=3)
    save(model.initialise(1), tmp_path, names)
    with pytest.raises(ValueError, match=rf"(?s)config.json.*\b{next(iter(settings))}\b"):
        minivit.load(changed(tmp_path, **settings))


@pytest.mark.parametrize("names, settings", [
    ("timm", {"drop_path_rate": 0.1, "weight_init": "jax", "qk_norm": False, "init_values": None}),
    ("transformers", {"hidden_dropout_prob": 0.1, "torch_dtype": "float16", "pruned_heads": {}}),
])
def test_a_setting_that_changes_nothing_is_let_pass(names, settings, tmp_path):
    model = ViT(**VIT).initialise(1)
    save(model, tmp_path, names)
    assert_same_model(model, minivit.load(changed(tmp_path, **settings)))


def test_what_the_caller_says_comes_before_config_json(tmp_path):
    save(ViT(**VIT).initialise(1), tmp_path)
    loaded = minivit.load(tmp_path, eps=1e-3, activation=gelu_tanh, antialias=False)
    assert (loaded.norm.eps, loaded.blocks[0].mlp.activation, loaded.antialias) == (1e-3, gelu_tanh, False)
    with pytest.raises(ValueError, match="eps: 0.001 has no counterpart there, where it is always 1e-06"):
        save(loaded, tmp_path / "again")


@pytest.mark.parametrize("args", [{"model_args": None}, {"pretrained_cfg": None}])
def test_null_in_place_of_settings(args, tmp_path):
    model = ViT(**VIT | dict(dim=192, depth=1)).initialise(1)
    save(model, tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(content | args))
    assert_same_model(model, minivit.load(tmp_path))


@pytest.mark.parametrize("name", ["patch_embed.proj.weight", "patch_embed.proj.bias", "norm.weight", "pos_embed",
                                  "blocks.0.mlp.fc1.bias"])
def test_any_missing_tensor_is_named(name, tmp_path):
    tensors = to_official(ViT(**VIT))
    del tensors[name]
    write_tensors(tmp_path / "model.safetensors", tensors)
    with pytest.raises(ValueError, match=rf"model.safetensors: [^:]*:?\s*missing: {name}"):
        minivit.load(tmp_path / "model.safetensors", heads=3)


def test_the_folder_of_a_run_says_what_it_is(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"recipe": {"model": "vit"}}))
    with pytest.raises(ValueError, match="the folder of a run of `python -m minivit train`.*minivit.train.load_model"):
        minivit.load(tmp_path)


def test_names_that_are_nowhere(tmp_path, monkeypatch):
    for name in (tmp_path / "model.safetensors", "folder/model.safetensors", "vit", "a/b/c", "weights/x.bin"):
        with pytest.raises(FileNotFoundError, match="no such file or folder, and no name of the Hugging Face hub"):
            minivit.load(name)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(RuntimeError, match="timm/nothing: no such file or .* needs huggingface_hub: python -m pip"):
        minivit.load("timm/nothing")


@pytest.mark.parametrize("name", [None, "", " ", 5, ["model.safetensors"]])
def test_what_is_no_name(name):
    with pytest.raises(TypeError, match="expected a file, a folder or a name of the Hugging Face hub, got "):
        minivit.load(name)


def test_a_repository_with_a_pickle_alone_is_refused(tmp_path, monkeypatch):
    hub = SimpleNamespace(snapshot_download=lambda name, allow_patterns: tmp_path, errors=SimpleNamespace(
        HfHubHTTPError=OSError, LocalEntryNotFoundError=OSError, OfflineModeIsEnabled=OSError))
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    with pytest.raises(ValueError, match="some/vit: has no model.safetensors. A pytorch_model.bin is a pickle"):
        minivit.load("some/vit")


def test_the_hubs_cache_is_used_without_a_network(tmp_path):
    pytest.importorskip("huggingface_hub")
    model = ViT(**VIT).initialise(1)
    repository = tmp_path / "hub" / "models--timm--vit_tiny_patch4_16.made_here"
    save(model, repository / "snapshots" / "0123abcd")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abcd")
    script = ("import minivit\n"
              "model = minivit.load('timm/vit_tiny_patch4_16.made_here')\n"
              "print(model.pretrained.name, model.grid, float(model.positions.data.sum()))\n"
              "try:\n    minivit.load('timm/another')\n"
              "except RuntimeError as error:\n    print(error)")
    environment = os.environ | {"HF_HUB_CACHE": str(tmp_path / "hub"), "HF_HUB_OFFLINE": "1",
                                "PYTHONPATH": os.pathsep.join(sys.path)}
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert output.returncode == 0, output.stderr
    first, second = output.stdout.splitlines()
    assert first == f"timm/vit_tiny_patch4_16.made_here (4, 4) {float(model.positions.data.sum())}"
    assert second.startswith("timm/another: no such file or folder here, not in the cache of the Hugging Face hub")
