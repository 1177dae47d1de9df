"""Mobile-Former: the repository that its paper's models are published with, MobileFormer of mobile_former.py.

Not read are its models whose first block has another stride than those of as wide a stem.
"""

from ...models.mobile_former import VARIANTS, MobileFormer
from ..blocks import conv_norm, head
from ..family import Family
from ..table import batch_norm, linear, norm, tensor, within


def pair(ours, theirs, first="0", second="1"):
    """A convolution and its norm."""
    return conv_norm(f"{ours}.conv", f"{ours}.norm", f"{theirs}.{first}", f"{theirs}.{second}")


TO_TOKENS = [
    *linear("query", "q"),
    *linear("gate", "alpha.0"),
    *linear("proj", "proj"),
    *norm("norm", "layer_norm"),
]
BLOCK = [
    *within("to_tokens.", "local_global.", TO_TOKENS),
    *within("former.", "global_block.", [
        *linear("query", "q"),
        *linear("proj", "channel_mlp"),
        *norm("norm1", "layer_norm"),
        *linear("mlp.linear1", "ffn.0"),
        *linear("mlp.linear2", "ffn.2"),
        *norm("norm2", "ffn_norm")]),
    *linear("to_pixels.key", "global_local.k"),
    *linear("to_pixels.value", "global_local.proj"),
    *[rule for number in range(1, 5) for rule in pair(f"conv{number}", f"conv{number}")],
    *[rule for number in range(1, 4) for rule in [
        *linear(f"relu{number}.linear1", f"hyper{number}.hyper.0"),
        *linear(f"relu{number}.linear2", f"hyper{number}.hyper.2")]],
]
AUTHORS = [
    *tensor("tokens", "tokens.weight", "T D -> 1 T D"),
    *pair("stem", "stem"),
    *pair("blocks.*.depthwise", "features.*.conv"),
    *pair("blocks.*.project", "features.*.conv", "4", "5"),
    *within("blocks.*.", "features.*.", BLOCK),
    *within("to_tokens.", "local_global.", TO_TOKENS),
    *pair("final", "classifier.conv", "1", "2"),
    *linear("hidden.linear", "classifier.fc.0"),
    *batch_norm("hidden.norm", "classifier.fc.1"),
    *head("head", "classifier.classifier.1"),
]
LITE = {model.keywords["stem"][0]: model.keywords["lite"] for model in VARIANTS.values()}  # by the stem's channels


def shapes(reading, known):
    """All but the stride of the first block, and of the stem, which is 2."""
    *_, channels, stem = reading.shape("stem.conv.weight")
    widths = [reading.shape(f"blocks.0.{part}.norm.weight")[0] for part in ("depthwise", "project")]
    blocks, inputs = [], widths[1]
    for index in range(1, reading.modules("blocks")):
        block = reading.part(f"blocks.{index}.")
        last, stride = ("conv4", 2) if "conv4.conv.weight" in block else ("conv3", 1)
        blocks.append((block.shape(f"{last}.norm.weight")[0], stride, block.shape("conv1.norm.weight")[0] // inputs))
        inputs = blocks[-1][0]
    _, tokens, dim = reading.shape("tokens")
    *_, within_group, _ = reading.shape("final.conv.weight")
    return dict(channels=channels, num_classes=reading.outputs(), stem=(stem, 2), tokens=tokens, dim=dim,
                lite=known.get("lite") or (widths[1], LITE.get(stem, (0, 1, 0))[1], widths[0] // stem),
                blocks=tuple(blocks), hidden=reading.shape("hidden.norm.weight")[0], groups=inputs // within_group)


FAMILY = Family(
    name="mobile_former",
    models={MobileFormer: ("authors",)},
    tables={"authors": [AUTHORS]},
    shapes=shapes,
)
