"""Tokens-to-Token ViTs with a performer between the splits: its authors' repository, T2T_ViT with "performer"."""

import einops
import numpy as np

from ...models.t2t import T2TViTPerformer
from ..table import Rearrangement, linear, tensor
from .t2t import MATRIX, family, norms


def swapped(array):
    """Keys, queries and values as queries, keys and values, and back."""
    k, q, v = np.split(array, 3, axis=-1)
    return np.concatenate([q, k, v], axis=-1)


def keys_first(kernel):
    """The layout of their joined map, of windows of so many pixels."""
    theirs, _, ours = MATRIX[kernel].partition(" -> ")
    lengths = {axis: kernel for axis in theirs if axis in "pqrs"}
    return Rearrangement(lambda array: swapped(einops.rearrange(array, f"{theirs} -> {ours}", **lengths)),
                         lambda array: einops.rearrange(swapped(array), f"{ours} -> {theirs}", **lengths))


def performer(kernel):
    """A performer between splits."""
    return [
        *norms(kernel),
        *tensor("qkv.weight", "kqv.weight", keys_first(kernel)),
        *tensor("qkv.bias", "kqv.bias", Rearrangement(swapped, swapped)),
        *tensor("directions", "w"),
        *linear("proj", "proj"),
        *linear("mlp.linear1", "mlp.0"),
        *linear("mlp.linear2", "mlp.2"),
    ]


FAMILY = family("t2t_performer", T2TViTPerformer, performer)
