"""Training: optimisers, the loop, run folders."""

from .checkpoint import load_checkpoint, save_checkpoint
from .ending import Stopped
from .loop import fit
from .measure import evaluate
from .optim import (SAM, SGD, AdamW, ExponentialMovingAverage, Muon, clip_gradients, clip_units, muon_groups,
                    parameter_groups, warmup_cosine)
from .probes import probe, random_twin
from .recipe import Recipe, load_recipe
from .run import Run
from .start import load_model, load_task, resume, train
from .threads import Threads
