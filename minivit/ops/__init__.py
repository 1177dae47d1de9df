"""Differentiable functions of Tensors, a file per family."""

from . import einops_backend, numpy_functions, operators, other_names
from .activations import (
    elu,
    glu,
    hardsigmoid,
    hardswish,
    leaky_relu,
    mish,
    quick_gelu,
    relu,
    relu6,
    sigmoid,
    silu,
    softplus,
)
from .arithmetic import (
    abs,
    add,
    astype,
    clip,
    cos,
    div,
    erf,
    exp,
    log,
    maximum,
    minimum,
    mul,
    neg,
    pow,
    sin,
    sqrt,
    sub,
    tanh,
    where,
)
from .attention import attention, attention_weights, self_attention
from .batch_norm import batch_norm
from .boxes import corners, generalised_iou
from .conv import conv2d
from .dropout import drop_path, dropout
from .einsum import einsum
from .gathered import gathered
from .gelu import gelu, gelu_tanh
from .indexing import getitem, take, take_along_axis
from .linalg import linear, matmul
from .losses import binary_cross_entropy, cross_entropy, kl_divergence, l1, mse, smooth_l1
from .masks import masked_fill, one_hot, tril, triu
from .neighbours import neighbourhood_attention
from .normalise import group_norm, l2_normalise, layer_norm, rms_norm
from .pooling import adaptive_avg_pool2d, avg_pool2d, max_pool2d
from .reduce import all, any, argmax, argmin, cumsum, logsumexp, max, mean, min, norm, prod, std, sum, var
from .resize import resize
from .shape import (
    concatenate,
    expand,
    flip,
    pad,
    repeat,
    reshape,
    roll,
    split,
    squeeze,
    stack,
    swapaxes,
    transpose,
    unsqueeze,
)
from .softmax import log_softmax, softmax
from .sorting import argsort, sort, topk
from .unfold import fold, unfold


def __getattr__(name):
    raise AttributeError(other_names.explanation("minivit.ops", name))
