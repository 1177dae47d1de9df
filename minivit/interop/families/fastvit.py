"""FastViT: timm's FastVit with its branches, as it is trained. Those by the names of MobileCLIP are other networks."""

from ...models.fastvit import FastViT
from ..blocks import conv_norm, head
from ..config import Always, Key, Timm, fixed
from ..family import Family
from ..table import CONV, CONV_AS_LINEAR, LINEAR, Rearrangement, batch_norm, linear, optional, tensor, within

FACTORS = Rearrangement(lambda factors: factors.reshape(-1), lambda factors: factors.reshape(-1, 1, 1))  # (C, 1, 1)


def branches(ours, theirs, large="conv_kxk.0", small="conv_scale"):
    """Convolutions side by side, of which some have no small one and some no norm alone."""
    large, small = (conv_norm(f"{ours}.convs.{index}.conv", f"{ours}.convs.{index}.norm", f"{theirs}.{name}.conv",
                              f"{theirs}.{name}.bn") for index, name in enumerate((large, small)))
    return large + optional(small + batch_norm(f"{ours}.norm", f"{theirs}.identity"))


MLP = [*conv_norm("mlp.layers.0.conv", "mlp.layers.0.norm", "mlp.conv.conv", "mlp.conv.bn"),
       *linear("mlp.layers.1.linear1", "mlp.fc1", CONV_AS_LINEAR),
       *linear("mlp.layers.1.linear2", "mlp.fc2", CONV_AS_LINEAR)]
MIXER = [*branches("mixer.mixer", "token_mixer.mixer"), *batch_norm("mixer.norm", "token_mixer.norm.identity"),
         *tensor("mixer.scale.gamma", "token_mixer.layer_scale.gamma", FACTORS),
         *tensor("scale.gamma", "layer_scale.gamma", FACTORS)]
ATTENTION = [*batch_norm("norm", "norm"), *tensor("attention.qkv.weight", "token_mixer.qkv.weight", LINEAR),
             *linear("attention.proj", "token_mixer.proj"),
             *[rule for part in "12" for rule in tensor(f"scale{part}.gamma", f"layer_scale_{part}.gamma", FACTORS)]]
TIMM = [
    *branches("stem.layers.*.layers.0", "stem.*"),
    *within("stages.*.", "stages.*.", [
        *optional(branches("shrink.layers.0", "downsample.proj.0", "large_conv", "small_conv")),
        *optional(branches("shrink.layers.1.layers.0", "downsample.proj.1")),
        *optional(linear("positions.conv", "pos_emb.pos_enc", CONV)),
        *within("blocks.*.", "blocks.*.", [*MLP, *optional(MIXER), *optional(ATTENTION)])]),
    *branches("final.layers.0", "final_conv"),
    *linear("final.layers.1.reduce", "final_conv.se.fc1", CONV_AS_LINEAR),
    *linear("final.layers.1.expand", "final_conv.se.fc2", CONV_AS_LINEAR),
    *head("head", "head.fc"),
]


def shapes(reading, known):
    """What the tensors tell."""
    stages = [f"stages.{stage}" for stage in range(reading.modules("stages"))]
    dims = [reading.shape(f"{stage}.blocks.0.mlp.layers.1.linear2.bias")[0] for stage in stages]
    return dict(channels=reading.shape("stem.layers.0.layers.0.convs.0.conv.weight")[2], dims=dims,
                num_classes=reading.outputs(), depths=[reading.modules(f"{stage}.blocks") for stage in stages],
                attention_stages=sum(f"{stage}.blocks.0.attention.qkv.weight" in reading for stage in stages),
                mlp_ratio=reading.shape("stages.0.blocks.0.mlp.layers.1.linear1.bias")[0] / dims[0])


def channels(fastvit):
    """Of the pictures."""
    return fastvit.stem[0][0].convs[0].conv.weight.shape[2]


def dims(fastvit):
    """C of each stage."""
    return [stage.blocks[0].mlp[1].linear2.bias.size for stage in fastvit.stages]


def mlp_ratios(fastvit):
    """The width of the MLPs in multiples of C."""
    return [stage.blocks[0].mlp[1].linear1.bias.size / C for stage, C in zip(fastvit.stages, dims(fastvit),
                                                                            strict=True)]


def fitting_ratios(ratios, fastvit):
    """Whether MLPs of these ratios are as wide as ours; those of stages that there are not change nothing."""
    return len(ratios) >= len(fastvit.stages) and all(
        int(ratio * C) == int(ours * C) for ratio, ours, C in zip(ratios, mlp_ratios(fastvit), dims(fastvit),
                                                                 strict=False))


def token_mixers(fastvit):
    """Their names for the blocks; positions are only to be had before the fourth stage."""
    mixers = ["attention" if hasattr(stage.blocks[0], "attention") else "repmixer" for stage in fastvit.stages]
    if "attention" in mixers and mixers.index("attention") != 3:
        raise ValueError(f"attention_stages: timm's FastVit attends in the fourth stage alone, not in {mixers}")
    return mixers


def stem_strides(fastvit):
    """Of the stem's two convolutions."""
    return tuple(part[0].convs[0].conv.settings["stride"] for part in fastvit.stem[:2])


def shrinking(fastvit):
    """Before which stages the grid is halved."""
    return [stage > 0 for stage in range(len(fastvit.stages))]


def written(fastvit):
    """timm's architecture with such blocks."""
    return "fastvit_sa12" if "attention" in token_mixers(fastvit) else "fastvit_s12"


MIXERS = ["repmixer"] * 4
FAMILY = Family(
    name="fastvit",
    models={FastViT: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    configs={"timm": Timm((
        Key("in_chans", channels),
        Key("embed_dims", dims),
        Key("layers", lambda fastvit: [len(stage.blocks) for stage in fastvit.stages]),
        Key("mlp_ratios", mlp_ratios, fits=fitting_ratios),
        Key("token_mixers", token_mixers),
        Key("downsamples", shrinking, default=(False, True, True, True), written=False,
            fits=lambda value, fastvit: [bool(each) for each in value][:len(fastvit.stages)] == shrinking(fastvit)),
        Key("se_downsamples", lambda fastvit: [False] * 4, written=False, fits=lambda value, _: not any(value)),
        fixed("repmixer_kernel_size", 3), fixed("down_patch_size", 7), fixed("down_stride", 2),
        fixed("lkc_use_act", False), fixed("stem_use_scale_branch", True), fixed("fork_feat", False),
        fixed("cls_ratio", 2.0), fixed("inference_mode", False), fixed("global_pool", "avg"),
    ), ignored=("layer_scale_init_value",), always=(Always("stem_strides", (2, 2), stem_strides),),
        written=written, architectures={
            r"fastvit_(t8|t12|s12)": {"token_mixers": MIXERS},
            r"fastvit_(sa12|sa24|sa36|ma36)": {"token_mixers": [*MIXERS[:3], "attention"]}})},
)
