"""ResNet-20 on CIFAR-10, in fifteen minutes on two CPU cores, with the optimiser and augmentation of its paper.

    python -m minivit train --recipe resnet_15min

Time     15.5 minutes of training: 767 steps, 2.0 epochs
Machine  two cores of an Intel Xeon at 2.8 GHz (model 106, AVX-512), Python 3.11, NumPy 2.4.6, Numba 0.68.1
Seed     0
Result   63.7 % of the test pictures of CIFAR-10 (JPEG copy); one run
Source   He et al., arXiv:1512.03385, section 4.2: SGD with momentum, batches of 128, pictures padded by 4, cropped and
         flipped. The schedule is a cosine here, since there is no time for the paper's 64,000 steps.
"""

from ..recipe import Recipe

recipe = Recipe(
    model="resnet",
    variant="cifar20",
    data="cifar10",
    minutes=15,
    batch_size=128,
    optimiser="sgd",
    optimiser_settings={"momentum": 0.9},
    lr=0.1,
    warmup=0.1,
    weight_decay=1e-4,
    augmentation=[("random_crop", {"padding": 4}), ("random_flip", {})],
    average=0.99,
)
