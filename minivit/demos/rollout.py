"""Rollout: what reaches a patch through all layers, against what it looks at in one of them.

Abnar and Zuidema, ACL 2020, arXiv:2005.00928. The page holds the attention of every layer, averaged over its heads, and
multiplies it up as `minivit.nn.rollout` does.
"""

import numpy as np

from ..nn import attention_maps
from . import samples

TITLE = "One layer looks at few patches; many more reach it from below"
LOOK_FOR = "how rollout spreads from layer to layer, while each layer's own map changes at will."
QUESTION = "From which residual share on is the patch itself the brightest after six layers?"


def data():
    """The attention of every layer for each picture, averaged over the heads."""
    vit = samples.classifier()
    maps = attention_maps(vit.model, vit.normalise(samples.pictures()))            # L times (B, H, N, N)
    return {"pictures": samples.pictures(), "grid": vit.model.grid[0],
            "attention": np.stack([one.mean(axis=1) for one in maps]).astype(np.float16)}
