"""What is known of MLP-Mixer."""

from minivit.models.mlp_mixer import AllMlp, MlpMixer
from tests.golden.case import Case
from tests.known import Line, Run, Small, Table

SIZES = dict(image_size=32, patch_size=8, num_classes=5, dim=24, depth=2)
WIDE = dict(image_size=(12, 20), patch_size=4, num_classes=7, channels=1, dim=16, depth=3)


def reference(sizes, **settings):
    """reference(timm) -> its MlpMixer of these sizes; its factories refuse such small ones."""
    return lambda timm: timm.models.mlp_mixer.MlpMixer(
        img_size=sizes["image_size"], patch_size=sizes["patch_size"], in_chans=sizes.get("channels", 3),
        num_classes=sizes["num_classes"], embed_dim=sizes["dim"], num_blocks=sizes["depth"], **settings)


CASES = [
    Case("MLP-Mixer", "32 pixels", "timm", MlpMixer, SIZES, (32, 32), reference=reference(SIZES), golden=True),
    Case("MLP-Mixer", "not square, other MLPs", "timm", MlpMixer, WIDE | dict(tokens_dim=12, channels_dim=24), (12, 20),
         batch=3, reference=reference(WIDE, mlp_ratio=(0.75, 1.5))),
    Case("MLP-Mixer", "training", "timm", MlpMixer, SIZES, (32, 32), training=True, reference=reference(SIZES)),
]
RUNS = [Run(case, "AdamW", dict(lr=1e-3, weight_decay=0.05)) for case in CASES if case.training]

SMALL = dict(image_size=16, patch_size=4, num_classes=3, dim=12, depth=2)
OTHER = dict(num_classes=0, image_size=(8, 24), channels=1)
FEATURES = [(AllMlp, [({}, dict(indices=1, norm=True)), (dict(layers=(0, 1)), dict(indices=[0, 1]))])]
# what is added to all channels of a token is nothing behind the next norm
WITHOUT_GRADIENT = [("mlp_mixer", f"blocks.{index}.mlp_tokens.linear2.bias") for index in range(4)]

MODELS = [Small(MlpMixer, SMALL, ("timm", "jax"), unread=("timm",)),
          Small(MlpMixer, SMALL | OTHER | dict(tokens_dim=5, channels_dim=20), ("timm", "jax"), unread=("timm",))]

FIGURES = [Table("MLP-Mixer: Tolstikhin et al., arXiv:2105.01601, table 1 (without head)", [
    Line(f"Mixer-{name}", "mlp_mixer", name, parameters) for name, parameters in {
        "S/32": "19", "S/16": "18", "B/32": "60", "B/16": "59", "L/32": "206", "L/16": "207", "H/14": "431"}.items()],
    settings=dict(num_classes=0))]
DIFFERENCES = [
    "GELU takes its tanh form in the JAX code of MLP-Mixer's authors, its exact form in timm, which has their weights.",
]
