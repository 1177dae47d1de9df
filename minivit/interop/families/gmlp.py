"""gMLP: timm's MlpMixer with SpatialGatingBlock."""

from ...models.gmlp import GMLP
from ...ops import gelu
from ..config import Always, mlp_ratio
from ..family import Family
from ..table import linear, norm, within
from .mlp_mixer import ENDS, factory, frame_shapes, sizes, timm, width

BLOCK = [
    *norm("norm", "norm"),
    *linear("linear1", "mlp_channels.fc1"),
    *norm("gate.norm", "mlp_channels.gate.norm"),
    *linear("gate", "mlp_channels.gate.proj"),
    *linear("linear2", "mlp_channels.fc2"),
]


def shapes(reading, known):
    """What the tensors tell."""
    return frame_shapes(reading, known, reading.shape("blocks.0.gate.bias")[0]) | dict(
        mlp_dim=reading.shape("blocks.0.linear1.bias")[0])


FACTORIES = {f"gmlp_{name}16_224": factory(16, dim, 30) | {"mlp_ratio": 6}
             for name, dim in [("ti", 128), ("s", 256), ("b", 512)]}

FAMILY = Family(
    name="gmlp",
    models={GMLP: ("timm",)},
    tables={"timm": [[*ENDS, *within("blocks.*.", "blocks.*.", BLOCK), *norm("norm", "norm")]]},
    shapes=shapes,
    sizes=sizes,
    configs={"timm": timm(mlp_ratio(width, lambda model: model.blocks[0].linear1.bias.size), FACTORIES, always=(
        Always("eps", 1e-6, lambda model: model.norm.eps),
        Always("gate_eps", 1e-5, lambda model: model.blocks[0].gate.norm.eps),
        Always("activation", gelu, lambda model: model.blocks[0].activation)))},
)
