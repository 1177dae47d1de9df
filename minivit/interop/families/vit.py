"""Vision Transformers: timm's VisionTransformer, transformers' ViT, and the authors' JAX files (npz).

The JAX code takes the tanh form of GELU; timm and transformers take the exact one, unless config.json says otherwise.
"""

import math

from ...models.vit import VARIANTS, ViT, ViTGAP, ViTMAP
from ...ops import gelu_tanh
from ..blocks import QKV, TIMM_BLOCK, TRANSFORMERS4_BLOCK, TRANSFORMERS_BLOCK, head, patches
from ..config import Always, Config, Key, Timm, Transformers, activation, fixed, mlp_ratio, number_or_list, pair
from ..family import Family
from ..table import linear, norm, optional, tensor, within

TIMM_ENCODER = [
    *optional(tensor("class_token", "cls_token")),
    *tensor("positions", "pos_embed"),
    *patches("patch_embed", "patch_embed.proj"),
    *within("blocks.*.", "blocks.*.", TIMM_BLOCK),
    *norm("norm", "norm"),
    *head("head", "head"),
]
TIMM_POOL = [
    *tensor("probe", "latent"),
    *linear("query", "q"),
    *linear("key_value", "kv"),
    *linear("proj", "proj"),
    *norm("norm", "norm"),
    *linear("mlp.linear1", "mlp.fc1"),
    *linear("mlp.linear2", "mlp.fc2"),
]
EMBEDDINGS = [
    *tensor("class_token", "embeddings.cls_token"),
    *tensor("positions", "embeddings.position_embeddings"),
    *patches("patch_embed", "embeddings.patch_embeddings.projection"),
]
ENCODER = [*EMBEDDINGS, *within("blocks.*.", "layers.*.", TRANSFORMERS_BLOCK), *norm("norm", "layernorm")]
ENCODER4 = [*EMBEDDINGS, *within("blocks.*.", "encoder.layer.*.", TRANSFORMERS4_BLOCK), *norm("norm", "layernorm")]

JAX_ATTENTION = "MultiHeadDotProductAttention_1"
JAX_BLOCK = [
    *tensor("norm1.weight", "LayerNorm_0/scale"),
    *tensor("norm1.bias", "LayerNorm_0/bias"),
    *tensor("attention.qkv.weight", [f"{JAX_ATTENTION}/{name}/kernel" for name in QKV], "D H d -> D (H d)"),
    *tensor("attention.qkv.bias", [f"{JAX_ATTENTION}/{name}/bias" for name in QKV], "H d -> (H d)"),
    *tensor("attention.proj.weight", f"{JAX_ATTENTION}/out/kernel", "H d D -> (H d) D"),
    *tensor("attention.proj.bias", f"{JAX_ATTENTION}/out/bias"),
    *tensor("norm2.weight", "LayerNorm_2/scale"),
    *tensor("norm2.bias", "LayerNorm_2/bias"),
    *tensor("mlp.linear1.weight", "MlpBlock_3/Dense_0/kernel"),
    *tensor("mlp.linear1.bias", "MlpBlock_3/Dense_0/bias"),
    *tensor("mlp.linear2.weight", "MlpBlock_3/Dense_1/kernel"),
    *tensor("mlp.linear2.bias", "MlpBlock_3/Dense_1/bias"),
]
JAX = [
    *tensor("class_token", "cls"),
    *tensor("positions", "Transformer/posembed_input/pos_embedding"),
    *tensor("patch_embed.weight", "embedding/kernel", "P Q C D -> (P Q C) D"),
    *tensor("patch_embed.bias", "embedding/bias"),
    *within("blocks.*.", "Transformer/encoderblock_*/", JAX_BLOCK),
    *tensor("norm.weight", "Transformer/encoder_norm/scale"),
    *tensor("norm.bias", "Transformer/encoder_norm/bias"),
    *optional(tensor("head.weight", "head/kernel")),
    *optional(tensor("head.bias", "head/bias")),
]
HEADS = {vit.keywords["dim"]: vit.keywords["heads"] for vit in VARIANTS.values()}  # of the usual widths


def shapes(reading, known):
    """What the tensors of a ViT, ViTGAP or ViTMAP tell."""
    vit = ViT if "class_token" in reading else ViTMAP if "attention_pool.probe" in reading else ViTGAP
    return {"model": vit, "num_classes": reading.outputs(), **encoder_shapes(reading, known, vit.prefix)}


def encoder_shapes(reading, known, prefix, usual=HEADS):
    """What an encoder's tensors tell, whose positions begin with those of `prefix` tokens.

    `usual` has the heads of usual widths, for where nothing says how many there are.
    """
    P, C, dim = *(reading.axis("patch_embed.weight", axis) for axis in "PC"), reading.shape("patch_embed.bias")[0]
    queries = reading.axes.get("blocks.0.attention.qkv.weight", {})
    rows, columns = grid_of(reading.shape("positions")[1] - prefix, P, known.get("image_size"))
    return dict(image_size=(rows * P, columns * P), patch_size=P, channels=C, dim=dim, depth=reading.modules("blocks"),
                heads=known.get("heads") or queries.get("H") or usual.get(dim),
                mlp_dim=reading.shape("blocks.0.mlp.linear1.bias")[0])


def grid_of(patches, patch_size, image_size):
    """Rows and columns of that many patches: those of the picture, if it is known and they are as many; else square."""
    if image_size is not None:
        rows, columns = (pixels // patch_size for pixels in pair(image_size))
        if rows * columns == patches:
            return rows, columns
    side = math.isqrt(patches)
    if side * side != patches:
        raise ValueError(f"image_size: {patches} patches of {patch_size} x {patch_size} pixels make no square; say "
                         "which picture they are of: load(..., image_size=(height, width))")
    return side, side


def sizes(vit):
    """P of patches (P Q C), and H of heads (H d)."""
    return {"P": vit.patch_embed.patch_size, "Q": vit.patch_embed.patch_size, "H": vit.blocks[0].attention.heads}


def width(vit):
    """D"""
    return vit.norm.weight.size


def hidden(vit):
    """The width between the two layers of an MLP."""
    return vit.blocks[0].mlp.linear1.bias.size


def pooling(vit):
    """What timm calls the way in which the head reads the tokens."""
    return "token" if vit.prefix else "map" if hasattr(vit, "attention_pool") else "avg"


def norm_after_pooling(value, vit):
    """Whether timm's fc_norm leaves the norm before the pooling, as ours is; without a value, a mean comes first."""
    return not value and (value is False or pooling(vit) != "avg")


TIMM_KEYS = (
    Key("img_size", lambda vit: list(vit.image_size), "image_size", pair),
    Key("patch_size", lambda vit: vit.patch_embed.patch_size),
    Key("in_chans", lambda vit: vit.patch_embed.channels),
    Key("embed_dim", width),
    Key("depth", lambda vit: len(vit.blocks)),
    Key("num_heads", lambda vit: vit.blocks[0].attention.heads, "heads"),
    mlp_ratio(width, hidden),
    Key("class_token", lambda vit: vit.prefix > 0, default=True),
    Key("global_pool", pooling, default="token"),
    Key("fc_norm", lambda vit: False, fits=norm_after_pooling, default=None),
    activation("act_layer", "timm", lambda vit: vit.blocks[0].mlp.activation),
    *(fixed(name, value) for name, value in {
        "qkv_bias": True, "qk_norm": False, "scale_attn_norm": False, "scale_mlp_norm": False, "proj_bias": True,
        "pos_embed": "learn", "no_embed_class": False, "reg_tokens": 0, "pre_norm": False, "final_norm": True,
        "pool_include_prefix": False}.items()),
)
TIMM_ALWAYS = (Always("eps", 1e-6, lambda vit: vit.norm.eps), Always("antialias", True))
TRANSFORMERS_KEYS = (  # those that ViT, DeiT and MAE share
    Key("image_size", lambda vit: number_or_list(vit.image_size), "image_size", pair),
    Key("patch_size", lambda vit: vit.patch_embed.patch_size),
    Key("num_channels", lambda vit: vit.patch_embed.channels),
    Key("hidden_size", width),
    Key("num_hidden_layers", lambda vit: len(vit.blocks)),
    Key("num_attention_heads", lambda vit: vit.blocks[0].attention.heads, "heads"),
    Key("intermediate_size", hidden),
    activation("hidden_act", "transformers", lambda vit: vit.blocks[0].mlp.activation),
    Key("layer_norm_eps", lambda vit: vit.norm.eps, "eps", default=1e-12),
    fixed("qkv_bias", True),
)
TRANSFORMERS_ALWAYS = (Always("antialias", False),)  # plain bicubic
SOVIT = dict(mlp_ratio=3.7362)  # 4304 / 1152, rounded up
GAP, MAP = dict(class_token=False, global_pool="avg", fc_norm=False), dict(class_token=False, global_pool="map")

FAMILY = Family(
    name="vit",
    models={ViT: ("timm", "transformers", "transformers4", "jax"), ViTGAP: ("timm",), ViTMAP: ("timm",)},
    tables={
        "timm": [TIMM_ENCODER + optional(within("attention_pool.", "attn_pool.", TIMM_POOL))],
        "transformers": [within("", "vit.", ENCODER) + head("head", "classifier"), ENCODER],  # with head, and ViTModel
        "transformers4": [within("", "vit.", ENCODER4) + head("head", "classifier"), ENCODER4],
        "jax": [JAX],
    },
    shapes=shapes,
    sizes=sizes,
    asked={"heads": "how many heads share its width {dim}"},
    configs={
        "timm": Timm(TIMM_KEYS, always=TIMM_ALWAYS, written="vit_base_patch16_224", architectures={
            r"vit_(tiny|small|base|large|huge|giant|gigantic)_patch\d+_\d+": {},
            r"deit_(tiny|small|base)_patch16_\d+": {},
            r"vit_base_patch16_gap_\d+": GAP | {"num_heads": 16},
            r"vit_(small|huge)_patch\d+_gap_\d+": GAP,
            r"vit_base_patch16_siglip_\d+": MAP,
            r"vit_large_patch16_siglip_(256|384)": MAP,  # the other sizes take another form of GELU
            r"vit_so400m_patch14_siglip_\d+": MAP | SOVIT,
            r"vit_so400m_patch14_siglip_gap_\d+": GAP | SOVIT,
            r"vit_so400m_patch16_siglip_\d+": MAP | SOVIT | {"act_layer": "gelu_tanh"},
            r"vit_so400m_patch16_siglip_gap_\d+": GAP | SOVIT | {"act_layer": "gelu_tanh"},
        }),
        "transformers": Transformers(TRANSFORMERS_KEYS, always=TRANSFORMERS_ALWAYS, model_type="vit",
                                     architecture="ViTForImageClassification"),
        "jax": Config(always=(Always("activation", gelu_tanh),)),
    },
)
