"""Transformers in Transformers: timm's TNT."""

from ...models.tnt import TNT, VARIANTS
from ..blocks import head
from ..config import Key, Timm, fixed, mlp_ratio, pair
from ..family import Family
from ..table import CONV, LINEAR, join, linear, norm, tensor, within
from .vit import grid_of


def sentences(norm1, proj, norm2):
    """The map of words to sentences; in the blocks it has no bias."""
    return [*norm("norm1", norm1), *tensor("linear.weight", f"{proj}.weight", LINEAR), *norm("norm2", norm2)]


def layer(norm1, attention, norm2, mlp):
    """The inner or the outer Transformer of a block."""
    return [*norm("norm1", norm1), *join("attention.qkv.weight", [f"{attention}.qk.weight", f"{attention}.v.weight"],
                                         (2, 1), LINEAR), *linear("attention.proj", f"{attention}.proj"),
            *norm("norm2", norm2), *linear("mlp.linear1", f"{mlp}.fc1"), *linear("mlp.linear2", f"{mlp}.fc2")]


TABLE = [
    *tensor("class_token", "cls_token"),
    *tensor("positions", "patch_pos"),
    *tensor("words.positions", "pixel_pos", "1 c y x -> 1 y x c"),
    *linear("words.conv", "pixel_embed.proj", CONV),
    *within("sentences.", "", sentences("norm1_proj", "proj", "norm2_proj") + tensor("linear.bias", "proj.bias")),
    *within("blocks.*.inner.", "blocks.*.", layer("norm_in", "attn_in", "norm_mlp_in", "mlp_in")),
    *within("blocks.*.sentences.", "blocks.*.", sentences("norm1_proj", "proj", "norm2_proj")),
    *within("blocks.*.outer.", "blocks.*.", layer("norm_out", "attn_out", "norm_mlp", "mlp")),
    *norm("norm", "norm"),
    *head("head", "head"),
]
HEADS, WORD_HEADS = ({tnt.keywords[width]: tnt.keywords[heads] for tnt in VARIANTS.values()}  # of the usual widths
                     for width, heads in (("dim", "heads"), ("word_dim", "word_heads")))


def shapes(reading, known):
    """All but the patches, which are as large as the words fill them where config.json is silent."""
    _, side, _, word_dim = reading.shape("words.positions")
    _, tokens, dim = reading.shape("positions")
    stride = known.get("stride", 4)
    P = known.get("patch_size", side * stride)
    rows, columns = grid_of(tokens - 1, P, known.get("image_size"))
    return dict(image_size=(rows * P, columns * P), patch_size=P, stride=stride, num_classes=reading.outputs(),
                channels=reading.shape("words.conv.weight")[2], dim=dim, depth=reading.modules("blocks"),
                heads=known.get("heads") or HEADS.get(dim), mlp_dim=reading.shape("blocks.0.outer.mlp.linear1.bias")[0],
                word_dim=word_dim, word_heads=known.get("word_heads") or WORD_HEADS.get(word_dim))


def width(tnt):
    """D"""
    return tnt.norm.weight.size


def hidden(tnt):
    """The width between the two layers of an outer MLP."""
    return tnt.blocks[0].outer.mlp.linear1.bias.size


FAMILY = Family(
    name="tnt",
    models={TNT: ("timm",)},
    tables={"timm": [TABLE]},
    shapes=shapes,
    asked={"heads": "how many heads share the width {dim} of a sentence",
           "word_heads": "how many heads share the width {word_dim} of a word"},
    configs={"timm": Timm((
        Key("img_size", lambda tnt: list(tnt.image_size), "image_size", pair),
        Key("patch_size", lambda tnt: tnt.words.patch_size, "patch_size", default=16),
        Key("first_stride", lambda tnt: tnt.words.stride, "stride", default=4),
        Key("in_chans", lambda tnt: tnt.words.channels),
        Key("embed_dim", width),
        Key("inner_dim", lambda tnt: tnt.words.positions.shape[-1]),
        Key("depth", lambda tnt: len(tnt.blocks)),
        Key("num_heads_outer", lambda tnt: tnt.blocks[0].outer.attention.heads, "heads"),
        Key("num_heads_inner", lambda tnt: tnt.blocks[0].inner.attention.heads, "word_heads", default=4),
        mlp_ratio(width, hidden),
        *(fixed(name, value) for name, value in {"global_pool": "token", "qkv_bias": False, "legacy": False}.items()),
    ), written="tnt_s_patch16_224", architectures={
        r"tnt_s_patch16_\d+": {"num_heads_outer": 6}, r"tnt_b_patch16_\d+": {"num_heads_outer": 10}})},
)
