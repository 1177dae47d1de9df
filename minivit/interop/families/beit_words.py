"""BEiT's pre-training: transformers' BeitForMaskedImageModeling. (timm keeps the fine-tuned models alone.)"""

from dataclasses import replace

from ...models.beit import BEiT
from ...tasks.beit import MaskedWords
from ..config import Key, Transformers, fixed
from ..family import Family
from ..table import linear, norm, tensor, within
from . import beit, vit


def table(layers, block, bias):
    """The encoder, whose layers share one table of biases, and the head that names words."""
    return [
        *within("encoder.", "beit.", beit.EMBEDDINGS),
        *tensor("mask_token", "beit.embeddings.mask_token"),
        *tensor("encoder.blocks.0.bias.table", f"beit.{bias}.{beit.TABLE}"),
        *within("encoder.blocks.*.", f"beit.{layers}.*.", block),
        *norm("encoder.norm", "layernorm"),
        *linear("head", "lm_head"),
    ]


def shapes(reading, known):
    """All that it is built of."""
    return dict(beit=BEiT, words=reading.outputs(), **beit.encoder_shapes(reading.part("encoder."), known))


def of_encoder(key):
    """A key of a BEiT's configuration, of one that names words."""
    fits = key.fits and (lambda value, model: key.fits(value, model.encoder))
    return replace(key, of=lambda model: key.of(model.encoder), fits=fits)


FAMILY = Family(
    name="beit_words",
    models={MaskedWords: ("transformers", "transformers4")},
    tables={
        "transformers": [table("layers", beit.BLOCK, "shared_position_bias")],
        "transformers4": [table("encoder.layer", beit.BLOCK4, "encoder.relative_position_bias")],
    },
    shapes=shapes,
    sizes=lambda model: vit.sizes(model.encoder),
    head="",  # what it tells apart are no classes
    configs={"transformers": Transformers((
        *map(of_encoder, beit.TRANSFORMERS_KEYS), *beit.positions(shared=True), fixed("use_mean_pooling", True),
        Key("use_mask_token", lambda model: True, default=False),
        Key("vocab_size", lambda model: model.head.bias.size, default=8192),
    ), ignored=beit.IGNORED, model_type="beit", architecture="BeitForMaskedImageModeling")},
)
