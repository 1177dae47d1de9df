"""Vision Transformers: timm's VisionTransformer, transformers' ViT, and the authors' JAX files (npz).

The JAX code takes the tanh form of GELU; timm and transformers take the exact one, unless config.json says otherwise.
"""

from ...models.vit import VARIANTS, ViT, ViTGAP, ViTMAP
from ..table import PATCHES, linear, norm, optional, tensor, within
from .facts import activation_name, classes_of, grid_of, layers_of

QKV = ("query", "key", "value")

TIMM_BLOCK = [
    *norm("norm1", "norm1"),
    *linear("attention.qkv", "attn.qkv"),
    *linear("attention.proj", "attn.proj"),
    *norm("norm2", "norm2"),
    *linear("mlp.linear1", "mlp.fc1"),
    *linear("mlp.linear2", "mlp.fc2"),
]
TIMM_ENCODER = [
    *optional(tensor("class_token", "cls_token")),
    *tensor("positions", "pos_embed"),
    *linear("patch_embed", "patch_embed.proj", PATCHES),
    *within("blocks.*.", "blocks.*.", TIMM_BLOCK),
    *norm("norm", "norm"),
    *optional(linear("head", "head")),
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
TIMM = TIMM_ENCODER + optional(within("attention_pool.", "attn_pool.", TIMM_POOL))

TRANSFORMERS_BLOCK = [
    *norm("norm1", "layernorm_before"),
    *linear("attention.qkv", ["attention.q_proj", "attention.k_proj", "attention.v_proj"]),
    *linear("attention.proj", "attention.o_proj"),
    *norm("norm2", "layernorm_after"),
    *linear("mlp.linear1", "mlp.fc1"),
    *linear("mlp.linear2", "mlp.fc2"),
]
TRANSFORMERS4_BLOCK = [
    *norm("norm1", "layernorm_before"),
    *linear("attention.qkv", [f"attention.attention.{name}" for name in QKV]),
    *linear("attention.proj", "attention.output.dense"),
    *norm("norm2", "layernorm_after"),
    *linear("mlp.linear1", "intermediate.dense"),
    *linear("mlp.linear2", "output.dense"),
]
EMBEDDINGS = [
    *tensor("class_token", "embeddings.cls_token"),
    *tensor("positions", "embeddings.position_embeddings"),
    *linear("patch_embed", "embeddings.patch_embeddings.projection", PATCHES),
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

HEAD = "head"
CLASSIFIER = optional(linear("head", "classifier"))
TABLES = [
    ("timm", TIMM),
    ("transformers", within("", "vit.", ENCODER) + CLASSIFIER),
    ("transformers", ENCODER),  # of transformers' ViTModel
    ("transformers4", within("", "vit.", ENCODER4) + CLASSIFIER),
    ("transformers4", ENCODER4),
    ("jax", JAX),
]
HEADS = {vit.keywords["dim"]: vit.keywords["heads"] for vit in VARIANTS.values()}  # of the usual widths


def build(reading, facts):
    """A ViT, ViTGAP or ViTMAP, whichever the tensors are of."""
    state = reading.state
    vit = ViT if "class_token" in state else ViTMAP if "attention_pool.probe" in state else ViTGAP
    return vit(**settings(reading, facts, vit.prefix))


def settings(reading, facts, prefix):
    """The constructor's arguments for a checkpoint whose positions begin with `prefix` tokens."""
    state, axes, dim = reading.state, reading.axes, reading.state["norm.weight"].size
    heads = facts.get("heads") or axes.get("H") or HEADS.get(dim)
    if heads is None:
        raise ValueError(f"heads: the shapes of a checkpoint do not tell how many heads share its width {dim}, and "
                         "neither does a config.json; say it: load(..., heads=...)")
    rows, columns = grid_of(state["positions"].shape[1] - prefix, axes["P"], facts)
    return dict(image_size=(rows * axes["P"], columns * axes["P"]), patch_size=axes["P"], channels=axes["C"],
                num_classes=classes_of(state), dim=dim, depth=layers_of(state, "blocks"), heads=heads,
                mlp_dim=state["blocks.0.mlp.linear1.bias"].size)


def sizes(model):
    """P of patches (P Q C), and H of heads (H d)."""
    return {"P": model.patch_embed.patch_size, "Q": model.patch_embed.patch_size, "H": model.blocks[0].attention.heads}


def timm_config(model, architecture="vit_base_patch16_224"):
    """What timm.create_model makes the same model of."""
    block, dim = model.blocks[0], model.norm.weight.size
    pooling = "token" if model.prefix else "map" if hasattr(model, "attention_pool") else "avg"
    args = dict(img_size=list(model.image_size), patch_size=model.patch_embed.patch_size,
                in_chans=model.patch_embed.channels, embed_dim=dim, depth=len(model.blocks),
                num_heads=block.attention.heads, mlp_ratio=block.mlp.linear1.bias.size / dim,
                class_token=model.prefix > 0, global_pool=pooling, fc_norm=False,
                act_layer=activation_name(block.mlp, "timm"))
    return {"architecture": architecture, "num_features": dim, "global_pool": pooling, "model_args": args}


def transformers_config(model):
    """What transformers.ViTConfig makes the same model of."""
    if not model.prefix:
        raise ValueError(f"{type(model).__name__} has no counterpart in transformers, whose ViT reads a class token; "
                         "timm has one")
    return {"model_type": "vit", "architectures": ["ViTForImageClassification"], **encoder_config(model)}


def encoder_config(model):
    """The part that configurations of ViT, DeiT and MAE share."""
    block, (height, width) = model.blocks[0], model.image_size
    return {"hidden_size": model.norm.weight.size, "num_hidden_layers": len(model.blocks),
            "num_attention_heads": block.attention.heads, "intermediate_size": block.mlp.linear1.bias.size,
            "hidden_act": activation_name(block.mlp, "transformers"), "layer_norm_eps": model.norm.eps,
            "image_size": height if height == width else [height, width],
            "patch_size": model.patch_embed.patch_size, "num_channels": model.patch_embed.channels, "qkv_bias": True}
