"""What the shapes of a checkpoint tell about its model, and what only its config.json tells: facts."""

import math
import re

from ...names import expect
from ...nn import LayerNorm, Mlp
from ...ops import gelu, gelu_tanh

# what timm and transformers call the two forms of GELU
ACTIVATIONS = {"gelu": gelu, "gelu_tanh": gelu_tanh, "gelu_new": gelu_tanh, "gelu_pytorch_tanh": gelu_tanh}


def layers_of(state, prefix):
    """How many modules a list has: 1 + the largest number that follows its name."""
    found = [re.match(rf"{re.escape(prefix)}\.(\d+)\.", name) for name in state]
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def classes_of(state, head="head"):
    """The outputs of the head, 0 if there is none."""
    for name in (f"{head}.weight", f"{head}.bias"):
        if name in state:
            return state[name].shape[-1]
    return 0


def grid_of(patches, patch_size, facts):
    """Rows and columns of that many patches: as the configuration says, else square."""
    size = facts.get("image_size")
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
        if (height // patch_size) * (width // patch_size) == patches:
            return height // patch_size, width // patch_size
    side = math.isqrt(patches)
    if side * side != patches:
        raise ValueError(f"image_size: {patches} patches of {patch_size} x {patch_size} pixels make no square; say "
                         "which picture they are of: load(..., image_size=(height, width))")
    return side, side


def activation_name(mlp, library):
    """What a library calls the activation of an MLP."""
    names = {gelu: "gelu", gelu_tanh: "gelu_tanh" if library == "timm" else "gelu_pytorch_tanh"}
    if mlp.activation not in names:
        raise ValueError(f"activation: {mlp.activation.__name__} has no counterpart in {library}")
    return names[mlp.activation]


def apply(model, facts):
    """Set what is no argument of our constructors: LayerNorm's epsilon, the form of GELU, how positions stretch."""
    for module in model.modules():
        if isinstance(module, LayerNorm) and "eps" in facts:
            module.eps = facts["eps"]
        if isinstance(module, Mlp) and "activation" in facts:
            expect("activation", facts["activation"], ACTIVATIONS)
            module.activation = ACTIVATIONS[facts["activation"]]
        if hasattr(module, "antialias") and "antialias" in facts:
            module.antialias = facts["antialias"]
    return model
