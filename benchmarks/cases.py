"""What is measured: models, each with one training step and one prediction as a function without arguments."""

from dataclasses import dataclass

import numpy as np

import minivit
from minivit.counting import count
from minivit.device import cores
from minivit.train.optim import AdamW, parameter_groups
from minivit.train.threads import Threads


@dataclass
class Case:
    """A model and the batch it is measured on."""

    title: str
    architecture: str
    settings: dict
    batch: int = 128

    def create(self):
        """The minivit model, with the weights of seed 0."""
        return minivit.create(self.architecture, "cifar", **self.settings)

    def images(self):
        """(batch, 32, 32, 3) float32, as normalised pictures are."""
        return np.random.default_rng(0).standard_normal((self.batch, 32, 32, 3), np.float32)

    def labels(self):
        """(batch,) int64 in 0 .. 9"""
        return np.random.default_rng(1).integers(0, 10, self.batch)

    def gflop_per_picture(self):
        """Of a forward pass, multiply and add counted apart; a training step costs three times as much."""
        return 2e-9 * count(self.create(), (1, 32, 32, 3)).multiply_adds


CASES = [
    Case("ViT dim 192 depth 6", "vit", dict(dim=192, depth=6, heads=3)),
    Case("ViT dim 384 depth 6", "vit", dict(dim=384, depth=6, heads=6)),
    Case("ViT cifar", "vit", {}),
    Case("ResNet-18 cifar", "resnet", {}),
]


def minivit_runs(case, threads):
    """(train, predict): functions without arguments, as the training loop and `evaluate` run them."""
    model, images, labels = case.create(), case.images(), case.labels()
    optimiser = AdamW(parameter_groups(model, weight_decay=0.05), lr=1e-3)

    def objective(images, labels):
        return minivit.ops.cross_entropy(model(images), labels), {}

    def train():
        model.train()
        loss, _ = threads.gradients(objective, optimiser.parameters, images, labels, seed=(0,))
        optimiser.step(threads.map)
        return loss

    def predict():
        model.eval()
        with minivit.no_grad():
            shares = np.array_split(images, threads.count)
            return np.concatenate(threads.map(lambda share: model(share).numpy(), shares))
    return train, predict


def torch_runs(case, threads, form):
    """The same two functions in PyTorch, as "eager", "compile" or "channels-last"."""
    import torch
    torch.set_num_threads(threads)
    model = torch_model(case)
    images = torch.from_numpy(case.images().transpose(0, 3, 1, 2).copy())  # (B, 3, 32, 32)
    labels = torch.from_numpy(case.labels())
    if form == "channels-last":
        model, images = (x.to(memory_format=torch.channels_last) for x in (model, images))
    run, optimiser = torch.compile(model) if form == "compile" else model, torch_optimiser(model)

    def train():
        model.train()
        loss = torch.nn.functional.cross_entropy(run(images), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.item()

    def predict():
        model.eval()
        with torch.inference_mode():
            return run(images).numpy()
    return train, predict


def torch_model(case):
    """The model of a case in PyTorch, with minivit's weights."""
    from . import torch_models
    ours = case.create()
    if case.architecture == "resnet":
        model = torch_models.ResNet18CIFAR()
    else:
        model = torch_models.ViTGAP(32, 4, ours.norm.weight.size, len(ours.blocks), ours.blocks[0].attention.heads,
                                    ours.blocks[0].mlp.linear1.weight.shape[1], 10)
    torch_models.copy_weights(ours, model)
    return model


def torch_optimiser(model, **settings):
    """AdamW for the parameter groups that minivit makes."""
    import torch
    decayed = [p for name, p in model.named_parameters() if p.ndim > 1 and name != "positions"]
    spared = [p for name, p in model.named_parameters() if p.ndim < 2 or name == "positions"]
    return torch.optim.AdamW([{"params": decayed, "weight_decay": 0.05}, {"params": spared, "weight_decay": 0.0}],
                             lr=1e-3, fused=True, **settings)


__all__ = ["CASES", "Case", "Threads", "cores", "minivit_runs", "torch_model", "torch_optimiser", "torch_runs"]
