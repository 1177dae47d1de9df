"""EfficientViT of Microsoft: timm's efficientvit_m0 to m5. Those by the names of b and l are MIT's, another network."""

import math

from ...models.efficientvit import EfficientViT
from ..blocks import conv_norm
from ..config import Always, Key, Timm, fixed, pair
from ..family import Family
from ..table import CONV_AS_LINEAR, batch_norm, conv, linear, optional, tensor, within
from .levit import norm_linear


def conv_bn(ours, theirs):
    """A convolution and the BatchNorm behind it, by theirs names of parts."""
    return conv_norm(f"{ours}.conv", f"{ours}.norm", f"{theirs}.conv", f"{theirs}.bn")


def linear_bn(ours, theirs):
    """A linear map without bias, a convolution there, and the BatchNorm behind it."""
    return conv(f"{ours}.linear", f"{theirs}.conv", CONV_AS_LINEAR) + batch_norm(f"{ours}.norm", f"{theirs}.bn")


def local_mlp(first, depthwise, mlp):
    """What stands at two places of a Sequential of ours, from `first` on."""
    return [*conv_bn(f"layers.{first}.branch", f"{depthwise}.m"),
            *linear_bn(f"layers.{first + 1}.branch.linear1", f"{mlp}.m.pw1"),
            *linear_bn(f"layers.{first + 1}.branch.linear2", f"{mlp}.m.pw2")]


ATTENTION = [
    *linear_bn("qkv.*", "qkvs.*"), *conv_bn("depthwise.*", "dws.*"), *linear_bn("proj", "proj.1"),
    *tensor("bias_table", "attention_biases", "h n -> n h"),
]
BLOCK = [*local_mlp(0, "dw0", "ffn0"), *within("layers.2.branch.attention.", "mixer.m.attn.", ATTENTION),
         *local_mlp(3, "dw1", "ffn1")]
SHRINK = [
    *local_mlp(0, "res1.0", "res1.1"),
    *conv_bn("layers.2.expand", "patchmerge.conv1"), *conv_bn("layers.2.depthwise", "patchmerge.conv2"),
    *linear("layers.2.excite.reduce", "patchmerge.se.fc1", CONV_AS_LINEAR),
    *linear("layers.2.excite.expand", "patchmerge.se.fc2", CONV_AS_LINEAR),
    *conv_bn("layers.2.project", "patchmerge.conv3"),
    *local_mlp(3, "res2.0", "res2.1"),
]
TIMM = [
    *[rule for index in range(4) for rule in conv_bn(f"stages.0.embed.layers.{index}", f"patch_embed.conv{index + 1}")],
    *optional(within("stages.*.embed.", "stages.*.downsample.", SHRINK)),
    *within("stages.*.blocks.*.", "stages.*.blocks.*.", BLOCK),
    *norm_linear("head", "head"),
]


def shapes(reading, known):
    """All but the sides of the picture: where config.json is silent, as for a last grid of one window."""
    stages = [f"stages.{stage}" for stage in range(reading.modules("stages"))]
    mixers = [f"{stage}.blocks.0.layers.2.branch.attention" for stage in stages]
    sizes = [math.isqrt(reading.shape(f"{mixer}.bias_table")[0]) for mixer in mixers]
    heads = [reading.shape(f"{mixer}.bias_table")[1] for mixer in mixers]
    most = mixers[heads.index(max(heads))]
    # the windows of the paper's pictures are 7, 7 and 4; of those with a last grid of 4 x 4, 224 pixels are the middle
    last = 2 ** (len(stages) + 3)
    return dict(
        image_size=known.get("image_size", sizes[-1] * last - (last // 2 if len(stages) > 1 else 0)),
        channels=reading.shape("stages.0.embed.layers.0.conv.weight")[2], num_classes=reading.outputs("head.linear"),
        dims=[reading.shape(f"{mixer}.proj.linear.weight")[0] for mixer in mixers],
        depths=[reading.modules(f"{stage}.blocks") for stage in stages], heads=heads, window=max(sizes),
        key_dim=reading.shape(f"{most}.depthwise.0.conv.weight")[3],
        kernels=[reading.shape(f"{most}.depthwise.{head}.conv.weight")[0] for head in range(max(heads))])


def mixers(model):
    """The windowed attention of each stage's first block."""
    return [stage.blocks[0][2].branch for stage in model.stages]


def dims(model):
    """C of each stage, of which there are three at most."""
    if len(model.stages) > 3:
        raise ValueError(f"dims: timm's EfficientVitMsra has three stages at most, not {len(model.stages)}")
    return [mixer.attention.proj.linear.weight.shape[1] for mixer in mixers(model)]


def heads(model):
    """h of each stage."""
    return [mixer.attention.heads for mixer in mixers(model)]


def kernels(model):
    """Of the queries of the stage with most heads."""
    most = max((mixer.attention for mixer in mixers(model)), key=lambda attention: attention.heads)
    return [part.conv.weight.shape[0] for part in most.depthwise]


def fitting_windows(windows, model):
    """Whether windows of these sizes are, on our grids, as large as ours."""
    side = min(model.image_size) // 16
    sizes = []
    for window in windows:
        sizes.append(min(window, side))
        side = (side - 1) // 2 + 1
    return sizes == [mixer.size for mixer in mixers(model)]


def key_dims(model):
    """d of each stage."""
    return [mixer.attention.widths[0] for mixer in mixers(model)]


FAMILY = Family(
    name="efficientvit",
    models={EfficientViT: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    head="head.linear",
    configs={"timm": Timm((
        Key("img_size", lambda model: list(model.image_size), "image_size", pair),
        Key("in_chans", lambda model: model.stages[0].embed[0].conv.weight.shape[2]),
        Key("embed_dim", dims),
        Key("key_dim", key_dims, fits=lambda value, model: list(value[:len(model.stages)]) == key_dims(model)),
        Key("depth", lambda model: [len(stage.blocks) for stage in model.stages]),
        Key("num_heads", heads),
        Key("window_size", lambda model: [model.window] * len(model.stages), default=(7, 7, 7),
            fits=lambda value, model: fitting_windows(value[:len(model.stages)], model)),
        Key("kernels", kernels, default=(5, 5, 5, 5),
            fits=lambda value, model: list(value[:max(heads(model))]) == kernels(model)),
        fixed("global_pool", "avg"),
    ), always=(Always("halvings", 4, lambda model: len(model.stages[0].embed)),),
        written="efficientvit_m0", architectures={
            r"efficientvit_m[03]": {"kernels": [5, 5, 5, 5]}, r"efficientvit_m[1245]": {"kernels": [7, 5, 3, 3]}})},
    derived=(r"attention_bias_idxs",),
)
