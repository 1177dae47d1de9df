"""A Vision Transformer of 6.3 million parameters on CIFAR-10, for 200 epochs on a GPU.

Model and length are those of a recipe for PyTorch that reaches 90.9 % (github.com/omihub777/ViT-CIFAR): patches
of 4 x 4, width 384, 7 blocks with 12 heads, hidden layers as wide as the tokens, label smoothing, a crop of the padded
picture, and flips. In other places it is not the same: batches of 512 instead of 128, so that Python keeps up with the
GPU, with twice the learning rate; AdamW instead of Adam; RandAugment instead of AutoAugment; the mean of all tokens
instead of a class token; an average of the weights at the end. Products are computed in TF32.

    python -m minivit train --recipe vit_200epochs_gpu

Time     not measured yet; the aim is 10 minutes
Machine  an NVIDIA GPU of the Hopper generation is what it is made for; none was at hand
Seed     0
Result   not measured yet; the aim is 90.9 % of the test pictures of CIFAR-10
"""

from ..recipe import Recipe

recipe = Recipe(
    task_settings={"label_smoothing": 0.1},
    model="vit",
    variant="cifar",
    settings={"dim": 384, "depth": 7, "heads": 12, "mlp_dim": 384},
    data="cifar10",
    epochs=200,
    batch_size=512,
    optimiser="adamw",
    lr=2e-3,
    warmup=5 / 200,
    final_lr=0.01,
    weight_decay=0.05,
    augmentation=[("random_crop", {"padding": 4}), ("random_flip", {}),
                  ("rand_augment", {"operations": 2, "magnitude": 5})],
    average=0.999,
    device="cuda",
    precision="tf32",
)
