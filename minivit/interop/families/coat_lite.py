"""CoaT-Lite: timm's CoaT without parallel blocks.

The convolutions that blocks of a stage share stand in its files once for the stage and once for each block. The
authors' own files have norms behind the first three stages too, which nothing reads.
"""

from ...models.coat_lite import CoaTLite
from ..blocks import head, transformer_block
from ..config import Always, Key, Timm, fixed, pair
from ..family import Family
from ..table import CONV, linear, norm, tensor, within

WINDOWS = ((3, 2), (5, 3), (7, 3))
BLOCK = transformer_block("norm1", "factoratt_crpe.qkv", "factoratt_crpe.proj", "norm2", "mlp.fc1", "mlp.fc2")
AROUND = "around.convs.*", "conv_list.*"


def stage(number):
    """A stage, whose number is a part of every name there."""
    around, conv_list = AROUND
    return [
        *linear("embed.conv", f"patch_embed{number}.proj", CONV),
        *norm("embed.norm", f"patch_embed{number}.norm"),
        *tensor("class_token", f"cls_token{number}"),
        *linear("positions.conv", f"cpe{number}.proj", CONV),
        *linear(around, f"crpe{number}.{conv_list}", CONV),
        *within("blocks.*.", f"serial_blocks{number}.*.", BLOCK),
    ]


TIMM = [
    *[rule for number in range(1, 5) for rule in within(f"stages.{number - 1}.", "", stage(number))],
    *norm("norm", "norm4"),
    *head("head", "head"),
]


def kept(coat, tensors):
    """What the blocks of a stage share, once more for each of them."""
    return {f"serial_blocks{number}.{block}.{inner}.{part}": tensors[f"{outer}{number}.{part}"]
            for number, stage in enumerate(coat.stages, 1) for block in range(len(stage.blocks))
            for inner, outer, layers in (("cpe", "cpe", ["proj"]), ("factoratt_crpe.crpe", "crpe", [
                f"conv_list.{conv}" for conv in range(len(stage.around.convs))]))
            for part in (f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias"))}


def shapes(reading, known):
    """All but the heads, which are as many for each window in all of the authors' models, and the pictures' size."""
    stages = [f"stages.{stage}" for stage in range(reading.modules("stages"))]
    dims = [reading.shape(f"{stage}.embed.conv.bias")[0] for stage in stages]
    patch_size, _, channels, _ = reading.shape("stages.0.embed.conv.weight")
    return dict(image_size=known.get("image_size", 224), patch_size=patch_size, channels=channels,
                num_classes=reading.outputs(), dims=dims,
                depths=[reading.modules(f"{stage}.blocks") for stage in stages],
                mlp_ratios=[reading.shape(f"{stage}.blocks.0.mlp.linear1.bias")[0] / dim
                            for stage, dim in zip(stages, dims, strict=True)])


def dims(coat):
    """C of each stage."""
    return [stage.embed.conv.bias.size for stage in coat.stages]


def patch_size(coat):
    """P; timm's later stages expect grids that only patches of 4 leave."""
    size = len(coat.stages[0].embed.conv.weight)
    if size != 4:
        raise ValueError(f"patch_size: {size} has no counterpart in timm, where it is 4")
    return size


def depths(coat):
    """Blocks of each stage; there are four in timm."""
    if len(coat.stages) != 4:
        raise ValueError(f"depths: {len(coat.stages)} stages have no counterpart in timm, where there are four")
    return [len(stage.blocks) for stage in coat.stages]


def mlp_ratios(coat):
    """The width of the MLPs of each stage, in multiples of C."""
    return [stage.blocks[0].mlp.linear1.bias.size / dim for stage, dim in zip(coat.stages, dims(coat), strict=True)]


def as_wide(ratios, coat):
    """Whether these multiples make MLPs as wide as ours."""
    return [int(dim * ratio) for dim, ratio in zip(dims(coat), ratios, strict=True)] == [
        stage.blocks[0].mlp.linear1.bias.size for stage in coat.stages]


def windows(coat):
    """Windows of the convolutions of the first stage, and the heads that each is for."""
    around, heads = coat.stages[0].around, coat.stages[0].blocks[0].attention.heads
    return tuple((len(conv.weight), width * heads // sum(around.widths))
                 for conv, width in zip(around.convs, around.widths, strict=True))


WIDER = {"mlp_ratios": [8, 8, 4, 4]}
FAMILY = Family(
    name="coat_lite",
    models={CoaTLite: ("timm",)},
    tables={"timm": [TIMM]},
    shapes=shapes,
    kept=kept,
    configs={"timm": Timm((
        Key("img_size", lambda coat: list(coat.image_size), "image_size", pair),
        Key("patch_size", patch_size),
        Key("in_chans", lambda coat: coat.stages[0].embed.conv.weight.shape[2]),
        Key("embed_dims", dims),
        Key("serial_depths", depths),
        Key("mlp_ratios", mlp_ratios, fits=as_wide, default=(4, 4, 4, 4)),
        fixed("parallel_depth", 0), fixed("num_heads", 8), fixed("qkv_bias", True), fixed("global_pool", "token"),
        fixed("return_interm_layers", False),
    ), always=(Always("windows", WINDOWS, windows),), written="coat_lite_small", architectures={
        r"coat_lite_(tiny|mini|small)": WIDER, r"coat_lite_medium(_384)?": {}})},
    derived=(r"serial_blocks\d\.\d+\.cpe\..*", r"serial_blocks\d\.\d+\.factoratt_crpe\.crpe\..*",
             r"(?<!\.)norm[123]\.(weight|bias)"),
)
