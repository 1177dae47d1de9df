"""DeiT with its distillation token: timm's VisionTransformerDistilled, transformers' DeiT...WithTeacher.

Without distillation, DeiT is ViT: vit.py reads timm's deit_tiny_patch16_224.
"""

from ...models.deit import DeiT
from ..blocks import head
from ..config import Timm, Transformers
from ..family import Family
from ..table import tensor, within
from . import vit

TOKEN = tensor("distillation_token", "embeddings.distillation_token")
HEADS = head("head", "cls_classifier") + head("distillation_head", "distillation_classifier")

FAMILY = Family(
    name="deit",
    models={DeiT: ("timm", "transformers", "transformers4")},
    tables={
        "timm": [vit.TIMM_ENCODER + tensor("distillation_token", "dist_token") + head("distillation_head",
                                                                                      "head_dist")],
        "transformers": [within("", "deit.", vit.ENCODER + TOKEN) + HEADS],
        "transformers4": [within("", "deit.", vit.ENCODER4 + TOKEN) + HEADS],
    },
    shapes=lambda reading, known: {"num_classes": reading.outputs(),
                                   **vit.encoder_shapes(reading, known, DeiT.prefix)},
    sizes=vit.sizes,
    asked=vit.FAMILY.asked,
    configs={
        "timm": Timm(vit.TIMM_KEYS, always=vit.TIMM_ALWAYS, written="deit_base_distilled_patch16_224",
                     architectures={r"deit_(tiny|small|base)_distilled_patch16_\d+": {}}),
        "transformers": Transformers(vit.TRANSFORMERS_KEYS, always=vit.TRANSFORMERS_ALWAYS, model_type="deit",
                                     architecture="DeiTForImageClassificationWithTeacher"),
    },
)
