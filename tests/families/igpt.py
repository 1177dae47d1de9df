"""What is known of Image GPT."""

import numpy as np

from minivit.models.igpt import IGPT, colour_cube, nearest_colours
from minivit.ops import cross_entropy
from tests.families.vit import ADAMW
from tests.golden.case import Case
from tests.known import Run, Small

SIZES = dict(image_size=6, colours=27, num_classes=0, dim=24, depth=3, heads=3)


def colours_read(images, colours):
    """What a model reads of pictures: the start, and all but the last, of a cube of colours.    -> int (B, N)"""
    ids = nearest_colours(np.asarray(images, np.float64), colour_cube(None, (colours, images.shape[-1])))
    return np.concatenate([np.full((len(ids), 1), colours), ids[:, :-1]], axis=1)


class ColoursCase(Case):
    """The logits of the next colours are compared, and their loss, to which a gradient for the pictures is added."""

    def run(self, model, images, targets):
        """Of the colours."""
        ids = model.colours_of(images)
        logits = model.next_colours(model.shifted(ids))
        return [logits], [cross_entropy(logits, ids) + (images * images).mean()]

    def run_official(self, official, images, targets):
        """Theirs, whose loss leaves out the first colour."""
        import torch
        pixels = images.detach().numpy().transpose(0, 2, 3, 1)
        colours = official.config.vocab_size - 1
        logits = official(torch.from_numpy(colours_read(pixels, colours))).logits
        ids = torch.from_numpy(nearest_colours(pixels, colour_cube(None, (colours, 3))))
        return [logits], [torch.nn.functional.cross_entropy(logits.transpose(1, 2), ids) + (images * images).mean()]


def logits(model, images):
    """Of the next colours."""
    images = images.data if hasattr(images, "data") else images
    return model.next_colours(colours_read(images, len(model.palette.data)))


def official_logits(official, images):
    """The same of theirs."""
    import torch
    return official(torch.from_numpy(colours_read(images.numpy().transpose(0, 2, 3, 1),
                                                  official.config.vocab_size - 1))).logits


WITHOUT_DROPOUT = dict(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
CASES = [
    ColoursCase("Image GPT", "36 pixels", "transformers", IGPT, SIZES, (6, 6), batch=3, golden=True),
    ColoursCase("Image GPT", "other MLP", "transformers", IGPT, SIZES | dict(mlp_dim=40, colours=64), (6, 6)),
    ColoursCase("Image GPT", "training", "transformers", IGPT, SIZES, (6, 6), training=True, official=WITHOUT_DROPOUT),
]
RUNS = [Run(case, "AdamW", ADAMW) for case in CASES if case.training]
MODELS = [Small(IGPT, SIZES, ("transformers",), run=logits, run_official=official_logits)]

# the head reads from the middle, and its norm is the first of the block behind it
WITHOUT_GRADIENT = [("igpt", name) for name in (
    "norm.weight", "to_colours.weight", "blocks.3.norm2.weight", *(
        f"blocks.{block}.{norm}.weight" for block in (4, 5) for norm in ("norm1", "norm2")), *(
        f"blocks.{block}.{layer}.{part}" for block in (3, 4, 5) for part in ("weight", "bias")
        for layer in ("attention.qkv", "attention.proj", "mlp.linear1", "mlp.linear2")))]
WITHOUT_PIXELS = ["igpt"]
DIFFERENCES = [
    "Image GPT has no biases in its authors' model; transformers' has them, and so it has here. The palette is read "
    "from the configuration of transformers' processor, and is not written there.",
]
