"""One of our models and its official counterpart with the same weights: their outputs and gradients must be equal."""

import importlib.util

import numpy as np
import pytest

from minivit import Tensor, grad
from minivit.backend import asnumpy


def import_official(package):
    """timm or transformers, or a skipped test. Both import torchvision, of which they use nothing that is compiled.

    A torchvision that was built for another torch cannot register its operations, and is let pass.
    """
    torch = pytest.importorskip("torch")
    register = torch.library.register_fake

    def register_others(operation, *args, **settings):
        if str(operation).startswith("torchvision::"):
            return lambda function: function
        return register(operation, *args, **settings)
    torch.library.register_fake = register_others
    try:
        if importlib.util.find_spec("torchvision"):
            importlib.import_module("torchvision")
        return pytest.importorskip(package)
    finally:
        torch.library.register_fake = register


def draw(official, seed=0):
    """Random weights of a size that lets every part of the model matter, in float64."""
    import torch
    generator = torch.Generator().manual_seed(seed)
    official.double()
    with torch.no_grad():
        for name, parameter in official.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
            scale = fan_in ** -0.5 if name.endswith(".weight") and parameter.ndim > 1 else 0.3
            parameter.copy_(scale * noise + ("norm" in name and name.endswith("weight")))
        for name, buffer in official.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                noise = 0.3 * torch.randn(buffer.shape, generator=generator, dtype=torch.float64)
                buffer.copy_(noise.exp() if name.endswith("var") else noise)
    return official


def in_our_layout(tensors, names, rename):
    """{our name: array} of the official tensors, {their name: array}.

    `rename` turns our name into theirs, or into several that are joined along our last axis. Matrices are transposed
    and convolutions (D, C, P, P) flattened to (P P C, D).
    """
    def layout(name):
        array = tensors[name]
        if array.ndim == 4:
            return array.transpose(2, 3, 1, 0).reshape(-1, len(array))
        return array.T if array.ndim == 2 and name.endswith(".weight") else array
    renamed = {name: rename(name) for name in names}
    return {name: np.concatenate([layout(part) for part in parts], axis=-1) if isinstance(parts, list)
            else layout(parts) for name, parts in renamed.items()}


def difference(ours, theirs):
    """The largest difference, relative to the largest number."""
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def assert_equal(ours, official, rename, images, run=lambda model, x: model(x), run_official=None):
    """Outputs agree to 1e-9 in float64 and 1e-4 in float32, gradients of all parameters and of the pictures to 1e-9.

    `run` and `run_official` call the models with pictures (B, H, W, C) and (B, C, H, W), and return a tensor.
    """
    import torch
    run_official = run_official or run
    own = ours.state_dict()
    weights = in_our_layout({name: p.detach().numpy() for name, p in official.state_dict().items()}, own, rename)
    ours.astype(np.float64).load_state_dict({name: x.reshape(own[name].shape) for name, x in weights.items()})
    pixels, x = Tensor(images, requires_grad=True), torch.tensor(images.transpose(0, 3, 1, 2)).requires_grad_()
    output, expected = run(ours, pixels), run_official(official, x)
    assert difference(output.numpy(), expected.detach().numpy()) < 1e-9

    direction = np.random.default_rng(1).standard_normal(output.shape)
    names = [name for name, _ in ours.named_parameters()]
    gradients = grad((output * direction).sum(), [*ours.parameters(), pixels])
    official.zero_grad()
    (expected * torch.tensor(direction)).sum().backward()
    official_gradients = in_our_layout({name: p.grad.numpy() for name, p in official.named_parameters()
                                        if p.grad is not None}, names, rename)
    for name, gradient in zip(names, gradients[:-1], strict=True):
        assert difference(gradient, official_gradients[name].reshape(gradient.shape)) < 1e-9, name
    assert difference(gradients[-1], x.grad.numpy().transpose(0, 2, 3, 1)) < 1e-9

    single = run(ours.astype(np.float32), Tensor(images.astype(np.float32)))
    assert single.dtype == np.float32
    assert difference(single.numpy(), expected.detach().numpy()) < 1e-4


def assert_same_on(device, model, run):
    """run(model, device) -> a tensor: on the device it has the values and the gradients that it has on the CPU."""
    results = []
    for place in ("cpu", device):
        model.to(place)
        output = run(model, place)
        results.append([output.numpy(), *map(asnumpy, grad((output * output).sum(), model.parameters()))])
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
