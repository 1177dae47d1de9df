"""Optimisers: how weights follow their gradients, with the schedule of the learning rate and the average of weights."""

from .average import ExponentialMovingAverage
from .muon import Muon, muon_groups
from .optimisers import SGD, AdamW, clip_gradients, parameter_groups
from .schedule import warmup_cosine
