"""A small Swin Transformer on CIFAR-10, in fifteen minutes on two CPU cores.

    python -m minivit train --recipe swin_15min

Time     17.2 minutes of training, since the machine became slower on the way: 4,131 steps, 5.3 epochs
Machine  two cores of an Intel Xeon at 2.8 GHz (model 106, AVX-512), Python 3.11, NumPy 2.4.6, Numba 0.68.1
Seed     0
Result   71.8 % of the test pictures of CIFAR-10 (JPEG copy); one run
"""

from ..recipe import Recipe

recipe = Recipe(
    model="swin",
    variant="cifar",
    settings={"dim": 32, "depths": (2, 2, 2), "heads": (2, 4, 8)},
    data="cifar10",
    minutes=15,
    batch_size=64,
    optimiser="muon",
    lr=6e-3,
    warmup=0.1,
    weight_decay=0.05,
    augmentation=[("random_crop", {"padding": 2, "mode": "reflect"}), ("random_flip", {})],
    average=0.99,
)
