"""What is known of ResNet."""

from minivit.models.resnet import BasicBlock, Bottleneck, ResNet
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

BASIC = dict(block=BasicBlock, depths=(2, 1, 1, 1), num_classes=5)
BOTTLENECK = dict(block=Bottleneck, depths=(1, 2, 1, 1), num_classes=5)
STORED = [("ResNet, basic blocks", "training", "timm"), ("ResNet, bottlenecks", "odd sizes", "transformers")]

# ReLU has a kink. The seeds are such that no number comes so near to it that rounding to single precision would decide
# on which side it is, and so whether a gradient passes or not (tests/parity/test_models.py).
CASES = [
    *(Case(name, note, library, ResNet, settings | more, pixels, batch, training=note == "training", seed=seed,
           golden=(name, note, library) in STORED)
      for name, settings, library, seeds in [
          ("ResNet, basic blocks", BASIC, "timm", (11, 21, 39)),
          ("ResNet, basic blocks", BASIC, "transformers", (1, 20, 54)),
          ("ResNet, bottlenecks", BOTTLENECK, "timm", (3, 1, 15)),
          ("ResNet, bottlenecks", BOTTLENECK, "transformers", (4, 17, 5))]
      for (note, pixels, batch, more), seed in zip([
          ("32 pixels", (32, 32), 2, {}), ("odd sizes", (29, 45), 1, dict(num_classes=12)),
          ("training", (33, 41), 2, {})], seeds, strict=True)),
    Case("ResNet, basic blocks", "other width", "transformers", ResNet, BASIC | dict(width=24, channels=1), (40, 40),
         seed=4),
]
RUNS = [Run(Case("ResNet, basic blocks", "training", library, ResNet, dict(
    block=BasicBlock, depths=(1, 1, 1, 1), num_classes=5), (32, 32), training=True), "SGD", dict(
    lr=0.02, momentum=0.9, weight_decay=5e-4)) for library in ("timm", "transformers")]

FEATURES = [(ResNet, [({}, dict(indices=[1, 2, 3, 4]))])]  # 0 is the stem

MODELS = [
    Small(ResNet, dict(block=BasicBlock, depths=(2, 1, 1, 1), num_classes=3), ("timm", "transformers")),
    Small(ResNet, dict(block=Bottleneck, depths=(1, 2), width=8, num_classes=0, channels=2), ("transformers",)),
]
TIMM = [Saved(name, dict(layers=(1, 1, 1, 1))) for name in ("resnet18", "resnet50")]
TRANSFORMERS = [Saved("ResNetForImageClassification", dict(embedding_size=8, hidden_sizes=[32, 64], depths=[1, 2]),
                      "ConvNextImageProcessorPil")]

STRIDE = ("the paper's bottlenecks carry the stride in their first convolution, which then costs 0.23 G less: {}; "
          "ours in the second, as torchvision and timm")
FIGURES = [
    Table("ResNet: multiply-adds of He et al., arXiv:1512.03385, table 1; parameters as torchvision lists them", [
        Line("ResNet-18", "resnet", "18", "11.7", "1.8"),
        Line("ResNet-34", "resnet", "34", "21.8", "3.6", "the paper's shortcuts of this network have no projections, "
             "which cost 0.02 G here: 3.64 without"),
        Line("ResNet-50", "resnet", "50", "25.6", "3.8", STRIDE.format("3.86, of which the paper prints 3.8")),
        Line("ResNet-101", "resnet", "101", "44.5", "7.6", STRIDE.format("7.57")),
        Line("ResNet-152", "resnet", "152", "60.2", "11.3", STRIDE.format("11.28"))]),
]
