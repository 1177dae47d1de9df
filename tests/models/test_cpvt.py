"""CPVT against loops straight from the paper's formulas: no official code of it is published."""

import math

import numpy as np
import pytest

from minivit import Tensor, grad
from minivit.models import cpvt
from minivit.nn import ConvPositions

SMALL = dict(image_size=(12, 16), patch_size=4, num_classes=5, dim=8, depth=3, heads=2, mlp_dim=12)


def drawn(make, **settings):
    """A model in float64 with weights none of which is special."""
    model, rng = make(**SMALL | settings).astype(np.float64), np.random.default_rng(7)
    for name, parameter in model.named_parameters():
        scale = 0.5 if parameter.ndim == 2 else 0.3
        parameter.data = scale * rng.standard_normal(parameter.shape) + (name.endswith("weight") and "norm" in name)
    return model


def slow_norm(x, weight, bias, eps=1e-6):
    centred = x - sum(x) / len(x)
    return centred / math.sqrt(sum(centred ** 2) / len(x) + eps) * weight + bias


def slow_attention(tokens, p, heads):
    """Each query by itself, in each head: softmax(q k / sqrt(d)) v."""
    qkv = [x @ p["qkv.weight"] + p["qkv.bias"] for x in tokens]
    D, d = len(tokens[0]), len(tokens[0]) // heads
    made = []
    for row in qkv:
        joined = []
        for head in range(heads):
            columns = slice(head * d, (head + 1) * d)
            query = row[:D][columns]
            scores = [math.exp(query @ other[D:2 * D][columns] / math.sqrt(d)) for other in qkv]
            joined.extend(sum(s / sum(scores) * other[2 * D:][columns] for s, other in zip(scores, qkv, strict=True)))
        made.append(np.array(joined) @ p["proj.weight"] + p["proj.bias"])
    return made


def slow_mlp(x, p):
    hidden = x @ p["linear1.weight"] + p["linear1.bias"]
    gelu = np.array([h * (1 + math.erf(h / math.sqrt(2))) / 2 for h in hidden])
    return gelu @ p["linear2.weight"] + p["linear2.bias"]


def slow_peg(grid, kernel, bias):
    """x + a depthwise 3 x 3 convolution; what lies outside the picture is 0 (section 3.2)."""
    H, W, _ = grid.shape
    made = grid + bias
    for y in range(H):
        for x in range(W):
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if 0 <= y + dy < H and 0 <= x + dx < W:
                        made[y, x] += kernel[dy + 1, dx + 1, 0] * grid[y + dy, x + dx]
    return made


def part(state, name):
    """The weights of one part, by their names in it."""
    return {key.removeprefix(name): value for key, value in state.items() if key.startswith(name)}


def slow_logits(state, image, *, patch_size, heads, depth, pegs):
    """Of one picture (height, width, 3)."""
    P, (H, W) = patch_size, (n // patch_size for n in image.shape[:2])
    tokens = [image[y * P:(y + 1) * P, x * P:(x + 1) * P].reshape(-1) @ state["patch_embed.weight"]
              + state["patch_embed.bias"] for y in range(H) for x in range(W)]
    class_tokens = [state["class_token"][0, 0]] if "class_token" in state else []
    for index in range(depth):
        p = part(state, f"blocks.{index}.")
        tokens = class_tokens + tokens
        attended = slow_attention([slow_norm(x, p["norm1.weight"], p["norm1.bias"]) for x in tokens],
                                  part(p, "attention."), heads)
        tokens = [x + y for x, y in zip(tokens, attended, strict=True)]
        tokens = [x + slow_mlp(slow_norm(x, p["norm2.weight"], p["norm2.bias"]), part(p, "mlp.")) for x in tokens]
        class_tokens, tokens = tokens[:len(class_tokens)], tokens[len(class_tokens):]
        if index < pegs:
            peg = part(state, f"positions.{index}.conv.")
            tokens = list(slow_peg(np.reshape(tokens, (H, W, -1)), peg["weight"], peg["bias"]).reshape(H * W, -1))
    read = [slow_norm(x, state["norm.weight"], state["norm.bias"]) for x in class_tokens or tokens]
    return sum(read) / len(read) @ state["head.weight"] + state["head.bias"]


def slow(state, images, pegs):
    return np.array([slow_logits(state, image, patch_size=4, heads=2, depth=3, pegs=pegs) for image in images])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("pixels", [(12, 16), (20, 8)])
@pytest.mark.parametrize("pegs", [0, 1, 3])
@pytest.mark.parametrize("make", [cpvt.CPVT, cpvt.CPVTGAP])
def test_the_model_is_the_papers_formulas(make, pegs, pixels, training, rng):
    model, images = drawn(make, pegs=pegs).train(training), rng.standard_normal((2, *pixels, 3))
    expected = slow(model.state_dict(), images, pegs)
    np.testing.assert_allclose(model(images).numpy(), expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())
    single = model.astype(np.float32)(images.astype(np.float32)).numpy()
    np.testing.assert_allclose(single, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("make", [cpvt.CPVT, cpvt.CPVTGAP])
def test_gradients_are_the_slopes_of_the_papers_formulas(make, rng):
    """Along a random direction for each parameter and the pictures; four points make the slope exact to h^4."""
    model, images, h = drawn(make, pegs=2), rng.standard_normal((1, 12, 16, 3)), 1e-3
    state, weights = model.state_dict(), rng.standard_normal((1, 5))

    def slope(step):
        at = [(slow(*step(k * h), pegs=2) * weights).sum() for k in (-2, -1, 1, 2)]
        return (at[0] - 8 * at[1] + 8 * at[2] - at[3]) / (12 * h)
    def check(name, gradient, move):
        along = rng.standard_normal(gradient.shape)
        along /= np.linalg.norm(along)
        assert np.abs(gradient).max() > 0, name
        difference = (gradient * along).sum() - slope(lambda t: move(t * along))
        assert abs(difference) < 1e-9 * max(np.linalg.norm(gradient), 1), name

    names, parameters = zip(*model.named_parameters(), strict=True)
    pixels = Tensor(images, requires_grad=True)
    dx, *gradients = grad((model(pixels) * weights).sum(), [pixels, *parameters])
    check("images", dx, lambda step: (state, images + step))
    for name, gradient in zip(names, gradients, strict=True):
        check(name, gradient, lambda step, name=name: (state | {name: state[name] + step}, images))


def test_a_peg_sees_the_border_and_nothing_else_of_a_constant_map():
    """With a kernel of ones: how many of the nine places around each are in the picture, and the skip."""
    peg = ConvPositions(1)
    peg.load_state_dict({"conv.weight": np.ones((3, 3, 1, 1)), "conv.bias": np.zeros(1)})
    seen = peg(np.ones((1, 4, 5, 1), np.float32)).numpy()[0, ..., 0] - 1
    np.testing.assert_array_equal(seen, [[4, 6, 6, 6, 4], [6, 9, 9, 9, 6], [6, 9, 9, 9, 6], [4, 6, 6, 6, 4]])


def test_positions_creep_in_from_the_border_one_ring_for_each_peg():
    """On a constant picture tokens differ by their places alone: 9, 25, 49 kinds after one, two, three PEGs."""
    x, rng, kinds = np.ones((1, 8, 8, 1)), np.random.default_rng(0), []
    for _ in range(3):
        peg = ConvPositions(1).astype(np.float64)
        peg.load_state_dict({"conv.weight": rng.standard_normal((3, 3, 1, 1)), "conv.bias": np.zeros(1)})
        x = peg(x).numpy()
        kinds.append(len(np.unique(x.round(9))))
    assert kinds == [9, 25, 49]


@pytest.mark.parametrize("pegs, knows_places", [(0, False), (1, True)])
def test_only_the_peg_tells_the_patches_apart(pegs, knows_places, rng):
    """Without it the patches of a picture may be shuffled, and nothing changes."""
    model, images = drawn(cpvt.CPVTGAP, pegs=pegs), rng.standard_normal((2, 12, 16, 3))
    upside_down = np.concatenate([images[:, 8:], images[:, 4:8], images[:, :4]], axis=1)
    logits = model(images).numpy()
    changed = np.abs(model(upside_down).numpy() - logits).max() / np.abs(logits).max()
    assert changed > 1e-3 if knows_places else changed < 1e-12


def test_the_class_token_goes_round_the_peg(rng):
    model, x = drawn(cpvt.CPVT), Tensor(rng.standard_normal((2, 13, 8)))
    after = model.add_positions(x, (3, 4), model.positions[0]).numpy()
    np.testing.assert_array_equal(after[:, 0], x.numpy()[:, 0])
    assert (after[:, 1:] != x.numpy()[:, 1:]).all()


def test_features_are_what_the_blocks_make(rng):
    model, images = drawn(cpvt.CPVT), rng.standard_normal((2, 12, 16, 3))
    made = [x.numpy() for x in model.encode(images)]
    last, first = model.features(images, layers=(-1, 0))
    np.testing.assert_array_equal(first.numpy().reshape(2, 12, 8), made[0][:, 1:])
    np.testing.assert_array_equal(model.norm(last).numpy(), model.features(images)[0].numpy())
    with pytest.raises(IndexError):
        model.features(images, layers=(3,))


def test_more_pegs_than_blocks_are_refused():
    with pytest.raises(ValueError, match="pegs: expected 0 to 3, as many as there are blocks, got 4"):
        cpvt.CPVT(**SMALL, pegs=4)
