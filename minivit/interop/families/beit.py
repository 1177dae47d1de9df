"""BEiT: timm's Beit, transformers' BeitForImageClassification."""

import math

from ...models.beit import BEiT
from ...ops import gelu
from ..blocks import QKV, head, patches
from ..config import Always, Key, Timm, Transformers, fixed, pair
from ..family import Family
from ..table import LINEAR, linear, norm, tensor, within
from . import vit

TABLE = "relative_position_bias_table"


def block(norm1, qkv, query_bias, value_bias, proj, norm2, mlp, scales):
    """A block, with the names that theirs has for each part; `qkv` is one name, or three that are joined."""
    return [
        *norm("norm1", norm1),
        *tensor("attention.qkv.weight", qkv, LINEAR),
        *tensor("attention.qkv.query_bias", query_bias),
        *tensor("attention.qkv.value_bias", value_bias),
        *linear("attention.proj", proj),
        *norm("norm2", norm2),
        *linear("mlp.linear1", mlp[0]),
        *linear("mlp.linear2", mlp[1]),
        *tensor("scale1.gamma", scales[0]),
        *tensor("scale2.gamma", scales[1]),
    ]


TIMM_BLOCK = block("norm1", "attn.qkv.weight", "attn.q_bias", "attn.v_bias", "attn.proj", "norm2",
                   ("mlp.fc1", "mlp.fc2"), ("gamma_1", "gamma_2"))
TIMM = [
    *tensor("class_token", "cls_token"),
    *patches("patch_embed", "patch_embed.proj"),
    *within("blocks.*.", "blocks.*.", TIMM_BLOCK + tensor("bias.table", f"attn.{TABLE}")),
    *norm("norm", "fc_norm"),
    *head("head", "head"),
]
EMBEDDINGS = [*tensor("class_token", "embeddings.cls_token"),
              *patches("patch_embed", "embeddings.patch_embeddings.projection")]
SCALES = ("lambda_1", "lambda_2")
BLOCK = block("layernorm_before", [f"attention.{name}_proj.weight" for name in "qkv"], "attention.q_proj.bias",
              "attention.v_proj.bias", "attention.o_proj", "layernorm_after", ("mlp.fc1", "mlp.fc2"), SCALES)
INNER = "attention.attention"
BLOCK4 = block("layernorm_before", [f"{INNER}.{name}.weight" for name in QKV], f"{INNER}.query.bias",
               f"{INNER}.value.bias", "attention.output.dense", "layernorm_after",
               ("intermediate.dense", "output.dense"), SCALES)


def classifier(layers, of_block, bias):
    """The encoder and its head in the names of transformers."""
    blocks = within("blocks.*.", f"{layers}.*.", of_block + tensor("bias.table", bias))
    return within("", "beit.", EMBEDDINGS + blocks + norm("norm", "pooler.layernorm")) + head("head", "classifier")


def shapes(reading, known):
    """All that a BEiT is built of; its grid is that of the picture, if it is known and fits, else square."""
    return {"num_classes": reading.outputs(), **encoder_shapes(reading, known)}


def encoder_shapes(reading, known):
    """What the tensors of an encoder tell."""
    P, (rows, heads) = reading.axis("patch_embed.weight", "P"), reading.shape("blocks.0.bias.table")
    grid = tuple(pixels // P for pixels in pair(known.get("image_size", 0)))
    if (2 * grid[0] - 1) * (2 * grid[1] - 1) + 3 != rows:
        grid = ((math.isqrt(rows - 3) + 1) // 2,) * 2
    return dict(image_size=(grid[0] * P, grid[1] * P), patch_size=P, channels=reading.axis("patch_embed.weight", "C"),
                dim=reading.shape("patch_embed.bias")[0], depth=reading.modules("blocks"), heads=heads,
                mlp_dim=reading.shape("blocks.0.mlp.linear1.bias")[0])


def positions(shared):
    """The keys that say where biases of positions are, in every layer or once for all."""
    return (Key("use_relative_position_bias", lambda beit: not shared, default=False),
            Key("use_shared_relative_position_bias", lambda beit: shared, default=False),
            fixed("use_absolute_position_embeddings", False))


TIMM_KEYS = ("img_size", "patch_size", "in_chans", "embed_dim", "depth", "num_heads", "mlp_ratio", "qkv_bias")
TRANSFORMERS_KEYS = (
    *(key for key in vit.TRANSFORMERS_KEYS if key.name != "qkv_bias"),
    Key("layer_scale_init_value", lambda beit: 0.1, fits=lambda value, beit: value > 0),  # without it there is none
)
IGNORED = (  # of segmentation, and of feature maps
    "pool_scales", "use_auxiliary_head", "auxiliary_loss_weight", "auxiliary_channels", "auxiliary_num_convs",
    "auxiliary_concat_input", "semantic_loss_ignore_index", "add_fpn", "reshape_hidden_states")

FAMILY = Family(
    name="beit",
    models={BEiT: ("timm", "transformers", "transformers4")},
    tables={
        "timm": [TIMM],
        "transformers": [classifier("layers", BLOCK, f"relative_position_bias.{TABLE}")],
        "transformers4": [classifier("encoder.layer", BLOCK4, f"{INNER}.relative_position_bias.{TABLE}")],
    },
    shapes=shapes,
    sizes=vit.sizes,
    configs={
        "timm": Timm((
            *(key for key in vit.TIMM_KEYS if key.name in TIMM_KEYS),
            Key("use_fc_norm", lambda beit: True, fits=lambda value, beit: value is not False, default=None),
            *(fixed(name, value) for name, value in {
                "global_pool": "avg", "swiglu_mlp": False, "scale_mlp": False, "use_abs_pos_emb": False,
                "use_rel_pos_bias": True, "use_shared_rel_pos_bias": False}.items()),
        ), always=(Always("eps", 1e-6, lambda beit: beit.norm.eps),
                   Always("activation", gelu, lambda beit: beit.blocks[0].mlp.activation)),
            ignored=("init_values", "head_init_scale"), written="beit_base_patch16_224", architectures={
                r"beit(v2)?_(base|large)_patch16_\d+": {"use_abs_pos_emb": False, "use_rel_pos_bias": True}}),
        "transformers": Transformers((*TRANSFORMERS_KEYS, *positions(shared=False), fixed("use_mean_pooling", True),
                                      fixed("use_mask_token", False)), ignored=(*IGNORED, "vocab_size"),
                                     model_type="beit", architecture="BeitForImageClassification"),
    },
)
