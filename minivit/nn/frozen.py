"""Normalisation that stays as it was learned before, while the rest of a model learns."""

from ..ops import batch_norm
from ..tensor import Tensor
from .module import Module
from .norms import BatchNorm2d
from .parameter import Buffer


class FrozenBatchNorm2d(BatchNorm2d):
    """A BatchNorm2d that is a fixed map of each channel, also in training: all of its numbers are buffers.

    (B, ..., C) -> (B, ..., C). For detection, whose few large pictures a batch make poor statistics.
    """

    def __init__(self, channels: int, *, eps: float = 1e-5) -> None:
        super().__init__(channels, eps=eps)
        freeze(self)

    def forward(self, x: Tensor) -> Tensor:
        """(B, ..., C) -> (B, ..., C)"""
        return batch_norm(x, self.weight, self.bias, self.running_mean, self.running_var, eps=self.eps)


def freeze_batch_norms(model: Module) -> Module:
    """Make every BatchNorm2d of a model a FrozenBatchNorm2d, with the numbers that it has. Returns the model."""
    for module in model.modules():
        if type(module) is BatchNorm2d:
            module.__class__ = FrozenBatchNorm2d
            freeze(module)
    return model


def freeze(module: Module) -> Module:
    """Make the parameters of a module buffers, which no optimiser changes. Returns the module."""
    for parameter in module.parameters():
        parameter.__class__, parameter.requires_grad = Buffer, False  # wherever it is held: in an attribute, in a list
    return module
