"""Dilated Neighborhood Attention Transformers: transformers' DinatForImageClassification; the authors' DiNAT."""

from ...models.dinat import DiNAT
from ..blocks import head
from ..config import Key, Transformers
from ..family import Family
from ..table import within
from . import nat

# transformers' own, for its files without config.json or with a silent one
USUAL = ((1, 8, 1), (1, 4, 1, 4), (1, 2, 1, 2, 1, 2), (1, 1, 1, 1, 1))


def dilations(dinat):
    """D of each block of each stage."""
    return [[block.attention.dilation for block in stage.blocks] for stage in dinat.stages]


FAMILY = Family(
    name="dinat",
    models={DiNAT: ("transformers", "authors")},
    tables={"transformers": [within("", "dinat.", nat.ENCODER) + head("head", "classifier"), nat.ENCODER],
            "authors": [nat.AUTHORS]},
    shapes=nat.shapes,
    sizes=nat.sizes,
    asked={"dilations": "how far apart the neighbours are in each block of its stages of {depths} blocks (1 in a NAT)"},
    configs={"transformers": Transformers(
        (*nat.KEYS, Key("dilations", dilations, "dilations", lambda value: tuple(map(tuple, value)), USUAL)),
        nat.IGNORED, model_type="dinat", architecture="DinatForImageClassification")},
)
