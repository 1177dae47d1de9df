"""A Vision Transformer with plain 4 x 4 patches on CIFAR-10, in fifteen minutes on two CPU cores.

    python -m minivit train --recipe vit_15min

Time     15 minutes, 13.6 of them training: 1,831 steps, 2.3 epochs
Machine  two cores of an Intel Xeon at 2.8 GHz (model 106, AVX-512), Python 3.11, NumPy 2.4.6, OpenBLAS 0.3.31
Seed     0
Result   69.3 % of the test pictures of CIFAR-10 (JPEG copy); one run
"""

from ..recipe import Recipe

recipe = Recipe(
    model="vit",
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
