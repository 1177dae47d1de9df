"""ConViT: timm's ConVit, whose names are those of the authors' code."""

from ...models.convit import ConViT
from ...ops import gelu
from ..blocks import TIMM_BLOCK, head, patches
from ..config import Always, Key, Timm, fixed, mlp_ratio, pair
from ..family import Family
from ..table import LINEAR, linear, norm, optional, tensor, within
from . import vit

LOCAL = [
    *tensor("gate", "gating_param"),
    *tensor("qk.weight", "qk.weight", LINEAR),
    *tensor("v.weight", "v.weight", LINEAR),
    *linear("place", "pos_proj"),
]
TIMM = [
    *tensor("class_token", "cls_token"),
    *tensor("positions", "pos_embed"),
    *patches("patch_embed", "patch_embed.proj"),
    *within("blocks.*.", "blocks.*.", [rule for rule in TIMM_BLOCK if rule.ours != ("attention.qkv.bias",)]),
    *optional(within("blocks.*.attention.", "blocks.*.attn.", LOCAL)),
    *norm("norm", "norm"),
    *head("head", "head"),
]


def shapes(reading, known):
    """All that a ConViT is built of: the gates of the local blocks tell how many there are, and the heads."""
    local = [name for name in reading.state if name.endswith("attention.gate")]
    heads = reading.shape(local[0])[0] if local else known.get("heads")
    return dict(num_classes=reading.outputs(), local_depth=len(local),
                **vit.encoder_shapes(reading, {**known, "heads": heads}, prefix=0))


def heads_of(convit):
    """h"""
    return convit.blocks[0].attention.heads


FAMILY = Family(
    name="convit",
    models={ConViT: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    sizes=vit.sizes,
    asked={"heads": "how many heads share its width {dim}"},
    configs={
        "timm": Timm((
            Key("img_size", lambda convit: list(convit.image_size), "image_size", pair),
            Key("patch_size", lambda convit: convit.patch_embed.patch_size),
            Key("in_chans", lambda convit: convit.patch_embed.channels),
            Key("embed_dim", lambda convit: vit.width(convit) // heads_of(convit)),  # of a head
            Key("depth", lambda convit: len(convit.blocks)),
            Key("num_heads", heads_of, "heads"),
            Key("local_up_to_layer", lambda convit: convit.local_depth),
            mlp_ratio(vit.width, vit.hidden),
            fixed("qkv_bias", False), fixed("global_pool", "token"), fixed("use_pos_embed", True),
        ), always=(*vit.TIMM_ALWAYS, Always("activation", gelu, lambda convit: convit.blocks[0].mlp.activation)),
            ignored=("locality_strength",), written="convit_small", architectures={
                rf"convit_{size}": {"embed_dim": 48, "num_heads": heads, "local_up_to_layer": 10}
                for size, heads in [("tiny", 4), ("small", 9), ("base", 16)]}),
    },
)
