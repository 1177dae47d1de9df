"""DeiT with its distillation token: timm's VisionTransformerDistilled, transformers' DeiT...WithTeacher."""

from ...models.deit import DeiT
from ..table import linear, optional, tensor, within
from . import vit

TIMM = [
    *vit.TIMM_ENCODER,
    *tensor("distillation_token", "dist_token"),
    *optional(linear("distillation_head", "head_dist")),
]
HEAD = "head"
HEADS = optional(linear("head", "cls_classifier") + linear("distillation_head", "distillation_classifier"))
TOKEN = tensor("distillation_token", "embeddings.distillation_token")
TABLES = [
    ("timm", TIMM),
    ("transformers", within("", "deit.", vit.ENCODER + TOKEN) + HEADS),
    ("transformers4", within("", "deit.", vit.ENCODER4 + TOKEN) + HEADS),
]


def build(reading, facts):
    """A DeiT."""
    return DeiT(**vit.settings(reading, facts, DeiT.prefix))


def sizes(model):
    """As of a ViT."""
    return vit.sizes(model)


def timm_config(model):
    """What timm.create_model makes the same model of."""
    return vit.timm_config(model, "deit_base_distilled_patch16_224")


def transformers_config(model):
    """What transformers.DeiTConfig makes the same model of."""
    return {"model_type": "deit", "architectures": ["DeiTForImageClassificationWithTeacher"],
            **vit.encoder_config(model)}
