"""minivit: vision transformers from scratch, on an autograd engine in NumPy."""

from typing import Any

from . import nn, ops
from .backend import array_module
from .engine import Tensor, grad, no_grad, primitive
from .gradcheck import gradcheck
from .models import create, list_models
from .nn.module import Module
from .types import AnyPath


def load(name_or_path: AnyPath, **settings: Any) -> Module:
    """A model with official weights, ready to predict: see `minivit.interop.load`."""
    from .interop import load
    return load(name_or_path, **settings)
