"""Masked autoencoders: transformers' ViTMAEForPreTraining. (timm keeps the encoder alone, as a ViT without head.)"""

from ...models.vit import ViT
from ...tasks.mae import MAE
from ..table import linear, norm, tensor, within
from . import vit
from .facts import layers_of

# width of the paper's decoder: heads
DECODER_HEADS = {512: 16}


def _table(encoder, block, layers="decoder_layers"):
    return within("encoder.", "vit.", encoder) + within("decoder.", "decoder.", [
        *linear("embed", "decoder_embed"),
        *tensor("mask_token", "mask_token"),
        *tensor("positions", "decoder_pos_embed"),
        *within("blocks.*.", f"{layers}.*.", block),
        *norm("norm", "decoder_norm"),
        *linear("head", "decoder_pred"),
    ])


HEAD = ""  # none tells classes apart
TABLES = [("transformers", _table(vit.ENCODER, vit.TRANSFORMERS_BLOCK)),
          ("transformers4", _table(vit.ENCODER4, vit.TRANSFORMERS4_BLOCK)),
          # as version 5 saves it, which turns every "layers" into "encoder.layer"
          ("transformers4", _table(vit.ENCODER4, vit.TRANSFORMERS4_BLOCK, "decoder_encoder.layer"))]


def build(reading, facts):
    """An MAE whose encoder has a class token."""
    state = reading.state
    encoder = {name.removeprefix("encoder."): array for name, array in state.items() if name.startswith("encoder.")}
    settings = vit.settings(type(reading)(encoder, reading.axes), facts, ViT.prefix)
    del settings["num_classes"]  # the encoder has no head
    dim = state["decoder.norm.weight"].size
    heads = facts.get("decoder_heads") or DECODER_HEADS.get(dim)
    if heads is None:
        raise ValueError(f"decoder_heads: the shapes of a checkpoint do not tell how many heads share the decoder's "
                         f"width {dim}, and neither does a config.json; say it: load(..., decoder_heads=...)")
    return MAE(ViT, decoder_dim=dim, decoder_depth=layers_of(state, "decoder.blocks"), decoder_heads=heads,
               mask_ratio=facts.get("mask_ratio", 0.75), **settings)


def sizes(model):
    """As of its encoder."""
    return vit.sizes(model.encoder)


def transformers_config(model):
    """What transformers.ViTMAEConfig makes the same model of."""
    block = model.decoder.blocks[0]
    return {"model_type": "vit_mae", "architectures": ["ViTMAEForPreTraining"], **vit.encoder_config(model.encoder),
            "decoder_hidden_size": model.decoder.norm.weight.size,
            "decoder_num_hidden_layers": len(model.decoder.blocks),
            "decoder_num_attention_heads": block.attention.heads,
            "decoder_intermediate_size": block.mlp.linear1.bias.size,
            "mask_ratio": model.mask_ratio, "norm_pix_loss": True}
