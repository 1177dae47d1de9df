"""What is known of DALL-E's tokenizer."""

from minivit.models.dvae import Encoder
from tests.golden.case import Case
from tests.known import Saved, Small

SIZES = dict(image_size=32, num_classes=12, dim=8, per_group=1)
LEARNING = dict(freeze=False)


class WordsCase(Case):
    """The logits of the words are compared, place by place."""

    def run(self, model, images, targets):
        """Of the words, and the loss."""
        words = model.words(images)
        return [words], [(words * self.direction(words)).mean()]


def words_first(output):
    """(B, V, h, w) -> (B, h, w, V)"""
    return output.permute(0, 2, 3, 1)


def official_words(official, images):
    """Theirs in our layout."""
    return words_first(official(images))


WORDS = dict(run=lambda model, images: model.words(images), run_official=official_words)
CASES = [
    WordsCase("DALL-E tokenizer", "32 pixels", "transformers", Encoder, SIZES, (32, 32), official=LEARNING,
              outputs=words_first, seed=1, golden=True),
    WordsCase("DALL-E tokenizer", "two blocks, grids that are not halved evenly", "transformers", Encoder,
              SIZES | dict(per_group=2), (36, 44), official=LEARNING, outputs=words_first, seed=1, training=True),
]
MODELS = [Small(Encoder, SIZES, ("transformers",), **WORDS)]
TRANSFORMERS = [Saved("FlavaImageCodebook", dict(hidden_size=8, vocab_size=12, num_blocks_per_group=1), **WORDS)]
