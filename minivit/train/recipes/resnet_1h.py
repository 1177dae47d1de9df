"""ResNet-20 on CIFAR-10 for an hour on two CPU cores, with the optimiser and the augmentation of its paper.

    python -m minivit train --recipe resnet_1h

Time     43.7 minutes of training, by the time of a step when the machine is quiet: 7,800 steps, 20 epochs; in the
         background of a busy machine it was 170
Machine  two cores of an Intel Xeon (model 167 at the end, AVX-512), Python 3.11, NumPy 2.4.6, Numba 0.68.1
Seed     0
Result   84.5 % of the test pictures of CIFAR-10 (JPEG copy); one run
Source   He et al., CVPR 2016, arXiv:1512.03385, section 4.2, where it has 164 epochs and reaches 91.25 %
"""

from ..recipe import Recipe

recipe = Recipe(
    model="resnet",
    variant="cifar20",
    data="cifar10",
    epochs=20,
    batch_size=128,
    optimiser="sgd",
    optimiser_settings={"momentum": 0.9},
    lr=0.1,
    warmup=0.05,
    weight_decay=1e-4,
    augmentation=[("random_crop", {"padding": 4}), ("random_flip", {})],
    average=0.999,
)
