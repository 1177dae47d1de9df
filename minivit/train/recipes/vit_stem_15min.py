"""A Vision Transformer with a convolutional stem on CIFAR-10, in fifteen minutes on two CPU cores.

    python -m minivit train --recipe vit_stem_15min

Time     15 minutes, tests included
Machine  not run yet
Seed     0
Result   not run yet
"""

from ..recipe import Recipe

recipe = Recipe(
    model="vitc",
    variant="cifar",
    data="cifar10",
    minutes=15,
    batch_size=64,
    optimiser="muon",
    lr=4e-3,
    warmup=0.1,
    weight_decay=0.05,
    augmentation=[("random_crop", {"padding": 2, "mode": "reflect"}), ("random_flip", {})],
    average=0.99,
)
