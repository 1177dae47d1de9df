"""Name tables of what many architectures share: a Transformer block, a convolution with its BatchNorm, heads.

Ours in front, theirs behind: `transformer_block` is a block of ours with norm1, attention.qkv, attention.proj, norm2,
mlp.linear1 and mlp.linear2, as models/vit.py and models/swin.py have it.
"""

from .table import CONV, PATCHES, batch_norm, conv, linear, optional
from .table import norm as normalisation

QKV = ("query", "key", "value")


def transformer_block(norm1, qkv, proj, norm2, linear1, linear2):
    """A block with the names that theirs has for each part; `qkv` is one name, or three that are joined."""
    return [*normalisation("norm1", norm1), *linear("attention.qkv", qkv), *linear("attention.proj", proj),
            *normalisation("norm2", norm2), *linear("mlp.linear1", linear1), *linear("mlp.linear2", linear2)]


TIMM_BLOCK = transformer_block("norm1", "attn.qkv", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2")
# of transformers from version 5 on
TRANSFORMERS_BLOCK = transformer_block(
    "layernorm_before", [f"attention.{name}_proj" for name in "qkv"], "attention.o_proj", "layernorm_after", "mlp.fc1",
    "mlp.fc2")
# of version 4 and of the files on the hub: ViT, DeiT and MAE have "attention.attention", Swin "attention.self"
TRANSFORMERS4_BLOCK, TRANSFORMERS4_SELF_BLOCK = (transformer_block(
    "layernorm_before", [f"attention.{inner}.{name}" for name in QKV], "attention.output.dense", "layernorm_after",
    "intermediate.dense", "output.dense") for inner in ("attention", "self"))


def patches(ours, theirs):
    """The linear map of the patches, which is a convolution there."""
    return linear(ours, theirs, PATCHES)


def conv_norm(ours_conv, ours_norm, theirs_conv, theirs_norm, layout=CONV):
    """A convolution without bias and the BatchNorm behind it."""
    return conv(ours_conv, theirs_conv, layout) + batch_norm(ours_norm, theirs_norm)


def head(ours, theirs):
    """A linear map to the classes, which some models lack."""
    return optional(linear(ours, theirs))
