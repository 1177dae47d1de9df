"""What is known of DINOv2's Vision Transformer, without and with registers."""

from minivit.models.dinov2 import DINOv2, DINOv2Registers
from tests.families.vit import ADAMW, ANY_SIZE, NARROW, SMALL
from tests.golden.case import Case
from tests.golden.draw import draw
from tests.known import Line, Run, Saved, Small, Table


class HiddenPatches(Case):
    """Half of the patches are hidden behind the mask token."""

    def mask(self):
        """True where a patch is hidden.    (B, N)"""
        rows, columns = (pixels // self.settings["patch_size"] for pixels in self.pixels)
        return draw("mask", (self.batch, rows * columns)) > 0

    def run(self, model, images, targets):
        """Logits and loss."""
        return super().run(lambda images: model(images, self.mask()), images, targets)

    def run_official(self, official, images, targets):
        """Logits and loss."""
        import torch
        return super().run_official(lambda images: official(images, bool_masked_pos=torch.from_numpy(self.mask())),
                                    images, targets)


NAME, REGISTERS = "DINOv2", "DINOv2 with registers"
SIZES = dict(image_size=28, patch_size=7, num_classes=5, dim=24, depth=2, heads=3)
GATED = SIZES | dict(mlp="swiglu", mlp_dim=64)
WIDE = dict(image_size=(12, 20), patch_size=4, num_classes=7, dim=32, depth=3, heads=2, mlp_dim=64)
HIDDEN = "half of the patches hidden"
UNMASKED = dict(mask_token=False)
CASES = [
    Case(NAME, "28 pixels", "timm", DINOv2, SIZES, (28, 28)),
    Case(NAME, "not square", "timm", DINOv2, WIDE, (12, 20), batch=3),
    Case(NAME, "larger picture, SwiGLU", "timm", DINOv2, GATED, (42, 56), official=ANY_SIZE),
    Case(NAME, "without head", "timm", DINOv2, GATED | dict(num_classes=0), (28, 28)),
    Case(NAME, "training", "timm", DINOv2, SIZES, (28, 28), training=True),
    HiddenPatches(NAME, HIDDEN, "transformers", DINOv2, SIZES, (28, 28), batch=3),
    HiddenPatches(NAME, f"{HIDDEN}, larger picture, SwiGLU", "transformers", DINOv2, GATED, (35, 49), golden=True),
    Case(NAME, "smaller picture", "transformers", DINOv2, SIZES | UNMASKED, (21, 28)),
    HiddenPatches(NAME, "training", "transformers", DINOv2, SIZES, (28, 28), training=True),
    Case(REGISTERS, "28 pixels", "timm", DINOv2Registers, SIZES | dict(registers=3), (28, 28)),
    Case(REGISTERS, "smaller picture, SwiGLU", "timm", DINOv2Registers, GATED, (21, 28), official=ANY_SIZE),
    HiddenPatches(REGISTERS, HIDDEN, "transformers", DINOv2Registers, SIZES | dict(registers=2), (28, 28)),
    HiddenPatches(REGISTERS, f"{HIDDEN}, smaller picture, SwiGLU", "transformers", DINOv2Registers, GATED, (14, 21),
                  golden=True),
]
RUNS = [Run(Case(NAME, "training", "timm", DINOv2, SIZES, (28, 28), training=True), "AdamW", ADAMW)]
FEATURES = [(kind, [({}, dict(indices=1, norm=True)), (dict(layers=(0, 1)), dict(indices=[0, 1]))])
            for kind in (DINOv2, DINOv2Registers)]
WITHOUT_GRADIENT = [("dinov2", "mask_token")]


def class_token(official, images):
    """What transformers' model without a head gives, where ours is the class token."""
    return official.base_model(images).pooler_output


LIBRARIES, HUB = ("timm", "transformers", "transformers4"), ("transformers", "transformers4")
SWIGLU = SMALL | dict(mlp="swiglu", mlp_dim=32)
MODELS = [
    Small(DINOv2, SMALL, LIBRARIES), Small(DINOv2, SWIGLU, LIBRARIES), Small(DINOv2Registers, SMALL, LIBRARIES),
    Small(DINOv2Registers, SWIGLU | dict(registers=2), LIBRARIES),
    Small(DINOv2, SMALL | dict(num_classes=0, image_size=(8, 24), channels=1, mlp_dim=24), ("timm",)),
    Small(DINOv2, SMALL | dict(num_classes=0, channels=1, mlp_dim=24), HUB, run_official=class_token),
    Small(DINOv2Registers, SMALL | dict(num_classes=0), HUB, run_official=class_token),
]
TIMM = [Saved(f"vit_{size}_patch14_{registers}dinov2", NARROW) for size in ("small", "giant")
        for registers in ("", "reg4_")]
SMALLER = dict(hidden_size=24, num_hidden_layers=1, num_attention_heads=4)
TRANSFORMERS = [Saved(f"Dinov2{registers}ForImageClassification", SMALLER | swiglu, "BitImageProcessorPil")
                for registers in ("", "WithRegisters") for swiglu in ({}, dict(use_swiglu_ffn=True))]

ROUNDED = "the authors round down to {}"
SETTINGS = dict(num_classes=0, image_size=518, mask_token=False)
FIGURES = [
    Table("DINOv2: the authors' repository, pictures of 518 x 518 (without head)", [
        Line("ViT-S/14", "dinov2", "small", "21", why=ROUNDED.format("21 M"), exact=22_056_576),
        Line("ViT-B/14", "dinov2", "base", "86", exact=86_580_480),
        Line("ViT-L/14", "dinov2", "large", "300", why=ROUNDED.format("hundreds of millions"), exact=304_368_640),
        Line("ViT-g/14", "dinov2", "giant", "1100", why=ROUNDED.format("hundreds of millions"), exact=1_136_480_768)],
        settings=dict(num_classes=0, image_size=518), pixels=518),
]
DIFFERENCES = [
    "The head of DINOv2 reads the class token and the mean of the patches in the authors' code and in transformers, "
    "the class token alone in timm, which also keeps no mask token and, with registers, adds the class token's "
    "position to the token itself; `load` sets each.",
    "The authors of DINOv2 add 0.1 to the sides of a new grid before they stretch positions, which moves them by a "
    "small fraction of a patch (not with registers, where they smooth); timm and transformers do not, nor does this.",
]
