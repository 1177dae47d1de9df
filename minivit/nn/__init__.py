"""Layers: where parameters meet operations."""

from .attention import Attention
from .conv import Conv2d
from .dropout import Dropout, DropPath
from .embedding import (PatchEmbed, interpolate_positions, patchify, repeat_batch, sincos, sincos_positions, to_grid,
                        unpatchify)
from .linear import Linear, Mlp
from .module import Identity, Module, Sequential, in_turn, intercept_calls
from .norms import BatchNorm2d, GroupNorm, LayerNorm, LayerScale, RMSNorm
from .parameter import (Buffer, Parameter, constant, kaiming_normal, normal, ones, truncated_normal, uniform,
                        xavier_uniform, zeros)
from .randomness import randomness
