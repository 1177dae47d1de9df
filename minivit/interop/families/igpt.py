"""Image GPT: transformers' ImageGPTForCausalImageModeling.

Its palette stands in the configuration of its processor, not in the file of the weights; `load` takes it from there.
"""

from dataclasses import replace

from ...models.igpt import IGPT
from ..config import Key, Transformers, activation, fixed
from ..family import Family
from ..table import LINEAR, Rearrangement, linear, tensor, within
from . import vit

BLOCK = [
    *tensor("norm1.weight", "ln_1.weight"),
    *linear("attention.qkv", "attn.c_attn", layout=""),
    *linear("attention.proj", "attn.c_proj", layout=""),
    *tensor("norm2.weight", "ln_2.weight"),
    *linear("mlp.linear1", "mlp.c_fc", layout=""),
    *linear("mlp.linear2", "mlp.c_proj", layout=""),
]
TABLE = [
    *tensor("tokens.weight", "transformer.wte.weight"),
    *tensor("positions", "transformer.wpe.weight", Rearrangement(lambda x: x[None], lambda x: x[0])),
    *within("blocks.*.", "transformer.h.*.", BLOCK),
    *tensor("norm.weight", "transformer.ln_f.weight"),
    *tensor("to_colours.weight", "lm_head.weight", LINEAR),
]


def shapes(reading, known):
    """All but the number of heads."""
    (tokens, dim), N = reading.shape("tokens.weight"), reading.shape("positions")[1]
    return dict(image_size=vit.grid_of(N, 1, known.get("image_size")), colours=tokens - 1, num_classes=0, dim=dim,
                depth=reading.modules("blocks"), heads=known.get("heads"),
                mlp_dim=reading.shape("blocks.0.mlp.linear1.bias")[0])


def positions(igpt):
    """How many there are, of pictures that are not shrunk, in a model without classes."""
    if igpt.shrink != 1:
        raise ValueError(f"an Image GPT that shrinks pictures by {igpt.shrink} has no counterpart in transformers")
    if igpt.head.parameters():
        raise ValueError("an Image GPT with a head for classes has no counterpart in transformers; build it with "
                         "num_classes=0")
    return igpt.positions.shape[1]


def inner(igpt):
    """The width between the two layers of an MLP."""
    return igpt.blocks[0].mlp.linear1.bias.size


FAMILY = Family(
    name="igpt",
    models={IGPT: ("transformers",)},
    tables={"transformers": [TABLE]},
    shapes=shapes,
    head="",
    asked={"heads": "how many heads share its width {dim}"},
    unstored=("palette",),
    configs={
        "transformers": Transformers((
            Key("vocab_size", lambda igpt: len(igpt.palette.data) + 1),
            Key("n_positions", positions),
            Key("n_embd", lambda igpt: igpt.norm.weight.size),
            Key("n_layer", lambda igpt: len(igpt.blocks)),
            Key("n_head", lambda igpt: igpt.blocks[0].attention.heads, "heads"),
            Key("n_inner", inner, fits=lambda value, igpt: (value or 4 * igpt.norm.weight.size) == inner(igpt)),
            replace(activation("activation_function", "transformers", lambda igpt: igpt.blocks[0].mlp.activation),
                    default="quick_gelu"),
            Key("layer_norm_epsilon", lambda igpt: igpt.norm.eps, "eps", default=1e-5),
            *(fixed(name, value) for name, value in {
                "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "reorder_and_upcast_attn": False,
                "add_cross_attention": False}.items()),
        ), ignored=("resid_pdrop", "embd_pdrop", "attn_pdrop"), model_type="imagegpt",
            architecture="ImageGPTForCausalImageModeling"),
    },
)
