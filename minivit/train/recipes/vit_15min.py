"""A Vision Transformer with plain 4 x 4 patches on CIFAR-10, in fifteen minutes on two CPU cores.

    python -m minivit train --recipe vit_15min

Time     15 minutes, tests included
Machine  not run yet
Seed     0
Result   not run yet
"""

from ..recipe import Recipe

recipe = Recipe(
    model="vit",
    variant="cifar",
    settings={"dim": 128, "depth": 6, "heads": 4},
    data="cifar10",
    minutes=15,
    batch_size=128,
    optimiser="adamw",
    optimiser_settings={"betas": (0.9, 0.95)},
    lr=2e-3,
    warmup=0.1,
    weight_decay=0.05,
    augmentation=[("random_crop", {"padding": 4}), ("random_flip", {})],
    average=0.99,
)
