"""CaiT: timm's Cait, whose names are those of the authors' code."""

from ...models.cait import CaiT
from ...ops import gelu
from ..blocks import TIMM_BLOCK, head, patches
from ..config import Always, Key, Timm, fixed, mlp_ratio
from ..family import Family
from ..table import linear, norm, tensor, within
from . import vit

SCALES = tensor("scale1.gamma", "gamma_1") + tensor("scale2.gamma", "gamma_2")
BLOCK = [
    *TIMM_BLOCK,
    *linear("attention.mix_scores", "attn.proj_l"),
    *linear("attention.mix_weights", "attn.proj_w"),
    *SCALES,
]
CLASS_BLOCK = [
    *norm("norm1", "norm1"),
    *linear("attention.query", "attn.q"),
    *linear("attention.key_value", ["attn.k", "attn.v"]),
    *linear("attention.proj", "attn.proj"),
    *norm("norm2", "norm2"),
    *linear("mlp.linear1", "mlp.fc1"),
    *linear("mlp.linear2", "mlp.fc2"),
    *SCALES,
]
TIMM = [
    *tensor("class_token", "cls_token"),
    *tensor("positions", "pos_embed"),
    *patches("patch_embed", "patch_embed.proj"),
    *within("blocks.*.", "blocks.*.", BLOCK),
    *within("class_blocks.*.", "blocks_token_only.*.", CLASS_BLOCK),
    *norm("norm", "norm"),
    *head("head", "head"),
]


def shapes(reading, known):
    """All that a CaiT is built of: the linear maps over the heads tell how many there are."""
    heads, = reading.shape("blocks.0.attention.mix_scores.bias")
    return dict(num_classes=reading.outputs(), class_depth=reading.modules("class_blocks"),
                **vit.encoder_shapes(reading, {**known, "heads": heads}, prefix=0))


FAMILY = Family(
    name="cait",
    models={CaiT: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    sizes=vit.sizes,
    configs={
        "timm": Timm((
            Key("img_size", lambda cait: list(cait.image_size), "image_size", vit.pair),
            Key("patch_size", lambda cait: cait.patch_embed.patch_size),
            Key("in_chans", lambda cait: cait.patch_embed.channels),
            Key("embed_dim", vit.width),
            Key("depth", lambda cait: len(cait.blocks)),
            Key("depth_token_only", lambda cait: len(cait.class_blocks)),
            Key("num_heads", lambda cait: cait.blocks[0].attention.heads),
            mlp_ratio(vit.width, vit.hidden),
            mlp_ratio(vit.width, vit.hidden, "mlp_ratio_token_only"),
            fixed("qkv_bias", True), fixed("global_pool", "token"),
        ), always=(*vit.TIMM_ALWAYS, Always("activation", gelu, lambda cait: cait.blocks[0].mlp.activation)),
            ignored=("init_values",), written="cait_s24_224", architectures={
                r"cait_(xxs24|xxs36|xs24|s24|s36|m36|m48)_\d+": {}}),
    },
)
