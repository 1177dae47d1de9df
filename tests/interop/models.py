"""Small models of every architecture that has an official counterpart, and the names that it has there."""

from minivit.models.deit import DeiT
from minivit.models.resnet import BasicBlock, Bottleneck, ResNet
from minivit.models.swin import Swin
from minivit.models.vit import ViT, ViTGAP, ViTMAP
from minivit.tasks.mae import MAE

VIT = dict(image_size=16, patch_size=4, num_classes=3, dim=12, depth=2, heads=3)
BOTH = ("timm", "transformers", "transformers4")
MODELS = [
    (lambda: ViT(**VIT), (*BOTH, "jax")),
    (lambda: ViT(**VIT | dict(num_classes=0, image_size=(8, 24), channels=1, mlp_dim=20)), (*BOTH, "jax")),
    (lambda: ViTGAP(**VIT), ("timm",)),
    (lambda: ViTMAP(**VIT), ("timm",)),
    (lambda: DeiT(**VIT), BOTH),
    (lambda: ResNet(BasicBlock, (2, 1, 1, 1), num_classes=3), ("timm", "transformers")),
    (lambda: ResNet(Bottleneck, (1, 2), width=8, num_classes=0, channels=2), ("transformers",)),
    (lambda: Swin(image_size=32, num_classes=3, dim=8, depths=(2, 2), heads=(2, 4), window=4), BOTH),
    (lambda: Swin(image_size=16, num_classes=3, dim=8, depths=(1, 2), heads=(2, 4), window=4), ("timm",)),
    (lambda: MAE(ViT, decoder_dim=8, decoder_depth=1, decoder_heads=2, **{
        name: VIT[name] for name in VIT if name != "num_classes"}), ("transformers", "transformers4")),
]
PAIRS = [(make, names) for make, known in MODELS for names in known]


def channels_of(model):
    """Of the pictures that a model takes."""
    return model.stem.weight.shape[2] if isinstance(model, ResNet) else getattr(
        model, "encoder", model).patch_embed.channels
