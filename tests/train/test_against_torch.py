"""Twenty steps of training a small ViT in float64 end with PyTorch's weights: same start, same batches."""

import numpy as np
import pytest

import minivit
from minivit.ops import cross_entropy
from minivit.train import AdamW, Threads, clip_gradients, parameter_groups, warmup_cosine

SETTINGS = {"lr": 3e-3, "betas": (0.9, 0.95), "weight_decay": 0.1}
STEPS, DIM, DEPTH, HEADS, PATCH = 20, 12, 2, 3, 4


def batches():
    rng = np.random.default_rng(5)
    return [(rng.standard_normal((9, 8, 8, 3)), rng.integers(10, size=9)) for _ in range(STEPS)]


def rates():
    return [warmup_cosine(step, steps=STEPS, peak=3e-3, warmup=5) for step in range(STEPS)]


def train_torch(torch, start):
    """The same model, written with PyTorch's functions on the same named weights; losses and final weights."""
    F = torch.nn.functional
    weights = {name: torch.tensor(value, requires_grad=True) for name, value in start.items()}

    def linear(x, name):
        return x @ weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def norm(x, name):
        return F.layer_norm(x, (DIM,), weights[f"{name}.weight"], weights[f"{name}.bias"], eps=1e-6)

    def forward(images):
        B, grid = len(images), images.shape[1] // PATCH
        patches = images.reshape(B, grid, PATCH, grid, PATCH, 3).transpose(2, 3).reshape(B, grid * grid, -1)
        x = linear(patches, "patch_embed")
        x = torch.cat([weights["class_token"].expand(B, 1, DIM), x], 1) + weights["positions"]
        for block in (f"blocks.{layer}" for layer in range(DEPTH)):
            qkv = linear(norm(x, f"{block}.norm1"), f"{block}.attention.qkv")
            q, k, v = qkv.reshape(B, -1, 3, HEADS, DIM // HEADS).permute(2, 0, 3, 1, 4)
            y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, -1, DIM)
            x = x + linear(y, f"{block}.attention.proj")
            hidden = F.gelu(linear(norm(x, f"{block}.norm2"), f"{block}.mlp.linear1"))
            x = x + linear(hidden, f"{block}.mlp.linear2")
        return linear(norm(x, "norm")[:, 0], "head")

    spared = [p for name, p in weights.items() if p.ndim == 1 or name in ("class_token", "positions")]
    decayed = [p for p in weights.values() if not any(p is other for other in spared)]
    optimiser = torch.optim.AdamW([{"params": decayed}, {"params": spared, "weight_decay": 0.0}], **SETTINGS)
    losses = []
    for (images, labels), lr in zip(batches(), rates(), strict=True):
        loss = F.cross_entropy(forward(torch.tensor(images)), torch.tensor(labels), label_smoothing=0.1)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        for group in optimiser.param_groups:
            group["lr"] = lr
        optimiser.step()
        losses.append(loss.item())
    return losses, {name: p.detach().numpy() for name, p in weights.items()}


def train_minivit(model, count):
    """By the parts that the training loop is made of, on `count` threads."""
    optimiser, losses = AdamW(parameter_groups(model, SETTINGS["weight_decay"]), betas=SETTINGS["betas"]), []

    def objective(images, labels):
        return cross_entropy(model(minivit.Tensor(images)), labels, label_smoothing=0.1), {}
    with Threads(count) as threads:
        for step, ((images, labels), lr) in enumerate(zip(batches(), rates(), strict=True)):
            loss, _ = threads.gradients(objective, optimiser.parameters, images, labels, seed=(0, step))
            clip_gradients(optimiser.parameters, 1.0)
            optimiser.lr = lr
            optimiser.step(threads.map)
            losses.append(loss)
    return losses, model.state_dict()


@pytest.mark.parametrize("count", [1, 2])
def test_twenty_steps_of_a_vit(count):
    torch = pytest.importorskip("torch")
    model = minivit.create("vit", "tiny", image_size=8, patch_size=PATCH, num_classes=10, dim=DIM, depth=DEPTH,
                           heads=HEADS, mlp_dim=4 * DIM).astype(np.float64)
    expected_losses, expected = train_torch(torch, model.state_dict())
    losses, weights = train_minivit(model, count)
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-9)
    assert weights.keys() == expected.keys()
    for name, value in weights.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-9, atol=1e-9, err_msg=name)
        assert (value != 0).any()
