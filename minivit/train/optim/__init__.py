"""Optimisers: how weights follow their gradients, with the schedule of the learning rate and the average of weights."""

from .adaptive_clipping import clip_units, clipped_units
from .average import ExponentialMovingAverage
from .muon import Muon, muon_groups
from .optimisers import SGD, AdamW, clip_gradients, parameter_groups
from .sam import SAM, unchanged
from .sharded import Sharded, ShardedAverage
from .schedule import warmup_cosine
