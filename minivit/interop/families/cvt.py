"""CvT: transformers' CvtForImageClassification."""

from ...models.cvt import VARIANTS, CvT
from ...ops import gelu
from ..blocks import conv_norm, head
from ..config import Always, Key, Transformers
from ..family import Family
from ..table import CONV, linear, norm, optional, tensor, within

BLOCK = [
    *norm("norm1", "layernorm_before"),
    *[rule for name in ("query", "key", "value") for rule in [
        *conv_norm(f"attention.{name}.depthwise.conv", f"attention.{name}.depthwise.norm",
                   f"attention.attention.convolution_projection_{name}.convolution_projection.convolution",
                   f"attention.attention.convolution_projection_{name}.convolution_projection.normalization"),
        *linear(f"attention.{name}.linear", f"attention.attention.projection_{name}")]],
    *linear("attention.proj", "attention.output.dense"),
    *norm("norm2", "layernorm_after"),
    *linear("mlp.linear1", "intermediate.dense"),
    *linear("mlp.linear2", "output.dense"),
]
ENCODER = within("stages.*.", "encoder.stages.*.", [
    *linear("embed.conv", "embedding.convolution_embeddings.projection", CONV),
    *norm("embed.norm", "embedding.convolution_embeddings.normalization"),
    *optional(tensor("class_token", "cls_token")),
    *within("blocks.*.", "layers.*.", BLOCK),
])
HEADS = {tuple(model.keywords["dims"]): model.keywords["heads"] for model in VARIANTS.values()}  # of the usual widths


def shapes(reading, known):
    """All but the strides of the convolutions that make tokens, and the heads."""
    stages = [f"stages.{stage}" for stage in range(reading.modules("stages"))]
    dims = tuple(reading.shape(f"{stage}.embed.conv.bias")[0] for stage in stages)
    kernels = [reading.shape(f"{stage}.embed.conv.weight")[0] for stage in stages]
    strides = known.get("strides") or [4 if kernel == 7 else 2 for kernel in kernels]
    paddings = known.get("paddings") or [2 if kernel == 7 else kernel // 2 for kernel in kernels]
    return dict(channels=reading.shape("stages.0.embed.conv.weight")[2], num_classes=reading.outputs(), dims=dims,
                depths=[reading.modules(f"{stage}.blocks") for stage in stages],
                heads=known.get("heads") or HEADS.get(dims),
                embeds=tuple(zip(kernels, strides, paddings, strict=True)))


def widths(cvt):
    """C of each stage."""
    return [stage.embed.conv.bias.size for stage in cvt.stages]


def kernels(cvt):
    """Of the convolutions that make tokens."""
    return [len(stage.embed.conv.weight) for stage in cvt.stages]


def strides(cvt):
    """Of the convolutions that make tokens."""
    return [stage.embed.conv.settings["stride"] for stage in cvt.stages]


def paddings(cvt):
    """Of the convolutions that make tokens."""
    return [stage.embed.conv.settings["padding"] for stage in cvt.stages]


def everywhere(name, value, **settings):
    """A key with one value for each stage, which has to be what we have; more than there are stages change nothing."""
    return Key(name, lambda cvt: [value] * len(cvt.stages), default=(value,) * 3, fits=lambda values, cvt: (
        list(values[:len(cvt.stages)]) == [value] * len(cvt.stages)), **settings)


FAMILY = Family(
    name="cvt",
    models={CvT: ("transformers",)},
    tables={"transformers": [
        within("", "cvt.", ENCODER) + norm("norm", "layernorm") + head("head", "classifier")]},
    shapes=shapes,
    asked={"heads": "how many heads share the width of each stage, {dims}"},
    configs={"transformers": Transformers((
        Key("num_channels", lambda cvt: cvt.stages[0].embed.conv.weight.shape[2]),
        Key("patch_sizes", kernels),
        Key("patch_stride", strides),
        Key("patch_padding", paddings),
        Key("embed_dim", widths),
        Key("num_heads", lambda cvt: [stage.blocks[0].attention.heads for stage in cvt.stages], "heads",
            default=(1, 3, 6)),
        Key("depth", lambda cvt: [len(stage.blocks) for stage in cvt.stages]),
        Key("cls_token", lambda cvt: [False] * (len(cvt.stages) - 1) + [True], default=(False, False, True)),
        everywhere("mlp_ratio", 4.0), everywhere("qkv_bias", True), everywhere("qkv_projection_method", "dw_bn"),
        everywhere("kernel_qkv", 3), everywhere("padding_kv", 1), everywhere("stride_kv", 2),
        everywhere("padding_q", 1), everywhere("stride_q", 1),
    ), always=(Always("eps", 1e-5, lambda cvt: cvt.norm.eps),
               Always("activation", gelu, lambda cvt: cvt.stages[0].blocks[0].mlp.activation)),
        ignored=("layer_norm_eps", "drop_rate", "attention_drop_rate"),  # the first is read by nobody there
        model_type="cvt", architecture="CvtForImageClassification")},
)
