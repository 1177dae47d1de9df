"""Axial-attention networks: their authors' PyTorch code, AxialAttentionNet."""

from ...models.axial import AxialCIFAR, AxialNet
from ..blocks import conv_norm, head
from ..config import Config
from ..family import Family
from ..table import batch_norm, optional, tensor, within

ATTENTION = [
    *tensor("qkv.linear.weight", "qkv_transform.weight", "o i 1 -> i o"),
    *batch_norm("qkv.norm", "bn_qkv"),
    *tensor("relative", "relative", "d k -> k d"),
    *batch_norm("score_norm", "bn_similarity"),
    *batch_norm("value_norm", "bn_output"),
]
BLOCK = [
    *conv_norm("down.conv", "down.norm", "conv_down", "bn1"),
    *within("columns.", "hight_block.", ATTENTION),  # as it is called there
    *within("rows.", "width_block.", ATTENTION),
    *conv_norm("up.conv", "up.norm", "conv_up", "bn2"),
    *optional(conv_norm("shortcut.conv", "shortcut.norm", "downsample.0", "downsample.1")),
]
AUTHORS = [
    *conv_norm("stem.layers.0.conv", "stem.layers.0.norm", "conv1", "bn1"),
    *[rule for stage in range(4)
      for rule in within(f"stages.{stage}.layers.*.", f"layer{stage + 1}.*.", BLOCK)],
    *head("head", "fc"),
]


def shapes(reading, known):
    """All that a network is built of, the picture's size up to the stem's rounding."""
    spans = [(reading.shape(f"stages.0.layers.0.{axis}.relative")[0] + 1) // 2 for axis in ("columns", "rows")]
    *_, channels, width = reading.shape("stem.layers.0.conv.weight")
    return dict(image_size=known.get("image_size") or tuple(4 * span for span in spans), channels=channels,
                num_classes=reading.outputs(), width=width,
                depths=[reading.modules(f"stages.{stage}.layers") for stage in range(reading.modules("stages"))],
                heads=reading.shape("stages.0.layers.0.columns.score_norm.weight")[0] // 3)


FAMILY = Family(
    name="axial",
    models={AxialNet: ("authors",)},
    without={AxialCIFAR: "theirs have a stem of 7 x 7 pixels"},
    tables={"authors": [AUTHORS]},
    shapes=shapes,
    configs={"authors": Config()},
    derived=(r"flatten_index",),
)
