"""Training data-efficient image transformers & distillation through attention.

Touvron et al., ICML 2021, arXiv:2012.12877.

A Vision Transformer needs no hundreds of millions of pictures if a trained network, best a CNN, teaches it. The student
gets a second token beside the class token, which goes through the same encoder and ends in a head of its own. The class
token learns the label, the distillation token learns what the teacher says; for a prediction both are heard.

    B batch    N patches    D width    H heads    P patch size    L depth    K classes
    (B, 32, 32, 3) -> patches (B, 64, 48) -> tokens (B, 64, D) -> with both tokens (B, 66, D)
                   -> class token (B, D) and distillation token (B, D) -> two times logits (B, K), or their mean (B, K)

In training the model returns both logits, a pair, for the losses in `minivit.tasks.distil`; in `eval()` it
returns their mean. DeiT without distillation ("DeiT-Ti", "DeiT-S", "DeiT-B") is ViT: create("vit", "tiny" ... "base").

Departures from the paper: the mean of the logits instead of the sum of the probabilities, as in the authors' code.
"""

from functools import partial

from ..nn import Identity, Linear, Parameter, repeat_batch, sincos, truncated_normal
from ..ops import concatenate
from .vit import SIZES, ViT


class DeiT(ViT):
    """ViT with a distillation token and a head for it (fig. 2).

    (B, height, width, C) -> (B, num_classes) in `eval()`, a pair of them (class head, distillation head) in training;
    (B, D) with num_classes=0. The settings are those of ViT.
    """

    prefix = 2

    def __init__(self, *, dim, num_classes=1000, **settings):
        super().__init__(dim=dim, num_classes=num_classes, **settings)
        self.distillation_head = (Linear(dim, num_classes, initialiser=truncated_normal(0.02)) if num_classes
                                  else Identity())

    def make_pooling(self, dim, heads, **block):
        """The two tokens."""
        self.class_token = Parameter((1, 1, dim), truncated_normal(0.02))
        self.distillation_token = Parameter((1, 1, dim), truncated_normal(0.02))

    def prepend(self, x):
        """Class and distillation token in front of the patches.    (B, N, D) -> (B, 2 + N, D)"""
        tokens = [repeat_batch(token, len(x)) for token in (self.class_token, self.distillation_token)]
        return concatenate([*tokens, x], axis=1)

    def pool(self, x):
        """The two encoded tokens.    (B, 2 + N, D) -> (B, D), (B, D)"""
        return x[:, 0], x[:, 1]

    def forward(self, images):
        """(B, height, width, C) -> (B, num_classes), or two of them in training"""
        class_token, distillation_token = self.pool(self.encode(self.embed(images)))
        logits, distilled = self.head(class_token), self.distillation_head(distillation_token)
        return (logits, distilled) if self.training else (logits + distilled) / 2


# table 1; the paper's names end in an alembic sign: DeiT-Ti, DeiT-S, DeiT-B with distillation
VARIANTS = {name: partial(DeiT, patch_size=16, **SIZES[size])
            for name, size in {"tiny": "Ti", "small": "S", "base": "B"}.items()}
VARIANTS["cifar"] = partial(DeiT, image_size=32, patch_size=4, num_classes=10, dim=128, depth=6, heads=4,
                            positions=sincos)
