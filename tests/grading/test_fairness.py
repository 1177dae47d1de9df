"""Whatever a statement allows gets its points: each answer in ten honest ways, and some in more."""

import functools

import pytest

from minivit.grading import marking
from minivit.grading.differences import compare
from minivit.grading.exercise import FOLDER, load_exercise
from minivit.grading.expected import values
from minivit.grading.notebook import Written
from minivit.grading.sandbox import Limits, Sandbox
from minivit.grading.verdict import Judge

load = functools.cache(load_exercise)
SEEDS = [7, 2024]
NAMES = {path.name[3:-6]: path.name[:2] for path in sorted((FOLDER / "pristine").glob("*.ipynb"))}
ANSWERS = [(number, name) for number in NAMES.values() for name in load(number).answers]
# Ways that fit every answer: {way: source in which REFERENCE is the right one, and NAME its name}.
EACH = """
def each(change, x):
    if isinstance(x, (tuple, list)):
        return type(x)(each(change, item) for item in x)
    if isinstance(x, dict):
        return {key: each(change, item) for key, item in x.items()}
    return change(x) if isinstance(x, np.ndarray) else x
"""
WAYS = {
    "in single precision": """REFERENCE
single = lambda x: np.float32(x) if x.dtype == np.float64 else x
double_, NAME = NAME, lambda *a, **k: each(single, double_(*each(single, a), **k))""",
    "as lists": "REFERENCE\narray_, NAME = NAME, lambda *a, **k: each(np.ndarray.tolist, array_(*a, **k))",
    "as arrays of objects": "REFERENCE\narray_, NAME = NAME, lambda *a, **k: each(lambda x: x.astype(object), array_(*a, **k))",
    "in Fortran's order": "REFERENCE\nc_, NAME = NAME, lambda *a, **k: each(np.asfortranarray, c_(*each(np.asfortranarray, a), **k))",
    "as a view of something larger": """REFERENCE
whole_, NAME = NAME, lambda *a, **k: each(lambda x: np.stack([x, x])[1], whole_(*a, **k))""",
    "on copies, which are overwritten": """REFERENCE
def overwrite(x):
    if x.dtype.kind == 'f': x[...] = np.nan
    return x
kept_ = NAME
def NAME(*a, **k):
    mine = each(np.copy, a)
    y = kept_(*mine, **k)
    y = each(np.copy, y)
    each(overwrite, mine)
    return y""",
    "as a complex result without imaginary part": """REFERENCE
real_, NAME = NAME, lambda *a, **k: each(lambda x: x + 0j if x.dtype.kind == 'f' else x, real_(*a, **k))""",
    "through a function of its own": "REFERENCE\ninner_ = NAME\ndef NAME(*a, **k):\n    def broadcast(): return inner_(*a, **k)\n    return broadcast()",
    "with prints and warnings": """import warnings
REFERENCE
quiet_ = NAME
def NAME(*a, **k):
    print('debug', a)
    warnings.warn('look out')
    return quiet_(*a, **k)""",
    "as a class that can be called": """REFERENCE
class Call:
    def __init__(self, f): self.f = f
    def __call__(self, *a, **k): return self.f(*a, **k)
NAME = Call(NAME)""",
}
# More ways, for single answers. {exercise: {answer: [source, ...]}}
MORE = {
    "start_here": {
        "scale_pixels": ["def scale_pixels(images):\n    return (images.astype(np.float32) / 255 - 0.5) / 0.5",
                         "def scale_pixels(images):\n    return np.interp(images, [0, 255], [-1, 1])"],
        "normalise": ["def normalise(images):\n    out = np.empty(images.shape)\n    for c in range(images.shape[-1]):\n"
                      "        out[..., c] = (images[..., c] - images[..., c].mean()) / (images[..., c].std() + 1e-8)\n    return out"],
        "one_hot": ["def one_hot(labels, classes):\n    return (labels[:, None] == np.arange(classes)) * 1",
                    "def one_hot(labels, classes):\n    return np.eye(classes)[labels]"],
        "broadcast_shape": ["""def broadcast_shape(a, b):
    broadcast = []
    for i in range(1, max(len(a), len(b)) + 1):
        x = a[-i] if i <= len(a) else 1
        y = b[-i] if i <= len(b) else 1
        if x != y and x != 1 and y != 1:
            raise ValueError
        broadcast.insert(0, y if x == 1 else x)
    return broadcast"""],
        "squared_distances": ["def squared_distances(x, y):\n    return np.array([[((a - b) ** 2).sum() for b in y] for a in x])",
                              "def squared_distances(x, y):\n    return np.maximum(np.einsum('nmd,nmd->nm', x[:, None] - y, x[:, None] - y), 0)"],
        "confusion_matrix": ["def confusion_matrix(labels, predicted, classes):\n    c = [[0] * classes for _ in range(classes)]\n"
                             "    for t, p in zip(labels, predicted): c[t][p] += 1\n    return c",
                             "def confusion_matrix(labels, predicted, classes):\n"
                             "    return np.bincount(classes * labels + predicted, minlength=classes ** 2).reshape(classes, classes)"]},
    "autograd": {
        "sum_to_shape": ["def sum_to_shape(dy, shape):\n    while dy.ndim > len(shape): dy = dy.sum(0)\n    for i, n in enumerate(shape):\n"
                         "        if n == 1: dy = dy.sum(i, keepdims=True)\n    return dy"],
        "add_backward": ["def add_backward(dy, a, b):\n    return [sum_to_shape(dy, x.shape) for x in (a, b)]"],
        "mul_backward": ["def mul_backward(dy, a, b):\n    a, b = np.asarray(a), np.asarray(b)\n    return sum_to_shape(b * dy, a.shape), sum_to_shape(a * dy, b.shape)"],
        "sum_backward": ["def sum_backward(dy, x, axis):\n    return np.repeat(np.expand_dims(dy, axis), x.shape[axis], axis)",
                         "def sum_backward(dy, x, axis):\n    y = np.empty_like(x)\n    y[...] = np.expand_dims(dy, axis)\n    return y"],
        "matmul_backward": ["def matmul_backward(dy, a, b):\n    return np.einsum('...nm,...km->...nk', dy, b), np.einsum('...nk,...nm->...km', a, dy)"],
        "numeric_gradient": ["def numeric_gradient(f, x, h=1e-3):\n    x = x.copy()\n    g = np.zeros_like(x)\n    for i in range(x.size):\n"
                             "        old = x.flat[i]\n        x.flat[i] = old + h\n        up = f(x)\n        x.flat[i] = old - h\n        down = f(x)\n"
                             "        x.flat[i] = old\n        g.flat[i] = (up - down) / (2 * h)\n    return g"],
        "gradients": ["""def gradients(graph, last):
    found = {last: 1.0}
    def paths(name, weight):
        for argument, local in graph.get(name, ()):
            found[argument] = found.get(argument, 0) + weight * local
            paths(argument, weight * local)
    paths(last, 1.0)
    return found"""]},
    "patches": {
        "patchify": ["def patchify(x, size):\n    B, H, W, C = x.shape\n    return np.stack([x[:, i:i + size, j:j + size].reshape(B, -1)\n"
                     "                     for i in range(0, H, size) for j in range(0, W, size)], axis=1)"],
        "sin_cos": ["def sin_cos(positions, dim):\n    return [[np.sin(p / 10000 ** (2 * k / dim)) for k in range(dim // 2)] +\n"
                    "            [np.cos(p / 10000 ** (2 * k / dim)) for k in range(dim // 2)] for p in positions]"],
        "bilinear_weights": ["def bilinear_weights(n, m):\n    w = np.zeros((m, n))\n    for i in range(m):\n        s = min(max((i + .5) * n / m - .5, 0), n - 1)\n"
                             "        for j in range(n): w[i, j] = max(0, 1 - abs(s - j))\n    return w"]},
    "attention": {
        "softmax": ["def softmax(x):\n    y = np.zeros(x.shape)\n    for i in np.ndindex(x.shape[:-1]):\n        row = [np.exp(v - max(x[i])) for v in x[i]]\n"
                    "        y[i] = [v / sum(row) for v in row]\n    return y",
                    "def softmax(x):\n    return np.exp(x - np.logaddexp.reduce(x, axis=-1, keepdims=True))"],
        "softmax_backward": ["def softmax_backward(dy, y):\n    return np.einsum('...i,...ij->...j', dy, "
                             "np.einsum('...i,ij->...ij', y, np.eye(y.shape[-1])) - np.einsum('...i,...j->...ij', y, y))",
                             """def softmax_backward(dy, y):
    dx = np.zeros(y.shape)
    for i in np.ndindex(y.shape[:-1]):
        for j in range(y.shape[-1]):
            s = 0.0
            for k in range(y.shape[-1]):
                s += dy[i][k] * y[i][k] * ((k == j) - y[i][j])
            dx[i][j] = s
    return dx"""],
        "attention_backward": ["""def attention_backward(dy, q, k, v, weights):
    _, weights = attention(q, k, v)
    t = lambda a: np.swapaxes(a, -1, -2)
    d = softmax_backward(dy @ t(v), weights)
    return d @ k * q.shape[-1] ** -.5, t(d) @ q * q.shape[-1] ** -.5, t(weights) @ dy""",
                               """def attention_backward(dy, q, k, v, weights):
    s = np.einsum('bid,bjd->bij', q, k) / np.sqrt(q.shape[-1])
    w = np.exp(s - s.max(-1, keepdims=True)); w /= w.sum(-1, keepdims=True)
    dw = np.einsum('bie,bje->bij', dy, v)
    ds = w * (dw - (w * dw).sum(-1, keepdims=True)) / np.sqrt(q.shape[-1])
    return np.einsum('bij,bjd->bid', ds, k), np.einsum('bij,bid->bjd', ds, q), np.einsum('bij,bie->bje', w, dy)"""],
        "split_heads": ["def split_heads(x, heads):\n    return np.stack(np.split(x, heads, axis=-1), axis=1)"]},
    "encoder_block": {
        "layer_norm": ["def layer_norm(x, g, b, eps=1e-6):\n    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps) * g + b",
                       "def layer_norm(x, g, b, eps=1e-5):\n    out = np.zeros_like(x)\n    for i in np.ndindex(x.shape[:-1]):\n"
                       "        m = sum(x[i]) / len(x[i]); v = sum((x[i] - m) ** 2) / len(x[i])\n        out[i] = g * (x[i] - m) * (v + eps) ** -.5 + b\n    return out"],
        "layer_norm_backward": ["""def layer_norm_backward(dy, x, g, eps=1e-6):
    n = x.shape[-1]
    m, v = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    s = (v + eps) ** -.5
    dn = dy * g
    dv = (dn * (x - m)).sum(-1, keepdims=True) * -.5 * s ** 3
    dm = -(dn * s).sum(-1, keepdims=True) - 2 * dv * (x - m).mean(-1, keepdims=True)
    return dn * s + dv * 2 * (x - m) / n + dm / n, np.einsum('bnd,bnd->d', dy, (x - m) * s), np.einsum('bnd->d', dy)"""],
        "gelu": ["def gelu(x):\n    return np.array([v * .5 * (1 + math.erf(v / 2 ** .5)) for v in x.flat]).reshape(x.shape)"],
        "drop_path": ["def drop_path(x, p, u):\n    keep = np.floor(u + 1 - p)\n    return np.stack([xi * k / (1 - p) for xi, k in zip(x, keep)])"]},
    "vit": {
        "class_head": [f"def class_head(x, weight, bias):\n    x = x[:, 0]\n    x = x - x.mean(1, keepdims=True)\n    return x / {divisor} @ weight + bias"
                       for divisor in ("x.std(1, keepdims=True)", "(x.std(1, keepdims=True) + 1e-6)",
                                       "np.sqrt(x.var(1, keepdims=True) + 1e-5)", "np.sqrt(x.var(1, keepdims=True) + 1e-12)")],
        "average_head": [f"def average_head(x, weight, bias):\n    x = x.sum(1) / x.shape[1]\n    x = x - x.mean(1, keepdims=True)\n    return x / {divisor} @ weight + bias"
                         for divisor in ("x.std(1, keepdims=True)", "(x.std(1, keepdims=True) + 1e-6)",
                                         "np.sqrt(x.var(1, keepdims=True) + 1e-5)")] +
                        ["def average_head(x, weight, bias):\n    return class_head(x.mean(1, keepdims=True), weight, bias)"],
        "class_token": ["def class_token(x, token, positions):\n    y = np.zeros((x.shape[0], x.shape[1] + 1, x.shape[2]))\n    y[:, 0], y[:, 1:] = token, x\n    y += positions\n    return y"],
        "attention_pool": ["def attention_pool(x, query, key_weight, value_weight):\n    out = []\n    for t in x:\n        s = (t @ key_weight) @ query / len(query) ** .5\n"
                           "        w = np.exp(s - s.max())\n        out.append((w / w.sum()) @ (t @ value_weight))\n    return np.array(out)"]},
    "deit": {
        "soft_loss": ["def soft_loss(student, teacher, T):\n    p = np.exp(log_softmax(teacher, T))\n    return sum(T * T * (a * (b - c)).sum() for a, b, c in zip(p, log_softmax(teacher, T), log_softmax(student, T))) / len(p)"],
        "hard_loss_backward": ["def hard_loss_backward(class_logits, distil_logits, teacher, labels):\n    def half(z, y):\n        p = np.exp(log_softmax(z))\n"
                               "        return (p - np.eye(z.shape[1])[y]) / len(z) / 2\n    return half(class_logits, labels), half(distil_logits, teacher.argmax(1))"]},
    "swin": {
        "window_weights": [f"""def window_weights(scores, table, index, mask):
    s = scores + np.moveaxis(table[index], -1, 0)
    s = {masked}
    w = np.exp(s - s.max(-1, keepdims=True))
    return w / w.sum(-1, keepdims=True)""" for masked in (
            "s + np.where(mask, 0, -100.0)[:, None]", "np.where(mask[:, None], s, -100)", "np.where(mask[:, None], s, -1e9)",
            "s + (1 - mask[:, None]) * -1e4", "np.where(mask[:, None], s, np.finfo(np.float32).min)",
            "np.ma.masked_array(s, ~np.broadcast_to(mask[:, None], s.shape)).filled(-np.inf)")],
        "shift_mask": ["""def shift_mask(H, W, w, s):
    region = np.zeros((H, W))
    count = 0
    for rows in (slice(0, H - w), slice(H - w, H - s), slice(H - s, H)):
        for columns in (slice(0, W - w), slice(W - w, W - s), slice(W - s, W)):
            region[rows, columns] = count
            count += 1
    windows = [region[i:i + w, j:j + w].ravel() for i in range(0, H, w) for j in range(0, W, w)]
    return [[[int(a == b) for b in window] for a in window] for window in windows]"""],
        "relative_index": ["def relative_index(w):\n    return [[(a // w - b // w + w - 1) * (2 * w - 1) + a % w - b % w + w - 1 for b in range(w * w)] for a in range(w * w)]"]},
    "mae": {
        "random_masking": ["def random_masking(noise, visible):\n    order = np.argsort(noise, 1)\n    restore = np.empty_like(order)\n"
                           "    for o, r in zip(order, restore): r[o] = np.arange(len(o))\n    return order[:, :visible], restore >= visible, restore"],
        "normalise_patches": ["def normalise_patches(patches):\n    return (patches - patches.mean(-1)[..., None]) * (patches.std(-1, ddof=1)[..., None] ** 2 + 1e-6) ** -.5"],
        "masked_loss": ["def masked_loss(guess, target, mask):\n    hidden = mask.astype(bool)\n    return ((guess[hidden] - target[hidden]) ** 2).mean()"],
        "masked_loss_backward": ["def masked_loss_backward(guess, target, mask):\n    g = np.zeros_like(guess)\n    g[mask > 0] = 2 * (guess - target)[mask > 0] / guess.shape[-1] / mask.sum()\n    return g"]},
}
HANDWRITTEN = [pytest.param(NAMES[exercise], name, source, id=f"{exercise}.{name}-{i}") for exercise, answers in MORE.items()
               for name, sources in answers.items() for i, source in enumerate(sources)]


def differences(number, name, source, seed):
    """What is wrong with an answer that must be right."""
    exercise = load(number)
    answer = exercise.answers[name]
    refused, _ = marking.look(exercise, name, Written(source))
    return refused, compare(values(exercise, name, seed, source), values(exercise, name, seed), answer.rtol, answer.atol)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number, name", ANSWERS)
def test_every_answer_passes_in_ten_honest_ways(number, name, way):
    source = EACH + WAYS[way].replace("REFERENCE", load(number).answers[name].reference).replace("NAME", name)
    for seed in SEEDS:
        assert differences(number, name, source, seed) == ([], [])


@pytest.mark.parametrize("number, name, source", HANDWRITTEN)
def test_an_answer_of_another_make_passes(number, name, source):
    for seed in SEEDS:
        assert differences(number, name, source, seed) == ([], [])


# A generic numeric difference in place of each formula, with the forward pass beside it.
DIFFERENCE = """
def numeric(f, dys, *xs, h=1e-5):
    gradients = []
    for k, x in enumerate(xs):
        x, g = np.array(x, dtype=float), np.zeros(np.shape(x))
        for i in np.ndindex(x.shape):
            sides = []
            for step in (h, -h):
                moved = x.copy()
                moved[i] += step
                ys = f(*xs[:k], moved, *xs[k + 1:])
                sides.append(sum(np.sum(dy * y) for dy, y in zip(dys, ys)))
            g[i] = (sides[0] - sides[1]) / (2 * h)
        gradients.append(g)
    return gradients
"""
BACKWARD = {
    "autograd": {"sum_to_shape": "return numeric(lambda x: [x + np.zeros(dy.shape)], [dy], np.zeros(shape))[0]",
                 "add_backward": "return numeric(lambda a, b: [a + b], [dy], a, b)",
                 "mul_backward": "return numeric(lambda a, b: [a * b], [dy], a, b)",
                 "sum_backward": "return numeric(lambda x: [x.sum(axis)], [dy], x)[0]",
                 "matmul_backward": "return numeric(lambda a, b: [a @ b], [dy], a, b)"},
    "attention": {"softmax_backward": "return numeric(lambda x: [np.exp(x) / np.exp(x).sum(-1, keepdims=True)], [dy], np.log(y))[0]",
                  "attention_backward": """
    def f(q, k, v):
        w = np.exp(q @ k.swapaxes(-1, -2) / q.shape[-1] ** .5)
        return [w / w.sum(-1, keepdims=True) @ v]
    return numeric(f, [dy], q, k, v)"""},
    "encoder_block": {"layer_norm_backward": "return numeric(lambda x, g, b: [layer_norm(x, g, b, eps)], [dy], x, g, 0 * g)"},
    "vit": {"class_token_backward": "B, N, D = dy.shape\n    return numeric(lambda x, t, p: [np.concatenate([np.tile(t, (B, 1, 1)), x], 1) + p], "
                                    "[dy], np.zeros((B, N - 1, D)), np.zeros(D), np.zeros((N, D)))"},
    "deit": {"soft_loss_backward": "return numeric(lambda s: [soft_loss(s, teacher, T)], [1.0], student)[0]",
             "hard_loss_backward": "return numeric(lambda c, d: [hard_loss(c, d, teacher, labels)], [1.0], class_logits, distil_logits)"},
    "mae": {"masked_loss_backward": "return numeric(lambda g: [(((g - target) ** 2).mean(-1) * mask).sum() / mask.sum()], [1.0], guess)[0]"},
}


@pytest.mark.parametrize("number, name, body", [
    pytest.param(NAMES[exercise], name, body, id=f"{exercise}.{name}") for exercise, answers in BACKWARD.items()
    for name, body in answers.items()])
def test_a_numeric_difference_is_no_backward_pass(number, name, body):
    exercise = load(number)
    head = exercise.answers[name].reference.partition("\n")[0]
    source = f"{DIFFERENCE}\n{head}\n    {body}"
    verdict = marking.mark(Judge(exercise, 5), {name: Written(source)}, Sandbox("none"), Limits(processor=3))[name]
    assert verdict.status in ("timeout", "wrong")
    assert name == "sum_to_shape" or any("numeric difference" in flag for flag in verdict.flags)


def test_a_numeric_difference_of_gelu_is_remarked():
    exercise, name = load(NAMES["encoder_block"]), "gelu_backward"
    for source in ("def gelu_backward(dy, x):\n    return dy * (gelu(x + 1e-4) - gelu(x - 1e-4)) / 2e-4",
                   "def gelu_backward(dy, x, h=10 ** -4):\n    return dy * (gelu(x + h) - gelu(x - h)) / h / 2",
                   "def gelu_backward(dy, x):\n    eps = 1 / 1000\n    return dy * (gelu(x + eps) - gelu(x - eps)) / (2 * eps)"):
        _, remarks = marking.look(exercise, name, Written(source))
        assert any("numeric difference" in remark for remark in remarks)
    assert marking.look(exercise, name, Written(exercise.answers[name].reference)) == ([], [])
