"""Masked autoencoders: transformers' ViTMAEForPreTraining. (timm keeps the encoder alone, as a ViT without head.)"""

from dataclasses import replace

from ...models.vit import ViT
from ...tasks.mae import MAE
from ..blocks import TRANSFORMERS4_BLOCK, TRANSFORMERS_BLOCK
from ..config import Key, Transformers
from ..family import Family
from ..table import linear, norm, tensor, within
from . import vit

DECODER_HEADS = {512: 16}  # of the paper's width


def table(encoder, block, layers="decoder_layers"):
    """Encoder and decoder, whose blocks are alike."""
    return within("encoder.", "vit.", encoder) + within("decoder.", "decoder.", [
        *linear("embed", "decoder_embed"),
        *tensor("mask_token", "mask_token"),
        *tensor("positions", "decoder_pos_embed"),
        *within("blocks.*.", f"{layers}.*.", block),
        *norm("norm", "decoder_norm"),
        *linear("head", "decoder_pred"),
    ])


def shapes(reading, known):
    """What the tensors of an MAE tell whose encoder has a class token."""
    encoder = vit.encoder_shapes(reading.part("encoder."), known, ViT.prefix)
    dim = reading.shape("decoder.norm.weight")[0]
    return dict(vit=ViT, decoder_dim=dim, decoder_depth=reading.modules("decoder.blocks"),
                decoder_heads=known.get("decoder_heads") or DECODER_HEADS.get(dim), **encoder)


def of_encoder(key):
    """A key of a ViT's configuration, of an MAE."""
    return replace(key, of=lambda mae: key.of(mae.encoder))


FAMILY = Family(
    name="mae",
    models={MAE: ("transformers", "transformers4")},
    tables={
        "transformers": [table(vit.ENCODER, TRANSFORMERS_BLOCK)],
        "transformers4": [
            table(vit.ENCODER4, TRANSFORMERS4_BLOCK),
            # as version 5 saves it, which turns every "layers" into "encoder.layer"
            table(vit.ENCODER4, TRANSFORMERS4_BLOCK, "decoder_encoder.layer")],
    },
    shapes=shapes,
    sizes=lambda mae: vit.sizes(mae.encoder),
    head="",  # none tells classes apart
    asked=vit.FAMILY.asked | {"decoder_heads": "how many heads share the decoder's width {decoder_dim}"},
    configs={"transformers": Transformers((
        *map(of_encoder, vit.TRANSFORMERS_KEYS),
        Key("decoder_hidden_size", lambda mae: mae.decoder.norm.weight.size),
        Key("decoder_num_hidden_layers", lambda mae: len(mae.decoder.blocks)),
        Key("decoder_num_attention_heads", lambda mae: mae.decoder.blocks[0].attention.heads, "decoder_heads"),
        Key("decoder_intermediate_size", lambda mae: mae.decoder.blocks[0].mlp.linear1.bias.size),
        Key("mask_ratio", lambda mae: mae.mask_ratio, "mask_ratio", default=0.75),
        Key("norm_pix_loss", lambda mae: mae.normalise, "normalise", default=False),
    ), always=vit.TRANSFORMERS_ALWAYS, model_type="vit_mae", architecture="ViTMAEForPreTraining")},
)
