"""einops on Tensors: the patterns of ViT, Swin and MAE, their values and gradients."""

import einops
import numpy as np
import pytest

from minivit import Tensor, grad, gradcheck

RNG = np.random.default_rng(0)
PATTERNS = [
    ("rearrange", (2, 8, 8, 3), "b (h p) (w q) c -> b (h w) (p q c)", {"p": 4, "q": 4}),   # ViT: patches
    ("rearrange", (2, 4, 48), "b (h w) (p q c) -> b (h p) (w q) c", {"h": 2, "p": 4, "q": 4}),  # MAE: and back
    ("rearrange", (2, 5, 24), "b n (three h d) -> three b h n d", {"three": 3, "h": 2}),  # ViT: queries, keys, values
    ("rearrange", (2, 2, 5, 4), "b h n d -> b n (h d)", {}),
    ("rearrange", (2, 8, 8, 3), "b (h m) (w n) c -> (b h w) (m n) c", {"m": 4, "n": 4}),   # Swin: windows
    ("rearrange", (8, 16, 3), "(b h w) (m n) c -> b (h m) (w n) c", {"h": 2, "w": 2, "m": 4}),
    ("rearrange", (2, 4, 4, 3), "b (h m) (w n) c -> b h w (n m c)", {"m": 2, "n": 2}),     # Swin: patch merging
    ("rearrange", (2, 5, 1), "b n 1 -> b n", {}),
    ("reduce", (2, 5, 4), "b n d -> b d", {"reduction": "mean"}),
    ("reduce", (2, 8, 8, 3), "b (h p) (w q) c -> b h w c", {"reduction": "max", "p": 2, "q": 2}),
    ("reduce", (2, 3, 4), "b c d -> ", {"reduction": "sum"}),
    ("reduce", (2, 3, 4), "b c d -> b 1 d", {"reduction": "min"}),
    ("reduce", (2, 3, 4), "b c d -> b d", {"reduction": "prod"}),
    ("repeat", (1, 1, 4), "1 1 d -> b n d", {"b": 3, "n": 2}),                            # ViT: class token
    ("repeat", (2, 3), "h w -> (h p) (w q)", {"p": 2, "q": 3}),
    ("repeat", (2, 3), "b d -> b new d", {"new": 2}),
    ("einsum", (2, 3, 5, 4), "b h i d, b h j d -> b h i j", {}),                          # attention scores
]


@pytest.mark.parametrize(("name", "shape", "pattern", "settings"), PATTERNS, ids=[row[2] for row in PATTERNS])
def test_value_and_gradient(name, shape, pattern, settings):
    x = RNG.permutation(np.prod(shape)).reshape(shape) / 10.0

    def apply(x):
        return einops.einsum(x, x, pattern) if name == "einsum" else getattr(einops, name)(x, pattern, **settings)

    y = apply(Tensor(x))
    assert isinstance(y, Tensor)
    np.testing.assert_allclose(y.data, apply(x), rtol=1e-12)
    gradcheck(apply, x, rng=np.random.default_rng(1))


def test_lists_are_stacked_and_pack_joins():
    x, y = (Tensor(RNG.standard_normal(shape), requires_grad=True) for shape in [(2, 3, 4), (2, 5, 4)])
    assert einops.rearrange([x, x], "k b n d -> b (k n) d").shape == (2, 6, 4)
    packed, shapes = einops.pack([x, y], "b * d")
    np.testing.assert_array_equal(packed.data, np.concatenate([x.data, y.data], 1))
    back, _ = einops.unpack(packed, shapes, "b * d")
    np.testing.assert_allclose(grad((back * back).sum(), [x])[0], 2 * x.data)


def test_on_a_device(device):
    x = Tensor(np.arange(12, dtype=np.float32).reshape(2, 6)).to(device)
    y = einops.repeat(x, "b (h w) -> b h w c", h=2, c=2)
    assert y.device == device
    assert y.shape == (2, 2, 3, 2)
