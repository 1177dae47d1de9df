"""DINOv2 with registers: timm's vit_*_reg4_dinov2, transformers' Dinov2WithRegistersForImageClassification.

timm has added the class token's position to the class token; what it stretches positions with is the same.
"""

from ...models.dinov2 import DINOv2Registers
from ..config import Always, Key, Timm, Transformers, fixed
from ..family import Family
from ..table import tensor
from . import dinov2, vit


def shapes(reading, known):
    """What the tensors tell."""
    registers = reading.shape("registers")[1]
    return dinov2.shapes(reading, known, prefix=int(known["class_position"])) | {"registers": registers}


def count(model):
    """R"""
    return model.registers.shape[1]


def has_class_position(model):
    """Whether its class token has a position."""
    return model.class_position


GIANT = dinov2.GIANT | {"no_embed_class": True, "reg_tokens": 4}

FAMILY = Family(
    name="dinov2_registers",
    models={DINOv2Registers: ("timm", "transformers", "transformers4")},
    tables={"timm": [dinov2.TIMM + tensor("registers", "reg_token")],
            **dinov2.tables("dinov2_with_registers.", tensor("registers", "embeddings.register_tokens"))},
    written=dinov2.written,
    shapes=shapes,
    sizes=vit.sizes,
    asked=vit.FAMILY.asked,
    configs={
        "timm": Timm((*dinov2.TIMM_KEYS, Key("reg_tokens", count), fixed("no_embed_class", True)),
                     always=(*dinov2.TIMM_ALWAYS, Always("class_position", False, has_class_position)),
                     ignored=("init_values",), written=lambda model: dinov2.timm_name(model, "reg4_"), architectures={
                         r"vit_(small|base|large)_patch14_reg4_dinov2": {"no_embed_class": True, "reg_tokens": 4},
                         r"vit_giant_patch14_reg4_dinov2": GIANT}),
        "transformers": Transformers((*dinov2.TRANSFORMERS_KEYS, Key("num_register_tokens", count, default=4)),
                                     ignored=dinov2.IGNORED, model_type="dinov2_with_registers",
                                     always=(Always("antialias", True), dinov2.READS_PATCHES,
                                             Always("class_position", True, has_class_position),
                                             Always("mask_token", True, lambda model: model.mask_token is not None)),
                                     architecture="Dinov2WithRegistersForImageClassification"),
    },
)
