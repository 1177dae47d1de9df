"""ResNets with a 7 x 7 stem: timm's ResNet, transformers' ResNetForImageClassification."""

from ...models.resnet import BasicBlock, Bottleneck, ResNet, ResNetCIFAR
from ..blocks import conv_norm, head
from ..config import Key, Timm, Transformers, fixed
from ..family import Family
from ..table import optional, within

SHORTCUT = ("shortcut.layers.0", "shortcut.layers.1")
TIMM_BLOCK = [rule for index in (1, 2, 3) for rule in conv_norm(
    f"conv{index}", f"norm{index}", f"conv{index}", f"bn{index}")] + optional(
    conv_norm(*SHORTCUT, "downsample.0", "downsample.1"))
TIMM = [
    *conv_norm("stem", "norm", "conv1", "bn1"),
    *[rule for stage in range(4)
      for rule in within(f"body.stages.{stage}.layers.*.", f"layer{stage + 1}.*.", TIMM_BLOCK)],
    *head("body.head", "fc"),
]

TRANSFORMERS_BLOCK = [rule for index in (1, 2, 3) for rule in conv_norm(
    f"conv{index}", f"norm{index}", f"layer.{index - 1}.convolution", f"layer.{index - 1}.normalization")] + optional(
    conv_norm(*SHORTCUT, "shortcut.convolution", "shortcut.normalization"))
BACKBONE = [
    *conv_norm("stem", "norm", "embedder.embedder.convolution", "embedder.embedder.normalization"),
    *within("body.stages.*.layers.*.", "encoder.stages.*.layers.*.", TRANSFORMERS_BLOCK),
]


def shapes(reading, known):
    """All that a ResNet is built of."""
    *_, channels, width = reading.shape("stem.weight")
    return dict(block=Bottleneck if "body.stages.0.layers.0.conv3.weight" in reading else BasicBlock, width=width,
                depths=[reading.modules(f"body.stages.{stage}.layers")
                        for stage in range(reading.modules("body.stages"))],
                channels=channels, num_classes=reading.outputs("body.head"))


def block(resnet):
    """BasicBlock or Bottleneck."""
    return type(resnet.body.stages[0][0])


def widths(resnet):
    """The channels of the 3 x 3 convolutions in each stage."""
    return [resnet.stem.weight.shape[-1] * 2 ** stage for stage in range(len(resnet.body.stages))]


def timm_widths(resnet):
    """The same, where timm has it."""
    if widths(resnet)[0] != 64:
        raise ValueError(f"a ResNet of width {widths(resnet)[0]} has no counterpart in timm, whose stem has 64 "
                         "channels; transformers has one")
    return widths(resnet)


def depths(resnet):
    """Blocks in each stage."""
    return [len(stage) for stage in resnet.body.stages]


FAMILY = Family(
    name="resnet",
    models={ResNet: ("timm", "transformers")},
    without={ResNetCIFAR: "theirs have a stem of 7 x 7 pixels"},
    tables={
        "timm": [TIMM],
        "transformers": [within("", "resnet.", BACKBONE) + head("body.head", "classifier.1"), BACKBONE],
    },
    shapes=shapes,
    head="body.head",
    configs={
        "timm": Timm((
            Key("layers", depths),
            Key("channels", timm_widths),
            Key("in_chans", lambda resnet: resnet.stem.weight.shape[2]),
            *(fixed(name, value) for name, value in {
                "global_pool": "avg", "output_stride": 32, "act_layer": "relu", "cardinality": 1, "base_width": 64,
                "stem_width": 64, "stem_type": "", "replace_stem_pool": False, "block_reduce_first": 1,
                "down_kernel_size": 1, "avg_down": False}.items()),
        ), ignored=("drop_block_rate", "zero_init_last"), architectures={r"resnet(18|34|50|101|152)": {}},
            written=lambda resnet: "resnet50" if block(resnet) is Bottleneck else "resnet18"),
        "transformers": Transformers((
            Key("layer_type", lambda resnet: "bottleneck" if block(resnet) is Bottleneck else "basic",
                default="bottleneck"),
            Key("depths", depths),
            Key("embedding_size", lambda resnet: widths(resnet)[0]),
            Key("hidden_sizes", lambda resnet: [width * block(resnet).expansion for width in widths(resnet)]),
            Key("num_channels", lambda resnet: resnet.stem.weight.shape[2]),
            fixed("hidden_act", "relu"), fixed("downsample_in_first_stage", False),
            fixed("downsample_in_bottleneck", False),
        ), model_type="resnet", architecture="ResNetForImageClassification"),
    },
)
