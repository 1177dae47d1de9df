"""The inference form of a model: what is linear and follows one another becomes one map.

In `eval()`, BatchNorm multiplies each channel by a number and adds another. Both can be put into the weight and the
bias of the map before it (or behind it), which then does the work of two layers (LeViT, arXiv:2104.01136; RepVGG,
arXiv:2101.03697; FastViT, arXiv:2303.14189).
"""

from copy import copy

from .module import Module
from .parameter import Parameter, given


def fold(model):
    """A copy of a model in which every module that can be folded is.

    A module says so by a method `folded()`, which returns the module that takes its place: in `eval()` it computes the
    same function of its input up to rounding. It is called when the module's own parts are folded already. The model
    stays what it is; modules are copied, but parameters and buffers that nothing is folded into are the model's own.

    Parameters
    ----------
    model : Module
        In `eval()`: in training, BatchNorm depends on the batch.

    Raises
    ------
    ValueError
        If the model or a part of it is in training.
    """
    if training := [name or type(module).__name__ for name, module in model.named_modules() if module.training]:
        raise ValueError(f"fold: expected a model in eval(), but {training[0]} is in training")
    return _folded(model, {}).eval()


def _folded(part, done):
    if isinstance(part, Module):
        if id(part) not in done:  # a part that stands in two places stays one
            module = copy(part)
            vars(module).update({name: _folded(value, done) for name, value in vars(part).items()})
            done[id(part)] = module.folded() if hasattr(module, "folded") else module
        return done[id(part)]
    if isinstance(part, (list, tuple)):
        return type(part)(_folded(member, done) for member in part)
    if isinstance(part, dict):
        return {key: _folded(member, done) for key, member in part.items()}
    return part


def fold_after(layer, norm):
    """A Conv2d or Linear and the BatchNorm2d behind it, as one map with a bias.

    norm(x W + b) = x (W s) + (b s + o), with the scale s and the offset o of each output channel.
    """
    scale, offset = scale_and_offset(norm)
    bias = offset if layer.bias is None else layer.bias.data * scale + offset    # (out,)
    return with_values(layer, layer.weight.data * scale, bias)


def fold_before(linear, norm):
    """A Linear and the BatchNorm2d before it, as one map with a bias.

    norm(x) W + b = x (s W) + (o W + b), with the scale s and the offset o of each input channel.
    """
    scale, offset = scale_and_offset(norm)
    bias = offset @ linear.weight.data                                           # (out,)
    return with_values(linear, linear.weight.data * scale[:, None], bias if linear.bias is None
                       else bias + linear.bias.data)


def scale_and_offset(norm):
    """What a BatchNorm2d does to each channel in `eval()`, x scale + offset.    -> (C,), (C,) arrays"""
    scale = (norm.running_var.data + norm.eps) ** -0.5
    if norm.weight is not None:
        scale = scale * norm.weight.data
    offset = -norm.running_mean.data * scale
    return scale, offset if norm.bias is None else offset + norm.bias.data


def with_values(layer, weight, bias):
    """A Conv2d or Linear with the settings of `layer`, and with these arrays as weight and bias (or None for none)."""
    layer = copy(layer)
    layer.weight, layer.bias = (None if x is None else Parameter(x.shape, given(x)) for x in (weight, bias))
    return layer
