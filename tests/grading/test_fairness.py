"""Whatever a statement allows gets its points: each answer in ten honest ways, and some in more."""

import functools
import re
from pathlib import Path

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
    "as arrays of objects": """REFERENCE
array_, NAME = NAME, lambda *a, **k: each(lambda x: x.astype(object), array_(*a, **k))""",
    "in Fortran's order": """REFERENCE
c_, NAME = NAME, lambda *a, **k: each(np.asfortranarray, c_(*each(np.asfortranarray, a), **k))""",
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
    "through a function of its own": """REFERENCE
inner_ = NAME
def NAME(*a, **k):
    def broadcast():
        return inner_(*a, **k)
    return broadcast()""",
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
BLOCKS = re.split(r"^# %% (\w+)\.(\w+)\n", Path(__file__).with_name("honest_answers.txt").read_text(),
flags=re.MULTILINE)
HANDWRITTEN = [pytest.param(NAMES[exercise], name, source, id=f"{exercise}.{name}-{i}")
               for i, (exercise, name, source) in enumerate(zip(BLOCKS[1::3], BLOCKS[2::3], BLOCKS[3::3], strict=True))]


def differences(number, name, source, seed):
    """What is wrong with an answer that must be right."""
    exercise = load(number)
    answer = exercise.answers[name]
    refused, _ = marking.look(exercise, name, Written(source))
    return refused, compare(values(exercise, name, seed, source), values(exercise, name, seed), answer.rtol,
        answer.atol)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("number, name", ANSWERS)
def test_every_answer_passes_in_ten_honest_ways(number, name, way):
    source = EACH + WAYS[way].replace("REFERENCE", load(number).answers[name].reference).replace("NAME", name)
    assert differences(number, name, source, SEEDS[0]) == ([], [])


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
    "start_here.soft_cross_entropy": """
    def f(z):
        return [-(wanted * (z - np.log(np.exp(z).sum(1, keepdims=True)))).sum(1).mean()]
    return f(z)[0], numeric(f, [1.0], z)[0]""",
    "autograd.sum_to_shape": "return numeric(lambda x: [x + np.zeros(dy.shape)], [dy], np.zeros(shape))[0]",
    "autograd.divide_backward": "return numeric(lambda x, w: [x / w], [dy], x, w)",
    "autograd.matmul_backward": "return numeric(lambda x, w: [x @ w], [dy], x, w)",
    "attention.attention_backward": """
    def f(q, k, v):
        w = np.exp(q @ k.swapaxes(-1, -2) / q.shape[-1] ** .5)
        return [w / w.sum(-1, keepdims=True) @ v]
    return numeric(f, [dy], q, k, v)""",
    "encoder_block.layer_norm_dx": "return numeric(lambda x: [layer_norm(x, g, 0 * g, eps)], [dy], x)[0]",
    "encoder_block.rms_norm_backward": """
    return numeric(lambda x, g: [g * x * ((x ** 2).mean(-1, keepdims=True) + eps) ** -0.5], [dy], x, g)""",
    "encoder_block.branch_backward": """
    def f(x, branch, scale):
        return [x + scale * branch * (u >= p)[:, None, None] / (1 - p)]
    return numeric(f, [dy], 0 * dy, branch, scale)""",
    "vit.put_in_front_backward": """
    B, N, D = dy.shape
    def f(x, token, positions):
        return [np.concatenate([np.tile(token, (B, 1, 1)), x], 1) + positions]
    return numeric(f, [dy], np.zeros((B, N - 1, D)), np.zeros(D), np.zeros((N, D)))""",
    "deit.soft_loss_backward": "return numeric(lambda s: [soft_loss(s, teacher, T)], [1.0], student)[0]",
    "deit.hard_loss_backward": """
    def f(c, d):
        target = np.eye(c.shape[1])[np.stack([labels, teacher.argmax(-1)])]
        target = np.where(target == 1, 1 - smoothing, smoothing / (c.shape[1] - 1))
        return [-(target * np.stack([log_softmax(c), log_softmax(d)])).sum() / (2 * len(c))]
    return numeric(f, [1.0], class_logits, distilled)""",
    "mae.masked_loss_backward": """
    def f(guess):
        return [(((guess - target) ** 2).mean(-1) * mask).sum() / mask.sum()]
    return numeric(f, [1.0], guess)[0]""",
    "mae.in_place_backward": """
    def f(x, token, E):
        return [np.where(mask[:, :, None] > 0, token, x) + E]
    return numeric(f, [dy], 0 * dy, dy[0, 0], dy[0])""",
}


@pytest.mark.parametrize("answer", BACKWARD)
def test_a_numeric_difference_is_no_backward_pass(answer):
    exercise, name = answer.split(".")
    exercise = load(NAMES[exercise])
    head = exercise.answers[name].reference.partition("\n")[0]
    source = f"{DIFFERENCE}\n{head}\n    {BACKWARD[answer]}"
    verdict = marking.mark(Judge(exercise, 5), {name: Written(source)}, Sandbox("none"), Limits(processor=3))[name]
    assert verdict.status in ("timeout", "wrong")
    assert name == "sum_to_shape" or any("numeric difference" in flag for flag in verdict.flags)


def test_a_numeric_difference_in_one_line_is_remarked():
    exercise, name = load(NAMES["encoder_block"]), "layer_norm_dx"
    for step in ("h = 1e-4", "h = 10 ** -4", "h = 1 / 1000", "h, d = 1, 2\n    h = .01"):
        source = (f"def layer_norm_dx(dy, x, g, eps=1e-6):\n    {step}\n"
                  "    return dy * (layer_norm(x + h, g, 0) - layer_norm(x - h, g, 0)) / (2 * h)")
        _, remarks = marking.look(exercise, name, Written(source))
        assert any("numeric difference" in remark for remark in remarks)
    assert marking.look(exercise, name, Written(exercise.answers[name].reference)) == ([], [])
