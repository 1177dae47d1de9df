"""Tokens-to-Token ViTs with a transformer between the splits: its authors' repository, T2T_ViT with "transformer"."""

import math

from ...models.t2t import VARIANTS, T2TViT
from ..blocks import TIMM_BLOCK, head
from ..config import Always, Config
from ..family import Family
from ..table import linear, norm, tensor, within

SPLITS = ((7, 4, 2), (3, 2, 1), (3, 2, 1))
HEADS = {vit.keywords["dim"]: vit.keywords["heads"] for name, vit in VARIANTS.items() if "-resnext" not in name}


AXES = {7: "p q", 3: "r s"}  # of windows: their channels come first, their pixels here
VECTOR = {kernel: f"(C {axes}) -> ({axes} C)" for kernel, axes in AXES.items()}
MATRIX = {kernel: f"o (C {axes}) -> ({axes} C) o" for kernel, axes in AXES.items()}


def authors(layer):
    """The authors' names; layer(kernel) has those of a layer that reads windows of so many pixels."""
    return [
        *within("tokens.layers.0.", "tokens_to_token.attention1.", layer(7)),
        *within("tokens.layers.1.", "tokens_to_token.attention2.", layer(3)),
        *linear("tokens.project", "tokens_to_token.project", MATRIX[3]),
        *tensor("class_token", "cls_token"),
        *tensor("positions", "pos_embed"),
        *within("blocks.*.", "blocks.*.", [rule for rule in TIMM_BLOCK if "attention.qkv.bias" not in rule.ours]),
        *norm("norm", "norm"),
        *head("head", "head"),
    ]


def norms(kernel):
    """The norms of a layer between splits."""
    return [*tensor("norm1.weight", "norm1.weight", VECTOR[kernel]),
            *tensor("norm1.bias", "norm1.bias", VECTOR[kernel]), *norm("norm2", "norm2")]


def transformer(kernel):
    """A transformer between splits."""
    return [
        *norms(kernel),
        *tensor("qkv.weight", "attn.qkv.weight", MATRIX[kernel]),
        *linear("proj", "attn.proj"),
        *linear("mlp.linear1", "mlp.fc1"),
        *linear("mlp.linear2", "mlp.fc2"),
    ]


def shapes(reading, known):
    """What the tensors tell; the picture is square where the caller does not say."""
    dim, places = reading.shape("norm.weight")[0], reading.shape("positions")[1]
    return dict(image_size=known.get("image_size", 16 * math.isqrt(places - 1)),
                channels=reading.shape("tokens.layers.0.norm1.weight")[0] // 49, num_classes=reading.outputs(), dim=dim,
                depth=reading.modules("blocks"), heads=known.get("heads") or HEADS.get(dim),
                mlp_dim=reading.shape("blocks.0.mlp.linear1.bias")[0],
                token_dim=reading.shape("tokens.layers.0.proj.bias")[0])


def sizes(vit):
    """Rows and columns of windows."""
    return {axis: kernel for kernel, axes in AXES.items() for axis in axes.split()}


def splits(vit):
    """Kernel, stride and padding of each split."""
    return tuple((each.kernel, each.stride, each.padding) for each in vit.tokens.splits)


def family(name, model, layer):
    """The family of the models of a class, whose layers between splits have the names layer(kernel)."""
    return Family(
        name=name,
        models={model: ("authors",)},
        tables={"authors": [authors(layer)]},
        shapes=shapes,
        sizes=sizes,
        asked={"heads": "how many heads share its width {dim}"},
        configs={"authors": Config(always=(Always("splits", SPLITS, splits),
                                           Always("eps", 1e-5, lambda vit: vit.norm.eps)))},
    )


FAMILY = family("t2t", T2TViT, transformer)
