"""The ViT once more, as one function of arrays: for libraries that differentiate NumPy code (JAX, autograd,
MyGrad).

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


def jax():
    """JAX's NumPy, erf, value_and_grad, and compiler."""
    import jax
    from jax.scipy.special import erf
    return jax.numpy, erf, jax.value_and_grad, jax.jit


def autograd():
    """The same of autograd, which compiles nothing."""
    import autograd.numpy
    from autograd.scipy.special import erf
    return autograd.numpy, erf, autograd.value_and_grad, lambda function: function


def mygrad():
    """The same of MyGrad, which has neither erf nor value_and_grad."""
    import mygrad
    import scipy.special
    from mygrad.operation_base import Operation

    class Erf(Operation):
        """erf(x), whose slope is 2 / sqrt(pi) exp(-x^2)."""

        def __call__(self, x):
            self.variables = (x,)
            return scipy.special.erf(x.data)

        def backward_var(self, dy, index, **_):
            return dy * np.float32(2 / np.pi ** 0.5) * np.exp(-self.variables[index].data ** 2)

    def value_and_grad(function):
        def value_and_gradients(w):
            w = {name: mygrad.tensor(value) for name, value in w.items()}
            loss = function(w)
            loss.backward()
            return loss.item(), {name: x.grad for name, x in w.items()}
        return value_and_gradients

    return mygrad, lambda x: mygrad.execute_op(Erf, x), value_and_grad, lambda function: function


def runs(case, form):
    """(train, predict) in "jax" (both compiled), "autograd" or "mygrad", with minivit's weights."""
    model, images, labels = case.create(), case.images(), case.labels()
    w = {name: parameter.numpy().copy() for name, parameter in model.named_parameters()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decays = {names[id(parameter)]: group["weight_decay"]
              for group in parameter_groups(model, weight_decay=0.05) for parameter in group["params"]}
    settings = model.patch_embed.patch_size, model.blocks[0].attention.heads
    xp, erf, value_and_grad, compiled = {"jax": jax, "autograd": autograd, "mygrad": mygrad}[form]()

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
