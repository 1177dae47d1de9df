"""A Vision Transformer with plain 4 x 4 patches on CIFAR-10, in an hour on two CPU cores.

    python -m minivit train --recipe vit_1h

Time     52.3 minutes of training, by the time of a step when the machine is quiet: 12,496 steps, 16 epochs; in the
         background of a busy machine it was 260, with one thread
Machine  two cores of an Intel Xeon (model 167 at the end, AVX-512), Python 3.11, NumPy 2.4.6, Numba 0.68.1
Seed     0
Result   82.0 % of the test pictures of CIFAR-10 (JPEG copy); one run
"""

from ..recipe import Recipe

recipe = Recipe(
    task_settings={"label_smoothing": 0.1},
    model="vit",
    variant="cifar",
    data="cifar10",
    epochs=16,
    batch_size=64,
    optimiser="muon",
    lr=4e-3,
    warmup=0.05,
    weight_decay=0.05,
    augmentation=[("random_crop", {"padding": 2, "mode": "reflect"}), ("random_flip", {})],
    average=0.999,
)
