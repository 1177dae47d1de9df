"""Training: optimisers, the loop, run folders."""

from .checkpoint import load_checkpoint, save_checkpoint
from .evaluate import evaluate, predict
from .optim import (SGD, AdamW, ExponentialMovingAverage, Muon, clip_gradients, muon_groups, parameter_groups,
                    warmup_cosine)
from .recipe import Recipe, load_recipe
from .run import Run
from .start import default_folder, load_model, resume, train
from .threads import Threads
