"""NFNet: timm's NormFreeNet, in the form that holds the authors' weights (dm_nfnet_f0 to f6)."""

from ...models.nfnet import NFNet, standardise_timm
from ...ops import gelu
from ..blocks import head
from ..config import Always, Key, Timm, fixed, pair
from ..family import Family
from ..table import CONV, CONV_AS_LINEAR, linear, optional, tensor, within


def scaled_conv(ours, theirs):
    """A convolution with a gain."""
    return [*linear(ours, theirs, CONV), *tensor(f"{ours}.gain", f"{theirs}.gain", "o 1 1 1 -> o")]


BLOCK = [
    *optional(scaled_conv("shortcut.conv", "downsample.conv")),
    *scaled_conv("conv1", "conv1"), *scaled_conv("conv2", "conv2"),
    *scaled_conv("conv3", "conv2b"), *scaled_conv("conv4", "conv3"),
    *linear("excite.reduce", "attn_last.fc1", CONV_AS_LINEAR),
    *linear("excite.expand", "attn_last.fc2", CONV_AS_LINEAR),
    *tensor("skip_gain", "skipinit_gain"),
]
TIMM = [
    *[rule for index in range(4) for rule in scaled_conv(f"stem.layers.{2 * index}", f"stem.conv{index + 1}")],
    *within("stages.*.layers.*.", "stages.*.*.", BLOCK),
    *scaled_conv("final", "final_conv"),
    *head("head", "head.fc"),
]


def shapes(reading, known):
    """All that an NFNet is built of, but for alpha."""
    stages = range(reading.modules("stages"))
    convs = [reading.shape(f"stem.layers.{2 * index}.weight") for index in range(4)]
    return dict(channels=convs[0][2], stem=tuple(outputs for *_, outputs in convs),
                dims=tuple(reading.shape(f"stages.{stage}.layers.0.conv4.weight")[-1] for stage in stages),
                depths=tuple(reading.modules(f"stages.{stage}.layers") for stage in stages),
                group=reading.shape("stages.0.layers.0.conv2.weight")[2], num_classes=reading.outputs())


def first(model):
    """The first block."""
    return model.stages[0][0]


def stem_width(model):
    """Of the stem's last convolution; theirs have 1/8, 1/4 and 1/2 as much."""
    widths = [layer.gain.size for layer in model.stem.layers[::2]]
    if widths != [widths[-1] // part for part in (8, 4, 2, 1)] or widths[-1] % 8:
        raise ValueError(f"stem: channels {tuple(widths)} have no counterpart in timm, where each is twice the one "
                         "before, and the last a multiple of 8")
    return widths[-1]


def dims(model):
    """The channels of each stage; the factors of channels are made of half as many, in multiples of 8 there."""
    widths = [stage[0].conv4.gain.size for stage in model.stages]
    if any(width % 16 for width in widths):
        raise ValueError(f"dims: expected multiples of 16, as timm needs them, got {tuple(widths)}")
    return widths


FAMILY = Family(
    name="nfnet",
    models={NFNet: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    configs={
        "timm": Timm((
            Key("img_size", lambda model: list(model.image_size), "image_size", pair, written=False),
            Key("in_chans", lambda model: model.stem[0].weight.shape[2]),
            Key("stem_chs", stem_width),
            Key("channels", dims),
            Key("depths", lambda model: [len(stage) for stage in model.stages]),
            Key("group_size", lambda model: first(model).conv2.weight.shape[2]),
            Key("num_features", lambda model: model.final.gain.size),
            Key("alpha", lambda model: first(model).alpha, "alpha", default=0.2),
            *(fixed(name, value) for name, value in {
                "global_pool": "avg", "output_stride": 32, "stem_type": "deep_quad", "attn_layer": "se",
                "attn_kwargs": {"rd_ratio": 0.5}, "attn_gain": 2.0, "width_factor": 1.0, "bottle_ratio": 0.5,
                "reg": False, "extra_conv": True, "gamma_in_act": True, "same_padding": True, "std_conv_eps": 1e-5,
                "skipinit": True, "act_layer": "gelu"}.items()),
        ), ignored=("zero_init_fc",), always=(
            Always("activation", gelu, lambda model: model.activation.activation),
            Always("standardise", standardise_timm, lambda model: model.final.standardise),
            Always("strides", (2, 1, 1, 2), lambda model: model.strides),
        ), written="dm_nfnet_f0", architectures={r"dm_nfnet_f[0-6]": {}}),
    },
)
