"""XCiT: timm's Xcit, whose names are those of the authors' code but for the queries of class attention."""

from ...models.xcit import VARIANTS, ClassBlock, NanoClassBlock, XCiT
from ..blocks import conv_norm, head
from ..config import Key, Timm, fixed, mlp_ratio, pair
from ..family import Family
from ..table import CONV, CONV_AS_LINEAR, batch_norm, linear, norm, tensor, within
from .cait import CLASS_BLOCK as CAIT_CLASS_BLOCK

BLOCK = [
    *norm("norm1", "norm1"),
    *linear("attention.qkv", "attn.qkv"),
    *tensor("attention.temperature", "attn.temperature"),
    *linear("attention.proj", "attn.proj"),
    *tensor("scale1.gamma", "gamma1"),
    *norm("norm2", "norm3"),
    *linear("local.conv1", "local_mp.conv1", CONV),
    *batch_norm("local.norm", "local_mp.bn"),
    *linear("local.conv2", "local_mp.conv2", CONV),
    *tensor("scale2.gamma", "gamma3"),
    *norm("norm3", "norm2"),
    *linear("mlp.linear1", "mlp.fc1"),
    *linear("mlp.linear2", "mlp.fc2"),
    *tensor("scale3.gamma", "gamma2"),
]
CLASS_BLOCK = [rule for rule in CAIT_CLASS_BLOCK if "gamma" not in rule.ours[0]] + [
    *tensor("scale1.gamma", "gamma1"), *tensor("scale2.gamma", "gamma2")]
TIMM = [
    *[rule for index in range(4) for rule in conv_norm(  # an activation stands between two
        f"stem.layers.{index}.conv", f"stem.layers.{index}.norm", f"patch_embed.proj.{2 * index}.0",
        f"patch_embed.proj.{2 * index}.1")],
    *linear("positions", "pos_embed.token_projection", CONV_AS_LINEAR),
    *tensor("class_token", "cls_token"),
    *within("blocks.*.", "blocks.*.", BLOCK),
    *within("class_blocks.*.", "cls_attn_blocks.*.", CLASS_BLOCK),
    *norm("norm", "norm"),
    *head("head", "head"),
]
USUAL = {model.keywords["dim"]: model.keywords for model in VARIANTS.values()}  # by their width


def shapes(reading, known):
    """All but the heads, which the temperatures tell, and the kind of class attention."""
    dim = reading.shape("norm.weight")[0]
    usual = USUAL.get(dim, {}).get("class_block", ClassBlock)
    return dict(image_size=known.get("image_size", 224), patch_size=2 ** reading.modules("stem.layers"),
                channels=reading.shape("stem.layers.0.conv.weight")[2], num_classes=reading.outputs(), dim=dim,
                depth=reading.modules("blocks"), heads=len(reading.state["blocks.0.attention.temperature"]),
                mlp_dim=reading.shape("blocks.0.mlp.linear1.bias")[0], class_depth=reading.modules("class_blocks"),
                class_block=known.get("class_block", usual))


def dim(xcit):
    """D"""
    return xcit.norm.weight.size


def patch_size(xcit):
    """P, which timm has only two of."""
    if len(xcit.stem) not in (3, 4):
        raise ValueError(f"patch_size: {2 ** len(xcit.stem)} has no counterpart in timm, where it is 8 or 16")
    return 2 ** len(xcit.stem)


def kind(normalises_all):
    """The class attention that timm's tokens_norm means."""
    return ClassBlock if normalises_all else NanoClassBlock


FAMILY = Family(
    name="xcit",
    models={XCiT: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    configs={"timm": Timm((
        Key("img_size", lambda xcit: list(xcit.image_size), "image_size", pair),
        Key("patch_size", patch_size),
        Key("in_chans", lambda xcit: xcit.stem[0].conv.weight.shape[2]),
        Key("embed_dim", dim),
        Key("depth", lambda xcit: len(xcit.blocks)),
        Key("num_heads", lambda xcit: xcit.blocks[0].attention.heads),
        mlp_ratio(dim, lambda xcit: xcit.blocks[0].mlp.linear1.bias.size),
        Key("cls_attn_layers", lambda xcit: len(xcit.class_blocks)),
        Key("tokens_norm", lambda xcit: type(xcit.class_blocks[0]) is ClassBlock, "class_block", kind, default=False),
        fixed("qkv_bias", True), fixed("use_pos_embed", True), fixed("global_pool", "token"),
    ), ignored=("eta",), written="xcit_small_12_p16_224", architectures={
        r"xcit_nano_12_p(8|16)_(224|384)": {"tokens_norm": False},
        r"xcit_(tiny|small|medium|large)_(12|24)_p(8|16)_(224|384)": {"tokens_norm": True}})},
)
