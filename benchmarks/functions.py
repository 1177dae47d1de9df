"""The ViT once more, as one function of arrays: for libraries that differentiate NumPy code (JAX, autograd).

`xp` is their NumPy, `erf` their error function, `w` the weights by minivit's names.
"""

import numpy as np

from minivit.train.optim import parameter_groups


def logits(w, images, patch_size, heads, xp, erf):
    """(B, height, width, C) -> (B, classes)"""
    (B, height, width, C), P = images.shape, patch_size
    x = xp.transpose(xp.reshape(images, (B, height // P, P, width // P, P, C)), (0, 1, 3, 2, 4, 5))
    x = linear(w, "patch_embed", xp.reshape(x, (B, -1, P * P * C))) + w["positions"]  # (B, N, D)
    for block in dict.fromkeys(name.rpartition("norm1")[0] for name in w if "norm1" in name):
        x = x + attention(w, block + "attention", norm(w, block + "norm1", x, xp), heads, xp)
        hidden = linear(w, block + "mlp.linear1", norm(w, block + "norm2", x, xp))
        x = x + linear(w, block + "mlp.linear2", hidden * (1 + erf(hidden / 2 ** 0.5)) / 2)
    return linear(w, "head", xp.mean(norm(w, "norm", x, xp), 1))


def linear(w, name, x):
    """(..., n) -> (..., m)"""
    return x @ w[name + ".weight"] + w[name + ".bias"]


def norm(w, name, x, xp):
    """(..., D) -> (..., D)"""
    centred = x - xp.mean(x, -1, keepdims=True)
    normalised = centred / xp.sqrt(xp.mean(centred * centred, -1, keepdims=True) + 1e-6)
    return normalised * w[name + ".weight"] + w[name + ".bias"]


def attention(w, name, x, heads, xp):
    """(B, N, D) -> (B, N, D)"""
    B, N, D = x.shape
    qkv = xp.reshape(linear(w, name + ".qkv", x), (B, N, 3, heads, D // heads))
    q, k, v = xp.transpose(qkv, (2, 0, 3, 1, 4))                              # 3 (B, H, N, d)
    scores = q @ xp.swapaxes(k, -1, -2) / (D // heads) ** 0.5                 # (B, H, N, N)
    e = xp.exp(scores - xp.max(scores, -1, keepdims=True))
    y = e / xp.sum(e, -1, keepdims=True) @ v                                  # (B, H, N, d)
    return linear(w, name + ".proj", xp.reshape(xp.swapaxes(y, 1, 2), (B, N, D)))


def cross_entropy(x, labels, xp):
    """(B, classes), (B,) -> ()"""
    x = x - xp.max(x, -1, keepdims=True)
    log_p = x - xp.log(xp.sum(xp.exp(x), -1, keepdims=True))
    return -xp.mean(xp.sum(log_p * (labels[:, None] == np.arange(x.shape[-1])), -1))


def adamw(w, gradients, state, decays, xp):
    """One step of AdamW with minivit's settings; the new weights and the new state (step, means, squares)."""
    step, means, squares = state[0] + 1, {}, {}
    new = {}
    for name, g in gradients.items():
        means[name] = 0.9 * state[1][name] + 0.1 * g
        squares[name] = 0.999 * state[2][name] + 0.001 * g * g
        root = xp.sqrt(squares[name]) / xp.sqrt(1 - 0.999 ** step) + 1e-8
        new[name] = (1 - 1e-3 * decays[name]) * w[name] - 1e-3 / (1 - 0.9 ** step) * means[name] / root
    return new, (step, means, squares)


def runs(case, form):
    """(train, predict) in "jax" (both compiled) or "autograd", with minivit's weights."""
    model, images, labels = case.create(), case.images(), case.labels()
    w = {name: parameter.numpy().copy() for name, parameter in model.named_parameters()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decays = {names[id(parameter)]: group["weight_decay"]
              for group in parameter_groups(model, weight_decay=0.05) for parameter in group["params"]}
    settings = model.patch_embed.patch_size, model.blocks[0].attention.heads
    if form == "jax":
        import jax
        import jax.numpy as xp
        from jax.scipy.special import erf
        compiled, value_and_grad = jax.jit, jax.value_and_grad
    else:
        import autograd.numpy as xp
        from autograd import value_and_grad
        from autograd.scipy.special import erf

        def compiled(function):
            return function

    @compiled
    def predicted(w, images):
        return logits(w, images, *settings, xp, erf)

    @compiled
    def stepped(w, state, images, labels):
        loss, gradients = value_and_grad(lambda w: cross_entropy(predicted(w, images), labels, xp))(w)
        return loss, *adamw(w, gradients, state, decays, xp)

    zeros = {name: np.zeros_like(value) for name, value in w.items()}
    now = [w, (np.float32(0), zeros, zeros)]

    def train():
        loss, *now[:] = stepped(*now, images, labels)
        return float(loss)
    return train, lambda: np.asarray(predicted(now[0], images))
