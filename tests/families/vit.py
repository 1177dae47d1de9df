"""What is known of ViT."""

from minivit.models.vit import ViT, ViTGAP, ViTMAP
from minivit.ops import gelu_tanh
from tests.golden.case import Case
from tests.known import Line, Run, Saved, Small, Table

SIZES = dict(image_size=32, patch_size=8, num_classes=5, dim=24, depth=2, heads=3)
WIDE = dict(image_size=(12, 20), patch_size=4, num_classes=11, dim=32, depth=3, heads=2, mlp_dim=56)
ANY_SIZE = dict(dynamic_img_size=True)
STRETCHED = dict(interpolate_pos_encoding=True)
ADAMW = dict(lr=1e-3, weight_decay=0.05)

CASES = [
    Case("ViT", "32 pixels", "timm", ViT, SIZES, (32, 32), golden=True),
    Case("ViT", "not square, other MLP", "timm", ViT, WIDE, (12, 20), batch=3),
    Case("ViT", "larger picture", "timm", ViT, SIZES, (48, 72), official=ANY_SIZE, golden=True),
    Case("ViT", "smaller picture", "timm", ViT, SIZES, (16, 24), batch=1, official=ANY_SIZE),
    Case("ViT", "training", "timm", ViT, SIZES, (32, 32), training=True),
    Case("ViT", "grey pictures", "timm", ViT, SIZES | dict(channels=1), (32, 32)),
    Case("ViT", "without head", "timm", ViT, SIZES | dict(num_classes=0), (32, 32)),
    Case("ViT", "GELU by tanh", "timm", ViT, SIZES | dict(activation=gelu_tanh), (32, 32)),
    Case("ViT", "32 pixels", "transformers", ViT, SIZES | dict(eps=1e-12), (32, 32)),
    Case("ViT", "not square, other MLP", "transformers", ViT, WIDE, (12, 20), batch=3),
    Case("ViT", "larger picture", "transformers", ViT, SIZES, (48, 72), forward=STRETCHED),
    Case("ViT", "smaller picture", "transformers", ViT, SIZES, (16, 24), forward=STRETCHED, golden=True),
    Case("ViT", "training", "transformers", ViT, SIZES, (32, 32), training=True),
    Case("ViT, mean of tokens", "32 pixels", "timm", ViTGAP, SIZES, (32, 32), golden=True),
    Case("ViT, mean of tokens", "larger picture", "timm", ViTGAP, SIZES, (40, 32), official=ANY_SIZE),
    Case("ViT, attention pooling", "32 pixels", "timm", ViTMAP, SIZES, (32, 32)),
    Case("ViT, attention pooling", "larger picture", "timm", ViTMAP, WIDE, (16, 24), official=ANY_SIZE, golden=True),
]
RUNS = [Run(Case("ViT", "training", library, ViT, SIZES, (32, 32), training=True), "AdamW", ADAMW)
        for library in ("timm", "transformers")]

FEATURES = [(ViT, [({}, dict(indices=1, norm=True)), (dict(layers=(0, 1)), dict(indices=[0, 1]))])]

SMALL = dict(image_size=16, patch_size=4, num_classes=3, dim=12, depth=2, heads=3)
EVERYWHERE = ("timm", "transformers", "transformers4", "jax")
MODELS = [
    Small(ViT, SMALL, EVERYWHERE),
    Small(ViT, SMALL | dict(num_classes=0, image_size=(8, 24), channels=1, mlp_dim=20), EVERYWHERE),
    Small(ViTGAP, SMALL, ("timm",)),
    Small(ViTMAP, SMALL, ("timm",)),
]
NARROW = dict(depth=1, embed_dim=24, num_heads=3)
TIMM = [Saved(name, NARROW) for name in ("vit_tiny_patch16_224", "vit_base_patch16_gap_224",
                                         "vit_base_patch16_siglip_224", "vit_so400m_patch14_siglip_224",
                                         "vit_so400m_patch16_siglip_gap_256", "deit_tiny_patch16_224")]
TRANSFORMERS = [Saved("ViTForImageClassification", dict(
    hidden_size=24, num_hidden_layers=1, num_attention_heads=4, intermediate_size=48), "ViTImageProcessorPil")]

TOKEN = "the class token is one of {} tokens; the figure lies between ours with it and without ({})"
FIGURES = [
    Table("ViT: Dosovitskiy et al., arXiv:2010.11929, table 1", [
        Line("ViT-Base", "vit", "B/16", "86"),
        Line("ViT-Large", "vit", "L/16", "307", exact=304_326_632),  # the paper's figure is 1 % above its checkpoint
        Line("ViT-Huge", "vit", "H/14", "632")]),
    Table("ViT: Zhai et al., arXiv:2106.04560, table 2 (without head)", [
        Line("s/28", "vit", "s/28", "5.4", "0.7"),
        Line("s/16", "vit", "s/16", "5.0", "2.2"),
        Line("S/32", "vit", "S/32", "22", "2.3"),
        Line("Ti/16", "vit", "Ti/16", "5.5", "2.5"),
        Line("B/32", "vit", "B/32", "87", "8.7", TOKEN.format(50, "8.64")),
        Line("S/16", "vit", "S/16", "22", "9.2"),
        Line("B/28", "vit", "B/28", "87", "11.3", TOKEN.format(65, "11.25")),
        Line("B/16", "vit", "B/16", "86", "35.1"),
        Line("L/16", "vit", "L/16", "303", "122.9"),
        Line("g/14", "vit", "g/14", "1011", "533.1"),
        Line("G/14", "vit", "G/14", "1843", "965.3"),
    ], "multiplications and additions", factor=2, settings=dict(num_classes=0)),
    *(Table(f"SoViT: Alabdulmohsin et al., arXiv:2305.13035, table 1, pictures of {pixels} x {pixels} (without head)", [
        Line("SoViT-400m/14", "vit", "So400m/14", "428", gflops)], "multiplications and additions", factor=2,
        settings=dict(num_classes=0, image_size=pixels // 14 * 14), pixels=pixels // 14 * 14)
      for pixels, gflops in ((224, "221"), (384, "672"), (518, "1374"))),
    Table("DeiT without distillation, which is ViT: Liu et al., arXiv:2103.14030, table 1", [
        Line("DeiT-S", "vit", "small", "22", "4.6"), Line("DeiT-B", "vit", "base", "86", "17.5")]),
]
DIFFERENCES = [
    "LayerNorm's epsilon is 1e-6 in timm's ViT and DeiT and 1e-12 in transformers'; `load` takes it from the "
    "checkpoint's config.json. GELU takes its tanh form in the files of ViT's authors, its exact form elsewhere.",
    "Position embeddings of a smaller picture are interpolated with an antialiasing filter in timm, without one in "
    "transformers; `load` sets which. timm, and in DINOv2 transformers, round them to single precision first; the "
    "comparison in float64 does without.",
]
