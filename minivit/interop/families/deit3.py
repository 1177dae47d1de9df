"""DeiT III: timm's VisionTransformer with LayerScale, whose class token has no position."""

from ...models.deit3 import VARIANTS, DeiT3
from ..config import Timm, fixed
from ..family import Family
from ..table import tensor, within
from . import vit

SCALES = tensor("scale1.gamma", "ls1.gamma") + tensor("scale2.gamma", "ls2.gamma")
HEADS = {variant.keywords["dim"]: variant.keywords["heads"] for variant in VARIANTS.values()}
UNPLACED = "no_embed_class"  # timm's name for a class token without a position

FAMILY = Family(
    name="deit3",
    models={DeiT3: ("timm",)},
    tables={"timm": [vit.TIMM_ENCODER + within("blocks.*.", "blocks.*.", SCALES)]},
    shapes=lambda reading, known: {"num_classes": reading.outputs(),
                                   **vit.encoder_shapes(reading, known, prefix=0, usual=HEADS)},
    sizes=vit.sizes,
    asked=vit.FAMILY.asked,
    configs={
        "timm": Timm((*(key for key in vit.TIMM_KEYS if key.name != UNPLACED), fixed(UNPLACED, True)),
                     always=vit.TIMM_ALWAYS, ignored=("init_values",), written="deit3_base_patch16_224",
                     architectures={r"deit3_(small|medium|base|large|huge)_patch\d+_\d+": {UNPLACED: True}}),
    },
)
