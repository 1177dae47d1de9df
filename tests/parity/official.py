"""timm and transformers: imported, built to be the counterpart of one of our models, and run."""

import contextlib
import functools

import numpy as np
import pytest

from minivit.interop.official.facts import apply
from minivit.interop.translate import config_of
from tests.golden.case import FACTS
from tests.counterpart import import_official

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # the models are small, and the sums are the same every time


def timm():
    """The library; a test that asks for it is skipped where it is not installed."""
    return import_official("timm")


@functools.cache
def transformers():
    """The library; a test that asks for it is skipped where it is not installed."""
    library = import_official("transformers")
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    return library


def counterpart(model, case):
    """The official model that the configuration which we write for `model` makes; its weights are random."""
    config = config_of(apply(model, FACTS[case.library] | case.facts), case.library)
    if case.library == "timm":
        official = timm().create_model(config["architecture"], num_classes=case.classes, **config["model_args"],
                                       **case.official)
        if case.training and hasattr(official, "set_distilled_training"):
            official.set_distilled_training()
        return official
    return getattr(transformers(), config["architectures"][0])(
        transformers().AutoConfig.for_model(**config, num_labels=case.classes, **case.official))


@contextlib.contextmanager
def without_rounding():
    """timm rounds positions to single precision before it interpolates them: here, .float() lets doubles be."""
    rounding = torch.Tensor.float
    torch.Tensor.float = lambda x: x if x.dtype == torch.float64 else rounding(x)
    try:
        yield
    finally:
        torch.Tensor.float = rounding


def load_strictly(module, tensors):
    """Every tensor must be there, and none may be left over."""
    module.load_state_dict({name: torch.from_numpy(np.array(x)) for name, x in tensors.items()}, strict=True)


def shapes_of(module):
    """{name: shape} of everything that its checkpoints hold."""
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def channels_first(images):
    """(B, H, W, C) array -> (B, C, H, W) torch tensor"""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def logits_of(output):
    """What is compared, of a tensor, a tuple of them, or an output of transformers."""
    if isinstance(output, (torch.Tensor, tuple)):
        return output
    return output.logits if hasattr(output, "logits") else output.last_hidden_state
