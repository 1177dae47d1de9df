"""PoolFormer: timm's MetaFormer, of the first paper, and transformers' PoolFormer, as its authors have it."""

from ...models.poolformer import MeanOfNormed, NormOfMean, PoolFormer
from ...ops import gelu
from ..blocks import head
from ..config import Always, Key, Timm, Transformers, activation, fixed
from ..family import Family
from ..table import CONV, CONV_AS_LINEAR, linear, norm, tensor, within

TIMM_BLOCK = [
    *norm("norm1", "norm1"),
    *tensor("scale1.gamma", "layer_scale1.scale"),
    *norm("norm2", "norm2"),
    *linear("mlp.linear1", "mlp.fc1", CONV_AS_LINEAR),
    *linear("mlp.linear2", "mlp.fc2", CONV_AS_LINEAR),
    *tensor("scale2.gamma", "layer_scale2.scale"),
]
TIMM = [
    *linear("stages.0.embed", "stem.conv", CONV),
    *linear("stages.*.embed", "stages.*.downsample.conv", CONV),
    *within("stages.*.blocks.*.", "stages.*.blocks.*.", TIMM_BLOCK),
    *norm("final.norm", "head.norm"),
    *head("head", "head.fc"),
]
BLOCK = [
    *norm("norm1", "before_norm"),
    *tensor("scale1.gamma", "layer_scale_1"),
    *norm("norm2", "after_norm"),
    *linear("mlp.linear1", "output.conv1", CONV_AS_LINEAR),
    *linear("mlp.linear2", "output.conv2", CONV_AS_LINEAR),
    *tensor("scale2.gamma", "layer_scale_2"),
]
TRANSFORMERS = [
    *within("", "poolformer.encoder.", [
        *linear("stages.*.embed", "patch_embeddings.*.projection", CONV),
        *within("stages.*.blocks.*.", "block.*.*.", BLOCK)]),
    *norm("final.norm", "norm"),
    *head("head", "classifier"),
]


def shapes(reading, known):
    """What the tensors tell."""
    stages = range(reading.modules("stages"))
    kernel, _, channels, _ = reading.shape("stages.0.embed.weight")
    dims = tuple(reading.shape(f"stages.{stage}.embed.bias")[0] for stage in stages)
    return dict(kernel=kernel, channels=channels, num_classes=reading.outputs(), dims=dims,
                depths=tuple(reading.modules(f"stages.{stage}.blocks") for stage in stages),
                mlp_ratio=reading.shape("stages.0.blocks.0.mlp.linear1.bias")[0] / dims[0])


def kernels(model):
    """Of the convolution in front of each stage."""
    return [len(stage.embed.weight) for stage in model.stages]


def strides(model):
    """Likewise."""
    return [stage.embed.settings["stride"] for stage in model.stages]


def paddings(model):
    """Likewise."""
    return [stage.embed.settings["padding"] for stage in model.stages]


def widths(model):
    """C of each stage."""
    return [stage.embed.bias.size for stage in model.stages]


def depths(model):
    """Blocks of each stage."""
    return [len(stage.blocks) for stage in model.stages]


def first(values):
    """That of the first stage."""
    return values[0]


def channels(model):
    """Of the pictures."""
    return model.stages[0].embed.weight.shape[2]


def hidden(model):
    """The width between the two layers of the first stage's MLPs."""
    return model.stages[0].blocks[0].mlp.linear1.bias.size


def narrowing(model):
    """The widths, as timm has them: it leaves out the convolution between two stages of one width."""
    if len(set(widths(model))) < len(model.stages):
        raise ValueError(f"dims: timm has no convolution between two stages of one width, as in {widths(model)}")
    return widths(model)


POOL = Key("pool_size", lambda model: model.stages[0].blocks[0].mixer.size, "pool_size", default=3)
FACTORIES = {f"poolformer_{name}": {"dims": dims, "depths": layers} for name, dims, layers in [
    ("s12", [64, 128, 320, 512], [2, 2, 6, 2]), ("s24", [64, 128, 320, 512], [4, 4, 12, 4]),
    ("s36", [64, 128, 320, 512], [6, 6, 18, 6]), ("m36", [96, 192, 384, 768], [6, 6, 18, 6]),
    ("m48", [96, 192, 384, 768], [8, 8, 24, 8])]}


def written(model):
    """timm's architecture of such sizes; where there is none, the smallest, which it cannot build with other sizes."""
    has = {"dims": widths(model), "depths": depths(model)}
    return next((name for name, sizes in FACTORIES.items() if sizes == has), "poolformer_s12")


FAMILY = Family(
    name="poolformer",
    models={PoolFormer: ("timm", "transformers")},
    tables={"timm": [TIMM], "transformers": [TRANSFORMERS]},
    shapes=shapes,
    configs={
        "timm": Timm(
            (Key("in_chans", channels), Key("dims", narrowing), Key("depths", depths), POOL,
             fixed("global_pool", "avg")),
            always=(Always("final", NormOfMean, lambda model: type(model.final)),
                    Always("activation", gelu, lambda model: model.stages[0].blocks[0].mlp.activation),
                    Always("mlp_ratio", 4, lambda model: hidden(model) / widths(model)[0]),
                    Always("kernel", 7, lambda model: kernels(model)[0]),
                    Always("stride", 4, lambda model: strides(model)[0]),
                    Always("padding", 2, lambda model: paddings(model)[0])),
            architectures=FACTORIES, written=written),
        "transformers": Transformers(
            (Key("num_channels", channels),
             Key("hidden_sizes", widths), Key("depths", depths),
             Key("num_encoder_blocks", lambda model: len(model.stages)),
             Key("patch_sizes", kernels),
             Key("strides", strides, "stride", first, default=[4, 2, 2, 2],
                 fits=lambda value, model: list(value) == strides(model)),
             Key("padding", paddings, "padding", first, default=[2, 1, 1, 1],
                 fits=lambda value, model: list(value) == paddings(model)),
             Key("mlp_ratio", lambda model: hidden(model) / widths(model)[0], default=4.0,
                 fits=lambda ratio, model: int(ratio * widths(model)[0]) == hidden(model)),
             POOL,
             activation("hidden_act", "transformers", lambda model: model.stages[0].blocks[0].mlp.activation),
             fixed("use_layer_scale", True)),
            ignored=("patch_size", "stride", "layer_scale_init_value"),
            always=(Always("final", MeanOfNormed, lambda model: type(model.final)),),
            model_type="poolformer", architecture="PoolFormerForImageClassification"),
    },
)
