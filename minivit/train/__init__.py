"""Training: optimisers, the loop, run folders."""

from .checkpoint import load_checkpoint, save_checkpoint
from .ema import ExponentialMovingAverage
from .evaluate import evaluate, predict
from .optim import SGD, AdamW, clip_gradients, parameter_groups
from .parallel import Threads
from .recipe import Recipe, load_recipe
from .run import Run
from .schedule import warmup_cosine
from .start import default_folder, load_model, resume, train
