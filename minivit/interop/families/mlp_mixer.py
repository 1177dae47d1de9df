"""MLP-Mixer: timm's MlpMixer with MixerBlock, and the authors' JAX files (npz).

What timm's other two blocks share with it, ResMLP and gMLP, is here too. timm's factories fix the sizes that tensors
have: config.json cannot change them, only those of the picture. The JAX code takes the tanh form of GELU.
"""

from ...models.mlp_mixer import MlpMixer
from ...ops import gelu, gelu_tanh
from ..blocks import head, patches
from ..config import Always, Config, Key, Timm, fixed, pair
from ..family import Family
from ..table import linear, norm, optional, tensor, within
from .vit import grid_of

ENDS = [*patches("patch_embed", "stem.proj"), *head("head", "head")]
BLOCK = [
    *norm("norm1", "norm1"),
    *linear("mlp_tokens.linear1", "mlp_tokens.fc1"),
    *linear("mlp_tokens.linear2", "mlp_tokens.fc2"),
    *norm("norm2", "norm2"),
    *linear("mlp_channels.linear1", "mlp_channels.fc1"),
    *linear("mlp_channels.linear2", "mlp_channels.fc2"),
]


def jax(ours, theirs, kernel="kernel", layout=""):
    """A layer of the JAX code, whose linear maps lie as ours; the weight of a norm is its "scale"."""
    return tensor(f"{ours}.weight", f"{theirs}/{kernel}", layout) + tensor(f"{ours}.bias", f"{theirs}/bias")


JAX_BLOCK = [
    *jax("norm1", "LayerNorm_0", "scale"),
    *jax("norm2", "LayerNorm_1", "scale"),
    *[rule for mixed in ("token", "channel") for index in range(2)
      for rule in jax(f"mlp_{mixed}s.linear{index + 1}", f"{mixed}_mixing/Dense_{index}")],
]
JAX = [
    *jax("patch_embed", "stem", layout="P Q C D -> (P Q C) D"),
    *within("blocks.*.", "MixerBlock_*/", JAX_BLOCK),
    *jax("norm", "pre_head_layer_norm", "scale"),
    *optional(jax("head", "head")),
]


def frame_shapes(reading, known, tokens):
    """What the tensors tell of all but the blocks, that are for so many tokens."""
    P, C = (reading.axis("patch_embed.weight", axis) for axis in "PC")
    rows, columns = grid_of(tokens, P, known.get("image_size"))
    return dict(image_size=(rows * P, columns * P), patch_size=P, channels=C, num_classes=reading.outputs(),
                dim=reading.shape("patch_embed.bias")[0], depth=reading.modules("blocks"))


def shapes(reading, known):
    """What the tensors of a MlpMixer tell."""
    tokens, tokens_dim = reading.shape("blocks.0.mlp_tokens.linear1.weight")
    return frame_shapes(reading, known, tokens) | dict(
        tokens_dim=tokens_dim, channels_dim=reading.shape("blocks.0.mlp_channels.linear1.bias")[0])


def sizes(model):
    """P of patches (P Q C)."""
    return {"P": model.patch_embed.patch_size, "Q": model.patch_embed.patch_size}


def width(model):
    """D"""
    return model.patch_embed.bias.size


def timm(mlp_ratio, factories, always):
    """The configurations of timm's MlpMixer with one kind of blocks; `factories` are {name: what it sets}."""
    keys = (
        Key("img_size", lambda model: list(model.image_size), "image_size", pair),
        Key("patch_size", lambda model: model.patch_embed.patch_size),
        Key("in_chans", lambda model: model.patch_embed.channels),
        Key("embed_dim", width),
        Key("num_blocks", lambda model: len(model.blocks)),
        mlp_ratio,
        fixed("stem_norm", False), fixed("global_pool", "avg"),
    )

    def nearest(model):
        """The factory that sets most of what a model has."""
        has = {key.name: key.of(model) for key in keys}
        return max(factories, key=lambda name: sum(has[key] == value for key, value in factories[name].items()))
    return Timm(keys, ignored=("nlhb",), always=always, architectures=factories, written=nearest)


def hidden(model):
    """S and T."""
    return [mlp.linear1.bias.size for mlp in (model.blocks[0].mlp_tokens, model.blocks[0].mlp_channels)]


def factory(patch_size, dim, depth):
    """What a factory of timm sets."""
    return {"patch_size": patch_size, "embed_dim": dim, "num_blocks": depth}


FACTORIES = {f"mixer_{size}{patch}_224": factory(patch, dim, depth)
             for size, dim, depth in [("s", 512, 8), ("b", 768, 12), ("l", 1024, 24)] for patch in (16, 32)}

FAMILY = Family(
    name="mlp_mixer",
    models={MlpMixer: ("timm", "jax")},
    tables={"timm": [[*ENDS, *within("blocks.*.", "blocks.*.", BLOCK), *norm("norm", "norm")]], "jax": [JAX]},
    shapes=shapes,
    sizes=sizes,
    configs={"timm": timm(
        Key("mlp_ratio", lambda model: [size / width(model) for size in hidden(model)], default=(0.5, 4.0),
            fits=lambda value, model: [int(ratio * width(model)) for ratio in pair(value)] == hidden(model)),
        FACTORIES,
        always=(Always("eps", 1e-6, lambda model: model.norm.eps),
                Always("activation", gelu, lambda model: model.blocks[0].mlp_tokens.activation))),
        "jax": Config(always=(Always("activation", gelu_tanh),))},
)
