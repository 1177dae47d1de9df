"""Muon: steps for weight matrices in which every direction counts the same.

The gradient of a weight matrix is dominated by a few directions. Muon replaces the (averaged) gradient M = U S V^T by
U V^T, the nearest matrix whose singular values are all 1: the rare directions move as far as the common ones.

    M <- momentum M + G
    O  = U V^T of G + momentum M
    W <- (1 - lr weight_decay) W - 0.2 sqrt(max(n, m)) lr O          for W (n, m)

(Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024, https://kellerjordan.github.io/posts/muon;
the factor, which gives O the size of AdamW's steps, and the decay: Liu et al., arXiv:2502.16982, section 2.2)
"""

import math
from typing import Any

from ...backend import array_module
from ...nn.module import Module
from ...types import Array, Params
from .optimisers import AdamW, check_settings, parameter_groups


class Muon(AdamW):
    """Muon for the weights of hidden layers, AdamW for everything else.

    Parameters
    ----------
    params : list of dict
        Groups, as `muon_groups` makes them; those with "orthogonal": True hold Muon's matrices.
    lr : float
        Of the matrices; the other parameters have `adam_lr` times as much.
    momentum : float
    betas, eps, weight_decay
        As for AdamW.
    """

    group_settings = {"orthogonal": False}

    def __init__(self, params: Params, lr: float = 4e-3, *, momentum: float = 0.95, adam_lr: float = 0.25,
                 betas: tuple[float, float] = (0.9, 0.95), eps: float = 1e-8, weight_decay: float = 0.01) -> None:
        check_settings({"momentum": momentum, "adam_lr": adam_lr})
        super().__init__(params, lr, betas=betas, eps=eps, weight_decay=weight_decay)
        self.momentum, self.adam_lr = momentum, adam_lr
        self.all_at_once = None  # makes AdamW's steps of all parameters
        self.orthogonal = [settings.pop("orthogonal") for settings in self.settings]
        for parameter, orthogonal in zip(self.parameters, self.orthogonal, strict=True):
            if orthogonal and parameter.ndim < 2:
                raise ValueError('"orthogonal" of a group: expected matrices or weights of convolutions, got a '
                                 f"parameter of shape {parameter.shape}")

    def chunks(self, index: Any, arrays: Array) -> list:
        """A matrix cannot be updated block by block."""
        return [arrays] if self.orthogonal[index] else super().chunks(index, arrays)

    def update_chunk(self, update: tuple) -> None:
        """Change a whole matrix by Muon, a chunk of anything else by AdamW."""
        index, views = update
        lr = self.lr * self.ratios[index]
        if self.orthogonal[index]:
            w, g, m, _ = views
            self.update_matrix(w, g, m, lr=lr, weight_decay=self.settings[index]["weight_decay"])
        else:
            self.update(*views, lr=self.adam_lr * lr, steps=self.steps[index], **self.settings[index])

    def update_matrix(self, w: Array, g: Array, m: Array, *, lr: float, weight_decay: float) -> None:
        """One step of a weight matrix, or of a convolution's weights as a matrix (kh kw in, out), in place."""
        m *= self.momentum
        m += g
        direction = orthogonalise((g + self.momentum * m).reshape(-1, g.shape[-1]))  # (..., out) -> (n, out)
        w *= 1 - lr * weight_decay
        w -= 0.2 * math.sqrt(max(direction.shape)) * lr * direction.reshape(w.shape)


def orthogonalise(matrix: Array) -> Array:
    """U V^T of a matrix U S V^T, nearly: singular values come out between 0.7 and 1.2.    (n, m) -> (n, m)

    Five steps of a Newton-Schulz iteration, X <- a X + (b X X^T + c (X X^T)^2) X, which works on singular values alone:
    s <- a s + b s^3 + c s^5. The coefficients make it steep at 0, so that small ones grow fast.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = matrix.shape[0] <= matrix.shape[1]
    x = matrix if wide else matrix.T
    x = x / (array_module(x).linalg.norm(x) + 1e-7)
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.T


def muon_groups(model: Module, weight_decay: float) -> list[dict[str, Any]]:
    """`parameter_groups`, with the weights of hidden layers in a group of their own for Muon.

    The maps from pixels and to classes are no hidden layers: their rows and columns are not alike.
    """
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    groups = []
    for group in parameter_groups(model, weight_decay):
        hidden = [p for p in group["params"] if group["weight_decay"] is weight_decay and not any(
            word in names[id(p)] for word in ("embed", "head"))]
        others = [p for p in group["params"] if not any(p is h for h in hidden)]
        groups += [group | {"params": hidden, "orthogonal": True}, group | {"params": others}]
    return [group for group in groups if group["params"]]
