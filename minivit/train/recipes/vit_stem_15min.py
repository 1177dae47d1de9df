"""A Vision Transformer with a convolutional stem on CIFAR-10, in fifteen minutes on two CPU cores.

Four convolutions, which have three fifths of the multiply-adds, make 64 tokens for two Transformer blocks.

    python -m minivit train --recipe vit_stem_15min

Time     15 minutes, 14.7 of them training: 3,283 steps, 4.2 epochs
Machine  two cores of an Intel Xeon at 2.8 GHz (model 106, AVX-512), Python 3.11, NumPy 2.4.6, OpenBLAS 0.3.31
Seed     0
Result   79.0 % of the test pictures of CIFAR-10 (JPEG copy); one run
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
