"""MobileViT: timm's mobilevit_xxs, xs and s, and transformers' MobileViTForImageClassification."""

from ...models.mobilevit import VARIANTS, MobileViT, MobileViTBlock
from ...ops import silu
from ..blocks import QKV, TIMM_BLOCK, conv_norm, head, transformer_block
from ..config import Always, Key, Timm, Transformers, activation, fixed, number_or_list, pair
from ..family import Family
from ..table import CONV_AS_LINEAR, norm, tensor, within


def pairs(names, conv, bn):
    """Convolutions with their norms, {ours: theirs}; the last two are what theirs calls both."""
    return [rule for ours, theirs in names.items() for rule in conv_norm(
        f"{ours}.conv", f"{ours}.norm", f"{theirs}.{conv}", f"{theirs}.{bn}")]


TIMM_MBCONV = pairs({"expand": "conv1_1x1", "depthwise": "conv2_kxk", "project": "conv3_1x1"}, "conv", "bn")
TIMM = [
    *pairs({"stem": "stem"}, "conv", "bn"),
    *within("stages.*.layers.*.", "stages.*.*.", [
        *TIMM_MBCONV,
        *pairs({"near": "conv_kxk", "narrow": "conv_proj", "fuse": "conv_fusion"}, "conv", "bn"),
        *tensor("widen.weight", "conv_1x1.weight", CONV_AS_LINEAR),
        *within("blocks.*.", "transformer.*.", TIMM_BLOCK),
        *norm("norm", "norm")]),
    *pairs({"final": "final_conv"}, "conv", "bn"),
    *head("head", "head.fc"),
]

NAMES = "convolution", "normalization"
MBCONV = pairs({"expand": "expand_1x1", "depthwise": "conv_3x3", "project": "reduce_1x1"}, *NAMES)
BLOCK = [
    *pairs({"near": "conv_kxk", "narrow": "conv_projection", "fuse": "fusion"}, *NAMES),
    *tensor("widen.weight", "conv_1x1.convolution.weight", CONV_AS_LINEAR),
    *within("blocks.*.", "transformer.layer.*.", transformer_block(
        "layernorm_before", [f"attention.attention.{name}" for name in QKV], "attention.output.dense",
        "layernorm_after", "intermediate.dense", "output.dense")),
    *norm("norm", "layernorm"),
]
BACKBONE = [
    *pairs({"stem": "conv_stem"}, *NAMES),
    *[rule for stage in (0, 1)
      for rule in within(f"stages.{stage}.layers.*.", f"encoder.layer.{stage}.layer.*.", MBCONV)],
    *[rule for stage in (2, 3, 4) for rule in [
        *within(f"stages.{stage}.layers.0.", f"encoder.layer.{stage}.downsampling_layer.", MBCONV),
        *within(f"stages.{stage}.layers.1.", f"encoder.layer.{stage}.", BLOCK)]],
    *pairs({"final": "conv_1x1_exp"}, *NAMES),
]
DEPTHS, STRIDES = (1, 3, 2, 4, 3), (2, 1, 2, 2, 2, 2)  # of all official models: the stem's stride comes first


def shapes(reading, known):
    """All but what decides about positions and strides, which are the same in all official models, and the heads."""
    convs, blocks = [], []
    for stage in range(reading.modules("stages")):
        part = reading.part(f"stages.{stage}.")
        C, stride = part.shape("layers.0.project.norm.weight")[0], STRIDES[1 + stage]
        if "layers.1.widen.weight" in part:
            blocks.append((C, stride, part.shape("layers.1.widen.weight")[1], part.modules("layers.1.blocks")))
        else:
            convs.append((C, stride, part.modules("layers")))
    *_, channels, stem = reading.shape("stem.conv.weight")
    hidden = reading.shape(f"stages.{len(convs)}.layers.1.blocks.0.mlp.linear1.bias")[0]
    expanded = reading.shape("stages.0.layers.0.expand.norm.weight")[0]
    return dict(image_size=known.get("image_size", 256), channels=channels, num_classes=reading.outputs(),
                stem=(stem, STRIDES[0]), convs=tuple(convs), blocks=tuple(blocks),
                final=reading.shape("final.norm.weight")[0], mlp_ratio=hidden / blocks[0][2],
                heads=known.get("heads", 4), expansion=known.get("expansion", expanded / stem))


def mbconvs(model):
    """The first block of each stage."""
    return [stage[0] for stage in model.stages]


def transformers_of(model):
    """The blocks with a Transformer."""
    return [stage[-1] for stage in model.stages if isinstance(stage[-1], MobileViTBlock)]


def necks(model):
    """Channels of the stem, of each stage, and of the last convolution, if depths and strides are the official ones."""
    stages = [stage[-1].blocks if isinstance(stage[-1], MobileViTBlock) else stage for stage in model.stages]
    depths = tuple(len(stage) for stage in stages)
    convs = [model.stem, *(mbconv.depthwise for mbconv in mbconvs(model))]
    strides = tuple(conv.conv.settings["stride"] for conv in convs)
    if (depths, strides) != (DEPTHS, STRIDES):
        raise ValueError(f"convs, blocks: stages of {depths} blocks with strides {strides}, the stem's first, have no "
                         f"counterpart there, where they are {DEPTHS} and {STRIDES}")
    return [norm.running_mean.size for norm in (
        model.stem.norm, *(mbconv.project.norm for mbconv in mbconvs(model)), model.final.norm)]


def dims(model):
    """D of each Transformer."""
    return [block.norm.weight.size for block in transformers_of(model)]


def first(model):
    """The first block of the first Transformer."""
    return transformers_of(model)[0].blocks[0]


def mlp_ratio(model):
    """The width between the layers of the MLPs, in multiples of D."""
    return first(model).mlp.linear1.bias.size / dims(model)[0]


def timm_name(model):
    """The architecture of timm that has these sizes, of which its names leave none open."""
    found = necks(model), dims(model), first(model).attention.heads, model.expansion, mlp_ratio(model)
    for name in ("xxs", "xs", "s"):
        official = VARIANTS[name](num_classes=0)
        if found == (necks(official), dims(official), 4, official.expansion, 2):
            return f"mobilevit_{name}"
    raise ValueError(f"stem, convs, blocks: channels {found[0]}, D {found[1]}, {found[2]} heads and expansion "
                     f"{found[3]} have no counterpart in timm, which has MobileViT-XXS, XS and S")


ALWAYS = (
    Always("patch_size", 2, lambda model: transformers_of(model)[0].patch_size),
    Always("eps", 1e-5, lambda model: first(model).norm1.eps),
    Always("activation", silu, lambda model: model.stem.activation),
)
FAMILY = Family(
    name="mobilevit",
    models={MobileViT: ("timm", "transformers")},
    tables={
        "timm": [TIMM],
        "transformers": [within("", "mobilevit.", BACKBONE) + head("head", "classifier"), BACKBONE],
    },
    shapes=shapes,
    configs={
        "timm": Timm((
            Key("img_size", lambda model: list(model.image_size), "image_size", pair, written=False),
            Key("in_chans", lambda model: model.stem.conv.weight.shape[2]),
            fixed("global_pool", "avg"), fixed("output_stride", 32),
        ), always=ALWAYS, ignored=("drop_block_rate", "drop_block_size", "zero_init_last"), written=timm_name,
            architectures={r"mobilevit_(xxs|xs|s)": {}}),
        "transformers": Transformers((
            Key("image_size", lambda model: number_or_list(model.image_size), "image_size", pair),
            Key("num_channels", lambda model: model.stem.conv.weight.shape[2]),
            Key("neck_hidden_sizes", necks),
            Key("hidden_sizes", dims),
            Key("num_attention_heads", lambda model: first(model).attention.heads, "heads", default=4),
            Key("patch_size", lambda model: transformers_of(model)[0].patch_size, "patch_size", default=2),
            Key("mlp_ratio", mlp_ratio),
            Key("expand_ratio", lambda model: float(model.expansion), "expansion", default=4.0),
            activation("hidden_act", "transformers", lambda model: model.stem.activation),
            Key("layer_norm_eps", lambda model: first(model).norm1.eps, "eps", default=1e-5),
            fixed("conv_kernel_size", 3), fixed("output_stride", 32), fixed("qkv_bias", True),
        ), ignored=("aspp_out_channels", "atrous_rates", "aspp_dropout_prob", "semantic_loss_ignore_index"),
            model_type="mobilevit", architecture="MobileViTForImageClassification"),
    },
)
