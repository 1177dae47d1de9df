"""Attention: what a patch of a picture looks at, in every layer and head of a trained Vision Transformer.

Vaswani et al., NeurIPS 2017, arXiv:1706.03762, section 3.2.1. The page holds what enters each attention layer, and the
weights that make queries and keys of it; it computes softmax(q k^T / sqrt(d) / temperature) itself.
"""

import numpy as np

from ..engine import no_grad
from ..nn import Attention, intercept_calls
from . import samples

TITLE = "Each head asks its own question of the picture"
LOOK_FOR = "heads that look at neighbours, at the same colour, or at everything; and what 1/√d does to all of them."
QUESTION = "Switch 1/√d off. Which temperature brings the old map back, and why?"


def data():
    """What enters each attention layer, for each picture, and the layers' weights."""
    vit = samples.classifier()
    layers = [block.attention for block in vit.model.blocks]
    dim, heads = layers[0].proj.weight.shape[0], layers[0].heads
    return {"pictures": samples.pictures(), "heads": heads, "grid": vit.model.grid[0],
            "inputs": attention_inputs(vit.model, vit.normalise(samples.pictures())).astype(np.float16),
            "weights": np.stack([layer.qkv.weight.numpy()[:, :2 * dim] for layer in layers]).astype(np.float16),
            "biases": np.stack([layer.qkv.bias.numpy()[:2 * dim] for layer in layers]).astype(np.float16)}


def attention_inputs(model, images):
    """What every attention layer of a model is given.    (B, height, width, 3) -> float32 (L, B, N, D)"""
    inputs = []

    def follow(module, arguments, settings):
        if isinstance(module, Attention):
            inputs.append(arguments[0].numpy())
        return module.forward(*arguments, **settings)

    with no_grad(), intercept_calls(follow):
        model(images)
    return np.stack(inputs)
