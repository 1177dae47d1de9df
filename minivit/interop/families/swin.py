"""Swin Transformers: timm's SwinTransformer, transformers' SwinForImageClassification."""

import math

from ...models.swin import Swin
from ...ops import gelu
from ..blocks import TIMM_BLOCK, TRANSFORMERS4_SELF_BLOCK, TRANSFORMERS_BLOCK, head, patches
from ..config import Always, Key, Timm, Transformers, activation, fixed, mlp_ratio, number_or_list, pair
from ..family import Family
from ..table import norm, optional, tensor, within

MERGING = [*norm("norm", "norm"), *tensor("reduction.weight", "reduction.weight", "o i -> i o")]
BIAS = "relative_position_bias_table"
EMBEDDINGS = [*patches("patch_embed", "embeddings.patch_embeddings.projection"),
              *norm("patch_norm", "embeddings.norm")]


def mergings(theirs, later):
    """Of the stages after the first; theirs count `later` less where a merging ends a stage, which begins ours."""
    return optional([rule for stage in (1, 2, 3) for rule in within(
        f"stages.{stage}.merge.", f"{theirs}.{stage - later}.downsample.", MERGING)])


def timm(later, classifier, block):
    """The names of timm and of the authors."""
    return [*patches("patch_embed", "patch_embed.proj"), *norm("patch_norm", "patch_embed.norm"),
            *within("stages.*.blocks.*.", "layers.*.blocks.*.", block), *mergings("layers", later),
            *norm("norm", "norm"), *head("head", classifier)]


def encoder(block):
    """The names of transformers' SwinModel."""
    return [*EMBEDDINGS, *within("stages.*.blocks.*.", "encoder.layers.*.blocks.*.", block),
            *mergings("encoder.layers", later=1), *norm("norm", "layernorm")]


BLOCK = TIMM_BLOCK + tensor(f"attention.{BIAS}", f"attn.{BIAS}")
ENCODER = encoder(TRANSFORMERS_BLOCK + tensor(f"attention.{BIAS}", f"attention.relative_position_bias.{BIAS}"))
ENCODER4 = encoder(TRANSFORMERS4_SELF_BLOCK + tensor(f"attention.{BIAS}", f"attention.self.{BIAS}"))


def shapes(reading, known):
    """All but the size of the picture, which is the smallest that the windows fit into where config.json is silent."""
    stages, P = range(reading.modules("stages")), reading.axis("patch_embed.weight", "P")
    tables = [reading.shape(f"stages.{stage}.blocks.0.attention.{BIAS}") for stage in stages]
    windows = [(math.isqrt(offsets) + 1) // 2 for offsets, _ in tables]
    dim = reading.shape("patch_embed.bias")[0]
    return dict(image_size=known.get("image_size", windows[-1] * P * 2 ** stages[-1]), patch_size=P,
                channels=reading.axis("patch_embed.weight", "C"), num_classes=reading.outputs(), dim=dim,
                depths=[reading.modules(f"stages.{stage}.blocks") for stage in stages],
                heads=[heads for _, heads in tables], window=max(windows),
                mlp_ratio=reading.shape("stages.0.blocks.0.mlp.linear1.bias")[0] / dim)


def sizes(swin):
    """P of patches (P Q C)."""
    return {"P": patch_size(swin), "Q": patch_size(swin)}


def first(swin):
    """The first block."""
    return swin.stages[0].blocks[0]


def window(swin):
    """M of the first stage."""
    return first(swin).attention.window


def only_window(swin):
    """M, if it is one for all stages."""
    windows = {block.attention.window for stage in swin.stages for block in stage.blocks}
    if len(windows) > 1:
        raise ValueError(f"a Swin with windows of {sorted(windows)} tokens has no counterpart in transformers, whose "
                         "windows are all of one size; timm has one")
    return window(swin)


def window_fits(value, swin):
    """Whether timm's window, which it makes as small as the grid, is ours."""
    grid = math.ceil(min(swin.image_size) / patch_size(swin))
    return pair(value) == (max(pair(value)),) * 2 and min(max(pair(value)), grid) == window(swin)


def patch_size(swin):
    """P"""
    return swin.patch_embed.patch_size


def patches_divide(value, swin):
    """Whether timm's patches are ours: what is left over at the edge, it drops, where we add zeros."""
    return value == patch_size(swin) and not any(pixels % value for pixels in swin.image_size)


def dim(swin):
    """C"""
    return swin.patch_norm.weight.size


def hidden(swin):
    """The width between the two layers of an MLP of the first stage."""
    return first(swin).mlp.linear1.bias.size


SHARED = (
    Key("embed_dim", dim),
    Key("depths", lambda swin: [len(stage.blocks) for stage in swin.stages]),
    Key("num_heads", lambda swin: [stage.blocks[0].attention.heads for stage in swin.stages]),
    mlp_ratio(dim, hidden),
    fixed("qkv_bias", True),
)
FAMILY = Family(
    name="swin",
    models={Swin: ("timm", "transformers", "transformers4")},
    tables={
        # the second of timm before version 0.8, and of the authors
        "timm": [timm(0, "head.fc", BLOCK), timm(1, "head", BLOCK)],
        "transformers": [within("", "swin.", ENCODER) + head("head", "classifier"), ENCODER],  # with head; SwinModel
        "transformers4": [within("", "swin.", ENCODER4) + head("head", "classifier"), ENCODER4],
    },
    shapes=shapes,
    sizes=sizes,
    configs={
        "timm": Timm((
            *SHARED,
            Key("patch_size", patch_size, fits=patches_divide),
            Key("img_size", lambda swin: list(swin.image_size), "image_size", pair),
            Key("in_chans", lambda swin: swin.patch_embed.channels),
            Key("window_size", window, fits=window_fits),
            *(fixed(name, value) for name, value in {
                "global_pool": "avg", "head_dim": None, "always_partition": False}.items()),
        ), always=(Always("eps", 1e-5, lambda swin: swin.norm.eps), Always("activation", gelu, lambda swin: first(
            swin).mlp.activation)), written="swin_tiny_patch4_window7_224", architectures={
                r"swin_(tiny|small|base|large)_patch4_window\d+_\d+": {}}),
        "transformers": Transformers((
            *SHARED,
            Key("patch_size", patch_size),
            Key("image_size", lambda swin: number_or_list(swin.image_size), "image_size", pair),
            Key("num_channels", lambda swin: swin.patch_embed.channels),
            Key("window_size", only_window),
            activation("hidden_act", "transformers", lambda swin: first(swin).mlp.activation),
            Key("layer_norm_eps", lambda swin: swin.patch_norm.eps, "eps", default=1e-5),
            fixed("use_absolute_embeddings", False),
        ), ignored=("num_layers", "hidden_size"), model_type="swin", architecture="SwinForImageClassification"),
    },
)
