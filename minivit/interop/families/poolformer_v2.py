"""PoolFormerV2: timm's MetaFormer of the second paper, with pooling."""

from ...models.metaformer import PoolFormerV2
from ..blocks import head
from ..config import Always, Key, Timm, fixed
from ..family import Family
from ..table import CONV, CONV_AS_LINEAR, linear, norm, tensor, within
from .metaformer import block
from .metaformer import shapes as any_shapes
from .poolformer import FACTORIES as FIRST

TIMM = [
    *linear("stages.0.embed.conv", "stem.conv", CONV),
    *tensor("stages.0.embed.norm.weight", "stem.norm.weight"),
    *linear("stages.*.embed.conv", "stages.*.downsample.conv", CONV),
    *tensor("stages.*.embed.norm.weight", "stages.*.downsample.norm.weight"),
    *within("stages.*.blocks.*.", "stages.*.blocks.*.", block(CONV_AS_LINEAR)),
    *norm("final.norm", "head.norm"),
    *head("head", "head.fc"),
]


def shapes(reading, known):
    """What the tensors tell."""
    return any_shapes(reading, known) | {"model": PoolFormerV2}


def conv(model):
    """In front of the first stage."""
    return model.stages[0].embed.conv


def widths(model):
    """C of each stage; timm leaves out the convolution between two stages of one width."""
    dims = [stage.embed.conv.bias.size for stage in model.stages]
    if len(set(dims)) < len(dims):
        raise ValueError(f"dims: timm has no convolution between two stages of one width, as in {dims}")
    return dims


def depths(model):
    """Blocks of each stage."""
    return [len(stage.blocks) for stage in model.stages]


def scaled(model):
    """Whether there are factors on the shortcuts, stage by stage."""
    return [bool(stage.blocks[0].shortcut1.parameters()) for stage in model.stages]


FACTORIES = {name.replace("poolformer", "poolformerv2"): sizes for name, sizes in FIRST.items()}


def written(model):
    """timm's architecture of such sizes; where there is none, the smallest, which it cannot build with other sizes."""
    has = {"dims": widths(model), "depths": depths(model)}
    return next((name for name, sizes in FACTORIES.items() if sizes == has), "poolformerv2_s12")


FAMILY = Family(
    name="poolformer_v2",
    models={PoolFormerV2: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    configs={"timm": Timm(
        (Key("in_chans", lambda model: conv(model).weight.shape[2]), Key("dims", widths), Key("depths", depths),
         fixed("pool_size", 3), fixed("global_pool", "avg")),
        always=(Always("mlp_ratio", 4, lambda model: model.stages[0].blocks[0].linear1.weight.shape[1]
                       / model.stages[0].blocks[0].linear1.weight.shape[0]),
                Always("kernel", 7, lambda model: len(conv(model).weight)),
                Always("stride", 4, lambda model: conv(model).settings["stride"]),
                Always("padding", 2, lambda model: conv(model).settings["padding"]),
                Always("scaled", 2, lambda model: 2 if scaled(model) == [
                    stage >= 2 for stage in range(len(model.stages))] else sum(scaled(model)))),
        architectures=FACTORIES, written=written)},
)
