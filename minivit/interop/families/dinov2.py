"""DINOv2: timm's VisionTransformer with LayerScale, transformers' Dinov2ForImageClassification, with MLPs or SwiGLU.

Files of the hub have the names of version 4: of attention as ViT's, and gate and value of SwiGLU in one matrix.
"""

from ...models.dinov2 import SHAPES, DINOv2
from ...ops import gelu, silu
from ..blocks import QKV, head, patches, transformer_block
from ..config import Always, Key, Timm, Transformers, activation, fixed, pair
from ..family import Family
from ..table import norm, optional, tensor, within
from . import vit
from .deit3 import SCALES

HEADS = {shape["dim"]: shape["heads"] for shape in SHAPES.values()}
TIMM = vit.TIMM_ENCODER + within("blocks.*.", "blocks.*.", SCALES)


def encoder(qkv, proj, linear1, linear2):
    """The names of transformers, but those of the head, for one kind of attention and of MLP."""
    return [
        *tensor("class_token", "embeddings.cls_token"),
        *optional(tensor("mask_token", "embeddings.mask_token")),
        *tensor("positions", "embeddings.position_embeddings"),
        *patches("patch_embed", "embeddings.patch_embeddings.projection"),
        *within("blocks.*.", "encoder.layer.*.", [
            *transformer_block("norm1", qkv, proj, "norm2", linear1, linear2),
            *tensor("scale1.gamma", "layer_scale1.lambda1"), *tensor("scale2.gamma", "layer_scale2.lambda1")]),
        *norm("norm", "layernorm"),
    ]


ATTENTION = [f"attention.{name}_proj" for name in "qkv"], "attention.o_proj"
ATTENTION4 = [f"attention.attention.{name}" for name in QKV], "attention.output.dense"
MLP = "mlp.fc1", "mlp.fc2"
ENCODERS = {  # with MLPs, with SwiGLU
    "transformers": [encoder(*ATTENTION, *MLP), encoder(*ATTENTION, ["mlp.gate_proj", "mlp.up_proj"],
                                                        "mlp.down_proj")],
    "transformers4": [encoder(*ATTENTION4, *MLP), encoder(*ATTENTION4, "mlp.weights_in", "mlp.weights_out")],
}


def tables(prefix, more=()):
    """{names: tables} of transformers: MLP, SwiGLU, and both without a head, as Dinov2Model has them."""
    more = list(more)
    return {names: [within("", prefix, table + more) + head("head", "classifier") for table in encoders]
            + [table + more for table in encoders] for names, encoders in ENCODERS.items()}


def written(model, names):
    """Which of these tables a model is written with."""
    return 1 if names != "timm" and model.mlp == "swiglu" else 0


def shapes(reading, known, prefix=1):
    """What the tensors of a DINOv2 tell, whose positions begin with those of `prefix` tokens."""
    hidden, dim = reading.shape("blocks.0.mlp.linear2.weight")
    sizes = vit.encoder_shapes(reading, known, prefix, usual=HEADS) | {"mlp_dim": hidden}
    gated = reading.shape("blocks.0.mlp.linear1.bias")[0] == 2 * hidden
    inputs = reading.shape("head.weight")[0] if "head.weight" in reading else 0
    return sizes | {"num_classes": reading.outputs(), "mlp": "swiglu" if gated else "mlp",
                    "mask_token": "mask_token" in reading} | ({"head_reads_patches": inputs == 2 * dim} if inputs
                                                              else {})


def rank(model):
    """How many times as wide as its tokens a model's MLPs are, a whole number with transformers."""
    dim, hidden = model.blocks[0].mlp.linear2.weight.shape[::-1]
    for ratio in range(1, 65):
        if hidden == transformers_width(dim, ratio, model.mlp == "swiglu"):
            return ratio
    raise ValueError(f"mlp_dim: {hidden} is no width that transformers makes of {dim} and a whole mlp_ratio")


def transformers_width(dim, ratio, gated):
    """The width inside an MLP; of SwiGLU two thirds of that, rounded up to a multiple of 8."""
    return -(-int(dim * ratio * 2 / 3) // 8) * 8 if gated else dim * ratio


def side(model):
    """Pixels of a side; transformers takes every grid of positions for a square."""
    height, width = model.image_size
    if height != width:
        raise ValueError(f"image_size: {height} x {width} pixels, which are no square, have no counterpart in "
                         "transformers' DINOv2")
    return height


def timm_activation(model):
    """What timm calls `act_layer`: of SwiGLU, what its gates have."""
    return silu if model.mlp == "swiglu" else model.blocks[0].mlp.activation


def transformers_activation(model):
    """What transformers calls `hidden_act`, which SwiGLU does not ask for."""
    return gelu if model.mlp == "swiglu" else model.blocks[0].mlp.activation


REPLACED = ("act_layer", "reg_tokens", "no_embed_class")
TIMM_KEYS = (
    *(key for key in vit.TIMM_KEYS if key.name not in REPLACED),
    activation("act_layer", "timm", timm_activation, setting=""),
    Key("mlp_layer", lambda model: "SwiGLUPacked" if model.mlp == "swiglu" else None, default=None, written=False),
)
TIMM_ALWAYS = (*vit.TIMM_ALWAYS, Always("mask_token", False, lambda model: model.mask_token is not None),
               Always("head_reads_patches", False, lambda model: model.head_reads_patches))
GIANT = {"mlp_layer": "SwiGLUPacked", "act_layer": "silu"}
TRANSFORMERS_KEYS = (
    *(key for key in vit.TRANSFORMERS_KEYS
      if key.name not in ("image_size", "intermediate_size", "hidden_act", "layer_norm_eps")),
    Key("image_size", side, "image_size", pair),
    Key("mlp_ratio", rank, default=4),
    activation("hidden_act", "transformers", transformers_activation),
    Key("layer_norm_eps", lambda model: model.norm.eps, "eps", default=1e-6),
    Key("use_swiglu_ffn", lambda model: model.mlp == "swiglu", default=False),
)
IGNORED = ("layerscale_value", "apply_layernorm", "reshape_hidden_states")
READS_PATCHES = Always("head_reads_patches", True, lambda model: model.head_reads_patches)


def timm_name(model, registers=""):
    """The factory of timm whose MLPs a model has."""
    return f"vit_{'giant' if model.mlp == 'swiglu' else 'base'}_patch14_{registers}dinov2"


FAMILY = Family(
    name="dinov2",
    models={DINOv2: ("timm", "transformers", "transformers4")},
    tables={"timm": [TIMM], **tables("dinov2.")},
    written=written,
    shapes=shapes,
    sizes=vit.sizes,
    asked=vit.FAMILY.asked,
    configs={
        "timm": Timm((*TIMM_KEYS, fixed("reg_tokens", 0), fixed("no_embed_class", False)), always=TIMM_ALWAYS,
                     ignored=("init_values",), written=timm_name, architectures={
                         r"vit_(small|base|large)_patch14_dinov2": {}, r"vit_giant_patch14_dinov2": GIANT}),
        "transformers": Transformers((*TRANSFORMERS_KEYS, Key(
            "use_mask_token", lambda model: model.mask_token is not None, default=True)),
            ignored=IGNORED, always=(*vit.TRANSFORMERS_ALWAYS, READS_PATCHES), model_type="dinov2",
            architecture="Dinov2ForImageClassification"),
    },
)
