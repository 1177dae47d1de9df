"""The smallest training that is one: its recipe and its pictures."""

from minivit.data import shapes10
from minivit.train import Recipe

RECIPE = Recipe(settings={"dim": 8, "depth": 1, "heads": 1, "patch_size": 16}, data="shapes10", batch_size=16, steps=4,
                threads=1, device="cpu", evaluation_size=20)


def pictures():
    """64 to learn from, 40 to be tested on."""
    return shapes10.load_shapes10(train=64, test=40)
