"""IdentityFormer and RandFormer: their authors' repository, MetaFormer of metaformer_baselines.py.

What IdentityFormer has for tensors, PoolFormerV2 has too: whoever loads such a file must say which it is.
"""

from ...models.metaformer import IdentityFormer, RandFormer
from ..blocks import head
from ..family import Family
from ..table import CONV, LINEAR, linear, norm, optional, tensor, within


def block(layout, mixer=()):
    """A block; `layout` is that of the maps of its MLP."""
    return [
        *tensor("norm1.weight", "norm1.weight"),
        *mixer,
        *optional(tensor("shortcut1.gamma", "res_scale1.scale")),
        *tensor("norm2.weight", "norm2.weight"),
        *tensor("linear1.weight", "mlp.fc1.weight", layout),
        *tensor("activation.scale", "mlp.act.scale"),
        *tensor("activation.bias", "mlp.act.bias"),
        *tensor("linear2.weight", "mlp.fc2.weight", layout),
        *optional(tensor("shortcut2.gamma", "res_scale2.scale")),
    ]


AUTHORS = [
    *linear("stages.0.embed.conv", "downsample_layers.0.conv", CONV),
    *tensor("stages.0.embed.norm.weight", "downsample_layers.0.post_norm.weight"),
    *linear("stages.*.embed.conv", "downsample_layers.*.conv", CONV),
    *tensor("stages.*.embed.norm.weight", "downsample_layers.*.pre_norm.weight"),
    *within("stages.*.blocks.*.", "stages.*.*.", block(LINEAR, optional(
        tensor("mixer.matrix", "token_mixer.random_matrix")))),
    *norm("final.norm", "norm"),
    *head("head", "head"),
]


def shapes(reading, known):
    """What the tensors tell; the picture is 224 x 224 pixels where the caller does not say."""
    stages = range(reading.modules("stages"))
    kernel, _, channels, _ = reading.shape("stages.0.embed.conv.weight")
    dims, hidden = reading.shape("stages.0.embed.conv.bias"), reading.shape("stages.0.blocks.0.linear1.weight")[1]
    kind = RandFormer if any(name.endswith("mixer.matrix") for name in reading.state) else None
    return dict(model=known.get("model", kind), kernel=kernel, channels=channels, num_classes=reading.outputs(),
                dims=tuple(reading.shape(f"stages.{stage}.embed.conv.bias")[0] for stage in stages),
                depths=tuple(reading.modules(f"stages.{stage}.blocks") for stage in stages), mlp_ratio=hidden / dims[0],
                scaled=sum(f"stages.{stage}.blocks.0.shortcut1.gamma" in reading for stage in stages))


FAMILY = Family(
    name="metaformer",
    models={IdentityFormer: ("authors",), RandFormer: ("authors",)},
    tables={"authors": [AUTHORS]},
    shapes=shapes,
    asked={"model": "what mixes its tokens, minivit.models.metaformer.IdentityFormer or PoolFormerV2"},
)
