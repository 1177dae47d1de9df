"""Axial attention on rows shorter than its span, which the authors' code cannot read, against the paper's formula."""

import math

import numpy as np
import pytest

from minivit import nn
from minivit.models.axial import AxialAttention, AxialBlock, AxialCIFAR, AxialNet

SMALL = dict(image_size=32, num_classes=5, width=4, depths=(1, 2), heads=2)


def drawn(module):
    """In float64 with weights none of which is special; norms that move numbers little."""
    module, rng = module.astype(np.float64), np.random.default_rng(7)
    for name, x in module.named_parameters() + module.named_buffers():
        z = rng.standard_normal(x.shape)
        x.data = (np.exp(0.3 * z) if name.endswith("running_var") else 0.2 * z + name.endswith("weight")
                  if x.ndim == 1 else z / math.sqrt(math.prod(x.shape[:-1])))
    return module.eval()


def slow_norm(x, p):
    """Outside training, channel by channel."""
    return (x - p["running_mean"]) / np.sqrt(p["running_var"] + 1e-5) * p["weight"] + p["bias"]


def part(state, name):
    return {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)}


def slow(layer, row):
    """Equation 4 with the norms of the authors' code, for one row (N, C): each pair of places by itself."""
    state, h, (N, C), K = layer.state_dict(), layer.heads, row.shape, layer.span
    d, relative = C // h, state["relative"]
    qkv = [slow_norm(x @ state["qkv.linear.weight"], part(state, "qkv.norm.")) for x in row]
    r_q, r_k, r_v = relative[:, :d // 2], relative[:, d // 2:d], relative[:, d:]
    terms = np.zeros((N, N, 3, h))
    for i, j, head in np.ndindex(N, N, h):
        q, k = qkv[i][2 * d * head:][:d // 2], qkv[j][2 * d * head:][d // 2:d]
        terms[i, j, :, head] = q @ k, q @ r_q[i - j + K - 1], k @ r_k[j - i + K - 1]
    scores = slow_norm(terms.reshape(N, N, 3 * h), part(state, "score_norm.")).reshape(N, N, 3, h).sum(axis=2)
    made = np.zeros((N, C, 2))
    for i, head in np.ndindex(N, h):
        shares = np.exp(scores[i, :, head]) / np.exp(scores[i, :, head]).sum()
        for j, share in enumerate(shares):
            v = qkv[j][2 * d * head + d:2 * d * (head + 1)]
            made[i, head * d:(head + 1) * d] += share * np.stack([v, r_v[i - j + K - 1]], axis=-1)
    return slow_norm(made.reshape(N, 2 * C), part(state, "value_norm.")).reshape(N, C, 2).sum(axis=2)


@pytest.mark.parametrize("places", [1, 4, 6])
def test_attention_along_rows_is_the_papers_formula(places, rng):
    layer, x = drawn(AxialAttention(16, 2, span=6)), rng.standard_normal((3, places, 16))
    expected = np.array([slow(layer, row) for row in x])
    np.testing.assert_allclose(layer(x).numpy(), expected, atol=1e-12 * np.abs(expected).max())
    np.testing.assert_allclose(layer.weights(x).numpy().sum(axis=-1), 1, rtol=1e-12)


def test_columns_are_read_before_rows(rng):
    block, x = drawn(AxialBlock(8, 8, 2, stride=1, spans=(5, 7))), rng.standard_normal((2, 4, 7, 8))
    columns = np.array([[slow(block.columns, picture[:, w]) for w in range(7)] for picture in x])     # (B, W, H, C)
    expected = np.array([[slow(block.rows, picture[:, h]) for h in range(4)] for picture in columns])  # (B, H, W, C)
    np.testing.assert_allclose(block.attend(x).numpy(), expected, atol=1e-12 * np.abs(expected).max())


def test_a_place_sees_all_others_behind_one_block(rng):
    block, x = drawn(AxialBlock(8, 8, 2, stride=1, spans=(6, 6))), rng.standard_normal((1, 6, 6, 8))
    changed = x.copy()
    changed[0, 5, 0] += 1
    assert (block.attend(changed).numpy() != block.attend(x).numpy()).any(axis=-1).all()
    assert (block.rows(changed[:, 0]).numpy() == block.rows(x[:, 0]).numpy()).all()      # each axis sees its row only


def test_smaller_pictures_are_read_and_larger_ones_refused(rng):
    model = drawn(AxialCIFAR(**SMALL | dict(image_size=(30, 20))))
    maps = model.features(rng.standard_normal((2, 27, 18, 3)))
    assert [x.shape for x in maps] == [(2, 14, 9, 16), (2, 7, 5, 32)]
    with pytest.raises(ValueError, match="16 places in a row are more than the 15 that relative positions are learned"):
        model(np.zeros((1, 32, 20, 3)))
    with pytest.raises(ValueError, match="width 8 is not divisible by 2 x 3 heads"):
        AxialCIFAR(**SMALL | dict(heads=3))


def test_spans_are_the_grids_of_the_picture():
    model = AxialNet(image_size=(224, 96), width=8, depths=(1, 2, 1))
    assert [[(block.columns.span, block.rows.span) for block in stage] for stage in model.stages] == [
        [(56, 24)], [(56, 24), (28, 12)], [(28, 12)]]


def test_a_folded_network_computes_the_same(rng):
    model, images = drawn(AxialCIFAR(**SMALL)), rng.standard_normal((2, 32, 32, 3))
    folded, expected = nn.fold(model), model(images).numpy()
    assert not isinstance(folded.stages[0][0].rows.qkv.norm, nn.BatchNorm2d)
    np.testing.assert_allclose(folded(images).numpy(), expected, atol=1e-10 * np.abs(expected).max())
