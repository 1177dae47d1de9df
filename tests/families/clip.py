"""What is known of CLIP."""

import numpy as np

from minivit import Tensor
from minivit.models.clip import CLIP, CLIPViT
from minivit.ops import cross_entropy, gelu
from tests.golden.case import Case
from tests.known import Saved, Small


def sentences(count, longest, end):
    """Sentences of different lengths with words below `end`; what follows the end is no matter.    -> int (count, L)"""
    made = np.arange(count * longest).reshape(count, longest) * 7 % end
    for row in range(count):
        made[row, longest - 1 - row % (longest - 1)] = end
    return made


class Pairs(Case):
    """Pictures with sentences: what is compared are the cosines of all pairs, and the loss."""

    def words(self):
        """As many sentences as pictures."""
        return sentences(self.batch, self.settings["longest"], self.settings["end"])

    def run(self, model, images, targets):
        """The scaled cosines, and the loss."""
        pairs, own = model(images, self.words()), np.arange(self.batch)
        return [pairs], [(cross_entropy(pairs, own) + cross_entropy(pairs.T, own)) / 2]

    def run_official(self, official, images, targets):
        """The same of theirs."""
        import torch
        output = official(input_ids=torch.from_numpy(self.words()), pixel_values=images, return_loss=True,
                          **self.forward)
        return [output.logits_per_image], [output.loss]


def pairs(model, images):
    """Some sentences for some pictures."""
    return model(Tensor(images), sentences(3, model.text.longest, model.text.end))


def official_pairs(official, images):
    """The same of theirs."""
    import torch
    config = official.config.text_config
    end = config.vocab_size - 1 if config.eos_token_id == 2 else config.eos_token_id
    words = torch.from_numpy(sentences(3, config.max_position_embeddings, end))
    return official(input_ids=words, pixel_values=images).logits_per_image


SIZES = dict(backbone=CLIPViT, image_size=24, patch_size=8, dim=24, depth=2, heads=3, common_dim=20, words=64,
             longest=9, end=63, text_dim=16, text_depth=2, text_heads=2)
OTHERS = SIZES | dict(mlp_dim=40, text_mlp_dim=56, end=50, eps=1e-6, text_eps=1e-4, activation=gelu)
CASES = [
    Pairs("CLIP", "24 pixels", "transformers", CLIP, SIZES, (24, 24), batch=3, golden=True),
    Pairs("CLIP", "training, other settings", "transformers", CLIP, OTHERS, (24, 24), batch=3, training=True),
    Pairs("CLIP", "larger pictures", "transformers", CLIP, SIZES, (40, 32), batch=2,
          forward=dict(interpolate_pos_encoding=True)),
]
MODELS = [Small(CLIP, settings, ("transformers",), run=pairs, run_official=official_pairs)
          for settings in (SIZES, OTHERS | dict(channels=1))]
TRANSFORMERS = [Saved("CLIPModel", dict(
    projection_dim=20, vision_config=dict(image_size=32, patch_size=8, hidden_size=24, num_hidden_layers=1,
                                          num_attention_heads=3, intermediate_size=48),
    text_config=dict(vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                     max_position_embeddings=9, eos_token_id=2)),
    run=pairs, run_official=official_pairs)]
DIFFERENCES = [
    "A config.json of CLIP with eos_token_id 2, as the files of the hub have it, means to transformers that a sentence "
    "ends where its largest number stands: it is read as the last of the words.",
]
