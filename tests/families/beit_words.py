"""What is known of BEiT's pre-training."""

import numpy as np

from minivit.models.beit import BEiT
from minivit.tasks.beit import MaskedWords, masked_cross_entropy
from tests.families.vit import SMALL
from tests.golden.case import Case
from tests.golden.draw import draw
from tests.known import Saved, Small


class MaskedCase(Case):
    """The logits of the words of all patches are compared, and the loss at those that are hidden."""

    def masked(self):
        """What is hidden, and the words there.    -> bool (B, N), int (B, N)"""
        rows, columns = (pixels // self.settings["patch_size"] for pixels in self.pixels)
        noise = draw("hidden", (self.batch, rows * columns))
        return noise < 0, np.abs(1000 * noise).astype(int) % self.settings["words"]

    def run(self, model, images, targets):
        """The logits and the loss."""
        mask, words = self.masked()
        logits = model(images, mask)
        return [logits], [masked_cross_entropy(logits, words, mask)[0]]

    def run_official(self, official, images, targets):
        """The same of theirs."""
        import torch
        mask, words = self.masked()
        output = official(images, bool_masked_pos=torch.from_numpy(mask), labels=torch.from_numpy(words[mask]))
        return [output.logits], [output.loss]


def logits(model, images):
    """Of the words, where every second patch is hidden."""
    mask = np.arange(model.encoder.grid[0] * model.encoder.grid[1]) % 2 == 0
    return model(images, np.tile(mask, (len(images), 1)))


def official_logits(official, images):
    """The same of theirs."""
    import torch
    N = official.beit.embeddings.patch_embeddings.num_patches
    return official(images, bool_masked_pos=(torch.arange(N) % 2 == 0).expand(len(images), N)).logits


WORDS = dict(run=logits, run_official=official_logits)
SIZES = dict(beit=BEiT, image_size=16, patch_size=4, dim=24, depth=2, heads=3, words=10)
NO_DROP = dict(drop_path_rate=0.0)  # theirs has another default
CASES = [
    MaskedCase("BEiT, masked words", "16 pixels", "transformers", MaskedWords, SIZES, (16, 16), golden=True),
    MaskedCase("BEiT, masked words", "training", "transformers", MaskedWords, SIZES, (16, 16), training=True, batch=3,
               official=NO_DROP),
    MaskedCase("BEiT, masked words", "larger picture", "transformers", MaskedWords, SIZES, (24, 20)),
]
MODELS = [Small(MaskedWords, dict(beit=BEiT, words=7, **{
    name: SMALL[name] for name in SMALL if name != "num_classes"}), ("transformers", "transformers4"), **WORDS)]
TRANSFORMERS = [Saved("BeitForMaskedImageModeling", dict(
    image_size=16, patch_size=4, hidden_size=24, num_hidden_layers=1, num_attention_heads=4, intermediate_size=48,
    use_mask_token=True, use_shared_relative_position_bias=True, vocab_size=9), **WORDS)]
