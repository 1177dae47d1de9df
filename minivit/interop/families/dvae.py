"""The tokenizer of DALL-E: transformers' FlavaImageCodebook, which is its encoder."""

from ...models.dvae import Encoder
from ..config import Key, Transformers
from ..family import Family
from ..table import CONV, CONV_AS_LINEAR, linear, optional, within

BLOCKS = 8  # in a group, at most, that are read
BLOCK = [
    *(rule for index in range(4) for rule in linear(f"convs.{index}", f"res_path.path.conv_{index + 1}", CONV)),
    *linear("skip", "id_path", CONV_AS_LINEAR),
]
TABLE = [
    *linear("input", "blocks.input", CONV),
    *optional([rule for group in range(4) for block in range(BLOCKS) for rule in within(
        f"groups.{group}.{block}.", f"blocks.group_{group + 1}.group.block_{block + 1}.", BLOCK)]),
    *linear("head", "blocks.output.conv", CONV_AS_LINEAR),
]


def shapes(reading, known):
    """All but the size of the pictures."""
    return dict(channels=reading.shape("input.weight")[2], num_classes=reading.outputs(),
                dim=reading.shape("input.bias")[0], groups=reading.modules("groups"),
                per_group=reading.modules("groups.0"))


def groups(encoder):
    """The four that theirs always has."""
    if len(encoder.groups) != 4:
        raise ValueError(f"an encoder with {len(encoder.groups)} groups has no counterpart in transformers; expected 4")
    return 4


FAMILY = Family(
    name="dvae",
    models={Encoder: ("transformers",)},
    tables={"transformers": [TABLE]},
    shapes=shapes,
    configs={
        "transformers": Transformers((
            Key("num_groups", groups, default=4),
            Key("input_channels", lambda encoder: encoder.input.weight.shape[2]),
            Key("num_blocks_per_group", lambda encoder: len(encoder.groups[0])),
            Key("hidden_size", lambda encoder: encoder.input.bias.size),
            Key("vocab_size", lambda encoder: encoder.head.bias.size),
        ), ignored=("freeze",), model_type="flava_image_codebook", architecture="FlavaImageCodebook"),
    },
)
