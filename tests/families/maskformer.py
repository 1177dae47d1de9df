"""What is known of MaskFormer."""

from functools import partial

from minivit.interop.translate import config_of
from minivit.models.maskformer import MaskFormer, NormedGrids
from minivit.models.resnet import BasicBlock, Bottleneck, ResNet
from minivit.models.swin import Swin
from tests.golden.case import Case
from tests.known import Line, Saved, Small, Table

SIZES = dict(backbone=partial(ResNet, BasicBlock, (1, 1, 1), width=8), num_classes=5, queries=6, dim=16, heads=2,
             depth=2, mlp_dim=24, pixel_dim=32, mask_dim=12, groups=32, dropout=0.0)
SAME_WIDTH = SIZES | dict(dim=32)  # as wide as the last grid, which is then not projected
# with two channels a group: alone, a channel's offset has no effect
WINDOWS = SIZES | dict(pixel_dim=64, backbone=partial(NormedGrids, partial(
    Swin, image_size=64, dim=8, depths=(2, 1, 2, 1), heads=(1, 2, 2, 4), window=2)))


class Masks(Case):
    """A MaskFormer, of which logits and masks are compared."""

    @property
    def classes(self):
        """K, to which theirs adds "no region" as ours does."""
        return self.settings["num_classes"]


def reference(settings):
    """Theirs, made by what we write into config.json, without dropout in its decoder."""
    def make(transformers):
        config = config_of(MaskFormer(**settings), "transformers")
        decoder, backbone = config["decoder_config"] | dict(dropout=0.0), dict(config["backbone_config"])
        if backbone["model_type"] == "swin":
            backbone["drop_path_rate"] = 0.0
        official = transformers.MaskFormerForInstanceSegmentation(transformers.MaskFormerConfig(**config | dict(
            num_labels=settings["num_classes"], decoder_config=decoder, backbone_config=backbone)))
        for name, parameter in official.named_parameters():  # what is behind it is not used
            parameter.requires_grad_("encoder.model.layernorm" not in name)
        return official
    return make


def answers(output):
    """Logits of classes and of masks of theirs."""
    return [output.class_queries_logits, output.masks_queries_logits]


def case(note, settings, pixels, **more):
    """A comparison with transformers."""
    return Masks("MaskFormer", note, "transformers", MaskFormer, settings, pixels, reference=reference(settings),
                 outputs=answers, **more)


CASES = [
    case("64 x 48 pixels", SIZES, (64, 48), golden=True),
    case("training, odd sides", SIZES, (75, 89), batch=3, training=True),
    case("Swin, odd sides", WINDOWS, (69, 75), golden=True),
    case("Swin, training", WINDOWS, (96, 72), training=True),
    case("as wide as the grid", SAME_WIDTH, (48, 64), seed=1),
]
ANSWERS = dict(run=lambda model, images: model(images), run_official=lambda official, images: tuple(
    answers(official(images))))
MODELS = [Small(MaskFormer, SIZES | dict(backbone=partial(ResNet, Bottleneck, (1, 1), width=8)),
                ("transformers", "transformers4"), **ANSWERS),
          Small(MaskFormer, WINDOWS, ("transformers", "transformers4"), **ANSWERS)]
TRANSFORMERS = [Saved("MaskFormerForInstanceSegmentation", dict(
    backbone_config=dict(model_type="resnet", embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1],
                         layer_type="basic", out_features=["stage1", "stage2"]),
    decoder_config=dict(model_type="detr", d_model=16, decoder_layers=2, decoder_attention_heads=2, decoder_ffn_dim=24,
                        num_queries=4),
    fpn_feature_size=32, mask_feature_size=8), **ANSWERS)]
# see tests/families/detr.py
WITHOUT_GRADIENT = [("maskformer", f"decoder.layers.{layer}.{kind}_attention.key.bias")
                    for layer in range(6) for kind in ("self", "cross")] + [
    ("maskformer", f"decoder.layers.0.self_attention.{name}") for name in (
        "query.weight", "query.bias", "key.weight", "value.weight")]
FIGURES = [Table("MaskFormer: Cheng et al., arXiv:2107.06278, table 1 (ADE20K, 150 classes)", [
    Line("MaskFormer, R50", "maskformer", "50", "41", "53",
         "the table's operations are a mean over pictures of 512 pixels or more; counted here at 512 x 512",
         exact=41_307_863),
    Line("MaskFormer, R101", "maskformer", "101", "60", "73", "as for R50"),
    Line("MaskFormer, Swin-T", "maskformer", "swin-tiny", "42", "55", "as for R50"),
    Line("MaskFormer, Swin-S", "maskformer", "swin-small", "63", "79", "as for R50"),
    Line("MaskFormer, Swin-B", "maskformer", "swin-base", "102", "195",
         "the table's is for pictures of 640 pixels or more")], pixels=512,
    settings={"num_classes": 150})]
DIFFERENCES = [
    "With use_auxiliary_loss, transformers takes what the layers of MaskFormer's decoder make before the norm, and "
    "what goes into the first of them; the authors take what is behind the norm, as here.",
]
