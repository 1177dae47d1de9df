"""DeiT: its two tokens and heads, and equality with timm and transformers."""


import numpy as np
import pytest

import minivit
from minivit import Tensor
from minivit.counting import count
from minivit.models.deit import DeiT
from minivit.ops import concatenate, cross_entropy
from minivit.tasks.classify import Classify
from tests.counterpart import assert_equal, assert_same_on, draw, import_official


def test_two_answers_in_training_and_their_mean_in_prediction(rng):
    model, images = minivit.create("deit"), rng.standard_normal((3, 32, 32, 3), np.float32)
    logits, distilled = model.train()(images)
    assert logits.shape == distilled.shape == (3, 10)
    assert np.abs(logits.numpy() - distilled.numpy()).max() > 0.1
    np.testing.assert_allclose(model.eval()(images).numpy(), (logits.numpy() + distilled.numpy()) / 2, rtol=1e-6)


def test_each_head_reads_its_own_token(rng):
    model, images = minivit.create("deit").eval(), rng.standard_normal((2, 32, 32, 3), np.float32)
    class_token, distillation_token = model.pool(model.encode(model.embed(images)))
    logits, distilled = model.train()(images)
    np.testing.assert_array_equal(model.head(class_token).numpy(), logits.numpy())
    np.testing.assert_array_equal(model.distillation_head(distillation_token).numpy(), distilled.numpy())


def test_without_a_teacher_both_heads_learn_the_labels(rng):
    model, images, labels = minivit.create("deit"), rng.standard_normal((3, 32, 32, 3), np.float32), np.array([1, 2, 3])
    loss, numbers = Classify(model).loss(images, labels)
    outputs = model(images)
    assert loss.item() == pytest.approx(sum(cross_entropy(logits, labels).item() for logits in outputs) / 2)
    assert numbers["accuracy"] == (model.eval()(images).numpy().argmax(1) == labels).mean()


def test_features_without_heads():
    model = minivit.create("deit", num_classes=0).eval()
    assert model(np.zeros((2, 32, 32, 3), np.float32)).shape == (2, 128)
    assert not any("head" in name for name, _ in model.named_parameters())


def test_on_a_device(device, rng):
    model, images = minivit.create("deit"), Tensor(rng.standard_normal((2, 32, 32, 3), np.float32))
    assert_same_on(device, model, lambda model, place: concatenate(model(images.to(place))))


@pytest.mark.parametrize("variant, dim", [("tiny", 192), ("small", 384), ("base", 768)])
def test_distillation_adds_a_token_a_position_and_a_head_to_vit(variant, dim):
    parameters = [count(minivit.create(name, variant), (1, 224, 224, 3)).parameters for name in ("vit", "deit")]
    assert parameters[1] - parameters[0] == dim + dim + (dim + 1) * 1000


@pytest.mark.parametrize("variant, millions, gmacs", [("small", 22, 4.6), ("base", 86, 17.5)])
def test_size_of_the_paper_s_variants(variant, millions, gmacs):
    """Table 1 of 2012.12877 (parameters), without distillation; multiply-adds as Swin's table 1 has them for DeiT."""
    counted = count(minivit.create("vit", variant), (1, 224, 224, 3))
    assert counted.parameters / 1e6 == pytest.approx(millions, abs=0.6)
    assert counted.multiply_adds / 1e9 == pytest.approx(gmacs, abs=0.1)


SMALL = dict(image_size=16, patch_size=4, num_classes=5, dim=16, depth=2, heads=2)


def timm_name(name):
    """Our name of a parameter in timm's words."""
    for ours, theirs in [("distillation_head", "head_dist"), ("distillation_token", "dist_token"),
                         ("class_token", "cls_token"), ("positions", "pos_embed"),
                         ("patch_embed.", "patch_embed.proj."), ("attention.", "attn."), ("mlp.linear", "mlp.fc")]:
        name = name.replace(ours, theirs)
    return name


def transformers_name(name):
    """Our name of a parameter in the words of transformers."""
    if "qkv" in name:
        return [transformers_name(name.replace("qkv", part)) for part in ("q_proj", "k_proj", "v_proj")]
    for ours, theirs in [("distillation_head", "distillation_classifier"), ("class_token", "embeddings.cls_token"),
                         ("distillation_token", "embeddings.distillation_token"), ("blocks", "layers"),
                         ("positions", "embeddings.position_embeddings"), ("norm1.", "layernorm_before."),
                         ("patch_embed.", "embeddings.patch_embeddings.projection."), ("norm2.", "layernorm_after."),
                         ("attention.proj", "attention.o_proj"), ("mlp.linear", "mlp.fc")]:
        name = name.replace(ours, theirs)
    if name.startswith("head."):
        return name.replace("head", "cls_classifier")
    name = name.replace("norm.", "layernorm.") if name.startswith("norm.") else name
    return name if name.startswith("distillation_classifier") else f"deit.{name}"


@pytest.mark.parity
@pytest.mark.parametrize("size, patch, batch", [((16, 16), 4, 3), ((24, 16), 8, 2), ((6, 10), 2, 1)])
def test_equal_to_timm(size, patch, batch, rng):
    timm = import_official("timm")
    official = draw(timm.models.deit.VisionTransformerDistilled(
        img_size=size, patch_size=patch, num_classes=5, embed_dim=16, depth=2, num_heads=2))
    ours = DeiT(**SMALL | {"image_size": size, "patch_size": patch}).eval()
    assert_equal(ours, official.eval(), timm_name, rng.standard_normal((batch, *size, 3)))


@pytest.mark.parity
def test_equal_to_timm_in_distilled_training(rng):
    timm = import_official("timm")
    import torch
    official = draw(timm.models.deit.VisionTransformerDistilled(
        img_size=16, patch_size=4, num_classes=5, embed_dim=16, depth=2, num_heads=2))
    official.set_distilled_training(True)
    assert_equal(DeiT(**SMALL), official.train(), timm_name, rng.standard_normal((2, 16, 16, 3)),
                 run=lambda model, x: concatenate(model(x), axis=1),
                 run_official=lambda model, x: torch.cat(model(x), dim=1))


@pytest.mark.parity
@pytest.mark.parametrize("size", [(16, 16), (24, 32), (8, 12)])
def test_equal_to_transformers(size, rng):
    """Also at other resolutions than that of the position embeddings."""
    transformers = import_official("transformers")
    official = draw(transformers.DeiTForImageClassificationWithTeacher(transformers.DeiTConfig(
        image_size=16, patch_size=4, num_labels=5, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=64, layer_norm_eps=1e-6, attn_implementation="sdpa")))
    ours = DeiT(**SMALL)
    ours.antialias = False  # as in transformers
    assert_equal(ours.eval(), official.eval(), transformers_name, rng.standard_normal((2, *size, 3)),
                 run_official=lambda model, x: model(x, interpolate_pos_encoding=True).logits)
