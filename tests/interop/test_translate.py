"""Names translated in both directions: nothing is lost, and what is wrong is named."""

from pathlib import Path

import numpy as np
import pytest

import minivit
from minivit.interop import from_official, to_official
from minivit.interop.families import families, family_of
from minivit.interop.table import is_derived
from minivit.interop.translate import NAMES, config_of
from minivit.models.resnet import BasicBlock, ResNet
from minivit.models.vit import ViT, ViTGAP
from tests.families.vit import SMALL as VIT
from tests.interop.models import MODELS, PAIRS
from tests.known import label


@pytest.mark.parametrize("make, names", PAIRS, ids=label)
def test_weights_come_back_bit_for_bit(make, names):
    model, other = make(names).initialise(1), make(names).initialise(2)
    from_official(other, to_official(model, names))
    state, found = model.state_dict(), other.state_dict()
    assert state.keys() == found.keys()
    for name in state:
        np.testing.assert_array_equal(found[name], state[name], err_msg=name)


@pytest.mark.parametrize("make", MODELS, ids=label)
def test_models_without_a_counterpart_are_refused(make):
    for names in set(NAMES) - set(make.names):
        with pytest.raises(ValueError, match="no counterpart"):
            to_official(make(), names)


def test_what_has_no_counterpart_at_all():
    with pytest.raises(ValueError, match="ResNetCIFAR has no counterpart.*7 x 7"):
        to_official(minivit.create("resnet", "cifar"))
    with pytest.raises(ValueError, match="width 24 has no counterpart in timm.*transformers has one"):
        to_official(ResNet(BasicBlock, (1, 1), width=24))
    with pytest.raises(ValueError, match=r"patch_embed.convs.0.weight has no counterpart there"):
        to_official(minivit.create("vitc", "cifar"))
    with pytest.raises(ValueError, match="Linear has no counterpart in timm or transformers that minivit knows"):
        to_official(minivit.nn.Linear(2, 3))
    with pytest.raises(ValueError, match="names: 'tim' does not exist; did you mean 'timm'"):
        to_official(ViT(**VIT), "tim")


@pytest.mark.parametrize("make, names", PAIRS, ids=label)
def test_every_wrong_tensor_is_named_and_nothing_is_changed(make, names):
    model = make(names).initialise(1)
    before, tensors = model.state_dict(), to_official(make(names).initialise(2), names)
    used = [name for name in tensors if not is_derived(name, family_of(model)[0].computed)]
    lost, misshapen = used[-1], used[len(used) // 2]
    shape = tensors[misshapen].shape
    tensors["surplus.weight"] = np.zeros((2, 3))
    del tensors[lost]
    tensors[misshapen] = np.zeros((shape[0] + 1, *shape[1:]), np.float32)
    with pytest.raises(ValueError, match="file.safetensors: does not fit") as caught:
        from_official(model, tensors, "file.safetensors")
    lines = str(caught.value).splitlines()
    assert lines[0] == f"file.safetensors: does not fit {type(model).__name__}:"
    assert sorted(line.strip().partition(" (")[0] for line in lines[1:]) == sorted([
        f"missing: {lost}", "left over: surplus.weight", f"misshapen: {misshapen}: expected"])
    assert f"misshapen: {misshapen}: expected {shape}, got {(shape[0] + 1, *shape[1:])}" in str(caught.value)
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name])


def test_another_architecture_is_refused():
    tensors = to_official(ViT(**VIT), "transformers")
    with pytest.raises(ValueError, match="file: holds a vit under the names of transformers, not a ResNet"):
        from_official(minivit.create("resnet", "18"), tensors, "file")
    with pytest.raises(ValueError, match="no checkpoint of an architecture that minivit knows.*deit,.*mae,.*resnet"):
        from_official(ViT(**VIT), {f"bert.{index}": np.zeros(2) for index in range(5)}, "file")
    with pytest.raises(ValueError, match="does not fit ViTGAP:\n  left over: cls_token"):
        from_official(ViTGAP(**VIT | dict(image_size=(16, 16))), {
            name: x[:, 1:] if name == "pos_embed" else x for name, x in to_official(ViT(**VIT)).items()})


def test_every_file_is_called_as_its_family():
    folder = Path(minivit.interop.families.__path__[0])
    assert sorted(families()) == sorted(path.stem for path in folder.glob("[a-z]*.py"))
    for family in families().values():
        assert {names for known in family.models.values() for names in known} == family.tables.keys()
        assert set(family.tables) <= set(NAMES)


def test_a_class_that_derives_from_a_model_has_its_names():
    class Mine(ViT):
        pass
    assert to_official(Mine(**VIT)).keys() == to_official(ViT(**VIT)).keys()


@pytest.mark.parametrize("variant", minivit.list_models()["vit"])
def test_timm_computes_the_same_width_of_the_mlp(variant):
    model = minivit.create("vit", variant)
    args = config_of(model, "timm")["model_args"]
    assert int(args["embed_dim"] * args["mlp_ratio"]) == model.blocks[0].mlp.linear1.bias.size
