"""timm and transformers: imported, built to be the counterpart of one of our models, and run."""

import contextlib
import functools

import numpy as np
import pytest

from minivit.interop.families import family_of
from minivit.interop.table import is_derived
from minivit.interop.translate import config_of
from tests import neighbours
from tests.counterpart import import_official
from tests.interop.models import numbers

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
    neighbours.install(torch, library.models.dinat.modeling_dinat)
    return library


LIBRARIES = {"timm": timm, "transformers": transformers}


def counterpart(case):
    """The official model, with random weights: by the case's own function, or by the config.json that we write."""
    if case.reference:
        official = case.reference(LIBRARIES[case.library]() if case.library in LIBRARIES else None)
    else:
        config = config_of(case.create(), case.library)
        if case.library == "timm":
            official = timm().create_model(config["architecture"], num_classes=case.classes, **config["model_args"]
                                           | case.official)
        else:
            official = getattr(transformers(), config["architectures"][0])(
                transformers().AutoConfig.for_model(**config | case.official, num_labels=case.classes))
    if case.training and hasattr(official, "set_distilled_training"):
        official.set_distilled_training()
    return official


@contextlib.contextmanager
def without_rounding(dtype=torch.float64):
    """Positions are rounded to single precision before they are used: here doubles are let be, and made of integers.

    By .float() in timm, by .to(torch.float32) in transformers' DINOv2 and in timm's XCiT. Nothing changes where another
    precision than float64 is asked for.
    """
    if dtype != torch.float64:
        yield
        return
    rounding, converting = torch.Tensor.float, torch.Tensor.to

    def to(x, *args, **settings):
        if x.dtype == torch.float64 and torch.float32 in (*args, settings.get("dtype")):
            return x
        if args == (torch.float32,) and not x.is_floating_point() and x.ndim == 1:  # places of XCiT's tokens, no mask
            args = (torch.float64,)
        return converting(x, *args, **settings)
    torch.Tensor.float = lambda x: x if x.dtype == torch.float64 else rounding(x)
    torch.Tensor.to = to
    try:
        yield
    finally:
        torch.Tensor.float, torch.Tensor.to = rounding, converting


def load_strictly(case, module, tensors):
    """Every weight must be there, and none may be left over; counters and what a model computes stay."""
    lacking = weights_of(module, case).keys() - tensors.keys()
    assert not lacking, lacking
    own = {name: x for name, x in module.state_dict().items() if name not in tensors}
    module.load_state_dict(own | {name: torch.from_numpy(np.array(x)) for name, x in tensors.items()}, strict=True)


def weights_of(module, case):
    """{name: tensor} of what its checkpoints hold, but for what a model of ours computes."""
    computed = family_of(case.create())[0].computed
    return {name: x for name, x in module.state_dict().items() if not is_derived(name, computed)}


def save_with_timm(official, folder):
    """What timm writes into a folder. Tensors that modules share, safetensors wants as copies."""
    def copied(module, state, prefix, metadata):
        for name, x in state.items():
            state[name] = x.clone()
    official.register_state_dict_post_hook(copied)
    timm().models.save_for_hf(official, folder, safe_serialization=True)


def channels_first(images):
    """(B, H, W, C) array -> (B, C, H, W) torch tensor"""
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))


def our_numbers(known, model, images):
    """All that one of our models computes, in one row; `known` is a Small or Saved of tests/known.py."""
    return numbers(known.run(model, images) if known.run else model(images))


def their_numbers(known, official, images):
    """All that an official model computes, in one row."""
    with torch.no_grad():
        return numbers((known.run_official or run_official)(official, channels_first(images)))


def run_official(official, images):
    """What is compared of an official model."""
    return logits_of(official(images))


def logits_of(output):
    """What is compared, of a tensor, a tuple of them, or an output of transformers."""
    if isinstance(output, (torch.Tensor, tuple)):
        return output
    return output.logits if hasattr(output, "logits") else output.last_hidden_state
