"""Layers: where parameters meet operations."""

from .attention import Attention, by_head, joined_heads
from .attention_maps import attention_maps, looking, rollout
from .branches import Branches, add_identity
from .conv import Conv2d, same_padding
from .conv_positions import ConvPositions
from .cross_attention import CrossAttention
from .dropout import Dropout, DropPath, drop_path_rates
from .embedding import (PatchEmbed, interpolate_positions, patchify, repeat_batch, sincos, sincos_positions, to_grid,
                        unpatchify)
from .fold import fold, fold_after, fold_before, scale_and_offset, with_values
from .frozen import FrozenBatchNorm2d, freeze, freeze_batch_norms
from .linear import Linear, Mlp
from .lookup import Embedding
from .mbconv import MBConv
from .mode import evaluating
from .module import Identity, Module, Sequential, in_turn, intercept_calls
from .normed import ConvNorm, LinearNorm, NormLinear
from .norms import BatchNorm2d, GroupNorm, LayerNorm, LayerScale, RMSNorm
from .offsets import absolute_offsets, offset_bias, signed_offsets
from .parameter import (Buffer, Parameter, constant, kaiming_normal, normal, ones, truncated_normal, uniform,
                        xavier_uniform, zeros)
from .randomness import randomness
from .squeeze_excite import SqueezeExcite
