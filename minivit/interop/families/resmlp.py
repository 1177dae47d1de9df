"""ResMLP: timm's MlpMixer with ResBlock."""

from ...models.resmlp import ResMLP
from ...ops import gelu
from ..config import Always, mlp_ratio
from ..family import Family
from ..table import linear, tensor, within
from .mlp_mixer import ENDS, factory, frame_shapes, sizes, timm, width


def affine(ours, theirs):
    """A factor and an offset, which have three axes there."""
    return [rule for name in ("alpha", "beta") for rule in tensor(f"{ours}.{name}", f"{theirs}.{name}", "1 1 D -> D")]


BLOCK = [
    *affine("norm1", "norm1"),
    *linear("linear_tokens", "linear_tokens"),
    *tensor("scale1.gamma", "ls1"),
    *affine("norm2", "norm2"),
    *linear("mlp.linear1", "mlp_channels.fc1"),
    *linear("mlp.linear2", "mlp_channels.fc2"),
    *tensor("scale2.gamma", "ls2"),
]


def shapes(reading, known):
    """What the tensors tell."""
    return frame_shapes(reading, known, reading.shape("blocks.0.linear_tokens.bias")[0]) | dict(
        mlp_dim=reading.shape("blocks.0.mlp.linear1.bias")[0])


FACTORIES = {f"resmlp_{name}_224": factory(patch, dim, depth) | {"mlp_ratio": 4} for name, patch, dim, depth in [
    ("12", 16, 384, 12), ("24", 16, 384, 24), ("36", 16, 384, 36), ("big_24", 8, 768, 24)]}

FAMILY = Family(
    name="resmlp",
    models={ResMLP: ("timm",)},
    tables={"timm": [[*ENDS, *within("blocks.*.", "blocks.*.", BLOCK), *affine("norm", "norm")]]},
    shapes=shapes,
    sizes=sizes,
    configs={"timm": timm(mlp_ratio(width, lambda model: model.blocks[0].mlp.linear1.bias.size), FACTORIES, always=(
        Always("activation", gelu, lambda model: model.blocks[0].mlp.activation),))},
)
