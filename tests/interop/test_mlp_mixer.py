"""Files of MLP-Mixer's authors (npz), against their formulas in NumPy, with their names and layouts."""

import math

import numpy as np

import minivit
from minivit.ops import gelu_tanh
from tests.golden.draw import draw, pictures

D, S, T, P, DEPTH = 12, 5, 20, 4, 2


def names_and_shapes():
    """As a file has them: of maps (in, out), of the stem (rows, columns, in, out)."""
    found = {"stem/kernel": (P, P, 3, D), "stem/bias": (D,), "pre_head_layer_norm/scale": (D,),
             "pre_head_layer_norm/bias": (D,), "head/kernel": (D, 3), "head/bias": (3,)}
    for block in range(DEPTH):
        for norm in range(2):
            found |= {f"MixerBlock_{block}/LayerNorm_{norm}/{name}": (D,) for name in ("scale", "bias")}
        for mlp, width, hidden in [("token_mixing", 16, S), ("channel_mixing", D, T)]:
            for index, (inputs, outputs) in enumerate([(width, hidden), (hidden, width)]):
                found[f"MixerBlock_{block}/{mlp}/Dense_{index}/kernel"] = (inputs, outputs)
                found[f"MixerBlock_{block}/{mlp}/Dense_{index}/bias"] = (outputs,)
    return found


def dense(x, p, name):
    return x @ p[f"{name}/kernel"] + p[f"{name}/bias"]


def norm(x, p, name):
    x = x - x.mean(axis=-1, keepdims=True)
    return x / np.sqrt((x ** 2).mean(axis=-1, keepdims=True) + 1e-6) * p[f"{name}/scale"] + p[f"{name}/bias"]


def mlp(x, p, name):
    x = dense(x, p, f"{name}/Dense_0")
    x = x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))) / 2
    return dense(x, p, f"{name}/Dense_1")


def logits(p, images):
    """Section 2 of the paper."""
    x = np.array([[np.tensordot(image[y:y + P, x:x + P], p["stem/kernel"], 3) + p["stem/bias"]
                   for y in range(0, image.shape[0], P) for x in range(0, image.shape[1], P)] for image in images])
    for block in range(DEPTH):
        name = f"MixerBlock_{block}"
        x = x + mlp(norm(x, p, f"{name}/LayerNorm_0").swapaxes(1, 2), p, f"{name}/token_mixing").swapaxes(1, 2)
        x = x + mlp(norm(x, p, f"{name}/LayerNorm_1"), p, f"{name}/channel_mixing")
    return dense(norm(x, p, "pre_head_layer_norm").mean(axis=1), p, "head")


def test_a_file_of_the_authors_computes_what_their_formulas_say(tmp_path):
    tensors = {name: (draw(name, shape) + name.endswith("scale")).astype(np.float32)
               for name, shape in names_and_shapes().items()}
    np.savez(tmp_path / "Mixer.npz", **tensors)
    images, model = pictures(2, 16, 16), minivit.load(tmp_path / "Mixer.npz")
    assert model.blocks[0].mlp_tokens.activation is gelu_tanh
    expected = logits({name: array.astype(np.float64) for name, array in tensors.items()}, images)
    np.testing.assert_allclose(model.astype(np.float64)(images).numpy(), expected, rtol=1e-9, atol=1e-9)
