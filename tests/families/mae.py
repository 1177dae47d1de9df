"""What is known of MAE."""

import numpy as np

from minivit.models.vit import ViT
from minivit.tasks.mae import MAE
from tests.families.vit import SMALL
from tests.families.vit import TRANSFORMERS as VIT
from tests.golden.case import Case
from tests.golden.draw import draw
from tests.known import Saved, Small


class MaskedCase(Case):
    """A masked autoencoder: prediction and loss are compared. What is hidden is drawn by name."""

    def noise(self):
        """Small where a patch stays visible.    (B, N) float64"""
        rows, columns = (pixels // self.settings["patch_size"] for pixels in self.pixels)
        return draw("noise", (self.batch, rows * columns))

    def run(self, model, images, targets):
        """The prediction, and the loss."""
        rank = self.noise().argsort(axis=1).argsort(axis=1)
        mask = rank >= int(rank.shape[1] * (1 - model.mask_ratio))
        prediction, hidden = model.predict_pixels(images, mask)
        np.testing.assert_array_equal(hidden, mask)
        return [prediction], [model(images, mask)]

    def run_official(self, official, images, targets):
        """The prediction, and the loss."""
        import torch
        output = official(images, noise=torch.from_numpy(self.noise()))
        return [output.logits], [output.loss]


def prediction(mae, images):
    """Of one picture, whose last patches are hidden."""
    order = np.arange(mae.encoder.grid[0] * mae.encoder.grid[1])[None]
    return mae.predict_pixels(images, order >= int(order.size * (1 - mae.mask_ratio)))[0]


def official_prediction(mae, images):
    """The same of theirs."""
    patches = mae.vit.embeddings.patch_embeddings.num_patches
    return mae(images, noise=images.new_tensor(np.arange(patches)[None])).logits


PREDICTIONS = dict(run=prediction, run_official=official_prediction)
SIZES = dict(vit=ViT, image_size=24, patch_size=4, dim=24, depth=2, heads=3, decoder_dim=16, decoder_depth=1,
             decoder_heads=2)
CASES = [
    MaskedCase("MAE", "three quarters hidden", "transformers", MAE, SIZES, (24, 24), batch=3, golden=True),
    MaskedCase("MAE", "half hidden", "transformers", MAE, SIZES | dict(mask_ratio=0.5), (24, 24), training=True),
    MaskedCase("MAE", "plain pixels", "transformers", MAE, SIZES | dict(normalise=False), (24, 24)),
]
MODELS = [Small(MAE, dict(vit=ViT, decoder_dim=8, decoder_depth=1, decoder_heads=2, **{
    name: SMALL[name] for name in SMALL if name != "num_classes"}), ("transformers", "transformers4"), **PREDICTIONS)]
TRANSFORMERS = [Saved("ViTMAEForPreTraining", VIT[0].settings | dict(
    image_size=16, patch_size=4, decoder_hidden_size=16, decoder_num_attention_heads=4, decoder_num_hidden_layers=1,
    decoder_intermediate_size=64), **PREDICTIONS)]
DIFFERENCES = [
    "transformers interpolates the positions of MAE's decoder as one line of patches, here they are a grid. Its "
    "decoder is compared at the size that it was trained for.",
    "timm keeps of an MAE the encoder alone: it loads here as a ViT without head.",
]
