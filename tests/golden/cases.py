"""What is compared with timm and transformers: small models, and every way in which they can be used."""

from minivit.models.deit import DeiT
from minivit.models.resnet import BasicBlock, Bottleneck, ResNet
from minivit.models.swin import Swin
from minivit.models.vit import ViT, ViTGAP, ViTMAP
from minivit.tasks.mae import MAE
from tests.golden.case import Case, MaskedCase

VIT = dict(image_size=32, patch_size=8, num_classes=5, dim=24, depth=2, heads=3)
WIDE = dict(image_size=(12, 20), patch_size=4, num_classes=11, dim=32, depth=3, heads=2, mlp_dim=56)
ANY_SIZE = dict(dynamic_img_size=True)
SWIN = dict(image_size=64, patch_size=4, num_classes=5, dim=16, depths=(2, 2), heads=(2, 4), window=4)
MASKED = dict(vit=ViT, image_size=24, patch_size=4, dim=24, depth=2, heads=3, decoder_dim=16, decoder_depth=1,
              decoder_heads=2)
BASIC = dict(block=BasicBlock, depths=(2, 1, 1, 1), num_classes=5)
BOTTLENECK = dict(block=Bottleneck, depths=(1, 2, 1, 1), num_classes=5)
NO_DROP = dict(drop_path_rate=0.0)  # timm's Swin has another default

# ReLU has a kink. The seeds of the ResNets are such that no number comes so near to it that rounding to single
# precision would decide on which side it is, and so whether a gradient passes or not (tests/parity/test_models.py).
CASES = [
    Case("ViT", "32 pixels", "timm", ViT, VIT, (32, 32)),
    Case("ViT", "not square, other MLP", "timm", ViT, WIDE, (12, 20), batch=3),
    Case("ViT", "larger picture", "timm", ViT, VIT, (48, 72), official=ANY_SIZE),
    Case("ViT", "smaller picture", "timm", ViT, VIT, (16, 24), batch=1, official=ANY_SIZE),
    Case("ViT", "training", "timm", ViT, VIT, (32, 32), training=True),
    Case("ViT", "grey pictures", "timm", ViT, VIT | dict(channels=1), (32, 32)),
    Case("ViT", "without head", "timm", ViT, VIT | dict(num_classes=0), (32, 32)),
    Case("ViT", "GELU by tanh", "timm", ViT, VIT, (32, 32), facts={"activation": "gelu_tanh"}),
    Case("ViT", "32 pixels", "transformers", ViT, VIT, (32, 32), facts={"eps": 1e-12}),
    Case("ViT", "not square, other MLP", "transformers", ViT, WIDE, (12, 20), batch=3),
    Case("ViT", "larger picture", "transformers", ViT, VIT, (48, 72), forward={"interpolate_pos_encoding": True}),
    Case("ViT", "smaller picture", "transformers", ViT, VIT, (16, 24), forward={"interpolate_pos_encoding": True}),
    Case("ViT", "training", "transformers", ViT, VIT, (32, 32), training=True),
    Case("ViT, mean of tokens", "32 pixels", "timm", ViTGAP, VIT, (32, 32)),
    Case("ViT, mean of tokens", "larger picture", "timm", ViTGAP, VIT, (40, 32), official=ANY_SIZE),
    Case("ViT, attention pooling", "32 pixels", "timm", ViTMAP, VIT, (32, 32)),
    Case("ViT, attention pooling", "larger picture", "timm", ViTMAP, WIDE, (16, 24), official=ANY_SIZE),
    Case("DeiT, distilled", "32 pixels", "timm", DeiT, VIT, (32, 32)),
    Case("DeiT, distilled", "not square, other MLP", "timm", DeiT, WIDE, (12, 20), batch=3),
    Case("DeiT, distilled", "larger picture", "timm", DeiT, VIT, (48, 40), official=ANY_SIZE),
    Case("DeiT, distilled", "training", "timm", DeiT, VIT, (32, 32), training=True),
    Case("DeiT, distilled", "32 pixels", "transformers", DeiT, VIT, (32, 32)),
    Case("DeiT, distilled", "not square, other MLP", "transformers", DeiT, WIDE, (12, 20), batch=3),
    Case("DeiT, distilled", "larger picture", "transformers", DeiT, VIT, (48, 40),
         forward={"interpolate_pos_encoding": True}),
    *(Case(name, note, library, ResNet, settings | more, pixels, batch, training=note == "training", seed=seed)
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
    Case("Swin", "64 pixels", "timm", Swin, SWIN, (64, 64)),
    Case("Swin", "not square", "timm", Swin, SWIN | dict(image_size=(64, 96), num_classes=9), (64, 96), batch=1),
    Case("Swin", "window as large as the grid", "timm", Swin, SWIN | dict(image_size=32), (32, 32)),
    # where windows move, timm differs on such a grid (see minivit/models/swin.py): here every stage is a single block
    Case("Swin", "windows that do not divide the grid", "timm", Swin, SWIN | dict(
        image_size=(68, 84), depths=(1, 1), window=3), (68, 84), batch=3),
    Case("Swin", "training", "timm", Swin, SWIN, (64, 64), training=True, official=NO_DROP),
    Case("Swin", "64 pixels", "transformers", Swin, SWIN | dict(num_classes=7), (64, 64), batch=3),
    Case("Swin", "windows that do not divide the grid", "transformers", Swin, SWIN | dict(window=3), (68, 84)),
    Case("Swin", "patches that do not divide the picture", "transformers", Swin, SWIN, (63, 70), batch=1),
    Case("Swin", "training", "transformers", Swin, SWIN, (64, 64), training=True),
    MaskedCase("MAE", "three quarters hidden", "transformers", MAE, MASKED, (24, 24), batch=3),
    MaskedCase("MAE", "half hidden", "transformers", MAE, MASKED | dict(mask_ratio=0.5), (24, 24), training=True),
]

# those whose results are stored in this folder
GOLDEN = [case for case in CASES if str(case) in {
    "vit-32-pixels-timm", "vit-larger-picture-timm", "vit-smaller-picture-transformers",
    "vit-mean-of-tokens-32-pixels-timm", "vit-attention-pooling-larger-picture-timm", "deit-distilled-training-timm",
    "deit-distilled-32-pixels-transformers", "resnet-basic-blocks-training-timm",
    "resnet-bottlenecks-odd-sizes-transformers", "swin-not-square-timm",
    "swin-windows-that-do-not-divide-the-grid-transformers", "mae-three-quarters-hidden-transformers"}]
