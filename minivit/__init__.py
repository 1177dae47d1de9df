"""minivit: vision transformers from scratch, on an autograd engine in NumPy."""

from . import nn, ops
from .backend import array_module
from .engine import Tensor, grad, no_grad, primitive
from .gradcheck import gradcheck
from .models import create, list_models
