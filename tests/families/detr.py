"""What is known of DETR."""

from functools import partial

from minivit.interop.translate import config_of
from minivit.models.detr import DETR, frozen_resnet
from minivit.models.resnet import BasicBlock, Bottleneck
from tests.golden.case import Case
from tests.known import Line, Saved, Small, Table

SIZES = dict(backbone=partial(frozen_resnet, BasicBlock, (1, 1), width=8), num_classes=5, queries=7, dim=16, heads=2,
             encoder_depth=2, decoder_depth=2, mlp_dim=24, dropout=0.0)
BOTTLENECKS = SIZES | dict(backbone=partial(frozen_resnet, Bottleneck, (1, 2, 1), width=8), queries=3, decoder_depth=3)


class Detection(Case):
    """A DETR, of which logits and boxes are compared, with padded pictures if `padded`."""

    padded = False

    @property
    def classes(self):
        """K, to which theirs adds "no object" as ours does."""
        return self.settings["num_classes"]

    def mask(self):
        """Where the pictures are: the second is narrower than the first, the third lower.    bool (B, height, width)"""
        import numpy as np
        mask = np.ones((self.batch, *self.pixels), bool)
        mask[1, :, self.pixels[1] * 5 // 8:] = False
        mask[2:, self.pixels[0] // 2:] = False
        return mask

    def run(self, model, images, targets):
        """Logits and boxes, and weighted means of them."""
        return super().run(lambda images: model(images, self.mask() if self.padded else None), images, targets)

    def run_official(self, official, images, targets):
        """The same of theirs."""
        import torch
        if self.padded:
            self.forward = {"pixel_mask": torch.from_numpy(self.mask()).long()}
        return super().run_official(official, images, targets)


class Padded(Detection):
    """The same with padded pictures."""

    padded = True


def reference(settings):
    """Theirs, made by what we write into config.json; all of its convolutions are trained."""
    def make(transformers):
        config = config_of(DETR(**settings), "transformers")
        official = transformers.DetrForObjectDetection(transformers.DetrConfig(
            **config | dict(num_labels=settings["num_classes"], dropout=0.0)))
        return official.requires_grad_()
    return make


def answers(output):
    """Logits and boxes of theirs."""
    return [output.logits, output.pred_boxes]


def case(kind, note, settings, pixels, **more):
    """A comparison with transformers."""
    return kind("DETR", note, "transformers", DETR, settings, pixels, reference=reference(settings), outputs=answers,
                **more)


CASES = [
    case(Detection, "48 x 32 pixels", SIZES, (48, 32), golden=True),
    case(Detection, "training, odd sides", SIZES, (45, 67), training=True),
    case(Detection, "bottlenecks", BOTTLENECKS, (64, 96)),
    case(Padded, "padded", SIZES, (64, 64), batch=3, golden=True),
]
ANSWERS = dict(run=lambda detr, images: detr(images), run_official=lambda official, images: tuple(
    answers(official(images))))
MODELS = [Small(DETR, BOTTLENECKS | dict(backbone=partial(frozen_resnet, Bottleneck, (1, 1, 1, 1), width=64)),
                ("transformers", "transformers4", "authors"), **ANSWERS)]
TRANSFORMERS = [Saved("DetrForObjectDetection", dict(
    backbone_config=dict(model_type="resnet", embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1],
                         layer_type="basic", out_features=["stage2"]),
    num_queries=4, d_model=16, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
    decoder_attention_heads=2, encoder_ffn_dim=24, decoder_ffn_dim=24), "DetrImageProcessorPil", **ANSWERS)]
# Softmax does not see what is added to all scores of a query. The first layer of the decoder begins with zeros, which
# all have the same value: whom they look at makes no difference.
WITHOUT_GRADIENT = [("detr", f"{place}.key.bias") for place in (
    *(f"encoder.{layer}.attention" for layer in range(6)),
    *(f"decoder.layers.{layer}.{kind}_attention" for layer in range(6) for kind in ("self", "cross")))] + [
    ("detr", f"decoder.layers.0.self_attention.{name}") for name in (
        "query.weight", "query.bias", "key.weight", "value.weight")]
FIGURES = [Table("DETR: Carion et al., arXiv:2005.12872, table 1", [
    Line("DETR", "detr", "50", "41", why="41.5, of which the table prints 41", exact=41_524_768),
    Line("DETR-R101", "detr", "101", "60")], pixels=800, settings={"num_classes": 91})]
DIFFERENCES = [
    "transformers freezes the whole backbone of a DETR that is a ResNet of its own, and of one of timm's the stem and "
    "the first stage, as the authors do. Here its convolutions are trained.",
    "With auxiliary_loss, transformers hands on to the next layer of DETR's decoder what is behind the norm, the "
    "authors what is before it, as here. Such configurations are refused.",
]
