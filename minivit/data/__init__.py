"""Floor 4: data sets, batches, and augmentation of whole batches. Everything works on arrays, nothing on Tensors."""

from ..names import expect
from ..words import in_numbers, in_words
from .annotated import augment_annotated
from .archive import cache_folder
from .augment import augment, colour_jitter, normalise, random_crop, random_erasing, random_flip
from .auto import is_folder, load
from .batches import batch_count, batches
from .dataset import Dataset, channel_statistics
from .drawing import Drawing
from .mix import cutmix, mixup, one_hot
from .objects import Objects
from .pictures import read_picture
from .randaugment import rand_augment
from .samples import Samples
from .views import random_blur, random_grey, random_resized_crop, random_solarize

STEPS = {step.__name__: step for step in (random_crop, random_flip, rand_augment, colour_jitter, random_erasing,
                                          random_resized_crop, random_blur, random_grey, random_solarize)}


def augmentation(name):
    """The step of augmentation of a name, as a recipe has it: "random_crop" gives `random_crop`."""
    expect("augmentation", name, STEPS)
    return STEPS[name]
